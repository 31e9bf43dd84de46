"""Which folders are watched when something goes wrong on the way?"""

from dataclasses import replace

import pytest
from sqlalchemy import text

from riparian.assets.arrival import FileDrop
from riparian.assets.policy import Principal
from riparian.scheduler import register
from riparian.storage.metadata import files

ME = Principal(name="me", groups=frozenset({"owners"}))


@pytest.fixture
def watching(plant):
    """a and b wait for files in folders that are missing, which a sensor that is at work says."""
    manifest = plant.manifest({"c": ["a", "b"]}, "one")
    drops = {"a": FileDrop("gone/a.json"), "b": FileDrop("away/b.json")}
    assets = tuple(replace(asset, arrives=drops.get(asset.key)) for asset in manifest.assets)
    plant.plane.settings = replace(plant.plane.settings, sensors=True)
    register.apply(plant.plane, replace(manifest, assets=assets), plant.bundle("one")[1], ME)
    yield plant
    plant.plane.stop()


def missing(plant) -> list[str]:
    return [folder for folder in ("away", "gone") if any(f"/{folder} can not" in p for p in plant.plane.problems())]


def test_a_sensor_that_could_not_begin_begins_later(watching, monkeypatch):
    """A full disk at an apply does not end the watching until the next start."""

    def full(tx):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(files, "forget_all_settling", full)
        with pytest.raises(OSError, match="the disk is full"):
            watching.plane.watch()
    assert [] == missing(watching)

    watching.plane.watch()
    assert ["away", "gone"] == missing(watching)


def test_a_source_whose_files_can_not_be_told_does_not_blind_the_others(watching, caplog):
    """As after a change of this program, which judges what it kept anew."""
    edit = text("UPDATE definition SET body = replace(body, 'gone/a', 'gone/{')")
    watching.plane.db.write(lambda tx: tx.conn.execute(edit))
    watching.plane.graphs.__init__()

    watching.plane.watch()
    assert ["away"] == missing(watching)
    assert "no files arrive for a: the pattern 'gone/{.json' can not be read" in caplog.text
