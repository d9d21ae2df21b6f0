"""The folder that MLflow keeps a bundle in: its signed files, and the code, signature and example to load it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from weighbridge import __version__
from weighbridge.score.bundle import load_parts
from weighbridge.score.signing import Trusted

EXAMPLES = 3
CODE = Path(__file__).with_name("model.py")


def write_flavour(folder: Path, bundle: str, files: Mapping[str, bytes], public_key: bytes, about: Model) -> None:
    """Write a bundle as a pyfunc model into a new folder; `about` says which model of MLflow it is.

    Raises BundleRefused when the files are not what was signed.
    """
    parts = load_parts(bundle, files, Trusted(public_key))
    inside = folder / "bundle"
    inside.mkdir(parents=True)
    for name, content in files.items():
        (inside / name).write_bytes(content)
    example = parts.probes.vectors[:: max(len(parts.probes.vectors) // EXAMPLES, 1)][:EXAMPLES]
    mlflow.pyfunc.save_model(
        str(folder / "model"),
        python_model=str(CODE),
        artifacts={"bundle": str(inside)},
        model_config={"bundle": bundle, "public_key": public_key.hex()},
        signature=signature_of(parts.features),
        input_example=pd.DataFrame(np.asarray(example, dtype=np.float32), columns=list(parts.features)),
        pip_requirements=requirements(),
        mlflow_model=about,
    )


def signature_of(features: Sequence[str]) -> ModelSignature:
    """Return what the model takes and gives: a float32 a feature; probability, risk level and action."""
    told = [("probability", DataType.double), ("risk_level", DataType.string), ("action", DataType.string)]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.float, name) for name in features]),
        outputs=Schema([ColSpec(kind, name) for name, kind in told]),
    )


def requirements() -> list[str]:
    """Return what an environment needs to load the model: no library that trains."""
    exact = [f"{name}=={version(name)}" for name in ("mlflow-skinny", "pandas", "numpy", "numba")]
    return [f"weighbridge=={__version__}", *exact]
