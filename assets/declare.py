"""How does one declare sources and assets in Python code?

Declaring has no effect but its value: only inside ``collecting()`` is it also noted what was declared, in order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from types import FunctionType
from typing import Any, TypeVar

from riparian.assets.arrival import FileDrop
from riparian.assets.catchup import CatchUp, catch_up_of
from riparian.assets.errors import DeclarationError, Location
from riparian.assets.keys import AssetKey, key_of, parse_key
from riparian.assets.limits import Limit, limits_of, priority_of
from riparian.assets.partitions import KINDS, Mapping, Partitions
from riparian.assets.policy import Policy
from riparian.assets.retry import Retry
from riparian.assets.tasks import LONGEST_SECONDS, ONCE, SHORTEST_SECONDS
from riparian.assets.triggers import Trigger, on_update

F = TypeVar("F", bound=Callable[..., Any])

SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
"""The format that a file's suffix says; any other suffix says ``bytes``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """An asset that others produce. ``location`` is absolute."""

    key: AssetKey
    format: str
    arrives: FileDrop | None
    partitions: Partitions | None
    policy: Policy | None
    description: str
    location: Location

    @property
    def __riparian__(self) -> Source:
        return self


@dataclass(frozen=True, slots=True)
class Input:
    """One consumed asset, in ``inputs={"parameter": Input(asset, mapping=AllPartitions())}``.

    ``asset`` is a key, a source or a function decorated with @asset; without ``mapping`` the default one holds.
    """

    asset: object
    mapping: Mapping | None = None

    def __post_init__(self) -> None:
        expect("mapping", self.mapping, (Mapping,), "Identity(), AllPartitions(), Last() or Offset(-1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """How much of a workflow may be under way at once, what it goes before, how long a run may take, and which missed
    windows are made up for."""

    limits: tuple[Limit, ...] = ()
    priority: int = 0
    run_timeout_seconds: float | None = None
    catch_up: CatchUp = "latest"


NOT_URGENT = Urgency()
UPDATED = on_update()
"""What holds where nothing is said: one for all, as a large project says nothing ten thousand times."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declaration:
    """What ``@asset`` says about ``function``. ``inputs`` holds the explicit ones only, by parameter."""

    key: AssetKey
    function: Callable[..., Any]
    inputs: Dict[str, tuple[AssetKey, Mapping | None]]
    partitions: Partitions | None
    trigger: Trigger
    policy: Policy | None
    retry: Retry
    timeout_seconds: float | None
    description: str
    location: Location
    urgency: Urgency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workflow:
    """What ``@workflow`` says about ``body``. ``inputs`` are the consumed assets by the body's parameters."""

    key: AssetKey
    body: Callable[..., Any]
    inputs: Dict[str, tuple[AssetKey, Mapping | None]]
    produces: tuple[AssetKey, ...]
    partitions: Partitions | None
    trigger: Trigger
    policies: Dict[AssetKey, Policy | None]
    description: str
    location: Location
    urgency: Urgency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Check:
    """What ``@check`` says about ``function``."""

    asset: AssetKey
    name: str
    function: Callable[..., Any]
    blocking: bool
    timeout_seconds: float | None
    description: str
    location: Location


Declared = Source | Declaration | Workflow | Check

_collected: ContextVar[list[Declared] | None] = ContextVar("riparian_collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Declared]]:
    """Gives a list to which everything declared inside is added, in order."""
    declared: list[Declared] = []
    token = _collected.set(declared)
    try:
        yield declared
    finally:
        _collected.reset(token)


def source(
    key: str,
    *,
    arrives: FileDrop | None = None,
    partitions: Partitions | None = None,
    policy: Policy | None = None,
    format: str | None = None,  # the word people expect here
    description: str = "",
) -> Source:
    """Declares an asset that others produce: files that arrive, or updates reported from outside.

    ``format`` (csv, parquet, json, bytes) is said by the files' suffix where it is not given; without files it is json,
    as the values of reported updates are.
    Raises DeclarationError when a value can not be meant.
    """
    expect("arrives", arrives, (FileDrop,), "FileDrop('drop/flights.csv')")
    expect("policy", policy, (Policy,), "Policy(readers={'ops'})")
    expect_cut(partitions)
    caller = sys._getframe(1)
    declared = Source(
        key=parse_key(key),
        format=format or (_suffix_format(arrives.pattern) if arrives else "json"),
        arrives=arrives,
        partitions=partitions,
        policy=policy,
        description=description,
        location=Location(caller.f_code.co_filename, caller.f_lineno),
    )
    note(declared)
    return declared


def asset(
    key: str,
    *,
    inputs: Dict[str, object] | None = None,
    partitions: Partitions | None = None,
    trigger: Trigger | None = None,
    policy: Policy | None = None,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
    limits: Limit | Iterable[Limit] | None = None,
    priority: int = 0,
    run_timeout: float | timedelta | None = None,
    catch_up: CatchUp = "latest",
    description: str | None = None,
) -> Callable[[F], F]:
    """Declares that the decorated function makes the asset ``key``, and returns the function unchanged.

    Its parameters receive the assets that ``inputs`` names (a key, a source, a decorated function, or ``Input``), else
    those whose last segment is the parameter's name; ``ctx`` receives the context. Without ``trigger`` it runs when a
    consumed asset was updated. ``timeout`` is of one try, ``run_timeout`` of the whole run from its first grant, with
    all tries and pauses; both in seconds, or a timedelta. ``limits`` say how much may be under way at once. Of what is
    ready a higher ``priority`` (-100 to 100) goes first, until others have waited longer: 10 minutes are worth one.
    What runs for the window of a tick makes up, after a time in which nobody heard the ticks, for the latest window;
    with ``catch_up="all"`` for each, with a number for so many of the latest.
    Raises DeclarationError when a value can not be meant.
    """
    parsed = parse_key(key)
    expect("policy", policy, (Policy,), "Policy(readers={'ops'})")
    expect("retry", retry, (Retry,), "Retry(attempts=3)")
    expect_cut(partitions, trigger)
    explicit = {parameter: consumed(asset) for parameter, asset in (inputs or {}).items()}
    seconds = seconds_of(timeout)
    urgency = urgency_of(limits, priority, run_timeout, catch_up)

    def decorate(function: F) -> F:
        plain = plain_function(function)
        declared = Declaration(
            key=parsed,
            function=function,
            inputs=explicit,
            partitions=partitions,
            trigger=UPDATED if trigger is None else trigger,
            policy=policy,
            retry=retry or ONCE,
            timeout_seconds=seconds,
            description=first_line(plain.__doc__) if description is None else description,
            location=location_of(plain),
            urgency=urgency,
        )
        function.__riparian__ = declared  # type: ignore[attr-defined]  # functions take any attribute
        note(declared)
        return function

    return decorate


def declaration_of(value: object) -> Declared | None:
    """Returns what ``value`` declares, or None. Runs no code of the value's own, whatever it is."""
    if type(value) is Source:
        return value
    try:
        declared = object.__getattribute__(value, "__dict__").get("__riparian__")
    except AttributeError:
        return None
    return declared if type(declared) in (Declaration, Workflow, Check) else None


def plain_function(function: Callable[..., Any], decorator: str = "@asset") -> FunctionType:
    """Returns the ``def`` behind wrappers made by functools; raises DeclarationError when it can not make an asset."""
    plain: Any = function
    while hasattr(plain, "__wrapped__"):
        plain = plain.__wrapped__
    if not isinstance(plain, FunctionType):
        raise DeclarationError(f"{decorator} stands above {function!r}, which is no function; write it above a def")
    # Flags 0x20, 0x80, 0x200 of a code object: generator, coroutine, asynchronous generator.
    if plain.__code__.co_flags & 0x2A0:
        raise DeclarationError(
            f"{plain.__qualname__} is a generator or asynchronous; write a plain def that returns its value"
        )
    return plain


def location_of(function: FunctionType) -> Location:
    return Location(function.__code__.co_filename, function.__code__.co_firstlineno)


def consumed(asset: object) -> tuple[AssetKey, Mapping | None]:
    return (key_of(asset.asset), asset.mapping) if isinstance(asset, Input) else (key_of(asset), None)


def note(declared: Declared) -> None:
    if (collected := _collected.get()) is not None:
        collected.append(declared)


def expect_cut(partitions: object, trigger: object = None) -> None:
    expect("partitions", partitions, KINDS, "Daily('day', start='2013-01-01')")
    expect("trigger", trigger, (Trigger,), "on_update(), on_cron('0 6 * * *') or manual()")


def urgency_of(
    limits: Limit | Iterable[Limit] | None,
    priority: int,
    run_timeout: float | timedelta | None,
    catch_up: CatchUp = "latest",
) -> Urgency:
    """Returns what is said of all runs of a workflow; raises DeclarationError for what can not be meant."""
    if limits is None and run_timeout is None and type(priority) is int and (priority, catch_up) == (0, "latest"):
        return NOT_URGENT
    return Urgency(
        limits=limits_of(limits),
        priority=priority_of(priority),
        run_timeout_seconds=seconds_of(run_timeout, "run_timeout"),
        catch_up=catch_up_of(catch_up),
    )


def seconds_of(timeout: float | timedelta | None, name: str = "timeout") -> float | None:
    """Returns the seconds that a time-out says; raises DeclarationError when they leave no time."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is None:
        return None
    if type(seconds) not in (int, float) or not seconds <= LONGEST_SECONDS:
        raise DeclarationError(
            f"{name}={timeout!r} can not be meant; write seconds or a timedelta, of at most {LONGEST_SECONDS:,}"
        )
    if seconds < SHORTEST_SECONDS:
        raise DeclarationError(f"{name}={timeout!r} leaves no time to run; write seconds above 0")
    return seconds


def expect(name: str, value: object, kinds: tuple[type, ...], example: str) -> None:
    if value is not None and not isinstance(value, kinds):
        raise DeclarationError(f"{name}={value!r} can not be used; write {name}={example}")


def _suffix_format(pattern: str) -> str:
    name = pattern.rpartition("/")[2]
    return SUFFIXES.get("." + name.rpartition(".")[2].lower(), "bytes") if "." in name else "bytes"


def first_line(doc: str | None) -> str:
    return doc.strip().partition("\n")[0].strip() if doc else ""
