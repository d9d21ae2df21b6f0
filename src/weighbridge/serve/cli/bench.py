"""The command that measures: bench."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.serve.cli.options import AsJson, app, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.bench.workload import Figure


class Part(StrEnum):
    """What can be measured by itself."""

    HISTORY = "history"
    BUILD = "build"
    ONLINE = "online"
    STATE = "state"
    COMMIT = "commit"
    MODELS = "models"
    DRIFT = "drift"
    START = "start"
    BACKTEST = "backtest"
    ROLLUPS = "rollups"
    SERVE = "serve"


@app.command()
def bench(
    rows: Annotated[
        list[int] | None, typer.Option(min=2_000, help="rows of history; may be given several times")
    ] = None,
    only: Annotated[list[Part] | None, typer.Option(help="measure this part only; may be given several times")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="small sizes, to see that everything runs")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure speed and memory on this machine, beside pandas, Polars, DuckDB, LightGBM and scipy where installed.

    Ratios say how many times better ours is, measured in the same run; absolute figures are this machine's today.
    """
    sizes = sorted(rows or ([4_000, 20_000] if quick else [100_000, 1_000_000]))
    with progress_bar("measuring") as progress:
        figures = []
        for number, part in enumerate(wanted := only or list(Part)):
            progress(part.value, number, len(wanted))
            for figure in _measured(part, sizes, lambda what: progress(what, number, len(wanted)), quick=quick):  # noqa: B023
                figures.append(figure)
    if as_json:
        typer.echo(json.dumps({"machine": _machine(), "figures": [asdict(figure) for figure in figures]}))
    else:
        _table(figures)


def _measured(part: Part, sizes: list[int], told: Callable[[str], None], *, quick: bool) -> Iterator[Figure]:
    import tempfile
    from pathlib import Path

    from weighbridge.bench.backtest import backtests
    from weighbridge.bench.drift import drift
    from weighbridge.bench.durability import commit, state
    from weighbridge.bench.history import offline, streamed
    from weighbridge.bench.models import models, start
    from weighbridge.bench.online import HOT, online
    from weighbridge.bench.rollups import rollups
    from weighbridge.serve.load.measure import load

    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as name:
        measures: dict[Part, Callable[[], Iterator[Figure]]] = {
            Part.HISTORY: lambda: offline(sizes, told),
            Part.BUILD: lambda: streamed(sizes if quick else sorted({*sizes, 1_000_000}), told),
            Part.ONLINE: lambda: online(20_000 if quick else HOT),
            Part.STATE: lambda: state(20_000 if quick else 1_000_000, Path(name)),
            Part.COMMIT: lambda: commit(Path(name)),
            Part.MODELS: lambda: models(50) if quick else models(),
            Part.DRIFT: lambda: drift(50_000) if quick else drift(),
            Part.START: start,
            Part.BACKTEST: lambda: backtests(sizes[-1:], Path(name), told),
            Part.ROLLUPS: lambda: rollups(200 if quick else 100_000, told),
            Part.SERVE: lambda: load(Path(name), 1.0, [100], ["written"]) if quick else load(Path(name)),
        }
        yield from measures[part]()


def _machine() -> dict[str, object]:
    import os
    import platform
    from importlib.metadata import version

    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{library: version(library) for library in ("numpy", "numba")},
    }


def _table(figures: list[Figure]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "figure", "ours", "unit", "peer", "theirs", "times better")
    before = ""
    for f in figures:
        group, before = ("" if f.group == before else f.group), f.group
        peers = ["", ""] if f.theirs is None or f.ratio is None else [_short(f.theirs), f"{f.ratio:,.1f}"]
        table.add_row(group, f.name, _short(f.ours), f.unit, f.peer, *peers)
    Console(width=150).print(table)


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1_000 else f"{figure:,.3g}"
