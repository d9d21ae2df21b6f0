"""Commands of the loop: retrain, gate, promote, watch, verify, registry, history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from weighbridge.serve.cli.mlflow import mirrored
from weighbridge.serve.cli.options import (
    AsJson,
    AsOf,
    Bundle,
    CaseName,
    HomeFolder,
    aligned,
    app,
    closed_gates_exit_1,
    open_case,
    past,
    progress_bar,
    settings_of,
    show,
)


@app.command()
def retrain(
    case: CaseName,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="only when drift, settled labels or the schedule ask for it")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="why, for the history")] = "on demand",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Build, validate, train, gate and promote on what is known now, one retrain at a time.

    With --if-due, as a timer calls it, only when the case's Retrain(...) asks for it, and not within its cool-down.
    Exit 1 when the training data look poisoned or a gate is closed; then production is as it was.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.due import due
    from weighbridge.loop.retrain import BY_HAND
    from weighbridge.loop.retrain import retrain as again

    declared, opened = open_case(case, home, create=False)
    asked = due(declared, opened.stores, SystemClock()) if if_due else None
    if if_due and asked is None:
        typer.echo(json.dumps({"verb": "retrain", "due": False}) if as_json else "retrain   nothing asks for one")
        return
    why = {"trigger": asked.trigger, "reason": asked.reason} if asked else {"trigger": BY_HAND, "reason": reason}
    with mirrored(declared, opened), progress_bar("train") as progress, closed_gates_exit_1():
        told = partial(show, as_json=as_json)
        show(again(declared, opened.stores, SystemClock(), progress, told, **why), as_json=as_json)


@app.command()
def gate(
    case: CaseName,
    bundle: Bundle = None,
    as_of: AsOf = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Hold a bundle against the declared gates: figure, bound and verdict of each.

    Exit 0 when the bundle passed, 1 when a gate is closed, 3 when none is but one is immature: there is not enough to
    judge by yet.
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.gate import gate as hold
    from weighbridge.loop.gate import resolve

    declared, opened = open_case(case, home, create=False)
    as_of_us = past("--as-of", as_of)
    chosen = None if bundle is None else resolve(opened.stores, bundle)
    with mirrored(declared, opened):
        report = hold(declared, opened.stores, SystemClock(), chosen, as_of_us)
    if not as_json:
        for line in verdict_lines(report.figures["gates"]):
            typer.echo(line)
    show(report, as_json=as_json)
    if not report.figures["passed"]:
        raise typer.Exit(1 if report.figures["verdict"] == "closed" else 3)


def verdict_lines(verdicts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield verdicts as a table: verdict, gate, figure with its interval, why."""
    rows = []
    for v in verdicts:
        figure = "–" if v["figure"] is None else f"{v['figure']:.4f}"
        if v["interval"]:
            figure += " [{:.4f}, {:.4f}]".format(*v["interval"])
        word = v["verdict"] if v["verdict"] != "closed" else "CLOSED"
        rows.append((word, v["gate"], figure, v["why"]))
    yield from aligned(rows)


@app.command()
def promote(
    case: CaseName,
    bundle: Bundle = None,
    alias: Annotated[str, typer.Option(help="production or staging")] = "production",
    reason: Annotated[str, typer.Option(help="why, for the history")] = "promoted by hand",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Point an alias at a bundle that passes its gates; a running server follows. Exit 1 when a gate is closed."""
    from weighbridge.clock import SystemClock
    from weighbridge.errors import InputError
    from weighbridge.loop.gate import resolve
    from weighbridge.loop.promote import promote as move

    if alias not in ("production", "staging"):
        raise InputError(f"there is no alias {alias!r}; use production or staging")
    declared, opened = open_case(case, home, create=False)
    chosen = None if bundle is None else resolve(opened.stores, bundle)
    with mirrored(declared, opened), closed_gates_exit_1():
        report = move(declared, opened.stores, SystemClock(), chosen, alias=alias, by="weigh promote", reason=reason)
        show(report, as_json=as_json)


@app.command()
def watch(
    case: CaseName,
    last: Annotated[str | None, typer.Option(help="how far back to look, such as 7d [default: as declared]")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="as things were known then (ISO-8601, with Z); nothing is sent [default: now]")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Have scores or features moved, do probabilities still mean what they say, does the champion catch what it should?

    Looks at what the champion decided lately. Writes a report as JSON and as a page with plots into the home's reports,
    and sends alerts to the sinks that the use case declares.
    """
    from weighbridge.clock import SystemClock, duration_us
    from weighbridge.errors import InputError
    from weighbridge.loop.watch import watch as look
    from weighbridge.serve.logs import log_to

    try:
        too_short = last is not None and duration_us(last) <= 0
    except ValueError as fault:
        raise InputError(f"--last: {fault}") from None
    if too_short:
        raise InputError(f"--last {last!r} looks at nothing; give a duration such as 7d")
    as_of_us = past("--as-of", as_of)
    declared, opened = open_case(case, home, create=False)
    log_to(opened.folder / "logs", settings_of().log_level)
    with mirrored(declared, opened):
        report = look(declared, opened.stores, SystemClock(), last=last, as_of_us=as_of_us)
    show(report, as_json=as_json)
    if as_json:
        return
    told = report.figures
    for name, severity in told["drifted"].items():
        psi = told["score_psi"] if name == "score" else told["psi"][name]
        typer.echo(f"  {severity:<9} {name} (PSI {psi:.2f})")
    for sent in told.get("alerts", ()):
        typer.echo(f"  alert     {sent['title']} → {sent['sink']}: {sent['outcome']}")


@app.command()
def verify(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Recompute every served vector and decision from the log and compare bits; exit 1 when one differs."""
    from weighbridge.clock import SystemClock
    from weighbridge.loop.verify import verify as recompute

    declared, opened = open_case(case, home, create=False)
    report = recompute(declared, opened.stores, SystemClock())
    show(report, as_json=as_json)
    differ = any(report.figures[name] for name in ("mismatches", "differing", "misrouted"))
    if differ or report.figures["broken_chain"] is not None:
        raise typer.Exit(1)


@app.command()
def registry(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """List the bundles, what points at them, and who moved what when."""
    from weighbridge.clock import us_to_iso

    _, opened = open_case(case, home, create=False)
    known = opened.stores.registry
    aliases = {name: at.bundle for name, at in known.aliases().items()}
    moves = [{"alias": m.alias, "bundle": m.bundle, "before": m.before, "share": m.share, "by": m.by,
              "reason": m.reason, "moved": us_to_iso(m.moved_us)} for m in known.moves()]  # fmt: skip
    bundles = [{"bundle": b, "added": us_to_iso(at), **facts} for b, at, facts in known.bundles()]
    if as_json:
        typer.echo(json.dumps({"bundles": bundles, "aliases": aliases, "moves": moves}))
        return
    for entry in bundles:
        names = " ".join(name for name, bundle in aliases.items() if bundle == entry["bundle"])
        typer.echo(f"{entry['bundle'][:12]}  {entry['added'][:19]}  {entry['model']:<24} {names}".rstrip())
    for m in known.moves():
        to = (m.bundle or "nothing")[:12] + (f", {m.share:.1%}" if m.share is not None else "")
        typer.echo(f"{us_to_iso(m.moved_us)[:19]}  {m.alias} → {to} by {m.by}: {m.reason}")


@app.command()
def history(case: CaseName, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Tell what happened to the models and why: drift, trainings, gates, retrains with their triggers, moves."""
    from weighbridge.loop.history import history as look

    _, opened = open_case(case, home, create=False)
    entries = look(opened.stores)
    if as_json:
        typer.echo(json.dumps(entries))
        return
    for entry in entries:
        typer.echo(f"{entry['at'][:19]}  {entry['what']:<13} {entry['sentence']}")
