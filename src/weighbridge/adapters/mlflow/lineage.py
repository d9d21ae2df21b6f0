"""What MLflow is told of a bundle: where it comes from, how it decides, how sure its figures are, its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from weighbridge.adapters.mlflow.registry import ADDED, BUNDLE, FACTS
from weighbridge.adapters.mlflow.tracker import flat
from weighbridge.errors import BundleRefused
from weighbridge.loop.training.curves import curves
from weighbridge.loop.training.validated import validation_name
from weighbridge.ports import Stores
from weighbridge.score.manifest import MANIFEST, verified

Files = dict[str, bytes]


def files_of(stores: Stores, bundle: str) -> Files | None:
    """Return a bundle's files, None where this home has none that are what was signed."""
    try:
        files = stores.bundles.files(bundle)
        verified(bundle, files, stores.signer)
    except BundleRefused:
        return None
    return files


def tags_of(
    stores: Stores, bundle: str, added_us: int, facts: Mapping[str, Any], files: Files | None
) -> dict[str, str]:
    """Return the tags of a bundle's version: `weigh.lineage.*`, `weigh.governance.*`, and what the registry holds."""
    tags = {BUNDLE: bundle, ADDED: str(added_us), FACTS: json.dumps(dict(facts))}
    if files is None:
        return {**tags, "weigh.files": "missing or changed in the home"}
    made, manifest = json.loads(files["facts.json"]), json.loads(files[MANIFEST])
    lineage = {**made["lineage"], **{name: manifest[name] for name in ("case", "state", "vector")}}
    told = {f"weigh.lineage.{name}": str(value) for name, value in flat(lineage)}
    return {**tags, "weigh.model": str(made["model"]), **told, **governance(stores, bundle, made)}


def governance(stores: Stores, bundle: str, made: Mapping[str, Any]) -> dict[str, str]:
    """Return the risk bands and thresholds, and which part of the validation rows gets which action by them.

    By the model alone: rules and lists have no part in it.
    """
    limits, bands = made["thresholds"], made["thresholds"]["bands"]
    tags = {
        "risk_bands": ", ".join(f"{name} from {floor:g}" for name, floor in bands),
        "review_at": repr(limits["review_at"]),
        "decline_at": repr(limits["decline_at"]),
    }
    said = validated(stores, bundle)
    if said is not None and len(said[1]):
        declined, flagged = (float(np.mean(said[1] >= limits[name])) for name in ("decline_at", "review_at"))
        rates = {"approval_rate": 1 - flagged, "review_rate": flagged - declined, "decline_rate": declined}
        tags |= {name: f"{rate:.6f}" for name, rate in rates.items()} | {"validation_rows": str(len(said[1]))}
    return {f"weigh.governance.{name}": value for name, value in tags.items()}


def params_of(made: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a bundle's winning model and of its training."""
    chosen = {f"model.{name}": str(value) for name, value in made["lineage"]["parameters"]}
    features = made["selected_features"]
    told = {"features.selected": str(len(features)), "seed": str(made["lineage"]["seed"]), "model": str(made["model"])}
    return {**chosen, **told}


def metrics_of(made: Mapping[str, Any]) -> dict[str, float]:
    """Return the ends of the 95 % intervals, the thresholds and the counts of rows."""
    ends = [(name, low, high) for name, (low, high) in made["interval"].items()]
    ends += [(f"candidates.{c['model']}.interval", *c["interval"]) for c in made["candidates"]]
    found = {f"{name}.{end}": value for name, *both in ends for end, value in zip(("low", "high"), both, strict=True)}
    counts = flat({name: made["lineage"][name] for name in ("rows", "positives")})
    limits = {f"threshold.{name}": made["thresholds"][name] for name in ("review_at", "decline_at")}
    return {
        name: float(value) for name, value in [*found.items(), *counts, *limits.items()] if np.isfinite(float(value))
    }


def artifacts_of(stores: Stores, bundle: str, files: Files) -> Files:
    """Return what people look at, by path: the bundle's files, its model card and its plots."""
    said = validated(stores, bundle)
    drawn = curves(*said) if said is not None else {}
    plots = {f"plots/{name}.svg": text.encode() for name, text in drawn.items()}
    return {
        **{f"bundle/{name}": content for name, content in files.items()},
        **plots,
        "model_card.md": files["card.md"],
    }


def validated(stores: Stores, bundle: str) -> tuple[Any, Any] | None:
    """Return (y, probability) of a bundle's validation rows, int64[n] and float64[n], None where they are gone."""
    said = stores.tables.get(validation_name(bundle))
    return None if said is None else (said["y"].to_numpy(), said["probability"].to_numpy())
