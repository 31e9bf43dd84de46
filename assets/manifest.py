"""What did a project declare? The values that the control plane receives instead of the project's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any

from riparian.assets.arrival import FileDrop
from riparian.assets.catchup import CatchUp, catch_up_of
from riparian.assets.checks import CheckSpec, check_from_json, check_json
from riparian.assets.errors import DeclarationError, Location
from riparian.assets.fields import LIST, NUMBER, OBJECT, TEXT, Kinds, judge, texts, within
from riparian.assets.keys import AssetKey, parse_key
from riparian.assets.limits import Limit, limits_of, priority_of
from riparian.assets.parameters import MOST_PARAMETERS, ParameterSpec, read_parameter
from riparian.assets.partitions import Mapping, Partitions, mapping_from_json, partitions_from_json
from riparian.assets.policy import Policy
from riparian.assets.tasks import LONGEST_SECONDS, SHORTEST_SECONDS, TaskSpec, task_from_json, task_json
from riparian.assets.triggers import Trigger
from riparian.assets.triggers.kinds import trigger_from_json

MANIFEST_VERSION = 3

Write = Callable[[Any], str]
"""Writes a JSON value: without spaces, the fields of objects in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSpec:
    """One declared asset. ``arrives`` is set on sources only; ``producer`` is the key of the workflow that makes it."""

    key: AssetKey
    kind: str  # "source" | "asset"
    format: str  # a name in the format registry, such as "csv" or "parquet"
    partitions: Partitions | None = None
    policy: Policy | None = None
    arrives: FileDrop | None = None
    producer: str | None = None
    description: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One consumed asset, by the name that the workflow gives it, and which of its partitions are meant."""

    parameter: str
    asset: AssetKey
    mapping: Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """Tasks that consume and produce assets for one partition. ``@asset`` declares one of a single task.

    A task comes after those whose results it takes. ``checks`` are of what it makes; ``parameters`` are what
    somebody may give who asks for a run.
    """

    key: str
    inputs: tuple[InputSpec, ...]
    produces: tuple[AssetKey, ...]
    tasks: tuple[TaskSpec, ...]
    trigger: Trigger
    partitions: Partitions | None = None
    checks: tuple[CheckSpec, ...] = ()
    parameters: tuple[ParameterSpec, ...] = ()
    fingerprint: str = ""
    location: Location | None = None
    limits: tuple[Limit, ...] = ()
    priority: int = 0
    run_timeout_seconds: float | None = None
    catch_up: CatchUp = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that one project declares, with the digest of the bundle that runs it."""

    project: str
    bundle: str
    assets: tuple[AssetSpec, ...] = ()
    workflows: tuple[WorkflowSpec, ...] = ()
    units: Dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """The project's functions and values by name, each with a short digest and what it refers to: they name what an
    edit of code changed, and decide nothing. What is left out stands alone."""
    text: str = field(default="", init=False, repr=False, compare=False)
    """What it was read from, where that is just how ``to_json`` writes: to write a large one again takes time."""

    def to_json(self, write: Write | None = None) -> str:
        """Returns canonical JSON: the same declarations give the same text. ``write`` may be quicker at it."""
        if self.text:
            return self.text
        body = {
            "version": MANIFEST_VERSION,
            "project": self.project,
            "bundle": self.bundle,
            "assets": [_asset_json(a) for a in self.assets],
            "workflows": [_workflow_json(w) for w in self.workflows],
        }
        if self.units:
            body["units"] = self.units
        return (write or _canonical)(body)

    @classmethod
    def from_json(cls, text: str, admit: Callable[[str], None] | None = None, write: Write | None = None) -> Manifest:
        """Reads what ``to_json`` wrote; raises DeclarationError that names the first thing it can not read.

        ``admit`` is told the project first, and raises what it likes: to read what strangers sent costs time.
        ``write`` as for ``to_json``.
        """
        try:
            body = json.loads(text)
            if admit is not None:
                judge({"project": body["project"]}, _FIELDS, "a manifest")
                admit(body["project"])
            written = (write or _canonical)(body)
            # Escapes can write half a character, which no catalogue keeps; `to_json` writes none.
            written.encode()
        except (KeyError, TypeError, ValueError, RecursionError) as exc:
            raise DeclarationError(f"this is not a manifest ({exc}); write it by `riparian apply`") from exc
        read = cls.from_body(body)
        if written == text:
            # All of it was read: unknown fields are refused, and what was said twice is not how it is written.
            object.__setattr__(read, "text", written)
        return read

    @classmethod
    def from_body(cls, body: Any) -> Manifest:
        """Like ``from_json``, of a value that was parsed already."""
        try:
            if body["version"] != MANIFEST_VERSION:
                raise DeclarationError(
                    f"this manifest has version {body['version']}, this control plane reads {MANIFEST_VERSION}; "
                    "run the same version of riparian on both sides"
                )
            judge(body, _FIELDS, "a manifest")
            assets = tuple([_asset(a) for a in body["assets"]])
            known = {a.key: a.key for a in assets}

            def key(text: Any) -> AssetKey:
                # Each key is there some five times: it is judged once, and kept once.
                return known.get(text) or parse_key(text)

            return cls(
                project=body["project"],
                bundle=body["bundle"],
                assets=assets,
                workflows=tuple([_workflow(w, key) for w in body["workflows"]]),
                units=_units(body.get("units", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
            raise DeclarationError(
                f"this is not a manifest ({type(exc).__name__}: {exc}); write it by `riparian apply`"
            ) from exc


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


_FIELDS: Dict[str, Kinds] = {
    "version": (int,),
    "project": TEXT,
    "bundle": TEXT,
    "assets": LIST,
    "workflows": LIST,
    "units": OBJECT,
}
_ASSET_FIELDS: Dict[str, Kinds] = {
    "key": TEXT,
    "kind": TEXT,
    "format": TEXT,
    "partitions": OBJECT,
    "policy": OBJECT,
    "arrives": OBJECT,
    "producer": TEXT,
    "description": TEXT,
    "location": LIST,
}
_ARRIVES_FIELDS: Dict[str, Kinds] = {"pattern": TEXT, "settle_seconds": NUMBER}
_WORKFLOW_FIELDS: Dict[str, Kinds] = {
    "key": TEXT,
    "inputs": LIST,
    "produces": LIST,
    "tasks": LIST,
    "trigger": OBJECT,
    "fingerprint": TEXT,
    "checks": LIST,
    "parameters": LIST,
    "partitions": OBJECT,
    "location": LIST,
    "limits": LIST,
    "priority": (int,),
    "run_timeout_seconds": NUMBER,
    "catch_up": (int, str),
}
LONGEST_SETTLE_SECONDS = 86_400


# Written out and sparse, not by dataclasses.asdict, which copies deeply: a large project has ten thousands of these.
# What is left out has the value that it has when nobody says it.


def _units(body: Dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    try:
        units = {name: (digest, tuple(names)) for name, (digest, names) in body.items() if type(names) is list}
    except (TypeError, ValueError) as exc:
        raise DeclarationError("a unit is no digest with a list of names; write it by `riparian apply`") from exc
    if len(units) != len(body):
        raise DeclarationError("a unit is no digest with a list of names; write it by `riparian apply`")
    for digest, names in units.values():
        texts((digest, *names), "a unit")
    return units


def _location_json(location: Location) -> list[Any]:
    return [location.file, location.line]


def _location(body: Dict[str, Any]) -> Location | None:
    if "location" not in body:
        return None
    file, line = body["location"]
    if type(file) is not str or type(line) is not int or not 0 <= line < 2**31:
        raise DeclarationError("its location is no place in a file; write [file, line]")
    return Location(file, line)


def _asset_json(a: AssetSpec) -> dict[str, Any]:
    body: dict[str, Any] = {"key": a.key, "kind": a.kind, "format": a.format}
    if a.partitions is not None:
        body["partitions"] = a.partitions.to_json()
    if a.policy is not None:
        body["policy"] = a.policy.to_json()
    if a.arrives is not None:
        body["arrives"] = {"pattern": a.arrives.pattern, "settle_seconds": a.arrives.settle_seconds}
    if a.producer is not None:
        body["producer"] = a.producer
    if a.description:
        body["description"] = a.description
    if a.location is not None:
        body["location"] = _location_json(a.location)
    return body


def _asset(body: Dict[str, Any]) -> AssetSpec:
    judge(body, _ASSET_FIELDS, "an asset")
    key = parse_key(body["key"])
    try:
        return _read_asset(key, body)
    except _SHAPES as exc:
        raise _unreadable(f"the asset {key}", exc) from exc


def _read_asset(key: AssetKey, body: Dict[str, Any]) -> AssetSpec:
    get = body.get
    if body["kind"] not in ("source", "asset"):
        raise DeclarationError(f"kind is {body['kind'][:80]!r}; write 'source' or 'asset'")
    if "arrives" in body:
        judge(body["arrives"], _ARRIVES_FIELDS, "arrives")
        within(body["arrives"].get("settle_seconds", 1), 0, LONGEST_SETTLE_SECONDS, "settle_seconds")
    return AssetSpec(
        key=key,
        kind=body["kind"],
        format=body["format"],
        partitions=partitions_from_json(get("partitions")),
        policy=Policy.from_json(body["policy"]) if "policy" in body else None,
        arrives=FileDrop(**body["arrives"]) if "arrives" in body else None,
        producer=get("producer"),
        description=get("description", ""),
        location=_location(body),
    )


_SHAPES = (DeclarationError, KeyError, TypeError, ValueError, AttributeError)
"""What a wrong shape raises."""


def _unreadable(what: str, exc: Exception) -> DeclarationError:
    why = (
        str(exc) if isinstance(exc, DeclarationError) else f"{type(exc).__name__}: {exc}; write it by `riparian apply`"
    )
    return DeclarationError(f"{what}: {why}")


def _workflow_json(w: WorkflowSpec) -> dict[str, Any]:
    body: dict[str, Any] = {
        "key": w.key,
        "inputs": [[i.parameter, i.asset, i.mapping.to_json()] for i in w.inputs],
        "produces": w.produces,
        "tasks": [task_json(t) for t in w.tasks],
        "trigger": w.trigger.to_json(),
        "fingerprint": w.fingerprint,
    }
    if w.checks:
        body["checks"] = [check_json(c) for c in w.checks]
    if w.parameters:
        body["parameters"] = [[p.name, p.type, p.default] for p in w.parameters]
    if w.partitions is not None:
        body["partitions"] = w.partitions.to_json()
    if w.location is not None:
        body["location"] = _location_json(w.location)
    if w.limits:
        body["limits"] = [[limit.most, limit.key] for limit in w.limits]
    if w.priority:
        body["priority"] = w.priority
    if w.run_timeout_seconds is not None:
        body["run_timeout_seconds"] = w.run_timeout_seconds
    if w.catch_up != "latest":
        body["catch_up"] = w.catch_up
    return body


def _workflow(body: Dict[str, Any], key: Callable[[Any], AssetKey]) -> WorkflowSpec:
    judge(body, _WORKFLOW_FIELDS, "a workflow")
    name = key(body["key"])
    try:
        return _read_workflow(name, body, key)
    except _SHAPES as exc:
        raise _unreadable(f"the workflow {name}", exc) from exc


def _read_workflow(name: AssetKey, body: Dict[str, Any], key: Callable[[Any], AssetKey]) -> WorkflowSpec:
    taken = [parameter for parameter, _, _ in body["inputs"]]
    texts(taken, "an input")
    if len(set(taken)) != len(taken):
        raise DeclarationError("two inputs have one name; name each once")
    if not body["tasks"]:
        raise DeclarationError("it has no tasks; name at least one")
    if "run_timeout_seconds" in body:
        within(body["run_timeout_seconds"], SHORTEST_SECONDS, LONGEST_SECONDS, "run_timeout_seconds")
    parameters = tuple([read_parameter(p) for p in body.get("parameters", ())])
    if len(parameters) > MOST_PARAMETERS:
        raise DeclarationError(f"it has {len(parameters)} parameters; {MOST_PARAMETERS} are allowed")
    if len({p.name for p in parameters}) != len(parameters):
        raise DeclarationError("two parameters have one name; name each once")
    return WorkflowSpec(
        key=name,
        inputs=tuple(
            [InputSpec(parameter=p, asset=key(a), mapping=mapping_from_json(m)) for p, a, m in body["inputs"]]
        ),
        produces=tuple([key(a) for a in body["produces"]]),
        tasks=tuple([task_from_json(t, key) for t in body["tasks"]]),
        trigger=trigger_from_json(body["trigger"]),
        partitions=partitions_from_json(body.get("partitions")),
        checks=tuple([check_from_json(c, key) for c in body.get("checks", ())]),
        parameters=parameters,
        fingerprint=body["fingerprint"],
        location=_location(body),
        limits=limits_of([Limit(most, key) for most, key in body["limits"]]) if "limits" in body else (),
        priority=priority_of(body.get("priority", 0)),
        run_timeout_seconds=body.get("run_timeout_seconds"),
        catch_up=catch_up_of(body.get("catch_up", "latest")),
    )
