"""JSON is canonical, and what it can not give back is refused with its place."""

from __future__ import annotations

import enum
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.storage.objects import Objects, UnreadableInput, WrongValue, write_value
from riparian.storage.objects.formats.base import Source, Target
from riparian.storage.objects.formats.json import FORMAT, canonical, checked

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Kind(enum.Enum):
    GOOD = "good"


@dataclass(frozen=True)
class Part:
    name: str
    day: date


@dataclass
class Report:
    parts: list[Part]
    at: datetime
    amount: Decimal
    kind: Kind = Kind.GOOD
    pair: tuple[int, str] = (1, "a")
    tags: frozenset[str] = field(default_factory=frozenset)
    by_name: dict[str, Part] = field(default_factory=dict)
    best: Part | None = None


PART = Part("a", date(2013, 1, 31))
REPORT = Report(
    [PART], datetime(2013, 1, 31, 12, tzinfo=UTC), Decimal("1.50"), tags=frozenset("cab"), by_name={"x": PART}
)


def name_of(kind: type) -> str:
    return f"dataclass:{kind.__module__}:{kind.__qualname__}"


def written(type_name: str, value: Any) -> str:
    draft = FORMAT.write(value, Target(type=type_name, where="a.b", create=lambda: pytest.fail("created")))
    assert draft.content is not None
    return draft.content


def read(type_name: str, content: str) -> Any:
    return FORMAT.read(Source(objects=Objects("memory://none"), where="a.b", content=content), type_name)


@given(plain)
def test_canonical_text_is_the_value(value: Any) -> None:
    """Any value of JSON survives, with one text for it, sorted and without spaces."""
    text = canonical(value, "a")

    assert json.loads(text) == value
    assert canonical(json.loads(text), "a") == text


def test_canonical_form() -> None:
    """The text that digests are made of, and that must never drift."""
    value = {"b": [1, 1.0, None, True], "a": {"ä": "\n"}, "B": ()}

    assert canonical(value, "a") == '{"B":[],"a":{"ä":"\\n"},"b":[1,1.0,null,true]}'


def _endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [0, {"b": float("nan")}]}, r"a\.b: at value\['a'\]\[1\]\['b'\]: nan is no number in JSON; use None"),
        ([float("-inf")], r"at value\[0\]: -inf is no number"),
        ({"a": {1: "x"}}, r"at value\['a'\]: the key 1 is no text .*use str keys"),
        ({"a": date(2013, 1, 1)}, r"at value\['a'\]: a datetime\.date can not be kept as JSON; convert it to str"),
        ([{1}], r"at value\[0\]: a builtins\.set can not be kept"),
        ([object()], r"at value\[0\]: a builtins\.object"),
        ([PART], r"at value\[0\]: a .*Part can not be kept as JSON; .* return a dataclass"),
        (["\ud800"], r"at value\[0\]: .* is not valid text"),
        ({"\ud800": 1}, r"at value: .* is not valid text"),
        (_endless(), r"does it contain itself"),
    ],
)
def test_what_json_can_not_give_back(value: Any, message: str) -> None:
    """The error says where in the value, why, and what to do."""
    with pytest.raises(WrongValue, match=message):
        canonical(value, "a.b")


def test_a_dataclass_is_rebuilt() -> None:
    """Nested dataclasses, times, decimals, enums, tuples and sets come back as they are annotated."""
    assert read(name_of(Report), written(name_of(Report), REPORT)) == REPORT


def test_a_set_has_one_text() -> None:
    """Equal sets have equal texts, whatever order they iterate in."""
    assert '"tags":["a","b","c"]' in written(name_of(Report), REPORT)


def test_a_dataclass_field_that_is_no_json() -> None:
    """The place of a field is named as it is written in Python."""
    bad = Report([], datetime(2013, 1, 1, tzinfo=UTC), Decimal(1), best=Part(object(), PART.day))  # type: ignore[arg-type]

    with pytest.raises(WrongValue, match=r"a\.b: at value\.best\.name: a object can not be kept as JSON"):
        written(name_of(Report), bad)


def test_content_of_another_shape() -> None:
    """Content that the present class does not fit names the field."""
    with pytest.raises(UnreadableInput, match=r"a\.b: its content does not fit .*Part: .*`day`"):
        read(name_of(Part), '{"name":"x"}')


@pytest.mark.parametrize(
    "type_name", ["dataclass:no.such:Thing", "dataclass:json:Nothing", "dataclass:json:JSONDecoder"]
)
def test_a_class_that_is_not_there(type_name: str) -> None:
    """A dataclass that moved, or is none, is named."""
    with pytest.raises(UnreadableInput, match=type_name.removeprefix("dataclass:")):
        read(type_name, "{}")


def test_another_type_than_declared() -> None:
    """A source's JSON that is a list where a dict is declared is no dict."""
    with pytest.raises(UnreadableInput, match=r"a\.b: declared dict, but it holds a list"):
        read("dict", "[]")
    with pytest.raises(UnreadableInput, match="declared int, but it holds a bool"):
        read("int", "true")


def test_integers_are_floats_where_floats_are_declared() -> None:
    """A function that is declared to return float may return 3; it is 3.0 for who reads it."""
    assert written("float", 3) == "3.0"
    assert repr(read("float", "3")) == "3.0"


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    """A source's broken JSON is named with the line."""
    store = Objects(str(tmp_path))
    source = Source(objects=store, where="a.b", pieces=(store.put("x", b'{\n"a": }'),))

    with pytest.raises(UnreadableInput, match=r"a\.b: this is not JSON: .*line 2"):
        FORMAT.read(source, "dict")


def test_a_list_tells_its_length(tmp_path: Path) -> None:
    """Tasks are mapped over a list by its length, which is known without reading it; other values have no rows."""
    store = Objects(str(tmp_path))
    values = [("list", ["x"] * 3), ("list[int]", []), ("list", ["x"] * 100_000), ("dict", {"a": 1}), ("str", "abc")]
    rows = [write_value(store, f"v/{i}", "a", type_name, value).rows for i, (type_name, value) in enumerate(values)]

    assert rows == [3, 0, 100_000, None, None]


def test_an_integer_that_nobody_can_read_is_refused() -> None:
    """Python reads no integer of more digits than this from a text; it is refused where it is made."""
    most = 10**4_300 - 1
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # as honest code may
    try:
        assert str(most) == canonical(most, "a")
        for value in (most + 1, [-most - 1]):
            with pytest.raises(WrongValue, match=r"a: at value(\[0\])?: an integer of more than 4300 digits"):
                canonical(value, "a")
        with pytest.raises(WrongValue, match="an integer of 4301 digits"):
            checked("1" * 4_301)
    finally:
        sys.set_int_max_str_digits(digits)


@given(plain)
def test_what_is_kept_can_be_checked(value: Any) -> None:
    """Each canonical text is taken for what it is."""
    assert value == checked(canonical(value, "a"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1,",
        "[" * 9_000,
        "[" * 250 + "]" * 250,
        '"\\ud800"',
        '"\ud800"',
        "NaN",
        "-Infinity",
        "[-1e999]",
        '{"\\udfff":1}',
    ],
)
def test_what_others_could_not_read_is_refused(text: str) -> None:
    """A stranger's text is looked at before it is kept."""
    with pytest.raises(WrongValue):
        checked(text)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "this is not JSON"),
        (b"[" * 300 + b"]" * 300, "nested deeper than 200"),
        (b'["\\ud800"]', "half a character"),
        (b'{"a": {"\\ud800": 1}}', "half a character"),
    ],
)
def test_what_an_answer_can_not_hold_is_not_shown(tmp_path: Path, data: bytes, why: str) -> None:
    """A dropped file may hold it; whoever looks at that is told, and the look does not fail."""
    store = Objects(tmp_path.as_uri())
    source = Source(objects=store, where="the data", pieces=(store.put("v/value.json", data),), content=None)

    with pytest.raises(UnreadableInput, match=why):
        FORMAT.preview(source, 10)
