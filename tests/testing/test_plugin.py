"""What pytest gets: a fixture that holds the project, and a mark that says when and where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from riparian.testing import Instance
from riparian.testing.clock import BEGIN


@pytest.mark.riparian(now="2013-02-08 06:00", project="../../examples/first_asset")
def test_a_mark_says_when_and_where(request: pytest.FixtureRequest) -> None:
    """The folder is meant from the test's own; one without a configuration is no project."""
    with pytest.raises(Exception, match=r"there is no riparian\.toml in .*first_asset"):
        request.getfixturevalue("riparian_instance")


@pytest.mark.riparian(now="2013-02-08 06:00", project="../../examples/flights")
def test_the_project_that_is_marked(riparian_instance: Instance) -> None:
    """Is the one that is held."""
    assert datetime(2013, 2, 8, 6, tzinfo=UTC) == riparian_instance.clock.now
    riparian_instance.assert_reason("air.delays", "waiting_for_input")


@pytest.mark.riparian(project="../../examples/flights")
@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_instance_of_its_own(riparian_instance: Instance, number: int) -> None:
    """In which nothing has happened."""
    assert BEGIN == riparian_instance.clock.now
    assert [] == riparian_instance.runs("air.airlines")
    riparian_instance.drop("air.airlines", [{"carrier": "UA", "name": str(number)}])


def test_the_mark_is_known(pytestconfig: pytest.Config) -> None:
    """So that --strict-markers takes it."""
    assert [True] == [line.startswith("riparian(now=") for line in pytestconfig.getini("markers") if "riparian" in line]
