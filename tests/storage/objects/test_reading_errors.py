"""Errors of reading name where the bytes came from."""

import pytest

from riparian.scheduler.core.protocol import Input, Piece
from riparian.storage.objects import Objects, read_input
from riparian.storage.objects.errors import UnreadableInput


def test_a_broken_line_names_the_file_that_was_dropped(tmp_path):
    """A person reads which file to mend and at which line, not the opaque name of its copy alone."""
    objects = Objects(str(tmp_path))
    stored = objects.put("v/ab/x/part-0.csv", b"a,b\n1,2\n1,2,3\n")
    piece = Piece(
        partition="2020-01-01", version="v", format="csv", digest="", objects=(stored,), file="drop/a_2020-01-01.csv"
    )
    broken = Input(parameter="a", asset="x.a", type="pyarrow.lib.Table", many=False, pieces=(piece,))

    with pytest.raises(UnreadableInput, match=r"x\.a \(partition 2020-01-01\) from drop/a_2020-01-01\.csv: line 3"):
        read_input(objects, broken)
