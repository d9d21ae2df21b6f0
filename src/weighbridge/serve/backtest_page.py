"""What a backtest found as a page that draws it: one file, inline SVG, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from weighbridge.loop.pages.web import document
from weighbridge.loop.trials.difference import sentence

HEADINGS = ("", "live", "tried", "difference", "95 % interval of it")
WORDS = {
    "approve": "approved", "review": "reviewed", "decline": "declined", "caught": "positives caught",
    "missed": "positives missed", "good_declined": "good, declined", "good_reviewed": "good, reviewed",
    "caught_money": "money saved", "missed_money": "money lost", "cost": "cost, by labels",
    "expected_cost": "cost, by probability", "recall": "recall", "precision": "precision of reviews and declines",
}  # fmt: skip
SHARES = ("recall", "precision")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 260, 70, 30, 16
SEGMENT_HEADINGS = ("", "decisions", "positives caught", "good declined", "cost", "95 % interval of the difference")
LIVE, TRIED, LIMIT = "#57606a", "#0969da", "#bf8700"
STYLE = f".gone {{ color: {LIVE} }}"


def table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of every figure."""
    return [_cells(name, figures[name]) for name in WORDS]


def _cells(name: str, told: Mapping[str, Any]) -> list[str]:
    change, share = told["difference"], name in SHARES
    span = f"{_signed(change['low'], share)} to {_signed(change['high'], share)}" if change["low"] is not None else "–"
    return [WORDS[name], *(_number(told[c]["value"], share) for c in ("live", "trial")),
            _signed(change["value"], share), span]  # fmt: skip


def notes(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has to be known to read the table, a sentence each."""
    labels, group = figures["labels"], figures["resampled"]
    yield (
        f"{labels['counted']:,} decisions have a mature label ({labels['positives']:,} positive); "
        f"intervals by resampling {group['groups']:,} values of {group['by']}"
    )
    for count, words in (
        (labels["immature"], "are too young for their labels and counted in no outcome"),
        (labels["fitted"], "rows the bundle was fitted on are counted apart, in no outcome"),
        (labels["unlabelled"], "were let through and have no label; they are counted in no outcome"),
        (labels["unseen_declines"], "were declined and have no label: nobody can say what they were"),
        (labels["explored"], "would have been declined and were let through by chance"),
        (labels["spoken_for"], "were declined where chance had its say; the explored ones count for them"),
        (figures["kept"], "cannot be decided again (degraded, a test, or of other features) and are as they were"),
    ):
        if count:
            yield f"{count:,} {words}"
    declined = figures["declined"]
    if declined:
        money, share = declined["money"], declined["share_positive"]
        yield (
            f"of {declined['declines']:,} events that the thresholds declined, {share['value']:.1%} "
            f"[{share['low']:.1%}, {share['high']:.1%}] were positive, by the {declined['observed']:,} explored; "
            f"{money['value']:,.0f} of money [{money['low']:,.0f}, {money['high']:,.0f}]"
        )


def page(figures: Mapping[str, Any], case_name: str) -> str:
    """Return the page as HTML."""
    days, capacity = figures["days"], figures["capacity_per_day"]
    reviews = [[day[side]["reviews"] for day in days] for side in ("live", "trial")]
    costs = [_running([day[side]["cost"] for day in days]) for side in ("live", "trial")]
    dates = [day["day"] for day in days]
    changes = [[change[name] for name in ("live", "trial", "decisions", "positive", "negative", "immature")]
               for change in figures["changes"]]  # fmt: skip
    dearest = [[each[name] for name in ("event_id", "live", "trial", "probability", "amount", "label")]
               for each in figures["dearest"]]  # fmt: skip
    parts = [
        f"<p>{escape(sentence(figures))}</p>",
        f"<p>Tried: {escape(_tried(figures['tried']))}</p>",
        _table(HEADINGS, table(figures["figures"])),
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes(figures))}</ul>",
        _plot("Reviews a day, against the capacity", dates, reviews, capacity),
        _plot("Cost by labels, added up", dates, costs, None),
        "<h2>By segment</h2>", _table(SEGMENT_HEADINGS, _segments(figures)),
        "<h2>From live to tried</h2>",
        _table(("live", "tried", "decisions", "positive", "negative", "too young"), changes),
        "<h2>The dearest that are decided otherwise</h2>",
        _table(("event", "live", "tried", "probability", "amount", "label"), dearest),
    ]  # fmt: skip
    return document(f"{case_name}: backtest", parts, STYLE)


def _tried(tried: Mapping[str, Any]) -> str:
    parts = ["another policy"] if tried["policy"] else []
    parts += [f"bundle {tried['bundle'][:12]}"] if tried["bundle"] else []
    parts += [f"{name} = {tried[name]:g}" for name in ("review_at", "decline_at") if tried[name] is not None]
    for rule in tried["rules"]:
        parts.append(f"rule {rule['when']} → {rule['action'] or 'at least ' + rule['at_least']}")
    parts += [f"without rule {name}" for name in tried["without"]]
    parts += [f"{count:,} more on {name}" for name, count in tried["listed"].items()]
    return ", ".join(parts) or "nothing: everything as it was live"


def _segments(figures: Mapping[str, Any]) -> Iterator[list[str]]:
    for part in figures["segments"]:
        told = part["figures"]
        pairs = [f"{_number(told[n]['live']['value'])} → {_number(told[n]['trial']['value'])}"
                 for n in ("caught", "good_declined", "cost")]  # fmt: skip
        yield [f"{part['field']}: {part['value']}", f"{part['decisions']:,}", *pairs, _cells("cost", told["cost"])[-1]]


def _table(head: Sequence[str], rows: Iterator[list[str]] | Sequence[Sequence[Any]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(cell))}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _text(cell: object) -> str:
    return "–" if cell is None else f"{cell:,.4g}" if isinstance(cell, float) else str(cell)


def _plot(title: str, dates: Sequence[str], lines: Sequence[Sequence[float]], limit: float | None) -> str:
    """Return a drawing of live and tried by day, and of a limit."""
    top = max([*(value for line in lines for value in line), limit or 0.0, 1e-9])

    def x(number: int) -> float:
        return LEFT + number / max(len(dates) - 1, 1) * (WIDTH - LEFT - 20)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP)

    drawn = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{x(number):.1f},{y(value):.1f}" for number, value in enumerate(line))
        + '"/>'
        for colour, line in zip((LIVE, TRIED), lines, strict=True)
    )
    if limit is not None:
        drawn += f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" stroke="{LIMIT}"/>'
    scale = "".join(
        f'<text x="{LEFT - 8}" y="{y(top * part) + 4:.1f}" text-anchor="end">{top * part:,.0f}</text>'
        for part in (0.0, 0.5, 1.0)
    )
    ends = "".join(
        f'<text x="{x(number):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{escape(dates[number])}</text>'
        for number, anchor in ((0, "start"), (len(dates) - 1, "end"))
    )
    key = f'<span style="color:{LIVE}">live</span>, <span style="color:{TRIED}">tried</span>'
    return (
        f"<figure><figcaption>{escape(title)}: {key}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{scale}{ends}{drawn}</svg></figure>"
    )


def _running(values: Sequence[float]) -> list[float]:
    found, so_far = [], 0.0
    for value in values:
        so_far += value
        found.append(so_far)
    return found


def _number(value: float | None, share: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if share else f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


def _signed(value: float | None, share: bool = False) -> str:
    if value is None:
        return "–"
    return ("+" if value > 0 else "") + _number(value, share)
