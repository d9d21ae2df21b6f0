"""Commands that bring data in and put it away: simulate, seal, save-logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from weighbridge.declare.case import UseCase
from weighbridge.serve.cli.options import (
    AsJson,
    CaseName,
    HomeFolder,
    app,
    moment,
    open_case,
    progress_bar,
    settings_of,
    show,
)


@app.command()
def simulate(
    case: CaseName,
    out: Annotated[Path, typer.Option("--out", help="folder for events and labels")] = Path("data/raw"),
    events: Annotated[int | None, typer.Option(min=1, help="how many events [default: as declared]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed; the same seed gives the same world")] = 7,
    start: Annotated[str, typer.Option(help="time of the first event, ISO-8601")] = "2026-01-05T00:00:00Z",
    rate: Annotated[
        float | None, typer.Option(help="share of positive events, such as 0.01 [default: declared]")
    ] = None,
    starts: Annotated[float | None, typer.Option(help="when late patterns start, as a fraction of the time")] = None,
    form: Annotated[str, typer.Option("--format", help="csv or parquet")] = "parquet",
) -> None:
    """Write a simulated world: events and, apart from them, labels with their own arrival.

    A use case whose events have child tables gets a file for each table instead, labels beside the events, as
    large as asked, made and written block by block.
    """
    from weighbridge.declare.relations import Relations
    from weighbridge.declare.simulation import Simulation
    from weighbridge.errors import InputError
    from weighbridge.loop.simulate import simulate as make
    from weighbridge.serve.wiring import find_case
    from weighbridge.stores.sources import write_file

    declared = find_case(case)
    if isinstance(declared.simulate, Relations):
        if rate is not None or starts is not None:
            raise InputError("--rate and --starts are of streams of events; this use case simulates related tables")
        _write_related(declared, out, events, seed, form)
        return
    if isinstance(declared.simulate, Simulation):
        world_of = declared.simulate
        patterns = [replace(p, starts=starts) if p.starts and starts is not None else p for p in world_of.patterns]
        world_of = replace(world_of, rate=world_of.rate if rate is None else rate, patterns=patterns)
        declared = replace(declared, simulate=world_of)
    start_us = moment("--start", start)
    if start_us < 0:
        raise InputError(f"--start {start!r} lies before 1970, where ULIDs begin; choose a later time")
    world = make(declared, seed=seed, start_us=start_us, events=events)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("events", world.events), ("labels", world.labels)):
        path = out / f"{declared.name}_{name}.{form}"
        write_file(path, table)
        typer.echo(f"{path}: {len(table):,} rows")


def _write_related(case: UseCase, out: Path, events: int | None, seed: int, form: str) -> None:
    from weighbridge.loop.relations import related
    from weighbridge.stores.sources import writing

    with progress_bar("simulate") as progress, writing(out, form) as put:
        rows: dict[str, int] = {}
        for tables in related(case, seed=seed, events=events, progress=progress):
            for name, table in tables.items():
                put(name, table)
                rows[name] = rows.get(name, 0) + len(table)
    for name, count in rows.items():
        typer.echo(f"{out / name}.{form}: {count:,} rows")


@app.command()
def seal(
    case: CaseName,
    keep_hot: Annotated[
        int | None, typer.Option(min=0, help="how many events and labels stay hot [default: $WEIGH_HOT_EVENTS]")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Move the log's older records into Parquet segments; drop segments beyond the declared retention."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.seal import seal as put_away

    declared, opened = open_case(case, home, create=False)
    with opened.writing():
        hot_events = settings_of(hot_events=keep_hot).hot_events
        show(put_away(declared, opened.stores, SystemClock(), hot_events), as_json=as_json)


@app.command()
def save_logs(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Save the decisions since the last time as Parquet files for analysts, in the home's tables/decisions.

    While a server runs, save through its door: POST /save-logs.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.save_logs import save_logs as save

    declared, opened = open_case(case, home, create=False)
    with opened.writing(), progress_bar("save") as progress:
        report = save(declared, opened.stores, SystemClock(), progress)
    show(report, as_json=as_json)
