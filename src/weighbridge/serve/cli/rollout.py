"""Commands about who decides: traffic, rollout, rollback, compare. A running server follows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from weighbridge.clock import SECOND_US
from weighbridge.errors import InputError
from weighbridge.serve.cli.mlflow import mirrored
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, closed_gates_exit_1, open_case, show

Reason = Annotated[str, typer.Option("--reason", help="why, for the history")]
By = Annotated[str, typer.Option("--by", help="who, for the history")]
UNENDED = ("begun", "stayed", "advanced")  # what a rollout did that goes on


@app.command()
def traffic(
    case: CaseName,
    canary: Annotated[str | None, typer.Option("--canary", help="a bundle, or the beginning of its id")] = None,
    share: Annotated[float | None, typer.Option("--share", help="the canary's part of the traffic, 0 to 1")] = None,
    shadow: Annotated[str | None, typer.Option("--shadow", help="a bundle that scores without deciding")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="take canary and shadow out, those not named here")] = False,
    reason: Reason = "by hand",
    by: By = "weigh traffic",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show which bundles get traffic, or point a canary and a shadow elsewhere; what is not named stays."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.traffic import AS_IT_IS, Wish, direct, told
    from weighbridge.loop.traffic import traffic as look

    declared, opened = open_case(case, home, create=False)
    if canary is None and share is None and shadow is None and not clear:
        found = look(opened.stores)
        typer.echo(json.dumps(found) if as_json else told(found))
        return
    if clear and share is not None and canary is None:
        raise InputError("--clear takes the canary out, and --share gives it traffic; leave one of them out")
    other = None if clear else AS_IT_IS
    wish = Wish(canary or other, share, shadow or other)
    with mirrored(declared, opened):
        show(direct(declared, opened.stores, SystemClock(), wish, by=by, reason=reason), as_json=as_json)


@app.command()
def rollout(
    case: CaseName,
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="begin with it: an id, or the beginning of one, or newest")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="look again at every interval, until it ends")] = False,
    reason: Reason = "asked",
    by: By = "weigh rollout",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Begin to roll a bundle out, or look at the one under way: stay, next step, production, or back.

    Steps, what each needs and the guardrails are the case's Rollout(...). `weigh serve` looks by itself at every
    interval; without a server, --watch or a timer does. Exit 1 when the bundle was rolled back or may not begin.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.gate import newest_bundle
    from weighbridge.loop.rollout import rollout as look

    declared, opened = open_case(case, home, create=False)
    named = newest_bundle(declared, opened.stores) if bundle == "newest" else bundle
    with mirrored(declared, opened), closed_gates_exit_1():
        report = look(declared, opened.stores, SystemClock(), named, by=by, reason=reason)
        show(report, as_json=as_json)
        while watch and report.figures["did"] in UNENDED:
            time.sleep(declared.rollout.every_us / SECOND_US)
            report = look(declared, opened.stores, SystemClock())
            show(report, as_json=as_json)
    for verdict in () if as_json else report.figures.get("verdicts", ()):
        figure = "–" if verdict["figure"] is None else f"{verdict['figure']:.4g}"
        typer.echo(f"  {verdict['verdict']:<15} {verdict['gate']}: {figure} {verdict['why']}".rstrip())
    if report.figures["did"] == "rolled back":
        raise typer.Exit(1)


@app.command()
def rollback(
    case: CaseName,
    reason: Reason = "rolled back by hand",
    by: By = "weigh rollback",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put the bundle before into production again, without gates; a second rollback goes one further back."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.promote import rollback as go_back

    declared, opened = open_case(case, home, create=False)
    with mirrored(declared, opened):
        show(go_back(declared, opened.stores, SystemClock(), by=by, reason=reason), as_json=as_json)


@app.command()
def compare(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Show what the newest shadow would have decided, pair by pair, and what the newest canary did, arm by arm."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.compare import compare as look

    declared, opened = open_case(case, home, create=False)
    report = look(declared, opened.stores, SystemClock())
    show(report, as_json=as_json)
    if not as_json:
        for line in lines(report.figures):
            typer.echo(line)


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is below the sentence: pairs of actions, differences of probability, actions by arm."""
    shadow, canary = figures["shadow"], figures["canary"]
    for pair, count in shadow["actions"].items() if shadow else ():
        yield f"  decided, shadow: {pair:<18} {count:>9,}"
    if shadow and shadow["difference"]:
        told = ", ".join(f"{name} {value:+.4f}" for name, value in shadow["difference"].items())
        yield f"  shadow's probability less the decided one: {told}"
    for arm in ("champion", "canary") if canary else ():
        told = ", ".join(f"{action} {count:,}" for action, count in canary[arm]["actions"].items())
        yield f"  {arm}: {told or 'nothing'}; {canary[arm]['degraded']:,} degraded"
