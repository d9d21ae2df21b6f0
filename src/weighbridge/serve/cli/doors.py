"""Commands that decide: demo, serve, score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from weighbridge.serve.cli.options import (
    AsJson,
    CaseName,
    HomeFolder,
    Mapped,
    app,
    folder_of,
    mapping_of,
    open_case,
    progress_bar,
    settings_of,
)


@app.command()
def demo(
    case: CaseName = "card_fraud",
    events: Annotated[
        int | None, typer.Option(min=5_000, help="how many events to simulate [default: as declared]")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of the simulated world")] = 7,
    rate: Annotated[float, typer.Option(min=0, help="live requests a second; 0: as fast as they are answered")] = 0,
    home: HomeFolder = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port of the HTTP door; 0 takes a free one")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="tell the story and exit; do not stay and serve")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a use case go the whole way: data, features, training, decisions over HTTP, a new pattern, retraining."""
    from rich.console import Console

    from weighbridge.serve.demo import run_demo
    from weighbridge.serve.wiring import find_case

    settings, declared = settings_of(home=home, port=port), find_case(case)
    folder = folder_of(settings, "demo")
    summary = run_demo(
        declared, folder, events=events, seed=seed, rate=rate, host=settings.host,
        port=0 if headless and port is None else settings.port, console=Console(),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(summary))
    if not headless:
        _stay(case, folder, port)


@app.command()
def serve(
    case: CaseName,
    home: HomeFolder = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="port; 0 takes a free one")] = None,
    acknowledge: Annotated[str | None, typer.Option(help="synced (after an fsync) or written")] = None,
) -> None:
    """Decide raw events over HTTP with the bundle that is in production; promotions and API keys are followed."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.seal import seal
    from weighbridge.serve.http.app import make_app
    from weighbridge.serve.logs import log_to
    from weighbridge.serve.server import bind
    from weighbridge.serve.server import serve as serve_app
    from weighbridge.serve.wiring import open_checkpointed_desk

    settings = settings_of(port=port)
    declared, opened = open_case(case, home, create=False, acknowledge=acknowledge)
    guarded = bool(opened.stores.keys.all())
    with opened.writing(), bind(settings.host, settings.port, guarded=guarded) as listening:
        log_to(opened.folder / "logs", settings.log_level, to_stdout=settings.log_to_stdout)
        seal(declared, opened.stores, SystemClock(), settings.hot_events)
        memory_bytes = settings.state_memory_mb << 20
        with open_checkpointed_desk(declared, opened, SystemClock(), memory_bytes) as desk:
            champion = desk.router.champion
            host, bound = listening.getsockname()[:2]
            deciding = (
                f"bundle {champion.version} decides"
                if champion
                else f"not fit to decide: {desk.router.refusal or 'no bundle is in production'}"
            )
            typer.echo(f"http://{host}:{bound} serves {declared.name}; {deciding}; Ctrl-C stops")
            serve_app(make_app(desk, sandbox=settings.sandbox), listening)


@app.command()
def score(
    case: CaseName,
    source: Annotated[str, typer.Argument(help="raw events: Parquet, CSV, or the URL of a database with ?table=NAME")],
    out: Annotated[Path, typer.Option("--out", help="where decisions go, .parquet or .csv")],
    query: Annotated[str | None, typer.Option("--query", help="what to ask the database, in place of a table")] = None,
    review: Annotated[Path | None, typer.Option(help="where rows to review or decline go as well")] = None,
    bundle: Annotated[str | None, typer.Option("--bundle", help="a bundle [default: the one in production]")] = None,
    mapped: Mapped = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Score a file, or rows of a database, as if they arrived now, with the production bundle; nothing is stored.

    A database is sqlite:///FILE or postgresql://USER@HOST/NAME; nothing is written there. Exit 1 when every row was
    rejected.
    """
    from collections import Counter

    import pyarrow.compute as pc

    from weighbridge.adapters.database import is_database, read_database
    from weighbridge.errors import InputError
    from weighbridge.loop.gate import named
    from weighbridge.loop.score import score as decide
    from weighbridge.stores.sources import check_target, read_pieces, write_file

    if query is not None and not is_database(source):
        raise InputError(f"--query asks a database, and {source} is a file; give a database's URL, or leave it out")
    targets = [path for path in (out, review) if path is not None]
    for path in targets:
        check_target(path)
    if len({path.resolve() for path in (*targets, Path(source))}) <= len(targets):
        raise InputError("the source, --out and --review must be different files")
    declared, opened = open_case(case, home, create=False)
    chosen = named(declared, opened.stores, bundle)
    rows = read_database(source, query) if is_database(source) else read_pieces(Path(source))
    with progress_bar("score") as progress:
        scored = decide(declared, opened.stores, chosen, rows, mapping_of(mapped), progress)
    decided, rejected = scored.batch.table(), scored.rejected.to_pylist()
    flagged = decided.filter(pc.equal(decided["prediction"], 1))
    for path, table in zip(targets, (decided, flagged), strict=False):
        write_file(path, table)
    rules = dict(Counter(row["rule"] for row in rejected))
    figures = {"scored": len(decided), "flagged": len(flagged), "rejected": len(rejected), "reasons": rules}
    if as_json:
        typer.echo(json.dumps({**figures, "bundle": chosen.id}))
    else:
        first = "; row {row}: {field}: {detail}".format(**rejected[0]) if rejected else ""
        typer.echo(f"{len(decided):,} scored, {len(flagged):,} to review or decline, {len(rejected):,} rejected{first}")
    if rejected and not len(decided):
        raise typer.Exit(1)


def _stay(case: str, folder: Path, port: int | None) -> None:
    """Go on serving the demo's home, by the machine's clock, until interrupted."""
    serve(case, folder, port, "written")
