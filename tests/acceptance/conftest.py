"""The example's own functions, with real processes, on two days instead of a fortnight."""

import sys
import time
from collections.abc import Iterator
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flights"
sys.path.insert(0, str(EXAMPLE))

from show.asking import people  # noqa: E402 - found in the folder above
from show.deliveries import Airline, all_flights  # noqa: E402
from show.screen import Screen  # noqa: E402
from show.server import make_project, serving  # noqa: E402
from show.story import Story  # noqa: E402

BEFORE, STORM = date(2013, 2, 7), date(2013, 2, 8)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story after its deliveries: one day waited, one came incomplete, was corrected and came once more."""
    folder = tmp_path_factory.mktemp("flights") / "project"
    make_project(folder)
    airline = Airline(all_flights(), folder)
    airline.deliver_reference()
    airline.deliver(BEFORE)
    with serving(folder) as server, people(server) as asked:
        told = Story(Screen(), airline, server, asked)
        told.backlog([BEFORE], time.monotonic())
        told.fortnight([STORM], incomplete=STORM, repeated=STORM)
        yield told


@pytest.fixture(scope="module")
def pipeline() -> ModuleType:
    """The project's functions, for who calls them without Riparian. Under a name that no other project has."""
    spec = spec_from_file_location("flights_pipeline", EXAMPLE / "pipeline.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
