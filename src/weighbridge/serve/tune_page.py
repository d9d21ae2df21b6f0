"""A page that draws a cost curve: one file, inline SVG, nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from weighbridge.loop.pages.web import document
from weighbridge.loop.tune import Curve, Point, Tuned

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 340, 70, 40, 20
TICKS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
STYLE = "tr.chosen { background: #fff4d6; font-weight: 600 }"
COLUMNS: tuple[tuple[str, Callable[[Point], str]], ...] = (
    ("review at", lambda p: _threshold(p.review_at)),
    ("decline at", lambda p: _threshold(p.decline_at)),
    ("reviews/day", lambda p: f"{p.reviews_per_day:,.1f}"),
    ("busiest day", lambda p: f"{p.busiest_day:,}"),
    ("declines/day", lambda p: f"{p.declines_per_day:,.1f}"),
    ("caught", lambda p: f"{p.caught:,}"),
    ("missed", lambda p: f"{p.missed:,}"),
    ("good declined", lambda p: f"{p.wrong_declines:,}"),
    ("good reviewed", lambda p: f"{p.reviewed_negatives:,}"),
    ("missed money/day", lambda p: _money(p.missed_money)),
    ("cost/day", lambda p: _money(p.cost)),
)


def table(tuned: Tuned) -> list[tuple[str, list[str]]]:
    """Return (mark, cells) of every step, the bundle's own pair and the best one, by falling caution."""
    marked = [("", step) for step in tuned.steps] + [("best", tuned.best), ("in force", tuned.in_force)]
    return [(mark, [cell(p) for _, cell in COLUMNS]) for mark, p in sorted(marked, key=lambda m: m[1].review_at)]


def page(tuned: Tuned, case_name: str) -> str:
    """Return the page as HTML."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *(name for name, _ in COLUMNS)))
    rows = "".join(
        f"<tr{' class=chosen' if mark else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in (mark, *cells))}</tr>"
        for mark, cells in table(tuned)
    )
    drawn = (
        ("Cost a day by the threshold of review, decline the best for it", tuned.by_review_at, tuned.best.review_at),
        ("Cost a day by the threshold of decline, review the best for it", tuned.by_decline_at, tuned.best.decline_at),
    )
    plots = "\n".join(_plot(*each, tuned.approve_all) for each in drawn)
    parts = [
        f"<p>{escape(sentence(tuned))}</p>",
        plots,
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
        "<p>The model alone, by the costs declared now: rules and lists have no part in these figures.</p>",
    ]
    return document(f"{case_name}: cost of thresholds", parts, STYLE)


def sentence(tuned: Tuned) -> str:
    """Return what the curve is about, in one sentence."""
    day = tuned.capacity_on.replace("_", " ").replace("average", "an average")
    return (
        f"{tuned.model} of bundle {tuned.bundle[:12]} on {tuned.rows:,} events ({tuned.positives:,} positive) of "
        f"{tuned.first_day} to {tuned.last_day}, at most {tuned.capacity_per_day:,} reviews on {day}; "
        f"approving all would cost {_money(tuned.approve_all)} a day"
    )


def _plot(title: str, curve: Curve, best: float, approve_all: float) -> str:
    """Return a drawing of a curve; what costs more than twice as much as approving all is cut off at the top."""
    low, high = math.log10(max(min(curve.at), 1e-4)), 0.0
    top = min(max(curve.cost) * 1.05, 2 * approve_all or max(curve.cost)) or 1.0

    def x(at: float) -> float:
        return LEFT + (min(max(math.log10(max(at, 1e-4)), low), high) - low) / ((high - low) or 1.0) * (
            WIDTH - LEFT - 20
        )

    def y(cost: float) -> float:
        return HEIGHT - BOTTOM - min(cost / top, 1.0) * (HEIGHT - BOTTOM - TOP)

    points = " ".join(f"{x(at):.1f},{y(cost):.1f}" for at, cost in zip(curve.at, curve.cost, strict=True))
    ticks = "".join(_tick(x(t), f"{t:g}") for t in TICKS if math.log10(t) >= low)
    scale = "".join(_line(y(top * part), _money(top * part)) for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    mark = f'<line x1="{x(best):.1f}" x2="{x(best):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#bf8700"/>'
    return (
        f"<figure><figcaption>{escape(title)}; best at {_threshold(best)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{scale}{ticks}{mark}'
        f'<polyline fill="none" stroke="#0969da" stroke-width="2" points="{points}"/></svg></figure>'
    )


def _tick(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'


def _line(y: float, text: str) -> str:
    grid = f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>'
    return f'{grid}<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def _threshold(at: float) -> str:
    return "never" if at > 1 else f"{at:.4f}"


def headings() -> Sequence[str]:
    """Return the names of the table's columns."""
    return [name for name, _ in COLUMNS]
