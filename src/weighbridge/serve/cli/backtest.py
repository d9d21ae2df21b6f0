"""The command that tries a policy on the past: backtest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weighbridge.errors import InputError
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, moment, open_case, progress_bar, show

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase
    from weighbridge.declare.policy import Policy, Rule
    from weighbridge.loop.trials.trial import Trial
    from weighbridge.ports import Stores

THRESHOLDS = {"review": "review_at", "decline": "decline_at"}


@app.command()
def backtest(
    case: CaseName,
    begin: Annotated[str | None, typer.Option("--from", help="ISO-8601 time [default: the first decision]")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO-8601 time, exclusive [default: the last]")] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="a use case (.py) whose policy is tried [default: as it was live]")
    ] = None,
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="a bundle that scores instead, by its id or the beginning of it")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option("--threshold", metavar="ACTION=P", help="such as review=0.2 or decline=0.7")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="'CONDITION -> ACTION'", help="read first; '-> at least review' for a floor"),
    ] = None,
    without: Annotated[list[str] | None, typer.Option("--without", metavar="RULE", help="leave a rule out")] = None,
    listed: Annotated[
        list[str] | None, typer.Option("--list", metavar="LIST=VALUE", help="a value that is on a list all the time")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="FIELD", help="a category or the amount [default: all of them]")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="where the page goes [default: the home's reports folder]")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Decide the past again with something else, and show the difference to what was live; changes nothing.

    Every decision of the period is made again from its stored vector, with the rules and lists as they were at its
    place in the log. What is not named stays as it was: without options nothing differs. Labels too young to trust, and
    declines whose labels can never come, are counted apart.

    For example: weigh backtest card_fraud --threshold review=0.1 --rule "amount > 900 -> at least review"
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.backtest import Period
    from weighbridge.loop.backtest import backtest as look
    from weighbridge.ports import LAST
    from weighbridge.serve.backtest_page import page
    from weighbridge.stores.files import write_atomically

    declared, opened = open_case(case, home, create=False)
    options = {"threshold": threshold, "rule": rule, "without": without, "list": listed}
    given = {name: said or [] for name, said in options.items()}
    trial = _trial(declared, opened.stores, _policy(declared, policy) if policy else None, bundle, given)
    period = Period(moment("--from", begin) if begin else 0, moment("--to", end) if end else LAST)
    if period.from_us >= period.to_us:
        raise InputError("--from is not before --to; swap them")
    with progress_bar("backtest") as progress:
        report = look(declared, opened.stores, SystemClock(), trial, period, by, progress)
    path = html or opened.stores.reports / f"backtest-{report.run}.html"
    write_atomically(path, page(report.figures, declared.name).encode())
    show(report, as_json=as_json)
    if not as_json:
        _print(report.figures)
        typer.echo(f"drawn in {path}")


def _policy(case: UseCase, name: str) -> Policy:
    """Return the policy of another declaration of the same contract and features."""
    from weighbridge.serve.wiring import find_case

    other = find_case(name)
    if other.vector_digest != case.vector_digest:
        raise InputError(f"{name} declares another contract or other features than {case.name}; try only its policy")
    return other.policy


def _trial(
    case: UseCase, stores: Stores, policy: Policy | None, bundle: str | None, options: dict[str, list[str]]
) -> Trial:
    """Return what the options say is tried. Raises InputError for what cannot be read."""
    from weighbridge.loop.gate import named
    from weighbridge.loop.trials.trial import Trial

    limits: dict[str, float] = {}
    for text in options["threshold"]:
        name, _, value = text.partition("=")
        try:
            limits[THRESHOLDS[name]] = float(value)
        except (KeyError, ValueError):
            raise InputError(f"--threshold {text!r} is not review=P or decline=P") from None
        if not 0 <= limits[THRESHOLDS[name]] <= 1:
            raise InputError(f"--threshold {text!r}: choose a probability of 0 to 1")
    listed: dict[str, list[str]] = {}
    for text in options["list"]:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--list {text!r} is not LIST=VALUE")
        listed.setdefault(name, []).append(_stored(case, stores, name, value))
    rules = [_rule(number, text) for number, text in enumerate(options["rule"], start=1)]
    scorer = named(case, stores, bundle) if bundle else None
    return Trial(policy, scorer, **limits, rules=rules, without=options["without"], listed=listed)


def _stored(case: UseCase, stores: Stores, name: str, value: str) -> str:
    """Return a value as the log stores it on a list."""
    from weighbridge.score.edits import parse_edit

    body = {"list": name, "value": value, "action": "add", "why": "tried"}
    return parse_edit(case, body, stores.pseudonyms, 0).value


def _rule(number: int, text: str) -> Rule:
    from weighbridge.declare.policy import Rule

    when, arrow, said = text.rpartition("->")
    floor, action = said.strip().startswith("at least "), said.strip().removeprefix("at least ").strip()
    if not arrow:
        raise InputError(f"--rule {text!r} is not 'CONDITION -> ACTION', such as 'amount > 900 -> review'")
    return Rule(f"tried_{number}", when.strip(), **{"at_least" if floor else "action": action})


def _print(figures: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from weighbridge.serve.backtest_page import HEADINGS, notes, table

    shown = Table(*HEADINGS)
    for cells in table(figures["figures"]):
        shown.add_row(*cells)
    console = Console(width=150)
    console.print(shown)
    for note in notes(figures):
        typer.echo(note)
