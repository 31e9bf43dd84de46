"""Is this machine fit to run a project? Checks of `riparian doctor`."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
import zoneinfo
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from riparian.api.cli.finding import Finding, Patient, fail, ok, warn
from riparian.scheduler.worker.attempts import fork_is_safe

LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 35, 0)
"""The first that knows RETURNING."""

SOME_ZONE = "Europe/Berlin"
LIBRARIES = ("pandas", "polars", "duckdb")
"""What an annotation may ask for and what is not installed with us."""

IN_MODIFY = 0x2


def python(_: Patient) -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < LEAST_PYTHON:
        return fail(f"{found} is too old", "use Python 3.11 or newer")
    return ok(f"{found}, {sys.executable}")


def sqlite(_: Patient) -> Finding:
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        return fail(f"{sqlite3.sqlite_version} is too old", f"use a Python that brings SQLite {least} or newer")
    return ok(sqlite3.sqlite_version)


def time_zones(_: Patient) -> Finding:
    try:
        zoneinfo.ZoneInfo.no_cache(SOME_ZONE)
    except zoneinfo.ZoneInfoNotFoundError:
        return fail(f"{SOME_ZONE} is not known here", "install the system's time zones, or the Python package tzdata")
    return ok("known")


def start_method(_: Patient) -> Finding:
    if fork_is_safe(os.environ):
        return ok("attempts are forked from a process that has imported the project")
    return ok("attempts are started anew: fork is not safe on this system, so each takes longer to begin")


def libraries(_: Patient) -> Finding:
    return ok(
        ", ".join(f"{name} {_version(name)}" for name in LIBRARIES) + " (needed only where annotations name them)"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def watching(patient: Patient) -> Finding:
    """Tries it: the limits alone do not say how much of them others use."""
    if sys.platform != "linux":
        return ok("by the system's own means")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    try:
        if descriptor < 0 or libc.inotify_add_watch(descriptor, os.fsencode(patient.root), IN_MODIFY) < 0:
            return warn(
                f"inotify has no room ({os.strerror(ctypes.get_errno())}): files and saves are found by listing, later",
                "raise fs.inotify.max_user_instances, fs.inotify.max_user_watches or `ulimit -n`",
            )
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    limits = Path("/proc/sys/fs/inotify")
    return ok(", ".join(f"{name} {_number(limits / name)}" for name in ("max_user_instances", "max_user_watches")))


def _number(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return "not told"
