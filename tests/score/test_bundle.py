"""A bundle is what was signed, or it is refused before anything in it is parsed."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import SOAK
from weighbridge.declare import Policy, Reasons, Rollout, log
from weighbridge.errors import BundleRefused
from weighbridge.identity import canonical
from weighbridge.kernel.forest import Forest, Linear
from weighbridge.score.archive import from_bytes, to_bytes
from weighbridge.score.bundle import load, pack
from weighbridge.score.manifest import FORMAT, MANIFEST, SIGNATURE
from weighbridge.score.route import PRODUCTION
from weighbridge.score.signing import HomeSigner
from weighbridge.stores.files import FolderBundles
from weighbridge.stores.memory import MemoryBundles


@pytest.fixture
def production(trained):
    return trained.registry.alias(PRODUCTION)


def stored(bundle, files):
    store = MemoryBundles()
    store.put(bundle, files)
    return store


def repacked(case, trained, bundle, scorers=None, probes=None, facts=None, card="", signer=None):
    """A good bundle packed again, signed as well, with some parts replaced."""
    own = {k: v for k, v in bundle.facts.items() if k not in ("thresholds", "machine")}
    return pack(
        case, scorers or (bundle.scorer, bundle.event_only), bundle.thresholds,
        bundle.probes.vectors[:-1] if probes is None else probes, own if facts is None else facts, card,
        signer or trained.signer,
    )  # fmt: skip


def resigned(trained, files, /, **changes):
    """Files under a manifest that says something else, and is signed."""
    files = {name: content for name, content in files.items() if name != SIGNATURE}
    named = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != MANIFEST}
    content = canonical({**json.loads(files[MANIFEST]), "files": named, **changes}).encode()
    signature = {"key": trained.signer.key_id, "signature": trained.signer.sign(content).hex()}
    return hashlib.sha256(content).hexdigest(), {
        **files, MANIFEST: content, SIGNATURE: canonical(signature).encode()
    }  # fmt: skip


def test_a_bundle_comes_back_as_it_was_packed(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    card = trained.bundles.files(production)["card.md"].decode()
    again, _ = repacked(small_case, trained, bundle, card=card)
    assert again == production
    assert "average_precision" in card


def test_any_flipped_bit_is_refused(small_case, trained, production, tmp_path):
    files, store = trained.bundles.files(production), FolderBundles(tmp_path)
    store.put(production, files)
    assert load(production, small_case, store, trained.signer).id == production
    rng, names = random.Random(7), sorted(files)
    for number in range(1_400 if SOAK else 200):
        path = tmp_path / production / names[number % len(names)]
        whole = path.read_bytes()
        content = bytearray(whole)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with pytest.raises(BundleRefused):
            load(production, small_case, store, trained.signer)
        path.write_bytes(whole)
    assert load(production, small_case, store, trained.signer).id == production


def test_the_probes_are_of_validation_and_spread_over_its_scores(small_case, trained, production):
    probes = load(production, small_case, trained.bundles, trained.signer).probes
    assert len(probes.vectors) == len(probes.whole) == len(probes.event_only) == 65
    assert np.isnan(probes.vectors[-1]).all()
    assert len(set(probes.whole.tolist())) > 30
    assert probes.whole.max() > 10 * probes.whole.min()


def test_what_is_signed_and_scores_otherwise_than_recorded_is_refused(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    _, files = repacked(small_case, trained, bundle)
    facts = json.loads(files["facts.json"])

    def tried(change, **told):
        probes = replace(bundle.probes, **change)
        store = {**files, "probes.npz": to_bytes(probes.arrays()), "facts.json": canonical({**facts, **told}).encode()}
        return load((made := resigned(trained, store))[0], small_case, stored(*made), trained.signer)

    next_bits, near, far = np.nextafter(bundle.probes.whole, 1), bundle.probes.whole + 9e-10, bundle.probes.whole + 1e-6
    alone = np.nextafter(bundle.probes.event_only, 1)
    assert tried({}).probes.whole.tolist() == bundle.probes.whole.tolist()
    for change in ({"whole": next_bits}, {"event_only": alone}, {"whole": bundle.probes.whole[:0]}):
        with pytest.raises(BundleRefused, match="does not score its probes"):
            tried(change)
    tried({"whole": near}, machine="another")
    with pytest.raises(BundleRefused, match="does not score its probes"):
        tried({"whole": far}, machine="another")
    with pytest.raises(BundleRefused, match="no probes of its features"):
        tried({"vectors": bundle.probes.vectors[:, :-1]})


def test_a_model_that_scores_nan_is_refused(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    width = len(bundle.event_only.encoder.source)
    weights = np.where(np.arange(width) % 2, 1e308, -1e308)  # finite, and their sum is inf - inf
    wild = Linear(weights, np.array(0.0), np.zeros(width))
    scorer = replace(bundle.event_only, predictor=wild)
    assert scorer.sound(30)
    for scorers in ((bundle.scorer, scorer), (scorer, None)):
        made = repacked(small_case, trained, bundle, scorers)
        with pytest.raises(BundleRefused, match="NaN"):
            load(made[0], small_case, stored(*made), trained.signer)


def test_an_event_only_part_that_reads_a_history_is_refused(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    assert set(bundle.event_only.encoder.source.tolist()) <= set(small_case.stateless)
    made = repacked(small_case, trained, bundle, (bundle.scorer, bundle.scorer))
    with pytest.raises(BundleRefused, match="need a history"):
        load(made[0], small_case, stored(*made), trained.signer)


def test_the_event_only_part_sees_nothing_but_the_event(small_case, trained, production):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    blind = bundle.probes.vectors.copy()
    blind[:, [c for c in range(30) if c not in small_case.stateless]] = np.nan
    assert bundle.event_only.probability(blind).tolist() == bundle.probes.event_only.tolist()
    told = bundle.facts["event_only"]
    assert 0 < told["validation"]["roc_auc"] < bundle.facts["validation"]["roc_auc"]
    assert set(told["selected_features"]) <= {small_case.feature_names[c] for c in small_case.stateless}


def squeezed(arrays):
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


def promising(content):
    """An array whose header promises more numbers than there are; the archive's checksum is made to agree."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert b"(65, 30), }" in parts["vectors.npy"]
    parts["vectors.npy"] = parts["vectors.npy"].replace(b"(65, 30), }   ", b"(65, 30000), }")
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return sink.getvalue()


NO_BUNDLES = {
    "compressed": lambda files: files.update({"model.npz": squeezed({"a": np.zeros(10**7)})}),
    "promising": lambda files: files.update({"probes.npz": promising(files["probes.npz"])}),
    "empty model": lambda files: files.update({"model.npz": b""}),
    "text model": lambda files: files.update({"model.npz": b"PK\x03\x04 no zip"}),
    "objects": lambda files: files.update({"model.npz": pickled()}),
    "no probes": lambda files: files.pop("probes.npz"),
    "no facts": lambda files: files.pop("facts.json"),
    "list of facts": lambda files: files.update({"facts.json": b"[]"}),
    "broken facts": lambda files: files.update({"facts.json": b"{"}),
    "deep facts": lambda files: files.update({"facts.json": b"[" * 100_000 + b"]" * 100_000}),
    "no thresholds": lambda files: files.update({"facts.json": b'{"machine": ""}'}),
    "text thresholds": lambda files: files.update({"facts.json": limits(review_at="x")}),
    "crossed thresholds": lambda files: files.update({"facts.json": limits(review_at=0.9)}),
    "no bands": lambda files: files.update({"facts.json": limits(bands=[])}),
    "no number": lambda files: files.update({"facts.json": limits(decline_at=None)}),
}  # fmt: skip


def pickled():
    sink = io.BytesIO()
    np.savez(sink, a=np.array([{}], dtype=object))
    return sink.getvalue()


def limits(**changes):
    told = {"review_at": 0.1, "decline_at": 0.5, "bands": [["low", 0.0]], **changes}
    return canonical({"thresholds": told, "machine": ""}).encode()


@pytest.mark.parametrize("name", NO_BUNDLES)
def test_what_is_signed_and_no_bundle_is_refused_and_nothing_else_happens(small_case, trained, production, name):
    files = trained.bundles.files(production)
    NO_BUNDLES[name](files)
    made = resigned(trained, files)
    with pytest.raises(BundleRefused, match=made[0][:12]):
        load(made[0], small_case, stored(*made), trained.signer)


@pytest.mark.parametrize(
    "change", [{"features": 5}, {"vector": None}, {"files": []}, {"format": "2"}, {"format": None}]
)
def test_a_signed_manifest_that_says_nonsense_is_refused(small_case, trained, production, change):
    made = resigned(trained, trained.bundles.files(production), **change)
    with pytest.raises(BundleRefused):
        load(made[0], small_case, stored(*made), trained.signer)


def test_a_bundle_that_is_too_large_is_refused_before_it_is_read(small_case, trained, production, tmp_path):
    bundle = load(production, small_case, trained.bundles, trained.signer)
    small = replace(small_case, rollout=Rollout(largest_mb=1))
    huge, files = repacked(small, trained, bundle, card="x" * (1 << 20))
    store = FolderBundles(tmp_path)
    store.put(huge, files)
    with pytest.raises(BundleRefused, match=r"more than the 1,048,576 allowed"):
        load(huge, small, store, trained.signer)
    assert load(production, small, trained.bundles, trained.signer).id == production


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
    """The files of a good bundle with another forest in them."""
    files = trained.bundles.files(bundle.id)
    models = from_bytes(files["model.npz"])
    kept = {name: array for name, array in models.items() if not name.startswith("whole.predictor")}
    told = {f"whole.predictor.{name}": array for name, array in forest.arrays().items()}
    made = resigned(trained, {**files, "model.npz": to_bytes({**kept, **told})})
    with pytest.raises(BundleRefused, match="does not fit"):
        load(made[0], small_case, stored(*made), trained.signer)


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
    kept, files = repacked(small_case, trained, bundle, (replace(bundle.scorer, predictor=good), None))
    again = load(kept, small_case, stored(kept, files), trained.signer).scorer.predictor
    assert again.cover.tolist() == [10.0, 4.0, 6.0]
    refused(small_case, trained, bundle, replace(good, cover=np.array(cover)))


@pytest.mark.parametrize(("made", "fix"), [(FORMAT + 1, "upgrade weighbridge"), (FORMAT - 1, "train again")])
def test_another_format_is_refused(small_case, trained, production, made, fix):
    other, files = resigned(trained, trained.bundles.files(production), format=made)
    with pytest.raises(BundleRefused, match=f"has format {made}.*{fix}"):
        load(other, small_case, stored(other, files), trained.signer)
