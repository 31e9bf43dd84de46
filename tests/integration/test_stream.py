"""A table that is larger than what its process may hold."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

PIPELINE = """
    from collections.abc import Iterator
    from pathlib import Path
    import pyarrow as pa
    from riparian import FileDrop, Policy, asset, source

    wide = source("a.wide", arrives=FileDrop("drop/wide.parquet"), policy=Policy())

    def peak():
        (line,) = [l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    @asset("a.copy")
    def copy(wide: pa.RecordBatchReader) -> pa.RecordBatchReader:
        def batches():
            seen = 0
            for batch in wide:
                seen += batch.nbytes
                yield batch
            print("seen", seen, "peak", peak())
        return pa.RecordBatchReader.from_batches(wide.schema, batches())
"""
ROWS_A_GROUP = 40_000
GROUPS = 40
TEXT_BYTES = 800


def large_file():
    """A Parquet file that is small on disk, for its long texts repeat, and is 1.3 GB when read."""
    texts = pa.array([f"{n:04d}" * (TEXT_BYTES // 4) for n in range(40)])
    picked = pa.DictionaryArray.from_arrays(pa.array([n % 40 for n in range(ROWS_A_GROUP)], pa.int8()), texts)
    group = pa.table({"text": picked})
    out = io.BytesIO()
    # Without Arrow's own schema it is read as plain texts, each in full length.
    with pq.ParquetWriter(out, group.schema, store_schema=False) as writer:
        for _ in range(GROUPS):
            writer.write_table(group)
    return out.getvalue()


def test_stream_larger_than_its_memory_goes_through(make_site):
    """A RecordBatchReader in and out moves 1.3 GB from a source to an asset, while the process stays far below that."""
    site = make_site(PIPELINE)
    site.worker()
    site.drop("wide.parquet", large_file())
    run = site.run_ended(site.new_run("a.copy")["id"])
    assert ("succeeded", None) == (run["state"], run["error"])
    _, seen, _, peak = site.log(run["id"]).split()
    (version,) = site.versions("a.copy")

    assert ROWS_A_GROUP * GROUPS == version["rows"]
    assert int(seen) > ROWS_A_GROUP * GROUPS * TEXT_BYTES
    assert int(peak) < int(seen) / 2
