"""A bundle is what was signed, or it is refused before anything in it is parsed."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import SOAK
from weighbridge.declare import Policy, Reasons, log
from weighbridge.errors import BundleRefused
from weighbridge.identity import canonical
from weighbridge.kernel.forest import Forest
from weighbridge.score.bundle import MANIFEST, SIGNATURE, load, pack
from weighbridge.score.route import PRODUCTION, Router
from weighbridge.score.signing import HomeSigner
from weighbridge.stores.memory import MemoryBundles


@pytest.fixture
def production(trained):
    return trained.registry.alias(PRODUCTION)


def stored(bundle, files):
    store = MemoryBundles()
    store.put(bundle, files)
    return store


def test_a_bundle_comes_back_as_it_was_packed(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    again, _ = pack(
        small_case, bundle.scorer, bundle.thresholds,
        {k: v for k, v in bundle.facts.items() if k not in ("predictor", "thresholds")},
        trained.bundles.files(production)["card.md"].decode(), trained.signer,
    )  # fmt: skip
    assert again == production
    assert "average_precision" in trained.bundles.files(production)["card.md"].decode()


def test_any_flipped_bit_is_refused(small_case, trained, production):
    files = trained.bundles.files(production)
    rng = random.Random(7)
    for _ in range(1_000 if SOAK else 150):
        name = rng.choice(sorted(files))
        content = bytearray(files[name])
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        with pytest.raises(BundleRefused):
            load(production, small_case, stored(production, {**files, name: bytes(content)}), trained.signer)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda files: files.pop(SIGNATURE), "has no manifest.sig"),
        (lambda files: files.pop(MANIFEST), "has no manifest.json"),
        (lambda files: files.pop("model.npz"), "exactly the files"),
        (lambda files: files.update({"extra.pkl": b"x"}), "exactly the files"),
        (lambda files: files.update({"model.npz": files["model.npz"][:-20]}), "was changed"),
        (lambda files: files.update({SIGNATURE: b"{}"}), "no readable signature"),
    ],
)
def test_a_bundle_with_other_files_is_refused(small_case, trained, production, change, says):
    files = trained.bundles.files(production)
    change(files)
    with pytest.raises(BundleRefused, match=says):
        load(production, small_case, stored(production, files), trained.signer)


def test_a_stranger_signature_is_refused(small_case, trained, production):
    files, stranger = trained.bundles.files(production), HomeSigner(b"x" * 32)
    files[SIGNATURE] = canonical({"key": stranger.key_id, "signature": stranger.sign(files[MANIFEST]).hex()}).encode()
    with pytest.raises(BundleRefused, match="not signed by a key this home trusts"):
        load(production, small_case, stored(production, files), trained.signer)


def test_a_signed_bundle_of_another_declaration_is_refused(small_case, trained, production):
    with pytest.raises(BundleRefused, match="other features"):
        load(
            production,
            replace(small_case, features=[log("amount")], reasons=Reasons(), policy=Policy()),
            trained.bundles,
            trained.signer,
        )


def refused(small_case, trained, bundle, forest):
    scorer = replace(bundle.scorer, predictor=forest)
    wild, files = pack(small_case, scorer, bundle.thresholds, {}, "", trained.signer)
    with pytest.raises(BundleRefused, match="does not fit"):
        load(wild, small_case, stored(wild, files), trained.signer)


def test_a_signed_model_that_walks_out_of_its_arrays_is_refused(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    one = np.array([0], dtype=np.int32)
    refused(small_case, trained, bundle, Forest(
        feature=one, threshold=np.zeros(1, np.float32), left=one + 5, right=one + 6, nan_left=np.zeros(1, np.bool_),
        value=np.zeros(1), cover=np.ones(1), roots=one, bias=np.array(0.0), divisor=np.array(1.0),
        logistic=np.array(True),
    ))  # fmt: skip


@pytest.mark.parametrize(
    "cover", [[10.0, 4.0, 6.5], [10.0, 10.0, 0.0], [10.0, 11.0, -1.0], [10.0, np.nan, 6.0], [10.0]]
)
def test_a_signed_forest_with_covers_that_are_none_is_refused(small_case, trained, production, cover):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    good = Forest(
        feature=np.array([0, -1, -1], np.int32), threshold=np.zeros(3, np.float32), left=np.array([1, 0, 0], np.int32),
        right=np.array([2, 0, 0], np.int32), nan_left=np.zeros(3, np.bool_), value=np.array([0.0, -1.0, 1.0]),
        cover=np.array([10.0, 4.0, 6.0]), roots=np.array([0], np.int32), bias=np.array(0.0), divisor=np.array(1.0),
        logistic=np.array(True),
    )  # fmt: skip
    kept, files = pack(small_case, replace(bundle.scorer, predictor=good), bundle.thresholds, {}, "", trained.signer)
    again = load(kept, small_case, stored(kept, files), trained.signer).scorer.predictor
    assert again.cover.tolist() == [10.0, 4.0, 6.0]
    refused(small_case, trained, bundle, replace(good, cover=np.array(cover)))


def test_a_newer_format_is_refused(small_case, trained, production):
    files = trained.bundles.files(production)
    manifest = {**json.loads(files[MANIFEST]), "format": 2}
    content = canonical(manifest).encode()
    import hashlib

    signature = {"key": trained.signer.key_id, "signature": trained.signer.sign(content).hex()}
    files |= {MANIFEST: content, SIGNATURE: canonical(signature).encode()}
    newer = hashlib.sha256(content).hexdigest()
    with pytest.raises(BundleRefused, match="has format 2"):
        load(newer, small_case, stored(newer, files), trained.signer)


def test_the_last_good_bundle_keeps_deciding(small_case, trained, production):
    registry, bundles = trained.registry, MemoryBundles()
    bundles.put(production, trained.bundles.files(production))
    stores = replace(trained, bundles=bundles)
    router = Router(small_case, stores)
    assert router.refresh()
    assert not router.refresh()

    class Moved:
        def alias(self, name):
            return "f" * 64

    router._stores = replace(stores, registry=Moved())
    assert not router.refresh()
    assert router.champion.id == production == registry.alias(PRODUCTION)
    assert "is not in this store" in router.refusal
