"""How long is that?"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.durations import LONGEST, instant, seconds_of, written
from riparian.assets.errors import DeclarationError


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7_200), ("1d", 86_400), (timedelta(hours=2), 7_200), ("366d", LONGEST)],
    ids=str,
)
def test_spans_as_people_write_them(span, seconds) -> None:
    """A number and a unit, or a timedelta."""
    assert seconds == seconds_of(span, "it")


@pytest.mark.parametrize(
    "span",
    [
        *(
            "",
            "5",
            "m",
            "5 m",
            "5M",
            "-5m",
            "+5m",
            "05m",
            "0s",
            "5m30s",
            "1.5h",
            "\u0665m",
            "5m\n",
            "367d",
            "9" * 99 + "s",
        ),
        *(5, 5.0, None, True, timedelta(0), timedelta(seconds=-1), timedelta(milliseconds=1500), timedelta(days=367)),
    ],
    ids=repr,
)
def test_all_else_is_refused_with_what_to_write(span) -> None:
    """The message names what it was said of, and is short."""
    with pytest.raises(DeclarationError, match=r"^debounce is .*; write ") as refused:
        seconds_of(span, "debounce")

    assert len(str(refused.value)) < 200


@given(st.integers(1, LONGEST))
def test_what_is_written_is_read_again(seconds: int) -> None:
    """In the largest unit without a rest."""
    assert seconds == seconds_of(written(seconds), "it")


def test_an_instant_in_words() -> None:
    """With its timezone, to the second."""
    assert "1970-01-02 00:00:01 UTC" == instant(86_401_500_000)
