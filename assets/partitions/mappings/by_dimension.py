"""A mapping for each dimension."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions.base import EVERYTHING, Interval, Keys
from riparian.assets.partitions.boxes import Box
from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.mappings.all import AllPartitions
from riparian.assets.partitions.mappings.base import Mapping
from riparian.assets.partitions.mappings.by_key import ByKey
from riparian.assets.partitions.mappings.identity import Identity
from riparian.assets.partitions.mappings.offset import Offset
from riparian.assets.partitions.mappings.overlapping import MOST_TOGETHER, Overlapping, together
from riparian.assets.partitions.mappings.single import Fixed
from riparian.assets.partitions.product import Cut, Dimension, Product, boxes, declared_dimensions, spread
from riparian.assets.partitions.product import both as common
from riparian.assets.partitions.windows import Windows

NO_DIMENSION = ""
"""Of the consumer: what is meant is the same whichever its partition is."""

_KINDS = (Identity, AllPartitions, Overlapping, Fixed, Offset, ByKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What of the input's dimension ``name`` is meant, by the consumer's dimension ``of``; None: not said."""

    name: str
    of: str | None
    mapping: Mapping


@dataclass(frozen=True, slots=True, init=False)
class ByDimension(Mapping):
    """What is needed of each dimension of the input, by its name: ``ByDimension(region=AllPartitions())``.

    A mapping looks at the consumer's dimension of the same name, or of that which is named beside it:
    ``ByDimension(hour=("day", Overlapping()))``. Dimensions that are not named are meant as goes without saying. What
    the consumer has and the input lacks makes no difference: each of its partitions there needs the same.

    It waits for what each dimension waits for. Where one means all that there are (``AllPartitions``), that is counted
    for each key that the others need: each of 24 hours with at least two regions.
    """

    rules: tuple[Rule, ...]

    kind = "by_dimension"

    def __init__(self, /, **dimensions: Mapping | tuple[str, Mapping]) -> None:
        rules = []
        for name, said in dimensions.items():
            of, mapping = said if type(said) is tuple and len(said) == 2 else (None, said)
            if not isinstance(mapping, _KINDS) or not (of is None or isinstance(of, str)):
                kinds = ", ".join(kind.__name__ for kind in _KINDS)
                raise DeclarationError(
                    f"ByDimension({name}={said!r}): write one of {kinds}, or such a one with the dimension of the "
                    f"consumer that it looks at, such as {name}=('day', Overlapping())"
                )
            rules.append(Rule(name=name, of=of, mapping=mapping))
        if not rules:
            raise DeclarationError("ByDimension() says nothing; write ByDimension(region=AllPartitions())")
        object.__setattr__(self, "rules", tuple(rules))

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> ByDimension:
        """Returns the mapping of these rules, in the order of the input's dimensions."""
        return cls(**{r.name: r.mapping if r.of is None else (r.of, r.mapping) for r in rules})

    @property
    def many(self) -> bool:
        return any(r.mapping.many for r in self.rules)

    @property
    def label(self) -> str:
        said = ((r.name, r.mapping.label, f" of {r.of}" if r.of and r.of != r.name else "") for r in self.rules)
        return ", ".join(f"{name} {label}{of}".replace("  ", " ") for name, label, of in said if label or of)

    @property
    def can_be_none(self) -> bool:
        return any(r.mapping.can_be_none for r in self.rules)

    @property
    def looks_back(self) -> bool:
        return any(r.mapping.looks_back for r in self.rules)

    def says_which(self, own: Cut, other: Cut) -> bool:
        # Of keys that the input lacks each could run; of windows there is no end.
        looked = {r.of for r in self.rules if r.mapping.cuts}
        return bool(looked) and all(d.name in looked for d in declared_dimensions(own) if isinstance(d, Windows))

    def series(self, key: str, own: Cut) -> str:
        same = {r.of for r in self.rules if isinstance(r.mapping, Identity)}
        parts = own.split(key) if isinstance(own, Product) else None
        named = zip(declared_dimensions(own), parts or (), strict=False)
        return "\n".join(part for d, part in named if d.name in same)

    def required(self, keys: Keys, other: Cut) -> int:
        needed, there = self._apart(keys, other)
        return self._least if there == 1 else needed

    def counted(self, there: Sequence[str], keys: Keys, other: Cut) -> int:
        whole = [n for n, r in enumerate(self.rules) if isinstance(r.mapping, AllPartitions)]
        if not whole or not isinstance(other, Product) or self._apart(keys, other)[1] == 1:
            return len(there)
        found = Counter(tuple(part for n, part in enumerate(other.split(key) or ()) if n not in whole) for key in there)
        return sum(1 for count in found.values() if count >= self._least)

    def possible(self, keys: Keys, other: Cut) -> int:
        _, there = self._apart(keys, other)
        # Of all that there are it is not known how many there will be.
        return 0 if there == 1 and any(isinstance(r.mapping, AllPartitions) for r in self.rules) else there

    @property
    def _least(self) -> int:
        """How many partitions are needed for each key of the dimensions of which not all that there are is meant."""
        return prod(r.mapping.at_least for r in self.rules if isinstance(r.mapping, AllPartitions))

    def _apart(self, keys: Keys, other: Cut) -> tuple[int, int]:
        """Returns how many keys of these dimensions, together, are needed, and how many there are of what is meant."""
        found = [sides for interval in keys for sides in boxes(other, interval)]
        needed = there = 1
        for n, (rule, dimension) in enumerate(zip(self.rules, declared_dimensions(other), strict=False)):
            if not isinstance(rule.mapping, Identity | Fixed | AllPartitions):
                side = tuple(dict.fromkeys(i for sides in found for i in sides[n]))
                needed *= rule.mapping.required(side, dimension)
                there *= rule.mapping.possible(side, dimension)
        return needed, there

    def up(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        if not self._meets(own, other):
            return ()
        places = {d.name: n for n, d in enumerate(declared_dimensions(own))}
        found: list[Interval] = []
        for box in boxes(own, interval):
            sides = tuple(
                tuple(k for i in side for k in rule.mapping.up(i, of, dimension))
                for rule, dimension in zip(self.rules, declared_dimensions(other), strict=True)
                for of, side in [self._looked_at(rule, own, box, places)]
            )
            found += spread(other, tuple(_in_order(side) for side in sides))
        return _in_order(found)

    def down(self, interval: Interval, own: Cut, other: Cut) -> Keys:
        if not self._meets(own, other):
            return ()
        found: list[Interval] = []
        owned = declared_dimensions(own)
        for box in boxes(other, interval):
            sides: dict[str, Keys] = {d.name: (EVERYTHING,) for d in owned}
            for rule, dimension, side in zip(self.rules, declared_dimensions(other), box, strict=True):
                of = next((d for d in owned if d.name == rule.of), None)
                needing = _in_order([k for i in side for k in rule.mapping.down(i, of, dimension)])
                if of is not None:
                    sides[of.name] = common(sides[of.name], needing)
                elif not needing:
                    break
            else:
                if all(sides.values()):
                    found += spread(own, tuple(sides[d.name] for d in owned))
        return _in_order(found)

    def _looked_at(
        self, rule: Rule, own: Cut, box: Sequence[Keys], places: dict[str, int]
    ) -> tuple[Dimension | None, Keys]:
        if not rule.of:
            return None, (EVERYTHING,)
        return declared_dimensions(own)[places[rule.of]], box[places[rule.of]]

    def _meets(self, own: Cut, other: Cut) -> bool:
        """Whether these are the dimensions that are spoken of: another project may have cut the input anew."""
        if isinstance(own, Dynamic) or isinstance(other, Dynamic):
            return False
        has = {d.name for d in declared_dimensions(own)} | {NO_DIMENSION}
        return [r.name for r in self.rules] == [d.name for d in declared_dimensions(other)] and all(
            r.of in has for r in self.rules
        )

    def unfit(self, own: Cut, other: Cut) -> tuple[str, str] | None:
        if isinstance(own, Dynamic) or isinstance(other, Dynamic):
            return "ByDimension() asks for dimensions whose keys are declared", "Write AllPartitions()"
        owned, named = ({d.name: d for d in declared_dimensions(cut)} for cut in (own, other))
        for rule in self.rules:
            if rule.name not in named:
                has = ", ".join(named) or "none"
                return f"ByDimension() names {rule.name!r}, but the dimensions of the input are {has}", "Name those"
            if rule.of is None or (rule.of and rule.of not in owned):
                has = ", ".join(owned) or "none"
                what = f"which of the consumer's dimensions ({has}) {rule.name}={rule.mapping} looks at is not said"
                return what, f"Write {rule.name}=('its dimension', {rule.mapping})"
            if why := rule.mapping.unfit(owned.get(rule.of), named[rule.name]):
                return f"{rule.name}: {why[0]}", why[1]
        if left := next((n for n in named if n not in {r.name for r in self.rules}), None):
            return f"which {left} of the input is meant does not go without saying", f"Write {left}=… in ByDimension()"
        if [r.name for r in self.rules] != [*named]:
            return (
                f"ByDimension() says its dimensions in another order than the input: {', '.join(named)}",
                "Write them in its order",
            )
        looked = [r.of for r in self.rules if r.of]
        if twice := next((of for of in looked if looked.count(of) > 1), None):
            return f"two dimensions of the input look at {twice} of the consumer", "Put an asset between them"
        if self.can_be_none and any(isinstance(r.mapping, ByKey) for r in self.rules):
            return "where nothing is meant, the end of a series and a table can not be told apart", "Put one between"
        size = prod(_most(r.mapping, owned.get(r.of or ""), named[r.name]) for r in self.rules)
        if size > MOST_TOGETHER:
            what = f"one partition may need {size:,} of the input, more than {MOST_TOGETHER:,}"
            return what, "Put an asset of fewer between them"
        return None

    def to_json(self) -> Any:
        said = [{"name": r.name, "of": r.of, "mapping": r.mapping.to_json()} for r in self.rules]
        return {"kind": self.kind, "dimensions": said}

    def __str__(self) -> str:
        said = (f"{r.name}=({r.of!r}, {r.mapping})" if r.of else f"{r.name}={r.mapping}" for r in self.rules)
        return f"ByDimension({', '.join(said)})"

    __repr__ = __str__


def _in_order(found: Iterable[Interval]) -> Keys:
    """Returns them in order, as one where they meet."""
    merged: list[Interval] = []
    for interval in sorted(dict.fromkeys(found), key=lambda i: (i.lo, i.hi)):
        last = merged[-1] if merged else None
        if last is None or interval.lo > last.hi or isinstance(last, Box) or isinstance(interval, Box):
            merged.append(interval)
        else:
            merged[-1] = Interval(last.lo, max(last.hi, interval.hi))
    return tuple(merged)


def _most(mapping: Mapping, own: Cut, other: Dimension) -> int:
    """Returns how many keys of a dimension one partition may need; of all windows that there are that is not known."""
    match mapping:
        case Overlapping() if isinstance(own, Windows) and isinstance(other, Windows):
            return together(own, other)
        case Offset():
            return mapping.until - mapping.first + 1
        case ByKey():
            return max(len(needs) for _, needs in mapping.table)
        case AllPartitions() if not isinstance(other, Windows):
            return other.count(EVERYTHING)
        case _:
            return 1
