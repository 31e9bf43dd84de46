"""Declaring leaves functions as they are and refuses what can not be meant."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from riparian import (
    AllPartitions,
    Daily,
    DeclarationError,
    FileDrop,
    Input,
    Limit,
    Policy,
    Retry,
    asset,
    on_update,
    source,
)
from riparian.assets.declare import Urgency, collecting, declaration_of

DAY = Daily("day", start="2013-01-01")


def test_a_decorated_function_stays_the_function() -> None:
    """The decorator returns the very function, which runs as before."""

    def double(x: int) -> int:
        return 2 * x

    assert double is asset("n.double")(double)
    assert 6 == double(3)


def test_inputs_take_sources_functions_keys_and_input() -> None:
    """An explicit input may be named by whatever declares it, with or without a mapping."""
    raw = source("n.raw", partitions=DAY)

    @asset("n.a")
    def a() -> dict: ...

    @asset("n.b", inputs={"p": raw, "q": a, "r": "other.c", "s": Input(raw, mapping=AllPartitions())})
    def b(p: bytes, q: dict, r: dict, s: dict[str, bytes]) -> dict: ...

    assert {
        "p": ("n.raw", None),
        "q": ("n.a", None),
        "r": ("other.c", None),
        "s": ("n.raw", AllPartitions()),
    } == declaration_of(b).inputs


def test_on_update_takes_references() -> None:
    """A trigger may name a source or a decorated function as well as a key."""

    @asset("n.a")
    def a() -> dict: ...

    assert on_update("n.raw", "n.a") == on_update(source("n.raw"), a)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("drop/flights_{day:%Y-%m-%d}.csv", "csv"),
        ("drop/flights.PARQUET", "parquet"),
        ("a.json", "json"),
        ("drop/archive.csv.gz", "bytes"),
        ("drop.csv/readme", "bytes"),
    ],
)
def test_the_suffix_says_the_format(pattern: str, expected: str) -> None:
    """csv, parquet and json are known by their suffix; anything else is bytes."""
    assert expected == source("n.raw", arrives=FileDrop(pattern)).format


def test_a_source_without_files_is_json() -> None:
    """As the values of reported updates are."""
    assert "json" == source("n.raw").format


def test_a_given_format_wins() -> None:
    """format= is stronger than the suffix."""
    assert "csv" == source("n.raw", arrives=FileDrop("drop/data.txt"), format="csv").format


def test_the_description_is_the_first_line_of_the_docstring() -> None:
    """A docstring describes the asset unless description= does."""

    @asset("n.a")
    def a() -> dict:
        """Delays by carrier.

        More.
        """

    assert "Delays by carrier." == declaration_of(a).description


def test_limits_are_one_or_several() -> None:
    """In whatever order they are written; a run's own comes first."""

    @asset("n.a", limits=Limit(2), priority=3, run_timeout=timedelta(hours=1), catch_up=7)
    def a() -> dict: ...

    @asset("n.b", limits=[Limit(3, key="warehouse"), Limit(1)])
    def b() -> dict: ...

    assert Urgency(limits=(Limit(2),), priority=3, run_timeout_seconds=3600, catch_up=7) == declaration_of(a).urgency
    assert (Limit(1), Limit(3, "warehouse")) == declaration_of(b).urgency.limits


def test_timeout_may_be_a_timedelta() -> None:
    """A timeout is held in seconds."""

    @asset("n.a", timeout=timedelta(minutes=2))
    def a() -> dict: ...

    assert 120.0 == declaration_of(a).timeout_seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"partitions": "day"}, "write partitions=Daily"),
        ({"policy": {"readers": ["ops"]}}, "write policy=Policy"),
        ({"trigger": "n.raw"}, r"write trigger=on_update\(\)"),
        ({"retry": 3}, "write retry=Retry"),
        ({"timeout": 0}, "seconds above 0"),
        ({"limits": 2}, r"write limits=Limit\(2\)"),
        ({"limits": []}, r"write limits=Limit\(2\)"),
        ({"limits": [Limit(1), Limit(2)]}, "the same twice"),
        ({"priority": 101}, "from -100 to 100"),
        ({"priority": "high"}, "from -100 to 100"),
        ({"run_timeout": 0}, "run_timeout=0 leaves no time"),
        ({"catch_up": 0}, "catch_up='0' can not be meant; write 'latest', 'all'"),
        ({"catch_up": "none"}, "catch_up='none'"),
        ({"timeout": -1.5}, "seconds above 0"),
        ({"timeout": True}, "timeout=True can not be meant"),
        ({"timeout": float("nan")}, "timeout=nan can not be meant"),
        ({"timeout": 1e300}, "can not be meant"),
        ({"inputs": {"x": len}}, "is no asset"),
        ({"inputs": {"x": "Bad Key"}}, "not an asset key"),
    ],
)
def test_values_that_can_not_be_meant_are_refused(arguments: dict[str, Any], message: str) -> None:
    """A mistake is told at the line that makes it, with what to write."""
    with pytest.raises(DeclarationError, match=message):
        asset("n.a", **arguments)


def test_a_bad_key_is_refused() -> None:
    """Keys are judged when they are written."""
    with pytest.raises(DeclarationError, match="not an asset key"):
        source("Air.Flights")


def test_a_path_in_place_of_a_file_drop_is_refused() -> None:
    """The message shows the FileDrop that was meant."""
    with pytest.raises(DeclarationError, match=r"write arrives=FileDrop\("):
        source("n.raw", arrives="drop/x.csv")


def test_what_is_no_plain_function_is_refused() -> None:
    """A class, a generator and a coroutine return no value that could be stored."""

    def generator() -> Iterator[int]:
        yield 1

    async def coroutine() -> None: ...

    for wrong in (dict, generator, coroutine):
        with pytest.raises(DeclarationError):
            asset("n.a")(wrong)


def test_declaring_is_noted_inside_collecting_only() -> None:
    """Importing a module that declares has no effect on anything else."""
    source("n.before")
    with collecting() as declared:
        inside = source("n.inside", policy=Policy(readers={"ops"}))
    source("n.after")

    assert [inside] == declared


def test_retry_defaults_to_one_attempt() -> None:
    """Nothing is tried again unless it is asked for."""

    @asset("n.a")
    def a() -> dict: ...

    assert Retry(attempts=1) == declaration_of(a).retry


def test_looking_for_a_declaration_runs_no_code() -> None:
    """A value with a __getattr__ of its own is not asked anything."""

    class Trap:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    assert declaration_of(Trap()) is None
