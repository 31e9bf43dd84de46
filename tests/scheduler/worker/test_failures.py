"""Does a person read what went wrong in their code, and nothing else?"""

from __future__ import annotations

from pathlib import Path

import pytest

from riparian.assets.errors import Invalid
from riparian.scheduler.worker.failures import LIMIT, error_text, is_retryable
from riparian.storage.objects import ObjectMissing, SourceChanged, UnreadableInput, WrongValue


def raised_by(bundle: Path, code: str) -> BaseException:
    file = bundle / "work.py"
    file.write_text(code)
    try:
        exec(compile(code, str(file), "exec"), {})  # noqa: S102 -- stands for the user's module
    except BaseException as exc:  # noqa: BLE001 -- whatever it raises is the point
        return exc
    raise AssertionError("it did not raise")


def test_only_the_users_frames(tmp_path: Path) -> None:
    """Frames of the bundle are shown with file names relative to it; ours and the library's are not."""
    exc = raised_by(tmp_path, "import json\ndef f():\n    json.loads('{')\nf()\n")
    text = error_text(exc, tmp_path)

    assert '  File "work.py", line 4, in <module>\n    f()\n  File "work.py", line 3, in f' in text
    assert "json.decoder.JSONDecodeError: Expecting property name" in text
    assert "decoder.py" not in text
    assert str(tmp_path) not in text


def test_cause_is_told(tmp_path: Path) -> None:
    """A chained exception keeps its cause."""
    exc = raised_by(tmp_path, "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e\n")
    text = error_text(exc, tmp_path)

    assert text.index("ZeroDivisionError") < text.index("direct cause") < text.index("KeyError: 'x'")


def test_mistake_with_a_remedy_is_just_told(tmp_path: Path) -> None:
    """Errors of reading and writing say what, why and what to do: no traceback."""
    assert "air.flights: line 3 is broken" == error_text(UnreadableInput("air.flights: line 3 is broken"), tmp_path)


def test_long_text_is_cut_in_the_middle(tmp_path: Path) -> None:
    """At most 16 KiB, with both ends kept."""
    text = error_text(ValueError("a" * 50_000 + "end"), tmp_path)

    assert len(text.encode()) <= LIMIT
    assert text.startswith("ValueError: aaa")
    assert text.endswith("aend")
    assert "bytes left out" in text


@pytest.mark.parametrize(
    ("exc", "retryable"),
    [
        (ValueError("x"), True),
        (SystemExit(1), True),
        (OSError("disk"), True),
        (ObjectMissing("x"), True),
        (Invalid("x"), False),
        (WrongValue("x"), False),
        (UnreadableInput("x"), False),
        (SourceChanged("x"), False),
    ],
)
def test_retryable(exc: BaseException, retryable: bool) -> None:
    """What must end the same way again is not tried again."""
    assert retryable == is_retryable(exc)
