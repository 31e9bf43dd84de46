"""Which text stands for the content of a file, and which names are never a delivery?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.files import fingerprint, is_ignored, parse_fingerprint


@given(size=st.integers(0, 2**63), mtime_ns=st.integers(-(2**63), 2**63), inode=st.integers(0, 2**64))
def test_fingerprint_can_be_read_back(size: int, mtime_ns: int, inode: int) -> None:
    """Size, time (also before 1970) and inode can be read from the text."""
    assert (size, mtime_ns, inode) == parse_fingerprint(fingerprint(size, mtime_ns, inode))


@pytest.mark.parametrize("text", ["", "1-2", "1-2-3-4", "a-b-c", "1-2-3\n"])
def test_other_text_is_no_fingerprint(text: str) -> None:
    """Text that ``fingerprint`` never writes is refused."""
    with pytest.raises(ValueError, match="not a file's fingerprint"):
        parse_fingerprint(text)


@pytest.mark.parametrize("path", [".a.csv", "a/.b/c.csv", "a.csv.part", "a.tmp", "x/a.crdownload", "a.csv~"])
def test_hidden_and_unfinished_names_are_ignored(path: str) -> None:
    """A hidden segment anywhere, or an ending that says unfinished, is never a delivery."""
    assert is_ignored(path)


@pytest.mark.parametrize("path", ["a.csv", "a.part/b.csv", "a.tmp.csv", "a..b", "part", "b~c.csv"])
def test_other_names_are_not_ignored(path: str) -> None:
    """The endings count at the end of the file's own name only."""
    assert not is_ignored(path)
