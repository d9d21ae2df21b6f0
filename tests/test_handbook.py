"""The Fraud Detection Handbook as an oracle: its features, its splits, and our model on one week of its protocol."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from examples.handbook import ROWS, SPLIT_A, check_features, check_starts, read_history, split
from examples.handbook_cards import card, case, published, terminal
from weighbridge.declare import is_between_hours

DATA = Path(os.environ.get("WEIGHBRIDGE_DATA", "../shared/data")).absolute()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "cards").is_dir(), reason=f"the third-party data are not at {DATA / 'cards'}"),
]


@pytest.fixture(scope="module")
def history():
    return read_history(DATA)


def test_split_a_has_the_published_rows_and_frauds(history):
    parts = dict(zip(("train", "test"), split(history, SPLIT_A), strict=True))
    assert {name: (rows.sum(), history.fraud[rows].sum()) for name, rows in parts.items()} == ROWS


def test_all_published_features_are_equal(history):
    found = check_features(history, DATA)
    assert (found["rows"], found["mismatches"]) == (201_295, 0)
    assert found["tied"] == {"customer_id": 8, "terminal_id": 4}


@pytest.mark.parametrize(
    ("place", "wrong", "column"),
    [
        (2, is_between_hours(start=0, end=6), "TX_DURING_NIGHT"),
        (3, card.count(last="86400000001us"), "CUSTOMER_ID_NB_TX_1DAY_WINDOW"),
        (9, terminal.count(last="8d", until="604800000001us"), "TERMINAL_ID_NB_TX_1DAY_WINDOW"),
    ],
    ids=["night ends an hour early", "left edge included", "right edge excluded"],
)
def test_a_shifted_edge_is_found(history, place, wrong, column):
    found = check_features(history, DATA, [*published[:place], wrong, *published[place + 1 :]])
    assert found["mismatches"] > 0
    assert column in found["columns"]


def test_labels_count_from_their_arrival_and_not_from_their_event(history):
    undelayed = [*published]
    undelayed[10] = terminal.label_count(last="8d", of="positive")
    assert check_features(history, DATA, undelayed)["mismatches"] == 0  # no label is younger than seven days
    columns = history.columns
    at_once = replace(history, columns=replace(columns, label_seq=columns.seq[columns.label_row]))
    assert check_features(at_once, DATA, undelayed)["columns"] == ["TERMINAL_ID_RISK_1DAY_WINDOW"]


def test_the_scenario_is_not_in_the_contract():
    assert "TX_FRAUD_SCENARIO" not in {field.source for field in case.events.fields}


def test_one_week_of_split_b_reaches_its_floor_with_the_books_week_of_training(history):
    assert check_starts(history, DATA, [SPLIT_A], train_days=7)["mean"]["average_precision"] > 0.72
