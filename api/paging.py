"""How does a caller ask for a piece of a list?"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from riparian.storage.access import Page

Limit = Annotated[int, Query(ge=1, le=500, description="At most so many items.")]
Cursor = Annotated[
    str | None, Query(min_length=1, pattern="^[A-Za-z0-9_-]+$", description="The `next` of the answer before.")
]


def page(found: Page) -> dict[str, Any]:
    """Shapes a piece of a list."""
    return {"items": found.items, "next": found.next}
