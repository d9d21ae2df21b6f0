"""The ledger of labels, for people: coverage, delay, corrections, conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from weighbridge.serve.cli.options import AsJson, AsOf, CaseName, HomeFolder, app, open_case, past, show

BAR = 40


@app.command()
def labels(
    case: CaseName,
    as_of: AsOf = None,
    days: Annotated[int, typer.Option(min=0, help="how many of the newest days of events to show")] = 14,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of which events: coverage by day, delay by source, corrections and conflicts.

    Which of several records about one event counts is declared: Label(resolve=...).
    """
    from weighbridge.clock import SystemClock
    from weighbridge.loop.labels.ledger import labels as look

    declared, opened = open_case(case, home, create=False)
    as_of_us = past("--as-of", as_of)
    report = look(declared, opened.stores, SystemClock(), as_of_us)
    show(report, as_json=as_json)
    if not as_json:
        for line in lines(report.figures, days):
            typer.echo(line)


def lines(figures: Mapping[str, Any], days: int) -> Iterator[str]:
    """Yield what is below the sentence: one line a source, one a day of events."""
    rule = f"{figures['records']:,} records, of several about one event {figures['resolve']} counts"
    yield f"  {rule}; {figures['waiting']:,} wait until they arrive"
    for name, told in figures["by_source"].items():
        delay = ", ".join(f"{level} {value:,.1f}" for level, value in told["delay_days"].items())
        yield f"  source {name}: {told['records']:,} records, {told['positives']:,} positive; days late: {delay}"
    for day in figures["by_day"][-days:] if days else ():
        bar = "█" * round(BAR * day["coverage"])
        settled = "" if day["mature"] else "  not mature"
        yield f"  {day['day']}  {day['coverage']:>6.1%} of {day['events']:>7,}  {bar:<{BAR}}{settled}".rstrip()
