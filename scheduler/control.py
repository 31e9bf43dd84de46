"""What is a running control plane made of? Wires the rooms together and runs the two loops that time needs."""

from __future__ import annotations

import logging
import threading
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.scheduler import clock, ingest, overdue, sessions
from riparian.scheduler.alarm import Alarm
from riparian.scheduler.core.protocol import DEFAULT_POOL
from riparian.scheduler.plane import ControlSettings, Plane
from riparian.scheduler.tick import look_again, tick_safely
from riparian.storage.metadata import files, slots, timers
from riparian.storage.metadata import sessions as session_rows
from riparian.storage.metadata.database import Tx

log = logging.getLogger(__name__)


class ControlPlane(Plane):
    """One project's control plane: what use cases work with, and the loops around it."""

    def __init__(self, settings: ControlSettings) -> None:
        super().__init__(settings)
        self._alarm = Alarm(self.bells.ring_daemon)
        self._ticking = False
        self._sensor: Any = None
        self._watched: object = None
        self._looked_at: object = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._plan_loop, name="planner", daemon=True),
            threading.Thread(target=self._expiry_loop, name="expiry", daemon=True),
        ]

    def start(self) -> None:
        """Takes up where the last process ended. Workers that are still there keep their leases."""
        until = int(self.settings.lease_seconds * 1_000_000)
        self.db.write(lambda tx: session_rows.renew_all(tx, tx.now + until))
        self.db.write(slots.call_all)  # the operator may have set other limits
        self.watch()
        for thread in self._threads:
            thread.start()
        self.bells.ring_daemon()

    def stop(self) -> None:
        """Ends the loops and closes the metadata; a second call does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.bells.ring_daemon()
        with self._lock:
            if self._sensor is not None:
                self._sensor.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._alarm.stop()
        self.db.close()

    def watch(self) -> None:
        """Watches the folders of the sources that are declared now."""
        if not self.settings.sensors:
            return
        from riparian.scheduler.sensors.claims import watch_of
        from riparian.scheduler.sensors.filedrop import FileDropSensor

        graph = self.db.read(self.graphs.at)
        if graph is self._looked_at:
            return
        watches = []
        for asset in graph.assets.values():
            try:
                watches += [watch_of(asset, self.settings.root)] if asset.arrives is not None else []
            except DeclarationError as exc:  # as after a change of this program: the others are watched
                log.error("no files arrive for %s: %s", asset.key, exc)
        with self._lock:
            if watches == self._watched or self._stopping.is_set():
                self._looked_at = graph
                return
            if self._sensor is not None:
                self._sensor.stop()
            self._watched = None  # until the new one has begun: what fails here is tried again
            self.db.write(files.forget_all_settling)
            self._sensor = FileDropSensor(
                watches, lambda seen: ingest.observe(self, seen), known=lambda: self.db.read(files.known)
            )
            self._sensor.start()
            self._looked_at, self._watched = graph, watches

    def problems(self) -> tuple[str, ...]:
        """Returns what can not be seen now, such as a folder that is missing."""
        with self._lock:
            return () if self._sensor is None else tuple(self._sensor.problems())

    def look(self) -> int | None:
        """Plans what is dirty and what is due now; returns when the next thing is due."""
        return self.db.write(self._plan)

    def _plan_loop(self) -> None:
        while not self._stopping.is_set():
            self.bells.daemon.wait()
            self.bells.daemon.clear()
            if self._stopping.is_set():
                return
            try:
                self._wake_at(self.look())
                self.watch()
            except Exception:
                # This loop must survive a database that is away: nothing is lost, the facts stay as they are.
                log.exception("planning failed; it is tried again in a second")
                self._stopping.wait(1.0)
                self.bells.ring_daemon()

    def _wake_at(self, due_at: int | None) -> None:
        """Sets the alarm; the clock is started with the first timer there ever is, for it costs memory and time."""
        if due_at is not None and not self._ticking:
            self._ticking = True
            self._alarm.start()
        self._alarm.set(None if due_at is None else self.db.by_the_clock(due_at))

    def _plan(self, tx: Tx) -> int | None:
        """Plans what is dirty and rings for what is due; returns when the next timer is."""
        due = timers.take_due(tx, clock.MOST_DUE)
        graph = self.graphs.at(tx)
        if due:
            tx.after_commit.append(lambda: self.bells.ring(DEFAULT_POOL))
            clock.ring(tx, graph, [subject for kind, subject in due if kind == "cron"])
            clock.wake(tx, [subject for kind, subject in due if kind == "trigger"])
            if any(kind == "plan" for kind, _ in due):
                look_again(tx)
            overdue.end(tx, [subject for kind, subject in due if kind == "run"])
        done = tick_safely(tx, graph)
        if done.planned:
            tx.after_commit.append(lambda: self.bells.ring(DEFAULT_POOL))
        if done.more or len(due) == clock.MOST_DUE:
            tx.after_commit.append(self.bells.ring_daemon)
        # After a fault it is not rung again: the timer that was set for another try is.
        return timers.earliest(tx)

    def _expiry_loop(self) -> None:
        while not self._stopping.wait(min(1.0, self.settings.lease_seconds / 4)):
            try:
                sessions.expire(self)
            except Exception:
                # This loop must survive too: meanwhile nothing expires, and no lease is taken from anybody.
                log.exception("looking for silent workers failed; it is tried again")
