"""Real applicants: the declared examples on the third-party rows, against published figures."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from examples.credit_card_default import case as cards
from examples.loans import case as loans
from tests.conftest import SOAK, memory_stores
from weighbridge.clock import ManualClock, iso_to_us
from weighbridge.kernel.columns import ints
from weighbridge.kernel.metrics import average_precision, roc_auc
from weighbridge.learners.fit import fit
from weighbridge.learners.selection import varying
from weighbridge.loop.build import build, table_name
from weighbridge.loop.ingest import ingest
from weighbridge.stores.sources import read_file

DATA = Path(os.environ.get("WEIGHBRIDGE_DATA", "../shared/data")).absolute() / "credit"
NOW = iso_to_us("2026-01-05T00:00:00Z")
FOLDS = 5 if SOAK else 1
LEAST = {"logistic": (0.734, 0.5), "random_forest": (0.7835, 0.561), "lightgbm": (0.7835, 0.561)}  # ROC-AUC, AP
OF_ONE_FOLD = 0.02  # less, where one fold stands for five
MODELS = [m for m in cards.models if SOAK or m.family == "lightgbm"]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the third-party data are not at {DATA}")


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Vectors, labels and ids of the 30,000 clients, built as any other log is."""
    stores, clock = memory_stores(cards, tmp_path_factory.mktemp("reports")), ManualClock(NOW)
    told = ingest(cards, stores, clock, read_file(DATA / "uci_default.parquet"))
    assert (told.figures["accepted"], told.figures["rejected"], told.figures["positives"]) == (30_000, 0, 6_636)
    assert told.figures["others"] == {"EDUCATION": 468, "MARRIAGE": 377}
    build(cards, stores, clock)
    table, labels = stores.tables.get(table_name(cards)), stores.log.labels()
    X = np.stack([table[name].to_numpy() for name in cards.feature_names], axis=1)
    at = pc.index_in(table["event_id"], value_set=labels["event_id"].combine_chunks()).to_numpy()
    return X, ints(labels["value"])[at], np.array(table["event_id"].to_pylist(), dtype=np.int64)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.family)
def test_credit_card_default_by_folds_of_the_id(clients, model):
    X, y, ids = clients
    found = []
    for fold in range(FOLDS):
        later = ids % 5 == fold
        log_odds = fit(cards, model, X[~later], y[~later], varying(X[~later])).log_odds(X[later])
        found.append((roc_auc(y[later], log_odds), average_precision(y[later], log_odds)))
    auc, precision = np.mean(found, axis=0)
    print(f"{model.family}: ROC-AUC {auc:.4f}, AP {precision:.4f} over {FOLDS} folds")
    slack = 0.0 if SOAK else OF_ONE_FOLD
    assert auc >= LEAST[model.family][0] - slack
    assert precision >= LEAST[model.family][1] - slack


def test_a_label_mixed_up_separates_nothing(clients):
    X, y, ids = clients
    later = ids % 5 == 0
    mixed = np.random.default_rng(1).permutation(y[~later])
    auc = roc_auc(y[later], fit(cards, MODELS[-1], X[~later], mixed, varying(X[~later])).log_odds(X[later]))
    assert auc < 0.6


def test_loans_arrive_by_their_second_clock(tmp_path):
    stores, clock = memory_stores(loans, tmp_path), ManualClock(NOW)
    table = read_file(DATA / "loans.parquet").slice(0, 3_000)
    created = pc.add(table["created_timestamp"], pa.scalar(timedelta(days=2)))
    later = table.set_column(table.column_names.index("created_timestamp"), "created_timestamp", created)
    told = ingest(loans, stores, clock, later)
    assert (told.figures["accepted"], told.figures["rejected"]) == (3_000, 0)
    events = stores.log.events()
    assert (ints(events["arrived_us"]) - ints(events["event_us"]) == 2 * 86_400_000_000).all()
    assert not set(events["dob_ssn"].to_pylist()) & set(table["dob_ssn"].to_pylist())  # pseudonyms
    assert build(loans, stores, clock).figures["rows"] == 3_000
