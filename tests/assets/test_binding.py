"""How parameters find their assets and types."""

import dataclasses
from collections.abc import Callable
from typing import Any, Optional

import pytest

from riparian import AllPartitions, Context, Daily, Hourly, Identity, Input, Offset, One, Overlapping, Static, asset
from riparian.assets.annotations import Unresolved, evaluate, format_of, type_name
from riparian.assets.binding import Binding, Catalogue, bind
from riparian.assets.declare import declaration_of
from riparian.assets.errors import DeclarationError, Location

DAY = Daily("day", start="2013-01-01")
HERE = Location("flights.py", 7)


class Table:
    """Stands for pyarrow's: types are known by name."""


Table.__module__, Table.__qualname__ = "pyarrow.lib", "Table"


@dataclasses.dataclass
class Report:
    """A value that travels as JSON."""

    n: int


def bound(function: Callable[..., Any], *known: str | tuple[str, Daily]) -> Binding:
    """Returns the binding of ``function``; ``known`` are keys, or (key, partitions)."""
    catalogue = Catalogue((k, None) if isinstance(k, str) else k for k in known)
    return bind(declaration_of(function), catalogue, lambda annotation: annotation, HERE)


def codes(binding: Binding) -> list[str]:
    return [problem.code for problem in binding.problems]


def test_the_same_namespace_comes_first() -> None:
    """`flights` in air means air.flights, whatever else is called flights."""

    @asset("air.delays")
    def delays(flights: Table) -> Table: ...

    assert ["air.flights"] == [i.asset for i in bound(delays, "air.flights", "sea.flights").inputs]


def test_else_the_only_one() -> None:
    """Elsewhere a name binds when just one key ends in it."""

    @asset("air.delays")
    def delays(ships: Table) -> Table: ...

    assert ["sea.ships"] == [i.asset for i in bound(delays, "sea.ships", "air.flights").inputs]


def test_several_are_named_in_the_problem() -> None:
    """A name that can mean two assets is an error that names both."""

    @asset("air.delays")
    def delays(ships: Table) -> Table: ...

    (problem,) = bound(delays, "sea.ships", "lake.ships").problems

    assert ("ambiguous_parameter", HERE) == (problem.code, problem.location)
    assert "sea.ships or lake.ships" in problem.message


def test_an_asset_does_not_bind_to_itself() -> None:
    """clean.flights made from a parameter `flights` means raw.flights."""

    @asset("clean.flights")
    def flights(flights: Table) -> Table: ...

    assert ["raw.flights"] == [i.asset for i in bound(flights, "clean.flights", "raw.flights").inputs]


def test_explicit_inputs_win() -> None:
    """inputs= is asked before names are."""

    @asset("air.delays", inputs={"df": "sea.ships"})
    def delays(df: Table) -> Table: ...

    assert [("df", "sea.ships")] == [(i.parameter, i.asset) for i in bound(delays, "air.df", "sea.ships").inputs]


def test_ctx_is_the_context_and_defaults_are_options() -> None:
    """`ctx` receives the context, and a parameter with a default is left alone."""

    @asset("air.delays")
    def delays(flights: Table, ctx: Context, flights_csv: int = 3, *, limit: int = 4) -> Table: ...

    binding = bound(delays, "air.flights", "air.flights_csv")

    assert ("ctx", ["flights"], ()) == (binding.context, [i.parameter for i in binding.inputs], binding.problems)


def test_unknown_names_missing_annotations_and_stray_inputs_are_all_told() -> None:
    """Every problem of one function is reported at once."""

    @asset("air.delays", inputs={"dx": "air.x"})
    def delays(nothing: Table, flights): ...  # the mistake under test

    assert ["unbound_parameter", "missing_annotation", "unknown_parameter", "missing_annotation"] == codes(
        bound(delays, "air.flights", "air.x")
    )


def test_star_arguments_are_refused() -> None:
    """*args and **kwargs can not be bound to assets."""

    @asset("air.delays")
    def delays(*args: Table) -> Table: ...

    assert ["unbindable_signature"] == codes(bound(delays))


def test_default_mappings() -> None:
    """Same partitions: identity; partitioned to whole: all; whole to partitioned: the one."""

    @asset("air.day", partitions=DAY)
    def day(flights: Table, airports: Table) -> Table: ...

    @asset("air.all")
    def everything(flights: Table) -> Table: ...

    known = ("air.airports", ("air.flights", DAY))

    assert [Identity(), One()] == [i.mapping for i in bound(day, *known).inputs]
    assert [AllPartitions()] == [i.mapping for i in bound(everything, *known).inputs]


def test_a_mapping_that_does_not_go_without_saying() -> None:
    """Different partitions need a mapping, which may be said."""
    later = Daily("day", start="2014-01-01")

    @asset("air.day", partitions=DAY)
    def unsaid(flights: Table) -> Table: ...

    @asset("air.day", partitions=DAY, inputs={"flights": Input("air.flights", mapping=Identity())})
    def said(flights: Table) -> Table: ...

    assert ["mapping_not_said"] == codes(bound(unsaid, ("air.flights", later)))
    assert [Identity()] == [i.mapping for i in bound(said, ("air.flights", later)).inputs]
    assert "mapping=Overlapping()" in bound(unsaid, ("air.flights", later)).problems[0].remedy


def test_the_remedy_fits_the_partitions() -> None:
    """Between keys a table says which; between keys and days only all can be meant."""

    @asset("air.area", partitions=Static("area", ["north"]))
    def area(shops: Table) -> Table: ...

    shops = Static("shop", ["n1"])

    assert "mapping=ByKey(" in bound(area, ("air.shops", shops)).problems[0].remedy
    assert "mapping=AllPartitions()" in bound(area, ("air.shops", DAY)).problems[0].remedy


def test_windows_of_two_sizes_come_as_a_set() -> None:
    """The hours of a day are one table, or a dict by their keys; so is the day of an hour, which may be two."""

    @asset("air.day", partitions=DAY)
    def day(hours: Table, counts: dict[str, dict]) -> Table: ...  # type: ignore[type-arg]

    @asset("air.wrong", partitions=DAY)
    def wrong(counts: dict) -> Table: ...  # type: ignore[type-arg]

    hour = Hourly("hour", start="2013-01-01")
    binding = bound(day, ("air.hours", hour), ("air.counts", hour))

    assert [Overlapping(), Overlapping()] == [i.mapping for i in binding.inputs]
    assert ["pyarrow.lib.Table", "dict"] == [a.type for a in binding.arguments]
    assert ["unsupported_annotation"] == codes(bound(wrong, ("air.counts", hour)))


def test_what_there_may_be_none_of_says_so() -> None:
    """At the start of a series there is no day before: the parameter is None, and its annotation must admit it."""
    before = {"before": Input("air.day", mapping=Offset(-1))}
    week = {"week": Input("air.flights", mapping=Offset(-6, 0))}

    @asset("air.day", partitions=DAY, inputs=before)
    def good(before: dict | None) -> dict: ...  # type: ignore[type-arg]

    @asset("air.day", partitions=DAY, inputs=before)
    def optional(before: Optional[Table]) -> dict: ...  # type: ignore[type-arg]  # noqa: UP045

    @asset("air.day", partitions=DAY, inputs=before)
    def bad(before: dict) -> dict: ...  # type: ignore[type-arg]

    @asset("air.day", partitions=DAY, inputs=before)
    def worse(before: dict | list | None) -> dict: ...  # type: ignore[type-arg]

    @asset("air.day", partitions=DAY, inputs=week)
    def set_of(week: Table) -> dict: ...  # type: ignore[type-arg]

    known = (("air.day", DAY), ("air.flights", DAY))

    assert ["dict"] == [a.type for a in bound(good, *known).arguments]
    assert ["pyarrow.lib.Table"] == [a.type for a in bound(optional, *known).arguments]
    assert ["unsupported_annotation"] == codes(bound(bad, *known))
    assert "annotate T | None" in str(bound(bad, *known).problems[0].remedy).lower().replace("t | none", "T | None")
    assert ["unsupported_annotation"] == codes(bound(worse, *known))
    assert ["pyarrow.lib.Table"] == [a.type for a in bound(set_of, *known).arguments]


def test_many_partitions_of_plain_values_come_as_a_dict() -> None:
    """dict[str, T] is declared, and T is the type of one partition; a table comes as one table."""

    @asset("n.month")
    def month(days: dict[str, dict], table: Table) -> dict: ...

    assert ["dict", "pyarrow.lib.Table"] == [a.type for a in bound(month, ("n.days", DAY), ("n.table", DAY)).arguments]


def test_other_annotations_of_many_partitions_are_refused() -> None:
    """A bare dict hides what a partition is, and a dict of tables is not what comes."""

    @asset("n.month")
    def month(days: dict, table: dict[str, Table]) -> dict: ...

    assert ["unsupported_annotation"] * 2 == codes(bound(month, ("n.days", DAY), ("n.table", DAY)))


@pytest.mark.parametrize(
    ("annotation", "name", "format"),
    [
        (Table, "pyarrow.lib.Table", "parquet"),
        (Unresolved("pyarrow.RecordBatchReader"), "pyarrow.lib.RecordBatchReader", "parquet"),
        (dict[str, int], "dict", "json"),
        (list, "list", "json"),
        (None, "NoneType", "json"),
        (bool, "bool", "json"),
        (bytes, "bytes", "bytes"),
        (Report, f"dataclass:{__name__}:Report", "json"),
    ],
)
def test_types_go_by_name(annotation: object, name: str, format: str) -> None:
    """A type's name says its format, without importing the type."""
    assert (name, format) == (type_name(annotation), format_of(type_name(annotation)))


@pytest.mark.parametrize("annotation", [set, object, Optional[dict], int | str, Unresolved("pd.DataFrame"), tuple[int]])  # noqa: UP045
def test_other_types_are_refused(annotation: object) -> None:
    """What can not be stored without pickling is refused at declaration."""
    with pytest.raises(DeclarationError):
        type_name(annotation)


def test_a_dataclass_inside_a_function_is_refused() -> None:
    """A worker could not import it."""

    @dataclasses.dataclass
    class Inner:
        n: int

    with pytest.raises(DeclarationError):
        type_name(Inner)


def test_annotations_as_text() -> None:
    """Text is evaluated in its module; what only type checkers import is known by its import."""
    assert dict[str, int] == evaluate("dict[str, int]", {}, {})
    assert Unresolved("pyarrow.Table") == evaluate("pa.Table", {}, {"pa": "pyarrow"})


def test_keyword_options_of_plain_types_are_parameters_of_a_run() -> None:
    """Behind * and with a default; what stands before it, or has another type, nobody else can give."""

    @asset("air.delays")
    def delays(flights: Table, unit: str = "h", *, days: int = 7, by: dict | None = None) -> Table: ...

    found = bound(delays, "air.flights")

    assert [("days", "int", 7)] == [(p.name, p.type, p.default) for p in found.parameters]
    assert [("flights", "input"), ("days", "param")] == [(a.parameter, a.ref.kind) for a in found.arguments]


def test_a_keyword_option_that_is_named_as_an_input_is_one() -> None:
    """inputs= says what it receives."""

    @asset("air.delays", inputs={"days": "air.days"})
    def delays(*, days: int = 7) -> Table: ...

    found = bound(delays, "air.days")

    assert ((), ["air.days"]) == (found.parameters, [i.asset for i in found.inputs])
