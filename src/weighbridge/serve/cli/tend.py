"""The command that looks after the loop: tend."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from weighbridge.clock import SECOND_US, duration_us
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.serve.cli.mlflow import mirrored
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case, progress_bar, show


@app.command()
def tend(
    case: CaseName,
    every: Annotated[
        str | None, typer.Option("--every", metavar="DURATION", help="go on, a round every so often, as 1h")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Look after the loop, one round: watch, the rollout under way, a retrain when one is due.

    For a timer, or with --every beside a server that runs on. What a gate refuses stays out of production, and the next
    round goes on; `weigh history` says why at each step. With --every a round that fails is told and the next one
    comes all the same.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.tend import tend as look_after

    seconds = _seconds(every)
    declared, opened = open_case(case, home, create=False)
    while True:
        begun = time.monotonic()
        try:
            with mirrored(declared, opened), progress_bar("train") as progress:
                report = look_after(declared, opened.stores, SystemClock(), progress)
            show(report, as_json=as_json)
        except WeighbridgeError as fault:
            if seconds is None:
                raise
            typer.echo(f"weigh: {fault}", err=True)
        if seconds is None:
            return
        time.sleep(max(0.0, begun + seconds - time.monotonic()))


def _seconds(every: str | None) -> float | None:
    if every is None:
        return None
    try:
        seconds = duration_us(every) / SECOND_US
    except ValueError as fault:
        raise InputError(f"--every {every!r}: {fault}") from None
    if seconds < 1:
        raise InputError(f"--every {every} is too often; give 1s or more")
    return seconds
