"""What an edit changes, class by class, and which of it makes stale what was made."""

from dataclasses import replace

import pytest

from riparian.assets.arrival import FileDrop
from riparian.assets.checks import CheckSpec
from riparian.assets.errors import Location
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.parameters import ParameterSpec
from riparian.assets.partitions import AllPartitions, Daily, One
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, TaskSpec
from riparian.assets.triggers import Manual, OnUpdate
from riparian.scheduler.core.edits import edits, said_policy

A, B, N = AssetKey("a"), AssetKey("b"), AssetKey("n")
DAYS = Daily("day", start="2020-01-01")


def argument(parameter: str, ref: Ref, of: str = "dict") -> Argument:
    return Argument(parameter=parameter, type=of, ref=ref)


def reads(name: str) -> Ref:
    return Ref(kind="input", name=name)


SOURCE = AssetSpec(key=A, kind="source", format="json", arrives=FileDrop("a.json"))
MADE = AssetSpec(key=B, kind="asset", format="json", producer="b")
TASK = TaskSpec(name="b", module="m", qualname="b", returns="dict", arguments=(argument("a", reads("a")),), output="b")
FLOW = WorkflowSpec(
    key="b",
    inputs=(InputSpec(parameter="a", asset=A, mapping=One()),),
    produces=(B,),
    tasks=(TASK,),
    trigger=OnUpdate(),
    fingerprint="one",
    location=Location("m.py", 1),
)
UNITS = {"m.b": ("1", ("m.clean",)), "m.clean": ("1", ("m.LIMIT",)), "m.LIMIT": ("1", ()), "m.z": ("1", ("m.y",))}


def manifest(flow: WorkflowSpec = FLOW, *, source: AssetSpec = SOURCE, made: AssetSpec = MADE, units=UNITS) -> Manifest:
    return Manifest(project="p", bundle="x", assets=(source, made), workflows=(flow,), units=units)


def told(after: Manifest, key: str = "b", before: Manifest | None = None) -> list[tuple[str, str, bool]]:
    return [(c.what, c.words, c.stale) for c in edits(before or manifest(), after).get(key, ())]


def task(**changed: object) -> WorkflowSpec:
    return replace(FLOW, tasks=(replace(TASK, **changed),))


def test_what_stays_is_not_told():
    """Nor that it stands in another line."""
    assert {} == edits(manifest(), manifest())
    assert {} == edits(manifest(), manifest(replace(FLOW, location=Location("m.py", 9))))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (replace(FLOW, trigger=Manual()), ("trigger", "was on_update(), is manual()", False)),
        (task(retry=Retry(attempts=3)), ("retry", "3 attempts, were 1", False)),
        (task(retry=Retry(delay_seconds=9)), ("retry", "when it is tried again changed", False)),
        (task(timeout_seconds=2.0), ("timeout", "2 s, was no time-out", False)),
        (replace(FLOW, run_timeout_seconds=2.0), ("timeout", "of the run: 2 s, was no time-out", False)),
        (replace(FLOW, priority=3), ("priority", "was 0, is 3", False)),
        (replace(FLOW, partitions=DAYS), ("partitions", f"was in one piece, is {DAYS}", True)),
        (
            replace(FLOW, inputs=(*FLOW.inputs, InputSpec(parameter="n", asset=N, mapping=One()))),
            ("inputs", "also reads n", True),
        ),
        (replace(FLOW, inputs=()), ("inputs", "reads a no more", True)),
        (
            replace(FLOW, inputs=(InputSpec(parameter="a", asset=A, mapping=AllPartitions()),)),
            ("inputs", "reads a by the mapping all, not one", True),
        ),
        (
            replace(FLOW, inputs=(InputSpec(parameter="rows", asset=A, mapping=One()),)),
            ("inputs", "calls a rows, not a", False),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_class_has_its_words(after, expected):
    """Triggers, retries and time-outs make nothing stale; inputs and partitions do."""
    assert [expected] == told(manifest(after))


def test_changed_code_is_named():
    """The function, or whichever it names changed, however deep; what others name is not told."""
    edited = replace(FLOW, fingerprint="two")
    deep = {**UNITS, "m.LIMIT": ("2", ()), "m.z": ("2", ("m.y",))}
    new = {**UNITS, "m.b": ("2", ("m.clean", "m.more")), "m.more": ("1", ())}

    assert [("code", "m.LIMIT changed", True)] == told(manifest(edited, units=deep))
    assert [("code", "m.b, m.more changed", True)] == told(manifest(edited, units=new))


def test_checks_and_what_a_person_may_give():
    """A check is of what is made, so none makes anything stale; a default is part of the code."""
    full = CheckSpec(asset=B, name="full", module="m", qualname="full", parameter="b", type="dict", returns="bool")
    before = manifest(replace(FLOW, checks=(full,), parameters=(ParameterSpec(name="days", type="int", default=7),)))
    blocking = replace(full, blocking=True)
    late = ParameterSpec(name="days", type="int", default=9)
    after = manifest(replace(FLOW, fingerprint="two", checks=(blocking,), parameters=(late,)), units={})

    assert [("parameters", "days is 9 by default, was 7", True), ("checks", "the check b.full blocks now", False)] == [
        c for c in told(after, before=before) if c[0] in ("parameters", "checks")
    ]
    assert [
        ("parameters", "takes days no more", False),
        ("checks", "also runs the check b.other", False),
        ("checks", "runs the check b.full no more", False),
    ] == told(manifest(replace(FLOW, checks=(replace(full, name="other"),))), before=before)


def test_code_that_stands_alone_is_named_by_its_task():
    """Its digest is that of the whole; and where all that has a name is as it was, that is told."""
    edited = replace(FLOW, fingerprint="two")

    assert [("code", "m.b changed", True)] == told(manifest(edited, units={}), before=manifest(units={}))
    assert [("code", "what is wrapped around m.b changed", True)] == told(manifest(edited))


def test_values_and_composition_of_tasks():
    """A value that a task is given is a parameter; where a result comes from is the composition."""
    first = replace(TASK, name="first", qualname="first", output="", arguments=())
    second = replace(TASK, arguments=(argument("n", Ref(kind="value", value=1)), argument("x", reads("a"))))
    before = replace(FLOW, tasks=(first, second))
    other = replace(
        second, arguments=(argument("n", Ref(kind="value", value=2)), argument("x", Ref(kind="task", name="first")))
    )
    after = replace(before, tasks=(first, other), fingerprint="two")

    assert [
        ("parameters", "b: n is 2, was 1", True),
        ("composition", "b: x is taken from elsewhere", True),
    ] == told(manifest(after), before=manifest(before))
    gone = replace(before, tasks=(second,), fingerprint="two")
    assert [("composition", "calls first no more", True)] == told(
        manifest(gone, units={}), before=manifest(before, units={})
    )


def test_formats_policies_and_files():
    """Of what is made and of sources; none of them makes stale what is there, but a format whose code changed."""
    closed = Policy(readers={"ops"}, tags={"pii"})
    after = manifest(
        source=replace(SOURCE, policy=closed, arrives=FileDrop("b.json")), made=replace(MADE, format="parquet")
    )

    assert [("output", "b is parquet, was json", False)] == told(after)
    assert [
        ("arrival", "waits for b.json, was a.json", False),
        ("policy", "who may read: ops, cleared for pii; was: nothing said", False),
    ] == told(after, "a")
    assert [("policy", "who may read of b: everyone; was: nothing said", False)] == told(
        manifest(made=replace(MADE, policy=Policy()))
    )


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (None, "nothing said"),
        (Policy(), "everyone"),
        (Policy(readers=()), "nobody"),
        (Policy(readers={"a", "b"}), "a or b"),
        (Policy(readers={"a", "b"}).join(Policy(readers={"c"})), "(a or b) and c"),
        (Policy(readers={"a", "b"}).join(Policy(readers={"b"})), "b"),
    ],
    ids=["none", "open", "nobody", "some", "both", "implied"],
)
def test_policies_in_words(policy, words):
    """A clause that another one implies is left out."""
    assert words == said_policy(policy)
