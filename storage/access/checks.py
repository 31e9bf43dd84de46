"""What did checks find? Told only to who may read what they looked at: a result tells of the data."""

from __future__ import annotations

import json
from typing import Any

from riparian.assets.checks import CheckSpec
from riparian.assets.errors import Refused
from riparian.assets.keys import AssetKey
from riparian.storage.access.assets import require
from riparian.storage.access.pages import iso
from riparian.storage.access.partitions import check_partition
from riparian.storage.access.rights import Judge
from riparian.storage.metadata import catalogue, checks
from riparian.storage.metadata.catalogue import AnyRow


def of_asset(judge: Judge, key: str, partition: str | None) -> dict[str, Any]:
    """The asset's declared checks, each with what it found last, in the partition or in any. Raises NotFound, and
    Refused for who may know of the asset but not read it: then not even the names are told."""
    require(judge, key)
    check_partition(judge, key, partition)
    if not judge.tells_of(key):
        chain = judge.because(judge.denials_of(judge.origins(list(judge.head_origins(key))) | judge.bound(key)))
        raise Refused(f"the checks of {key} tell of data that you may not read: {chain}")
    found = [(spec, _newest(judge, spec, partition)) for spec in judge.graph.checks(AssetKey(key))]
    heads = catalogue.heads_among(judge.tx, [row.version for _, row in found if row is not None])
    return {
        "asset": key,
        "partition": partition,
        "checks": [
            {
                "name": spec.name,
                "blocking": spec.blocking,
                "description": spec.description,
                "result": None if row is None else {**_result(row), "head": row.version in heads},
            }
            for spec, row in found
        ],
    }


def of_run(judge: Judge, run_id: str) -> list[dict[str, Any]]:
    """What checks found in what the run made, as far as the reader may read it."""
    rows = [row for row in checks.of_run(judge.tx, run_id) if judge.permits(row.origins, row.asset)]
    return [{"asset": row.asset, "check": row.name, **_result(row)} for row in rows]


def _newest(judge: Judge, spec: CheckSpec, partition: str | None) -> AnyRow | None:
    rows = checks.newest(judge.tx, spec.asset, spec.name, partition)
    return next((row for row in rows if judge.permits(row.origins, spec.asset)), None)


def _result(row: AnyRow) -> dict[str, Any]:
    return {
        "passed": row.passed,
        "blocked": row.blocking and not row.passed,
        "metadata": json.loads(row.metadata),
        "description": row.description,
        "partition": row.partition,
        "version": row.version,
        "run": row.run,
        "checked_at": iso(row.checked_at),
    }
