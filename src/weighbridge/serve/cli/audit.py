"""Commands that look back: explain and replay at one decision, audit at all that changes what decides."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case

if TYPE_CHECKING:
    from weighbridge.loop.audit import Audited
    from weighbridge.loop.explain import Explanation
    from weighbridge.ports import Stores
    from weighbridge.records import AuditEntry, DecisionRecord

LONGEST_DETAIL = 120  # characters of an entry that a line shows
DecisionName = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="the id of a decision, or of its event [default: the newest that was not approved]"
    ),
]


@app.command()
def explain(
    case: CaseName,
    decision: DecisionName = None,
    every: Annotated[bool, typer.Option("--all", help="tell what every feature added, not the top ones only")] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell why a decision was made: its event, score, action and what pushed the score, from the log as it was then."""
    from weighbridge.loop.explain import explain as tell

    declared, opened = open_case(case, home, create=False)
    found = tell(declared, opened.stores, _decision(opened.stores, decision))
    typer.echo(json.dumps(found.body(), ensure_ascii=False) if as_json else _page(found, every=every))


@app.command()
def replay(case: CaseName, decision: DecisionName = None, home: HomeFolder = None, as_json: AsJson = False) -> None:
    """Make a decision again, from the log and with the bundle that decided; exit 1 when any part differs in a bit."""
    from weighbridge.loop.replays.reproduce import reproduce

    declared, opened = open_case(case, home, create=False)
    found = reproduce(declared, opened.stores, _decision(opened.stores, decision))
    if as_json:
        typer.echo(json.dumps(found.body(), ensure_ascii=False))
    else:
        marks = {True: "same", False: "DIFFERS", None: "–"}
        for check in found.checks:
            typer.echo(f"{check.part:<12} {marks[check.same]:<8} {check.says}")
    if found.differs:
        raise typer.Exit(1)


@app.command()
def audit(
    case: CaseName,
    last: Annotated[int, typer.Option("--last", min=0, help="show so many of the newest entries")] = 20,
    what: Annotated[str | None, typer.Option("--what", help="show only these, such as lists or keys")] = None,
    expect: Annotated[str | None, typer.Option("--expect", help="a head that was written down earlier")] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what decides, and verify it: the audit's chain, that of decisions, and that both agree with what
    is stored. Exit 1 with the first place that was edited, deleted or moved.

    Whoever can write the home can rewrite all of it: note the head elsewhere, and give it with --expect.
    """
    from weighbridge.loop.audit import audit as look

    _, opened = open_case(case, home, create=False)
    if expect is not None and not re.fullmatch("[0-9a-f]{64}", expect):
        raise InputError("--expect is not a head: give the 64 characters that `weigh audit` showed")
    found = look(opened.stores, expect)
    shown: deque[AuditEntry] = deque(maxlen=last)
    areas = set()
    for entry in opened.stores.audit.entries():
        areas.add(entry.what)
        if what in (None, entry.what):
            shown.append(entry)
    if what is not None and what not in areas:
        raise InputError(
            f"the audit tells nothing of {what!r}; it tells of {', '.join(sorted(areas)) or 'nothing yet'}"
        )
    if as_json:
        entries = [{**asdict(entry), "detail": _detail(entry.detail)} for entry in shown]
        told = {"entries": entries, "head": found.head.hash, "number": found.head.number, "decisions": found.decisions}
        typer.echo(json.dumps({**told, "fault": found.fault}, ensure_ascii=False))
    else:
        _trail(shown, found)
    if found.fault:
        raise typer.Exit(1)


def _detail(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:  # somebody has been at it
        return text


def _trail(shown: Iterable[AuditEntry], found: Audited) -> None:
    for e in shown:
        what = f"{e.what} {e.subject[:26]}".strip()
        typer.echo(f"{e.number:>6}  {_moment(e.at_us)}  {e.who:<16} {what:<32} {_in_short(_detail(e.detail))}".rstrip())
    if found.fault:
        typer.echo(f"weigh: {found.fault}", err=True)
    else:
        typer.echo(f"{found.head.number:,} entries and {found.decisions:,} decisions are whole; head {found.head.hash}")


def _moment(at_us: int) -> str:
    from weighbridge.clock import us_to_iso

    try:
        return us_to_iso(at_us)[:19]
    except (TypeError, ValueError, OverflowError, OSError):  # somebody has been at it
        return str(at_us)[:19]


def _in_short(detail: object) -> str:
    """Return the plain members of a detail; --json tells all of it."""
    if not isinstance(detail, dict):
        return str(detail)[:LONGEST_DETAIL]
    plain = {name: value for name, value in detail.items() if not isinstance(value, list | dict | None)}
    told = (f"{name} {value}" for name, value in plain.items() if name not in ("secret_sha256", "alias"))
    return ", ".join(told)[:LONGEST_DETAIL]


def _decision(stores: Stores, name: str | None) -> DecisionRecord:
    from weighbridge.loop.replays.past import find_decision, newest_flagged

    if name is None:
        newest = newest_flagged(stores.log)
        if newest is None:
            raise InputError("every decision was to approve; name the one to look at")
        return newest
    found = find_decision(stores.log, name)
    if found is None:
        raise InputError(f"there is no decision {name!r}, and no decided event of this id; give one of an answer's")
    return found


def _page(found: Explanation, *, every: bool) -> str:
    told = found.body()
    limits, how = told["thresholds"], "recomputed from the log" if found.inputs == "log" else "stored"
    added = sorted(found.contributions, key=lambda reason: -reason.contribution) if every else found.reasons
    lines = [
        f"decision  {told['decision_id']} at {told['decided_ts']}",
        f"event     {told['event_id']} at {told['event_ts']}",
        *(f"          {name} {_shown(value)}" for name, value in told["event"].items()),
        f"action    {told['action']}: probability {told['probability']:.6g}, {told['risk_level']}; "
        f"review from {limits['review_at']:.6g}, decline from {limits['decline_at']:.6g}",
        *(
            [f"explored  let through by a chance of {told['propensity']:g}; the thresholds decline it"]
            if told["explored"]
            else []
        ),
        f"bundle    {told['bundle'][:12]}, {told['model']}",
        f"vector    {how}" + (f"; {found.note}" if found.note else ""),
        f"score     {found.score:+.4f} {found.unit} before calibration; {found.base:+.4f} is usual in training",
        *(f"  {reason.contribution:+.4f}  {reason.sentence}" for reason in added),
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    """Return a field's value, or how many child rows came with the event."""
    if isinstance(value, list):
        return f"{len(value)} rows sent with it"
    return "–" if value is None else str(value)
