"""A bundle comes to decide step by step, or is out within one interval: by the real path from event to decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import CUT_US
from tests.score.rivals import good, packed, put
from weighbridge.clock import SECOND_US, us_to_iso
from weighbridge.declare import Gate, Rollout, Step
from weighbridge.identity import ulid_at
from weighbridge.kernel.calibrate import Calibration
from weighbridge.loop.messages import messages
from weighbridge.loop.rollout import rollout
from weighbridge.loop.verify import verify
from weighbridge.records import CANARY, SHADOW, Alias
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk

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
    champion, better = home.registry.alias(PRODUCTION), alike(case, home, 0.001)
    assert live.look().figures["did"] == "idle"
    assert live.look(better[:9]).figures["did"] == "begun"
    did, shares = [], []
    for _ in range(8):
        live.send(200)
        live.let_shadow()
        report = live.look()
        did.append(report.figures["did"])
        shares.append(report.figures.get("share"))
    assert home.registry.aliases() == {PRODUCTION: Alias(better)}
    told = [(d, s) for d, s in zip(did, shares, strict=True) if d != "stayed"]
    assert told == [("advanced", 0.3), ("advanced", 0.7), ("promoted", 1.0)] + [("idle", None)] * (len(told) - 3)
    moves = home.registry.moves()
    assert [(m.alias, m.bundle, m.share) for m in moves] == [
        (SHADOW, better, None), (CANARY, better, 0.3), (SHADOW, None, None), (CANARY, better, 0.7), (PRODUCTION, better, None),
        (CANARY, None, None),
    ]  # fmt: skip
    assert {m.by for m in moves} == {"rollout"}
    assert "every guardrail holds as a canary for 30.00%" in moves[3].reason
    assert {v["guard"] for v in moves[3].gates} >= {"errors", "slower", "score up", "flags down"}
    assert all(v["passed"] for m in moves for v in m.gates)
    assert verify(case, home, live.clock).figures["misrouted"] == 0
    assert champion != better
