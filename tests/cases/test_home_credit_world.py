"""Home Credit on its simulated world: child tables tell what applications do not, and every path says the same bits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import SOAK, memory_stores
from weighbridge.cases.home_credit import case
from weighbridge.clock import ManualClock, iso_to_us
from weighbridge.declare import lightgbm
from weighbridge.declare.features import parts
from weighbridge.declare.rollups import Rollup
from weighbridge.kernel.columns import ints
from weighbridge.kernel.metrics import roc_auc
from weighbridge.learners.fit import fit
from weighbridge.learners.selection import varying
from weighbridge.loop.build import build, table_name
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.gate import parity_mismatches
from weighbridge.loop.ingest import ingest
from weighbridge.loop.relations import related
from weighbridge.loop.training.training_set import training_set

APPLICANTS, FOLDS, TREES = (20_000, 4, 300) if SOAK else (3_000, 2, 60)
MARGIN = 0.03 if SOAK else 0.015  # of ROC-AUC that child tables add at least; the reference on real applicants is .024
NOW = iso_to_us("2026-01-05T00:00:00Z")
ROLLED = np.array([any(isinstance(part, Rollup) for part in parts(feature)) for feature in case.vector])
MODEL = lightgbm(n_estimators=TREES, learning_rate=9 / TREES / 2, num_leaves=12, min_child_samples=60, max_bin=127,
                 colsample_bytree=0.3, reg_lambda=30.0, imbalance="none")  # fmt: skip


def tables(events):
    blocks = list(related(case, seed=11, events=events))
    return {name: pa.concat_tables([block[name] for block in blocks]) for name in blocks[0]}


def built(folder, events, children):
    stores, clock = memory_stores(case, folder), ManualClock(NOW)
    made = tables(events)
    for child in case.children if children else ():
        told = ingest_rows(case, stores, clock, child.name, [made[child.name]])
        assert (told.figures["accepted"], told.figures["rejected"]) == (len(made[child.name]), 0)
    told = ingest(case, stores, clock, made["application"])
    assert (told.figures["accepted"], told.figures["labels"]) == (events, events)
    build(case, stores, clock)
    table = stores.tables.get(table_name(case))
    return stores, np.stack([table[name].to_numpy() for name in case.feature_names], axis=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return built(tmp_path_factory.mktemp("reports"), APPLICANTS, children=True)


def separated(X, y):
    """Pooled ROC-AUC of folds by place."""
    fold, auc = np.arange(len(y)) % FOLDS, []
    for one in range(FOLDS):
        later = fold == one
        auc.append(roc_auc(y[later], fit(case, MODEL, X[~later], y[~later], varying(X[~later])).log_odds(X[later])))
    return float(np.mean(auc))


def test_child_tables_add_what_the_weights_say(world):
    stores, X = world
    y = ints(stores.log.labels()["value"])
    blind = X.copy()
    blind[:, ROLLED] = np.nan
    others = X.copy()
    others[:, ROLLED] = X[np.random.default_rng(5).permutation(len(X))][:, ROLLED]
    alone, whole, mixed_up = (separated(vectors, y) for vectors in (blind, X, others))
    print(
        f"ROC-AUC of {len(y):,} applicants: application {alone:.3f}, with child tables {whole:.3f}, of others {mixed_up:.3f}"
    )
    assert whole - alone > MARGIN
    assert mixed_up - alone < MARGIN / 2  # rows of other clients tell nothing


def test_one_application_has_the_bits_of_the_whole_table(world):
    stores, _ = world
    assert parity_mismatches(case, stores, training_set(case, stores)) == 0


def test_missing_child_tables_are_empty_and_no_failure(tmp_path):
    _, X = built(tmp_path, 60, children=False)
    counts = [place for place, name in enumerate(case.feature_names) if name.endswith("_count")]
    assert len(counts) >= 5
    assert (X[:, counts] == 0).all()
    assert np.isnan(
        X[:, [p for p, name in enumerate(case.feature_names) if name.endswith("_mean") and ROLLED[p]]]
    ).all()
    assert np.isfinite(X[:, case.feature_names.index("AMT_CREDIT")]).all()
