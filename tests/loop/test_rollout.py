"""A bundle comes to decide step by step, or is out within one interval: by the real path from event to decision."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CUT_US
from tests.score.rivals import good, packed, put
from weighbridge.clock import SECOND_US, us_to_iso
from weighbridge.declare import Gate, Guardrails, Rollout, Stage, Step
from weighbridge.errors import BundleRefused, DeclarationError, GateClosed, InputError
from weighbridge.identity import ulid_at
from weighbridge.kernel.calibrate import Calibration
from weighbridge.loop.compare import compare
from weighbridge.loop.messages import messages
from weighbridge.loop.rollout import rollout
from weighbridge.loop.rollouts.evidence import blocks
from weighbridge.loop.rollouts.met import meant_for
from weighbridge.loop.rollouts.underway import underway
from weighbridge.loop.run import run
from weighbridge.loop.traffic import Wish, direct
from weighbridge.loop.verify import verify
from weighbridge.records import CANARY, SHADOW, Alias, Move
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.score.router import Router
from weighbridge.serve.wiring import open_desk
from weighbridge.stores.memory import MemoryTables

STEPS = (Step(0.0, decisions=150, lasts="1min"), Step(0.3, decisions=100, lasts="1min"), Step(0.7, 100, "1min"))


@pytest.fixture
def case(small_case):
    return replace(small_case, gates=[Gate("roc_auc", at_least=0.5)], rollout=Rollout(steps=STEPS, every="1min"))


class Live:
    """A desk that gets events, each a moment after the other, and a rollout that is looked at by hand."""

    def __init__(self, case, stores, clock, bodies):
        self.case, self.stores, self.clock = case, stores, clock
        self.desk, self._bodies, self._sent = open_desk(case, stores, clock), bodies, 0

    def send(self, count):
        """Decide events over the next minute of the clock; return the decisions."""
        self.desk.router.refresh(self.desk.submit_note)
        made = []
        for _ in range(count):
            self.clock.advance(60 * SECOND_US // count + 1)
            body, self._sent = self._bodies[self._sent % len(self._bodies)], self._sent + 1
            moment = us_to_iso(self.clock.now_us())
            own = ulid_at(CUT_US, f"{self._sent:010d}".encode())
            made.append(self.desk.decide({**body, "event_id": own, "event_ts": moment}, "t").decision)
        return made

    def look(self, bundle=None):
        return rollout(self.case, self.stores, self.clock, bundle)

    def let_shadow(self):
        """Wait until the shadow has said all it will say."""
        self.desk.router.shadow.close()
        self.desk.router.shadow._thread = None
        self.desk.router.shadow._stop.clear()


@pytest.fixture
def live(case, home, clock, world):
    bodies = [m.body for m in messages(case, world, CUT_US) if m.path == "/predict"]
    found = Live(case, home, clock, bodies)
    yield found
    found.desk.close()


def alike(case, stores, by=0.0):
    """Register a bundle whose log odds are shifted; return its id."""
    bundle = good(case, stores)
    own = bundle.scorer.calibration
    calibration = Calibration.sigmoid(float(own.slope), float(own.intercept) + by)
    return put(stores, *packed(case, stores, bundle, replace(bundle.scorer, calibration=calibration), model=f"by {by}"))


def test_a_good_bundle_goes_all_the_way(live, case, home):
    better = alike(case, home, 0.001)
    assert live.look().figures["did"] == "idle"
    assert live.look(better[:9]).figures["did"] == "begun"
    told = []
    for _ in range(8):
        live.send(200)
        live.let_shadow()
        figures = live.look().figures
        told += [(figures["did"], figures.get("share"))] if figures["did"] != "stayed" else []
    assert told[:3] == [("advanced", 0.3), ("advanced", 0.7), ("promoted", 1.0)]
    assert {did for did, _ in told[3:]} == {"idle"}
    assert home.registry.aliases() == {PRODUCTION: Alias(better)}
    moves = home.registry.moves()
    assert [(m.alias, m.bundle, m.share) for m in moves] == [
        (SHADOW, better, None), (CANARY, better, 0.3), (SHADOW, None, None), (CANARY, better, 0.7), (PRODUCTION, better, None),
        (CANARY, None, None),
    ]  # fmt: skip
    assert {m.by for m in moves} == {"rollout"}
    assert "every guardrail holds as a canary for 30.00%" in moves[3].reason
    assert {v["guard"] for v in moves[3].gates} >= {"errors", "slower", "score up", "flags down"}
    assert all(v["passed"] or (v["guard"], v["verdict"]) == ("recall", "immature") for m in moves for v in m.gates)
    assert verify(case, home, live.clock).figures["misrouted"] == 0


class Scoring:
    """A scorer that does something else before, or instead of, what it is there for."""

    def __init__(self, scorer, harm):
        self._scorer, self._harm, self._count = scorer, harm, 0

    def probability(self, vectors):
        self._count += 1
        return self._harm(self._scorer.probability(vectors), self._count)


def one_in_twenty_raises(p, count):
    if count % 20 == 7:
        raise ZeroDivisionError("a canary's fault")
    return p


def one_in_twenty_is_no_number(p, count):
    return p * np.nan if count % 20 == 7 else p


@pytest.fixture
def ticking(monkeypatch):
    """Time that passes only where a test lets it, as decisions measure it."""
    now_ns = [10**12]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now_ns[0])

    def takes_300_ms(p, _):
        now_ns[0] += 300_000_000
        return p

    return takes_300_ms


def as_canary(live, stores, share=0.5, harm=None, by=0.0005):
    """Let a rollout come as far as a canary; return the bundle. `harm` is what it does once it decides."""
    case = replace(live.case, rollout=Rollout(steps=(Step(share, decisions=10_000), Step(0.9)), every="1min"))
    live.case, bundle = case, alike(case, stores, by)
    if harm is not None:
        loaded = load(bundle, case, stores.bundles, stores.signer)
        live.desk.router._ready[bundle] = replace(loaded, scorer=Scoring(loaded.scorer, harm))
    return bundle


@pytest.mark.parametrize("harm", [one_in_twenty_raises, one_in_twenty_is_no_number])
def test_a_canary_that_fails_on_5_percent_is_out_within_one_interval_and_the_champion_stands_in(
    live, home, harm, monkeypatch
):
    champion, bundle = home.registry.alias(PRODUCTION), as_canary(live, home, harm=harm)
    monkeypatch.setattr(live.desk.router, "_ready", {**live.desk.router._ready})
    assert live.look(bundle).figures["did"] == "begun"
    decisions = live.send(1_000)
    report = live.look()
    assert (report.figures["did"], report.figures["share"]) == ("rolled back", 0.0)
    assert home.registry.aliases() == {PRODUCTION: Alias(champion)}
    failed = [d for d in decisions if d.degraded]
    assert {(d.bundle, d.route, d.degraded) for d in failed} == {(champion, "champion", ("canary",))}
    assert all(0 <= d.probability <= 1 for d in decisions)
    meant = sum(d.route == CANARY for d in decisions) + len(failed)
    errors = next(v for v in report.figures["verdicts"] if v["guard"] == "errors")
    assert (errors["count"], round(errors["figure"] * meant)) == (meant, len(failed))
    assert len(failed) == pytest.approx(meant / 20, abs=1)
    told = json.loads((home.reports / f"rollout-{bundle[:12]}.json").read_text())
    assert (told["did"], told["verdicts"]) == ("rolled back", report.figures["verdicts"])
    path = told["paths"]["errors"]
    assert (path["count"][-1], path["mean"][-1]) == (meant, errors["figure"])
    assert max(path["evidence_log10"]) == errors["evidence_log10"] >= path["needed_log10"] == errors["needed_log10"]
    html = (home.reports / f"rollout-{bundle[:12]}.html").read_text()
    assert html.count("<svg") == 2 * len(told["paths"])
    assert "is out, it was as a canary for 50.00%: errors at most 0.01" in html
    assert "http" not in html.replace("http-equiv", "")
    (move,) = home.registry.moves()[1:]
    assert move.reason.startswith("rolled back: errors at most 0.01: 0.0")
    assert [v["guard"] for v in move.gates if not v["passed"]] == ["errors"]
    assert {d.route for d in live.send(50)} == {"champion"}
    if harm is one_in_twenty_raises:
        assert isinstance(live.desk.router.fault, ZeroDivisionError)
    met = meant_for(home.log, bundle, home.log.decisions())
    assert (met.decisions, met.failed) == (meant, len(failed))
    assert verify(live.case, home, live.clock).figures["masked"] == len(failed)


def test_a_canary_that_takes_300_ms_more_is_out_within_one_interval(live, home, ticking):
    champion, bundle = home.registry.alias(PRODUCTION), as_canary(live, home, 0.3, ticking)
    live.look(bundle)
    decisions = live.send(120)
    assert {d.latency_us for d in decisions if d.route == CANARY} == {300_000}
    report = live.look()
    assert report.figures["did"] == "rolled back"
    assert [v["guard"] for v in report.figures["verdicts"] if not v["passed"]] == ["slower"]
    assert home.registry.aliases() == {PRODUCTION: Alias(champion)}


def test_a_canary_that_misses_the_deadline_is_stood_in_for_and_that_is_an_error(live, home, ticking):
    bundle = as_canary(live, home, 0.3, ticking)
    live.desk._decider._deadline_ns = 250_000_000
    live.look(bundle)
    decisions = live.send(60)
    assert {d.degraded for d in decisions if d.latency_us >= 300_000} == {("canary",)}
    assert {d.route for d in decisions} == {"champion"}
    assert live.look().figures["did"] == "rolled back"


@pytest.mark.parametrize(("by", "guard"), [(3.0, "score up"), (-4.0, "flags down")])
def test_a_canary_with_shifted_scores_is_out_within_one_interval(live, home, by, guard):
    """It is sound where it is looked at, and scores otherwise where it serves."""
    slope = good(live.case, home).scorer.calibration
    shift = Calibration.sigmoid(float(slope.slope), float(slope.intercept) + by)
    bundle = as_canary(live, home)
    loaded = load(bundle, live.case, home.bundles, home.signer)
    live.desk.router._ready[bundle] = replace(loaded, scorer=replace(loaded.scorer, calibration=shift))
    assert live.look(bundle).figures["did"] == "begun"
    live.send(600)
    report = live.look()
    assert report.figures["did"] == "rolled back"
    assert guard in [v["guard"] for v in report.figures["verdicts"] if not v["passed"]]
    assert CANARY not in home.registry.aliases()


def test_what_the_offline_replay_shows_to_be_off_never_begins(live, home):
    live.send(400)
    shifted = alike(live.case, home, 3.0)
    before = home.registry.aliases()
    with pytest.raises(GateClosed, match=r"flags up at most 0\.05") as closed:
        live.look(shifted)
    assert next(v["guard"] for v in closed.value.gates if not v["passed"]) == "score up"
    assert home.registry.aliases() == before
    assert home.tracker.runs("rollout")[-1][3]["did"] == "refused"


def test_a_shadow_that_is_off_is_out_before_it_decides_anything(live, home):
    """Nothing was decided that a replay could show it on."""
    shifted = alike(live.case, home, 3.0)
    live.look(shifted)
    assert home.registry.aliases()[SHADOW].bundle == shifted
    live.send(300)
    live.let_shadow()
    report = live.look()
    assert report.figures["did"] == "rolled back"
    assert {v["count"] for v in report.figures["verdicts"]} == {300}
    assert SHADOW not in home.registry.aliases()


@pytest.mark.parametrize("harm", [one_in_twenty_raises, one_in_twenty_is_no_number])
def test_a_shadow_that_fails_is_out_too(live, home, harm):
    bundle = alike(live.case, home, 0.001)
    loaded = load(bundle, live.case, home.bundles, home.signer)
    live.desk.router._ready[bundle] = replace(loaded, scorer=Each(loaded.scorer, harm))
    live.look(bundle)
    live.send(800)
    live.let_shadow()
    report = live.look()
    assert [v["guard"] for v in report.figures["verdicts"] if not v["passed"]] == ["errors"]
    assert report.figures["did"] == "rolled back"
    assert len(home.shadows.table()) == 800
    assert compare(live.case, home, live.clock).figures["shadow"]["pairs"] == home.shadows.table()[
        "probability"
    ].is_valid().to_pylist().count(True)


class Each(Scoring):
    """The same, for every event of a batch by itself."""

    def probability(self, vectors):
        return np.concatenate(
            [self._harm(self._scorer.probability(v[np.newaxis]), int(abs(v).sum())) for v in np.nan_to_num(vectors)]
        )


def test_positives_that_only_the_champion_flags_are_missed_once_they_are_mature(live, case, home):
    blind = Guardrails(score=0.9, declines=0.9, flags=0.9)
    live.case = replace(case, rollout=Rollout(steps=(Step(0.3, decisions=10_000),), every="1min", guardrails=blind))
    bundle = alike(live.case, home, -6.0)
    live.look(bundle)
    decisions = live.send(900)
    limit = good(live.case, home).thresholds
    flagged = [d for d in decisions if d.route == "champion" and limit.review_at <= d.probability < limit.decline_at]
    for decision in flagged:
        live.desk.feedback({"event_id": decision.event_id, "label": 1})
    assert len(flagged) > 20
    young = live.look().figures
    assert (young["did"], [v for v in young["verdicts"] if v["guard"] == "recall"]) == ("stayed", [])
    live.clock.advance(live.case.label.matures_us)
    live.send(1)
    report = live.look()
    missed = next(v for v in report.figures["verdicts"] if v["guard"] == "recall")
    assert (missed["count"], missed["figure"], missed["passed"]) == (len(flagged), 1.0, False)
    assert report.figures["did"] == "rolled back"


@given(st.lists(st.tuples(st.sampled_from(["canary", "champion", "neither"]), st.booleans()), max_size=40))
def test_runs_of_both_arms_are_compared_in_turn(drawn):
    """Against the definition, in loops."""
    runs, expected = [], []
    for place, (arm, slow) in enumerate(drawn):
        if arm == "neither":
            continue
        if runs and runs[-1][0] == arm:
            runs[-1][1].append(slow)
            runs[-1][2] = place
        else:
            runs.append([arm, [slow], place])
    for one, other in list(zip(runs[:-1:2], runs[1:-1:2], strict=False)):
        rate = {run[0]: sum(run[1]) / len(run[1]) for run in (one, other)}
        expected.append((rate["canary"] - rate["champion"], other[2]))
    arm = np.array([a for a, _ in drawn], dtype=object)
    x, where = blocks(arm == "canary", arm == "champion", np.array([s for _, s in drawn], bool), np.arange(len(drawn)))
    assert list(zip(x.tolist(), where.tolist(), strict=True)) == [(pytest.approx(d), w) for d, w in expected]


def test_looking_again_does_nothing_again_and_a_restart_changes_nothing(live, case, home, clock, monkeypatch):
    monkeypatch.setattr("weighbridge.loop.rollouts.evidence.AT_ONCE", 64)  # many pieces
    monkeypatch.setattr("weighbridge.loop.rollouts.evidence.SETTLED", 0)
    bundle = as_canary(live, home, 0.4)
    live.look(bundle)
    for _ in range(3):
        live.send(150)
    first = live.look().figures
    moves = home.registry.moves()
    kept = [name for name in home.tables._tables if name.startswith("rollout-")]
    assert len(kept) == 1
    assert live.look().figures == first
    assert len(home.tables.get(kept[0])) > 0
    home.tables._tables.clear()
    assert live.look().figures == first
    again = Live(live.case, replace(home, tables=MemoryTables()), clock, [])
    assert again.look().figures == first
    assert home.registry.moves() == moves
    monkeypatch.setattr("weighbridge.loop.rollouts.evidence.AT_ONCE", 16_384)
    home.tables._tables.clear()
    whole = live.look().figures
    for one, other in zip(whole["verdicts"], first["verdicts"], strict=True):
        if one["guard"] != "slower":  # its runs end where a piece does
            assert (one["count"], one["figure"]) == (other["count"], pytest.approx(other["figure"], abs=1e-12))


def test_two_who_look_at_once_and_other_bundles_wait(live, home):
    bundle, other = as_canary(live, home), alike(live.case, home, 0.002)
    with home.locks.hold("rollout", "somebody"):
        report = live.look(bundle)
        assert (report.skipped, report.figures["did"]) == (True, "idle")
    live.look(bundle)
    with pytest.raises(InputError, match="is being tried already; `weigh traffic card_fraud --clear` takes it out"):
        live.look(other)
    for wrong, says in ((home.registry.alias(PRODUCTION), "it is in production"), ("zz", "names 0 registered")):
        home.registry.move(
            Move(CANARY, None, bundle, "me", "", 1, share_before=0.5)
        ) if CANARY in home.registry.aliases() else None
        with pytest.raises(InputError, match=says):
            live.look(wrong)


def test_what_is_set_by_hand_is_watched_and_goes_nowhere(live, home):
    bundle = as_canary(live, home)
    direct(live.case, home, live.clock, Wish(canary=bundle, share=0.5), by="me", reason="by hand")
    live.case = replace(live.case, rollout=replace(live.case.rollout, steps=STEPS[1:]))
    live.send(300)
    live.clock.advance(3_600 * SECOND_US)
    report = live.look()
    assert (report.figures["did"], "by hand" in report.sentence) == ("stayed", True)
    loaded = live.desk.router._ready[bundle]
    live.desk.router._ready[bundle] = replace(loaded, scorer=Scoring(loaded.scorer, one_in_twenty_raises))
    direct(live.case, home, live.clock, Wish(share=0.9), by="me", reason="more of it")
    live.desk.router.route = replace(live.desk.router.route, bundles={**live.desk.router._ready})
    live.send(900)
    assert live.look().figures["did"] == "rolled back"
    assert CANARY not in home.registry.aliases()


def test_it_ends_when_production_moves_under_it_or_a_server_refuses_it(live, home):
    bundle, other = as_canary(live, home), alike(live.case, home, 0.002)
    live.look(bundle)
    home.registry.move(Move(PRODUCTION, other, home.registry.alias(PRODUCTION), "me", "meanwhile", 1))
    assert "production moved under it" in live.look().sentence
    assert CANARY not in home.registry.aliases()
    live.look(bundle)
    home.bundles._bundles[bundle] = {}
    live.desk.router._ready.clear()
    live.send(1)
    report = live.look()
    assert report.figures["did"] == "rolled back"
    assert home.registry.aliases() == {PRODUCTION: Alias(other)}


def test_as_a_stage_it_begins_with_the_newest_once(live, home):
    bundle = as_canary(live, home)
    case = replace(live.case, stages=[Stage("rollout")])
    facts = home.registry.bundles()[-1][2]
    home.registry._bundles[bundle] = (0, json.dumps({**facts, "case": case.digest}))
    (report,) = run(case, home, live.clock, {})
    assert (report.figures["did"], home.registry.aliases()[CANARY].bundle) == ("begun", bundle)
    (report,) = run(case, home, live.clock, {})
    assert report.figures["did"] == "stayed"
    direct(case, home, live.clock, Wish(canary=None), by="me", reason="no")
    (report,) = run(case, home, live.clock, {})
    assert report.figures["did"] == "idle"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": ()}, "do not rise"), ({"steps": (Step(0.5), Step(0.1))}, "do not rise"),
        ({"steps": (Step(0.1), Step(0.1))}, "do not rise"), ({"steps": (Step(0.0),)}, "only step is a shadow"),
        ({"alpha": 0.0}, "no error rate"), ({"alpha": 0.5}, "no error rate"), ({"alpha": float("nan")}, "no error rate"),
        ({"every": "1ms"}, "too often"), ({"every": "soon"}, "is not a duration"),
    ],
)  # fmt: skip
def test_rollouts_that_mean_nothing_are_refused(wrong, says):
    with pytest.raises(DeclarationError, match=says):
        Rollout(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"share": 1.5}, {"share": float("nan")}, {"share": 0.1, "decisions": 0}, {"share": 0.1, "lasts": "x"}]
)
def test_steps_that_mean_nothing_are_refused(wrong):
    with pytest.raises(DeclarationError, match="Step"):
        Step(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"errors": 0}, {"score": 1}, {"recall": float("nan")}, {"slow": "0s"}, {"slow": "never"}]
)
def test_guardrails_that_mean_nothing_are_refused(wrong):
    with pytest.raises(DeclarationError, match="Guardrails"):
        Guardrails(**wrong)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_bundle_that_is_refused_a_second_time_is_out_a_second_time(case, home, clock, restarted, monkeypatch):
    candidate, real = alike(case, home, 0.001), Router.warmed

    def warmed(self, wanted):
        if wanted == candidate:
            raise BundleRefused("it takes too long")
        return real(self, wanted)

    monkeypatch.setattr(Router, "warmed", warmed)
    desk = open_desk(case, home, clock)
    for _ in range(2):
        assert rollout(case, home, clock, candidate).figures["did"] == "begun"
        desk.router.refresh(desk.submit_note)
        assert rollout(case, home, clock).figures["did"] == "rolled back"
        if restarted:
            desk.close()
            desk = open_desk(case, home, clock)
        else:
            desk.router.refresh(desk.submit_note)
    desk.close()


def test_what_waits_for_longer_than_declared_is_out(live, case, home):
    hasty = replace(case, rollout=replace(case.rollout, longest="3h"))
    candidate = alike(case, home, 0.001)
    rollout(hasty, home, live.clock, candidate)
    live.send(10)
    assert rollout(hasty, home, live.clock).figures["did"] == "stayed"
    live.clock.advance(3 * 3_600 * SECOND_US)
    ended = rollout(hasty, home, live.clock)
    assert ended.figures["did"] == "rolled back"
    assert "after 3h it still waited for" in ended.sentence


def test_another_shadow_takes_nobody_elses_canary_over(case, home, clock):
    candidate, other = alike(case, home, 0.001), alike(case, home, 0.002)
    rollout(replace(case, rollout=Rollout(steps=STEPS[1:], every="1min")), home, clock, candidate)
    direct(case, home, clock, Wish(shadow=other), by="me", reason="just looking")
    at = underway(home)
    assert (at.candidate, at.alias, at.by_hand) == (candidate, CANARY, False)


def test_steps_that_last_longer_than_the_whole_are_refused():
    with pytest.raises(DeclarationError, match="shorter than its steps"):
        Rollout(longest="1h")
