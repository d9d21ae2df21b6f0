"""The report of a look at a rollout as a page that draws it: one file, nothing from elsewhere, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from weighbridge.loop.pages.plots import AMBER, BLUE, GREY, RED, lines
from weighbridge.loop.pages.web import document, table

COLUMNS = ("", "verdict", "so far", "interval", "outcomes", "evidence, 10^", "breaks at, 10^")
WIDTH, HEIGHT, LEFT, MARGIN = 760, 200, 64, 16


def page(figures: Mapping[str, Any], paths: Mapping[str, Mapping[str, Any]], case_name: str, sentence: str) -> str:
    """Return the page as HTML; figures: those of the look, paths: what `guard.paths` returns."""
    parts = [
        f"<p>{escape(sentence)}</p>",
        _table(figures["verdicts"]),
        "<p>The band is a confidence sequence: the true mean lies in it at all times at once, but for the declared "
        "chance. Evidence is the capital of bets against the bound; where it reaches the red line, the bundle is "
        "out.</p>",
        *(_guard(name, path) for name, path in paths.items()),
    ]
    return document(f"{case_name}: rollout of {figures['candidate'][:12]}", parts)


def _table(verdicts: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            v["gate"], v["verdict"], f"{v['figure']:.4g}", "{:.4f} to {:.4f}".format(*v["interval"]), f"{v['count']:,}",
            f"{v['evidence_log10']:.1f}", f"{v['needed_log10']:.1f}",
        )
        for v in verdicts if "evidence_log10" in v
    ]  # fmt: skip
    return table(COLUMNS, rows)


def _guard(name: str, path: Mapping[str, Any]) -> str:
    labels = [f"{count:,}" for count in path["count"]]
    evidence = [max(each, 0.0) for each in path["evidence_log10"]]
    needed = [path["needed_log10"]] * len(labels)
    return f"<h2>{escape(name)}</h2>" + _band(name, path) + lines(
        "evidence, powers of 10, by outcomes", labels, [("evidence", AMBER, evidence), ("breaks", RED, needed)]
    )  # fmt: skip


def _band(name: str, path: Mapping[str, Any]) -> str:
    """Return the mean so far, its confidence sequence and the bound, by outcomes; what is beyond is cut off."""
    mean, bound = path["mean"], path["bound"]
    late = len(mean) // 3
    top = max(2 * bound, *mean[late:], *path["high"][late:])
    low = min(0.0, *mean[late:], *path["low"][late:])
    step = (WIDTH - LEFT - MARGIN) / max(len(mean) - 1, 1)

    def points(values: Sequence[float]) -> list[str]:
        spots = [(min(max(value, low), top) - low) / (top - low) for value in values]
        return [
            f"{LEFT + n * step:.1f},{HEIGHT - MARGIN - at * (HEIGHT - 2 * MARGIN):.1f}" for n, at in enumerate(spots)
        ]

    around = " ".join([*points(path["low"]), *reversed(points(path["high"]))])
    limit = " ".join(points([bound] * len(mean)))
    scale = "".join(
        f'<text x="{LEFT - 6}" y="{points([value])[0].split(",")[1]}" text-anchor="end">{value:.3g}</text>'
        for value in sorted({low, bound, top})
    )
    return (
        f"<figure><figcaption>{escape(name)}: mean so far, its interval, and the bound</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{scale}'
        f'<polygon points="{around}" fill="{GREY}" opacity="0.3"/>'
        f'<polyline points="{" ".join(points(mean))}" fill="none" stroke="{BLUE}" stroke-width="2"/>'
        f'<polyline points="{limit}" fill="none" stroke="{RED}"/></svg></figure>'
    )
