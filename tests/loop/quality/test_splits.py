"""Splits from files: ids and labels mean the same however a file writes them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from weighbridge.cases.card_fraud import case
from weighbridge.declare import Validation
from weighbridge.errors import InputError
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.splits import check_splits


def look(**splits):
    found = Findings(Validation())
    check_splits(case, found, {name: pa.table(columns) for name, columns in splits.items()})
    return {(each.table, each.check): each for each in found.found}


def test_an_id_that_one_file_has_as_a_number_and_another_as_text_is_one_id():
    train = {"event_id": [1, 2, 3], "label": [0, 1, 0]}
    found = look(train=train, test={"event_id": ["3", "4"], "label": [0, 1]})
    assert (found["train and test", "overlap"].outcome, found["train and test", "overlap"].examples) == ("failed", (0,))
    assert look(train=train, test={"event_id": ["4"], "label": [1]})["train and test", "overlap"].outcome == "passed"


@pytest.mark.parametrize(
    ("labels", "outcome", "said"),
    [
        ([0, 1], "passed", "0: 1, 1: 1"),
        ([True, False], "passed", "0: 1, 1: 1"),
        ([1.0, 0.0], "passed", "0: 1, 1: 1"),
        (["true", "0"], "passed", "0: 1, 1: 1"),
        ([1, 1], "failed", "1: 2"),
        ([1.0, 0.5], "failed", "1: 1, neither: 1"),
        ([0, None], "failed", "0: 1, missing: 1"),
    ],
)
def test_labels_are_read_as_ingestion_reads_them(labels, outcome, said):
    found = look(train={"event_id": ["a", "b"], "label": labels})["train", "binary"]
    assert (found.outcome, found.sentence) == (outcome, f"the labels are {said}")


def test_a_column_that_can_hold_no_label_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="the label of train holds no 0 and 1"):
        look(train={"event_id": ["a"], "label": [[1]]})
