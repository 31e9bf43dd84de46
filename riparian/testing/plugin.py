"""What does pytest get? A fixture with an instance of the project, and a mark that says how it begins.

pytest loads this file in every session of an environment that Riparian is installed in: it imports nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from riparian.testing import Instance

MARK = "riparian(now=None, project=None): when the test takes place, and the folder of its project, from the test's own"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


@pytest.fixture
def riparian_instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """An instance of the project whose riparian.toml lies beside the test or above it; nothing happened in it yet."""
    from riparian.testing.instance import Instance

    mark = request.node.get_closest_marker("riparian")
    said = dict(mark.kwargs) if mark is not None else {}
    folder = request.path.parent / said.pop("project", ".")
    with Instance.of_project(folder, **said) as instance:
        yield instance
