"""Commands of contracts: contract, which writes one in the words of other systems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import CaseName, app

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase

FORMS = ("json-schema", "pandera", "avro", "dictionary", "dictionary-json")


@app.command()
def contract(
    case: CaseName,
    form: Annotated[str, typer.Option("--as", metavar="FORM", help=", ".join(FORMS))] = "json-schema",
    table: Annotated[
        str | None,
        typer.Option("--table", help="json-schema, avro: a table of child rows, or labels (avro) [default: events]"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write this file [default: print it]")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 when the file at --out is another")
    ] = False,
) -> None:
    """Print a contract as JSON Schema, a module of Pandera schemas, Avro, or a data dictionary (Markdown or JSON).

    JSON Schema is that of one raw event as `POST /predict` takes it. The same declaration always gives the same bytes,
    so that a committed file can be held against it with --check.
    """
    from weighbridge.serve.wiring import find_case
    from weighbridge.stores.files import write_atomically

    if check and out is None:
        raise InputError("--check compares with a file; name it with --out")
    text = written(find_case(case), form, table)
    if out is None:
        typer.echo(text, nl=False)
    elif not check:
        write_atomically(out, text.encode())
    elif not out.is_file() or out.read_bytes() != text.encode():
        typer.echo(f"weigh: {out} is not what the contract says; write it again without --check", err=True)
        raise typer.Exit(1)


def written(case: UseCase, form: str, table: str | None = None) -> str:
    """Return a contract in another form. Raises InputError for an unknown form or table."""
    from weighbridge.serve.contract_schema import event_schema, record_schema
    from weighbridge.serve.contracts.avro import LABELS, avro
    from weighbridge.serve.contracts.dictionary import dictionary, dictionary_page
    from weighbridge.serve.contracts.pandera import pandera
    from weighbridge.serve.contracts.said import tables

    if form not in FORMS:
        raise InputError(f"a contract cannot be written as {form!r}; use one of {', '.join(FORMS)}")
    known = [*tables(case), *([LABELS] if form == "avro" else [])]
    chosen = case.events.name if table is None else table
    if chosen not in known:
        raise InputError(f"use case {case.name} has no table {chosen!r}; use one of {', '.join(known)}")
    if table is not None and form not in ("json-schema", "avro"):
        raise InputError(f"{form} tells all tables at once; leave --table out")
    if form == "pandera":
        return pandera(case)
    if form == "dictionary":
        return dictionary_page(case)
    if form == "dictionary-json":
        return json.dumps(dictionary(case), indent=2) + "\n"
    if form == "avro":
        made = avro(case, chosen)
    else:
        made = event_schema(case) if chosen == case.events.name else record_schema(chosen, tables(case)[chosen])
    return json.dumps(made, indent=2) + "\n"
