"""How does it look? Sober colours and a board that fills at a terminal; the same in plain lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

Justify = Literal["left", "center", "right"]

PIPE_WIDTH = 104
WORDS_WIDTH = 96
WIDE = 104
LABEL_WIDTH = 19
CELL_WIDTH = 7


@dataclass(slots=True)
class Row:
    """One delivery: what became of it, by asset."""

    label: str
    cells: dict[str, str] = field(default_factory=dict)


class Screen:
    """Where the story is told: the terminal or pipe that is standard output."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a C locale must not end the story
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)

    @property
    def is_live(self) -> bool:
        return self._console.is_terminal

    @property
    def is_wide(self) -> bool:
        return self._console.width >= WIDE

    def title(self, text: str) -> None:
        self._console.print()
        self._print(Text(text, style="bold"))

    def chapter(self, number: int, text: str) -> None:
        self._console.print()
        self._print(Text.assemble((f"{number}  ", "cyan"), (text, "bold")))

    def say(self, *parts: str | tuple[str, str]) -> None:
        """Prints a paragraph."""
        self._print(Text.assemble(*parts), indent=3)

    def notes(self, notes: Iterable[tuple[str, str]]) -> None:
        """Prints what is to be said of some rows of the board."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=LABEL_WIDTH, no_wrap=True)
        grid.add_column()
        for label, text in notes:
            grid.add_row(Text(label, style="bold"), text)
        self._print(grid, indent=3)

    def commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """Prints what can be typed, each with a word on it; never broken, so that it can be copied."""
        column = max(len(text) for text, _ in commands) + 2
        for text, comment in commands:
            said = (f"{'':{column - len(text)}}# {comment}" if comment else "", "dim")
            self._console.print(Text.assemble("   ", (text, "bold"), said), soft_wrap=True)

    def exchange(self, who: str, question: str, status: int, answer: str) -> None:
        """Prints a question and its exact answer."""
        self._console.print(Text.assemble("   ", (f"{who:<4}", "bold"), (question, "dim")), soft_wrap=True)
        style = "bold green" if status < 400 else "bold red"
        self._print(Text.assemble((f"{status} ", style), answer), indent=7)

    def table(self, columns: Sequence[tuple[str, Justify]], rows: Iterable[Sequence[str | Text]]) -> None:
        """Prints a table. ``columns`` are names and how they are justified."""
        table = Table(
            box=box.SIMPLE_HEAD if self.is_live else None, show_edge=False, pad_edge=False, header_style="dim"
        )
        for name, justify in columns:
            table.add_column(name, justify=justify)
        for row in rows:
            table.add_row(*row)
        self._print(table, indent=3)

    def tree(self, tree: Tree) -> None:
        self._print(tree, indent=3)

    def _print(self, what: RenderableType, indent: int = 0) -> None:
        width = min(self._console.width, WORDS_WIDTH)
        with self._console.capture() as captured:
            self._console.print(Padding(what, (0, 0, 0, indent), expand=False), width=width)
        # Lines are filled up with blanks, which a pipe or a copy would keep.
        for line in captured.get().splitlines():
            self._console.file.write(line.rstrip() + "\n")
        self._console.file.flush()

    @contextmanager
    def board(self, assets: Sequence[str]) -> Iterator[Board]:
        """Gives a board that shows rows as they fill."""
        board = Board(assets, self._console)
        if not self.is_live:
            board.print_heads()
            yield board
            return
        with Live(board.table(), console=self._console, refresh_per_second=12) as live:
            board.live = live
            yield board
            live.update(board.table(), refresh=True)


class Board:
    """Deliveries below each other, assets side by side: when each had its new version, in seconds since the drop."""

    def __init__(self, assets: Sequence[str], console: Console) -> None:
        self._assets = assets
        self._console = console
        self._rows: list[Row] = []
        self.live: Live | None = None

    def add(self, label: str) -> Row:
        row = Row(label)
        self._rows.append(row)
        self.refresh()
        return row

    def refresh(self) -> None:
        if self.live is not None:
            self.live.update(self.table())

    def done(self, row: Row) -> None:
        """In a pipe the row is printed now, once and whole."""
        self.refresh()
        if self.live is None:
            self._print_line(row.label, [row.cells.get(a, "") for a in self._assets])

    def print_heads(self) -> None:
        heads = [_head(a) for a in self._assets]
        self._print_line("delivered", [first for first, _ in heads])
        self._print_line("", [second for _, second in heads])

    def table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=0)
        table.add_column("   delivered", width=LABEL_WIDTH + 3, no_wrap=True)
        for asset in self._assets:
            table.add_column("\n".join(_head(asset)), justify="right", width=CELL_WIDTH, no_wrap=True)
        for row in self._rows:
            table.add_row(f"   {row.label}", *(_cell(row.cells.get(a, "")) for a in self._assets))
        return table

    def _print_line(self, label: str, cells: Iterable[str]) -> None:
        text = f"   {label:<{LABEL_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH + 1}}" for cell in cells)
        self._console.print(Text(text.rstrip()), soft_wrap=True)


def _head(asset: str) -> tuple[str, str]:
    name = asset.rpartition(".")[2]
    first, underscore, second = name.partition("_")
    if underscore or len(name) <= CELL_WIDTH:
        return first, underscore + second
    return f"{name[: CELL_WIDTH - 1]}-", name[CELL_WIDTH - 1 :]


def _cell(text: str) -> Text:
    styles = {"same": "yellow", "…": "cyan", "–": "dim", "?": "yellow"}
    return Text(text, style=styles.get(text, "green"))
