"""Is what the documentation shows true?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / "changelog.d").glob("*.md"),
        *(ROOT / "api" / "starter").glob("*.md"),
    ]
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
INLINE = re.compile(r"`(riparian [^`]+)`")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def _run(page: Path) -> dict[str, object]:
    """Runs a page's Python blocks in order, as one module."""
    names: dict[str, object] = {"__name__": f"page_{page.stem}"}
    source = "\n\n".join(_blocks(page, "python", "py"))
    exec(compile(source, str(page), "exec"), names)  # noqa: S102 - running it is the test
    return names


def _commands(page: Path) -> Iterator[list[str]]:
    """The words of every `riparian …` command that the page shows, without comments."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _blocks(page, "sh", "bash", "console") for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(text)]:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["riparian"] and len(words) > 1:
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that exists."""
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [] == [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", [p for p in PAGES if _blocks(p, "python", "py")], ids=_name)
def test_python_blocks_run(page: Path) -> None:
    """The Python that a page shows runs from top to bottom."""
    names = _run(page)

    assert names.keys() > {"__name__", "__builtins__"}


def test_no_python_block_escapes() -> None:
    """Every fenced block says its language, and none is Python under a name that is not run."""
    languages = {
        language
        for page in PAGES
        for language, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language or re.search(r"^(?:from \S+ )?import ", body, re.MULTILINE)
    }

    assert languages <= {"python", "py", "sh", "bash", "console", "toml", "mermaid", "json", "text"}


def test_readme_example_does_what_it_says() -> None:
    """The README's functions are plain ones: called with a table, they count late departures by carrier."""
    names = _run(ROOT / "README.md")
    flights = pa.table({"carrier": ["UA", "UA", "B6"], "dep_delay": [20, 0, 16]})
    late, late_by_carrier = names["late"], names["late_by_carrier"]
    assert callable(late)
    assert callable(late_by_carrier)

    assert {"UA": 1, "B6": 1} == late_by_carrier(late(flights))


def test_readme_example_is_the_example() -> None:
    """What the README shows is the file of examples/first_asset, which is run; only empty lines may differ."""
    [shown] = _blocks(ROOT / "README.md", "python")
    example = (ROOT / "examples" / "first_asset" / "flights.py").read_text(encoding="utf-8")

    assert [line for line in example.splitlines() if line] == [line for line in shown.splitlines() if line]


def test_readme_story_is_the_example() -> None:
    """What the README asks about its assets is what the example's page asks, in the same order."""
    pages = (ROOT / "README.md", ROOT / "examples" / "first_asset" / "README.md")
    shown, told = ([words for words in _commands(page) if "air.late_by_carrier" in words] for page in pages)

    assert len(shown) > 4
    assert told == shown


def _is_known(words: list[str]) -> bool:
    """Whether the command line has this command, with each of its ``--options``."""
    from riparian.api.cli import app

    command: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        # Of a group that begins something: the key of what to begin stands for that.
        named = rest[0] in command.commands or "start" not in command.commands
        command = command.commands.get(rest.pop(0) if named else "start")
    options = {name for p in command.params for name in p.opts} if command else set()
    return command is not None and {word for word in rest if word.startswith("--")} <= options


@pytest.mark.parametrize("page", [p for p in PAGES if any(_commands(p))], ids=_name)
def test_commands_exist(page: Path) -> None:
    """Every `riparian` command that a page shows exists, with the options it is shown with."""
    unknown = [" ".join(words) for words in _commands(page) if not _is_known(words)]

    assert [] == unknown


def test_commands_that_messages_name_exist() -> None:
    """No error, reason or help text sends anybody to a command that is not there."""
    rooms = ("api", "assets", "scheduler", "storage", "riparian", "examples")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    named = {(_name(path), text) for path in sources for text in INLINE.findall(path.read_text(encoding="utf-8"))}

    assert len(named) > 10
    assert [] == sorted((page, text) for page, text in named if not _is_known(text.split()[1:]))


@pytest.mark.parametrize("words", [["swim"], ["token", "melt"], ["check", "--harder"]])
def test_unknown_commands_are_found(words: list[str]) -> None:
    """The search of the test before finds a command, a subcommand and an option that do not exist."""
    assert not _is_known(words)


def test_glossary_words_are_unique() -> None:
    """A word stands once in the glossary."""
    rows = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert len(rows) > 20
    assert sorted(set(rows)) == sorted(rows)


def test_every_decision_is_listed() -> None:
    """The list of decisions names each page, and each page says context, choice and what was given up."""
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))

    assert [page.name for page in pages] == listed
    for page in pages:
        headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert ["Context", "Choice", "What we gave up"] == headings, page.name
