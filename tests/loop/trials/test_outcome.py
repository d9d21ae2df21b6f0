"""What a decided event counts for: by its label, its age, and the chance with which it was let through."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binomtest

from tests.conftest import SOAK
from tests.selective import lived
from weighbridge.clock import ManualClock
from weighbridge.declare import Explore
from weighbridge.declare.policy import ACTIONS
from weighbridge.errors import GateClosed
from weighbridge.kernel.propensity import total
from weighbridge.learners.imbalance import balance
from weighbridge.loop.train import train
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.trials import outcome
from weighbridge.loop.trials.outcome import at_most, at_most_again, observed_weights, spoken, unseen_declines

SHARE = 0.05
# worlds; the least share of the oracle that their mean keeps; by how much the mean of declines as good is below it:
# a single small world is held to less
SEEDS, EVENTS, KEPT, BELOW = ((1, 2, 3, 4, 5), 24_000, 0.85, 0.2) if SOAK else ((1,), 16_000, 0.75, 0.1)


def test_what_chance_let_through_speaks_for_what_it_did_not():
    action = np.array([0, 1, 2, 0, 2, 2, 1])
    propensity = np.array([np.nan, np.nan, np.nan, 0.25, 0.25, 0.0, 0.5])
    weight, hidden = observed_weights(action, propensity)
    assert weight.tolist() == [1, 1, 1, 4, 0, 1, 2]  # a decline that nobody speaks for counts once, if its label comes
    assert hidden.tolist() == [False, False, True, False, False, True, False]


class Decided:
    """The decisions of a log, by their places."""

    def __init__(self, rows):
        self.rows = rows

    def decisions(self, after, until):
        rows = [row for row in self.rows if after < row[0] <= until]
        columns = list(zip(*rows, strict=True)) or [[], [], []]
        types = {"seq": pa.int64(), "action": pa.string(), "propensity": pa.float64()}
        return pa.table({n: pa.array(c, t) for (n, t), c in zip(types.items(), columns, strict=True)})


@given(
    st.dictionaries(
        st.integers(1, 40),
        st.tuples(st.sampled_from(ACTIONS), st.sampled_from([None, 0.0, 0.25]), st.booleans()),
    ),
    st.integers(1, 9),
)
def test_unseen_declines_are_counted_one_by_one(rows, at_once):
    """rows: what was decided at a place, with which chance, and whether it is asked about."""
    log = Decided([(seq, action, chance) for seq, (action, chance, _) in sorted(rows.items())])
    asked = sorted([*(seq for seq, row in rows.items() if row[2]), 41, 50])  # the last two were never decided
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcome, "AT_ONCE", at_once)
        found = unseen_declines(log, np.array(asked, dtype=np.int64))
    assert found == sum(action == "decline" and not chance and here for action, chance, here in rows.values())


def test_no_place_asked_no_decline_unseen():
    assert unseen_declines(Decided([(1, "decline", None)]), np.zeros(0, dtype=np.int64)) == 0


def test_weights_reach_the_learner_and_ones_change_nothing():
    X, y = np.arange(40, dtype=np.float32).reshape(20, 2), np.array([0, 0, 0, 1] * 5)
    for how in ("none", "weights"):
        plain, ones = balance(how, X, y, 1)[2], balance(how, X, y, 1, np.ones(20))[2]
        assert plain.tobytes() == ones.tobytes()
    spoken_for = np.where(np.arange(20) == 3, 20.0, 1.0)
    assert balance("none", X, y, 1, spoken_for)[2].tolist() == spoken_for.tolist()
    assert balance("weights", X, y, 1, spoken_for)[2][3] == 20 * np.sqrt(15 / 24)
    assert balance("downsample", X, y, 1, spoken_for)[2].sum() == spoken_for.sum()


def test_retraining_under_a_champion_that_declines_does_not_collapse(tmp_path):
    """The figures of docs/selective_labels.md; the full form runs as a soak."""
    kept, naive, refused = [], [], 0
    for seed in SEEDS:
        explore = Explore(share=SHARE, spend_per_day=1e9, seed=seed)
        figures, case, stores = lived(seed, EVENTS, explore, 0.2, tmp_path)
        print(seed, figures)
        kept.append(figures["explored"] / figures["oracle"])
        naive.append(figures["declines_as_good"] / figures["oracle"])
        assert figures["through"] / figures["declines"] < 2 * SHARE
        assert figures["declined_positives"] > 0.3 * figures["positives"]
        data = training_set(case, stores)
        decisions = stores.log.decisions()
        weight = dict(zip(data.columns.seq.tolist(), spoken(stores.log, data.columns.seq).tolist(), strict=True))
        for row in decisions.to_pylist():
            asked, declined = row["propensity"] is not None, row["action"] == "decline"
            assert weight[row["seq"]] == (1 if not asked else 0 if declined else 1 / SHARE)
        declines = np.isin(
            data.columns.seq, decisions.filter([a == "decline" for a in decisions["action"].to_pylist()])["seq"]
        )
        assert not (declines & (data.split.train | data.split.validation | data.mature)).any()
        try:
            train(case, stores, ManualClock(stores.log.head().arrived_us))
        except GateClosed as closed:  # the check for flipped labels may take few explored rows for hidden positives
            print(seed, closed)
            refused += 1
    assert np.mean(kept) >= KEPT
    assert min(kept) >= 0.7
    assert refused < max(len(SEEDS) // 2, 1)
    assert np.mean(naive) <= np.mean(kept) - BELOW


def test_the_estimate_of_what_was_declined_holds_the_truth():
    rng = np.random.default_rng(5)
    bad, inside = (rng.random(4_000) < 0.6).astype(np.float64), 0
    for _ in range(100):
        observed = rng.random(4_000) < SHARE
        low, high = total(bad, observed, np.full(4_000, SHARE)).interval
        inside += low <= bad.sum() <= high
    assert inside >= 89


def test_at_most_is_the_exact_binomial_where_the_count_is_whole():
    for hits, count in ((0, 20), (6, 20), (19, 20), (20, 20)):
        assert at_most(hits / count, count, 0.5) == pytest.approx(binomtest(hits, count, 0.5, "less").pvalue)
    assert at_most(0.3, 20, 0.5) < at_most(0.3, 12.5, 0.5) < at_most(0.3, 12, 0.5)


def test_at_most_again_is_the_beta_binomial_where_the_count_is_whole():
    for hits, count, before, rows in (
        (25, 30, 39, 39),
        (24, 30, 39, 39),
        (7, 12, 30, 40),
        (0, 9, 3, 20),
        (9, 9, 3, 20),
    ):
        exact = betabinom.cdf(hits, count, before + 0.5, rows - before + 0.5)
        assert at_most_again(hits / count, count, before, rows) == pytest.approx(exact, rel=0.02)
    assert at_most_again(0.3, 20, 10, 20) < at_most_again(0.3, 12.5, 10, 20) < at_most_again(0.3, 12, 10, 20)
