"""Frames of any library are the same tables: they are kept alike, and come back as they were."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet as pq

from riparian.assets.annotations import TABLES
from riparian.scheduler.core.protocol import Input, Piece, Written
from riparian.storage.objects import Objects, UnreadableInput, WrongValue, read_input, write_value
from riparian.storage.objects.errors import MissingLibrary
from riparian.storage.objects.formats import frames, parquet

TABLE, READER, DATASET, PANDAS, POLARS, LAZY = TABLES
FRAMES = (PANDAS, POLARS, LAZY, DATASET)

PLAIN = pa.table(
    {
        "text": ["a", None, "ä"],
        "whole": pa.array([1, 2**60 + 1, 3], pa.int64()),
        "missing": pa.array([1, None, 2**60 + 1], pa.int64()),
        "share": [0.5, None, 2.0],
        "yes": [True, None, False],
        "day": [date(2013, 1, 1), None, date(2013, 1, 3)],
        "at": pa.array([datetime(2013, 1, 1, 12, tzinfo=UTC), None, None], pa.timestamp("us", "Europe/Berlin")),
        "code": pa.array(["x", "y", None]).dictionary_encode(),
        "many": [[1, 2], [], [3]],
        "raw": [b"\xff", b"", b"x"],
    }
)


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    return Objects(str(tmp_path / "store"))


def keep(store: Objects, type_name: str, value: Any, directory: str = "v/aa/x") -> Written:
    return write_value(store, directory, "a.b", type_name, value)


def take(store: Objects, type_name: str, *written: Written, many: bool = False) -> Any:
    pieces = tuple(
        Piece(partition=f"d{i}" if many else "", version="1", format=w.format, digest=w.digest, objects=w.objects)
        for i, w in enumerate(written)
    )
    return read_input(store, Input(parameter="p", asset="a.b", type=type_name, many=many, pieces=pieces))


def csv(store: Objects, text: bytes, name: str = "v/aa/in.csv") -> Written:
    stored = store.put(name, text)
    return Written(asset="a.b", format="csv", digest="", rows=None, bytes=stored.size, objects=(stored,))


def arrow(value: Any) -> pa.Table:
    """Any table as pyarrow's, with texts and lists of one width."""
    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.DataFrame):
        value = value.to_arrow()
    if isinstance(value, pd.DataFrame):
        value = pa.Table.from_pandas(value)
    if isinstance(value, ds.Dataset):
        value = value.to_table()
    if isinstance(value, pa.RecordBatchReader):
        value = value.read_all()
    return value.cast(pa.schema([pa.field(f.name, frames._plain_type(f.type)) for f in value.schema]))


@pytest.mark.parametrize("url", ["{}", "memory://frames"])
@pytest.mark.parametrize("type_name", TABLES)
def test_the_same_table_whoever_made_it(tmp_path: Path, url: str, type_name: str) -> None:
    """A table that is read as any type and returned as it came has the digest, rows and columns that it had."""
    store = Objects(url.format(tmp_path))
    first = keep(store, TABLE, PLAIN, f"v/{tmp_path.name}/1")
    value = take(store, type_name, first)
    again = keep(store, type_name, value, f"v/{tmp_path.name}/2")

    assert arrow(take(store, type_name, first)).to_pylist() == PLAIN.to_pylist()
    assert (again.digest, again.rows, again.format) == (first.digest, 3, "parquet")


def test_frames_made_by_hand_digest_alike(store: Objects) -> None:
    """Equal frames of three libraries, each made in its own words, are equal content: nothing downstream runs."""
    values = {
        TABLE: pa.table({"a": ["x", "y"], "n": [1, 2], "c": pa.array(["u", "v"]).dictionary_encode()}),
        PANDAS: pd.DataFrame({"a": ["x", "y"], "n": [1, 2], "c": pd.Categorical(["u", "v"])}),
        POLARS: pl.DataFrame({"a": ["x", "y"], "n": [1, 2], "c": pl.Series(["u", "v"], dtype=pl.Categorical)}),
    }

    assert len({keep(store, t, v, f"v/{i}").digest for i, (t, v) in enumerate(values.items())}) == 1


def test_pandas_dtypes_survive(store: Objects) -> None:
    """Texts, nullable numbers with a missing one or none, times with a zone and ordered categories are as before."""
    frame = pd.DataFrame(
        {
            "text": pd.array(["a", None], dtype="string"),
            "str": ["a", "b"],
            "Int64": pd.array([2**60 + 1, None], dtype="Int64"),
            "full": pd.array([1, 2], dtype="Int32"),
            "float": [0.5, float("nan")],
            "boolean": pd.array([True, None], dtype="boolean"),
            "zone": pd.to_datetime(["2013-01-01", "2013-07-01"]).tz_localize("Europe/Berlin"),
            "naive": pd.to_datetime(["2013-01-01", None]),
            "span": pd.to_timedelta([1, 2], unit="ms"),
            "size": pd.Categorical(["S", "L"], categories=["S", "M", "L"], ordered=True),
        }
    )
    back = take(store, PANDAS, keep(store, PANDAS, frame))

    pd.testing.assert_frame_equal(frame, back)


def test_polars_dtypes_survive(store: Objects) -> None:
    """Days, times, categories, enums, decimals and nested columns are as before, whole and lazily."""
    frame = pl.DataFrame(
        {
            "day": [date(2013, 1, 1), None],
            "at": pl.Series([datetime(2013, 1, 1, tzinfo=UTC), None], dtype=pl.Datetime("us", "UTC")),
            "cat": pl.Series(["x", None], dtype=pl.Categorical),
            "enum": pl.Series(["hi", "lo"], dtype=pl.Enum(["lo", "hi"])),
            "nan": [float("nan"), None],
            "list": [["a"], None],
            "struct": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
            "pair": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2)),
            "money": pl.Series(["1.50", None]).cast(pl.Decimal(10, 2)),
            "raw": [b"x", None],
        }
    )
    written = keep(store, POLARS, frame)

    assert_frame_equal(frame, take(store, POLARS, written))
    assert_frame_equal(frame, take(store, LAZY, written).collect())


def test_missing_whole_numbers_stay_whole_in_pandas(store: Objects) -> None:
    """A column of another library with nulls in it is no column of floats, in which large numbers are others."""
    whole = [2**60 + 1, None]
    table = pa.table({"n": pa.array(whole, pa.int64()), "u": pa.array([2**64 - 1, None], pa.uint64()), "f": [1, None]})
    back = take(store, PANDAS, keep(store, TABLE, table))

    assert ["Int64", "UInt64", "Int64"] == [str(t) for t in back.dtypes]
    assert [2**60 + 1, pd.NA] == back["n"].tolist()
    assert 2**64 - 1 == back["u"].iloc[0]


def test_row_numbers_are_no_content(store: Objects) -> None:
    """A filter, a sort or a concatenation leaves numbers behind that mean nothing; they go without a word."""
    frame = pd.DataFrame({"a": [3, 1, 2]})
    values = [frame, frame[frame.a > 1], frame.sort_values("a"), pd.concat([frame, frame]), frame[frame.a > 9]]

    for i, value in enumerate(values):
        back = take(store, PANDAS, keep(store, PANDAS, value, f"v/{i}"))
        pd.testing.assert_frame_equal(value.reset_index(drop=True), back)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pd.DataFrame({"a": [1]}, index=["x"]), "without a name"),
        (pd.DataFrame({"a": [1]}, index=pd.to_datetime(["2013-01-01"])), "datetime64"),
        (pd.DataFrame({"id": [7], "a": [1]}).set_index("id"), "'id'"),
        (pd.DataFrame({"id": [7], "a": [1]}).set_index("id").iloc[:0], "'id'"),
        (pd.DataFrame({"i": [1], "j": [2], "a": [1]}).set_index(["i", "j"]), "'i', 'j'"),
    ],
)
def test_an_index_that_means_something_is_not_lost(store: Objects, frame: pd.DataFrame, told: str) -> None:
    """An index with a name, of texts or of times is refused with what to do; nothing is stored."""
    with pytest.raises(WrongValue, match=rf"a\.b: .*{told}.*reset_index\(\) to keep it.*drop=True"):
        keep(store, PANDAS, frame)
    assert store.list() == []
    reset = frame.reset_index()
    pd.testing.assert_frame_equal(reset, take(store, PANDAS, keep(store, PANDAS, reset)), check_index_type=False)


@pytest.mark.parametrize(
    ("type_name", "value", "message"),
    [
        (PANDAS, pl.DataFrame(), r"declared pandas\.DataFrame, returned polars\..*DataFrame; return that type"),
        (POLARS, pl.LazyFrame(), r"declared polars\.DataFrame, returned polars\..*LazyFrame; "),
        (LAZY, pl.DataFrame(), r"declared polars\.LazyFrame, returned polars\..*DataFrame; "),
        (POLARS, pd.DataFrame(), r"declared polars\.DataFrame, returned pandas\..*DataFrame; "),
        (DATASET, pa.table({}), r"declared pyarrow\.dataset\.Dataset, returned pyarrow\.lib\.Table; "),
        (TABLE, pd.DataFrame(), r"declared pyarrow\.lib\.Table, returned pandas\..*DataFrame; "),
        (PANDAS, None, r"declared pandas\.DataFrame, returned NoneType; did you forget return\?"),
        (PANDAS, pd.DataFrame({0: [1]}), r"the column 0 has a name that is no text; .*columns\.map\(str\)"),
        (PANDAS, pd.DataFrame([[1, 2]], columns=["a", "a"]), r"can not be kept as a table: .*'a'"),
        (PANDAS, pd.DataFrame({"odd": [1, "x"]}), r"can not be kept as a table: .*column odd"),
        (POLARS, pl.DataFrame({"odd": [object()]}, schema={"odd": pl.Object}), "can not be kept .* column odd holds"),
    ],
)
def test_a_value_that_can_not_be_kept(store: Objects, type_name: str, value: Any, message: str) -> None:
    """The error names the asset, what was declared and returned or the column, and the remedy; nothing is stored."""
    with pytest.raises(WrongValue, match=rf"^a\.b: {message}"):
        keep(store, type_name, value)
    assert store.list() == []


@pytest.mark.parametrize("type_name", [PANDAS, POLARS, LAZY])
def test_columns_of_one_name(store: Objects, type_name: str) -> None:
    """A table that a frame can not hold is told with what can hold it."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    written = keep(store, TABLE, table)
    read = lambda: arrow(take(store, type_name, written))  # noqa: E731

    with pytest.raises(UnreadableInput, match=rf"^a\.b: can not be read as {type_name}: .*annotate .* pa\.Table"):
        read()


@pytest.mark.parametrize("type_name", FRAMES)
def test_partitions_come_as_one(store: Objects, type_name: str) -> None:
    """All partitions are one frame in the order of their keys, with promoted types and nulls for missing columns."""
    first = pl.DataFrame({"a": [1], "e": pl.Series(["x"], dtype=pl.Enum(["x"]))})
    second = pl.DataFrame({"e": pl.Series(["y"], dtype=pl.Enum(["y"])), "a": [1.5]})
    third = pd.DataFrame({"c": [True], "a": [2]})
    values = [(POLARS, first), (POLARS, second), (PANDAS, third)]
    written = [keep(store, kind, value, f"v/{i}") for i, (kind, value) in enumerate(values)]
    together = arrow(take(store, type_name, *written, many=True))

    assert together.to_pydict() == {"a": [1.0, 1.5, 2.0], "e": ["x", "y", None], "c": [None, None, True]}


@pytest.mark.parametrize("type_name", FRAMES)
def test_no_partition_is_no_frame(store: Objects, type_name: str) -> None:
    """There is no empty frame without columns: the error says that nothing exists."""
    with pytest.raises(UnreadableInput, match=r"a\.b: no partition exists yet"):
        take(store, type_name, many=True)


@pytest.mark.parametrize("type_name", FRAMES)
def test_csv_is_parsed_one_way(store: Objects, type_name: str) -> None:
    """A CSV file gives every type the columns that it gives a Table, one file or several, and errors name the line."""
    texts = [b"day,n,s\n2013-01-01,1,x\n2013-01-02,,\n", b"day,n,s\n2013-01-03,2.5,y\n"]
    files = [csv(store, text, f"v/{i}.csv") for i, text in enumerate(texts)]
    expected = take(store, TABLE, files[0]).to_pylist()

    assert [date(2013, 1, 1), date(2013, 1, 2)] == [row["day"] for row in expected]
    assert arrow(take(store, type_name, files[0])).to_pylist() == expected
    assert arrow(take(store, type_name, *files, many=True))["n"].to_pylist() == [1, None, 2.5]
    with pytest.raises(UnreadableInput, match=r"a\.b: line 3: "):
        take(store, type_name, csv(store, b"a,b\n1,2\n1,2,3\n"))


def test_a_lazy_frame_is_never_held_whole(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a LazyFrame of 16 MB is made of another, at most a few batches of it are in memory."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 65_536)
    schema = pa.schema([("a", pa.int64())])
    parts = (pa.record_batch([pa.array(range(i, i + 20_000), pa.int64())], schema) for i in range(0, 2_000_000, 20_000))
    first = keep(store, READER, pa.RecordBatchReader.from_batches(schema, parts))
    held: list[int] = []
    whole = take(store, LAZY, first).map_batches(_noting(held), streamable=True, schema={"a": pl.Int64})
    again = keep(store, LAZY, whole.with_columns(pl.col("a") + 1).filter(pl.col("a") > 1_000_000), "v/aa/y")

    assert again.rows == 1_000_000
    assert max(held) <= 300_000
    assert sum(held) == 2_000_000
    values = pq.read_table(Path(store.url, "v/aa/y/part-0.parquet"))["a"].to_pylist()
    assert values == list(range(1_000_001, 2_000_001))


def _noting(held: list[int]) -> Any:
    def note(frame: pl.DataFrame) -> pl.DataFrame:
        held.append(frame.height)
        return frame

    return note


def test_a_lazy_frame_answers_as_a_frame_does(store: Objects) -> None:
    """Filters, heads and counts of what is scanned are polars' own: NaN is above every number there, not in Arrow."""
    frame = pl.DataFrame({"x": [0.5, 2.0, float("nan"), None], "n": [1, 2, 3, 4]})
    lazy = take(store, LAZY, keep(store, POLARS, frame))
    above = pl.col("x") > 1

    assert_frame_equal(frame.filter(above), lazy.filter(above).collect())
    assert_frame_equal(frame.filter(above).head(1), lazy.filter(above).head(1).collect())
    assert_frame_equal(frame.head(2).filter(above), lazy.head(2).filter(above).collect())
    assert lazy.select(pl.len()).collect().item() == 4
    assert "PROJECT 1/2 COLUMNS" in lazy.select("n").explain()


def test_an_exception_of_a_lazy_frame_leaves_nothing(store: Objects) -> None:
    """What polars finds wrong while it computes is the caller's error as it is, and no object stays."""
    lazy = pl.LazyFrame({"a": ["1", "x"]}).with_columns(pl.col("a").cast(pl.Int64))

    with pytest.raises(pl.exceptions.InvalidOperationError, match="x"):
        keep(store, LAZY, lazy)
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        keep(store, LAZY, pl.LazyFrame({"a": [1]}).select("b"))
    assert store.list() == []


def test_a_frame_of_several_batches(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are converted a batch at a time, and lose nothing between them."""
    monkeypatch.setattr(frames, "BATCH_ROWS", 1000)
    rows = list(range(2500))
    words = [f"w{n}" for n in rows]
    values = {
        PANDAS: pd.DataFrame({"n": rows, "w": words}),
        POLARS: pl.DataFrame({"n": rows, "w": words}),
        LAZY: pl.LazyFrame({"n": rows, "w": words}),
        DATASET: ds.dataset(pa.table({"n": rows, "w": words})),
        TABLE: pa.table({"n": rows, "w": words}),
    }
    written = [keep(store, t, v, f"v/{i}") for i, (t, v) in enumerate(values.items())]

    assert {(2500, written[0].digest)} == {(w.rows, w.digest) for w in written}


def test_text_of_more_than_two_gigabytes() -> None:
    """A row beyond the first 2 GB of a column's text is kept like any other; nothing of the rest is copied for it."""
    size = (1 << 31) + 100
    offsets = pa.array([0, size, size + 3], pa.int64()).buffers()[1]
    text = pa.py_buffer(mmap.mmap(-1, size + 16))  # pages that are never touched take no memory
    column = pa.Array.from_buffers(pa.large_string(), 2, [None, offsets, text]).slice(1, 1)
    reader = frames._streamed([pa.table({"a": column})], pa.schema([("a", pa.large_string())]))

    assert reader.read_all() == pa.table({"a": ["\0\0\0"]})


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    return None


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize("type_name", [PANDAS, POLARS, LAZY])
def test_a_library_that_is_not_installed(store: Objects, type_name: str) -> None:
    """Reading and writing say what to install, where, and what needs no installation."""
    name = type_name.partition(".")[0]
    written = keep(store, TABLE, pa.table({"a": [1]}))
    told = rf"^a\.b: declared {type_name}, but {name} can not be imported: .*; install {name}>=.* where the worker runs"

    with pytest.raises(MissingLibrary, match=told):
        take(store, type_name, written)
    with pytest.raises(MissingLibrary, match=told):
        keep(store, type_name, None, "v/aa/y")


def test_a_library_that_is_too_old(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A polars that loses rows when a query fails is not asked to stream; its DataFrames are fine."""
    monkeypatch.setattr(pl, "__version__", "1.38.1")

    with pytest.raises(MissingLibrary, match=r"polars 1\.38\.1 is too old for it; install polars>=2\.0"):
        keep(store, LAZY, pl.LazyFrame({"a": [1]}))
    assert keep(store, POLARS, pl.DataFrame({"a": [1]})).rows == 1


def test_who_takes_a_table_loads_no_frames(tmp_path: Path) -> None:
    """Storing and reading a Table imports neither pandas nor polars nor pyarrow.dataset."""
    script = f"""
import sys
import io
from pyarrow import csv
from riparian.scheduler.core.protocol import Input, Piece
from riparian.storage.objects import Objects, read_input, write_value
store = Objects({str(tmp_path)!r})
w = write_value(store, "v/1", "a.b", "pyarrow.lib.Table", csv.read_csv(io.BytesIO(b"a\\n1\\n")))
piece = Piece(partition="", version="1", format=w.format, digest=w.digest, objects=w.objects)
read_input(store, Input(parameter="p", asset="a.b", type="pyarrow.lib.Table", many=False, pieces=(piece,)))
print(sorted({{"pandas", "polars", "pyarrow.dataset"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)

    assert run.stdout.strip() == "[]"
