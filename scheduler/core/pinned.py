"""What is fixed when a run is planned? Its inputs and its steps, as they are written into the metadata."""

from __future__ import annotations

from dataclasses import dataclass, field

from riparian.assets.retry import Retry
from riparian.assets.tasks import Argument, Road
from riparian.scheduler.core.protocol import DEFAULT_POOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One input of a run, fixed when it was planned: the heads of ``asset`` in ``lo..hi`` as of a change_seq.

    ``version`` is set where that is one version; ``digest`` is of the content (of all of it, for a set). ``more`` are
    further intervals; where ``lo`` lies behind ``hi`` nothing is meant. ``label`` is as in core.graph.Edge.
    ``parameter`` is empty for an asset that only the trigger names: waited for, not granted. ``dimensions`` are named
    where the asset has several.
    """

    parameter: str
    asset: str
    many: bool
    lo: str
    hi: str
    as_of: int
    seq: int
    digest: str
    origins: tuple[str, ...]
    version: str | None = None
    label: str = ""
    more: tuple[tuple[str, str], ...] = ()
    dimensions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the input is called in traces (see core.graph.Edge.name)."""
        label = self.label or ("all" if self.many else "")  # runs that an older release planned have none
        return f"{self.asset}[{label}]" if label else self.asset

    @property
    def intervals(self) -> tuple[tuple[str, str], ...]:
        """The partitions that are meant, as (lo, hi)."""
        return ((self.lo, self.hi), *self.more)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """What a step runs, fixed when its run is planned. ``pool`` may take it.

    ``outputs`` are the assets that it makes; none: its result is an intermediate. ``made_from`` are the workflow's
    inputs that it takes itself or through the tasks before it. ``item`` is set where a map goes through the results of
    another and some made none: the number of the one that it receives. A check has ``checks``, the asset whose value
    it judges, with the name of the ``check``. ``limits`` are the names of those that it takes places under, in order;
    its rank lies ``lift`` microseconds before it is ready. ``dimensions`` are the names of the partition's. The rest is
    as in TaskSpec.
    """

    task: str
    module: str | None = None
    qualname: str | None = None
    context: str | None = None
    returns: str = ""
    arguments: tuple[Argument, ...] = ()
    outputs: tuple[str, ...] = ()
    made_from: tuple[str, ...] = ()
    mapped: str = ""
    item: int | None = None
    roads: tuple[Road, ...] = ()
    labels: tuple[str, ...] = ()
    checks: str = ""
    check: str = ""
    blocking: bool = False
    path: str | None = None  # of an ingest step: the file
    fingerprint: str | None = None
    format: str | None = None
    retry: Retry = field(default_factory=Retry)
    timeout_seconds: float | None = None
    pool: str = DEFAULT_POOL
    limits: tuple[str, ...] = ()
    lift: int = 0
    dimensions: tuple[str, ...] = ()
