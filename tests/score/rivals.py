"""Bundles that differ from a good one: as good, and bad in one way each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from weighbridge.identity import canonical
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.forest import Forest, Linear
from weighbridge.records import Alias, Move
from weighbridge.score.bundle import load, pack
from weighbridge.score.manifest import FORMAT, MANIFEST, SIGNATURE
from weighbridge.score.route import PRODUCTION

MANY = 200_000  # trees: slower than any bound that the tests declare


def good(case, stores):
    """The bundle in production."""
    return load(stores.registry.alias(PRODUCTION), case, stores.bundles, stores.signer)


def packed(case, stores, bundle, scorer=None, event_only=None, card="", **facts):
    """A bundle's id and files, from a good one with some parts replaced."""
    own = {k: v for k, v in bundle.facts.items() if k not in ("thresholds", "machine")} | facts
    scorers = (scorer or bundle.scorer, event_only or bundle.event_only)
    return pack(case, scorers, bundle.thresholds, bundle.probes.vectors[:-1], own, card, stores.signer)


def rival(case, stores, intercept, add=True):
    """Register a bundle that scores a little otherwise; return its id."""
    bundle = good(case, stores)
    calibration = Calibration.sigmoid(float(bundle.scorer.calibration.slope), float(intercept))
    made = packed(case, stores, bundle, replace(bundle.scorer, calibration=calibration), model=f"rival {intercept}")
    return put(stores, *made) if add else made


def put(stores, bundle, files):
    stores.bundles.put(bundle, files)
    facts = next(facts for _, _, facts in stores.registry.bundles())
    stores.registry.add(bundle, {**facts, "model": "rival"}, 0)
    return bundle


def resigned(stores, files, **changes):
    """Files under a manifest that says something else, and is signed."""
    named = {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n not in (MANIFEST, SIGNATURE)}
    content = canonical({**json.loads(files[MANIFEST]), "files": named, **changes}).encode()
    signature = {"key": stores.signer.key_id, "signature": stores.signer.sign(content).hex()}
    return hashlib.sha256(content).hexdigest(), {
        **files, MANIFEST: content, SIGNATURE: canonical(signature).encode()
    }  # fmt: skip


def slow(case, stores, bundle):
    leaf = np.full(MANY, -1, np.int32)
    forest = Forest(
        feature=leaf, threshold=np.zeros(MANY, np.float32), left=leaf * 0, right=leaf * 0,
        nan_left=np.zeros(MANY, np.bool_), value=np.full(MANY, 1e-4), cover=np.ones(MANY),
        roots=np.arange(MANY, dtype=np.int32), bias=np.array(0.0), divisor=np.array(1.0), logistic=np.array(True),
    )  # fmt: skip
    return packed(case, stores, bundle, replace(bundle.scorer, predictor=forest))


def nan(case, stores, bundle):
    width = len(bundle.event_only.encoder.source)
    weights = np.where(np.arange(width) % 2, 1e308, -1e308)
    wild = replace(bundle.event_only, predictor=Linear(weights, np.array(0.0), np.zeros(width)))
    return packed(case, stores, bundle, wild)


def bad_bundles(case, stores):
    """The eight kinds of bad bundle: (id, files, what its refusal says) by kind."""
    bundle, found = good(case, stores), {}

    def tampered(kind, name, change, says):
        made, files = rival(case, stores, -0.01 * (len(found) + 1), add=False)
        found[kind] = (made, {**files, name: change(files[name])}, says)

    tampered("truncated", "model.npz", lambda content: content[:-100], "model.npz is not what was signed")
    tampered("bit flip", "facts.json", lambda c: bytes([c[0] ^ 1]) + c[1:], "facts.json is not what was signed")
    tampered("wrong signature", SIGNATURE, lambda c: c.replace(c[-12:-2], b"0" * 10), "not signed by a key")
    tampered("wrong digest", MANIFEST, lambda content: content + b" ", "does not have its id")
    _, files = rival(case, stores, -0.2, add=False)
    found["newer format"] = (*resigned(stores, files, format=FORMAT + 1), "upgrade weighbridge")
    found["nan"] = (*nan(case, stores, bundle), "NaN")
    found["slow"] = (*slow(case, stores, bundle), "takes longer than the")
    found["huge"] = (*packed(case, stores, bundle, card="x" * case.rollout.largest_bytes), "bytes, more than the")
    return found


def point(stores, alias, bundle, share=None):
    """Move an alias, whatever it points at now."""
    now = stores.registry.aliases().get(alias) or Alias(None)
    move = Move(alias, bundle, now.bundle, "test", "by force", 1, share=share, share_before=now.share)
    if (now.bundle, now.share) != (bundle, share):
        stores.registry.move(move)
