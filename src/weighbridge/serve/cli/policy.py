"""Commands of the policy: lists, tune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case


@app.command()
def lists(
    case: CaseName,
    action: Annotated[str | None, typer.Argument(help="add or remove [default: show what is on them]")] = None,
    name: Annotated[str | None, typer.Argument(help="a declared list")] = None,
    value: Annotated[str | None, typer.Argument(help="a value of the list's field")] = None,
    until: Annotated[str | None, typer.Option("--until", help="ISO-8601 time [default: until it is removed]")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="how long, such as 30d")] = None,
    why: Annotated[str | None, typer.Option("--why", help="why, for the history; an edit needs it")] = None,
    by: Annotated[str, typer.Option("--by", help="who, for the history")] = "weigh lists",
    stored: Annotated[bool, typer.Option("--stored", help="VALUE is the pseudonym, as the log has it")] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show or edit the lists that rules ask for, such as blocked cards; the next decision sees an edit.

    While a server runs, edit through its door: POST /lists.
    """
    if action is None:
        _show(case, home, as_json=as_json)
        return
    body = {"list": name, "value": value, "action": action, "until": until, "for": lasts, "why": why, "by": by}
    said = {name: word for name, word in body.items() if word is not None}
    _edit(case, home, {**said, "stored": stored}, as_json=as_json)


def _show(case: str, home: Path | None, *, as_json: bool) -> None:
    from weighbridge.clock import SystemClock, us_to_iso
    from weighbridge.score.rulebook import current

    declared, opened = open_case(case, home, create=False)
    log = opened.stores.log
    book, now_us = current(declared, opened.stores), SystemClock().now_us()
    newest = {(edit.name, edit.value): edit for _, edit in log.edits()}
    found = [
        {"list": name, "value": value, "since": us_to_iso(edit.arrived_us),
         "until": None if edit.until_us is None else us_to_iso(edit.until_us), "by": edit.by, "why": edit.why}
        for name, entries in book.until_us.items() for value, until_us in entries.items()
        if until_us > now_us for edit in (newest[name, value],)
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"lists": [each.name for each in declared.policy.lists], "entries": found}))
        return
    for each in declared.policy.lists:
        rows = [entry for entry in found if entry["list"] == each.name]
        typer.echo(f"{each.name}, of {each.field}: {len(rows):,}")
        for entry in rows:
            until = f"until {entry['until'][:19]}" if entry["until"] else "until removed"
            typer.echo(f"  {entry['value']}  {until}  by {entry['by']}: {entry['why']}")


def _edit(case: str, home: Path | None, body: dict[str, object], *, as_json: bool) -> None:
    from weighbridge.clock import SystemClock
    from weighbridge.score.edits import parse_edit
    from weighbridge.score.rulebook import append_edit

    declared, opened = open_case(case, home, create=False)
    with opened.writing():
        edit = parse_edit(declared, body, opened.stores.pseudonyms, SystemClock().now_us())
        before = append_edit(declared, opened.stores, edit)
    if as_json:
        typer.echo(json.dumps({"list": edit.name, "value": edit.value, "listed": edit.listed, "listed_before": before}))
    else:
        typer.echo(
            f"{edit.value} is {'on' if edit.listed else 'off'} {edit.name}; it was {'' if before else 'not '}before"
        )


@app.command()
def tune(
    case: CaseName,
    bundle: Annotated[str | None, typer.Option("--bundle", help="a bundle [default: the one in production]")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="also write a page that draws the curve")] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what other thresholds would have cost on a bundle's validation period; changes nothing."""
    from dataclasses import asdict

    from weighbridge.loop.gate import named
    from weighbridge.loop.tune import tune as look
    from weighbridge.serve.tune_page import headings, page, sentence, table
    from weighbridge.stores.files import write_atomically

    declared, opened = open_case(case, home, create=False)
    tuned = look(declared, opened.stores, named(declared, opened.stores, bundle))
    if html is not None:
        write_atomically(html, page(tuned, declared.name).encode())
    if as_json:
        typer.echo(json.dumps(asdict(tuned)))
        return
    from rich.console import Console
    from rich.table import Table

    typer.echo(sentence(tuned))
    shown = Table("", *headings())
    for mark, cells in table(tuned):
        shown.add_row(mark, *cells)
    Console(width=150).print(shown)
