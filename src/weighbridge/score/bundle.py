"""The bundle: everything a decision needs, content-addressed and signed; verified before anything is parsed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused
from weighbridge.identity import canonical
from weighbridge.kernel.arrays import Arrays
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.encoder import Encoder
from weighbridge.kernel.forest import Forest, Linear, Predictor
from weighbridge.ports import BundleStore, Signer
from weighbridge.score.reasons import Reasoner
from weighbridge.score.scorer import Scorer, Thresholds

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
PREDICTORS: dict[str, type[Forest] | type[Linear]] = {"forest": Forest, "linear": Linear}


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. `facts` holds metrics, reference profile, lineage, features and the winning model."""

    id: str
    scorer: Scorer
    thresholds: Thresholds
    facts: Mapping[str, Any]
    reasoner: Reasoner

    @property
    def version(self) -> str:
        """The short id that answers show."""
        return self.id[:12]


def pack(
    case: UseCase, scorer: Scorer, thresholds: Thresholds, facts: Mapping[str, Any], card: str, signer: Signer
) -> tuple[str, dict[str, bytes]]:
    """Return a bundle's id and files. The same content has the same id: no time and no chance is in it."""
    kind = "forest" if isinstance(scorer.predictor, Forest) else "linear"
    described = {
        **facts,
        "predictor": kind,
        "thresholds": {
            "review_at": thresholds.review_at,
            "decline_at": thresholds.decline_at,
            "bands": list(thresholds.bands),
        },
    }
    files = {
        "case.json": canonical(case.to_json()).encode(),
        "model.npz": _arrays_to_bytes(
            {f"{part}.{name}": array for part, arrays in _parts(scorer) for name, array in arrays.items()}
        ),
        "facts.json": canonical(described).encode(),
        "card.md": card.encode(),
    }
    manifest = {
        "format": FORMAT,
        "use_case": case.name,
        "case": case.digest,
        "state": case.state_digest,
        "vector": case.vector_digest,
        "features": list(case.feature_names),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    content = canonical(manifest).encode()
    files |= {MANIFEST: content, SIGNATURE: _signature(signer.key_id, signer.sign(content))}
    return hashlib.sha256(content).hexdigest(), files


def load(bundle: str, case: UseCase, store: BundleStore, signer: Signer, *, past: bool = False) -> Bundle:
    """Return a verified bundle. Raises BundleRefused with the first check that fails.

    In this order: id, signature, digest of every file, format, declaration, arrays. `past`: to look back only; it may
    have been made for other features than the declaration has now.
    """
    files = store.files(bundle)
    manifest = _verified(bundle, files, signer)
    if manifest["format"] != FORMAT:
        raise BundleRefused(
            f"bundle {bundle[:12]} has format {manifest['format']}, this program reads {FORMAT}; upgrade it"
        )
    same_features = manifest["vector"] == case.vector_digest
    if not same_features and not past:
        raise BundleRefused(
            f"bundle {bundle[:12]} was made for other features of {manifest['use_case']} than the declaration has now; "
            "train a new one with `weigh retrain`"
        )
    facts = json.loads(files["facts.json"])
    try:
        scorer = _scorer(_arrays_from_bytes(files["model.npz"]), facts["predictor"])
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as fault:
        raise BundleRefused(f"bundle {bundle[:12]} holds no readable model ({fault}); train again") from fault
    features = tuple(manifest["features"])
    if not scorer.sound(len(features)):
        raise BundleRefused(f"bundle {bundle[:12]} holds a model that does not fit its features; train again")
    limits = facts["thresholds"]
    bands = [(str(name), float(floor)) for name, floor in limits["bands"]]
    thresholds = Thresholds(limits["review_at"], limits["decline_at"], bands)
    return Bundle(bundle, scorer, thresholds, facts, Reasoner(case, scorer, features, same_features))


def _verified(bundle: str, files: Mapping[str, bytes], signer: Signer) -> dict[str, Any]:
    """Return the manifest after its id, its signature and the digest of every file were checked."""
    short = bundle[:12]
    for name in (MANIFEST, SIGNATURE):
        if name not in files:
            raise BundleRefused(f"bundle {short} has no {name}; restore it from a copy")
    if hashlib.sha256(files[MANIFEST]).hexdigest() != bundle:
        raise BundleRefused(f"bundle {short} was changed: its manifest does not have its id; restore it from a copy")
    try:
        signature = json.loads(files[SIGNATURE])
        raw, key_id = bytes.fromhex(signature["signature"]), str(signature["key"])
    except (ValueError, KeyError, TypeError) as fault:
        raise BundleRefused(f"bundle {short} has no readable signature; restore it from a copy") from fault
    if files[SIGNATURE] != _signature(key_id, raw) or not signer.holds(files[MANIFEST], raw, key_id):
        raise BundleRefused(f"bundle {short} is not signed by a key this home trusts; restore it or train again")
    manifest: dict[str, Any] = json.loads(files[MANIFEST])
    named = manifest["files"]
    if set(named) != set(files) - {MANIFEST, SIGNATURE}:
        raise BundleRefused(f"bundle {short} does not hold exactly the files of its manifest; restore it from a copy")
    for name, sha256 in named.items():
        if hashlib.sha256(files[name]).hexdigest() != sha256:
            raise BundleRefused(f"bundle {short} was changed: {name} is not what was signed; restore it from a copy")
    return manifest


def _signature(key_id: str, raw: bytes) -> bytes:
    return canonical({"key": key_id, "signature": raw.hex()}).encode()


def _parts(scorer: Scorer) -> list[tuple[str, Arrays]]:
    parts = (("encoder", scorer.encoder), ("predictor", scorer.predictor), ("calibration", scorer.calibration))
    return [(name, part.arrays()) for name, part in parts]


def _scorer(arrays: Arrays, kind: str) -> Scorer:
    def part(name: str) -> Arrays:
        return {key.split(".", 1)[1]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

    predictor: Predictor = PREDICTORS[kind](**part("predictor"))
    return Scorer(Encoder(**part("encoder")), predictor, Calibration(**part("calibration")))


def _arrays_to_bytes(arrays: Arrays) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def _arrays_from_bytes(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
