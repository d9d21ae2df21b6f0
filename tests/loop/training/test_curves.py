"""The plots of a score: their points are those of a count over every threshold, and they are well-formed SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.loop.training.curves import LEFT, SIZE, TOP, curves

ROWS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=2, max_size=60)


def lines(svg):
    """The lines of a drawing as lists of (across, up), 0 to 1."""
    found = ET.fromstring(svg).findall("{http://www.w3.org/2000/svg}polyline")
    points = [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in found]
    return [[((x - LEFT) / SIZE, 1 - (y - TOP) / SIZE) for x, y in line] for line in points]


@given(ROWS)
def test_every_point_is_that_of_a_threshold(rows):
    y, p = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    drawn = curves(y, p)
    if len(set(y.tolist())) < 2:
        assert drawn == {}
        return
    expected_roc, expected = [(0.0, 0.0)], []
    for at in sorted(set(p.tolist()), reverse=True):
        flagged = [label for label, probability in rows if probability >= at]
        caught = sum(flagged)
        expected.append((caught / y.sum(), caught / len(flagged)))
        expected_roc.append(((len(flagged) - caught) / (len(y) - y.sum()), caught / y.sum()))
    (found,) = lines(drawn["precision_recall"])
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-3)
    diagonal, roc = lines(drawn["roc"])
    assert diagonal == [(0, 0), (1, 1)]
    assert np.array(roc) == pytest.approx(np.array(expected_roc), abs=1e-3)


def test_calibration_and_classes():
    """Ten groups of equal size; each class's shares add up to 1."""
    rng = np.random.default_rng(5)
    p = rng.random(5_000)
    y = (rng.random(5_000) < p).astype(np.int64)
    drawn = curves(y, p)
    _, told = lines(drawn["calibration"])
    order = np.argsort(p)
    assert told == [
        (pytest.approx(p[g].mean(), abs=1e-3), pytest.approx(y[g].mean(), abs=1e-3)) for g in np.split(order, 10)
    ]
    for line in lines(drawn["scores"]):
        assert sum(up for _, up in line) == pytest.approx(1, abs=0.01)
