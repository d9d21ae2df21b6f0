"""The stage table as a GitHub workflow."""

from __future__ import annotations

from typing import Any

from weighbridge.adapters.exports.table import NOT_DUE, Table
from weighbridge.clock import SECOND_US
from weighbridge.declare.stages import Stage

ENVIRONMENT = "production"  # its protection rules name who approves


def render(table: Table) -> dict[str, str]:
    """Return .github/workflows/CASE.yml: a job for each pipeline, and another from where an approval is asked for.

    The jobs run one after another on the runner that has the home, so it is a self-hosted one and nothing is cleaned.
    """
    name = table.case.name
    schedules = dict.fromkeys(stages[0].schedule for stages in table.pipelines.values() if stages[0].schedule)
    choice = {"description": "what to run", "type": "choice", "options": list(table.pipelines)}
    workflow = {
        "name": name,
        "on": {
            "schedule": [{"cron": cron} for cron in schedules],
            "workflow_dispatch": {"inputs": {"pipeline": {**choice, "required": True}}},
        },
        "permissions": {"contents": "read"},
        "concurrency": {"group": name, "cancel-in-progress": False},
        "jobs": {key: job for pipeline in table.pipelines for key, job in _jobs(table, pipeline).items()},
    }
    if not schedules:
        del workflow["on"]["schedule"]  # type: ignore[attr-defined]
    return {f".github/workflows/{name}.yml": table.as_yaml(workflow)}


def _jobs(table: Table, pipeline: str) -> dict[str, Any]:
    """Return a pipeline's jobs, with what follows it: a new one begins where a stage waits for an approval."""
    stages = table.pipelines[pipeline]
    parts: list[list[Stage]] = [[]]
    for stage in (*stages, *table.followers(pipeline)):
        if stage.approve and parts[-1]:
            parts.append([])
        parts[-1].append(stage)
    asked = f"inputs.pipeline == '{pipeline}'"
    if stages[0].schedule is not None:
        asked = f"github.event.schedule == '{stages[0].schedule}' || {asked}"
    jobs: dict[str, Any] = {}
    for part in parts:
        before = list(jobs)[-1:]
        key = pipeline if not before else f"{pipeline}-{part[0].verb}"
        when, steps = asked, [_step(table, stage) for stage in part]
        if before and part[0].verb == "retrain":  # nobody is asked to approve what is not due
            last = jobs[before[0]]
            last["outputs"] = {"due": "${{ steps.due.outputs.due }}"}
            last["steps"].insert(-1, _due(table))
            when = f"({asked}) && needs.{before[0]}.outputs.due == 'true'"
        jobs[key] = {
            **({"needs": before} if before else {}),
            "if": when,
            "runs-on": "self-hosted",
            **({"environment": ENVIRONMENT} if part[0].approve else {}),
            "steps": [{"uses": "actions/checkout@v4", "with": {"clean": False}}, *steps, _kept(table, key)],
        }
    return jobs


def _due(table: Table) -> dict[str, Any]:
    told = f'{table.due()} && echo "due=true" >> "$GITHUB_OUTPUT" || [ $? -eq {NOT_DUE} ]'
    return {"name": "due", "id": "due", "run": told}


def _step(table: Table, stage: Stage) -> dict[str, Any]:
    command, minutes = table.run(stage.verb), max(1, -(-stage.timeout_us // (60 * SECOND_US)))
    if stage.retries:
        tries = " ".join(str(n) for n in range(1, stage.retries + 2))
        command = f"for attempt in {tries}; do {command} && exit 0; done; exit 1"
    return {"name": stage.verb, "run": command, "timeout-minutes": minutes * (stage.retries + 1)}


def _kept(table: Table, job: str) -> dict[str, Any]:
    reports = f".weigh/{table.case.name}/reports"  # a bundle stays with its signing key, on the runner
    options = {"name": f"{table.case.name}-{job}", "path": reports, "include-hidden-files": True}
    return {"name": "keep", "if": "always()", "uses": "actions/upload-artifact@v4", "with": options}
