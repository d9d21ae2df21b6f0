"""What is done about the rare class before a model sees the rows."""

from __future__ import annotations

import numpy as np

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats, Ints, Vectors

Rows = tuple[Vectors, Ints, Floats]
NEGATIVES_PER_POSITIVE = 20


def balance(how: str, X: Vectors, y: Ints, seed: int, spoken: Floats | None = None) -> Rows:
    """Return (inputs, labels, weights) to fit on. spoken: for how many events each row speaks, 1 where it is None.

    `weights` multiplies positives by sqrt(negatives / positives), which ranks better than the full ratio near 1 %;
    `smote` adds synthetic positives (Chawla et al. 2002, on inputs with NaN as 0) up to a tenth of the negatives;
    `downsample` keeps NEGATIVES_PER_POSITIVE negatives for each positive. Raises InputError when a class is absent.
    """
    positives = int(y.sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        raise InputError(
            f"training rows hold {positives} positives and {negatives} negatives; both are needed, add history"
        )
    weight = np.ones(len(y)) if spoken is None else spoken.copy()
    if how == "weights":
        weight[y == 1] *= np.sqrt(weight[y == 0].sum() / weight[y == 1].sum())
    elif how == "downsample":
        rng = np.random.default_rng(seed)
        wanted = min(negatives, NEGATIVES_PER_POSITIVE * positives)
        kept = np.sort(np.r_[np.flatnonzero(y == 1), rng.choice(np.flatnonzero(y == 0), wanted, replace=False)])
        X, y, weight = X[kept], y[kept], weight[kept]
    elif how == "smote" and 1 < positives < 0.1 * negatives:
        from imblearn.over_sampling import SMOTE

        smote = SMOTE(sampling_strategy=0.1, k_neighbors=min(5, positives - 1), random_state=seed)
        X, y = smote.fit_resample(np.nan_to_num(X), y)  # what is made comes behind what was there
        weight = np.r_[weight, np.ones(len(y) - len(weight))]
    return X.astype(np.float32, copy=False), y.astype(np.int64), weight
