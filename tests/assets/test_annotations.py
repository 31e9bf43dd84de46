"""Types go by one name each, and nobody imports a library to speak of its types."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from riparian.assets.annotations import (
    READS,
    SUPPORTED,
    TABLES,
    TYPES,
    Unresolved,
    element,
    evaluate,
    format_of,
    is_readable,
    type_name,
)
from riparian.assets.errors import DeclarationError

LIBRARIES = {
    pa.Table: "pyarrow.lib.Table",
    pa.RecordBatchReader: "pyarrow.lib.RecordBatchReader",
    ds.Dataset: "pyarrow.dataset.Dataset",
    pd.DataFrame: "pandas.DataFrame",
    pl.DataFrame: "polars.DataFrame",
    pl.LazyFrame: "polars.LazyFrame",
    pathlib.Path: "pathlib.Path",
}


@pytest.mark.parametrize(("kind", "name"), LIBRARIES.items(), ids=str)
def test_real_types(kind: type, name: str) -> None:
    """The installed classes go by their public names, and those name a format."""
    assert name == type_name(kind)
    assert ("bytes" if kind is pathlib.Path else "parquet") == format_of(name)


@pytest.mark.parametrize(
    ("module", "qualname", "name"),
    [
        ("pandas.core.frame", "DataFrame", "pandas.DataFrame"),
        ("pandas", "DataFrame", "pandas.DataFrame"),
        ("polars.dataframe.frame", "DataFrame", "polars.DataFrame"),
        ("polars.lazyframe.frame", "LazyFrame", "polars.LazyFrame"),
        ("pyarrow._dataset", "Dataset", "pyarrow.dataset.Dataset"),
        ("pyarrow.lib", "Table", "pyarrow.lib.Table"),
        ("pathlib._local", "Path", "pathlib.Path"),
    ],
)
def test_names_of_other_versions(module: str, qualname: str, name: str) -> None:
    """Where a class is defined differs between versions of its library; manifests do not."""
    assert name == type_name(type(qualname, (), {"__module__": module, "__qualname__": qualname}))


@pytest.mark.parametrize(
    ("text", "imports", "name"),
    [
        ("pd.DataFrame", {"pd": "pandas"}, "pandas.DataFrame"),
        ("DataFrame", {"DataFrame": "polars.DataFrame"}, "polars.DataFrame"),
        ("pl.LazyFrame", {"pl": "polars"}, "polars.LazyFrame"),
        ("ds.Dataset", {"ds": "pyarrow.dataset"}, "pyarrow.dataset.Dataset"),
        ("pyarrow.dataset.Dataset", {"pyarrow": "pyarrow"}, "pyarrow.dataset.Dataset"),
        ("pa.Table", {"pa": "pyarrow"}, "pyarrow.lib.Table"),
        ("Path", {"Path": "pathlib.Path"}, "pathlib.Path"),
    ],
)
def test_types_that_only_checkers_import(text: str, imports: dict[str, str], name: str) -> None:
    """What stands under `if TYPE_CHECKING:` is known by the name that it would be imported as."""
    assert name == type_name(evaluate(text, {}, imports))


@pytest.mark.parametrize(
    "annotation",
    [
        pd.Series,
        pl.Series,
        ds.Scanner,
        ds.FileSystemDataset,
        pathlib.PurePath,
        Unresolved("pandas.Series"),
        Path | None,
    ],
)
def test_neighbours_are_refused(annotation: object) -> None:
    """A type that is nearly supported is told with those that are."""
    with pytest.raises(DeclarationError, match=r"annotate one|import the type"):
        type_name(annotation)


def test_every_type_is_told() -> None:
    """The list that a person reads names each type as it is written."""
    short = {"pyarrow.lib.": "pa.", "NoneType": "None"}
    words = list(TYPES)
    for long, written in short.items():
        words = [word.replace(long, written) for word in words]

    assert set(words) <= set(SUPPORTED.replace("a dataclass (as JSON)", "").split(", "))


def test_what_can_be_read_as_what() -> None:
    """Tables are read from CSV and Parquet, every format as a file, and no table from JSON or unknown bytes."""
    assert all(is_readable(table, kept) for table in TABLES for kept in ("csv", "parquet"))
    assert not any(is_readable(table, kept) for table in TABLES for kept in ("json", "bytes"))
    assert all(is_readable(file, kept) for file in ("bytes", "pathlib.Path") for kept in READS)


def test_many_files_are_a_dict() -> None:
    """The element of dict[str, Path] is a file."""
    assert "pathlib.Path" == type_name(element(dict[str, Path]))


PROJECT = """
from __future__ import annotations
from typing import TYPE_CHECKING
from riparian import asset

if TYPE_CHECKING:
    from pathlib import Path
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset as ds

@asset("a.table")
def table() -> pa.Table: ...
@asset("a.frame")
def frame(table: pd.DataFrame) -> pl.DataFrame: ...
@asset("a.lazy")
def lazy(frame: pl.LazyFrame) -> pl.LazyFrame: ...
@asset("a.many")
def many(lazy: ds.Dataset) -> ds.Dataset: ...
@asset("a.file")
def file(many: Path) -> Path: ...
"""

DESCRIBE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from riparian.assets.declare import collecting
from riparian.assets.project import describe, first_party_modules
with collecting() as declared:
    import flights
root = Path(sys.argv[1])
project = describe(root, declared, first_party_modules(root))
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"pandas", "polars", "pyarrow", "numpy"})
print(json.dumps([[str(p) for p in project.problems], [a.format for a in project.assets], loaded]))
"""


def test_checking_imports_no_library(tmp_path: Path) -> None:
    """A project whose types only checkers import is described without pandas, polars or pyarrow being loaded."""
    (tmp_path / "flights.py").write_text(PROJECT)
    run = subprocess.run(
        [sys.executable, "-c", DESCRIBE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )

    assert [[], ["parquet"] * 4 + ["bytes"], []] == json.loads(run.stdout)
