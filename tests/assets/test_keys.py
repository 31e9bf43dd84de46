"""What is an asset key."""

import pytest

from riparian import DeclarationError
from riparian.assets.keys import last_segment, namespace, parse_key


@pytest.mark.parametrize("text", ["a", "air.flights", "a1.b_2.c"])
def test_good_keys(text: str) -> None:
    """Dotted lower-case names are keys."""
    assert text == parse_key(text)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "A", "1a", "a-b", "a b", "ä", "a\n", "a" * 201, None, 3])
def test_bad_keys(text: str) -> None:
    """Whatever would need quoting in a URL, a shell or a selector is none."""
    with pytest.raises(DeclarationError, match="not an asset key"):
        parse_key(text)


def test_segments() -> None:
    """A key is a namespace and a last segment."""
    assert ("air.raw", "flights") == (
        namespace(parse_key("air.raw.flights")),
        last_segment(parse_key("air.raw.flights")),
    )
    assert ("", "flights") == (namespace(parse_key("flights")), last_segment(parse_key("flights")))
