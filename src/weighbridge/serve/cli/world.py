"""The command that lives simulated days."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weighbridge.serve.cli.options import AsJson, CaseName, app, progress_bar

if TYPE_CHECKING:
    from weighbridge.testing.world.day import Lived
    from weighbridge.testing.world.seeds import Fell

EVENTS = 300


@app.command("simulate-world")
def simulate_world(
    case: CaseName,
    seeds: Annotated[int, typer.Option(min=1, help="how many days, from seeds 0, 1, 2 ...")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="live the day of this seed alone, as before")] = None,
    events: Annotated[int, typer.Option(min=10, max=20_000, help="ordinary events of a day")] = EVENTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes [default: one a core]")] = None,
    as_json: AsJson = False,
) -> None:
    """Live simulated days over the real desk, log, state and registry, and hold every step against what must be true.

    In each day events come twice, late, early, out of order, broken or with other content; labels come before their
    events and are corrected; lists, champion, canary and shadow change; writes fail, processes die before and after a
    write, checkpoints tear, the state goes away, the clock runs back. What was acknowledged must be stored, once and
    unchanged, nothing else may be, and every vector and decision must follow from the log. All of it follows from the
    seed: a day that breaks something breaks it again. Exit 1 when one does.
    """
    import tempfile

    from weighbridge.serve.world import live_one, make_template
    from weighbridge.testing.world.seeds import Fell, live_all

    wanted = list(range(seeds)) if seed is None else [seed]
    with tempfile.TemporaryDirectory(prefix="weigh-world-") as name, progress_bar("days") as progress:
        template = Path(name) / "home"
        progress("making their home", 0, len(wanted))
        make_template(case, template)
        one = partial(live_one, case, template, events)
        ended = list(live_all(wanted, one, min(jobs or os.cpu_count() or 1, len(wanted)), partial(progress, "lived")))
    fallen = sorted((e for e in ended if isinstance(e, Fell)), key=lambda fell: fell.seed)
    lived = sorted((e for e in ended if not isinstance(e, Fell)), key=lambda day: day.seed)
    if as_json:
        typer.echo(json.dumps(_told(lived, fallen)))
    else:
        _say(case, events, lived, fallen)
    if fallen:
        raise typer.Exit(1)


def _told(lived: list[Lived], fallen: list[Fell]) -> dict[str, Any]:
    return {
        "days": len(lived) + len(fallen),
        "acts": sum(day.acts for day in lived),
        "outcomes": _outcomes(lived),
        "broken": [{"seed": fell.seed, "step": fell.step, "what": fell.what} for fell in fallen],
        "digests": {day.seed: day.digest for day in lived},
    }


def _outcomes(lived: list[Lived]) -> dict[str, int]:
    names = sorted({name for day in lived for name in day.outcomes})
    return {name: sum(day.outcomes[name] for day in lived) for name in names}


def _say(case: str, events: int, lived: list[Lived], fallen: list[Fell]) -> None:
    acts = sum(day.acts for day in lived)
    typer.echo(f"{len(lived) + len(fallen):,} days lived, {acts:,} acts, {len(fallen)} days broke an invariant")
    for name, count in _outcomes(lived).items():
        typer.echo(f"  {name:<24} {count:>10,}")
    for fell in fallen:
        typer.echo(f"seed {fell.seed} broke at step {fell.step}: {fell.what}")
        typer.echo(f"  again: weigh simulate-world {case} --seed {fell.seed} --events {events}")
