"""Does a real worker process keep the protocol's promises?"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riparian.scheduler.core.protocol import Ingest
from riparian.scheduler.worker.attempts import Settings
from riparian.scheduler.worker.supervisor import Supervisor
from riparian.storage.objects import fingerprint_of

WORK = """
import os, random, signal, subprocess, sys, time

def answer():
    return {"answer": 42}

def fails():
    secret_value = "not to be seen"
    raise ValueError("three legs are too many")

def leaves():
    sys.exit(3)

def draws(ctx):
    return {"module": random.random(), "ctx": ctx.rng.random(), "hash": hash("some text")}

def dies():
    os.kill(os.getpid(), signal.SIGKILL)

def sleeps():
    helper = subprocess.Popen(["sleep", "60"])
    print(os.getpid(), os.getppid(), helper.pid, flush=True)
    time.sleep(60)
    return {}

def naps():
    time.sleep(1.0)
    return {}

def prints(ctx):
    for n in range(200):
        print("line", n)
        print("error", n, file=sys.stderr)
    ctx.log.info("from ctx")
    os.write(1, b"from the descriptor\\n")
    return {}

def garbles():
    for fd in range(3, 64):
        try:
            os.write(fd, b"\\xff\\n")
        except OSError:
            pass
    time.sleep(60)

def floods():
    import socket
    for fd in range(3, 64):
        try:
            line = socket.socket(fileno=os.dup(fd))
            while line.family == socket.AF_UNIX:
                line.sendall(b"{" * (1 << 20))
        except OSError:
            pass
    time.sleep(60)

def comes_back_twice():
    given = os.getpid()
    if os.fork():
        time.sleep(0.3)
    return {"copied": os.getpid() != given}

def raises_twice():
    given = os.getpid()
    if os.fork():
        time.sleep(0.3)
    raise ValueError("the copy" if os.getpid() != given else "itself")

def wide():
    import pyarrow
    return pyarrow.table({"x" * (1 << 21): [1]})

def parent():
    return {"pid": os.getppid()}

def environment():
    return dict(os.environ)
"""


@pytest.fixture(params=["fork", "exec"])
def start(request: pytest.FixtureRequest, start_worker: Any) -> Any:
    """Starts workers both where fork is safe and where it is not."""
    env = {"RIPARIAN_WORKER_START": request.param}
    return lambda **more: start_worker(env=env | more.pop("env", {}), **more)


def pids(plane: Any, lease: Any) -> list[int]:
    """Of the attempt's process, its parent and its helper, as ``sleeps`` printed them."""
    plane.wait(lambda: plane.logs.get((lease.step, lease.epoch), b"").endswith(b"\n"))
    return [int(word) for word in plane.logs[lease.step, lease.epoch].split()]


def test_runs_what_is_leased(plane: Any, start: Any) -> None:
    """The function of the pinned bundle is called and its value comes back in the report."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "answer")
    plane.grant(lease)
    start()
    report = plane.wait_for_report(lease)

    assert ("succeeded", lease.secret, lease.entry.bundle) == (report.outcome, report.secret, report.bundle)
    assert {"answer": 42} == json.loads(report.outputs[0].content)


def test_next_lease_comes_with_the_answer_to_a_report(plane: Any, start_worker: Any) -> None:
    """A chain needs one message a step: the reply to the report brings the next lease."""
    bundle = plane.bundle({"work.py": WORK})
    chain = [plane.lease(bundle, "answer") for _ in range(4)]
    following = iter(chain[1:])
    plane.on_report = lambda report: plane.ready.extend([lease for lease in [next(following, None)] if lease])
    plane.grant(chain[0])
    start_worker()
    for lease in chain:
        plane.wait_for_report(lease)

    assert [lease.step for lease in chain] == [report.step for report in plane.reports]


def test_failure_is_told_with_the_users_frames(plane: Any, start_worker: Any) -> None:
    """What the function raised is reported with its own lines, without ours and without values of variables."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "fails")
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert ("failed", True, "ValueError") == (report.outcome, report.retryable, report.raised[0])
    assert report.error.startswith('Traceback (most recent call last):\n  File "work.py", line 9, in fails\n')
    assert report.error.endswith("ValueError: three legs are too many")
    assert "runner.py" not in report.error


def test_system_exit_is_a_failure(plane: Any, start_worker: Any) -> None:
    """A function that leaves by sys.exit has failed, whatever its exit code."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "leaves")
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert "failed" == report.outcome
    assert report.error.endswith("SystemExit: 3")


def test_missing_function_is_not_retried(plane: Any, start_worker: Any) -> None:
    """A bundle without the function fails in words, and another try is said to be pointless."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "absent")
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert ("failed", False) == (report.outcome, report.retryable)
    assert "work:absent is no function of bundle" in report.error


def test_broken_import_is_told(plane: Any, start_worker: Any) -> None:
    """A module that can not be imported fails its attempt with the traceback."""
    lease = plane.lease(plane.bundle({"work.py": "import no_such_module\n"}), "answer")
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert "failed" == report.outcome
    assert "No module named 'no_such_module'" in report.error


def test_same_seed_draws_the_same_numbers(plane: Any, start: Any) -> None:
    """Another attempt with the same seed draws the same numbers and hashes text the same; another seed does not."""
    bundle = plane.bundle({"work.py": WORK})
    first, second, other = (plane.lease(bundle, "draws", context="ctx", seed=seed) for seed in ("a", "a", "b"))
    plane.grant(first, second, other)
    start()
    drawn = [json.loads(plane.wait_for_report(lease).outputs[0].content) for lease in (first, second, other)]

    assert drawn[0] == drawn[1]
    assert random.Random("a").random() == drawn[0]["module"] == drawn[0]["ctx"]
    assert drawn[0]["module"] != drawn[2]["module"]


def test_dead_child_is_reported_at_once(plane: Any, start: Any) -> None:
    """A child killed by a signal is lost, not waited for, and the signal is named."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "dies")
    plane.grant(lease)
    start()
    report = plane.wait_for_report(lease)

    assert "lost" == report.outcome
    assert "killed by signal 9" in report.error


@pytest.mark.parametrize("function", ["garbles", "floods"])
def test_code_that_writes_to_our_pipe_fails_alone(plane: Any, start: Any, is_alive: Any, function: str) -> None:
    """Its attempt fails for good and says why; the worker, and the other attempts of the same bundle, live on."""
    bundle = plane.bundle({"work.py": WORK})
    innocent, guilty = plane.lease(bundle, "naps"), plane.lease(bundle, function)
    following = plane.lease(bundle, "answer")
    plane.grant(innocent, guilty)
    worker = start()
    report = plane.wait_for_report(guilty)
    plane.grant(following)

    assert ("failed", False) == (report.outcome, report.retryable)
    assert report.error.startswith("its code wrote to a pipe that is not its own")
    assert {"succeeded"} == {plane.wait_for_report(lease).outcome for lease in (innocent, following)}
    assert worker.poll() is None


def test_bundle_that_writes_to_our_pipe_fails_alone(plane: Any, start: Any) -> None:
    """Modules are imported where no attempt runs yet: what they write fails the attempts of their bundle only."""
    writing = "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'no message')\n    except OSError: pass\n"
    guilty = plane.lease(plane.bundle({"work.py": writing + WORK}), "answer")
    innocent = plane.lease(plane.bundle({"work.py": WORK}), "naps")
    plane.grant(innocent, guilty)
    start()
    report = plane.wait_for_report(guilty)

    assert ("failed", False) == (report.outcome, report.retryable)
    assert report.error.startswith("its code wrote to a pipe that is not its own")
    assert "succeeded" == plane.wait_for_report(innocent).outcome


def test_forked_copy_of_an_attempt_does_not_speak(plane: Any, start: Any) -> None:
    """Code that forks and comes back twice has ended once: as the process that was given the attempt."""
    bundle = plane.bundle({"work.py": WORK})
    leases = [plane.lease(bundle, name) for name in ("comes_back_twice", "raises_twice")]
    plane.grant(*leases)
    start()
    returned, raised = map(plane.wait_for_report, leases)

    assert {"copied": False} == json.loads(returned.outputs[0].content)
    assert raised.error.endswith("ValueError: itself")


def test_endless_description_is_refused_in_words(plane: Any, start_worker: Any) -> None:
    """Columns that no report could hold fail the attempt where it runs."""
    bundle = plane.bundle({"work.py": WORK})
    lease = plane.lease(bundle, "wide")
    lease = replace(lease, entry=replace(lease.entry, returns="pyarrow.lib.Table"))
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert ("failed", False, ()) == (report.outcome, report.retryable, report.outputs)
    assert report.error.startswith("the description of the columns of some.asset takes ")


def test_time_limit_kills_and_says_so(plane: Any, start: Any, is_alive: Any) -> None:
    """An attempt over its time limit is dead, with what it started, when it is reported."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "sleeps", timeout_seconds=0.7)
    plane.grant(lease)
    start()
    report = plane.wait_for_report(lease)
    child, _, helper = pids(plane, lease)

    assert ("timed_out", "the attempt was ended after its time limit of 0.7 s") == (report.outcome, report.error)
    plane.wait(lambda: not is_alive(child) and not is_alive(helper))


def test_revoked_lease_is_killed_and_not_reported(plane: Any, start: Any, is_alive: Any) -> None:
    """A heartbeat that answers ``revoked`` ends the attempt; its slot serves the next lease."""
    bundle = plane.bundle({"work.py": WORK})
    lease, following = plane.lease(bundle, "sleeps"), plane.lease(bundle, "answer")
    plane.grant(lease)
    start(slots=1)
    child, _, helper = pids(plane, lease)
    plane.wait(lambda: any(beat.leases for beat in plane.beats))
    plane.revoked.update(plane.beats[-1].leases)
    plane.grant(following)
    plane.wait_for_report(following)

    assert [following.step] == [report.step for report in plane.reports]
    plane.wait(lambda: not is_alive(child) and not is_alive(helper))


def test_killed_supervisor_takes_everything_along(plane: Any, start: Any, is_alive: Any) -> None:
    """After SIGKILL of the supervisor no zygote, child or grandchild stays."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "sleeps")
    plane.grant(lease)
    worker = start()
    everyone = set(pids(plane, lease)) - {worker.pid}
    assert everyone == set(filter(is_alive, everyone))
    os.kill(worker.pid, signal.SIGKILL)
    plane.wait(lambda: not any(map(is_alive, everyone)))

    assert -signal.SIGKILL == worker.wait(timeout=5)
    assert (set(), []) == (set(filter(is_alive, everyone)), plane.reports)


def test_end_of_the_lifeline_takes_everything_along(plane: Any, start_worker: Any, is_alive: Any) -> None:
    """When who holds the other end of stdin is gone the worker leaves at once, with all that it started."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "sleeps")
    plane.grant(lease)
    reading, writing = os.pipe()
    os.write(writing, b"a-worker-token\n")
    worker = start_worker(arguments=("--lifeline",), env={"RIPARIAN_WORKER_TOKEN": "wrong"}, stdin=reading)
    everyone = pids(plane, lease)
    os.close(reading)
    os.close(writing)

    assert 0 == worker.wait(timeout=5)
    plane.wait(lambda: not any(map(is_alive, everyone)))
    assert ["session-1"] == plane.deleted


def test_killed_zygote_loses_its_attempts_and_is_replaced(plane: Any, start_worker: Any, is_alive: Any) -> None:
    """SIGKILL of a zygote: its attempts are reported lost at once, their processes leave, and work goes on."""
    bundle = plane.bundle({"work.py": WORK})
    lease, following = plane.lease(bundle, "sleeps"), plane.lease(bundle, "answer")
    plane.grant(lease)
    start_worker()
    child, zygote, helper = pids(plane, lease)
    os.kill(zygote, signal.SIGKILL)
    report = plane.wait_for_report(lease)
    plane.grant(following)

    assert "lost" == report.outcome
    assert "died with the zygote" in report.error
    assert "succeeded" == plane.wait_for_report(following).outcome
    plane.wait(lambda: not is_alive(child) and not is_alive(helper))


def test_lost_reply_is_asked_for_again(plane: Any, start_worker: Any) -> None:
    """A report whose reply was lost is sent again, the same bytes under the same number, and counted once."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "answer")
    plane.lose_replies = 2
    plane.grant(lease)
    start_worker()
    plane.wait(lambda: len(plane.bodies) == 3)

    assert 1 == len(set(plane.bodies))
    assert [lease.step] == [report.step for report in plane.reports]


def test_outage_kills_no_work(plane: Any, start_worker: Any) -> None:
    """A control plane that is away while an attempt runs and ends gets its report, log and heartbeats later."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "naps")
    plane.grant(lease)
    start_worker()
    plane.wait(lambda: plane.beats and plane.beats[-1].leases)
    plane.away = True
    time.sleep(1.3)
    beats = len(plane.beats)
    plane.away = False
    report = plane.wait_for_report(lease)
    plane.wait(lambda: len(plane.beats) > beats)

    assert "succeeded" == report.outcome
    assert 1 == len(plane.opened)


def test_unknown_session_is_replaced_and_its_attempts_end(plane: Any, start_worker: Any, is_alive: Any) -> None:
    """401 means that the leases are gone: attempts are killed, nothing is reported, a new session takes new leases."""
    bundle = plane.bundle({"work.py": WORK})
    lease, following = plane.lease(bundle, "sleeps"), plane.lease(bundle, "answer")
    plane.grant(lease)
    start_worker()
    child, *_ = pids(plane, lease)
    plane.sessions.clear()
    plane.wait(lambda: len(plane.opened) == 2)
    plane.grant(following)
    plane.wait_for_report(following)

    assert [following.step] == [report.step for report in plane.reports]
    assert plane.opened[0].incarnation != plane.opened[1].incarnation
    plane.wait(lambda: not is_alive(child))


def test_fenced_report_is_dropped(plane: Any, start_worker: Any) -> None:
    """409 ends the matter: the report is not sent again and the lease is no longer in the heartbeats."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "answer")
    plane.status = lambda report: 409
    plane.grant(lease)
    start_worker()
    plane.wait_for_report(lease)
    beats = len(plane.beats)
    plane.wait(lambda: len(plane.beats) > beats + 1)

    assert () == plane.beats[-1].leases
    assert 1 == len(plane.bodies)


def test_output_arrives_in_order_before_the_report(plane: Any, start: Any) -> None:
    """stdout, stderr, ctx.log and raw descriptors make one log, complete when the attempt is reported."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "prints", context="ctx")
    seen: list[bytes] = []
    plane.on_report = lambda report: seen.append(plane.logs[report.step, report.epoch])
    plane.grant(lease)
    start()
    plane.wait_for_report(lease)
    expected = "".join(f"line {n}\nerror {n}\n" for n in range(200)) + "INFO from ctx\nfrom the descriptor\n"

    assert [expected.encode()] == seen


def test_silent_attempt_uploads_nothing(plane: Any, start_worker: Any, tmp_path: Path) -> None:
    """No output, no upload; and no log stays on the worker's disk."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "answer")
    plane.grant(lease)
    start_worker()
    plane.wait_for_report(lease)

    assert [] == plane.log_puts
    assert [] == list((tmp_path / "scratch" / "logs").iterdir())


def test_wrong_bundle_is_refused_before_import(plane: Any, start_worker: Any, tmp_path: Path) -> None:
    """Bytes that are not what the digest names are never imported."""
    mark = tmp_path / "imported"
    good = plane.bundle({"work.py": WORK})
    evil = plane.bundle({"work.py": f"open({str(mark)!r}, 'w')\n{WORK}"})
    plane.bundles[good] = plane.bundles[evil]
    lease = plane.lease(good, "answer")
    plane.grant(lease)
    start_worker()
    report = plane.wait_for_report(lease)

    assert "failed" == report.outcome
    assert f"has the digest {evil}; it was refused before any import" in report.error
    assert not mark.exists()


def test_children_see_no_secret(plane: Any, start: Any) -> None:
    """The environment of user code holds what was asked for and no setting or token of ours."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "environment")
    plane.grant(lease)
    given = {"RIPARIAN_PASS_ENV": "WANTED, RIPARIAN_WORKER_TOKEN", "WANTED": "yes", "UNASKED": "x", "AWS_REGION": "eu"}
    start(env=given)
    seen = json.loads(plane.wait_for_report(lease).outputs[0].content)

    assert ("yes", "eu", "0") == (seen["WANTED"], seen["AWS_REGION"], seen["PYTHONHASHSEED"])
    assert [] == [name for name in seen if name.startswith("RIPARIAN_") or name == "UNASKED"]


def test_sigterm_gives_back_what_has_not_started(plane: Any, start: Any) -> None:
    """A drain releases waiting leases, lets the running attempt end, ends the session and exits with 0."""
    bundle = plane.bundle({"work.py": WORK})
    running, waiting = plane.lease(bundle, "naps"), plane.lease(bundle, "naps")
    worker = start(slots=1)
    plane.wait(lambda: plane.exchanges)
    plane.grant(running)
    plane.wait(lambda: not plane.ready)
    plane.wait(lambda: plane.beats and plane.beats[-1].leases)
    os.kill(worker.pid, signal.SIGTERM)
    plane.grant(waiting)
    code = worker.wait(timeout=10)
    outcomes = {report.step: report.outcome for report in plane.reports}

    assert (0, "succeeded") == (code, outcomes[running.step])
    assert outcomes.get(waiting.step, "released") == "released"
    assert ["session-1"] == plane.deleted


def test_drain_is_bounded(plane: Any, start: Any) -> None:
    """An attempt that outlives the time given at shutdown is killed and reported lost."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "sleeps")
    plane.grant(lease)
    worker = start(arguments=("--drain-seconds", "0.3"))
    pids(plane, lease)
    os.kill(worker.pid, signal.SIGTERM)
    worker.wait(timeout=10)
    (report,) = plane.reports

    assert ("lost", "the worker was shut down before the attempt ended") == (report.outcome, report.error)


def test_own_scratch_folder_does_not_stay(plane: Any, tmp_path: Path) -> None:
    """A worker that was given no folder takes one of the system's and removes it, read-only bundles too."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "answer")
    plane.grant(lease)
    command = [sys.executable, "-m", "riparian.scheduler.worker", "--url", plane.url, "--slots", "1"]
    environ = {**os.environ, "RIPARIAN_WORKER_TOKEN": "a-worker-token", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ) as worker:
        plane.wait_for_report(lease)
        (scratch,) = tmp_path.glob("riparian-worker-*")
        worker.terminate()

    assert (0, False) == (worker.returncode, scratch.exists())


def test_wrong_token_ends_the_worker(start_worker: Any) -> None:
    """A worker that is turned away leaves with exit code 1 and does not hammer the control plane."""
    assert 1 == start_worker(env={"RIPARIAN_WORKER_TOKEN": "wrong"}).wait(timeout=10)


def test_ingest_runs_without_a_bundle(plane: Any, start: Any, tmp_path: Path) -> None:
    """A file is copied into the attempt's directory by a process that holds no user code."""
    file = tmp_path / "drop.csv"
    file.write_text("a,b\n1,2\n")
    ingest = Ingest(path=str(file), fingerprint=fingerprint_of(file.stat()), format="csv")
    lease = replace(plane.lease("", "answer"), entry=None, ingest=ingest)
    plane.grant(lease)
    start()
    report = plane.wait_for_report(lease)

    assert ("succeeded", None) == (report.outcome, report.error)
    assert file.read_bytes() == Path(plane.storage_url, report.outputs[0].objects[0].name).read_bytes()


def test_leases_that_find_no_slot_are_given_back(plane: Any, start_worker: Any) -> None:
    """Quick attempts have leases fetched ahead; behind a long one these are released for other workers."""
    bundle = plane.bundle({"work.py": WORK})
    quick = [plane.lease(bundle, "answer") for _ in range(12)]
    long, *behind = [plane.lease(bundle, name) for name in ("sleeps", "answer", "answer")]
    plane.grant(*quick, long, *behind)
    start_worker(slots=1)
    plane.wait(lambda: len(plane.reports) == len(quick) + len(behind))
    outcomes = {report.step: report.outcome for report in plane.reports}

    assert {"succeeded"} == {outcomes[lease.step] for lease in quick}
    assert {"released"} == {outcomes[lease.step] for lease in behind}


def test_idle_zygote_ends(plane: Any, tmp_path: Path, is_alive: Any) -> None:
    """A zygote without work ends after its idle time, and the supervisor ends when it is told to."""
    lease = plane.lease(plane.bundle({"work.py": WORK}), "parent")
    plane.grant(lease)
    settings = Settings(
        url=plane.url, token="a-worker-token", pool="default", slots=1, scratch=tmp_path, fork=True, idle_seconds=0.3
    )
    supervisor = Supervisor(settings)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    zygote = json.loads(plane.wait_for_report(lease).outputs[0].content)["pid"]
    plane.wait(lambda: not is_alive(zygote))
    supervisor.drain()
    thread.join(10)

    assert not thread.is_alive()


THREADED = """
import queue
import threading

asked = queue.Queue()


def serve():
    while True:
        number, answer = asked.get()
        answer.put(number * 2)


threading.Thread(target=serve, daemon=True).start()


def doubled():
    answer = queue.Queue()
    asked.put((21, answer))
    return {"doubled": answer.get(timeout=20)}
"""


def test_a_bundle_whose_import_starts_threads_works(plane: Any, start: Any) -> None:
    """A fork would leave the thread behind, and the function would wait for it for ever: it is started anew instead."""
    lease = plane.lease(plane.bundle({"work.py": THREADED}), "doubled")
    plane.grant(lease)
    start()
    report = plane.wait_for_report(lease)

    assert ("succeeded", None) == (report.outcome, report.error)
    assert {"doubled": 42} == json.loads(report.outputs[0].content)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pyarrow, pandas, polars; pyarrow.array([1])", False),
        ("import polars; polars.DataFrame({'a': [2, 1]}).sort('a')", True),
    ],
)
def test_threads_of_libraries_that_a_fork_would_lose(source: str, expected: bool) -> None:
    """Those of pyarrow and of polars at import are harmless; the pool that a polars query at import starts is not."""
    script = f"{source}\nfrom riparian.scheduler.worker.zygote import foreign_threads\nprint(bool(foreign_threads()))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert f"{expected and sys.platform == 'linux'}" == said.strip()
