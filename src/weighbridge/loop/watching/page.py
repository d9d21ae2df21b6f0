"""The report of a watch as a page that draws it: one file, nothing from elsewhere, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from weighbridge.declare.watch import Watch
from weighbridge.loop.pages.plots import AMBER, BLUE, GREY, RED, bars, curve, lines, pairs
from weighbridge.loop.pages.web import document, number, table

COLOURS = {"none": BLUE, "moderate": AMBER, "severe": "#bc4c00", "critical": RED}
PERFORMANCE = (
    ("precision of what is flagged", "precision"), ("recall of what is flagged", "recall"),
    ("precision of what is declined", "decline_precision"), ("recall of what is declined", "decline_recall"),
    ("average precision", "average_precision"), ("positives", "positives"), ("decisions", "rows"),
)  # fmt: skip
HEADINGS = ("", "severity", "PSI", "by chance", "KS", "chi-square", "p adjusted", "rows", "before", "missing", "before")


def page(details: Mapping[str, Any], watch: Watch, case_name: str, sentence: str) -> str:
    """Return the page as HTML; details: what `drift_report.json` holds."""
    title = f"{case_name}: what was decided until {details['until'] or 'now'}"
    parts = [
        f"<p>{escape(sentence[:1].upper() + sentence[1:])}.</p>",
        f"<p>Bundle {escape(details['bundle'][:12])}, the last {escape(details['last'])}, as known at "
        f"{escape(details['as_of'])}; {details['rows']:,} decisions.</p>",
        _alerts(details.get("alerts", ())),
        "<h2>Performance</h2>", _performance(details), _over_time(details["days"]), _calibration(details),
        "<h2>Distributions</h2>", _drift(details["features"], watch),
    ]  # fmt: skip
    return document(title, parts)


def _alerts(outcomes: Sequence[Mapping[str, Any]]) -> str:
    told = [f"{o['title']} → {o['sink']}: {o['outcome']}" + (f" ({o['why']})" if "why" in o else "") for o in outcomes]
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in told)}</ul>" if told else "<p>No alert.</p>"


def _performance(details: Mapping[str, Any]) -> str:
    columns = ("estimated", "estimated_of_mature", "realised")
    rows = [(name, *(number(details[column][key]) for column in columns)) for name, key in PERFORMANCE]
    head = ("", "estimated, now", "estimated, where labels are mature", "realised there")
    meaning = details["concept"]
    told = f"Concept drift: {meaning['severity']}."
    if "excess" in meaning:
        told = (
            f"Concept drift: {meaning['severity']}. The error on {meaning['rows']:,} mature labels is "
            f"{meaning['excess']:+.0%} of what the probabilities promise (p = {meaning['p_value']:.2g}), "
            f"{meaning['positives']:,} positives came for {meaning['positives_expected']:,.1f} expected "
            f"(p = {meaning['ratio_p_value']:.2g}), the calibration error {meaning['ece']:.4f}."
        )
    note = (
        "Estimated: from the calibrated probabilities alone (CBPE), true as long as they mean what they say; "
        "a new kind of fraud shows first in what is realised."
    )
    note = details["estimated"].get("why", note)
    return table(head, rows) + f"<p>{escape(told)}</p><p>{escape(note)}</p>"


def _over_time(days: Sequence[Mapping[str, Any]]) -> str:
    labels = [d["day"] for d in days]

    def of(name: str) -> list[float | None]:
        return [d.get(name) for d in days]

    return "".join((
        lines("Mean score and share of flagged decisions", labels,
              [("mean score", BLUE, of("score")), ("flagged", AMBER, of("flagged"))]),
        lines("Recall: estimated at once, realised once labels are mature", labels,
              [("estimated", GREY, of("estimated_recall")), ("realised", BLUE, of("recall"))]),
        lines("Precision: estimated at once, realised once labels are mature", labels,
              [("estimated", GREY, of("estimated_precision")), ("realised", BLUE, of("precision"))]),
        lines("Brier score: promised by the probabilities, and as it was", labels,
              [("promised", GREY, of("brier_promised")), ("was", BLUE, of("brier"))]),
    ))  # fmt: skip


def _calibration(details: Mapping[str, Any]) -> str:
    points = details["calibration"]
    if not points:
        return "<p>No label in reach is mature yet: nothing to draw of calibration.</p>"
    title = "Calibration on mature labels: share of positives by probability"
    return f'<div class="grid">{curve(title, [p["probability"] for p in points], [p["share"] for p in points])}</div>'


def _drift(features: Sequence[Mapping[str, Any]], watch: Watch) -> str:
    if not features:
        return "<p>Not enough data to judge drift yet.</p>"
    bounds = [(name, getattr(watch, name)) for name in ("moderate", "severe", "critical")]
    values = [(f["feature"], f["psi"], COLOURS.get(f["severity"], GREY)) for f in features]
    drawn = "".join(
        pairs(f["feature"], f["bins"], f["reference_shares"], f["shares"], f' <span class="{f["severity"]}">'
              f"{escape(f['severity'])}</span>") for f in features
    )  # fmt: skip
    rows = [
        (f["feature"], f["severity"], *(number(f[k]) for k in ("psi", "chance", "ks", "chi_square", "adjusted")),
         f"{f['rows']:,}", f"{f['reference_rows']:,}", f"{f['missing']:.1%}", f"{f['reference_missing']:.1%}")
        for f in features
    ]  # fmt: skip
    note = (
        "Severity needs both: significant at the false discovery rate "
        f"{watch.false_discovery_rate:g}, and an index that exceeds what chance alone gives by the bound."
    )
    return (
        bars("Population stability index", values, bounds) + f"<p>{escape(note)}</p>" + table(HEADINGS, rows)
        + f'<h2>Before (grey) and now (blue)</h2><div class="grid">{drawn}</div>'
    )  # fmt: skip
