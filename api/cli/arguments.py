"""What can be put in the place of an argument? Arguments that many commands take, each with what completes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from riparian.api.cli import completion

Key = Annotated[str, typer.Argument(help="The asset.", autocompletion=completion.assets)]
SourceKey = Annotated[str, typer.Argument(help="The source.", autocompletion=completion.sources)]
Run = Annotated[str, typer.Argument(help="The run.", autocompletion=completion.runs)]
Partition = Annotated[str | None, typer.Option("--partition", "-p", help="Which partition.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Returns what completes an option that takes one of these words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete
