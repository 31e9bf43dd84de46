"""Files that arrive for a source are taken in, one after the other."""

from riparian.scheduler import ingest
from riparian.scheduler.core.readiness import FileSeen


def test_the_same_delivery_is_a_no_op(plant):
    """The same path and fingerprint reported again leads to nothing."""
    plant.apply({"b": ["a"]})
    seen = FileSeen(
        source="a", path="1:x", partition="", fingerprint="1-1-1", size=1, mtime_ns=1, inode=1, state="ready"
    )
    ingest.observe(plant.plane, [seen, seen])
    assert ["a", "b"] == plant.settle()
    ingest.observe(plant.plane, [seen])

    assert [] == plant.settle()


def test_files_of_a_partition_are_taken_in_in_order(plant):
    """Two files for one partition become two versions in the order in which they were seen."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.drop("a", "two")
    plant.settle()

    assert "two" == plant.head("a")


def test_a_file_that_waits_outlives_its_declaration(plant):
    """A source that is removed and declared again takes in what was complete before."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    plant.drop("a", "two")
    plant.apply({"c": ["x"]})
    plant.settle()
    plant.apply({"b": ["a"]})

    assert ["a", "b"] == plant.settle()
    assert "b(=two)" == plant.head("b")


def test_a_file_on_a_share_that_was_away_is_taken_in(plant):
    """Reading fails for a while and then succeeds: the file is not given up, and not asked to come again."""
    plant.apply({"b": ["a"]})
    plant.drop("a", "one")
    for _ in range(3):
        plant.ask(plant.failed(plant.take()[0], retryable=False))
        plant.now += 100_000_000
        plant.session = plant.join()

    assert ["a", "b"] == plant.settle()


def test_an_old_content_that_comes_back_is_a_delivery(plant):
    """old, new, old: each was taken in, and the last one is what the file holds."""
    plant.apply({"b": ["a"]})
    for content in ("old", "new", "old"):
        plant.see("a", content, path="f")
        plant.settle()

    assert "b(=old)" == plant.head("b")
