"""The command that begins a project: init."""

from __future__ import annotations

import keyword
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import app

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.declare.case import UseCase

TAKEN = {"weighbridge", "tests", "data", "conftest", "case"}


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the project's folder: new, or empty")],
    case: Annotated[str, typer.Option("--case", metavar="NAME", help="name of the use case")],
    history: Annotated[
        Path | None,
        typer.Option("--from", help="a file of your history, CSV or Parquet, to guess the declaration from"),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="the column that names a row [default: guessed]")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", help="the column of event times [default: guessed]")] = None,
    label: Annotated[str | None, typer.Option("--label", help="the column of outcomes [default: guessed]")] = None,
) -> None:
    """Begin a project of your own: declaration, tests, settings, README, Makefile, CI; it runs at once.

    Without --from it scores simulated payments. With it, contract and first features follow from the file's columns,
    and what somebody has to decide is marked DECIDE. Nothing is overwritten: a folder that is not empty is refused.
    """
    refuse_name(case)
    refuse_folder(folder)
    text, table, unread = (
        (payments(case), None, "") if history is None else guessed(case, history, id_column, time, label)
    )
    declared = read(case, text)
    step = f"weigh run {case}.py data" if history is None else f"weigh ingest {case}.py {_from(folder, history)}"
    told = "" if table is None else kept(declared, table)
    write(folder, declared, text, step)
    typer.echo(f"{folder}: use case {case}, {len(declared.events.fields)} fields, {len(declared.vector)} features")
    if table is not None:
        typer.echo(f"{told}{unread}")
        typer.echo(f"  {text.count('DECIDE')} places in {case}.py are marked DECIDE: read them")
    typer.echo(f"now: cd {folder} && make test\nthen: {step} && weigh run {case}.py")


def payments(name: str) -> str:
    """Return the declaration of simulated payments."""
    from weighbridge.serve.project.template import PAYMENTS

    return PAYMENTS.replace("{name}", name)


def refuse_name(name: str) -> None:
    """Raise InputError for a name that no Python file of a project can have."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or keyword.iskeyword(name):
        raise InputError(f"--case {name!r} is no name; use small letters, digits and underscores, such as card_checks")
    if name in TAKEN or name in sys.stdlib_module_names:
        raise InputError(f"--case {name} is the name of a Python module; choose another, such as {name}_risk")


def refuse_folder(folder: Path) -> None:
    """Raise InputError for what is not a new or an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder; choose a new one, nothing was written")


def guessed(
    name: str, history: Path, id_column: str | None, time: str | None, label: str | None
) -> tuple[str, pa.Table, str]:
    """Return the declaration that a file's columns suggest, the file, and a line for each time that is not read."""
    from weighbridge.serve.project.columns import TIME, UNREAD, columns_of
    from weighbridge.serve.project.declaration import declaration
    from weighbridge.serve.project.seen import seen
    from weighbridge.stores.sources import read_file

    table = read_file(history)
    columns = columns_of(table, id=id_column, time=time, label=label)
    found = seen(table, columns, history.name)
    lost = "" if found.of(TIME) else "; without a time there are no windows"
    unread = "".join(f"\n  {c.name!r} is left out, {UNREAD}: {c.note}{lost}" for c in found.of(UNREAD))
    return declaration(name, history.name, found), table, unread


def read(name: str, text: str) -> UseCase:
    """Return the use case that a text declares."""
    space: dict[str, UseCase] = {}
    exec(compile(text, f"{name}.py", "exec"), space)  # noqa: S102 - the text was written here
    return space["case"]


def write(folder: Path, case: UseCase, text: str, step: str) -> None:
    """Write the project's files, each anew."""
    from weighbridge.serve.project.files import project

    for path, content in project(case, text, step).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(content)


def kept(case: UseCase, table: pa.Table) -> str:
    """Return how many rows of the file keep the contract that was guessed from it."""
    from weighbridge.identity import Pseudonyms
    from weighbridge.kernel.validate import parse_table

    good, check = parse_table(
        case.events, table, {}, Pseudonyms(bytes(32)), now_us=0 if case.events.time is None else None
    )
    said = f"  {len(good):,} of {len(table):,} rows keep the contract"
    found = check.rejects.table().slice(0, 1).to_pylist()
    return said + "".join(f"; row {r['row']}: {r['field']}: {r['detail']}" for r in found)


def _from(folder: Path, history: Path) -> str:
    """The file's path as seen from the folder."""
    return history.as_posix() if history.is_absolute() else os.path.relpath(history, folder)
