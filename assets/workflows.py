"""How does one compose several tasks into a workflow?

A workflow's body is composition: it is called once when the project is loaded, with references in place of values, and
each task it calls becomes a step of every run. Called by anybody else, a workflow and its tasks just run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import signature
from typing import Any, Generic, ParamSpec, TypeVar, overload

from riparian.assets.catchup import CatchUp
from riparian.assets.declare import (
    Workflow,
    consumed,
    expect,
    expect_cut,
    first_line,
    location_of,
    note,
    plain_function,
    seconds_of,
    urgency_of,
)
from riparian.assets.errors import DeclarationError
from riparian.assets.keys import AssetKey, key_of, last_segment, parse_key
from riparian.assets.limits import Limit
from riparian.assets.partitions import Mapping, Partitions
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import CONTEXT, Ref, Road, label_of
from riparian.assets.triggers import Trigger, on_update

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

NO_VALUE = Ref(kind="value")
"""What a road gives that gives nothing."""


class Handle:
    """Stands for a value that does not exist yet: a result, or an input. It can be passed to a task, and nothing else.

    A mapped task's handle stands for the list of its results.
    """

    __slots__ = ("_ref",)

    def __init__(self, ref: Ref) -> None:
        self._ref = ref

    def __repr__(self) -> str:
        return f"<{self._ref.kind} {self._ref.name}>"

    def __bool__(self) -> bool:
        raise DeclarationError(
            f"{self!r} is not known while a workflow is composed, so it is neither true nor false; "
            "write branch(decision, {'yes': lambda: …, 'no': lambda: …}) with a task's result as the decision"
        )

    def __iter__(self) -> Iterator[Any]:
        raise DeclarationError(
            f"{self!r} is not known while a workflow is composed, so there is nothing to walk through; "
            "write task.map(…) to run a task for each item"
        )

    def __getattr__(self, name: str) -> Any:
        raise self._unknown(f".{name}")

    def __getitem__(self, key: object) -> Any:
        raise self._unknown(f"[{key!r}]")

    def __call__(self, *args: object, **named: object) -> Any:
        raise self._unknown("(…)")

    def _unknown(self, what: str) -> Exception:
        if what.startswith(".__"):  # Python itself asks, and wants to hear that there is none
            return AttributeError(what[1:])
        return DeclarationError(
            f"{self!r} is not known while a workflow is composed, so it has no {what}; take it apart inside a @task"
        )

    def _refuse(self, *others: object) -> Any:
        raise DeclarationError(
            f"{self!r} is not known while a workflow is composed, so nothing can be computed with it; "
            "compute inside a @task, and use branch(…) to take one road or another"
        )

    def __str__(self) -> str:
        return str(self._refuse())

    def __format__(self, how: str) -> str:
        return str(self._refuse())

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __len__ = __contains__ = __int__ = __float__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __and__ = __or__ = __invert__ = _refuse
    __hash__ = object.__hash__


class Task(Generic[P, R]):
    """A function that a workflow calls as a step of its own. Called outside of a workflow's body it just runs."""

    retry: Retry
    timeout_seconds: float | None
    function: Callable[P, R]

    def __init__(self, function: Callable[P, R], retry: Retry, timeout_seconds: float | None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.retry = retry
        self.timeout_seconds = timeout_seconds

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        if (composing := _composing.get()) is None:
            return self._run(*args, **named)
        # A reference stands where the value will be: that is what lets a body be written like any other function.
        return composing.call(self, self._arguments(args, named))  # type: ignore[return-value]

    def map(self, items: Any, /, **same: Any) -> list[R]:
        """Runs the task once for each of ``items``, which its first parameter that ``same`` does not name receives.

        ``items`` is a list, a task's result that is a list, or what another ``map`` returned. Returns the list of
        results, in the order of the items.
        """
        free = [name for name in signature(self.function).parameters if name not in same and name != CONTEXT]
        if not free:
            raise DeclarationError(
                f"{self._name}.map: no parameter of {self._name} is left for the items; take one out of the named ones"
            )
        over = free[0]
        if (composing := _composing.get()) is None:
            if items is NoUpdate:
                return NoUpdate  # type: ignore[no-any-return]
            made = [self._run(**{over: item}, **same) for item in items]  # type: ignore[call-arg]
            return NoUpdate if _is_all_empty(made) else _made(made)  # type: ignore[no-any-return]
        if not isinstance(items, Handle | list | tuple):
            raise DeclarationError(
                f"{self._name}.map goes through {type(items).__name__}; give it a list, or a task's result"
            )
        return composing.call(self, self._arguments((), {over: items, **same}), mapped=over)  # type: ignore[return-value]

    def _run(self, *args: P.args, **named: P.kwargs) -> R:
        # What takes something that is not there is skipped, as in a run.
        values = (*args, *named.values())
        if any(value is NoUpdate or _is_all_empty(value) for value in values):
            return NoUpdate  # type: ignore[no-any-return]
        return self.function(*map(_made, args), **{name: _made(value) for name, value in named.items()})

    @property
    def _name(self) -> str:
        return self.function.__qualname__

    def _arguments(self, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(signature(self.function).bind(*args, **named).arguments)
        except TypeError as exc:
            raise DeclarationError(f"{self._name} can not be called so: {exc}; correct the call") from exc


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *, retry: Retry | None = None, timeout: float | timedelta | None = None
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[P, R] | None = None, /, *, retry: Retry | None = None, timeout: float | timedelta | None = None
) -> Any:
    """Declares that the function below is a step when a workflow calls it; otherwise it stays the function it was.

    ``timeout`` is of one try, in seconds or as a timedelta. Raises DeclarationError when a value can not be meant.
    """
    expect("retry", retry, (Retry,), "Retry(attempts=3)")
    limit = seconds_of(timeout)

    def decorate(plain: Callable[P, R]) -> Task[P, R]:
        plain_function(plain, "@task")
        return Task(plain, retry or Retry(), limit)

    return decorate if function is None else decorate(function)


def workflow(
    key: str,
    *,
    consumes: list[object] | Dict[str, object] = (),  # type: ignore[assignment]  # a list that nobody can change
    produces: list[str],
    partitions: Partitions | None = None,
    trigger: Trigger | None = None,
    policy: Policy | Dict[str, Policy] | None = None,
    limits: Limit | Iterable[Limit] | None = None,
    priority: int = 0,
    run_timeout: float | timedelta | None = None,
    catch_up: CatchUp = "latest",
    description: str | None = None,
) -> Callable[[F], F]:
    """Declares that the body below composes tasks, and returns it unchanged.

    The body's parameters receive the assets of ``consumes`` (keys, sources, decorated functions or ``Input``) whose
    last segment they bear; a dict says which receives which. It returns ``{key: the result of a task}`` for each asset
    of ``produces``; their heads move together when a run has ended. ``policy`` is of each of them, or a dict by key.
    ``limits``, ``priority``, ``run_timeout`` (of the whole run) and ``catch_up`` are as in @asset.
    Raises DeclarationError when a value can not be meant.
    """
    parsed = parse_key(key)
    products = _products(produces)
    expect_cut(partitions, trigger)
    policies = dict.fromkeys(products, policy) if not isinstance(policy, Dict) else _policies(products, policy)
    for one in policies.values():
        expect("policy", one, (Policy,), "Policy(readers={'ops'})")
    inputs = _inputs(consumes)
    urgency = urgency_of(limits, priority, run_timeout, catch_up)

    def decorate(body: F) -> F:
        plain = plain_function(body, "@workflow")
        declared = Workflow(
            key=parsed,
            body=body,
            inputs=inputs,
            produces=products,
            partitions=partitions,
            trigger=on_update() if trigger is None else trigger,
            policies=policies,
            description=first_line(plain.__doc__) if description is None else description,
            location=location_of(plain),
            urgency=urgency,
        )
        body.__riparian__ = declared  # type: ignore[attr-defined]  # functions take any attribute
        note(declared)
        return body

    return decorate


def _inputs(consumes: object) -> dict[str, tuple[AssetKey, Mapping | None]]:
    if isinstance(consumes, Dict):
        return {parameter: consumed(asset) for parameter, asset in consumes.items()}
    if not isinstance(consumes, list | tuple):
        raise DeclarationError(f"consumes={consumes!r} is no list; write consumes=[flights]")
    found: dict[str, tuple[AssetKey, Mapping | None]] = {}
    for key, mapping in map(consumed, consumes):
        name = last_segment(key)
        if name in found:
            raise DeclarationError(
                f"consumes= names {found[name][0]} and {key}, which both end in {name!r}; "
                f"say which parameter receives which: consumes={{{name!r}: {key!r}, …}}"
            )
        found[name] = (key, mapping)
    return found


def _products(produces: object) -> tuple[AssetKey, ...]:
    keys = tuple(parse_key(key) for key in produces) if isinstance(produces, list | tuple) else ()
    if not keys or len(set(keys)) != len(keys):
        raise DeclarationError(f"produces={produces!r} lists no assets, each once; write produces=['air.report']")
    return keys


def _policies(products: tuple[AssetKey, ...], policies: Dict[str, Policy]) -> dict[AssetKey, Policy | None]:
    if strange := sorted(policies.keys() - set(products)):
        raise DeclarationError(f"policy= names {strange[0]}, which is not made here; made are {', '.join(products)}")
    return {key: policies.get(key) for key in products}


def branch(decision: Any, roads: Dict[Any, Callable[[], Any]]) -> Any:
    """Takes the road that ``decision`` names, and returns what it returns.

    ``decision`` is a task's result, a text or True or False; ``roads`` maps each value it may have to a function
    without parameters, whose tasks run on that road alone. The tasks of the other roads are skipped, and so is what
    takes their results.
    """
    if not isinstance(roads, Dict) or not roads or not all(callable(road) for road in roads.values()):
        raise DeclarationError("branch(…) takes a dict of functions; write {'storm': lambda: full_report(flights), …}")
    if not all(isinstance(key, str | bool) for key in roads):
        raise DeclarationError(f"branch(…) has the roads {list(roads)}; name each by a text, or by True and False")
    if (composing := _composing.get()) is not None:
        return composing.branch(decision, roads)
    if decision is NoUpdate:
        return NoUpdate
    label = label_of(decision)
    for key, road in roads.items():
        if label_of(key) == label:
            return road()
    raise DeclarationError(f"branch(…) has no road {label!r}; it has {', '.join(label_of(key) for key in roads)}")


class _NoUpdate:
    """What a function returns that has nothing new."""

    def __repr__(self) -> str:
        return "NoUpdate"

    def __reduce__(self) -> str:
        return "NoUpdate"


NoUpdate: Any = _NoUpdate()
"""Returned in place of a value: the asset keeps its head, and nothing that follows from it runs."""


def _made(value: Any) -> Any:
    """A list without what has nothing new in it."""
    return [item for item in value if item is not NoUpdate] if isinstance(value, list) else value


def _is_all_empty(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(item is NoUpdate for item in value)


@dataclass(slots=True, eq=False)
class Call:
    """One task as the body called it: under which name, with what, for each item of what, and on which roads."""

    name: str
    task: Task[Any, Any]
    arguments: dict[str, Ref]
    mapped: str = ""
    roads: tuple[Road, ...] = ()
    labels: tuple[str, ...] = ()
    output: str = ""


@dataclass(slots=True)
class Composition:
    """What a body composed: its calls, each after those it takes results of."""

    calls: dict[str, Call] = field(default_factory=dict)
    _roads: tuple[Road, ...] = ()

    def call(self, task: Task[Any, Any], arguments: Dict[str, Any], mapped: str = "") -> Handle:
        plain = task.function.__name__
        refs = {name: self._ref(f"{plain}({name}=…)", value) for name, value in arguments.items()}
        if mapped and refs[mapped].kind == "list":
            raise DeclarationError(
                f"{plain}.map goes through a list of references; map over one task's result, or call {plain} for each"
            )
        if mapped and refs[mapped].kind == "param":
            raise DeclarationError(
                f"{plain}.map goes through the parameter {refs[mapped].name!r}, which is one value; "
                "let a task return a list"
            )
        same = sum(c.task.function.__name__ == plain for c in self.calls.values())
        name = f"{plain}_{same + 1}" if same else plain
        while name in self.calls:
            name += "_"
        self.calls[name] = Call(name, task, refs, mapped, self._roads)
        return Handle(Ref(kind="results" if mapped else "task", name=name))

    def branch(self, decision: Any, roads: Dict[Any, Callable[[], Any]]) -> Handle:
        if not isinstance(decision, Handle) or decision._ref.kind != "task":
            raise DeclarationError(
                f"branch(…) decides by {decision!r}, which is not one task's result; "
                "let a @task return the name of the road"
            )
        by = self.calls[decision._ref.name]
        named = {key: label_of(key) for key in roads}
        labels = tuple(named.values())
        if len(set(labels)) != len(labels) or (by.labels and set(by.labels) != set(labels)):
            raise DeclarationError(
                f"two branches on {by.name} have different roads ({', '.join(by.labels)} and {', '.join(labels)}); "
                "name the same roads in both"
            )
        by.labels = by.labels or labels
        given = [(label, self._road(Road(decision=by.name, label=label), roads[key])) for key, label in named.items()]
        led = {label: ref for label, ref in given if ref is not None}
        return Handle(Ref(kind="choice", name=by.name, labels=tuple(led), items=tuple(led.values())))

    def _road(self, road: Road, body: Callable[[], Any]) -> Ref | None:
        """Returns what the road leads to; None where that is nothing new."""
        outside = self._roads
        self._roads = (*outside, road)
        try:
            value = body()
            return None if value is NoUpdate else self._ref(f"the road {road.label!r}", value)
        finally:
            self._roads = outside

    def _ref(self, what: str, value: Any) -> Ref:
        if isinstance(value, Handle):
            return value._ref
        if isinstance(value, list | tuple) and any(isinstance(item, Handle) for item in value):
            items = tuple(self._ref(what, item) for item in value)
            if any(ref.kind in ("input", "param", "results", "list") for item in items for ref in item.walk()):
                raise DeclarationError(
                    f"{what} is a list that holds an input, or a list of results; pass it as a parameter of its own"
                )
            return Ref(kind="list", items=items)
        import json  # only here: `import riparian` need not pay for it

        try:
            return Ref(kind="value", value=json.loads(json.dumps(value, allow_nan=False)))
        except (TypeError, ValueError, RecursionError) as exc:
            raise DeclarationError(
                f"{what} is a {type(value).__name__}, which can not be kept with a workflow: {exc}; pass a task's "
                "result, an input of the workflow, or a constant of JSON"
            ) from exc

    def produce(self, produces: tuple[AssetKey, ...], returned: object) -> None:
        """Notes which call makes which asset; raises DeclarationError when the body did not return just those."""
        found = {key_of(key): value for key, value in returned.items()} if isinstance(returned, Dict) else None
        if found is None or set(found) != set(produces):
            got = ", ".join(found) if found else "nothing" if returned is None else type(returned).__name__
            raise DeclarationError(
                f"the workflow produces {', '.join(produces)}, but its body returned {got or 'nothing'}; "
                "return {'its.key': the result of a task, …}"
            )
        for key, value in found.items():
            if not isinstance(value, Handle) or not self._becomes(key, value._ref, ()):
                raise DeclarationError(f"{key} is {value!r}, which no task makes; return a task's result")

    def _becomes(self, key: AssetKey, ref: Ref, roads: tuple[Road, ...]) -> bool:
        """Notes who makes the asset, on each road; returns whether anybody does."""
        if ref.kind == "choice":
            taken = [(item, (*roads, Road(decision=ref.name, label=label))) for label, item in _labelled(ref)]
            made_on = [self._becomes(key, item, there) for item, there in taken]  # each road has to be noted
            return any(made_on)
        if ref == NO_VALUE and roads:
            return False  # on this road there is nothing new
        if ref.kind == "results":
            raise DeclarationError(f"{key} is a list of results of {ref.name}; gather them in one more @task")
        if ref.kind != "task":
            raise DeclarationError(f"{key} is not the result of a task; let a @task make it and return its result")
        made = self.calls[ref.name]
        if made.output:
            raise DeclarationError(
                f"the result of {ref.name} is returned for {made.output} and once more for {key}; let a @task make each"
            )
        if not set(roads) <= set(made.roads):
            raise DeclarationError(
                f"{key} is the result of {ref.name} on the road {roads[-1].label!r}, but {ref.name} runs on other "
                "roads too; call it inside that road's function"
            )
        made.output = key
        return True


def _labelled(ref: Ref) -> list[tuple[str, Ref]]:
    return list(zip(ref.labels, ref.items, strict=True))


_composing: ContextVar[Composition | None] = ContextVar("riparian_composing", default=None)


@contextmanager
def composing() -> Iterator[Composition]:
    """While it lasts, a call of a task is noted and returns a reference."""
    composition = Composition()
    token = _composing.set(composition)
    try:
        yield composition
    finally:
        _composing.reset(token)


def compose(
    body: Callable[..., Any],
    inputs: tuple[str, ...],
    produces: tuple[AssetKey, ...],
    parameters: tuple[str, ...] = (),
) -> Composition:
    """Calls the workflow's body once with references to its inputs and to its parameters; raises DeclarationError when
    it can not be meant.

    What else the body raises comes out as it is.
    """
    with composing() as composition:
        given = {name: Handle(Ref(kind="input", name=name)) for name in inputs}
        given |= {name: Handle(Ref(kind="param", name=name)) for name in parameters}
        composition.produce(produces, body(**given))
    return composition
