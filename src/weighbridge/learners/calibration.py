"""Fits the map from log-odds to probability."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.calibrate import Calibration


def fit_calibration(how: str, log_odds: Floats, y: Ints) -> Calibration:
    """Fit a calibration on rows that did not train the model; without both classes it is the plain sigmoid."""
    if how == "none" or len(np.unique(y)) < 2:
        return Calibration.sigmoid()
    if how == "isotonic":
        model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(log_odds, y)
        knots, first = np.unique(model.X_thresholds_, return_index=True)
        plain = Calibration.sigmoid()
        return Calibration(
            plain.slope, plain.intercept, knots.astype(np.float64), model.y_thresholds_[first].astype(np.float64)
        )
    model = LogisticRegression(C=1e6, max_iter=1_000).fit(log_odds.reshape(-1, 1), y)
    return Calibration.sigmoid(max(float(model.coef_[0, 0]), 0.0), float(model.intercept_[0]))
