"""What `weigh tune` shows is what training chose by, and it changes nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, replace

import pytest

from tests.conftest import memory_stores
from weighbridge.declare import Costs
from weighbridge.errors import InputError
from weighbridge.loop.tune import tune
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.tune_page import page, sentence, table


@pytest.fixture
def champion(small_case, trained):
    return load(trained.registry.alias(PRODUCTION), small_case, trained.bundles, trained.signer)


def test_the_best_pair_is_the_one_that_training_chose(small_case, trained, champion):
    before = (trained.log.head(), len(trained.tracker.runs()), len(trained.registry.moves()))
    tuned = tune(small_case, trained, champion)
    assert tuned.best == tuned.in_force
    assert (tuned.best.review_at, tuned.best.decline_at) == (
        champion.thresholds.review_at,
        champion.thresholds.decline_at,
    )
    reference, facts = champion.facts["reference"], champion.facts["validation"]
    assert (tuned.positives, tuned.best.caught) == (reference["positives"], reference["caught"])
    assert tuned.best.caught + tuned.best.missed == tuned.positives
    assert tuned.best.cost * tuned.days / tuned.rows == pytest.approx(facts["net_cost"])
    assert tuned.best.reviews_per_day <= small_case.policy.review_capacity_per_day
    assert (trained.log.head(), len(trained.tracker.runs()), len(trained.registry.moves())) == before


def test_no_shown_pair_is_cheaper_and_the_curves_touch_the_best(small_case, trained, champion):
    tuned = tune(small_case, trained, champion)
    assert len(tuned.steps) > 5
    for step in tuned.steps:
        assert step.cost >= tuned.best.cost - 1e-9
        assert step.reviews_per_day <= tuned.capacity_per_day
    for curve in (tuned.by_review_at, tuned.by_decline_at):
        assert min(curve.cost) == pytest.approx(tuned.best.cost)
        assert sorted(curve.at, reverse=True) == curve.at
        assert curve.cost[0] <= tuned.approve_all + 1e-9


def test_costs_and_capacity_as_they_are_declared_now(small_case, trained, champion):
    dear = replace(
        small_case, policy=replace(small_case.policy, costs=Costs(amount="amount", review=500, wrong_decline=15))
    )
    tuned = tune(dear, trained, champion)
    assert tuned.best.reviews_per_day == 0
    assert tuned.best.cost <= tuned.in_force.cost
    few = replace(small_case, policy=replace(small_case.policy, review_capacity_per_day=2, capacity_on="every_day"))
    busy = tune(few, trained, champion)
    assert 0 < busy.best.busiest_day <= 2
    average = tune(replace(few, policy=replace(few.policy, capacity_on="average_day")), trained, champion)
    assert average.best.cost <= busy.best.cost


def test_the_page_needs_nothing_from_elsewhere(small_case, trained, champion):
    tuned = tune(small_case, trained, champion)
    html = page(tuned, "<odd & name>")
    assert "&lt;odd &amp; name&gt;" in html
    assert not re.search(r"https?:|<script|<link|url\(|@import", html)
    assert html.count("<polyline") == 2
    assert "nan" not in html
    assert [mark for mark, _ in table(tuned) if mark] == ["best", "in force"]
    assert f"{tuned.positives:,} positive" in sentence(tuned)
    assert len({len(cells) for _, cells in table(tuned)}) == 1
    assert asdict(tuned)["steps"][0]["caught"] >= 0


def test_a_validation_that_is_gone_is_said(small_case, trained, champion, tmp_path):
    with pytest.raises(InputError, match=r"not in this home; train again"):
        tune(small_case, memory_stores(small_case, tmp_path), champion)
