"""What a score is worth on labelled rows, drawn: precision and recall, ROC, calibration, probabilities by class."""

from __future__ import annotations

from html import escape

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints

SIZE, LEFT, TOP = 320, 56, 34
BINS = 10
MOST_POINTS = 400
COLOURS = ("#0969da", "#cf222e")
Line = tuple[Floats, Floats]


def curves(y: Ints, probability: Floats) -> dict[str, str]:
    """Return SVG drawings by name, of labels int64[n] and probabilities float64[n]; none where a class is missing."""
    positives = int(y.sum())
    if not 0 < positives < len(y):
        return {}
    caught, wrong = _counts(y, probability)
    recall, precision = caught / positives, caught / (caught + wrong)
    told, came = _reliability(y, probability)
    edges = np.linspace(0, 1, 2 * BINS + 1)
    shares = [np.histogram(probability[y == c], edges)[0] / max(int((y == c).sum()), 1) for c in (0, 1)]
    middle = (edges[:-1] + edges[1:]) / 2
    diagonal = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    zero = np.zeros(1)
    roc = np.concatenate([zero, wrong / (len(y) - positives)]), np.concatenate([zero, recall])
    drawn = {
        "precision_recall": ("Precision and recall", "recall", "precision", [(recall, precision)], None),
        "roc": ("ROC", "false positive rate", "recall", [roc], diagonal),
        "calibration": ("Calibration", "mean probability", "share positive", [(told, came)], diagonal),
        "scores": ("Probabilities: negatives blue, positives red", "probability", "share of class",
                   [(middle, share) for share in shares], None),
    }  # fmt: skip
    return {name: _drawing(*each) for name, each in drawn.items()}


def _counts(y: Ints, probability: Floats) -> Line:
    """Return how many positives and negatives are at or above every distinct probability, from the highest down."""
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probability[order])), len(y) - 1)
    caught = np.cumsum(y[order])[last].astype(np.float64)
    return caught, last + 1 - caught


def _reliability(y: Ints, probability: Floats) -> Line:
    """Return (mean probability, share positive) of up to BINS groups of equal size."""
    groups = [g for g in np.array_split(np.argsort(probability, kind="stable"), BINS) if len(g)]
    return np.array([probability[g].mean() for g in groups]), np.array([y[g].mean() for g in groups])


def _drawing(title: str, across: str, up: str, lines: list[Line], beside: Line | None) -> str:
    width, height = SIZE + LEFT + 20, SIZE + TOP + 44
    ticks = "".join(
        f'<text x="{_x(t):.1f}" y="{TOP + SIZE + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="{LEFT - 6}" y="{_y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    drawn = "".join(_polyline(line, colour) for line, colour in zip(lines, COLOURS, strict=False))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="20" font-size="13">{escape(title)}</text>'
        f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#d0d7de"/>{ticks}'
        f"{_polyline(beside, '#8c959f') if beside else ''}{drawn}"
        f'<text x="{LEFT + SIZE / 2}" y="{height - 8}" text-anchor="middle">{escape(across)}</text>'
        f'<text x="14" y="{TOP + SIZE / 2}" text-anchor="middle" transform="rotate(-90 14 {TOP + SIZE / 2})">'
        f"{escape(up)}</text></svg>\n"
    )


def _polyline(line: Line, colour: str) -> str:
    across, up = line
    chosen = np.unique(np.linspace(0, len(across) - 1, min(len(across), MOST_POINTS)).astype(np.int64))
    points = " ".join(f"{_x(float(across[p])):.1f},{_y(float(up[p])):.1f}" for p in chosen)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _x(value: float) -> float:
    return LEFT + SIZE * value


def _y(value: float) -> float:
    return TOP + SIZE * (1 - value)
