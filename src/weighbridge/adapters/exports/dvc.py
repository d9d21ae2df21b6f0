"""The stage table as a dvc.yaml."""

from __future__ import annotations

from typing import Any

from weighbridge.adapters.exports.table import Table
from weighbridge.declare.stages import Stage

SETTLED = ("simulate", "ingest", "validate", "train", "gate", "promote")  # whose inputs are all among their deps
METRICS = ("train", "gate")


def render(table: Table) -> dict[str, str]:
    """Return dvc.yaml. A stage's output is its report in the home; the home itself is left to weighbridge.

    A stage that reads the home's log, which grows outside of DVC, is always asked to run, and skips by itself.
    """
    stages = {stage.verb: _stage(table, stage) for members in table.pipelines.values() for stage in members}
    return {"dvc.yaml": table.as_yaml({"stages": stages})}


def _stage(table: Table, stage: Stage) -> dict[str, Any]:
    declared = [table.called] if table.called.endswith(".py") else []
    deps = [*declared, *stage.reads, *(_report(table, verb) for verb in stage.after)]
    schedule = stage.schedule or "on demand"
    found: dict[str, Any] = {"desc": f"{stage.pipeline}: {schedule}", "cmd": table.run(stage.verb)}
    if deps:
        found["deps"] = deps
    outs: list[Any] = list(stage.writes)
    report = {_report(table, stage.verb): {"cache": False, "persist": True}}
    if stage.verb in METRICS:
        found["metrics"] = [report]
    else:
        outs.append(report)
    if outs:
        found["outs"] = outs
    if stage.verb not in SETTLED or (stage.verb == "ingest" and table.case.sources):
        found["always_changed"] = True
    return found


def _report(table: Table, verb: str) -> str:
    return f".weigh/{table.case.name}/reports/stages/{verb}.json"
