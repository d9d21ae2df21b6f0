"""The quality report as a page: what failed first, then what is missing and how values are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from weighbridge.loop.pages.plots import AMBER, BLUE, RED, bars, shares
from weighbridge.loop.pages.web import document, number, table

MOST_BARS = 60


def page(case_name: str, sentence: str, told: Mapping[str, Any]) -> str:
    """Return the page as HTML; told: what `quality.json` holds."""
    parts = [f"<p>{escape(sentence[:1].upper() + sentence[1:])}.</p>", _stages(told["stages"])]
    worse = [each for each in told["findings"] if each["outcome"] != "passed"]
    parts += ["<h2>To look at</h2>", _findings(worse)] if worse else ["<p>Every check passed.</p>"]
    for stage in dict.fromkeys(each["stage"] for each in told["columns"]):
        parts += _columns(stage, [each for each in told["columns"] if each["stage"] == stage])
    parts += ["<h2>All checks</h2>", _findings(told["findings"])]
    return document(f"{case_name}: quality of the data", parts)


def _stages(stages: Mapping[str, str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(name)}: {escape(what)}</li>' for name, what in stages.items())}</ul>"


def _findings(found: Sequence[Mapping[str, Any]]) -> str:
    head = ("check", "outcome", "stage", "table", "column", "what", "figure", "bound", "rows, the first")
    rows = [
        (each["check"], each["outcome"], each["stage"], each["table"], each["column"], each["sentence"],
         number(each["figure"]), number(each["bound"]), ", ".join(f"{row:,}" for row in each["examples"]))
        for each in found
    ]  # fmt: skip
    return table(head, rows)


def _columns(stage: str, columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the drawings of a stage's columns."""
    gaps = [(each["column"], each["missing"], RED if each["missing"] > 0.5 else AMBER) for each in columns
            if each["missing"]]  # fmt: skip
    parts = [f"<h2>Missing: {escape(stage)}</h2>"]
    parts.append(bars("Share of rows without a value", gaps[:MOST_BARS], []) if gaps else "<p>Nothing is missing.</p>")
    drawn = [_spread(each) for each in columns]
    parts += [f"<h2>Distributions: {escape(stage)}</h2>", f'<div class="grid">{"".join(drawn)}</div>']
    return parts


def _spread(each: Mapping[str, Any]) -> str:
    name, rows = each["column"], max(each["rows"], 1)
    if each.get("categories"):
        counts = each["categories"]
        return shares(name, list(counts), [count / rows for count in counts.values()], BLUE)
    if not each.get("counts"):
        return ""
    edges, note = each["edges"], f" <small>{each['least']:.4g} to {each['largest']:.4g}</small>"
    labels = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return shares(name, labels, [count / rows for count in each["counts"]], BLUE, note)
