"""What can follow the word under the cursor? Keys and runs, asked of the server while somebody waits for them.

A shell shows whatever is printed here, so there is one rule: the answer in time, or nothing. Only a server that runs is
asked: to open the project for this would take too long.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import typer

MOST_SECONDS = 0.3
PAGE = 500
WORD = re.compile(r"[A-Za-z0-9._-]+")
"""What keys and ids look like. A shell evaluates or shows what it is given: of anything else it is given nothing."""


def assets(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the keys that begin so and that the caller may know of."""
    return _beginning(_asked(context, "assets", "key"), incomplete)


def sources(context: typer.Context, incomplete: str) -> list[str]:
    """Returns those keys that are sources."""
    return _beginning(_asked(context, "assets", "key", kind="source"), incomplete)


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the newest runs whose ids begin so."""
    return _beginning(_asked(context, "runs", "id", limit=50), incomplete)


def assets_and_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Returns runs when the word can only be a run's, else keys."""
    return (runs if incomplete[:1].isdigit() else assets)(context, incomplete)


def _beginning(words: list[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _asked(context: typer.Context, path: str, field: str, **params: Any) -> list[str]:
    found: list[str] = []
    asking = threading.Thread(
        target=_ask, args=(found, context.params, path, field, {"limit": PAGE, **params}), daemon=True
    )
    asking.start()
    asking.join(MOST_SECONDS)
    return list(found)


def _ask(found: list[str], given: dict[str, Any], path: str, field: str, params: dict[str, Any]) -> None:
    # Not with httpx, whose import alone would take most of the time.
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    from riparian.api import settings, state
    from riparian.assets.errors import Invalid

    try:
        folder = settings.load(Path(given.get("project") or Path.cwd())).state
        running = state.running_server(folder)
        url = urlsplit(given.get("url") or (running.url if running else ""))
        token = state.token_for(folder, url.geturl())
        if not url.hostname or not token:
            return
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.hostname, url.port, timeout=MOST_SECONDS)
        headers = {"Authorization": f"Bearer {token}"}
        if given.get("on_behalf"):
            headers["X-Riparian-As"] = given["on_behalf"]
        while True:
            connection.request("GET", f"{url.path}/api/v1/{path}?{urlencode(params)}", headers=headers)
            page = json.loads(connection.getresponse().read())
            found.extend(item[field] for item in page["items"] if WORD.fullmatch(item[field]))
            if not page["next"] or path == "runs":
                return  # of runs, only the newest are of interest
            params["cursor"] = page["next"]
    except (Invalid, OSError, HTTPException, ValueError, KeyError, TypeError):
        return  # nothing that could be said here would help who only wanted a word completed
