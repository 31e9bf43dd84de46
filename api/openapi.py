"""What does the OpenAPI page say that no route knows? How refusals are written, and which door needs no token."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from riparian.api.problems import MEDIA_TYPE

OPEN = "/health"
"""The door that takes a token and needs none."""


class Doors(FastAPI):
    """The app, which tells the media type of its problems."""

    def openapi(self) -> dict[str, Any]:
        """Returns the schema of all doors, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for path, item in schema["paths"].items():
                for operation in item.values():
                    _tell_problems(operation)
                    if path.endswith(OPEN):
                        operation["security"] = [*operation["security"], {}]
        assert self.openapi_schema is not None  # noqa: S101 - the framework keeps what it made
        return self.openapi_schema


def _tell_problems(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if status >= "400" and "application/json" in answer["content"]:
            answer["content"] = {MEDIA_TYPE: answer["content"]["application/json"]}
