"""Which mapping goes without saying?"""

from __future__ import annotations

from riparian.assets.partitions.dynamic import Dynamic
from riparian.assets.partitions.mappings.all import AllPartitions, One
from riparian.assets.partitions.mappings.base import Mapping
from riparian.assets.partitions.mappings.by_dimension import NO_DIMENSION, ByDimension, Rule
from riparian.assets.partitions.mappings.by_key import ByKey
from riparian.assets.partitions.mappings.identity import Identity
from riparian.assets.partitions.mappings.overlapping import Overlapping
from riparian.assets.partitions.mappings.single import Fixed
from riparian.assets.partitions.product import Cut, Dimension, Product, declared_dimensions
from riparian.assets.partitions.windows import Windows


def default_mapping(consumer: Cut, consumed: Cut) -> Mapping | None:
    """Returns the mapping that goes without saying, or None when it must be said."""
    if consumed is None:
        return One()
    if consumer is None:
        return AllPartitions()
    if consumer == consumed:
        return Identity()
    if isinstance(consumer, Product) or isinstance(consumed, Product):
        return _of_dimensions(consumer, consumed)
    # Of the same size with other ends it must be said whether the same ones are meant.
    if isinstance(consumer, Windows) and isinstance(consumed, Windows) and not _same_size(consumer, consumed):
        return Overlapping() if consumer.overlaps(consumed) else None
    return None


def completed(mapping: Mapping, consumer: Cut, consumed: Cut) -> Mapping:
    """Returns a mapping by dimension with what goes without saying beside what it says; any other as it is."""
    if not isinstance(mapping, ByDimension):
        return mapping
    said = {r.name: _looking(r, consumer, consumed) for r in mapping.rules}
    found = [said.get(d.name) or _rule(d, consumer, consumed) for d in declared_dimensions(consumed)]
    named = {d.name for d in declared_dimensions(consumed)}
    strange = [rule for name, rule in said.items() if name not in named]
    return ByDimension.of([r for r in found if r is not None] + strange)


def _of_dimensions(consumer: Cut, consumed: Cut) -> Mapping | None:
    if isinstance(consumer, Dynamic) or isinstance(consumed, Dynamic):
        return None
    rules = [_rule(d, consumer, consumed) for d in declared_dimensions(consumed)]
    found = [r for r in rules if r is not None]
    # With no dimension in common, everything would be made from everything.
    return ByDimension.of(found) if len(found) == len(rules) and any(r.of for r in found) else None


def _rule(dimension: Dimension, consumer: Cut, consumed: Cut) -> Rule | None:
    """Returns what goes without saying of a dimension of the input: as between two assets of one dimension each where
    the consumer has it too, or other windows in its place; all of it where the consumer has nothing of the kind."""
    same = next((d for d in declared_dimensions(consumer) if d.name == dimension.name), None)
    if same is None:
        alike = [d for d in _lacked(consumer, consumed) if isinstance(d, Windows) == isinstance(dimension, Windows)]
        if not alike:
            return Rule(name=dimension.name, of=NO_DIMENSION, mapping=AllPartitions())
        same = alike[0] if len(alike) == 1 and isinstance(dimension, Windows) else None
    mapping = default_mapping(same, dimension) if same is not None else None
    return Rule(name=dimension.name, of=same.name, mapping=mapping) if same is not None and mapping else None


def _looking(rule: Rule, consumer: Cut, consumed: Cut) -> Rule:
    """Returns the rule with the dimension of the consumer that it looks at, where there is no doubt which it is."""
    if rule.of is not None:
        return rule
    if isinstance(rule.mapping, AllPartitions | Fixed):
        return Rule(name=rule.name, of=NO_DIMENSION, mapping=rule.mapping)
    if rule.name in {d.name for d in declared_dimensions(consumer)}:
        return Rule(name=rule.name, of=rule.name, mapping=rule.mapping)
    wanted = not isinstance(rule.mapping, ByKey)
    alike = [d.name for d in _lacked(consumer, consumed) if isinstance(d, Windows) == wanted]
    return Rule(name=rule.name, of=alike[0], mapping=rule.mapping) if len(alike) == 1 else rule


def _lacked(consumer: Cut, consumed: Cut) -> list[Dimension]:
    """The consumer's dimensions that the input has not."""
    has = {d.name for d in declared_dimensions(consumed)}
    return [d for d in declared_dimensions(consumer) if d.name not in has]


def _same_size(a: Windows, b: Windows) -> bool:
    return type(a) is type(b) and getattr(a, "expression", "") == getattr(b, "expression", "")
