"""Small drawings as inline SVG: nothing from elsewhere, no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid #d8dee4 }
th:first-child, td:first-child { text-align: left }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: #57606a }
figure { margin: 1rem 0 } figcaption { font-weight: 600 }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem }
.grid figure { margin: 0 }
.none { color: #1a7f37 } .moderate { color: #9a6700 } .severe { color: #bc4c00 } .critical { color: #cf222e }
"""
BLUE, GREY, AMBER, RED = "#0969da", "#8c959f", "#bf8700", "#cf222e"
LEFT, TOP, BOTTOM, RIGHT = 56, 12, 28, 12

Line = tuple[str, str, Sequence[float | None]]  # (name, colour, values)


def lines(title: str, labels: Sequence[str], series: Sequence[Line], *, width: int = 760, height: int = 220) -> str:
    """Return lines over shared labels; None is a gap."""
    known = [v for _, _, values in series for v in values if v is not None]
    if not known:
        return ""
    top = max(known) * 1.1 or 1.0
    step = (width - LEFT - RIGHT) / max(len(labels) - 1, 1)

    def y(value: float) -> float:
        return height - BOTTOM - value / top * (height - BOTTOM - TOP)

    parts = [_scale(top, width, height), _names([(name, colour) for name, colour, _ in series], width)]
    for number in sorted({0, len(labels) // 2, len(labels) - 1}):
        anchor = "start" if number == 0 else "end" if number == len(labels) - 1 else "middle"
        parts.append(_text(LEFT + number * step, height - 8, labels[number], anchor))
    for _, colour, values in series:
        at = [(LEFT + n * step, y(v)) for n, v in enumerate(values) if v is not None]
        points = " ".join(f"{x:.1f},{level:.1f}" for x, level in at)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{level:.1f}" r="2.5" fill="{colour}"/>' for x, level in at]
    return _figure(title, "".join(parts), width, height)


def pairs(title: str, labels: Sequence[str], before: Sequence[float], now: Sequence[float], note: str = "") -> str:
    """Return bars in pairs, grey before and blue now, for shares of bins."""
    width, height = 380, 190
    top = max([*before, *now]) * 1.1 or 1.0
    slot = (width - LEFT - RIGHT) / max(len(labels), 1)
    parts = [_scale(top, width, height, share=True)]
    for number, (label, e, a) in enumerate(zip(labels, before, now, strict=True)):
        x, told = LEFT + number * slot, f"{escape(label)}: {e:.1%} before, {a:.1%} now"
        for offset, value, colour in ((0.1, e, GREY), (0.5, a, BLUE)):
            tall = value / top * (height - BOTTOM - TOP)
            parts.append(
                f'<rect x="{x + offset * slot:.1f}" y="{height - BOTTOM - tall:.1f}" width="{0.4 * slot:.1f}" '
                f'height="{tall:.1f}" fill="{colour}"><title>{told}</title></rect>'
            )
        if number in (0, len(labels) - 1):
            parts.append(_text(x + slot / 2, height - 8, label, "start" if number == 0 else "end"))
    return _figure(title, "".join(parts), width, height, note)


def shares(title: str, labels: Sequence[str], values: Sequence[float], colour: str, note: str = "") -> str:
    """Return bars side by side, for shares of bins or categories."""
    width, height = 380, 190
    top = max(values, default=0.0) * 1.1 or 1.0
    slot = (width - LEFT - RIGHT) / max(len(labels), 1)
    parts = [_scale(top, width, height, share=True)]
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, tall = LEFT + number * slot, value / top * (height - BOTTOM - TOP)
        parts.append(
            f'<rect x="{x + 0.1 * slot:.1f}" y="{height - BOTTOM - tall:.1f}" width="{0.8 * slot:.1f}" '
            f'height="{tall:.1f}" fill="{colour}"><title>{escape(label)}: {value:.2%}</title></rect>'
        )
        if number in (0, len(labels) - 1):
            at = (LEFT, "start") if number == 0 else (width - RIGHT, "end")
            parts.append(_text(at[0], height - 8, label, at[1]))
    return _figure(title, "".join(parts), width, height, note)


def bars(title: str, values: Sequence[tuple[str, float, str]], bounds: Sequence[tuple[str, float]]) -> str:
    """Return horizontal bars of (name, value, colour), with a line at each bound."""
    width, row, left = 760, 20, 290
    height = row * len(values) + 40
    top = max([v for _, v, _ in values] + [b for _, b in bounds]) * 1.05 or 1.0
    scale = (width - left - 60) / top
    parts = []
    for name, bound in bounds:
        x = left + bound * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{height - 20}" stroke="{AMBER}" stroke-dasharray="4"/>'
        )
        parts.append(_text(x, 12, name, "middle"))
    for number, (name, value, colour) in enumerate(values):
        y = 20 + number * row
        parts.append(_text(left - 8, y + 14, name, "end"))
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{value * scale:.1f}" height="{row - 6}" fill="{colour}"/>')
        parts.append(_text(left + value * scale + 4, y + 14, f"{value:.3f}", "start"))
    return _figure(title, "".join(parts), width, height)


def curve(title: str, x: Sequence[float], y: Sequence[float]) -> str:
    """Return points of a calibration curve beside the diagonal, both axes on one logarithmic scale."""
    width, height, least = 380, 300, 1e-4
    low = math.log10(max(min([*x, *y], default=1.0), least))
    span = -low or 1.0

    def at(value: float, size: float) -> float:
        return (math.log10(max(value, least)) - low) / span * size

    wide, tall = width - LEFT - RIGHT, height - BOTTOM - TOP
    parts = [f'<line x1="{LEFT}" y1="{height - BOTTOM}" x2="{width - RIGHT}" y2="{TOP}" stroke="{GREY}"/>']
    for tick in (0.001, 0.01, 0.1, 1.0):
        if math.log10(tick) >= low:
            parts.append(_text(LEFT + at(tick, wide), height - 8, f"{tick:g}", "middle"))
            parts.append(_text(LEFT - 6, height - BOTTOM - at(tick, tall) + 4, f"{tick:g}", "end"))
    for p, share in zip(x, y, strict=True):
        across, up = LEFT + at(p, wide), height - BOTTOM - max(at(share, tall), 0)
        parts.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{BLUE}"/>')
    return _figure(title, "".join(parts), width, height)


Points = tuple[str, str, Sequence[float], Sequence[float]]  # (name, colour, x, y)


def plane(title: str, series: Sequence[Points], marks: Sequence[tuple[str, float]] = (), *, money: bool = False) -> str:
    """Return lines of points over x from 0 to 1, with a dashed line at each mark; y from 0 to 1, or money from 0."""
    width, height = 380, 300
    top = max((v for *_, values in series for v in values), default=1.0) * 1.05 or 1.0 if money else 1.0
    wide, tall = width - LEFT - RIGHT, height - BOTTOM - TOP
    named = [(name, colour) for name, colour, *_ in series if name]
    parts = [_scale(top, width, height), _names(named, width) if len(named) > 1 else ""]
    parts += [_text(LEFT + tick * wide, height - 8, f"{tick:g}", "middle") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for name, mark in marks:
        x = LEFT + min(mark, 1.0) * wide
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}" stroke="{AMBER}" stroke-dasharray="4"/>'
        )
        parts.append(_text(x + 3, TOP + 22, name, "start") if mark < 0.6 else _text(x - 3, TOP + 22, name, "end"))
    for _, colour, xs, ys in series:
        at = ((LEFT + min(x, 1.0) * wide, height - BOTTOM - y / top * tall) for x, y in zip(xs, ys, strict=True))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
    return _figure(title, "".join(parts), width, height)


def intervals(title: str, values: Sequence[tuple[str, float, float, float, str]]) -> str:
    """Return (name, value, low, high, colour) as a dot with its interval, one under the other."""
    width, row, left = 760, 22, 290
    height = row * len(values) + 40
    ends = [end for _, value, low, high, _ in values for end in (value, low, high)]
    floor, top = min([0.0, *ends]), max([0.0, *ends]) or 1.0
    scale = (width - left - 70) / (top - floor)
    parts = [_text(left + (end - floor) * scale, height - 6, f"{end:.3g}", "middle") for end in (floor, top)]
    for number, (name, value, low, high, colour) in enumerate(values):
        y = 18 + number * row
        x, first, last = (left + (end - floor) * scale for end in (value, low, high))
        parts.append(_text(left - 8, y + 4, name, "end"))
        parts.append(f'<line x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{colour}"><title>{value:.4f}</title></circle>')
        parts.append(_text(width - 50, y + 4, f"{value:.3f}", "start"))
    return _figure(title, "".join(parts), width, height)


def _figure(title: str, inside: str, width: int, height: int, note: str = "") -> str:
    return (
        f"<figure><figcaption>{escape(title)}{note}</figcaption>"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{inside}</svg></figure>'
    )


def _scale(top: float, width: int, height: int, *, share: bool = False) -> str:
    found = []
    for part in (0.0, 0.5, 1.0):
        y = height - BOTTOM - part * (height - BOTTOM - TOP)
        found.append(f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>')
        found.append(_text(LEFT - 6, y + 4, f"{top * part:.0%}" if share else f"{top * part:.3g}", "end"))
    return "".join(found)


def _names(named: Sequence[tuple[str, str]], width: int) -> str:
    found = []
    for number, (name, colour) in enumerate(named):
        x = width - RIGHT - 150 * (len(named) - number)
        found.append(f'<rect x="{x}" y="0" width="10" height="10" fill="{colour}"/>{_text(x + 14, 10, name, "start")}')
    return "".join(found)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
