"""How does one test a project? With an instance of Riparian in memory: no server, no other process, no waiting.

``Instance`` holds a real catalogue, planner and commit, runs the project's functions in this process, and keeps a clock
that only the test moves. docs/testing.md shows it at work. Nothing here is loaded before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riparian.testing.clock import Clock
    from riparian.testing.instance import Instance
    from riparian.testing.told import Planned, Run, RunFailed

__all__ = ["Clock", "Instance", "Planned", "Run", "RunFailed"]

_HOMES = {"Clock": "clock", "Instance": "instance", "Planned": "told", "Run": "told", "RunFailed": "told"}


def __getattr__(name: str) -> object:
    # Each test session loads the plugin beside this file, also those that have nothing to do with Riparian.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"riparian.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
