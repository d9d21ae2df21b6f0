"""What a bundle's winner said on its validation rows, kept for gates, other thresholds and pictures."""

from __future__ import annotations

import pyarrow as pa

from weighbridge.loop.training.candidate import Candidate
from weighbridge.loop.training.training_set import TrainingSet


def validation_name(bundle: str) -> str:
    """Return the name of the table that holds what a bundle's winner said on its validation rows."""
    return f"validation-{bundle[:16]}"


def validated(data: TrainingSet, winner: Candidate) -> pa.Table:
    """Return that table: seq, y, probability."""
    rows = data.places(data.split.validation)
    return pa.table({"seq": data.columns.seq[rows], "y": data.labels[rows], "probability": winner.probability})
