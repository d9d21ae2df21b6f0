"""What every command shares: its arguments, opening a case and its home, printing a report."""

from __future__ import annotations

import json
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge import cases
from weighbridge.errors import GateClosed, InputError

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase
    from weighbridge.loop.report import Report
    from weighbridge.serve.settings import Settings
    from weighbridge.serve.wiring import Home

SHIPPED = ", ".join(sorted(module.name for module in pkgutil.iter_modules(cases.__path__)))
app = typer.Typer(
    name="weigh", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="weighbridge: real-time risk scoring as one closed loop, from one declaration.\n\n"
    f"A CASE is the name of a use case that ships ({SHIPPED}) or the path of a Python file that declares one.",
)  # fmt: skip

CaseName = Annotated[
    str,
    typer.Argument(metavar="CASE", help=f"{SHIPPED}, or the path of a declaration (.py)"),
]
HomeFolder = Annotated[
    Path | None, typer.Option("--home", help="the home's folder [default: $WEIGH_HOME or .weigh/CASE]")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object instead of sentences")]
Bundle = Annotated[
    str | None, typer.Option("--bundle", help="a bundle's id or the beginning of it [default: the newest]")
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="judge by what had arrived then, ISO-8601 [default: now]")]
Mapped = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="the file's name of a field; TABLE.FIELD for a child table's"),
]


def settings_of(**given: object) -> Settings:
    """Return the settings, those given on the command line first."""
    from weighbridge.serve.settings import read_settings

    return read_settings(**given)


def folder_of(settings: Settings, name: str) -> Path:
    """Return the home's folder: as set, else `.weigh/NAME`."""
    return settings.home or Path(".weigh") / name


def open_case(name: str, home: Path | None, *, create: bool, acknowledge: str | None = None) -> tuple[UseCase, Home]:
    """Return a use case and its home."""
    from weighbridge.serve.sinks import sinks_of
    from weighbridge.serve.wiring import find_case, open_home

    settings, case = settings_of(home=home, acknowledge=acknowledge), find_case(name)
    folder = folder_of(settings, case.name)
    return case, open_home(
        case,
        folder,
        create=create,
        acknowledge=settings.acknowledge,
        build_memory_mb=settings.build_memory_mb,
        sinks=sinks_of(settings.alert),
    )


def mapping_of(pairs: list[str] | None) -> dict[str, str]:
    """Return FIELD=COLUMN pairs as a mapping."""
    return dict(pairs_of("--map", pairs, "FIELD=COLUMN"))


def pairs_of(option: str, pairs: list[str] | None, form: str) -> list[tuple[str, str]]:
    """Return what an option that is given several times joins with `=`."""
    found = []
    for pair in pairs or []:
        left, equals, right = pair.partition("=")
        if not (left and equals and right):
            raise InputError(f"{option} {pair!r} is not {form}")
        found.append((left, right))
    return found


def moment(option: str, text: str) -> int:
    """Return an option's ISO-8601 time as microseconds UTC."""
    from weighbridge.clock import iso_to_us

    try:
        return iso_to_us(text)
    except ValueError as fault:
        raise InputError(f"{option} {text!r}: {fault}") from None


def past(option: str, text: str | None) -> int | None:
    """Return an option's ISO-8601 time as microseconds UTC, None where it is not given; it may not lie ahead of now."""
    from weighbridge.clock import SystemClock

    at_us = None if text is None else moment(option, text)
    if at_us is not None and at_us > SystemClock().now_us():
        raise InputError(f"{option} {text!r} has not come yet; give a moment in the past")
    return at_us


def show(report: Report, *, as_json: bool) -> None:
    """Print a report as one sentence, with the page it wrote, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps({"verb": report.verb, "run": report.run, "skipped": report.skipped, **report.figures}))
    else:
        typer.echo(f"{report.verb:<9} {report.sentence} ({report.seconds:.1f} s)")
        if "html" in report.figures:
            typer.echo(f"  page      {report.figures['html']}")


def aligned(table: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows of text as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


@contextmanager
def closed_gates_exit_1() -> Iterator[None]:
    """Turn closed gates into exit code 1, with their sentence."""
    try:
        yield
    except GateClosed as closed:
        typer.echo(f"weigh: {closed}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on a terminal's stderr while the block runs."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda name, done, of: bar.update(task, description=f"{what}: {name}", completed=done, total=of)


@contextmanager
def progress_bytes(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar by bytes, with what comes a second, on a terminal's stderr while the block runs."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks = dict[str, TaskID]()

        def told(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(f"{what}: {name}", total=of)
            bar.update(tasks[name], completed=done, total=of)

        yield told
