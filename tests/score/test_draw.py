"""What chance lets through is known to whoever has the home's key, and to nobody else; what it did, stays."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.declining import exploring, repack, send
from tests.score.rivals import point, rival
from weighbridge.declare import Explore
from weighbridge.identity import Draws
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.backtest import Period, backtest
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.trials.trial import Trial
from weighbridge.loop.verify import verify
from weighbridge.ports import LAST
from weighbridge.records import CANARY, PRODUCTION
from weighbridge.score.batch import score_table
from weighbridge.score.bundle import load
from weighbridge.score.draw import Draw
from weighbridge.score.explore import Explorer
from weighbridge.score.route import ROUTE, Arms
from weighbridge.score.rulebook import POLICY
from weighbridge.serve.wiring import open_desk

TIGHT = Explore(share=0.5, spend_per_day=150, largest=100, seed=5)
IDS = [f"e{number}" for number in range(20_000)]


class Keyless(Draws):
    """How chance was before homes had a key."""

    def __init__(self):
        super().__init__(b"")
        self.key_id = None


ERAS = (Keyless(), Draws(b"a" * 32), Draws(b"b" * 32))


@given(st.text(), st.floats(0, 1), st.binary(min_size=32, max_size=32))
def test_a_draw_is_the_hmac_of_a_text_and_before_keys_its_sha256(text, share, key):
    draws = Draws(key)
    keyed = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    plain = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    for key_id, code in ((draws.key_id, keyed), (None, plain)):
        assert draws.falls_on(text, share, key_id) == (int.from_bytes(code[:8], "big") < share * 2**64)
    assert draws.falls_on(text, share, "other") is None


def test_who_picks_ids_by_the_public_hash_gains_nothing(small_case, trained):
    """The share holds among ids that were picked, and between keys and seeds draws are independent."""

    def let_through(draws, seed=0):
        case = exploring(small_case, Explore(share=0.3, spend_per_day=1e9, seed=seed))
        explorer = Explorer(case, Draw(replace(trained, draws=draws)))
        return {i for i in IDS if explorer.drawn(i)}

    picked = {i for i in IDS if Draws(b"").falls_on(f"explore 0 {i}", 0.3, None)}
    assert picked == let_through(Keyless())  # the negative control: without a key everybody can
    found = [let_through(Draws(b"a" * 32)), let_through(Draws(b"b" * 32)), let_through(Draws(b"a" * 32), seed=1)]
    assert found[0] == let_through(Draws(b"a" * 32))
    for number, ours in enumerate(found):
        assert len(ours) == pytest.approx(0.3 * len(IDS), abs=300)
        for others in (picked, *found[:number]):
            assert len(ours & others) == pytest.approx(0.3 * len(others), abs=170)


@pytest.fixture
def lived(small_case, home, stream, clock):
    """A log that was explored without a key, then by one key, then by another; the case, and each one's decisions."""
    repack(small_case, home, 0.004, 0.01)
    case, decisions = exploring(small_case, TIGHT), []
    for number, draws in enumerate(ERAS):
        desk = open_desk(case, replace(home, draws=draws), clock)
        decisions.append(send(desk, clock, stream[number * 1_000 : number * 1_000 + 1_000]))
        desk.close()
    assert [body["explore"]["key"] for _, _, body in home.log.notes(POLICY)] == [e.key_id for e in ERAS]
    return case, decisions


def differing(case, stores, clock):
    figures = verify(case, stores, clock).figures
    return [figures[name] for name in ("mismatches", "differing", "undecidable", "misrouted", "broken_chain")]


def test_what_another_key_drew_stays_and_the_rest_is_drawn_again(small_case, home, lived, clock, world):
    case, eras = lived
    asked = [[d for d in era if d.propensity] for era in eras]
    assert all(0.3 < sum(d.explored for d in era) / len(era) < 0.7 for era in asked)
    for draws in (*ERAS[1:], Draws(b"c" * 32)):
        now = replace(home, draws=draws)
        assert differing(case, now, clock) == [0, 0, 0, 0, None]
        again = backtest(case, now, clock, Trial(), Period(0, LAST)).figures
        assert (again["differences"], again["ruled_otherwise"]) == (0, 0)
        for era, key in zip(asked, ERAS, strict=True):
            said = reproduce(case, now, era[0])
            assert not said.differs
            told = [check.says for check in said.checks if check.part == "draw"]
            assert told == ([] if key.key_id in (None, draws.key_id) else [
                f"drawn by key {key.key_id}, which is not this home's: taken as recorded"])  # fmt: skip
        ids = [d.event_id for era in eras for d in era]
        rows = world.events.filter(pa.compute.is_in(world.events["event_id"], pa.array(ids)))
        parsed, _ = parse_table(case.events, rows, {"arrived": "arrived"}, now.pseudonyms)
        bundle = load(now.registry.alias(PRODUCTION), case, now.bundles, now.signer)
        table = score_table(case, now, bundle, parsed)
        said = dict(zip(table["event_id"].to_pylist(), table["action"].to_pylist(), strict=True))
        assert {d.event_id: d.action for era in eras for d in era} == said


def test_a_key_that_pretends_to_be_another_is_found_out(home, lived, clock):
    case, _ = lived
    forged = Draws(b"c" * 32)
    forged.key_id = ERAS[2].key_id
    assert verify(case, replace(home, draws=forged), clock).figures["differing"] > 0


def test_another_share_draws_anew_what_another_key_drew(home, lived, clock):
    """What was recorded at one share says nothing about another share."""
    case, _ = lived
    whole = replace(case.policy, explore=replace(TIGHT, share=1.0, spend_per_day=1e9, largest=None))
    found = backtest(case, replace(home, draws=Draws(b"c" * 32)), clock, Trial(policy=whole), Period(0, LAST)).figures
    declined = found["figures"]["decline"]
    assert declined["trial"]["value"] == 0 < declined["live"]["value"]


def test_a_canary_keeps_its_cards_until_it_ends_and_the_next_is_drawn_by_the_key(small_case, home, clock, stream):
    """One that began before there were keys goes on; one that another home's key drew is drawn anew; all is verified."""
    other, next_one = rival(small_case, home, -3.0), rival(small_case, home, -2.5)
    routes = []
    for number, (draws, canary) in enumerate(
        [(ERAS[0], other), (ERAS[1], other), (ERAS[1], next_one), (ERAS[1], next_one), (ERAS[2], next_one)]
    ):
        if number in (0, 2):
            point(home, CANARY, canary, 0.5)
        now = replace(home, draws=draws)
        desk = open_desk(small_case, now, clock)
        send(desk, clock, stream[number * 200 : number * 200 + 200])
        desk.close()
        routes.append(len(home.log.notes(ROUTE)))
        assert differing(small_case, now, clock) == [0, 0, 0, 0, None]
    assert routes == [1, 1, 2, 2, 3]
    keys = [body["key"] for _, _, body in home.log.notes(ROUTE)]
    assert keys == [None, ERAS[1].key_id, ERAS[2].key_id]


def test_who_picks_cards_by_the_public_hash_meets_a_canary_no_more_often():
    arms = Arms("champion", "a" * 64, 0.2, key=ERAS[1].key_id)
    picked = [i for i in IDS if replace(arms, key=None).arm(i, ERAS[1]) == CANARY]
    met = [i for i in picked if arms.arm(i, ERAS[1]) == CANARY]
    assert len(picked) == pytest.approx(4_000, abs=250)
    assert len(met) == pytest.approx(0.2 * len(picked), abs=110)
    assert arms.arm("x", ERAS[2]) is None
