"""A stratified split: of each label the same share, nothing on both sides, the same rows in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InputError
from weighbridge.identity import chance
from weighbridge.kernel.split import PARTS, Split, content, grouped, on_both_sides, parts, stratified_split

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.booleans()), min_size=8, max_size=200)


def drawn_of(same, seed=7):
    return grouped(same, np.array([chance(str(place), seed) for place in range(len(same))], dtype=np.int64))


@given(rows, st.floats(0.1, 0.6), st.integers(0, 5))
def test_of_each_label_the_same_share_validates_and_no_copy_stands_on_both_sides(rows, share, seed):
    labels, same, labelled = (np.array(part) for part in zip(*rows, strict=True))
    labelled = labelled.astype(bool)
    drawn = drawn_of(same, seed)
    try:
        split = stratified_split(labels, drawn, labelled, share, 5)
    except InputError:
        assert len(np.unique(same[labelled])) < 12  # so few different rows that one side may stay empty
        return
    assert ((split.train | split.validation) == labelled).all()
    assert not (split.train & split.validation).any()
    assert on_both_sides(same, split) == 0
    order = np.random.default_rng(seed).permutation(len(rows))
    again = stratified_split(labels[order], drawn[order], labelled[order], share, 5)
    assert (again.validation == split.validation[order]).all()


@given(st.lists(st.integers(0, 1), min_size=40, max_size=300), st.floats(0.1, 0.6))
def test_without_copies_the_share_of_each_label_is_exact_to_the_row(labels, share):
    labels = np.array(labels)
    split = stratified_split(labels, drawn_of(np.arange(len(labels))), np.ones(len(labels), bool), share, 5)
    for label in (0, 1):
        n = int((labels == label).sum())
        assert abs(int((split.validation & (labels == label)).sum()) - share * n) <= 0.5


def test_another_seed_is_another_split_and_one_row_cannot_be_split():
    labels, same = np.tile([0, 1], 50), np.arange(100)
    first, second = (stratified_split(labels, drawn_of(same, seed), labels >= 0, 0.25, 0) for seed in (1, 2))
    assert (first.validation != second.validation).any()
    with pytest.raises(InputError, match="too few to be split"):
        stratified_split(labels[:1], same[:1], labels[:1] >= 0, 0.25, 0)


def test_a_copy_on_both_sides_is_seen():
    train, validation = np.array([True, True, False, False]), np.array([False, False, True, True])
    assert on_both_sides(np.array([1, 2, 2, 1]), Split(train, validation, 0)) == 2
    assert on_both_sides(np.array([1, 2, 3, 3]), Split(train, validation, 0)) == 0


@given(st.lists(st.lists(st.sampled_from([-1, 0, 1, 100, -(2**63)]), min_size=3, max_size=3), min_size=1, max_size=40))
def test_content_is_the_same_for_the_same_values_only(values):
    found = content(np.array(values, dtype=np.int64)).tolist()
    assert [[a == b for b in found] for a in found] == [[a == b for b in values] for a in values]


def test_parts_are_of_equal_size_and_repeat():
    seq = np.arange(1, 4_001)
    found = parts(seq, 7)
    assert np.bincount(found).tolist() == [100] * PARTS
    assert (parts(seq, 7) == found).all()
    assert (parts(seq, 8) != found).any()
    assert abs(np.corrcoef(seq, found)[0, 1]) < 0.1
