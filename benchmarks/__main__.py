"""Measures, prints the table, and with ``--write`` puts it into docs/performance.md.

``python -m benchmarks [--write] [FIGURE ...]``; without names all figures are measured, which takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import table
from benchmarks.figures import FIGURES, measure

RESULT = Path(__file__).with_name("result.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--write", action="store_true", help="write benchmarks/result.json and docs/performance.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.figures) - FIGURES.keys():
        parser.error(f"there is no figure {sorted(unknown)[0]!r}; there are {', '.join(FIGURES)}")
    _keep_bytecode()
    result: dict[str, Any] = {"machine": _machine(), "figures": {}}
    for name in arguments.figures or FIGURES:
        print(f"{name} …", end=" ", file=sys.stderr, flush=True)
        circumstances = {"at": _now(), "load_before": round(os.getloadavg()[0], 1)}
        result["figures"][name] = circumstances | measure(name)
        print(json.dumps(result["figures"][name]), file=sys.stderr)
    _print(result["figures"])
    if arguments.write:
        _write(result)
    return 0


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "loop_s": round(_loop_s(), 2),
    }


def _keep_bytecode() -> None:
    """Has every process keep compiled modules, as an installed package has them, if that was switched off here."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _loop_s() -> float:
    """Returns the seconds of ten million empty rounds: how fast this machine is now."""
    started = time.perf_counter()
    for _ in range(10_000_000):
        pass
    return time.perf_counter() - started


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _print(figures: dict[str, Any]) -> None:
    shown = Table(*table.COLUMNS)
    for row in table.cells(figures):
        shown.add_row(*row)
    Console().print(shown)


def _write(result: dict[str, Any]) -> None:
    """Keeps the figures of earlier calls that were not measured again; each says when it was."""
    before = json.loads(RESULT.read_text(encoding="utf-8"))["figures"] if RESULT.exists() else {}
    result["figures"] = {
        name: figures for name in FIGURES if (figures := result["figures"].get(name) or before.get(name))
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    machine = result["machine"]
    days = sorted({figures["at"][:10] for figures in result["figures"].values()})
    busiest = max(figures["load_before"] for figures in result["figures"].values())
    said = (
        f"Machine: {machine['cores']} cores, {machine['system']}, Python {machine['python']}; {' and '.join(days)}; "
        f"load average before a figure at most {busiest}; ten million empty rounds of Python took "
        f"{machine['loop_s']} s."
    )
    PAGE.write_text(f"{head}{BEGIN}\n{table.markdown(result['figures'])}\n\n{said}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
