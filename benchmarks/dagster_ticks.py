"""What does a tick of Dagster cost? Run by an interpreter that has Dagster, with the number of assets; prints JSON.

The graph is that of ``projects.layers``, every asset under ``AutomationCondition.eager()``. Only the evaluation is
measured: no run is started. An instance in memory, as ours beside it is.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings

import dagster

ROUNDS = 3


def main(size: int, width: int) -> None:
    warnings.simplefilter("ignore")
    defs = dagster.Definitions(assets=[_asset(number, width) for number in range(size)])
    with dagster.DagsterInstance.ephemeral() as instance:
        for number in range(size):
            instance.report_runless_asset_event(dagster.AssetMaterialization(f"g{number}"))
        _, tick = _tick(defs, instance)
        idle, update, requested = [], [], []
        for number in range(ROUNDS):
            seconds, tick = _tick(defs, instance, tick.cursor)
            idle.append(seconds)
            instance.report_runless_asset_event(dagster.AssetMaterialization(f"g{number}"))
            seconds, tick = _tick(defs, instance, tick.cursor)
            update.append(seconds)
            requested.append(tick.total_requested)
    figures = {"idle_s": statistics.median(idle), "update_s": statistics.median(update), "requested": min(requested)}
    print(json.dumps(figures))


def _asset(number: int, width: int) -> dagster.AssetSpec | dagster.AssetsDefinition:
    if number < width:
        return dagster.AssetSpec(f"g{number}")
    eager = dagster.AutomationCondition.eager()

    @dagster.asset(name=f"g{number}", deps=[f"g{number - width}"], automation_condition=eager)
    def made() -> None: ...

    return made


def _tick(
    defs: dagster.Definitions, instance: dagster.DagsterInstance, cursor: dagster.AssetDaemonCursor | None = None
) -> tuple[float, dagster.EvaluateAutomationConditionsResult]:
    started = time.perf_counter()
    result = dagster.evaluate_automation_conditions(defs, instance, cursor=cursor)
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
