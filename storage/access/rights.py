"""May this principal read this, right now? The one judgement that every door asks for."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from riparian.assets.errors import NotFound, Refused
from riparian.assets.keys import AssetKey
from riparian.assets.manifest import WorkflowSpec
from riparian.assets.partitions import Dynamic, fits
from riparian.assets.policy import Policy, Principal
from riparian.scheduler.core.dimensions import Dimension
from riparian.scheduler.core.effective import Denial, Restriction, denials, effective, owns, policy_of, unknown
from riparian.scheduler.core.graph import Graph
from riparian.scheduler.core.limits import NOTHING_SET, Limits
from riparian.storage.metadata import catalogue, dimensions, policies
from riparian.storage.metadata.database import Tx
from riparian.storage.metadata.principals import Bearer

RESTRICTED = "restricted"
"""What stands in place of a name that the reader may not know."""

UNNAMED = "a restricted asset"
"""The same in the middle of a sentence."""

CHECK_FAILED = "check_failed"
WITHHELD = ("withheld", "waits for something that tells of data you may not read")
"""The reason that stands in place of one that names a check."""

_PIECES = re.compile(rf"(?<=partitions of {UNNAMED}): .*?(?= and waiting for |$)")
"""Which partitions of an asset a reason says are there, behind the name that can not be told."""

_NAME = re.compile(r"(?<!\w)([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?!\w)(\[[^\]\s]*\])?")
"""What has the form of a key, at its longest (``air.flights`` is not found in ``air.flights_csv``), with a partition
where one is named."""


@dataclass(slots=True)
class Epoch:
    """What was looked up since policies, owners, principals or tokens last changed. Shared by threads: each entry is
    the same whoever puts it there."""

    number: int = -1
    standings: dict[str, policies.Standing | None] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    bearers: dict[str, Bearer] = field(default_factory=dict)
    current: dict[int, list[int]] = field(default_factory=dict)
    outputs: dict[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)


class Judge:
    """What ``principal`` may read in the snapshot ``tx``; made for one question and thrown away."""

    def __init__(
        self,
        tx: Tx,
        graph: Graph,
        epoch: Epoch,
        principal: Principal,
        secret: bytes = b"",
        limits: Limits = NOTHING_SET,
    ) -> None:
        self.tx = tx
        self.graph = graph
        self.principal = principal
        self.limits = limits.of(graph.limits)
        self.now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tx.now)
        self._epoch = epoch
        self._secret = secret
        self._heads: dict[str, dict[str, int]] = {}
        self._bounds: dict[str, bool] = {}
        self._owns_some: dict[tuple[str, str], bool] = {}
        self._may_say: dict[str, bool] = {}

    # One origin, one set of origins.

    def restriction(self, asset: str) -> Restriction:
        self._load_standings([asset])
        standing = self._epoch.standings[asset]
        return unknown(asset) if standing is None else standing.restriction

    def standing(self, asset: str) -> policies.Standing | None:
        """Returns the asset's row; None when it was never declared."""
        self._load_standings([asset])
        return self._epoch.standings[asset]

    def admits(self, assets: Iterable[str]) -> bool:
        """Whether the current policy of each of these assets permits the principal."""
        assets = list(assets)
        self._load_standings(assets)
        return all(policy_of(self.restriction(a)).permits(self.principal, self.now) for a in assets)

    def permits(self, origin_set: str, *also: str) -> bool:
        """Whether the principal may read what has this origin set and was made into the assets ``also``."""
        return self._policy(origin_set).permits(self.principal, self.now) and self.admits(also)

    def denials(self, origin_set: str, *also: str) -> tuple[Denial, ...]:
        """Returns why not, for each origin that does not admit the principal."""
        return self.denials_of(self.origins([origin_set]) | set(also))

    def denials_of(self, assets: Collection[str]) -> tuple[Denial, ...]:
        self._load_standings(assets)
        return denials((self.restriction(a) for a in assets), self.principal, self.now)

    def origins(self, origin_sets: Collection[str]) -> frozenset[str]:
        """Returns the assets of all these origin sets together."""
        self._load_members(origin_sets)
        return frozenset(a for s in origin_sets for a in self._epoch.members[s])

    # One asset.

    def owns(self, asset: str) -> bool:
        standing = self.standing(asset)
        return standing is not None and owns(self.principal, standing.restriction.owner)

    def readable(self, asset: str) -> bool:
        """Whether the principal may read a head of the asset or, without one yet, all that it will come from."""
        sets = self.head_origins(asset)
        if sets:
            return any(self.permits(s, asset) for s in sets)
        return AssetKey(asset) in self.graph.assets and self._within_bound(asset)

    def visible(self, asset: str) -> bool:
        """Whether the principal may know that the asset exists."""
        return self.owns(asset) or self.readable(asset)

    def require_own(self, asset: str, act: str) -> None:
        """Raises NotFound unless the principal may know of the asset, and Refused unless it is theirs to ``act`` on."""
        if not self.visible(asset):
            raise self.missing("asset", asset)
        if not self.owns(asset):
            raise Refused(f"{asset} is not yours to {act}; ask its owner")

    def require_makes(self, workflow: WorkflowSpec, act: str) -> None:
        """Raises Refused unless all that the workflow makes is theirs to ``act`` on: its run changes all of it."""
        foreign = [a for a in workflow.produces if not self.owns(a)]
        if foreign:
            also = self.redact(foreign[0])
            raise Refused(f"the workflow {workflow.key} is not yours to {act}: it makes {also} too; ask its owner")

    def sees_workflow(self, workflow: str) -> bool:
        """Whether the principal may know of something that the workflow makes, and so of the workflow."""
        return any(self.visible(a) for a in self.graph.makes(workflow))

    def awaits(self, workflow: str) -> bool:
        """Whether the principal may know what the workflow waits for: they own what it makes, or will be admitted by
        all that this will come from, and that its partitions were learned from."""
        makes = self.graph.makes(workflow)
        if any(self.owns(a) for a in makes):
            return True
        return bool(makes) and all(self._within_bound(a) for a in makes) and self._may_name_all(workflow)

    def may_name(self, dimension: Dimension, origin_set: str) -> bool:
        """Whether the principal, who may know of the dimension, may know of a key that was learned from that set."""
        of = (dimension.project, dimension.name)
        if of not in self._owns_some:
            self._owns_some[of] = any(self.owns(a) for a in dimension.assets)
        return self._owns_some[of] or self.permits(origin_set)

    def knows_partition(self, key: str, partition: str) -> bool:
        """Whether the principal, who may know of the asset or workflow, may know of this partition of it. One that it
        has not, as it is cut now, was perhaps learned from what few may read: only its owners may know of that."""
        if any(self.owns(a) for a in self.graph.makes(key) or (key,)):
            return True
        dimension = self.graph.dimensions.of(key)
        if dimension is not None:
            row = dimensions.get(self.tx, dimension, partition)
            return row is not None and self.may_name(dimension, row.origins)
        spec = self.graph.workflows.get(key) or self.graph.assets.get(AssetKey(key))
        return spec is not None and fits(spec.partitions, partition)

    def _may_name_all(self, key: str) -> bool:
        """Whether the principal may know of every partition that the workflow, or asset, could have."""
        dimension = self.graph.dimensions.of(key)
        return dimension is None or all(self.may_name(dimension, s) for s in dimensions.counts(self.tx, dimension))

    def _counts(self, asset: str) -> bool:
        """Whether the principal may know how many partitions the asset has, those included that it was cut into before
        its dimension was this one."""
        return self.owns(asset) or (
            self._may_name_all(asset) and all(self.permits(s, asset) for s in self.head_origins(asset))
        )

    def head_origins(self, asset: str) -> dict[str, int]:
        """Returns how many heads of the asset carry which origin set."""
        self.prepare([asset])
        return self._heads[asset]

    def bound(self, asset: str) -> frozenset[str]:
        """Returns the asset and all that its declaration makes it come from."""
        found, frontier = {asset}, [asset]
        while frontier:
            frontier = [a for a in self._parents(frontier) if a not in found]
            found.update(frontier)
        return frozenset(found)

    def outputs_of(self, definition: int, workflow: str) -> tuple[str, ...]:
        """Returns what the workflow produced when that definition was the newest; empty when it was not declared."""
        epoch = self._epoch
        if definition not in epoch.current:
            epoch.current[definition] = catalogue.definitions_at(self.tx, definition)
        for seq in epoch.current[definition]:
            if seq not in epoch.outputs:
                epoch.outputs[seq] = catalogue.declared_outputs(self.tx, seq)
            if workflow in epoch.outputs[seq]:
                return epoch.outputs[seq][workflow]
        return ()

    def prepare(self, assets: Collection[str]) -> None:
        """Loads what judging these assets needs, with few statements for all of them."""
        self._load_standings(assets)
        fresh = [a for a in assets if a not in self._heads]
        if fresh:
            found = catalogue.head_origins(self.tx, fresh)
            self._heads.update((a, found.get(a, {})) for a in fresh)
            self._load_members({s for a in fresh for s in self._heads[a]})

    # What may be said.

    def missing(self, what: str, name: str) -> NotFound:
        """Returns the answer to a name that does not exist or is hidden: it depends on neither which nor why."""
        text = f"there is no {what} {name!r}, or it is not yours to see"
        if what != "asset":
            return NotFound(text)
        keys = [k for k in self.graph.assets if k != name]
        self.prepare(keys)
        near = difflib.get_close_matches(name, [k for k in keys if self.visible(k)], n=1)
        return NotFound(f"{text}; did you mean {near[0]!r}?" if near else text)

    def name(self, asset: str) -> str:
        """Returns the asset's name, or RESTRICTED."""
        return asset if self.visible(asset) else RESTRICTED

    def tells_of(self, asset: str) -> bool:
        """Whether the principal may be told what the asset's values are like: also of one that is no head, and of the
        next."""
        return self.readable(asset) and self.admits(self.bound(asset))

    def reason(self, workflow: str, code: str, words: str) -> tuple[str, str]:
        """Returns the planner's reason as the principal may have it. That a check failed, and which, tells of the data:
        to who may not read that, something is waited for. Until when is waited tells when something came: not to who
        may not see all that the workflow reads or waits for. Nor how many partitions there are of what they may not
        see, or of which they may not know of each."""
        if code == CHECK_FAILED:
            named = {found[1].rpartition(".")[0] for found in _NAME.finditer(words)}
            if not all(self.tells_of(a) for a in named if a and self.standing(a) is not None):
                return WITHHELD
        spec = self.graph.workflows.get(workflow)
        timed = spec is not None and code in {n.held_as for n in spec.trigger.nodes() if n.held_as}
        if timed and not all(self.visible(edge.asset) for edge in self.graph.inputs(workflow)):
            return code, f"waits until a time that follows from {UNNAMED}"
        words = _PIECES.sub("", self.redact(words))
        for edge in self.graph.inputs(workflow):
            if isinstance(edge.cut, Dynamic) and not self._counts(edge.asset):
                words = re.sub(rf"(?<=partitions of {re.escape(edge.asset)}): .*?(?= and waiting for |$)", "", words)
        return code, words

    def redact(self, words: str) -> str:
        """Returns ``words`` with every asset and workflow left unnamed, of today or of the past, that the principal may
        not see, and without the partitions that they may not know of. An ordinary word that is also the name of one
        goes too: who it stands for can not be told."""
        self.listen([words])
        return _NAME.sub(self._said, words)

    def _said(self, found: re.Match[str]) -> str:
        name, partition = found[1], found[2]
        if not self._may_say[name]:
            return UNNAMED
        hidden = partition and self.graph.dimensions.of(name) and not self.knows_partition(name, partition[1:-1])
        return name if hidden else found[0]

    def listen(self, texts: Iterable[str]) -> None:
        """Looks up the names in all these texts with few statements, for ``redact``."""
        said = {found[1] for text in texts for found in _NAME.finditer(text)} - self._may_say.keys()
        # A name with more behind it, such as that of a file, tells the name.
        parts = {word: _prefixes(word) for word in said}
        known = catalogue.known_names(self.tx, {p for found in parts.values() for p in found})
        self.prepare(list(known))
        makes = {p: self.graph.makes(p) for p in known}
        self.prepare([a for made in makes.values() for a in made])
        for word, prefixes in parts.items():
            longest = next((p for p in prefixes if p in known), None)
            self._may_say[word] = longest is None or self.visible(longest) or self.sees_workflow(longest)

    def opaque(self, node: str) -> str:
        """Returns what stands for a hidden node: always the same to this principal, and useless to any other."""
        said = f"{self.principal.name}\n{node}".encode()
        return f"{RESTRICTED}-{hmac.new(self._secret, said, hashlib.sha256).hexdigest()[:20]}"

    def because(self, denied: Collection[Denial]) -> str:
        """Returns the chain in words; an origin that the principal may not see is not named, nor its policy told."""
        self.prepare([d.asset for d in denied])
        named: dict[str, list[str]] = {}
        hidden = False
        for denial in denied:
            if self.visible(denial.asset):
                named.setdefault(denial.asset, []).append(denial.why)
            else:
                hidden = True
        said = [f"{asset}: {'; '.join(whys)}" for asset, whys in named.items()]
        return "; ".join([*said, *(["an origin that is not yours to see does not admit you"] if hidden else [])])

    def _policy(self, origin_set: str) -> Policy:
        known = self._epoch.policies.get(origin_set)
        if known is None:
            members = self.origins([origin_set])
            self._load_standings(members)
            known = self._epoch.policies[origin_set] = effective(self.restriction(a) for a in members)
        return known

    def _load_standings(self, assets: Iterable[str]) -> None:
        fresh = {a for a in assets if a not in self._epoch.standings}
        if fresh:
            found = policies.standings(self.tx, fresh)
            self._epoch.standings.update((a, found.get(a)) for a in fresh)

    def _load_members(self, origin_sets: Collection[str]) -> None:
        fresh = {s for s in origin_sets if s not in self._epoch.members}
        if fresh:
            self._epoch.members.update(catalogue.origin_members(self.tx, fresh))

    def _parents(self, assets: Iterable[str]) -> set[str]:
        makers = (self.graph.producer(AssetKey(a)) for a in assets)
        return {edge.asset for w in makers if w is not None for edge in self.graph.inputs(w.key)}

    def _within_bound(self, asset: str) -> bool:
        """Walks up until all is known. Only an asset whose every ancestor was seen is remembered as admitted."""
        found, frontier, admitted = {asset}, [asset], True
        while frontier and admitted:
            self._load_standings(frontier)
            known = [a for a in frontier if a in self._bounds]
            admitted = all(self._bounds[a] for a in known) and self.admits(frontier)
            parents = self._parents(a for a in frontier if a not in self._bounds)
            frontier = [a for a in parents if a not in found]
            found.update(frontier)
        if admitted:
            self._bounds.update(dict.fromkeys(found, True))
        else:
            self._bounds[asset] = False
        return admitted


def _prefixes(word: str) -> list[str]:
    """Returns the word and what it begins with, dot by dot, the longest first."""
    segments = word.split(".")
    return [".".join(segments[:n]) for n in range(len(segments), 0, -1)]
