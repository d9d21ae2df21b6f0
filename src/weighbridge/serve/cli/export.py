"""The command that renders the stage table for other schedulers: export."""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from weighbridge.serve.cli.options import CaseName, app

PLAIN = re.compile(r"[\w./ -]+")
MOST_LINES = 12  # of a difference, a file


class Tool(StrEnum):
    """Whose files are rendered."""

    make = "make"
    dvc = "dvc"
    airflow = "airflow"
    github = "github"


@app.command()
def export(
    tool: Annotated[Tool, typer.Argument(help="make, dvc, airflow or github")],
    case: CaseName,
    out: Annotated[Path, typer.Option("--out", help="the project's folder")] = Path(),
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 when the files there are not what would be written")
    ] = False,
) -> None:
    """Render the use case's stages as another scheduler's files, from the stage table and nothing else.

    make: CASE.mk, to include in a Makefile. dvc: dvc.yaml. airflow: dags/CASE_PIPELINE.py, whose tasks are `weigh run`.
    github: .github/workflows/CASE.yml for a self-hosted runner. Only files that this command has written are replaced.
    """
    from weighbridge.stores.files import write_atomically

    wanted, left_over, note = rendered(tool.value, case, out)
    if check:
        told = [line for path, text in wanted.items() for line in difference(path, text)]
        told += [f"{path} is no longer rendered; remove it" for path in left_over]
        if told:
            typer.echo("\n".join(told), err=True)
            typer.echo(f"weigh: run `weigh export {tool.value} {case} --out {out}`", err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(wanted)} files are what the stage table says")
        return
    refuse_foreign(wanted, note)
    for path in left_over:
        path.unlink()
        typer.echo(f"{path}: removed, no longer rendered")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        typer.echo(str(path))


def rendered(tool: str, case: str, out: Path) -> tuple[dict[Path, str], list[Path], str]:
    """Return a tool's files by path, what was rendered there before and is no more, and the line they are known by."""
    import importlib

    from weighbridge.adapters.exports.table import Table
    from weighbridge.errors import InputError
    from weighbridge.serve.wiring import find_case

    declared, called = find_case(case), case
    if case.endswith(".py"):
        place = Path(case)
        if place.is_absolute() or ".." in place.parts or not PLAIN.fullmatch(case):
            raise InputError(f"{case!r} is no plain path below this folder; export from the project's folder")
        called = place.as_posix()
    table = Table(declared, called, tool)
    files = importlib.import_module(f"weighbridge.adapters.exports.{tool}").render(table)
    wanted = {out / name: text for name, text in files.items()}
    beside = {path for folder in {path.parent for path in wanted} for path in folder.glob("*") if path.is_file()}
    left_over = sorted(path for path in beside - set(wanted) if table.note in path.read_text(errors="ignore"))
    return wanted, left_over, table.note


def refuse_foreign(wanted: dict[Path, str], note: str) -> None:
    """Raise InputError when a file that is to be written was not rendered for this use case by this command."""
    from weighbridge.errors import InputError

    for path in wanted:
        if path.exists() and note not in (found := path.read_text(errors="ignore")):
            other = re.search("Rendered by `([^`]*)`", found)
            told = f"is that of `{other[1]}`" if other else "is there and was not rendered"
            raise InputError(f"{path} {told}; move it away, or choose another --out")


def difference(path: Path, text: str) -> list[str]:
    """Return how the file differs from what it should be, shortened; nothing when it does not."""
    if not path.is_file():
        return [f"{path} is not there"]
    found = path.read_text(errors="replace")
    if found == text:
        return []
    lines = list(difflib.unified_diff(found.splitlines(), text.splitlines(), str(path), "rendered", lineterm="", n=0))
    more = [f"... {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    return [*lines[:MOST_LINES], *more]
