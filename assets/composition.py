"""What does a workflow's body compose? Calls it once, and says of each task what it takes, as which type."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType

from riparian.assets.binding import (
    Catalogue,
    Evaluate,
    annotated,
    as_list,
    as_one,
    consumed_as,
    context_of,
    parameters_of,
    reading,
)
from riparian.assets.declare import Workflow, location_of, plain_function
from riparian.assets.errors import DeclarationError, Location, Problem
from riparian.assets.manifest import InputSpec
from riparian.assets.parameters import ParameterSpec
from riparian.assets.tasks import Argument, Ref
from riparian.assets.workflows import Call, Composition, Task, compose

Place = Callable[[Location], Location]
"""Gives a location as people see it: relative to the project's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """One call with what is known of its function. ``returns`` is empty when that is unknown."""

    call: Call
    arguments: tuple[Argument, ...]
    context: str | None
    returns: str

    @property
    def task(self) -> Task[..., object]:
        return self.call.task


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A workflow's inputs and its calls, each after those it takes results of."""

    inputs: tuple[InputSpec, ...]
    calls: tuple[Composed, ...]
    problems: tuple[Problem, ...]
    parameters: tuple[ParameterSpec, ...] = ()


def read_body(
    declared: Workflow, catalogue: Catalogue, evaluator: Callable[[FunctionType], Evaluate], place: Place
) -> Body:
    """Returns what the body composes, and a problem for each thing that can not be meant."""
    location = place(declared.location)
    problems: list[Problem] = []
    inputs = _inputs(declared, catalogue, location, problems)
    body = plain_function(declared.body, "@workflow")
    own = parameters_of(body, declared.inputs, evaluator(body), location, problems)
    named = body.__code__.co_varnames[: body.__code__.co_argcount + body.__code__.co_kwonlyargcount]
    parameters = tuple(name for name in named if name not in {p.name for p in own})
    if set(parameters) != set(declared.inputs):
        problems.append(
            Problem(
                code="unbound_parameter",
                message=(
                    f"the body of {declared.key} takes {', '.join(parameters) or 'nothing'}, but it consumes "
                    f"{', '.join(declared.inputs) or 'nothing'}"
                ),
                remedy="Give the body one parameter for each consumed asset, named by the last segment of its key, "
                "or write consumes={'parameter': 'its.key'}",
                location=location,
            )
        )
        return Body(inputs=inputs, calls=(), problems=tuple(problems))
    composition = Composition()
    with _as_problem(problems, body, place):
        composition = compose(declared.body, parameters, declared.produces, tuple(p.name for p in own))
    readings = {spec.parameter: reading(spec) for spec in inputs}
    reader = _Reader(readings, {p.name: p.type for p in own}, evaluator, place, problems)
    return Body(
        inputs=inputs,
        calls=tuple(reader.composed(call) for call in composition.calls.values()),
        problems=tuple(problems),
        parameters=own,
    )


def _inputs(
    declared: Workflow, catalogue: Catalogue, location: Location, problems: list[Problem]
) -> tuple[InputSpec, ...]:
    specs = [
        consumed_as(declared.key, parameter, key, mapping, declared.partitions, catalogue, location)
        for parameter, (key, mapping) in declared.inputs.items()
    ]
    problems.extend(s for s in specs if isinstance(s, Problem))
    return tuple(s for s in specs if isinstance(s, InputSpec))


@contextmanager
def _as_problem(problems: list[Problem], body: FunctionType, place: Place) -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # noqa: BLE001  # whatever the body raises, the other declarations are judged too
        file = body.__code__.co_filename
        lines = [f.lineno for f in traceback.extract_tb(exc.__traceback__) if f.filename == file]
        location = place(Location(file, (lines[-1] if lines else None) or body.__code__.co_firstlineno))
        if isinstance(exc, DeclarationError):
            message, _, remedy = str(exc).partition("; ")
            remedy = remedy[:1].upper() + remedy[1:]
        else:
            message = f"composing {body.__qualname__} failed: {type(exc).__name__}: {exc}"
            remedy = "The body only composes: it is called with references, so let tasks do the work"
        problems.append(Problem(code="bad_composition", message=message, remedy=remedy, location=location))


class _Reader:
    """Reads the annotations of the functions that a body calls."""

    def __init__(
        self,
        readings: Dict[str, Callable[[object], str]],
        given: Dict[str, str],
        evaluator: Callable[[FunctionType], Evaluate],
        place: Place,
        problems: list[Problem],
    ) -> None:
        self._readings = readings
        self._given = given
        self._evaluator = evaluator
        self._place = place
        self._problems = problems
        self._returns: dict[str, str] = {}

    def composed(self, call: Call) -> Composed:
        function = plain_function(call.task.function, "@task")
        if function.__code__.co_posonlyargcount or function.__code__.co_flags & 0x0C:  # *args, **kwargs
            self._problems.append(
                Problem(
                    code="unbindable_signature",
                    message=f"{function.__qualname__} takes positional-only arguments, *args or **kwargs",
                    remedy="Give each thing that the task takes a parameter of its own",
                    location=self._place(location_of(function)),
                )
            )
        evaluate, location = self._evaluator(function), self._place(location_of(function))
        returns = self._noted(annotated(function, "return", evaluate, location))
        self._returns[call.name] = returns
        arguments = []
        for parameter, ref in call.arguments.items():
            if ref.kind == "value":
                arguments.append(Argument(parameter=parameter, type="", ref=ref))
                continue
            if ref.kind == "param":
                arguments.append(Argument(parameter=parameter, type=self._given[ref.name], ref=ref))
                continue
            read = self._reading(call, parameter, ref)
            of = self._noted(annotated(function, parameter, evaluate, location, read))
            if read is as_list and not of:
                of = next((self._returns.get(t.name, "") for t in ref.walk() if t.kind in ("task", "results")), "")
            arguments.append(Argument(parameter=parameter, type=of, ref=ref))
        return Composed(call=call, arguments=tuple(arguments), context=context_of(function), returns=returns)

    def _noted(self, found: str | Problem) -> str:
        if isinstance(found, str):
            return found
        self._problems.append(found)
        return ""

    def _reading(self, call: Call, parameter: str, ref: Ref) -> Callable[[object], str]:
        if parameter == call.mapped:
            return as_one
        if ref.kind == "input":
            return self._readings.get(ref.name, as_one)
        return as_list if ref.kind in ("results", "list") else as_one
