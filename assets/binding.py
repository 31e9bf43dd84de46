"""Which asset does each parameter of an asset's function receive, as which type, and which of its partitions?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from types import FunctionType
from typing import get_args, get_origin

from riparian.assets.annotations import SUPPORTED, TABLES, element, type_name, without_none
from riparian.assets.declare import Declaration, plain_function
from riparian.assets.errors import DeclarationError, Location, Problem
from riparian.assets.keys import AssetKey, last_segment, namespace
from riparian.assets.manifest import InputSpec
from riparian.assets.parameters import ParameterSpec, keyword_options, parameter_of
from riparian.assets.partitions import (
    Mapping,
    Partitions,
    Product,
    Static,
    Windows,
    completed,
    default_mapping,
    dimensions_of,
)
from riparian.assets.tasks import CONTEXT, Argument, Ref

Evaluate = Callable[[object], object]
"""Turns an annotation that is text into what it stands for."""


class Catalogue:
    """The assets that parameters can bind to, with their partitions."""

    def __init__(self, assets: Iterable[tuple[AssetKey, Partitions | None]]) -> None:
        self.partitions: Dict[AssetKey, Partitions | None] = dict(assets)
        self._by_segment: dict[str, list[AssetKey]] = {}
        for key in self.partitions:
            self._by_segment.setdefault(last_segment(key), []).append(key)

    def candidates(self, parameter: str, consumer: AssetKey) -> Sequence[AssetKey]:
        """Returns the assets that ``parameter`` of the function that makes ``consumer`` can mean: it is bound when one.

        An asset never binds to itself, so that ``clean.flights`` can be made from ``raw.flights``.
        """
        named = [key for key in self._by_segment.get(parameter, ()) if key != consumer]
        own = namespace(consumer)
        near = [key for key in named if namespace(key) == own]
        return near or named


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How a function is called. ``context`` is the parameter that receives ctx; ``returns`` is empty when unknown."""

    inputs: tuple[InputSpec, ...]
    arguments: tuple[Argument, ...]
    context: str | None
    returns: str
    problems: tuple[Problem, ...]
    parameters: tuple[ParameterSpec, ...] = ()


def bind(declared: Declaration, catalogue: Catalogue, evaluate: Evaluate, location: Location) -> Binding:
    """Returns the binding of every parameter, and a problem for each that can not be bound."""
    function = plain_function(declared.function)
    code = function.__code__
    problems: list[Problem] = []
    inputs: list[InputSpec] = []
    arguments: list[Argument] = []
    if code.co_posonlyargcount or code.co_flags & 0x0C:  # *args, **kwargs
        problems.append(
            Problem(
                code="unbindable_signature",
                message=f"{function.__qualname__} takes positional-only arguments, *args or **kwargs: none is an asset",
                remedy="Give each consumed asset a parameter of its own",
                location=location,
            )
        )
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    defaults = _defaulted(function)
    for parameter in parameters:
        # A parameter with a default is an option of the function; guessing an asset for it would surprise.
        if parameter == CONTEXT or (parameter in defaults and parameter not in declared.inputs):
            continue
        bound = _input(declared, function, parameter, catalogue, evaluate, location)
        if isinstance(bound, Problem):
            problems.append(bound)
        else:
            inputs.append(bound[0])
            arguments.append(bound[1])
    problems.extend(
        Problem(
            code="unknown_parameter",
            message=f"inputs= names {extra!r}, which is no parameter of {function.__qualname__}",
            remedy=f"Its parameters are: {', '.join(parameters) or 'none'}",
            location=location,
        )
        for extra in sorted(declared.inputs.keys() - set(parameters))
    )
    own = parameters_of(function, declared.inputs, evaluate, location, problems)
    arguments += [Argument(parameter=p.name, type=p.type, ref=Ref(kind="param", name=p.name)) for p in own]
    returns = annotated(function, "return", evaluate, location)
    if isinstance(returns, Problem):
        problems.append(returns)
    return Binding(
        inputs=tuple(inputs),
        arguments=tuple(arguments),
        context=context_of(function),
        returns=returns if isinstance(returns, str) else "",
        problems=tuple(problems),
        parameters=own,
    )


def parameters_of(
    function: FunctionType, inputs: Iterable[str], evaluate: Evaluate, location: Location, problems: list[Problem]
) -> tuple[ParameterSpec, ...]:
    """Returns what may be given to a run of the function, apart from its inputs; adds what is wrong to ``problems``."""
    names = [n for n in keyword_options(function) if n != CONTEXT and n not in inputs]
    if not names:
        return ()
    told = [
        parameter_of(function, n, evaluate(function.__annotations__[n]), location)
        for n in names
        if n in function.__annotations__
    ]
    problems += [p for p in told if isinstance(p, Problem)]
    return tuple(p for p in told if isinstance(p, ParameterSpec))


def context_of(function: FunctionType) -> str | None:
    """Returns the parameter that receives the context, if there is one."""
    code = function.__code__
    return CONTEXT if CONTEXT in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] else None


def _defaulted(function: FunctionType) -> set[str]:
    code, positional = function.__code__, function.__defaults__ or ()
    return {*code.co_varnames[code.co_argcount - len(positional) : code.co_argcount], *(function.__kwdefaults__ or ())}


def _input(
    declared: Declaration,
    function: FunctionType,
    parameter: str,
    catalogue: Catalogue,
    evaluate: Evaluate,
    location: Location,
) -> tuple[InputSpec, Argument] | Problem:
    key, mapping = declared.inputs.get(parameter, (None, None))
    if key is None:
        candidates = catalogue.candidates(parameter, declared.key)
        if len(candidates) != 1:
            return _unbound(function, parameter, candidates, location)
        key = candidates[0]
    spec = consumed_as(declared.key, parameter, key, mapping, declared.partitions, catalogue, location)
    if isinstance(spec, Problem):
        return spec
    of = annotated(function, parameter, evaluate, location, reading(spec))
    if isinstance(of, Problem):
        return of
    return spec, Argument(parameter=parameter, type=of, ref=Ref(kind="input", name=parameter))


def reading(spec: InputSpec) -> Callable[[object], str]:
    """Returns how an annotation gives the type of what the parameter receives of one partition."""
    read = as_set if spec.mapping.many else as_one
    if not spec.mapping.can_be_none:
        return read

    def optional(annotation: object) -> str:
        found = without_none(annotation)
        if found is None:
            raise DeclarationError(
                f"at an end of the series there is none for {spec.mapping}; annotate T | None, where T is its type"
            )
        return read(found)

    return optional


def consumed_as(
    consumer: AssetKey,
    parameter: str,
    key: AssetKey,
    mapping: Mapping | None,
    partitions: Partitions | None,
    catalogue: Catalogue,
    location: Location,
) -> InputSpec | Problem:
    """Returns which partitions of ``key`` the consumer, cut by ``partitions``, receives as ``parameter``."""
    consumed = catalogue.partitions.get(key)
    mapping = completed(mapping, partitions, consumed) if mapping else default_mapping(partitions, consumed)
    if mapping is not None:
        return InputSpec(parameter=parameter, asset=key, mapping=mapping)
    return Problem(
        code="mapping_not_said",
        message=(
            f"{consumer} and its input {key} have different partitions "
            f"({partitions} and {consumed}), so it does not go without saying which of them it needs"
        ),
        remedy=f"Say which for {parameter!r}: Input({key!r}, {_said(partitions, consumed)}",
        location=location,
    )


def _said(own: Partitions | None, other: Partitions | None) -> str:
    if isinstance(own, Product) or isinstance(other, Product):
        named = {d.name: d for d in dimensions_of(own)}
        rest = [d.name for d in dimensions_of(other) if named.get(d.name) != d]
        return f"mapping=ByDimension({', '.join(f'{name}=…' for name in rest)}))"
    if isinstance(own, Static) and isinstance(other, Static):
        return "mapping=Identity()), or mapping=ByKey({'key': ['its', 'keys']})"
    if isinstance(own, Windows) and isinstance(other, Windows):
        return "mapping=Identity()), or mapping=Overlapping()"
    return "mapping=Identity()), or mapping=AllPartitions()"


def _unbound(function: FunctionType, parameter: str, candidates: Sequence[AssetKey], location: Location) -> Problem:
    if candidates:
        return Problem(
            code="ambiguous_parameter",
            message=f"the parameter {parameter!r} of {function.__qualname__} can mean {' or '.join(candidates)}",
            remedy=f"Say which: inputs={{{parameter!r}: {candidates[0]!r}}}",
            location=location,
        )
    return Problem(
        code="unbound_parameter",
        message=f"the parameter {parameter!r} of {function.__qualname__} names no asset: no key ends in {parameter!r}",
        remedy=f"Name it after an asset, write inputs={{{parameter!r}: 'its.key'}}, or give it a default",
        location=location,
    )


def as_one(annotation: object) -> str:
    """Returns the name of the type that an annotation gives to one value."""
    return type_name(annotation)


def annotated(
    function: FunctionType,
    name: str,
    evaluate: Evaluate,
    location: Location,
    read: Callable[[object], str] = as_one,
) -> str | Problem:
    """Returns the name of the type that an annotation gives, as ``read`` understands it (as_one, as_set, as_list)."""
    what = "the return value" if name == "return" else f"the parameter {name!r}"
    if name not in function.__annotations__:
        return Problem(
            code="missing_annotation",
            message=f"{what} of {function.__qualname__} has no annotation, so its format is not known",
            remedy=f"Annotate it with one of: {SUPPORTED}",
            location=location,
        )
    annotation = evaluate(function.__annotations__[name])
    try:
        return read(annotation)
    except DeclarationError as exc:
        message, _, remedy = str(exc).partition("; ")
        return Problem(
            code="unsupported_annotation",
            message=f"{what} of {function.__qualname__}: {message}",
            remedy=remedy[:1].upper() + remedy[1:],
            location=location,
        )


def as_list(annotation: object) -> str:
    """Returns the name of T of an annotation ``list[T]``; empty for a list of anything."""
    if annotation is list:
        return ""
    if get_origin(annotation) is not list:
        raise DeclarationError("it receives a list of results; annotate list[T] where T is the type of one result")
    return type_name(get_args(annotation)[0])


def as_set(annotation: object) -> str:
    """Returns the name of the type of one partition where a parameter receives a set of them."""
    one = element(annotation)
    name = type_name(annotation if one is None else one)
    if (one is None) == (name in TABLES):
        return name
    if one is None:
        raise DeclarationError(
            "it receives many partitions, by their keys; annotate dict[str, T] where T is the type of one partition"
        )
    raise DeclarationError(
        "many partitions of a table come as one table, in the order of their keys; annotate the table itself"
    )
