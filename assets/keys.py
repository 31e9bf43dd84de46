"""What is a good asset key?"""

from __future__ import annotations

import re
from typing import NewType

from riparian.assets.errors import DeclarationError

AssetKey = NewType("AssetKey", str)
"""A dotted lower-case name such as ``air.flights``: safe in URLs, shells and selectors."""

_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
MAX_LENGTH = 200


def parse_key(text: str) -> AssetKey:
    """Returns ``text`` as a key; raises DeclarationError when it is none."""
    if not is_key(text):
        raise DeclarationError(
            f"{text!r} is not an asset key; write dotted lower-case names of letters, digits and _ "
            f"that start with a letter, such as 'air.flights' (at most {MAX_LENGTH} characters)"
        )
    return AssetKey(text)


def is_key(text: object) -> bool:
    """Whether ``text`` is written as keys are."""
    return isinstance(text, str) and len(text) <= MAX_LENGTH and _KEY.fullmatch(text) is not None


def namespace(key: AssetKey) -> str:
    """All segments but the last: ``air`` for ``air.flights``, empty when there is one segment."""
    return key.rpartition(".")[0]


def last_segment(key: AssetKey) -> str:
    """The name that a parameter binds to: ``flights`` for ``air.flights``."""
    return key.rpartition(".")[2]


def key_of(asset: object) -> AssetKey:
    """Returns the key of a key text, a source, an @asset function, or of the one asset that a @workflow makes.

    Raises DeclarationError for anything else.
    """
    if isinstance(asset, str):
        return parse_key(asset)
    # All declarations hold themselves under this name, so that this file need not know them.
    declared = getattr(asset, "__riparian__", None)
    products = getattr(declared, "produces", None)
    if products is not None and len(products) > 1:
        raise DeclarationError(
            f"{getattr(declared, 'key', '')} makes {', '.join(products)}; name the one that is meant by its key"
        )
    key = products[0] if products else getattr(declared, "key", None)
    if key is None:
        raise DeclarationError(
            f"{getattr(asset, '__qualname__', repr(asset))} is no asset; "
            "name a key such as 'air.flights', a source, or a function decorated with @asset"
        )
    return parse_key(key)
