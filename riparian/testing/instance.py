"""What does a test do with a project? Everything that the world does to it: files arrive, time passes, people ask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from riparian.assets.annotations import type_name
from riparian.assets.errors import Invalid, NotFound, Refused
from riparian.assets.keys import key_of
from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import WHOLE
from riparian.assets.policy import Policy, Principal
from riparian.scheduler import dimensions, events, ingest, policies, principals, register, request
from riparian.scheduler.control import ControlPlane
from riparian.scheduler.core.effective import OWNERS
from riparian.storage.access.view import View
from riparian.testing import facts, loading
from riparian.testing.arrivals import Arrivals, encoded
from riparian.testing.clock import Clock, instant
from riparian.testing.loading import Loaded
from riparian.testing.plane import plane_in_memory
from riparian.testing.told import Planned, Run, RunFailed, plan_difference, reason_difference, target_of
from riparian.testing.traces import plainly
from riparian.testing.worker import Performed, Worker

OWNER = Principal(name=principals.ADMINISTRATOR, groups=frozenset({OWNERS}))
"""Who applies the project and asks for runs: its owner, as in ``riparian dev``."""


class Instance:
    """A project in memory, with a clock that only the test moves. Used by ``with``, or as the fixture
    ``riparian_instance``.

    Nothing happens by itself: files arrive by ``drop``, time passes by ``clock``, and what follows is done by ``run``,
    in this process, one attempt after the other. The project is applied when the first of these is called.
    Assets are named by their keys, or by the sources and functions that declare them.
    """

    def __init__(self, loaded: Loaded, *, now: str | datetime | None = None) -> None:
        self._loaded = loaded
        self._assets = {a.key: a for a in loaded.manifest.assets}
        self._people: dict[str, Principal] = {}
        self._stack = ExitStack()
        self._is_open = False
        self._has_begun = False
        self._plane: ControlPlane
        self._worker: Worker
        self._arrivals: Arrivals
        self.clock = Clock(self._look)
        if now is not None:
            self.clock.set(instant(now))

    @classmethod
    @plainly
    def of_project(cls, folder: str | Path = ".", *, now: str | datetime | None = None) -> Instance:
        """Returns an instance of the project whose ``riparian.toml`` lies in ``folder`` or above it.

        ``now`` is when the test takes place, by default the first of January 2025. Raises InvalidProject that names
        what is wrong with the declarations, as `riparian check` does.
        """
        return cls(loading.of_project(Path(folder).absolute()), now=now)

    @classmethod
    @plainly
    def of(cls, *declared: object, now: str | datetime | None = None) -> Instance:
        """Returns an instance of what is named: modules, or sources and decorated functions, also a test's own."""
        return cls(loading.of(declared), now=now)

    def __enter__(self) -> Instance:
        self._plane = self._stack.enter_context(plane_in_memory(self.clock))
        self._stack.enter_context(self._loaded.importable())
        self._is_open = True
        return self

    def __repr__(self) -> str:
        return f"<Instance of {self._loaded.manifest.project} at {self.clock.now:%Y-%m-%d %H:%M:%S} UTC>"

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._is_open = False
        self._stack.close()

    # -- what the world does -------------------------------------------------------------------------------------------

    @plainly
    def drop(self, source: object, content: Any, partition: str = WHOLE, *, name: str | None = None) -> None:
        """Lets a file arrive for a source, and takes it in; ``run`` does what follows from it.

        ``content`` is a text or bytes, the Path of a file, a table or a list of rows, or a value where the source is
        JSON. The file's name follows from ``partition``, or is ``name``, in the source's folder. Raises Invalid when
        the source does not take it. A source without files is told by ``report``.
        """
        spec = self._spec(source)
        if spec.arrives is None:
            raise Invalid(f"{spec.key} does not wait for files; " + _instead(spec))
        self._begin()
        seen = self._arrivals.arrive(spec, encoded(spec, content), partition, name)
        ingest.observe(self._plane, seen)
        self._look()
        self._settle(arrivals_only=True)

    @plainly
    def report(self, source: object, value: Any, partition: str = WHOLE) -> None:
        """Reports an update of a source, as `riparian event` does; ``value`` is JSON."""
        self._begin()
        events.record(self._plane, self._spec(source).key, value, OWNER, partition=partition)
        self._look()

    @plainly
    def add_partitions(self, dimension: str, keys: Iterable[str]) -> None:
        """Adds keys to a ``Dynamic`` dimension, as `riparian partitions add` does; ``run`` does what follows."""
        self._begin()
        dimensions.add(self._plane, dimension, [*keys], OWNER)
        self._look()

    @plainly
    def remove_partitions(self, dimension: str, keys: Iterable[str]) -> None:
        """Takes keys out, as `riparian partitions remove` does."""
        self._begin()
        dimensions.remove(self._plane, dimension, [*keys], OWNER)
        self._look()

    @plainly
    def materialize(self, asset: object, partition: str = WHOLE, /, **params: Any) -> Any:
        """Asks for a run of the asset's workflow with ``params``, runs all that is ready, and returns the value.

        It runs whether or not anything changed. Raises Conflict when it can not run now, and as ``run`` does.
        """
        __tracebackhide__ = True
        self._begin()
        spec = self._spec(asset)
        request.materialize(self._plane, spec.key, partition, OWNER, params)
        self.run()
        return self.read(spec.key, partition)

    @plainly
    def run(self, *, raising: bool = True) -> list[str]:
        """Runs what is ready and what follows from it, until nothing is; returns what ran, in order, such as
        ``["air.flights[2013-02-08]", "air.delays"]``.

        What a task raised is raised here, after all else was done; not what ``fail_next`` asked for, and nothing with
        ``raising=False``. A retry that is due later waits until the clock is moved.
        """
        __tracebackhide__ = True
        self._begin()
        self._look()
        return self._settle(raising=raising)

    @plainly
    def fail_next(self, task: object, error: BaseException | str = "it was to fail", times: int = 1) -> None:
        """Has the next attempts at a task, or at any task of a workflow or of an asset's, fail with ``error`` in place
        of being made. A task is named by its name or the function."""
        name = self._name_to_fail(task)
        self._begin()
        one = RuntimeError(error) if isinstance(error, str) else error
        self._worker.failures.setdefault(name, deque()).extend([one] * times)

    @plainly
    def set_policy(self, asset: object, policy: Policy | None) -> None:
        """Joins a policy to the declared one, as `riparian policy set` does; None takes it away again."""
        self._begin()
        key = self._spec(asset).key
        policies.set_overlay(self._plane.db, self._plane.db.read(self._plane.graphs.at), key, policy, OWNER)

    @plainly
    def person(self, name: str, *, groups: Iterable[str] = (), clear: Iterable[str] = ()) -> None:
        """Makes a person who can be asked about by ``as_user``, as `riparian token create` does."""
        self._begin()
        who = Principal(name=name, groups=frozenset(groups), clearances=frozenset(clear))
        principals.create_token(self._plane.db, name, groups=who.groups, clearances=who.clearances, by=OWNER)
        self._people[name] = who

    # -- what there is to see ------------------------------------------------------------------------------------------

    @plainly
    def read(
        self, asset: object, partition: str | None = None, *, as_user: str | None = None, type: object = None
    ) -> Any:
        """Returns the value of the asset's head, of the type that its function returns (of a CSV or Parquet source a
        table), or as ``type``, such as ``pandas.DataFrame``. Without a partition: the head that moved last.

        With ``as_user`` it passes the gate that this person passes: Refused, or NotFound for what is hidden from them.
        Without, policies are not asked. Raises NotFound, which says why, when there is no version.
        """
        self._begin()
        spec = self._spec(asset)
        if as_user is not None:
            self._view(as_user).download(spec.key, partition)
        try:
            return facts.value(self._plane, spec, self._returns(spec, type), partition)
        except NotFound as exc:
            why = self._view().why(spec.key, partition)
            exc.add_note(f"{target_of(spec.key, why['partition'])} is {why['code']}: {why['words']}")
            raise

    @plainly
    def may_read(self, user: str, asset: object, partition: str | None = None) -> bool:
        """Whether the person may read the asset's head; raises NotFound when there is none."""
        self.read(asset, partition)
        try:
            self._view(user).download(self._spec(asset).key, partition)
        except (NotFound, Refused, Invalid):  # of a partition that is hidden it is told that there is none
            return False
        return True

    @plainly
    def partitions(self, dimension: str, *, as_user: str | None = None) -> list[str]:
        """Returns the keys of a ``Dynamic`` dimension, in order; those that this person may know of."""
        self._begin()
        return facts.keys(self._view(as_user), dimension)

    @plainly
    def runs(self, asset: object, partition: str | None = None) -> list[Run]:
        """Returns the runs of the asset's workflow, newest first."""
        self._begin()
        return facts.runs_of(self._plane, self._maker(asset), partition)

    @plainly
    def plan(self) -> list[Planned]:
        """Returns what is queued, held and waiting, each with its cause or reason."""
        self._begin()
        self._look()
        return facts.planned(self._view())

    @plainly
    def why(self, asset: object, partition: str | None = None) -> dict[str, Any]:
        """Returns what `riparian why` says: ``code`` and ``words``, the last runs. Without a partition, the newest."""
        self._begin()
        self._look()
        return self._view().why(self._spec(asset).key, partition)

    @plainly
    def assert_plan(self, expected: Iterable[str] | Mapping[str, str]) -> None:
        """Asserts that ``run`` would begin with exactly these, such as ``["air.flights[2013-02-08]"]``; a mapping says
        of each also what its cause holds: ``{"air.delays": "air.flights was updated"}``."""
        __tracebackhide__ = True
        if difference := plan_difference(expected, self.plan()):
            raise AssertionError(difference)

    @plainly
    def assert_reason(self, asset: object, code: str, partition: str | None = None) -> None:
        """Asserts why the asset's partition runs, or does not: the ``code`` of `riparian why`, such as
        ``up_to_date``, ``waiting_for_tick`` or ``upstream_failed``."""
        __tracebackhide__ = True
        found = self.why(asset, partition)
        if found["code"] != code:
            made = [key for key, spec in self._assets.items() if spec.kind != "source"]
            others: dict[str, str] = {key: self.why(key)["code"] for key in made}
            raise AssertionError(reason_difference(target_of(found["asset"], found["partition"]), code, found, others))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._is_open:
            raise Invalid("the instance is not open; write: with Instance.of_project() as instance")
        if self._has_begun:
            return
        self._has_begun = True
        self.clock.begin()
        self._worker = Worker(self._plane, self._loaded.root)
        self._arrivals = Arrivals(self._assets.values(), self._plane.settings.root, self.clock)
        register.apply(self._plane, self._loaded.manifest, self._loaded.bundle, OWNER)
        self._look()

    def _look(self) -> None:
        """Plans what is dirty or due, as the control plane's loop does."""
        if not self._has_begun:
            return
        self._plane.bells.ring_daemon()
        while self._plane.bells.daemon.is_set():
            self._plane.bells.daemon.clear()
            self._plane.look()

    def _settle(self, *, arrivals_only: bool = False, raising: bool = True) -> list[str]:
        __tracebackhide__ = True
        done: list[Performed] = []
        while made := self._worker.perform(arrivals_only=arrivals_only):
            done += made
            self._look()
        if raising:
            self._raise_first(done)
        runs = {p.run: target_of(p.workflow, p.partition) for p in done}
        return list(runs.values())

    def _raise_first(self, done: list[Performed]) -> None:
        __tracebackhide__ = True
        failed = [p for p in done if p.error is not None]
        if failed:
            first = failed[0].error
            assert first is not None  # noqa: S101 - the list was made of those that have one
            others = [f"{p.task} of {target_of(p.workflow, p.partition)}: {p.error!r}" for p in failed[1:]]
            if others:
                first.add_note("and others failed: " + "; ".join(others))
            raise first
        asked = {p.run for p in done if p.asked}
        for run in dict.fromkeys(p.run for p in done if p.run not in asked):
            if (error := facts.failure(self._plane, run)) is not None:
                raise RunFailed(error)

    def _spec(self, asset: object) -> AssetSpec:
        key = key_of(asset)
        if key not in self._assets:
            self._begin()
            self._view().asset(key)  # raises NotFound that names what is meant
        return self._assets[key]

    def _maker(self, asset: object) -> str:
        """Returns the workflow that makes the asset; a workflow's own key too."""
        if isinstance(asset, str) and any(w.key == asset for w in self._loaded.manifest.workflows):
            return asset
        spec = self._spec(asset)
        return spec.producer or spec.key

    def _returns(self, spec: AssetSpec, type: object) -> str | None:
        if type is not None:
            return type if isinstance(type, str) else type_name(type)
        tasks = [t for w in self._loaded.manifest.workflows for t in w.tasks if t.output == spec.key]
        return tasks[0].returns if tasks else None

    def _name_to_fail(self, task: object) -> str:
        if not isinstance(task, str):
            declared = getattr(task, "__riparian__", None)
            task = str(key_of(task)) if declared is not None else getattr(task, "__name__", repr(task))
        known = {name for w in self._loaded.manifest.workflows for name in (w.key, *(t.name for t in w.tasks))}
        if task not in known | {str(a) for a in self._assets}:
            raise Invalid(f"no task, workflow or asset is called {task!r}; there are {', '.join(sorted(known))}")
        return task

    def _view(self, user: str | None = None) -> View:
        if user is None:
            return self._plane.access.as_principal(OWNER)
        if user not in self._people:
            raise Invalid(f"nobody is called {user!r}; make them first: instance.person({user!r}, groups=['ops'])")
        return self._plane.access.as_principal(self._people[user])


def _instead(spec: AssetSpec) -> str:
    return "report(…) tells of its updates" if spec.kind == "source" else f"it is made by {spec.producer}"
