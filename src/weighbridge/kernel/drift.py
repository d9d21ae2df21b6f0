"""How far a distribution has moved from the one a model was trained on, on bins fixed at training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 10
FLOOR = 1e-4


def profile(values: npt.NDArray[Any]) -> dict[str, list[float]]:
    """Return the bins of a reference: inner edges (quantiles, or midpoints of few values) and each bin's share.

    The last share is that of missing values.
    """
    present = values[np.isfinite(values)].astype(np.float64)
    different = np.unique(present)
    if len(different) <= BINS:
        edges = (different[1:] + different[:-1]) / 2
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1]))
    return {"edges": edges.tolist(), "shares": _shares(values, edges).tolist()}


def psi(reference: Mapping[str, list[float]], values: npt.NDArray[Any]) -> float:
    """Population stability index of values against a reference profile: sum of (a - e) ln(a / e) over its bins.

    Shares below 1e-4 count as 1e-4. Source: Siddiqi (2006), Credit Risk Scorecards.
    """
    expected = np.maximum(np.array(reference["shares"]), FLOOR)
    actual = np.maximum(_shares(values, np.array(reference["edges"])), FLOOR)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def _shares(values: npt.NDArray[Any], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    present = values[np.isfinite(values)].astype(np.float64)
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return np.r_[counts, len(values) - len(present)] / max(len(values), 1)
