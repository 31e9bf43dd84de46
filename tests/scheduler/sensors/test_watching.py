"""Where is it worth looking?"""

import pytest

from riparian.scheduler.sensors import watching
from riparian.scheduler.sensors.watching import MOVED, TOUCHED, WRITTEN, Doorbell, Hints


@pytest.mark.parametrize(
    ("kinds", "renamed"),
    [
        ([MOVED], True),
        ([WRITTEN, MOVED], True),
        ([MOVED, TOUCHED], True),
        ([MOVED, WRITTEN], False),
        ([MOVED, WRITTEN, TOUCHED], False),
        ([TOUCHED], False),
        ([], False),
    ],
)
def test_a_write_after_a_rename_takes_its_meaning_away(kinds: list[str], renamed: bool) -> None:
    """The last of rename and write counts; being opened or closed does not."""
    hints = Hints()
    for kind in kinds:
        hints.add("a.csv", kind)

    assert renamed == hints.was_renamed("a.csv")


def test_a_renamed_folder_renames_what_is_in_it() -> None:
    """Files at any depth below it count as renamed, unless one was written since; files beside it do not."""
    hints = Hints(moved_folders={"x"})
    hints.add("x/written.csv", WRITTEN)
    hints.add("x/y/touched.csv", TOUCHED)
    paths = ("x/a.csv", "x/y/touched.csv", "x/written.csv", "xx/a.csv", "a.csv")

    assert [True, True, False, False, False] == [hints.was_renamed(path) for path in paths]


def test_too_many_hints_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for hints is bounded: beyond it the folder is listed."""
    monkeypatch.setattr(watching, "MOST_HINTS", 10)
    hints = Hints()
    for n in range(25):
        hints.add(f"{n}.csv", TOUCHED)

    assert hints.wants_listing
    assert len(hints.paths) <= 10


def test_the_doorbell_forgets_what_was_taken() -> None:
    """Hints are by folder, and taken once."""
    doorbell = Doorbell()
    doorbell.hint("/a", "x.csv", MOVED)
    doorbell.hint_folder("/b", moved="y")
    taken = doorbell.take()

    assert {"/a": Hints(paths={"x.csv": MOVED}), "/b": Hints(moved_folders={"y"}, wants_listing=True)} == taken
    assert {} == doorbell.take()
    assert not doorbell.rung.is_set()
