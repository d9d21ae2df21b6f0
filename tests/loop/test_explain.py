"""Any decision explains itself and is made again, bit for bit, whatever came after it; what was changed is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import CUT_US, memory_stores
from tests.score.test_decide import drive
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Policy, Reasons, Says, lightgbm, log, logistic, random_forest
from weighbridge.errors import BundleRefused, StoreFailure
from weighbridge.loop.explain import MASKED, explain, same_reasons
from weighbridge.loop.messages import messages
from weighbridge.loop.replays.past import as_known_then, find_decision, look_back, newest_flagged
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.records import Move
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk, open_home
from weighbridge.stores.memory_log import MemoryLog


def eager(case, **options):
    """The case with thresholds that review and decline a good part, and reasons for a share of the rest."""
    return replace(case, reasons=Reasons(**{"share": 0.3, **options}))


@pytest.fixture(scope="module")
def lived(small_case, trained, world, tmp_path_factory):
    return live(small_case, trained, world, tmp_path_factory.mktemp("lived"))


def live(small_case, trained, world, folder):
    """Case and stores after 500 live messages, decided by four bundles in turn: three promotions of other models."""
    case, stores, clock = eager(small_case), memory_stores(small_case, folder), ManualClock(CUT_US)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    stores = replace(stores, tables=trained.tables)
    desk, stream = open_desk(case, stores, clock), messages(case, world, CUT_US)
    families = [
        lightgbm(n_estimators=15),
        logistic(),
        random_forest(n_estimators=10, max_depth=6),
        lightgbm(n_estimators=8),
    ]
    for turn, model in enumerate(families):
        bundle = bundle_of(case, trained, stores, model)
        before = stores.registry.alias(PRODUCTION)
        stores.registry.move(Move(PRODUCTION, bundle, before, "test", "turn", clock.now_us()))
        desk.router.refresh(desk.submit_note)
        assert desk.router.champion.id == bundle
        drive(desk, clock, stream[125 * turn : 125 * (turn + 1)])
    desk.close()
    return case, stores


def bundle_of(case, trained, stores, model):
    """A bundle of a model fitted on the trained stores' vectors, with low thresholds."""
    from weighbridge.learners.calibration import fit_calibration
    from weighbridge.learners.fit import fit
    from weighbridge.loop.training.training_set import training_set
    from weighbridge.score.bundle import pack
    from weighbridge.score.scorer import Scorer, Thresholds

    data = training_set(case, trained)
    X, y = data.vectors[data.mature], data.labels[data.mature]
    fitted = fit(case, model, X, y, list(range(30)))
    calibration = fit_calibration(model.calibration, fitted.log_odds(X), y)
    scorer = Scorer(fitted.encoder, fitted.predictor, calibration)
    review, decline = np.quantile(scorer.probability(X), [0.6, 0.9])
    facts = {"model": model.name, "selected_features": list(case.feature_names)}
    thresholds = Thresholds(float(review), float(decline), case.policy.bands)
    bundle, files = pack(case, (scorer, None), thresholds, X[:9], facts, "", stores.signer)
    stores.bundles.put(bundle, files)
    stores.registry.add(bundle, {"model": model.name, "vector": case.vector_digest}, 0)
    return bundle


def every_decision(stores):
    return [stores.log.decision(i) for i in stores.log.decisions()["event_id"].to_pylist()]


def test_every_decision_is_made_again_after_three_promotions(lived):
    case, stores = lived
    decisions = every_decision(stores)
    assert len({d.bundle for d in decisions}) == 4
    assert {d.action for d in decisions} == {"approve", "review", "decline"}
    told = 0
    for decision in decisions:
        made = reproduce(case, stores, decision)
        checks = {check.part: check.same for check in made.checks}
        assert checks.pop("reasons") is (None if decision.reasons is None else True)
        assert checks == dict.fromkeys(
            ("vector", "route", "decision_id", "probability", "level", "action", "rules"), True
        )
        assert not made.differs
        assert made.past.recomputed == decision.vector
        told += decision.reasons is not None
        assert decision.action == "approve" or decision.reasons is not None
    assert 0 < told < len(decisions)


def test_an_explanation_on_demand_is_the_one_told_at_once(lived):
    case, stores = lived
    for decision in every_decision(stores):
        found = explain(case, stores, decision)
        assert (found.inputs, found.note) == ("log", "")
        again = found.past.bundle.reasoner.top(found.past.recomputed)
        assert decision.reasons is None or again == decision.reasons == found.reasons
        total = found.base + sum(r.contribution for r in found.contributions)
        assert total == pytest.approx(found.score, abs=1e-9)
        best = sorted((r for r in found.contributions if r.contribution > 0), key=lambda r: -r.contribution)[:4]
        assert list(found.reasons) == best
        assert found.event["card_id"] == MASKED
        assert stores.log.find(decision.event_id)[1].values[0] not in str(found.body())
        assert isinstance(found.event["amount"], float)
        assert [r.feature for r in found.contributions] == list(case.feature_names)


def test_a_vector_is_recomputed_by_what_was_known_then_only(lived):
    case, stores = lived
    decision = every_decision(stores)[5]
    seq, event = stores.log.find(decision.event_id)
    assert as_known_then(case, stores, seq, event) == decision.vector
    later = every_decision(stores)[-1]
    seq_later, _ = stores.log.find(later.event_id)
    assert (
        as_known_then(case, replace(stores, log=ShiftedLog(stores.log, seq, seq_later)), seq, event) == decision.vector
    )


class ShiftedLog:
    """A log that must not be read beyond a place."""

    def __init__(self, log, most, _):
        self.log, self.most = log, most

    def events(self, until):
        assert until <= self.most
        return self.log.events(until=until)

    def labels(self, until):
        assert until <= self.most
        return self.log.labels(until=until)


CHANGES = {
    "vector": lambda d: {"vector": d.vector[:8] + bytes([d.vector[8] ^ 1]) + d.vector[9:]},
    "length": lambda d: {"vector": d.vector[:-4]},
    "probability": lambda d: {"probability": float(np.nextafter(d.probability, 0.5))},
    "level": lambda d: {"level": "calm"},
    "action": lambda d: {"action": "approve"},
    "reasons": lambda d: {"reasons": (replace(d.reasons[0], contribution=np.nextafter(d.reasons[0].contribution, 0)),
                                      *d.reasons[1:])},
    "order": lambda d: {"reasons": d.reasons[::-1]},
    "decision_id": lambda d: {"decision_id": "0" * 26},
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_found(lived, change):
    case, stores = lived
    decision = next(d for d in every_decision(stores) if d.reasons and len(d.reasons) > 1 and d.action != "approve")
    made = reproduce(case, stores, replace(decision, **CHANGES[change](decision)))
    wrong = {"length": "vector", "order": "reasons"}.get(change, change)
    assert [c.part for c in made.checks if c.same is False] == [wrong]
    assert made.differs
    assert not made.body()["same"]


def test_an_explanation_of_a_changed_decision_says_so(lived):
    case, stores = lived
    decision = next(d for d in every_decision(stores) if d.reasons)
    found = explain(case, stores, replace(decision, **CHANGES["vector"](decision)))
    assert found.inputs == "stored"
    assert "1 of its values are not the log's" in found.note
    worse = replace(decision, reasons=decision.reasons[:-1])
    assert "not those of the model" in explain(case, stores, worse).note
    with pytest.raises(StoreFailure, match="is damaged"):
        explain(case, stores, replace(decision, vector=decision.vector[:-1]))


def test_other_words_are_no_other_reasons(lived):
    case, stores = lived
    decision = next(d for d in every_decision(stores) if d.reasons)
    worded = eager(case, says={name: Says("{value} it was", missing="gone") for name in case.feature_names})
    made = reproduce(worded, stores, decision)
    assert not made.differs
    assert made.checks[-1].says.endswith("words them otherwise now")
    assert explain(worded, stores, decision).reasons == decision.reasons
    fewer = eager(case, actions=(), share=0.0)
    assert not reproduce(fewer, stores, decision).differs


def test_another_declaration_explains_by_the_stored_vector_and_says_so(lived):
    case, stores = lived
    decision = next(d for d in every_decision(stores) if d.reasons)
    other = replace(case, features=[log("amount")], reasons=Reasons(), policy=Policy())
    found = explain(other, stores, decision)
    assert (found.inputs, found.reasons) == ("stored", decision.reasons)
    assert found.note == "explained by the stored vector: the declaration has other features now"
    assert same_reasons(found.reasons, found.past.bundle.reasoner.top(decision.vector))
    made = reproduce(other, stores, decision)
    assert (made.checks[0].same, made.differs) == (None, False)
    with pytest.raises(BundleRefused, match="other features"):
        load(decision.bundle, other, stores.bundles, stores.signer)


def test_forgotten_history_is_explained_by_the_stored_vector_and_says_so(small_case, trained, world, tmp_path):
    case, stores = live(small_case, trained, world, tmp_path)
    decision = every_decision(stores)[-1]
    stores.log.forget(CUT_US - 30 * DAY_US)
    found = explain(case, stores, decision)
    assert (found.inputs, found.past.recomputed) == ("stored", None)
    assert "was forgotten" in found.note
    made = reproduce(case, stores, decision)
    assert (made.checks[0].same, made.differs) == (None, False)
    assert all(check.same for check in made.checks[1:5])


def test_a_degraded_decision_is_not_recomputed(lived):
    case, stores = lived
    decision = replace(every_decision(stores)[0], degraded=("state",))
    assert "given degraded (state)" in explain(case, stores, decision).note
    assert [check.same for check in reproduce(case, stores, decision).checks] == [None]


def test_decisions_are_found_by_their_id_first(lived):
    case, stores = lived
    decision = every_decision(stores)[3]
    assert find_decision(stores.log, decision.decision_id) == find_decision(stores.log, decision.event_id) == decision
    assert find_decision(stores.log, "gone") is None
    flagged = [d for d in every_decision(stores) if d.action != "approve"]
    assert newest_flagged(stores.log) == flagged[-1]
    assert newest_flagged(MemoryLog(case.events)) is None


def test_a_lost_bundle_is_said(lived):
    case, stores = lived
    with pytest.raises(BundleRefused, match="is not in this store"):
        look_back(case, stores, replace(every_decision(stores)[0], bundle="f" * 64))


def test_a_sealed_home_explains_as_before(small_case, trained, world, clock, tmp_path):
    """SQLite and Parquet: the same explanation hot and sealed; and a decision changed on disk is found."""
    case = eager(small_case)
    home = open_home(case, tmp_path / "home", create=True, acknowledge="written")
    stores = home.stores
    stores.log.import_history(trained.log.events(), trained.log.labels())
    bundle = bundle_of(case, trained, stores, lightgbm(n_estimators=10))
    stores.registry.move(Move(PRODUCTION, bundle, None, "test", "first", 0))
    with closing(open_desk(case, stores, clock)) as desk:
        answers = drive(desk, clock, messages(case, world, CUT_US)[:80])
    before = {i: explain(case, stores, find_decision(stores.log, a["decision_id"])) for i, a in answers.items()}
    for event_id, answer in answers.items():
        told = [r.__dict__ for r in before[event_id].past.decision.reasons or ()]
        assert answer["reasons"] == told
    stores.log.seal(10)
    for event_id, answer in answers.items():
        found = find_decision(stores.log, answer["decision_id"])
        assert found == before[event_id].past.decision
        assert explain(case, stores, found).body() == before[event_id].body()
    assert stores.log.broken_link() is None
    newest = list(answers)[-1]
    with sqlite3.connect(tmp_path / "home" / "hot.sqlite") as store:
        store.execute("update decisions set reasons = '[]' where event_id = ?", (newest,))
    assert stores.log.broken_link() is not None
