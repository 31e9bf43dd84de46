"""Is the OpenAPI page true? Schemathesis sends what it allows, and what it forbids, to an app that really listens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Doors

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("groups", "phases"),
    # What the shapes of requests can show, one caller shows; the stranger is for what another right answers.
    [(("owners",), "coverage,fuzzing,stateful"), ((), "fuzzing")],
    ids=["owner", "stranger"],
)
def test_every_door_answers_as_the_page_says(
    doors: Doors, tmp_path: Path, groups: tuple[str, ...], phases: str
) -> None:
    """All its checks: no bug of ours, every status, media type, header and body as declared, nothing that the page
    forbids is taken, nothing that it allows is turned away for its shape, no door without a token."""
    doors.apply()
    doors.ask("POST", "assets/demo.numbers/materialize", json={})
    doors.work({"one": 1}, log=b"counting\n")
    doors.work({"total": 1})
    token = doors.token_of("fuzz", *groups)
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "--config-file", str(CONFIG), "run"]
    command += [f"{doors.url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", "all"]
    command += ["--phases", phases, "--max-examples", "4", "--seed", "1", "--generation-deterministic", "--no-shrink"]
    command += ["--continue-on-failure", "--suppress-health-check", "all", "--no-color", "--warnings", "off"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)

    assert 0 == ran.returncode, ran.stdout[-20_000:] + ran.stderr[-5_000:]
