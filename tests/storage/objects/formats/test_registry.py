"""Types choose their format by name, and third parties add formats without touching ours."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import pytest

from riparian.assets.annotations import DATACLASS, READS, TABLES, TYPES
from riparian.storage.objects import UnknownFormat
from riparian.storage.objects.formats import registry

THEIRS = SimpleNamespace(
    name="feather", object_name="part-0.feather", writes=frozenset({"vaex.DataFrame"}), reads=frozenset()
)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that adds ``feather`` and tries to replace ``parquet``."""
    points = [EntryPoint(n, f"{__name__}:THEIRS", registry.GROUP) for n in ("feather", "parquet")]
    monkeypatch.setattr(EntryPoint, "load", lambda _: THEIRS)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: EntryPoints(points).select(group=group))


@pytest.mark.parametrize(
    ("type_name", "format"),
    [
        ("dict", "json"),
        ("dict[str, int]", "json"),
        ("builtins.list", "json"),
        ("NoneType", "json"),
        ("dataclass:module:Outer.Inner", "json"),
        ("bytes", "bytes"),
        ("pathlib.Path", "bytes"),
        *((name, "parquet") for name in TABLES),
    ],
)
def test_a_type_chooses_its_format(type_name: str, format: str) -> None:
    """The declared type's qualified name is enough: nothing is imported for it."""
    assert registry.format_writing(type_name).name == format


def test_every_format_is_known_by_its_name() -> None:
    """The four formats that versions may have."""
    assert [registry.format_named(n).name for n in ("parquet", "csv", "json", "bytes")] == [
        "parquet",
        "csv",
        "json",
        "bytes",
    ]


def test_the_declaration_knows_what_the_formats_do() -> None:
    """What `check` accepts without importing a format is what the formats write and read."""
    kept = {t: f.name for f in registry.BUILT_IN for t in f.writes}
    dataclass = DATACLASS.removesuffix(":")
    read = {f.name: f.reads | {"pathlib.Path"} for f in registry.BUILT_IN}

    assert {**TYPES, dataclass: "json"} == kept
    # A CSV file as text is more than a declaration promises.
    assert {name: frozenset(types) for name, types in READS.items()} == {**read, "csv": read["csv"] - {"str"}}


def test_no_type_has_two_formats() -> None:
    """What a type is kept as does not depend on the order of the table."""
    claimed = [t for f in registry.BUILT_IN for t in f.writes]

    assert len(claimed) == len(set(claimed))


@pytest.mark.usefixtures("installed")
def test_a_third_party_format() -> None:
    """An entry point adds a format by name and by type; ours stay ours."""
    assert registry.format_named("feather") is THEIRS
    assert registry.format_writing("vaex.DataFrame") is THEIRS
    assert registry.format_named("parquet") is registry.BUILT_IN[0]


def test_an_unknown_format_lists_the_known_ones() -> None:
    """The error for a format of a package that is not installed."""
    with pytest.raises(UnknownFormat, match=r"no format 'feather'; there are bytes, csv, json, parquet"):
        registry.format_named("feather")


@pytest.mark.parametrize("type_name", ["", "set", "vaex.DataFrame"])
def test_an_unknown_type(type_name: str) -> None:
    """A type that nobody keeps, and one that was not declared at all."""
    with pytest.raises(UnknownFormat, match="annotate one of"):
        registry.format_writing(type_name)
