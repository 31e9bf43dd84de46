"""How is a process for user code started, and what may it find in its environment?

Only what is named here: the worker's own token and settings stay with the supervisor.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

PROGRAM = (sys.executable, "-P", "-m", "riparian.scheduler.worker.zygote")

PASSED = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
PASSED |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "RIPARIAN_STORAGE_OPTIONS"}
PREFIXES = ("LC_", "PYTHON", "AWS_", "AZURE_", "GOOGLE_", "GCLOUD_", "FSSPEC_", "OMP_", "ARROW_", "POLARS_")
"""Storage credentials pass: children read and write the store themselves."""

FIXED = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
"""Hashes must not differ between attempts; and a verified bundle must run from its sources, not from a cache."""


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of zygotes and their children.

    ``RIPARIAN_PASS_ENV`` names further variables, divided by commas; a name that begins with ``RIPARIAN_`` never passes
    that way, so that no token can be handed over by a slip.
    """
    named = {name.strip() for name in environ.get("RIPARIAN_PASS_ENV", "").split(",")}
    named = {name for name in named if not name.startswith("RIPARIAN_")}
    passed = {k: v for k, v in environ.items() if k in PASSED or k in named or k.startswith(PREFIXES)}
    return passed | FIXED
