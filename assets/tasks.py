"""Which functions does a workflow call, with what, and on which road?

A workflow's body is called once, with references in place of values; what it composed is kept here as plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.fields import LIST, NUMBER, OBJECT, TEXT, constant, judge, shown, texts, within
from riparian.assets.keys import AssetKey, parse_key
from riparian.assets.retry import Retry

CONTEXT = "ctx"
"""The parameter that receives the context."""

ONCE = Retry()
"""What holds where nothing is said of trying again."""

DEEPEST = 20
"""Lists and roads in one another that an argument may refer through."""

SHORTEST_SECONDS, LONGEST_SECONDS = 0.001, 366 * 86_400
"""What a time-out may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Where a value comes from, by ``kind``:

    ``input`` (the workflow's input of that ``name``), ``param`` (its parameter of that ``name``), ``task`` (the result
    of the task of that ``name``), ``results`` (the list of results of the mapped task of that ``name``), ``value`` (the
    JSON ``value``), ``list`` (those of ``items`` that were not skipped), ``choice`` (the one of ``items`` that stands
    at the place, in ``labels``, of what the task ``name`` decided).
    """

    kind: str
    name: str = ""
    value: Any = None
    items: tuple[Ref, ...] = ()
    labels: tuple[str, ...] = ()

    def walk(self) -> tuple[Ref, ...]:
        """Returns this reference and those in it."""
        return (self, *(inner for item in self.items for inner in item.walk())) if self.items else (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What one parameter of a task receives, as which type (a name of annotations.py, empty for a ``value``)."""

    parameter: str
    type: str
    ref: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """A task on this road runs only when the task ``decision`` returned ``label``."""

    decision: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One function to run: ``module:qualname`` in the bundle. ``context`` names the parameter that receives ctx.

    ``output`` is the asset that its result becomes, empty for an intermediate. ``mapped`` names the parameter that
    receives one item after the other of what its argument refers to. ``labels`` are the results that a branch on it
    knows; empty: nothing branches on it.
    """

    name: str
    module: str
    qualname: str
    context: str | None = None
    returns: str = ""  # of the return annotation, a name of annotations.py
    arguments: tuple[Argument, ...] = ()
    output: str = ""
    mapped: str = ""
    roads: tuple[Road, ...] = ()
    labels: tuple[str, ...] = ()
    retry: Retry = ONCE
    timeout_seconds: float | None = None

    def inputs(self) -> frozenset[str]:
        """Returns the workflow's inputs that it receives itself."""
        return frozenset(r.name for a in self.arguments for r in a.ref.walk() if r.kind == "input")

    def before(self) -> frozenset[str]:
        """Returns the tasks that have to end before it can be said whether this one runs."""
        taken = {r.name for a in self.arguments for r in a.ref.walk() if r.kind in ("task", "results", "choice")}
        return frozenset(taken | {road.decision for road in self.roads})


def label_of(result: object) -> str:
    """Returns the label of the road that a decision's result takes: a text is its own, ``True`` is ``true``."""
    if isinstance(result, str):
        return result
    import json  # only here: `import riparian` need not pay for it

    return json.dumps(result)


# Written out and sparse: a large project has tens of thousands of these.


def task_json(task: TaskSpec) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": task.name,
        "module": task.module,
        "qualname": task.qualname,
        "returns": task.returns,
        "arguments": [[a.parameter, a.type, _ref_json(a.ref)] for a in task.arguments],
        "output": task.output,
    }
    if task.context is not None:
        body["context"] = task.context
    if task.mapped:
        body["mapped"] = task.mapped
    if task.roads:
        body["roads"] = [[r.decision, r.label] for r in task.roads]
    if task.labels:
        body["labels"] = task.labels
    if task.retry != ONCE:
        body["retry"] = {
            "attempts": task.retry.attempts,
            "delay_seconds": task.retry.delay_seconds,
            "factor": task.retry.factor,
            "max_delay_seconds": task.retry.max_delay_seconds,
        }
        if task.retry.on:
            body["retry"]["on"] = task.retry.on
        if task.retry.never:
            body["retry"]["never"] = task.retry.never
    if task.timeout_seconds is not None:
        body["timeout_seconds"] = task.timeout_seconds
    return body


_FIELDS = {
    "name": TEXT,
    "module": TEXT,
    "qualname": TEXT,
    "returns": TEXT,
    "arguments": LIST,
    "output": TEXT,
    "context": TEXT,
    "mapped": TEXT,
    "roads": LIST,
    "labels": LIST,
    "retry": OBJECT,
    "timeout_seconds": NUMBER,
}


def task_from_json(body: Mapping[str, Any], key: Callable[[Any], AssetKey] = parse_key) -> TaskSpec:
    """Reads what ``task_json`` wrote; raises what a wrong shape raises, or DeclarationError. ``key`` reads keys."""
    judge(body, _FIELDS, "a task")
    get = body.get
    if not body["name"]:
        raise DeclarationError("a task has no name; write the manifest by `riparian apply`")
    what = f"the task {body['name'][:200]!r}"
    taken = [name for name, _, _ in body["arguments"]]
    texts([text for p, t, _ in body["arguments"] for text in (p, t)], f"{what}: a parameter or its type")
    if len(set(taken)) != len(taken):
        raise DeclarationError(f"{what} takes a parameter twice; name each once")
    if "labels" in body:
        texts(body["labels"], f"{what}: a label")
    if "roads" in body:
        texts([text for road in body["roads"] for text in road], f"{what}: a road")
    if "timeout_seconds" in body:
        within(body["timeout_seconds"], SHORTEST_SECONDS, LONGEST_SECONDS, f"{what}: timeout_seconds")
    return TaskSpec(
        name=body["name"],
        module=body["module"],
        qualname=body["qualname"],
        context=get("context"),
        returns=body["returns"],
        arguments=tuple([Argument(parameter=p, type=t, ref=_ref(r)) for p, t, r in body["arguments"]]),
        output=key(body["output"]) if body["output"] else AssetKey(""),
        mapped=get("mapped", ""),
        roads=tuple([Road(decision=d, label=label) for d, label in get("roads", ())]),
        labels=tuple(get("labels", ())),
        retry=Retry(**body["retry"]) if "retry" in body else ONCE,
        timeout_seconds=get("timeout_seconds"),
    )


def _ref_json(ref: Ref) -> dict[str, Any]:
    match ref.kind:
        case "value":
            return {"value": ref.value}
        case "list":
            return {"list": [_ref_json(i) for i in ref.items]}
        case "choice":
            roads = {label: _ref_json(i) for label, i in zip(ref.labels, ref.items, strict=True)}
            return {"choice": ref.name, "roads": roads}
        case kind:
            return {kind: ref.name}


def _ref(body: Any, depth: int = 0) -> Ref:
    if depth > DEEPEST:
        raise DeclarationError(f"an argument refers through more than {DEEPEST} levels; let a task of its own choose")
    # By their fields, no more and no less: what is not read here would be kept unread.
    match sorted(body.items()) if type(body) is dict else ():
        case [("input" | "param" | "task" | "results" as kind, str(name))]:
            return Ref(kind=kind, name=name)
        case [("value", value)]:
            constant(value, "a constant")
            return Ref(kind="value", value=value)
        case [("list", list(items))]:
            return Ref(kind="list", items=tuple([_ref(i, depth + 1) for i in items]))
        case [("choice", str(name)), ("roads", dict(roads))]:
            items = [_ref(i, depth + 1) for i in roads.values()]
            return Ref(kind="choice", name=name, labels=tuple(roads), items=tuple(items))
    raise DeclarationError(
        f"a task takes {shown(body)}, which this version does not know; use the same version on both sides"
    )
