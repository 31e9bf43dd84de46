"""Manifests survive their way as JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.arrival import FileDrop
from riparian.assets.errors import DeclarationError, Location
from riparian.assets.manifest import AssetSpec, InputSpec, Manifest, WorkflowSpec
from riparian.assets.partitions import MAPPINGS, Daily
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Ref, Road, TaskSpec
from riparian.assets.triggers import manual, on_update

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
    st.builds(Ref, kind=st.just("value"), value=st.one_of(st.none(), text, st.lists(st.integers()))),
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
        name=text,
        module=text,
        qualname=text,
        context=st.one_of(st.none(), text),
        returns=text,
        arguments=st.lists(st.builds(Argument, parameter=text, type=text, ref=refs), max_size=2).map(tuple),
        output=st.one_of(st.just(""), keys),
        mapped=text,
        roads=st.lists(st.builds(Road, decision=text, label=text), max_size=2).map(tuple),
        labels=st.lists(text, max_size=2).map(tuple),
        retry=st.builds(Retry, attempts=st.integers(1, 5)),
        timeout_seconds=st.one_of(st.none(), st.floats(1, 9)),
    ).map(lambda t: (t,)),
    trigger=st.one_of(st.just(manual()), keys.map(on_update)),
    partitions=days,
    fingerprint=text,
    location=places,
)
manifests = st.builds(
    Manifest,
    project=text,
    bundle=text,
    assets=st.lists(assets, max_size=3).map(tuple),
    workflows=st.lists(workflows, max_size=3).map(tuple),
)


@given(manifests)
def test_round_trip(manifest: Manifest) -> None:
    """What is read is what was written, and is written the same way again."""
    written = manifest.to_json()

    assert manifest == Manifest.from_json(written)
    assert written == Manifest.from_body(json.loads(written)).to_json()


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"version": 2}', "null"])
def test_what_is_no_manifest_is_refused(body: str) -> None:
    """Anything else is refused as one kind of error, with a remedy."""
    with pytest.raises(DeclarationError, match="riparian apply"):
        Manifest.from_json(body)


def test_another_version_is_refused() -> None:
    """A manifest of another version names both versions."""
    with pytest.raises(DeclarationError, match=r"version 3.*reads 2"):
        Manifest.from_json(Manifest(project="p", bundle="b").to_json().replace('"version":2', '"version":3'))


def test_a_key_that_is_none_is_refused() -> None:
    """A manifest comes over the network: its keys are judged again."""
    asset = AssetSpec(key="air.flights", kind="asset", format="json")
    written = Manifest(project="p", bundle="b", assets=(replace(asset, key="../etc"),)).to_json()

    with pytest.raises(DeclarationError, match="not an asset key"):
        Manifest.from_json(written)
