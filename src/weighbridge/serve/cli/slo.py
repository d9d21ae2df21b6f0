"""The command about what the service promises: slo."""

from __future__ import annotations

from typing import Annotated

import typer

from weighbridge.serve.cli.options import AsJson, AsOf, CaseName, HomeFolder, aligned, app, open_case, past, show


@app.command()
def slo(
    case: CaseName,
    fail_on_missed: Annotated[bool, typer.Option("--fail-on-missed", help="exit 1 when an objective is")] = False,
    as_of: AsOf = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell how the service keeps its Objectives(...): latency, availability, feature lag; reports/slo.json has it too.

    The figures are shares over the declared window, recorded by `weigh serve`, which may run meanwhile; an objective
    is met, missed, or immature below 100 counted. Exit 0, or with --fail-on-missed 1 when one is missed.
    """
    from weighbridge.clock import ManualClock, SystemClock
    from weighbridge.loop.slo import slo as look

    as_of_us = past("--as-of", as_of)
    declared, opened = open_case(case, home, create=False)
    report = look(declared, opened.stores, SystemClock() if as_of_us is None else ManualClock(as_of_us))
    show(report, as_json=as_json)
    found = report.figures["objectives"]
    if found and not as_json:
        rows = [("objective", "verdict", "share", "at least", "bad", "of", "budget left")]
        for one in found:
            share, left = ("–" if one[n] is None else f"{one[n]:.3%}" for n in ("figure", "budget_left"))
            rows.append((one["objective"], one["verdict"], share, f"{one['bound']:.3%}", f"{one['bad']:,}",
                         f"{one['of']:,}", left))  # fmt: skip
        for line in aligned(rows):
            typer.echo(f"  {line}")
    if fail_on_missed and report.figures["missed"]:
        raise typer.Exit(1)
