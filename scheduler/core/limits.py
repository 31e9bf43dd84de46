"""Which limits hold for a step, and how many may be under each at once?

A step takes a place under each of its limits, in the order in which ``names`` gives them: that of its workflow, which
its run keeps to the end, then those of its keys. Because all take them in one order, no two ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from riparian.assets.manifest import WorkflowSpec

WORKFLOW, KEY, POOL = "workflow:", "key:", "pool:"
"""What a limit's name begins with: whose it is."""

BACK_OFF = "@clock"
"""What a step waits for between two tries. No limit has this name, and every limit's name is greater."""


def names(workflow: WorkflowSpec) -> tuple[str, ...]:
    """Returns the names of the limits that the workflow declares, in the order in which a step takes them."""
    return tuple(sorted((_name(workflow, limit.key) for limit in workflow.limits), key=lambda n: (n[0] != "w", n)))


def of_run(name: str) -> bool:
    """Whether runs are counted under the limit of this name; else steps are."""
    return name.startswith(WORKFLOW)


def declared(workflows: Iterable[WorkflowSpec]) -> dict[str, int]:
    """Returns how many may be under each declared limit; of several numbers for one key the smallest."""
    found: dict[str, int] = {}
    for workflow in workflows:
        for limit in workflow.limits:
            name = _name(workflow, limit.key)
            found[name] = min(limit.most, found.get(name, limit.most))
    return found


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that hold: what the operator set (by pool and by key), else what is ``declared``."""

    declared: Mapping[str, int] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)

    def of(self, declared: Mapping[str, int]) -> Limits:
        """Returns those that hold while these are declared."""
        return Limits(declared, self.pools, self.keys)

    def most(self, name: str) -> int | None:
        """Returns how many may be under the limit of this name; None: it limits nothing any more."""
        if name.startswith(POOL):
            return self.pools.get(name.removeprefix(POOL))
        # Steps that were planned with a key that nobody declares now are free of it, whatever the operator set.
        if (most := self.declared.get(name)) is None:
            return None
        return self.keys.get(name.removeprefix(KEY), most) if name.startswith(KEY) else most

    def words(self, name: str) -> str:
        """Returns why a step waits that has no place under this limit."""
        kind, _, of = name.partition(":")
        most = self.most(name)
        number = "all that may be" if most is None else str(most)
        match kind:
            case "workflow":
                return f"at the limit of {of}: {number} of its runs are under way"
            case "key":
                return f"at the limit of {of}: {number} of the steps that share it are under way"
            case _:
                return f"at the limit of the pool {of}: {number} of its steps are under way"


NOTHING_SET = Limits()


def _name(workflow: WorkflowSpec, key: str | None) -> str:
    return f"{WORKFLOW}{workflow.key}" if key is None else f"{KEY}{key}"
