"""A bundle as the model that MLflow loads: this file travels with it as code, and runs where it is loaded.

Vectors in, a probability, a risk level and an action out, by the bundle's own files, which are verified first. Nothing
of it is a pickle. `model_config` of `mlflow.pyfunc.load_model` may give the `public_key` (hex) that is trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from weighbridge.score.bundle import Parts, load_parts
from weighbridge.score.signing import Trusted


class BundleModel(PythonModel):
    """Scores rows of float32 features, one column each; an undefined value is NaN."""

    parts: Parts

    def load_context(self, context: PythonModelContext) -> None:
        """Verify the bundle. Raises BundleRefused when it is not what was signed, ValueError for a key that is none."""
        files = {path.name: path.read_bytes() for path in Path(context.artifacts["bundle"]).iterdir()}
        trusted = Trusted(bytes.fromhex(context.model_config["public_key"]))
        self.parts = load_parts(context.model_config["bundle"], files, trusted)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return probability, risk_level and action of every row, by the model alone: rules and lists have no part."""
        vectors = np.ascontiguousarray(
            model_input[list(self.parts.features)].to_numpy(dtype=np.float32, na_value=np.nan)
        )
        probability, thresholds = self.parts.scorer.probability(vectors), self.parts.thresholds
        return pd.DataFrame(
            {
                "probability": probability,
                "risk_level": [thresholds.level(p) for p in probability.tolist()],
                "action": [thresholds.action(p) for p in probability.tolist()],
            },
            index=model_input.index,
        )


mlflow.models.set_model(BundleModel())
