"""The bundle: everything a decision needs, content-addressed and signed; verified before anything is parsed."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused
from weighbridge.identity import canonical
from weighbridge.kernel.arrays import Arrays, Vectors
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.encoder import Encoder
from weighbridge.kernel.forest import Forest, Linear, Predictor
from weighbridge.kernel.machine import machine
from weighbridge.ports import BundleStore, Signer, Verifier
from weighbridge.score.archive import from_bytes, to_bytes
from weighbridge.score.manifest import FORMAT, signed, verified
from weighbridge.score.probe import Probes, record
from weighbridge.score.reasons import Reasoner
from weighbridge.score.scorer import Scorer, Thresholds

WHOLE, EVENT_ONLY = "whole", "event_only"
UNREADABLE = (  # all that reading what is signed and yet no bundle can raise
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """What a bundle holds that asks nothing of a declaration; `features` names the columns of its vectors."""

    features: tuple[str, ...]
    scorer: Scorer
    event_only: Scorer | None
    thresholds: Thresholds
    facts: Mapping[str, Any]
    probes: Probes


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. `facts` holds metrics, reference profile, lineage, features and the winning model.

    `event_only` scores vectors of which only `UseCase.stateless` is known, for when the state is away; None where no
    such feature tells anything.
    """

    id: str
    scorer: Scorer
    event_only: Scorer | None
    thresholds: Thresholds
    facts: Mapping[str, Any]
    reasoner: Reasoner
    probes: Probes

    @cached_property
    def event_only_reasoner(self) -> Reasoner:
        """What explains the scores of `event_only`; those of the whole where there is none."""
        return replace(self.reasoner, scorer=self.event_only or self.scorer)

    @property
    def trained_until_us(self) -> int:
        """Until when the events happened that it was fitted on, microseconds UTC."""
        return int(self.facts["lineage"]["trained_until_us"])

    @property
    def version(self) -> str:
        """The short id that answers show."""
        return self.id[:12]


def pack(
    case: UseCase,
    scorers: tuple[Scorer, Scorer | None],
    thresholds: Thresholds,
    probes: Vectors,
    facts: Mapping[str, Any],
    card: str,
    signer: Signer,
) -> tuple[str, dict[str, bytes]]:
    """Return a bundle's id and files. The same content has the same id: no time and no chance is in it.

    scorers: the whole one and the one over the event alone; probes: float32[n, features], what they are tried on.
    """
    limits = {
        "review_at": thresholds.review_at,
        "decline_at": thresholds.decline_at,
        "bands": [list(band) for band in thresholds.bands],
    }
    named = zip((WHOLE, EVENT_ONLY), scorers, strict=True)
    models = {f"{name}.{key}": array for name, one in named if one for key, array in _arrays(one).items()}
    files = {
        "case.json": canonical(case.to_json()).encode(),
        "model.npz": to_bytes(models),
        "probes.npz": to_bytes(record(probes, *scorers).arrays()),
        "facts.json": canonical({**facts, "thresholds": limits, "machine": machine()}).encode(),
        "card.md": card.encode(),
    }
    about = {
        "use_case": case.name,
        "case": case.digest,
        "state": case.state_digest,
        "vector": case.vector_digest,
        "features": list(case.feature_names),
    }
    return signed(about, files, signer)


def load(bundle: str, case: UseCase, store: BundleStore, signer: Signer, *, past: bool = False) -> Bundle:
    """Return a verified bundle. Raises BundleRefused with the first check that fails, and nothing else.

    In this order: size, id, signature, format, digest of every file, declaration, arrays, probes. `past`: to look back
    only; it may have been made for other features than the declaration has now.
    """
    files = store.files(bundle, case.rollout.largest_bytes)
    with _readable(bundle):
        return _read(bundle, case, verified(bundle, files, signer), files, past=past)


def load_parts(bundle: str, files: Mapping[str, bytes], verifier: Verifier) -> Parts:
    """Return what a verified bundle holds, for whoever has vectors and no declaration.

    The checks are those of `load` that need none. Raises BundleRefused, and nothing else.
    """
    with _readable(bundle):
        return _parts(bundle[:12], verified(bundle, files, verifier), files)


@contextmanager
def _readable(bundle: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as fault:
        raise BundleRefused(
            f"bundle {bundle[:12]} is signed, and not what format {FORMAT} is ({fault!r}); train again"
        ) from fault


def _read(bundle: str, case: UseCase, manifest: Mapping[str, Any], files: Mapping[str, bytes], *, past: bool) -> Bundle:
    short, same_features = bundle[:12], manifest["vector"] == case.vector_digest
    if not same_features and not past:
        raise BundleRefused(
            f"bundle {short} was made for other features of {manifest['use_case']} than the declaration has now; "
            "train a new one with `weigh retrain`"
        )
    parts = _parts(short, manifest, files)
    only = parts.event_only
    if only and same_features and not set(only.encoder.source.tolist()) <= set(case.stateless):
        raise BundleRefused(f"bundle {short}: its event-only part reads features that need a history; train again")
    reasoner = Reasoner(case, parts.scorer, parts.features, same_features)
    return Bundle(bundle, parts.scorer, only, parts.thresholds, parts.facts, reasoner, parts.probes)


def _parts(short: str, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Parts:
    features = tuple(map(str, manifest["features"]))
    models = from_bytes(files["model.npz"])
    scorer = _scorer(models, WHOLE)
    event_only = _scorer(models, EVENT_ONLY) if any(key.startswith(f"{EVENT_ONLY}.") for key in models) else None
    if not all(one.sound(len(features)) for one in (scorer, event_only) if one):
        raise BundleRefused(f"bundle {short} holds a model that does not fit its features; train again")
    facts = json.loads(files["facts.json"])
    limits = facts["thresholds"]
    bands = [(str(name), float(floor)) for name, floor in limits["bands"]]
    thresholds = Thresholds(float(limits["review_at"]), float(limits["decline_at"]), bands)
    if not thresholds.sound():
        raise BundleRefused(f"bundle {short} holds thresholds that are none; train again")
    probes = Probes(**from_bytes(files["probes.npz"]))
    if not probes.sound(len(features)):
        raise BundleRefused(f"bundle {short} holds no probes of its features; train again")
    probes.check(short, scorer, event_only, exact=facts["machine"] == machine())
    return Parts(features, scorer, event_only, thresholds, facts, probes)


def _arrays(scorer: Scorer) -> Arrays:
    parts = (("encoder", scorer.encoder), ("predictor", scorer.predictor), ("calibration", scorer.calibration))
    return {f"{name}.{key}": array for name, part in parts for key, array in part.arrays().items()}


def _scorer(models: Arrays, name: str) -> Scorer:
    def part(called: str) -> Arrays:
        before = f"{name}.{called}."
        return {key.removeprefix(before): array for key, array in models.items() if key.startswith(before)}

    told = part("predictor")
    predictor: Predictor = Linear(**told) if "weights" in told else Forest(**told)
    return Scorer(Encoder(**part("encoder")), predictor, Calibration(**part("calibration")))
