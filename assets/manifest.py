"""What did a project declare? The values that the control plane receives instead of the project's code."""

from __future__ import annotations

import json
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any

from riparian.assets.arrival import FileDrop
from riparian.assets.errors import DeclarationError, Location
from riparian.assets.keys import AssetKey, parse_key
from riparian.assets.partitions import MAPPINGS, Mapping, Partitions, partitions_from_json
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.triggers import Trigger, trigger_from_json

__all__ = ["AssetSpec", "FileDrop", "InputSpec", "Manifest", "Retry", "TaskSpec", "WorkflowSpec"]

MANIFEST_VERSION = 1


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
    """One consumed asset: the parameter that receives it, as which type, and which of its partitions."""

    parameter: str
    asset: AssetKey
    type: str  # of the annotation, a name of annotations.py such as "pyarrow.lib.Table" or "dict"; of one partition
    mapping: Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One function to run: ``module:qualname`` in the bundle. ``context`` names the parameter that receives ctx."""

    name: str
    module: str
    qualname: str
    context: str | None = None
    returns: str = ""  # of the return annotation, a name of annotations.py
    retry: Retry = field(default_factory=Retry)
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """Tasks that consume and produce assets for one partition. ``@asset`` declares one of a single task."""

    key: str
    inputs: tuple[InputSpec, ...]
    produces: tuple[AssetKey, ...]
    tasks: tuple[TaskSpec, ...]
    trigger: Trigger
    partitions: Partitions | None = None
    fingerprint: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that one project declares, with the digest of the bundle that runs it."""

    project: str
    bundle: str
    assets: tuple[AssetSpec, ...] = ()
    workflows: tuple[WorkflowSpec, ...] = ()

    def to_json(self) -> str:
        """Returns canonical JSON: the same declarations give the same text."""
        body = {
            "version": MANIFEST_VERSION,
            "project": self.project,
            "bundle": self.bundle,
            "assets": [_asset_json(a) for a in self.assets],
            "workflows": [_workflow_json(w) for w in self.workflows],
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Reads what ``to_json`` wrote; raises DeclarationError that names the first thing it can not read."""
        try:
            body = json.loads(text)
            # Escapes can write half a character, which no catalogue keeps; `to_json` writes none.
            if b"\\u" in (text.encode() if isinstance(text, str) else text):
                json.dumps(body, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as exc:
            raise DeclarationError(f"this is not a manifest ({exc}); write it by `riparian apply`") from exc
        return cls.from_body(body)

    @classmethod
    def from_body(cls, body: Any) -> Manifest:
        """Like ``from_json``, of a value that was parsed already."""
        try:
            if body["version"] != MANIFEST_VERSION:
                raise DeclarationError(
                    f"this manifest has version {body['version']}, this control plane reads {MANIFEST_VERSION}; "
                    "run the same version of riparian on both sides"
                )
            return cls(
                project=str(body["project"]),
                bundle=str(body["bundle"]),
                assets=tuple(_asset(a) for a in body["assets"]),
                workflows=tuple(_workflow(w) for w in body["workflows"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise DeclarationError(
                f"this is not a manifest ({type(exc).__name__}: {exc}); write it by `riparian apply`"
            ) from exc


# Written out, not dataclasses.asdict: that one copies deeply, and took most of the time of a large manifest.


def _location_json(location: Location | None) -> dict[str, Any] | None:
    return {"file": location.file, "line": location.line} if location else None


def _drop_json(drop: FileDrop) -> dict[str, Any]:
    return {"pattern": drop.pattern, "settle_seconds": drop.settle_seconds}


def _retry_json(r: Retry) -> dict[str, Any]:
    return {
        "attempts": r.attempts,
        "delay_seconds": r.delay_seconds,
        "factor": r.factor,
        "max_delay_seconds": r.max_delay_seconds,
    }


def _task_json(t: TaskSpec) -> dict[str, Any]:
    return {
        "name": t.name,
        "module": t.module,
        "qualname": t.qualname,
        "context": t.context,
        "returns": t.returns,
        "retry": _retry_json(t.retry),
        "timeout_seconds": t.timeout_seconds,
    }


def _asset_json(a: AssetSpec) -> dict[str, Any]:
    return {
        "key": a.key,
        "kind": a.kind,
        "format": a.format,
        "partitions": a.partitions.to_json() if a.partitions else None,
        "policy": a.policy.to_json() if a.policy else None,
        "arrives": _drop_json(a.arrives) if a.arrives else None,
        "producer": a.producer,
        "description": a.description,
        "location": _location_json(a.location),
    }


def _asset(body: Dict[str, Any]) -> AssetSpec:
    return AssetSpec(
        key=parse_key(body["key"]),
        kind=body["kind"],
        format=body["format"],
        partitions=partitions_from_json(body["partitions"]),
        policy=Policy.from_json(body["policy"]) if body["policy"] is not None else None,
        arrives=FileDrop(**body["arrives"]) if body["arrives"] else None,
        producer=body["producer"],
        description=body["description"],
        location=Location(**body["location"]) if body["location"] else None,
    )


def _workflow_json(w: WorkflowSpec) -> dict[str, Any]:
    return {
        "key": w.key,
        "inputs": [
            {"parameter": i.parameter, "asset": i.asset, "type": i.type, "mapping": i.mapping.kind} for i in w.inputs
        ],
        "produces": list(w.produces),
        "tasks": [_task_json(t) for t in w.tasks],
        "trigger": w.trigger.to_json(),
        "partitions": w.partitions.to_json() if w.partitions else None,
        "fingerprint": w.fingerprint,
        "location": _location_json(w.location),
    }


def _workflow(body: Dict[str, Any]) -> WorkflowSpec:
    return WorkflowSpec(
        key=parse_key(body["key"]),
        inputs=tuple(
            InputSpec(
                parameter=i["parameter"], asset=parse_key(i["asset"]), type=i["type"], mapping=MAPPINGS[i["mapping"]]
            )
            for i in body["inputs"]
        ),
        produces=tuple(parse_key(a) for a in body["produces"]),
        tasks=tuple(TaskSpec(**{**t, "retry": Retry(**t["retry"])}) for t in body["tasks"]),
        trigger=trigger_from_json(body["trigger"]),
        partitions=partitions_from_json(body["partitions"]),
        fingerprint=body["fingerprint"],
        location=Location(**body["location"]) if body["location"] else None,
    )
