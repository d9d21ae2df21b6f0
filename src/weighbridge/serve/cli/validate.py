"""Commands of contracts: validate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import (
    AsJson,
    CaseName,
    HomeFolder,
    Mapped,
    app,
    mapping_of,
    open_case,
    progress_bar,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.loop.quality.request import Body
    from weighbridge.loop.report import Report

MOST_LINES = 20


@app.command()
def validate(
    case: CaseName,
    stage: Annotated[
        str | None, typer.Argument(help="raw, engineered, splits or request [default: raw, engineered and splits]")
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]", help="check these in place of what the home holds; - is stdin (request)"),
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="raw: labels in a file of their own")] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME=FILE", help="raw: a file of child rows, by its table")
    ] = None,
    mapped: Mapped = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="stop at the first failure")] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Hold data against their contract and the declared checks; exit 1 when one fails.

    Without a FILE, what the home holds: its log, the vectors built last, and the splits that training makes. raw takes
    a file of events (Parquet or CSV), engineered one of vectors, splits two or more (train first), request a body of
    `POST /predict` as JSON, or one a line. Writes reports/quality.html, which draws every column, and quality.json; of
    one stage, quality-STAGE.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.declare.validation import RAW, REQUEST, STAGES
    from weighbridge.loop.validate import OF_A_HOME
    from weighbridge.loop.validate import validate as check

    if stage is not None and stage not in STAGES:
        raise InputError(f"there is no stage {stage!r} to validate; use one of {', '.join(STAGES)}")
    if stage == REQUEST and not files:
        raise InputError("a request is read from a file, or from stdin as -; name it behind request")
    if labels and not (stage == RAW and files):
        raise InputError("--labels goes with a file of events; give raw FILE before it")
    if table and stage != RAW:
        raise InputError("--table gives child rows to the stage raw; give raw before it")
    bodies = _bodies(files or []) if stage == REQUEST else []
    given = bool(files or table)
    tables = _tables(str(stage), files or [], labels, table or []) if given and stage != REQUEST else None
    declared, opened = open_case(case, home, create=given)
    known = {"events", "labels", *(child.name for child in declared.children)}
    unknown = [name for name in tables or () if stage == RAW and name not in known]
    if unknown:
        raise InputError(f"there is no child table {unknown[0]!r}; declared are {', '.join(sorted(known))}")
    asked = OF_A_HOME if stage is None else (stage,)
    with progress_bar("validate") as progress:
        report = check(
            declared, opened.stores, SystemClock(), asked, progress, tables=tables, bodies=bodies,
            mapping=mapping_of(mapped), fail_fast=fail_fast or None,
        )  # fmt: skip
    _show(report, as_json=as_json)
    if not report.figures["passed"]:
        raise typer.Exit(1)


def _show(report: Report, *, as_json: bool) -> None:
    figures: dict[str, Any] = dict(report.figures)
    if as_json:
        typer.echo(json.dumps({"verb": report.verb, "run": report.run, **figures}))
        return
    typer.echo(f"{report.verb:<9} {report.sentence} ({report.seconds:.1f} s)")
    worse = figures["findings"]
    for each in worse[:MOST_LINES]:
        word = each["outcome"].upper() if each["outcome"] == "failed" else each["outcome"]
        where = " ".join(part for part in (each["stage"], each["table"], each["column"]) if part)
        rows = f"; rows {', '.join(map(str, each['examples']))}" if each["examples"] else ""
        typer.echo(f"  {word:<10} {each['check']:<9} {where}: {each['sentence']}{rows}")
    if len(worse) > MOST_LINES:
        typer.echo(f"  and {len(worse) - MOST_LINES} more on the page")
    typer.echo(f"  page      {figures['html']}")


def _tables(stage: str, files: list[Path], labels: Path | None, children: list[str]) -> dict[str, pa.Table]:
    """Return the files of a stage as tables, by what they are."""
    from weighbridge.declare.validation import SPLITS
    from weighbridge.stores.sources import read_file

    if stage == SPLITS:
        if len(files) < 2:
            raise InputError("splits are compared with one another; give two files or more, the one that trains first")
        names = [path.name.split(".")[0] for path in files]
        if len(set(names)) < len(names):
            raise InputError("two splits have files of one name; rename one")
        return {name: read_file(path) for name, path in zip(names, files, strict=True)}
    if len(files) > 1:
        raise InputError(f"{stage} takes one file, not {len(files)}")
    tables = {"events": read_file(files[0])} if files else {}
    tables |= {"labels": read_file(labels)} if labels else {}
    for pair in children:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise InputError(f"--table {pair!r} is not NAME=FILE")
        tables[name] = read_file(Path(path))
    return tables


def _bodies(files: list[Path]) -> list[Body]:
    """Return what each file says: one JSON object, or one a line."""
    from weighbridge.serve.strict import Malformed, parse_object

    found: list[Body] = []
    for path in files:
        if str(path) != "-" and not path.is_file():
            raise InputError(f"{path} is not there; check the path")
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        lines = [line for line in content.splitlines() if line.strip()]
        whole = len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines)
        for text in [content] if whole else lines:
            try:
                found.append(parse_object(text))
            except Malformed as fault:
                found.append(str(fault))
    return found
