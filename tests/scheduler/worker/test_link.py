"""Does every attempt's end reach the control plane, also when it does not take what is said of it?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from riparian.scheduler.core.protocol import Exchange, Held, Lease, Report, Result, Written, decode
from riparian.scheduler.worker import client, link
from riparian.scheduler.worker.client import Failing
from riparian.scheduler.worker.link import Link


class Silent:
    """Wants no leases and remembers what was answered."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.changed = threading.Condition()

    def wanted(self, *, parked: bool) -> int:
        return 0

    def stocked(self) -> bool:
        return False

    def bundles(self) -> tuple[str, ...]:
        return ()

    def held(self) -> tuple[Held, ...]:
        return ()

    def leased(self, session: str, leases: tuple[Lease, ...]) -> None: ...

    def answered(self, session: str, results: Iterable[Result]) -> None:
        with self.changed:
            self.results.extend(results)
            self.changed.notify_all()

    def revoked(self, leases: tuple[Held, ...]) -> None: ...

    def ended(self, session: str) -> None: ...

    def turned_away(self) -> None: ...

    def wait_for(self, count: int) -> dict[str, int]:
        """Returns the status of each step, once there are ``count`` results."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.results) >= count, 15), self.results
            return {result.step: result.status for result in self.results}


@pytest.fixture
def events() -> Silent:
    return Silent()


@pytest.fixture
def worker(plane: Any, events: Silent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A link with an open session and no patience."""
    monkeypatch.setattr(link, "MOST_FAILURES", 2)
    monkeypatch.setattr(client, "LONGEST_DELAY", 0.01)
    opened = Link(url=plane.url, token="a-worker-token", pool="default", slots=1, events=events)
    opened.start()
    yield opened
    opened.close(0.0)


@pytest.fixture
def refuse(plane: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, bytes], int]], None]:
    """Has calls answered with the status that the given function returns for path and body, unless it is 0."""

    def refusing(status: Callable[[str, bytes], int]) -> None:
        route = plane.route

        def refused(request: Any, body: bytes) -> tuple[int, bytes]:
            answer = status(request.path, body)
            return (answer, b'{"type":"t","title":"Too much","status":1}') if answer else route(request, body)

        monkeypatch.setattr(plane, "route", refused)

    return refusing


def ended(step: str, text: str = "") -> Report:
    """A success that says ``text``."""
    output = Written(asset="an.asset", format="json", digest="d", rows=None, bytes=1, content=text)
    return Report(step=step, epoch=1, secret="s", outcome="succeeded", bundle="b", outputs=(output,))


def send(worker: Link, *reports: Report) -> None:
    """Has all of them wait for one message."""
    with worker._changed:
        for report in reports:
            worker.report(worker.session.session, report)


@pytest.mark.parametrize("status", [413, 422, 500])
def test_what_is_not_taken_together_is_sent_alone(
    plane: Any, worker: Link, events: Silent, refuse: Any, status: int
) -> None:
    """A message that is too large as a whole holds up none of its reports; each arrives as it was."""
    refuse(lambda path, body: status if "exchange" in path and len(decode(body, Exchange).reports) > 1 else 0)
    send(worker, ended("one"), ended("two"))

    assert {"one": 200, "two": 200} == events.wait_for(2)
    assert {("one", "succeeded"), ("two", "succeeded")} == {(r.step, r.outcome) for r in plane.reports}


@pytest.mark.parametrize("status", [413, 422, 500])
def test_report_that_is_not_taken_becomes_a_failure(
    plane: Any, worker: Link, events: Silent, refuse: Any, status: int
) -> None:
    """Its step is not held for ever: the attempt fails for good and says why. What came with it is not touched."""
    refuse(lambda path, body: status if b"poison" in body else 0)
    send(worker, ended("one", "poison"), ended("two"))
    events.wait_for(2)
    told = {report.step: report for report in plane.reports}

    assert ("succeeded", 1) == (told["two"].outcome, len(told["two"].outputs))
    assert ("failed", False, ()) == (told["one"].outcome, told["one"].retryable, told["one"].outputs)
    assert told["one"].error.startswith("the attempt ended as succeeded, but its report was not taken: ")
    assert str(status) in told["one"].error
    assert "Too much" in told["one"].error


def test_report_that_can_not_even_fail_is_forgotten(worker: Link, events: Silent, refuse: Any) -> None:
    """Three ways were tried; the others of the worker go on."""
    refuse(lambda path, body: 422 if b'"one"' in body else 0)
    send(worker, ended("one"), ended("two"))

    assert {"one": 422, "two": 200} == events.wait_for(2)


def test_control_plane_that_fails_at_everything_is_waited_for(
    plane: Any, worker: Link, events: Silent, refuse: Any
) -> None:
    """While heartbeats fail too the report is not at fault: it is repeated as it is, and taken in the end."""
    failed: list[bytes] = []

    def status(path: str, body: bytes) -> int:
        failed.extend([body] if "exchange" in path else [])
        return 500 if len(failed) < 8 else 0

    refuse(status)
    send(worker, ended("one"), ended("two"))

    assert {"one": 200, "two": 200} == events.wait_for(2)
    assert 1 == len(set(failed))
    assert ["succeeded"] * 2 == [report.outcome for report in plane.reports]


def test_bundle_that_can_not_be_read_is_given_up(worker: Link, refuse: Any) -> None:
    """An attempt must not wait for ever for a bundle at which the control plane fails, and only there."""
    refuse(lambda path, body: 500 if "bundles" in path else 0)
    with pytest.raises(Failing, match="500 Too much"):
        worker.fetch("/bundles/abc")
