"""What does every use case work with? The rooms that a control plane wires together, without its loops."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riparian.scheduler.bells import Bells
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.limits import Limits
from riparian.storage.access import Access
from riparian.storage.metadata.database import Database
from riparian.storage.metadata.definitions import GraphCache
from riparian.storage.objects import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """``root`` is the project's folder, ``state`` where the control plane keeps its own files. A worker that is silent
    for ``lease_seconds`` has lost its leases; without ``sensors`` no folder is watched. ``pool_limits`` say how many
    steps of a pool may be under way at once, ``key_limits`` replace the numbers that are declared for limits' keys."""

    root: Path
    state: Path
    database_url: str
    storage_url: str
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    lease_seconds: float = 15.0
    heartbeat_seconds: float = 3.0
    sensors: bool = True
    pool_limits: Mapping[str, int] = field(default_factory=dict)
    key_limits: Mapping[str, int] = field(default_factory=dict)


class Plane:
    """The catalogue, the store, the gate and the bells of one control plane. It decides nothing itself."""

    def __init__(self, settings: ControlSettings) -> None:
        self.settings = settings
        self.db = Database(settings.database_url)
        self.objects = Objects(settings.storage_url, **settings.storage_options)
        self.graphs = GraphCache()
        self.key = _instance_key(settings.state / "key")
        self._limits = Limits(pools=settings.pool_limits, keys=settings.key_limits)
        self.access = Access(self.db, self.objects, self.graphs, key=self.key, limits=self._limits)
        self.bells = Bells()
        self.opened: dict[str, tuple[str, str]] = {}  # hash of a session's secret → (session, pool)

    def limits(self, graph: Graph) -> Limits:
        """Returns the limits that hold while these are the declarations."""
        return self._limits.of(graph.limits)


def _instance_key(path: Path) -> bytes:
    """Returns the secret that leases are derived from, made once; only this user can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()
