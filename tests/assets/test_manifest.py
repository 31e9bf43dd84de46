"""Manifests survive their way as JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.arrival import FileDrop
from riparian.assets.errors import DeclarationError, Location
from riparian.assets.limits import Limit, limits_of
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.partitions import MAPPINGS, Daily
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.assets.triggers import manual, on_update
from riparian.scheduler.core.protocol import written

keys = st.from_regex(r"[a-z][a-z0-9_]{0,5}(\.[a-z][a-z0-9_]{0,5}){0,2}", fullmatch=True)
text = st.text(max_size=10)
days = st.one_of(st.none(), st.builds(Daily, st.just("day"), st.dates().map(lambda d: d.isoformat())))
places = st.one_of(st.none(), st.builds(Location, text, st.integers(1, 9)))
assets = st.builds(
    AssetSpec,
    key=keys,
    kind=st.sampled_from(["source", "asset"]),
    format=text,
    partitions=days,
    policy=st.one_of(st.none(), st.builds(Policy, readers=st.sets(st.sampled_from(["ops", "hr"])))),
    arrives=st.one_of(st.none(), st.builds(FileDrop, st.text(min_size=1, max_size=9))),
    producer=st.one_of(st.none(), keys),
    description=text,
    location=places,
)
leaves = st.one_of(
    st.builds(Ref, kind=st.sampled_from(["input", "task", "results"]), name=text),
    st.builds(Ref, kind=st.just("value"), value=st.one_of(st.none(), text, st.lists(st.integers(-(2**63), 2**64 - 1)))),
)
refs = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: Ref(kind="list", items=tuple(items))),
        st.dictionaries(text, inner, max_size=3).map(
            lambda roads: Ref(
                kind="choice", name="road", labels=tuple(sorted(roads)), items=tuple(roads[r] for r in sorted(roads))
            )
        ),
    ),
    max_leaves=4,
)
workflows = st.builds(
    WorkflowSpec,
    key=keys,
    inputs=st.builds(InputSpec, parameter=text, asset=keys, mapping=st.sampled_from([*MAPPINGS.values()])).map(
        lambda i: (i,)
    ),
    produces=keys.map(lambda k: (k,)),
    tasks=st.builds(
        TaskSpec,
        name=st.text(min_size=1, max_size=10),
        module=text,
        qualname=text,
        context=st.one_of(st.none(), text),
        returns=text,
        arguments=st.lists(
            st.builds(Argument, parameter=text, type=text, ref=refs), max_size=2, unique_by=lambda a: a.parameter
        ).map(tuple),
        output=st.one_of(st.just(""), keys),
        mapped=text,
        roads=st.lists(st.builds(Road, decision=text, label=text), max_size=2).map(tuple),
        labels=st.lists(text, max_size=2).map(tuple),
        retry=st.builds(Retry, attempts=st.integers(1, 5), on=st.sampled_from([(), ("OSError", "m.Flaky")])),
        timeout_seconds=st.one_of(st.none(), st.floats(1, 9)),
    ).map(lambda t: (t,)),
    trigger=st.one_of(st.just(manual()), keys.map(on_update)),
    partitions=days,
    fingerprint=text,
    location=places,
    limits=st.lists(st.builds(Limit, st.integers(1, 10_000), key=st.one_of(st.none(), keys)), max_size=3).map(
        lambda some: limits_of([*{limit.key: limit for limit in some}.values()] or None)
    ),
    priority=st.integers(-100, 100),
    run_timeout_seconds=st.one_of(st.none(), st.floats(1, 9)),
    catch_up=st.one_of(st.sampled_from(["latest", "all"]), st.integers(2, 10_000)),
)
manifests = st.builds(
    Manifest,
    project=text,
    bundle=text,
    assets=st.lists(assets, max_size=3).map(tuple),
    workflows=st.lists(workflows, max_size=3).map(tuple),
    units=st.dictionaries(text, st.tuples(text, st.lists(text, max_size=2).map(tuple)), max_size=3),
)


@given(manifests)
def test_round_trip(manifest: Manifest) -> None:
    """What is read is what was written, and is written the same way again."""
    written = manifest.to_json()

    assert manifest == Manifest.from_json(written)
    assert written == Manifest.from_json(written).text
    assert written == Manifest.from_body(json.loads(written)).to_json()


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"version": 3}', "null"])
def test_what_is_no_manifest_is_refused(body: str) -> None:
    """Anything else is refused as one kind of error, with a remedy."""
    with pytest.raises(DeclarationError, match="riparian apply"):
        Manifest.from_json(body)


def test_another_version_is_refused() -> None:
    """A manifest of another version names both versions."""
    with pytest.raises(DeclarationError, match=r"version 4.*reads 3"):
        Manifest.from_json(Manifest(project="p", bundle="b").to_json().replace('"version":3', '"version":4'))


def test_a_key_that_is_none_is_refused() -> None:
    """A manifest comes over the network: its keys are judged again."""
    asset = AssetSpec(key="air.flights", kind="asset", format="json")
    written = Manifest(project="p", bundle="b", assets=(replace(asset, key="../etc"),)).to_json()

    with pytest.raises(DeclarationError, match="not an asset key"):
        Manifest.from_json(written)


def body(**said: Any) -> dict[str, Any]:
    """The body of a manifest of one source and one asset that is made from it."""
    task = TaskSpec(
        name="t",
        module="m",
        qualname="f",
        returns="dict",
        arguments=(Argument(parameter="raw", type="dict", ref=Ref(kind="input", name="raw")),),
        output="n.a",
    )
    workflow = WorkflowSpec(
        key="n.a",
        inputs=(InputSpec(parameter="raw", asset="n.raw", mapping=MAPPINGS["one"]),),
        produces=("n.a",),
        tasks=(task,),
        trigger=on_update(),
        fingerprint="f",
    )
    source = AssetSpec(key="n.raw", kind="source", format="json", arrives=FileDrop("raw.json"))
    made = AssetSpec(key="n.a", kind="asset", format="json", producer="n.a", location=Location("p.py", 1))
    manifest = Manifest(project="p", bundle="b", assets=(source, made), workflows=(workflow,))
    return {**json.loads(manifest.to_json()), **said}


RETRY = {"attempts": 2, "delay_seconds": 1.0, "factor": 2.0, "max_delay_seconds": 1.0}
INPUT = {"input": "raw"}


def nested(depth: int, inner: Any = 1) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner


def referring(depth: int) -> Any:
    ref: Any = INPUT
    for _ in range(depth):
        ref = {"list": [ref]}
    return ref


@pytest.mark.parametrize(
    ("where", "said", "words"),
    [
        ("task", {"context": 5}, "workflow n.a.*context is 5; write a text"),
        ("task", {"name": 5}, "workflow n.a.*name is 5; write a text"),
        ("task", {"name": ""}, "workflow n.a.*no name"),
        ("task", {"module": ["x"]}, "workflow n.a.*module"),
        ("task", {"qualname": [1]}, "workflow n.a.*qualname"),
        ("task", {"returns": 5}, "workflow n.a.*returns"),
        ("task", {"mapped": True}, "workflow n.a.*mapped"),
        ("task", {"output": ["n.a"]}, "workflow n.a.*output"),
        ("task", {"labels": [1, 2]}, "workflow n.a.*label is 1; write a text"),
        ("task", {"labels": "ab"}, "workflow n.a.*labels is 'ab'; write a list"),
        ("task", {"roads": [["t", 1]]}, "workflow n.a.*road is 1"),
        ("task", {"retry": {**RETRY, "attempts": 1.5}}, "workflow n.a.*attempts=1.5"),
        ("task", {"retry": {**RETRY, "attempts": True}}, "workflow n.a.*attempts=True"),
        ("task", {"retry": {**RETRY, "attempts": 10**30}}, "workflow n.a.*attempts"),
        ("task", {"retry": {**RETRY, "delay_seconds": float("nan")}}, "workflow n.a.*delay_seconds=nan"),
        ("task", {"retry": {**RETRY, "max_delay_seconds": float("inf")}}, "workflow n.a.*max_delay_seconds=inf"),
        ("task", {"retry": {**RETRY, "factor": 1e300}}, "workflow n.a.*factor"),
        ("task", {"retry": {**RETRY, "x": 1}}, "workflow n.a.*'x'"),
        ("task", {"timeout_seconds": True}, "workflow n.a.*timeout_seconds is True"),
        ("task", {"timeout_seconds": -1}, "workflow n.a.*timeout_seconds is -1"),
        ("task", {"timeout_seconds": float("nan")}, "workflow n.a.*timeout_seconds is nan"),
        ("task", {"timeout_seconds": "x"}, "workflow n.a.*timeout_seconds is 'x'"),
        ("task", {"arguments": [[5, "dict", INPUT]]}, "workflow n.a.*parameter.*5"),
        ("task", {"arguments": [["raw", 5, INPUT]]}, "workflow n.a.*type is 5"),
        ("task", {"arguments": [["raw", "", INPUT], ["raw", "", INPUT]]}, "workflow n.a.*twice"),
        ("task", {"arguments": [["raw", "", {"input": 5}]]}, "workflow n.a.*does not know"),
        ("task", {"arguments": [["raw", "", {**INPUT, "more": 1}]]}, "workflow n.a.*does not know"),
        ("task", {"arguments": [["raw", "", {"value": 2**70}]]}, "workflow n.a.*64 bits"),
        ("task", {"arguments": [["raw", "", {"value": float("nan")}]]}, "workflow n.a.*nan"),
        ("task", {"arguments": [["raw", "", {"value": nested(51)}]]}, "workflow n.a.*deeper than 50"),
        ("task", {"arguments": [["raw", "", {"value": nested(900)}]]}, "workflow n.a.*deeper than 50"),
        ("task", {"arguments": [["raw", "", referring(21)]]}, "workflow n.a.*more than 20"),
        ("task", {"more": nested(900)}, "workflow n.a.*'more'.*does not know"),
        ("workflow", {"tasks": []}, "workflow n.a.*no tasks"),
        ("workflow", {"tasks": {}}, "workflow.*tasks is {}; write a list"),
        ("workflow", {"fingerprint": None}, "workflow.*fingerprint is None; write a text"),
        ("workflow", {"fingerprint": 5}, "workflow.*fingerprint is 5; write a text"),
        ("workflow", {"inputs": [[5, "n.raw", "one"]]}, "workflow n.a.*input is 5"),
        ("workflow", {"inputs": [["raw", "n.raw", "one"], ["raw", "n.b", "one"]]}, "workflow n.a.*one name"),
        ("workflow", {"trigger": {"kind": "manual", "more": nested(900)}}, "workflow n.a.*'more'"),
        ("workflow", {"trigger": {"kind": "on_update", "assets": [], "all": [1]}}, "workflow n.a.*all is"),
        ("workflow", {"partitions": {"kind": "daily", "name": "day", "start": 5}}, "workflow n.a"),
        ("workflow", {"partitions": {"kind": "static", "name": "k", "keys": ["a"], "x": 1}}, "workflow n.a.*'x'"),
        ("workflow", {"location": [{}, {}]}, "workflow n.a.*location"),
        ("task", {"retry": {**RETRY, "on": [5]}}, "workflow n.a.*on=5"),
        ("task", {"retry": {**RETRY, "on": "a b"}}, "workflow n.a.*on='a b'"),
        ("task", {"retry": {**RETRY, "never": [nested(900)]}}, "workflow n.a.*never=.*can not be meant"),
        ("task", {"retry": {**RETRY, "never": ["E"] * 51}}, "workflow n.a.*names 51 exceptions"),
        ("workflow", {"limits": [[0, None]]}, "workflow n.a.*Limit.0."),
        ("workflow", {"limits": [[True, None]]}, "workflow n.a.*Limit.True."),
        ("workflow", {"limits": [[10_001, "k"]]}, "workflow n.a.*1 to 10,000"),
        ("workflow", {"limits": [[1, "A b"]]}, "workflow n.a.*key='A b'"),
        ("workflow", {"limits": [[1, nested(900)]]}, "workflow n.a.*key=.*can not be meant"),
        ("workflow", {"limits": [[1, "k"], [2, "k"]]}, "workflow n.a.*the same twice"),
        ("workflow", {"limits": [[1, f"k{n}"] for n in range(9)]}, "workflow n.a.*at most 8"),
        ("workflow", {"limits": [[1]]}, "workflow n.a"),
        ("workflow", {"limits": []}, "workflow n.a.*limits"),
        ("workflow", {"priority": 101}, "workflow n.a.*priority=101"),
        ("workflow", {"priority": True}, "workflow.*priority is True"),
        ("workflow", {"priority": 1.0}, "workflow.*priority is 1.0"),
        ("workflow", {"run_timeout_seconds": 0}, "workflow n.a.*run_timeout_seconds is 0"),
        ("workflow", {"run_timeout_seconds": float("nan")}, "workflow n.a.*run_timeout_seconds is nan"),
        *[
            ("workflow", {"catch_up": said}, "workflow.*catch_up")
            for said in (0, -1, 10_001, True, 1.5, "none", "", None, ["all"])
        ],
        ("workflow", {"more": 1}, "workflow.*'more'"),
        ("asset", {"kind": 5}, "asset.*kind is 5"),
        ("asset", {"kind": "thing"}, "asset n.raw.*'source' or 'asset'"),
        ("asset", {"format": 5}, "asset.*format is 5"),
        ("asset", {"description": {"x": 1}}, "asset.*description"),
        ("asset", {"producer": 5}, "asset.*producer"),
        ("asset", {"arrives": {"pattern": "x", "settle_seconds": "x"}}, "asset n.raw.*settle_seconds"),
        ("asset", {"arrives": {"pattern": "x", "settle_seconds": float("nan")}}, "asset n.raw.*settle_seconds"),
        ("asset", {"policy": [1]}, "asset.*policy"),
        ("manifest", {"project": 5}, "project is 5"),
        ("manifest", {"bundle": None}, "bundle is None"),
        ("manifest", {"assets": {}}, "assets is {}"),
        ("manifest", {"more": nested(900)}, "'more'.*does not know"),
    ],
)
def test_a_field_of_another_kind_is_refused(where: str, said: dict[str, Any], words: str) -> None:
    """A wrong type, an unknown field, a number or a depth without bound is named where it stands, and never kept."""
    sent = body()
    (workflow,) = sent["workflows"]
    {"manifest": sent, "workflow": workflow, "task": workflow["tasks"][0], "asset": sent["assets"][0]}[where].update(
        said
    )

    with pytest.raises(DeclarationError, match=words):
        Manifest.from_json(json.dumps(sent))


def test_what_is_deep_within_bounds_is_read() -> None:
    """Fifty levels of a constant, and twenty of references."""
    sent = body()
    sent["workflows"][0]["tasks"][0]["arguments"] = [["a", "", {"value": nested(50)}], ["b", "", referring(20)]]

    assert Manifest.from_json(json.dumps(sent)).workflows[0].tasks[0].arguments[0].ref.value == nested(50)


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
def test_a_text_without_bottom_is_refused(depth: int) -> None:
    """However deep it is, and where nothing reads it: the first of two fields of one name."""
    deep = f'{{"tasks":{"[" * depth}{"]" * depth},'
    texts = [json.dumps(body()).replace('{"', deep + '"', 1), "[" * depth + "]" * depth]
    for text in texts:
        try:
            kept = Manifest.from_json(text).text
        except DeclarationError:
            continue
        assert "" == kept


def test_the_text_is_kept_only_as_it_would_be_written() -> None:
    """What was said twice, or in another order, is written anew when it is stored."""
    written = Manifest.from_body(body()).to_json()
    twice = written.replace('{"assets"', '{"project":[[[[1]]]],"assets"', 1)

    assert written == Manifest.from_json(written).text
    assert "" == Manifest.from_json(twice).text
    assert "" == Manifest.from_json(written.replace(",", ", ")).text
    assert written == Manifest.from_json(twice).to_json()


def test_the_project_is_told_before_the_declarations_are_read() -> None:
    """Who may not apply it costs no reading, and learns nothing of what is wrong."""

    def admit(project: str) -> None:
        raise PermissionError(project)

    with pytest.raises(PermissionError, match="p"):
        Manifest.from_json(json.dumps(body(workflows=[5])), admit)


@pytest.mark.parametrize("unit", ['"x"', '["x"]', '["x","ab"]', '["x",[1]]', "[1,[]]", '["x",[],0]', "null"])
def test_units_are_digests_with_names(unit: str) -> None:
    """Anything else in their place is refused."""
    written = Manifest(project="p", bundle="b", units={"m.f": ("x", ())}).to_json()

    with pytest.raises(DeclarationError, match="unit"):
        Manifest.from_json(written.replace('["x",[]]', unit))


def test_who_writes_quicker_writes_the_same() -> None:
    """What the control plane and the child that describes a project use in place of Python's own."""
    manifest = Manifest.from_body(body())

    assert manifest.to_json() == manifest.to_json(written)
    assert manifest.to_json() == Manifest.from_json(manifest.to_json(), write=written).text
    with pytest.raises(DeclarationError, match="surrogate"):
        Manifest.from_json(manifest.to_json().replace("p", "\\ud800"), write=written)
