"""Commands of the stage table: run, stages, due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weighbridge.serve.cli.mlflow import mirrored
from weighbridge.serve.cli.options import (
    AsJson,
    CaseName,
    HomeFolder,
    aligned,
    app,
    closed_gates_exit_1,
    folder_of,
    open_case,
    progress_bar,
    progress_bytes,
    settings_of,
    show,
)

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase
    from weighbridge.loop.report import Report


@app.command()
def run(
    case: CaseName,
    stage: Annotated[
        str | None, typer.Argument(help="one stage or one pipeline [default: all but those on demand, in order]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="run even what has not changed")] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Run the stages of the loop in their order; what has not changed is skipped.

    `ingest` takes in the files that the stage table names, when they are there; when it is named, it fetches the
    declared sources. simulate and retrain run when they are named. `weigh stages CASE` shows the table. Exit 1 when a
    gate is closed; then production is as it was.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.run import run as run_stages
    from weighbridge.serve.collecting import collected
    from weighbridge.serve.landing import landing, sources_of
    from weighbridge.serve.wiring import find_case

    clock = SystemClock()
    files = landing(find_case(case), stage)
    declared, opened = open_case(case, home, create=bool(files))
    told: list[Report] = []

    def tell(report: Report) -> None:
        told.append(report)
        show(report, as_json=True) if as_json else typer.echo(line(report))

    def fetch() -> Report:
        with opened.writing(), progress_bytes("fetch") as fetched:
            return collected(declared, opened, clock, settings_of(), fetched)

    with mirrored(declared, opened), progress_bar("run") as progress, closed_gates_exit_1():
        sources = sources_of(declared, opened, clock, files, fetch)
        run_stages(declared, opened.stores, clock, sources, progress, tell, only=stage, force=force)
    if not as_json and len(told) > 1:
        ran = sum(not report.skipped for report in told)
        seconds = sum(report.seconds for report in told)
        typer.echo(f"{'':<9} {ran} ran, {len(told) - ran} skipped {seconds:8.1f} s")


def line(report: Report) -> str:
    """Return a report as a row of the table: stage, what became of it, seconds, sentence."""
    what = "skipped" if report.skipped else "ran"
    return f"{report.verb:<9} {what:<7} {report.seconds:7.1f} s  {report.sentence}"


@app.command()
def stages(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Show the table of stages: what runs after what and when, on which files, and when each last ran here."""
    from weighbridge.serve.wiring import find_case

    declared = find_case(case)
    table = list(rows(declared, home))
    if as_json:
        typer.echo(json.dumps({"use_case": declared.name, "stages": table}))
        return
    heads = ("stage", "after", "pipeline", "schedule (UTC)", "retries", "timeout", "reads", "writes", "last ran")
    typer.echo("\n".join(aligned([heads, *(tuple(map(_cell, row.values())) for row in table)])))


def rows(case: UseCase, home: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a path or None
    """Yield the stages of a use case as plain values, each with when it last ran in the home, if there is one."""
    from weighbridge.clock import us_to_iso

    folder = folder_of(settings_of(home=home), case.name)
    last: dict[str, int] = {}
    if (folder / "home.json").exists():
        from weighbridge.serve.wiring import open_home

        last = {verb: at for _, verb, at, _ in open_home(case, folder, create=False).stores.tracker.runs()}
    for stage in (stage.of(case.name) for stage in case.stages):
        yield {
            "stage": stage.verb,
            "after": list(stage.after),
            "pipeline": stage.pipeline,
            "schedule": stage.schedule,
            "retries": stage.retries,
            "timeout": stage.timeout,
            "reads": list(stage.reads),
            "writes": list(stage.writes),
            "last_ran": us_to_iso(last[stage.verb]) if stage.verb in last else None,
        }


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "–"
    return "–" if value is None else str(value)


@app.command()
def due(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Say whether a retrain is due, and why: drift, a loss of recall, settled labels, the schedule.

    Exit 0 when it is, 3 when nothing asks for one; for schedulers that go on by the exit code.
    """
    from weighbridge.adapters.exports.table import NOT_DUE
    from weighbridge.clock import SystemClock
    from weighbridge.loop.due import due as asks

    declared, opened = open_case(case, home, create=False)
    asked = asks(declared, opened.stores, SystemClock())
    if as_json:
        told = {"due": asked is not None} | ({"trigger": asked.trigger, "reason": asked.reason} if asked else {})
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"due       {asked.trigger}: {asked.reason}" if asked else "due       nothing asks for a retrain")
    if asked is None:
        raise typer.Exit(NOT_DUE)
