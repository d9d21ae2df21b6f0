"""Commands about what comes from outside: ingest and freshness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weighbridge.serve.cli.options import (
    AsJson,
    AsOf,
    CaseName,
    HomeFolder,
    Mapped,
    app,
    mapping_of,
    moment,
    open_case,
    pairs_of,
    past,
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
    accept_schema: Annotated[
        bool, typer.Option("--accept-schema", help="take in what changed its form or unit, this once")
    ] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take history into the log; rows that break the contract go to a table of rejects, with reasons.

    Without a file the declared sources are fetched, and what has changed in them is taken in; the home's
    reports/ingestion_summary.json tells of each. A file that has changed since the last one in a way that breaks, such
    as another unit, is refused whole. Rows of child tables count for the events that come after them: they are taken in
    before the events. What arrives after the present waits (labels) or is rejected (events). To take history in piece
    by piece, give each piece the time at which it was known with --as-of. Exit 1 when every row was rejected.
    """
    from weighbridge.clock import ManualClock, SystemClock
    from weighbridge.declare.changes import MAY_BE_ACCEPTED
    from weighbridge.errors import InputError
    from weighbridge.loop.children import commit_rows, keep_named, read_in
    from weighbridge.loop.given import Given
    from weighbridge.loop.ingest import judged, store
    from weighbridge.serve.collecting import collected
    from weighbridge.stores.sources import read_rows, row_pieces

    clock = ManualClock(moment("--as-of", as_of)) if as_of else SystemClock()
    if file is None and (labels or (mapped and not table)):
        raise InputError("--labels and --map go with a file; of declared sources the declaration says it")
    columns = mapping_of(mapped)
    tables = [(name, Path(path)) for name, path in pairs_of("--table", table, "NAME=FILE")]
    of_events = {k: c for k, c in columns.items() if not k.startswith(tuple(f"{name}." for name, _ in tables))}
    accepts = MAY_BE_ACCEPTED if accept_schema else ()
    events = [Given.of("events", read_rows(file), of_events, "events", accepts)] if file else []
    known = [Given.of("labels", read_rows(labels), of_events, "labels", accepts)] if labels else []
    declared, opened = open_case(case, home, create=True)
    with opened.writing(), progress_bar("ingest") as progress, progress_bytes("fetch") as fetched:
        keep_named(opened.stores)
        read = []
        for name, path in tables:
            pieces = row_pieces(path)
            own = {field.removeprefix(f"{name}."): c for field, c in columns.items() if field.startswith(f"{name}.")}
            read.append(read_in(declared, opened.stores, clock, name, pieces, own, progress))
        found = judged(declared, opened.stores, clock, events, known) if events else None
        reports = [commit_rows(opened.stores, clock, rows) for rows in read]
        if found:
            reports.append(store(opened.stores, found))
        elif not tables:
            reports.append(collected(declared, opened, clock, settings_of(), fetched, accepts))
    for report in reports:
        show(report, as_json=as_json)
    if any(told["rejected"] and not told["accepted"] and not told["already_stored"] for told in
           (report.figures for report in reports)):  # fmt: skip
        raise typer.Exit(1)


@app.command()
def freshness(
    case: CaseName,
    fail_on_stale: Annotated[bool, typer.Option("--fail-on-stale", help="exit 1 when a source or the log is")] = False,
    as_of: AsOf = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell how old the newest event of each declared source and of the log is; reports/freshness.json has it too.

    A source is stale when that is older than its Feed(fresh=...). Exit 0, or with --fail-on-stale 1 when one is stale.
    """
    from weighbridge.clock import ManualClock, SystemClock
    from weighbridge.loop.freshness import freshness as look

    as_of_us = past("--as-of", as_of)
    declared, opened = open_case(case, home, create=False)
    report = look(declared, opened.stores, SystemClock() if as_of_us is None else ManualClock(as_of_us))
    show(report, as_json=as_json)
    if fail_on_stale and report.figures["stale"]:
        raise typer.Exit(1)
