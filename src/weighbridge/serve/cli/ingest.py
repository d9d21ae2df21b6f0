"""The command that takes in what comes from outside: files, child tables, declared sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weighbridge.serve.cli.options import (
    AsJson,
    CaseName,
    HomeFolder,
    Mapped,
    app,
    mapping_of,
    moment,
    open_case,
    pairs_of,
    progress_bar,
    progress_bytes,
    settings_of,
    show,
)


@app.command()
def ingest(
    case: CaseName,
    file: Annotated[
        Path | None, typer.Argument(help="events, Parquet or CSV [default: the declared sources, fetched]")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="labels in a file of their own: event_id, label, arrived")] = None,
    table: Annotated[list[str] | None, typer.Option(help="rows of a child table: NAME=FILE; comes first")] = None,
    mapped: Mapped = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="present of this piece, ISO-8601 [default: now]")] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take history into the log; rows that break the contract go to a table of rejects, with reasons.

    Without a file the declared sources are fetched, and what has changed in them is taken in; the home's
    reports/ingestion_summary.json tells of each. Rows of child tables count for the events that come after them: they
    are taken in before the events. What arrives after the present waits (labels) or is rejected (events). To take
    history in piece by piece, give each piece the time at which it was known with --as-of. Exit 1 when every row was
    rejected.
    """
    from weighbridge.clock import ManualClock, SystemClock
    from weighbridge.errors import InputError
    from weighbridge.loop.children import ingest_rows
    from weighbridge.loop.ingest import ingest as take
    from weighbridge.serve.collecting import collected
    from weighbridge.stores.sources import read_file, read_pieces

    clock = ManualClock(moment("--as-of", as_of)) if as_of else SystemClock()
    if file is None and (labels or (mapped and not table)):
        raise InputError("--labels and --map go with a file; of declared sources the declaration says it")
    columns = mapping_of(mapped)
    tables = [(name, Path(path)) for name, path in pairs_of("--table", table, "NAME=FILE")]
    events, known = read_file(file) if file else None, read_file(labels) if labels else None
    declared, opened = open_case(case, home, create=True)
    of_events = {k: c for k, c in columns.items() if not k.startswith(tuple(f"{name}." for name, _ in tables))}
    reports = []
    with opened.writing(), progress_bar("ingest") as progress, progress_bytes("fetch") as fetched:
        for name, path in tables:
            pieces = read_pieces(path)
            own = {field.removeprefix(f"{name}."): c for field, c in columns.items() if field.startswith(f"{name}.")}
            reports.append(ingest_rows(declared, opened.stores, clock, name, pieces, own, progress))
        if events is not None:
            reports.append(take(declared, opened.stores, clock, events, known, of_events))
        elif not tables:
            reports.append(collected(declared, opened, clock, settings_of(), fetched))
    for report in reports:
        show(report, as_json=as_json)
    if any(told["rejected"] and not told["accepted"] and not told["already_stored"] for told in
           (report.figures for report in reports)):  # fmt: skip
        raise typer.Exit(1)
