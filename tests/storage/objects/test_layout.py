"""Names are opaque, plain and never lead anywhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.storage.objects import InvalidName, attempt_directory, bundle_name, check_name, log_name

NONCE = "0123456789abcdef" * 2


def test_names() -> None:
    """The layout of the store."""
    assert attempt_directory(NONCE) == f"v/01/{NONCE}"
    assert bundle_name("ab" * 32) == f"b/{'ab' * 32}.zip"
    assert log_name(NONCE, 12) == f"l/01/{NONCE}/0000000000000012"


def test_log_parts_sort_by_offset() -> None:
    """Listing a log gives its parts in order."""
    names = [log_name(NONCE, offset) for offset in (0, 9, 10, 100, 10**12)]

    assert names == sorted(names)


@pytest.mark.parametrize("nonce", ["", "xyz", "../" * 11, NONCE[:-1], NONCE.upper(), NONCE + "0", "/" * 32])
def test_a_nonce_is_hexadecimal(nonce: str) -> None:
    """Nothing but 32 hexadecimal digits makes a directory."""
    with pytest.raises(InvalidName):
        attempt_directory(nonce)
    with pytest.raises(InvalidName):
        log_name(nonce, 0)


@pytest.mark.parametrize("digest", ["", "ab", "../x", "AB" * 32])
def test_a_bundle_is_named_by_a_digest(digest: str) -> None:
    """Nothing but a sha256 names a bundle."""
    with pytest.raises(InvalidName):
        bundle_name(digest)


def test_a_negative_offset_is_refused() -> None:
    """A log begins at byte 0."""
    with pytest.raises(InvalidName):
        log_name(NONCE, -1)


@given(st.text(max_size=30) | st.lists(st.sampled_from(["..", ".", "", "a", "%2e", "b.c"]), max_size=5).map("/".join))
def test_no_accepted_name_climbs(name: str) -> None:
    """A name is either refused or a sequence of plain segments."""
    try:
        check_name(name)
    except InvalidName:
        return
    assert not {"", ".", ".."} & set(name.split("/"))
    assert name.isascii()
    assert not set(name) & set("\\:%\0 \n*?")
