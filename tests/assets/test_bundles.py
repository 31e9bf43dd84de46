"""Which bytes are taken for a bundle, and by what name is it known?"""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets import bundles
from riparian.assets.bundles import bundle_digest, read_zip
from riparian.assets.errors import Invalid

FILES = {"work.py": b"x = 1\n", "pkg/__init__.py": b"", "_lock": b"abc"}


def packed(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the standard library warns of doubled names
        for name, content in files:
            archive.writestr(name, content)
    return body.getvalue()


def test_digest_depends_on_content_not_on_order() -> None:
    """The same files in another order have the same digest; another name, content or lock has another."""
    digest = bundle_digest(FILES)

    assert digest == bundle_digest(dict(reversed(FILES.items())))
    for changed in ({"work.py": b"x = 2\n"}, {"other.py": b""}, {"_lock": b"abd"}):
        assert digest != bundle_digest(FILES | changed)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_was_packed_is_read(method: int) -> None:
    """Every file by its path; folders are no files."""
    assert FILES == read_zip(packed([*FILES.items(), ("empty/", b"")], method))


@pytest.mark.parametrize("name", ["/etc/x.py", "../x.py", "a/../../x.py", "a\\x.py", "."])
def test_unsafe_path_is_refused(name: str) -> None:
    """A zip that would write outside of its folder is refused."""
    with pytest.raises(Invalid, match="unsafe path"):
        read_zip(packed([(name, b"")]))


@pytest.mark.parametrize("name", ["work.py?.txt", "?"])
def test_path_with_nul_is_refused(name: str) -> None:
    """Two readers would see two names."""
    with pytest.raises(Invalid, match="unsafe path"):
        read_zip(packed([(name, b"")]).replace(b"?", b"\0"))


@pytest.mark.parametrize("second", ["work.py", "./work.py"])
def test_doubled_path_is_refused(second: str) -> None:
    """Nobody could say which of the two the digest is of."""
    with pytest.raises(Invalid, match=r"'work\.py' twice"):
        read_zip(packed([("work.py", b"1"), (second, b"2")]))


def test_file_that_is_a_folder_is_refused() -> None:
    """It could not be unpacked."""
    with pytest.raises(Invalid, match="as a file and as a folder"):
        read_zip(packed([("a", b""), ("a/b.py", b"")]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(method: int) -> None:
    """What unpacks without a bound of memory is not tried."""
    with pytest.raises(Invalid, match=f"compressed by method {method}"):
        read_zip(packed([("work.py", b"x")], method))


def test_encrypted_file_is_refused() -> None:
    """The flag alone says so."""
    body = bytearray(packed([("work.py", b"x")]))
    body[body.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Invalid, match=r"encrypted file 'work\.py'"):
        read_zip(bytes(body))


def test_damaged_content_is_refused() -> None:
    """Content whose checksum differs is not returned."""
    with pytest.raises(Invalid, match="not a zip that can be read"):
        read_zip(packed([("work.py", b"as it was")]).replace(b"as it was", b"as it is."))


def test_what_is_no_zip_is_refused() -> None:
    """Other bytes are refused in words."""
    with pytest.raises(Invalid, match="not a zip"):
        read_zip(b"<html>")


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any is read."""
    monkeypatch.setattr(bundles, "LIMIT_FILES", 2)
    with pytest.raises(Invalid, match="holds 3 files; 2 are allowed"):
        read_zip(packed(list(FILES.items())))


def test_bytes_are_counted_not_believed() -> None:
    """The limit is on what comes out, together; what a header claims neither hides a large file nor refuses a small."""
    size = (1000).to_bytes(4, "little")
    small = packed([("a.py", bytes(1000))], zipfile.ZIP_DEFLATED).replace(size, (1 << 30).to_bytes(4, "little"))

    assert {"a.py": bytes(1000)} == read_zip(small, limit=1000)
    with pytest.raises(Invalid, match="more than 1999 bytes"):
        read_zip(packed([("a.py", bytes(1000)), ("b.py", bytes(1000))], zipfile.ZIP_DEFLATED), limit=1999)


@given(st.data())
def test_no_other_error_than_invalid(data: st.DataObject) -> None:
    """Whatever is done to the bytes: they are read, or refused in words."""
    body = bytearray(packed(list(FILES.items()), zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid):
        read_zip(bytes(body))
