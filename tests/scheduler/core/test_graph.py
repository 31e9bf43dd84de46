"""In which order are workflows decided on?"""

import pytest

from riparian.assets.keys import AssetKey
from riparian.assets.manifest import InputSpec, Manifest, WorkflowSpec
from riparian.assets.partitions import One
from riparian.assets.triggers import Trigger, missing, on_update
from riparian.scheduler.core.graph import Graph


def made(key: str, *inputs: str, trigger: Trigger | None = None) -> WorkflowSpec:
    specs = tuple(InputSpec(parameter=i, asset=AssetKey(i), mapping=One()) for i in inputs)
    return WorkflowSpec(
        key=key, inputs=specs, produces=(AssetKey(key),), tasks=(), trigger=on_update() if trigger is None else trigger
    )


def depth(*workflows: WorkflowSpec) -> dict[str, int]:
    return dict(Graph([Manifest(project="p", bundle="b", workflows=workflows)]).depth)


def test_makers_come_before_their_users() -> None:
    """Through what is read and through what is only watched."""
    assert {"a": 1, "b": 2, "c": 3} == depth(made("c", "b"), made("b", trigger=on_update("a")), made("a", "raw"))


@pytest.mark.parametrize("trigger", [missing("b"), on_update("raw") & ~missing("b")], ids=str)
def test_what_is_only_asked_to_be_missing_gives_no_order(trigger) -> None:
    """A workflow may wait for the absence of what is made from it."""
    assert {"a": 1, "b": 2} == depth(made("a", "raw", trigger=trigger), made("b", "a"))


@pytest.mark.parametrize(
    "circle",
    [
        (made("a", "raw", trigger=on_update("b")), made("b", "a")),
        (made("a", trigger=on_update("b")), made("b", trigger=on_update("a"))),
        (made("a", "a"), made("b", "a")),
        (made("a", "c"), made("b", "a"), made("c", "b", "d"), made("d", "raw")),
    ],
)
def test_it_ends_on_a_circle(circle) -> None:
    """An apply refuses them; what is stored anyhow must not stop the one writer for ever."""
    assert {w.key for w in circle} == depth(*circle).keys()
