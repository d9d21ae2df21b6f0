"""Commands of streams: produce."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case, progress_bar, settings_of

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase
    from weighbridge.ports.destinations import Destination
    from weighbridge.serve.producing import Published

HOME = "home"


@app.command()
def produce(
    case: CaseName,
    to: Annotated[
        str, typer.Option("--to", help="home (decided as they come), - (JSON lines), file:PATH or http://HOST:PORT")
    ] = HOME,
    rate: Annotated[float, typer.Option(min=0, help="events a second; 0: as fast as they are taken")] = 20,
    count: Annotated[int | None, typer.Option(min=1, help="how many events [default: until Ctrl-C]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed; the same seed gives the same events")] = 7,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="DELAY", help="their truth too, this long after them on average")
    ] = None,
    late_patterns: Annotated[
        bool, typer.Option("--late-patterns", help="patterns that start late are in it too")
    ] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Publish seeded synthetic events as a stream, stamped with the moment they are sent, and their labels behind them.

    The actors and their habits are those that `weigh simulate` makes from the same seed. The home's bundle decides by
    default; a running server is reached with --to http://HOST:PORT, with the API key of WEIGH_API_KEY where it asks for
    one. The label of a declined event never comes. Ctrl-C stops.
    """
    from weighbridge.clock import SystemClock, duration_us
    from weighbridge.loop.produce import happenings
    from weighbridge.serve.producing import publish
    from weighbridge.serve.wiring import find_case

    try:
        delay_seconds = None if labels is None else duration_us(labels) / 1e6
    except ValueError as fault:
        raise InputError(f"--labels: {fault}") from None
    stream = happenings(find_case(case), seed, late_patterns=late_patterns)
    with _open(case, to, home) as (declared, sink), progress_bar("produce") as progress:
        done = publish(
            declared, stream, sink, SystemClock(), rate=rate, count=count, delay_seconds=delay_seconds,
            told=lambda so_far: progress(f"{so_far.rate:,.0f} events/s, {so_far.labels:,} labels", so_far.events,
                                         count or so_far.events),
        )  # fmt: skip
    _show(done, to, as_json=as_json)


@contextmanager
def _open(name: str, to: str, home: Path | None) -> Iterator[tuple[UseCase, Destination]]:
    """Give the use case and the destination."""
    from weighbridge.clock import SystemClock
    from weighbridge.serve.producing import ToDesk, destination
    from weighbridge.serve.wiring import find_case, open_checkpointed_desk

    settings = settings_of()
    if to != HOME:
        declared = find_case(name)
        yield declared, destination(to, declared, settings.api_key.get_secret_value() if settings.api_key else "")
        return
    declared, opened = open_case(name, home, create=False)
    with (
        opened.writing(),
        open_checkpointed_desk(declared, opened, SystemClock(), settings.state_memory_mb << 20) as desk,
    ):
        yield declared, ToDesk(desk)


def _show(done: Published, to: str, *, as_json: bool) -> None:
    if to == "-":
        _let_go_of_stdout()
    figures = {
        "events": done.events,
        "labels": done.labels,
        "labels_waiting": done.waiting,
        "seconds": round(done.seconds, 3),
        "events_per_second": round(done.rate, 1),
        "actions": dict(done.actions),
        "stopped": done.stopped,
    }
    if as_json:
        typer.echo(json.dumps(figures), err=to == "-")
        return
    decided = ", ".join(f"{count:,} {action}" for action, count in sorted(done.actions.items()))
    sentence = (
        f"{done.events:,} events ({decided or 'none'}) and {done.labels:,} labels to {to}, {done.rate:,.0f} events/s"
    )
    sentence += f"; {done.waiting:,} labels were not due yet" if done.waiting else ""
    typer.echo(sentence + ("; stopped" if done.stopped else ""), err=to == "-")


def _let_go_of_stdout() -> None:
    """Leave nothing to flush to a reader that has gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
