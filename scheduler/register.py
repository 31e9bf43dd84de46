"""A project is applied: what changes? Takes its manifest and bundle; nothing of it is imported here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from riparian.assets.bundles import bundle_digest, read_zip
from riparian.assets.errors import DeclarationError, Invalid, Location, Problem, Refused
from riparian.assets.manifest import Manifest, WorkflowSpec
from riparian.assets.partitions import EVERYTHING, WHOLE, Dynamic, Interval, Partitions, Static, Windows, fits
from riparian.assets.partitions.latest import alike, near
from riparian.assets.policy import Principal
from riparian.assets.rules import check
from riparian.scheduler import clock
from riparian.scheduler import rebuild as rebuilding
from riparian.scheduler.core import limits
from riparian.scheduler.core.edits import is_edited
from riparian.scheduler.core.effective import OWNERS, owns
from riparian.scheduler.core.facts import CLOCK
from riparian.scheduler.core.graph import Graph, cutting_inputs
from riparian.scheduler.core.protocol import DEFAULT_POOL, written
from riparian.scheduler.plane import Plane
from riparian.scheduler.rebuild import Rebuild
from riparian.scheduler.wake import plan_and_wake
from riparian.storage.metadata import (
    audit,
    backfills,
    blockers,
    counters,
    definitions,
    dimensions,
    files,
    policies,
    runnable,
    slots,
    staleness,
    workflows,
)
from riparian.storage.metadata.database import Tx
from riparian.storage.objects import layout

REMEMBERED_SECONDS = 86_400
"""How long a workflow that is declared no more is remembered: what it waits for then survives that it comes back."""


class InvalidProject(DeclarationError):
    """A project whose declarations do not fit together; ``problems`` holds each of them."""

    code = "invalid_project"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply changed, by workflow key; ``pending`` are the assets whose looser policy waits for their owner,
    ``planned`` the runs that it called for at once."""

    definition: int
    bundle: str
    added: list[str]
    changed: list[str]
    removed: list[str]
    pending: list[str]
    planned: list[str]


def apply(plane: Plane, manifest: Manifest, bundle: bytes, by: Principal, rebuild: Rebuild = "none") -> Applied:
    """Makes ``manifest`` the project's current declarations and ``bundle`` what its next runs execute.

    Runs that are planned keep the bundle they were planned with. Raises InvalidProject, Invalid for a bundle that is
    not what the manifest names, Refused when ``by`` does not own what would change. Called twice it changes nothing.
    """
    examine(plane, manifest, by)
    if (found := bundle_digest(read_zip(bundle))) != manifest.bundle:
        raise Invalid(f"the bundle has digest {found}, the manifest names {manifest.bundle}; apply the project again")
    _store(plane, manifest.bundle, bundle)
    return plane.db.write(lambda tx: put_in_force(plane, tx, manifest, len(bundle), by, rebuild))


def examine(plane: Plane, manifest: Manifest, by: Principal) -> None:
    """Raises what an apply would be refused for, whatever its bundle."""
    # Before anything is unpacked, kept or told; the transaction asks again.
    plane.db.read(lambda tx: _refuse_foreign(tx, manifest, by))
    if problems := check(manifest.assets, manifest.workflows):
        raise InvalidProject(problems)
    _require_own(manifest)


def _require_own(manifest: Manifest) -> None:
    """A workflow makes assets of its own project: so that nobody's is taken over."""
    made_by = {a.key: a.producer for a in manifest.assets}
    if source := next((a for a in manifest.assets if a.kind == "source" and a.producer is not None), None):
        raise Invalid(f"the source {source.key} has a producer; write the manifest by `riparian apply`")
    for w in manifest.workflows:
        if not w.produces or any(made_by.get(key) != w.key for key in w.produces):
            raise Invalid(
                f"the workflow {w.key} does not make just the assets that this manifest declares as made by it; "
                "write the manifest by `riparian apply`"
            )


def _store(plane: Plane, digest: str, bundle: bytes) -> None:
    name = layout.bundle_name(digest)
    if plane.objects.exists(name) and plane.objects.get(name) == bundle:
        return
    # What a crash left half-written carries the digest's name but not its bytes.
    plane.objects.delete(name)
    plane.objects.put(name, bundle)


def put_in_force(plane: Plane, tx: Tx, manifest: Manifest, size: int, by: Principal, rebuild: Rebuild) -> Applied:
    """Does what ``apply`` promises, of a manifest that was examined and a bundle of ``size`` bytes that is kept."""
    _refuse_foreign(tx, manifest, by)
    others = definitions.current(tx)
    before = others.pop(manifest.project, None)
    definitions.add_bundle(tx, manifest.bundle, size)
    same = before == manifest
    number = counters.value(tx, "definitions") if same else definitions.add(tx, manifest, by.name)
    graph = Graph([*others.values(), manifest])
    pending = policies.declare(tx, manifest.project, manifest.assets, f"user:{by.name}")
    if limits.declared(graph.workflows.values()) != limits.declared(
        w for m in (*others.values(), *([before] if before else [])) for w in m.workflows
    ):
        slots.call_all(tx)
        tx.after_commit.append(lambda: plane.bells.ring(DEFAULT_POOL))
    added, changed, removed, back = _adopt(tx, graph, manifest, before)
    clock.declare(tx, manifest.project, manifest.workflows, set(added) - back, back)
    _forget_failures(tx, graph, added)
    staleness.release_all(tx)
    backfills.call_all(tx)
    # Files that were complete while their source was not declared wait no longer.
    staleness.mark(tx, [(s, Interval(p, p), "") for s, p in files.ready_targets(tx)])
    if rebuild != "none":
        rebuilding.ask(tx, graph, manifest.workflows, rebuild, number)
    if not same:
        tx.after_commit.append(lambda: plane.graphs.put(number, tx.now, graph))
        audit.append(tx, by=by.name, act="apply", on=manifest.project, detail=f"definition {number}")
    planned = plan_and_wake(tx, plane, graph).planned
    tx.after_commit.append(plane.bells.ring_daemon)  # which watches the folders of the sources that are declared now
    return Applied(
        definition=number,
        bundle=manifest.bundle,
        added=added,
        changed=changed,
        removed=removed,
        pending=[str(k) for k in pending],
        planned=planned,
    )


def read(plane: Plane, text: str, by: Principal) -> Manifest:
    """Returns the manifest that was sent. Raises Refused before it is read, when ``by`` may not apply its project."""
    return Manifest.from_json(text, lambda project: plane.db.read(lambda tx: _require_owner(tx, project, by)), written)


def _require_owner(tx: Tx, project: str, by: Principal, keys: Collection[str] = ()) -> None:
    """Only owners change what is theirs; a project without assets is begun by the group that owns everything."""
    if OWNERS in by.groups:
        return
    live = definitions.live_assets(tx, project)
    standings = policies.standings(tx, {*live, *keys}) if live else {}
    if not live or not all(owns(by, s.restriction.owner) for s in standings.values()):
        raise _not_theirs(project)


def _refuse_foreign(tx: Tx, manifest: Manifest, by: Principal) -> None:
    """Refuses whoever does not own what would change, and keys that another project has.

    To anybody but the owner it says nothing of what is declared here, or once was: a refusal must not be a way to ask
    for keys.
    """
    keys = dict(_declared(manifest))
    _require_owner(tx, manifest.project, by, {a.key for a in manifest.assets})
    # Workflows too: what a run of another project's workflow is for must not be decided by one of the same key.
    assets = definitions.foreign_assets(tx, manifest.project, keys)
    flows = definitions.foreign_workflows(tx, manifest.project, keys)
    own = {row.key for row in assets if owns(by, row.owner)}
    if OWNERS not in by.groups and not {row.key for row in (*assets, *flows)} <= own:
        raise _not_theirs(manifest.project)
    taken = {row.key: row.project for row in (*assets, *flows) if row.removed_at is None}
    doubled = [
        Problem(
            code="two_producers",
            message=f"{key} is declared by project {taken[key]} already",
            remedy="Give it another key, or remove it there first.",
            location=location,
        )
        for key, location in keys.items()
        if key in taken
    ]
    if doubled:
        raise InvalidProject(doubled)


def _not_theirs(project: str) -> Refused:
    return Refused(
        f"project {project} is not yours to apply: its owners do, and a new one is first applied by "
        f"somebody of the group {OWNERS}"
    )


def _declared(manifest: Manifest) -> list[tuple[str, Location | None]]:
    found: dict[str, Location | None] = {w.key: w.location for w in manifest.workflows}
    found.update((a.key, a.location) for a in manifest.assets)
    return list(found.items())


def _adopt(
    tx: Tx, graph: Graph, manifest: Manifest, before: Manifest | None
) -> tuple[list[str], list[str], list[str], set[str]]:
    """Notes new, changed and removed workflows, and returns them and which of the new ones only come back. A new one
    runs once, for its newest partition or each key; one that asks for what is missing, for each partition that
    its inputs have; one that comes back soon, also for all that it waited for."""
    known = workflows.of_project(tx, manifest.project)
    old = {w.key: w for w in (before.workflows if before else ())}
    declared = {w.key for w in manifest.workflows}
    added = [w for w in manifest.workflows if w.key not in known or known[w.key].removed_at is not None]
    new = {w.key for w in added}
    back = {w.key for w in added if w.key in known and _is_remembered(tx, known[w.key], w)}
    # Also those whose last declaration could not be read: what they missed meanwhile is not known.
    changed = [w for w in manifest.workflows if w.key not in new and (w.key not in old or is_edited(old[w.key], w))]
    removed = sorted(k for k, row in known.items() if row.removed_at is None and k not in declared)
    recut = [w for w in changed if w.key in old and _is_recut(old[w.key].partitions, w.partitions)]
    # A number of its own: what it is caused by is told from the causes of an earlier workflow of the same name.
    adopted_seq = counters.advance(tx, "change_seq") if added or recut else 0
    # An edit may make a reason untrue, and what a changed trigger waits for may have come already.
    rows: list[dict[str, Any]] = []
    marks = [(w.key, Interval(WHOLE, WHOLE), "") for w in changed if w.partitions is None]
    retimed = {w.key for w in changed if w.key not in old or w.trigger != old[w.key].trigger}
    cut = [w for w in changed if w.partitions]
    marks += [(w.key, EVERYTHING, "") for w in cut if w.key in retimed or w.partitions != old[w.key].partitions]
    marks += _asked_checks(graph, [w for w in changed if w.key not in old or w.checks != old[w.key].checks])
    for w in added:
        first = _first_partition(tx, graph, w)
        row = {"key": w.key, "project": manifest.project, "adopted_seq": adopted_seq, "first_partition": first or ""}
        if w.key in back:
            first = known[w.key].first_partition or first
            row |= {"first_partition": first or "", "news_seq": known[w.key].news_seq}
            marks.append((w.key, EVERYTHING, ""))
        rows.append({"news_seq": adopted_seq, **row})
        if isinstance(w.partitions, Static | Dynamic) or w.trigger.absences(w.produces):
            marks.append((w.key, EVERYTHING, ""))
        if first is not None:
            marks += [(w.key, i, "") for i in alike(w.partitions, first)]
    for w in recut:
        # Cut into other pieces it is like a new one: what its inputs have had for long is no news.
        first = _first_partition(tx, graph, w)
        rows.append(
            {
                "key": w.key,
                "project": manifest.project,
                "adopted_seq": adopted_seq,
                "news_seq": adopted_seq,
                "first_partition": first or "",
            }
        )
        marks += [(w.key, i, "") for i in alike(w.partitions, first)] if first is not None else []
    workflows.adopt(tx, rows)
    workflows.remove(tx, removed)
    for key in removed:
        backfills.end_all(tx, key, f"{key} is declared no more")
    for w in changed:
        if w.key in old and not _keeps_keys(old[w.key].partitions, w.partitions):
            backfills.end_all(tx, w.key, f"{w.key} is cut otherwise now; start another")
    for key in (*removed, *sorted(retimed)):
        staleness.release(tx, CLOCK, key)
    staleness.mark(tx, marks)
    return [w.key for w in added], [w.key for w in changed], removed, back


def _is_remembered(tx: Tx, known: Row[Any], workflow: WorkflowSpec) -> bool:
    """Whether a workflow that was removed is cut as it was, and not away for long."""
    cut_as_before = not known.first_partition or fits(workflow.partitions, known.first_partition)
    return cut_as_before and tx.now - known.removed_at <= REMEMBERED_SECONDS * 1_000_000


def _is_recut(before: Partitions | None, after: Partitions | None) -> bool:
    """Whether no partition of before is one of now."""
    return before != after and (before is None or after is None or not before.overlaps(after))


def _keeps_keys(before: Partitions | None, after: Partitions | None) -> bool:
    """Whether keys of before mean the same now: there may be more or fewer of them, and not others."""
    if isinstance(before, Dynamic):
        return before == after
    if isinstance(before, Windows) and isinstance(after, Windows):
        return before.to_json() | {"start": "", "end": ""} == after.to_json() | {"start": "", "end": ""}
    return type(before) is type(after)


def _asked_checks(graph: Graph, changed: Sequence[WorkflowSpec]) -> list[tuple[str, Interval, str]]:
    """Returns the marks of who waits for the checks of what these make."""
    looks = (e.workflow for w in changed for key in w.produces for e in graph.edges(key))
    asks = dict.fromkeys(w for w in looks if w.trigger.checked(i.asset for i in w.inputs))
    return [(w.key, EVERYTHING if w.partitions else Interval(WHOLE, WHOLE), "") for w in asks]


def _forget_failures(tx: Tx, graph: Graph, added: Sequence[str]) -> None:
    """What is declared no more, or anew, or has other partitions now, is waited for by nobody."""
    failed = blockers.failed(tx)
    gone = dimensions.gone(tx, graph, failed)
    for key, partition in failed:
        spec = graph.workflows.get(key)
        if spec is None or key in added or not fits(spec.partitions, partition) or (key, partition) in gone:
            staleness.repair(tx, key, partition)


def _first_partition(tx: Tx, graph: Graph, workflow: WorkflowSpec) -> str | None:
    if workflow.partitions is not None and cutting_inputs(graph, workflow.key):
        return runnable.latest(tx, graph, workflow.key)
    return near(workflow.partitions, tx.now)
