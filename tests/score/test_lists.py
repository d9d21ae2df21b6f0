"""Rules and lists at the desk: what decides, what is recorded, and that replay and batch see lists as they were."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK, memory_stores
from tests.score.held import HeldLog, outcome
from weighbridge.clock import DAY_US, ManualClock, iso_to_us, us_to_iso
from weighbridge.declare import ListOf, Policy, Rule
from weighbridge.errors import InputError, Rejected, StoreFailure
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.verify import verify
from weighbridge.records import Alias, ListEdit
from weighbridge.score.batch import score_table
from weighbridge.score.bundle import load
from weighbridge.score.edits import parse_edit
from weighbridge.score.route import PRODUCTION
from weighbridge.score.rulebook import POLICY, Rulebook, append_edit
from weighbridge.score.scorer import Thresholds
from weighbridge.serve.wiring import open_desk

LISTS = [ListOf("blocked", "card_id"), ListOf("trusted", "merchant_id", most=2)]
RULES = [
    Rule("cautious", "amount >= 0", at_least="review"),
    Rule("blocked_card", "card_id in blocked", "decline"),
    Rule("trusted_shop", "merchant_id in trusted", "approve"),
    Rule("never", "amount < 0 or probability > 1", "decline"),
    Rule("after_all", "card_count_30d >= 0", "review"),
]


def with_policy(case, rules=RULES[1:4], lists=LISTS):
    return replace(case, policy=replace(case.policy, rules=rules, lists=lists))


@pytest.fixture
def case(small_case):
    return with_policy(small_case)


def edit(name="blocked", value="c000001", action="add", **more):
    return {"list": name, "value": value, "action": action, "why": "test", **more}


def book_of(case, rules, listed=()):
    book = Rulebook(with_policy(case, rules))
    for name, value in listed:
        book.apply(ListEdit(name, value, True, None, "me", "test", 0))
    return book


def test_the_first_rule_that_holds_decides_and_all_that_held_are_told(small_case):
    names = [field.name for field in small_case.events.payload]
    row = dict.fromkeys(names, "x") | {"amount": 500, "card_id": "c", "merchant_id": "m"}
    values, vector = [row[name] for name in names], np.zeros(30, dtype="<f4").tobytes()

    def verdict(rules, listed=(), probability=0.1):
        found = book_of(small_case, rules, listed).verdict(Thresholds(0.5, 0.9, ()), values, vector, probability, 7)
        return found.action, found.rules

    both = [("blocked", "c"), ("trusted", "m")]
    assert verdict([]) == ("approve", ())
    assert verdict([RULES[3]]) == ("approve", ())
    assert verdict(RULES[1:3], both) == ("decline", ("blocked_card", "trusted_shop"))
    assert verdict(RULES[2:0:-1], both) == ("approve", ("trusted_shop", "blocked_card"))
    assert verdict(RULES[1:3], both[1:], probability=0.95) == ("approve", ("trusted_shop",))
    assert verdict(RULES[1:3], probability=0.95) == ("decline", ())
    assert verdict(RULES[:1]) == ("review", ("cautious",))
    assert verdict(RULES[:1], probability=0.95) == ("decline", ("cautious",))
    assert verdict([RULES[0], RULES[2]], both[1:]) == ("review", ("cautious", "trusted_shop"))
    assert verdict([RULES[2], RULES[0]], both[1:]) == ("approve", ("trusted_shop", "cautious"))
    assert verdict([RULES[4], RULES[1]], both) == ("review", ("after_all", "blocked_card"))


def test_an_edit_counts_for_the_next_decision_and_not_for_those_in_flight(case, home, events, clock):
    log = HeldLog(home.log)
    stores = replace(home, log=log)
    desk = open_desk(case, stores, clock)
    log.holding = True
    card = [{**body, "card_id": "c000001"} for body in events[:6]]
    futures = [desk.submit(card[0], "t")]
    log.reached()
    futures.append(desk.submit(card[1], "t"))
    added = desk.submit_edit(edit())
    again = desk.submit_edit(edit(until=us_to_iso(clock.now_us() + DAY_US)))
    log.let_go(1)
    log.reached()  # the second event and the edits are being committed
    clock.advance(1_000)
    futures.append(desk.submit(card[2], "t"))
    log.let_go(100)
    actions = [outcome(f).decision for f in futures]
    assert (outcome(added), outcome(again)) == (False, True)
    assert [d.rules for d in actions] == [(), (), ("blocked_card",)]
    assert actions[2].action == "decline"
    seqs = [seq for seq, _ in home.log.edits()]
    assert home.log.find(card[1]["event_id"])[0] < seqs[0] < seqs[1] < home.log.find(card[2]["event_id"])[0]
    desk.close()
    restarted = open_desk(case, home, clock)
    assert restarted.decide(card[3], "t").decision.rules == ("blocked_card",)
    assert restarted.submit_edit(edit(action="remove")).result() is True
    assert restarted.decide(card[4], "t").decision.rules == ()
    figures = verify(case, home, clock).figures
    assert (figures["decided"], figures["differing"], figures["undecidable"]) == (5, 0, 0)
    stored = json.dumps([e.value for _, e in home.log.edits()])
    assert "c000001" not in stored
    assert home.pseudonyms.of("c000001") in stored


def test_an_edit_that_could_not_be_stored_changes_nothing(case, home, events, clock):
    log = HeldLog(home.log)
    log.failing = [True]
    desk = open_desk(case, replace(home, log=log), clock)
    log.holding = True
    failed = desk.submit_edit(edit())
    log.let_go(100)
    assert isinstance(outcome(failed), StoreFailure)
    assert desk.decide({**events[0], "card_id": "c000001"}, "t").decision.rules == ()
    assert home.log.edits() == []


def test_an_entry_ends_by_the_arrival_of_the_decision(case, home, events, clock):
    desk = open_desk(case, home, clock)
    now_us = clock.now_us()
    desk.submit_edit(edit(**{"for": "5s"})).result()
    fired = []
    for number, ahead_us in enumerate((4_999_999, 5_000_000)):
        clock.set(now_us + ahead_us)
        body = {**events[number], "card_id": "c000001", "event_ts": us_to_iso(clock.now_us())}
        fired.append(desk.decide(body, "t").decision.rules)
    assert fired == [("blocked_card",), ()]
    assert verify(case, home, clock).figures["differing"] == 0


def test_verify_tells_the_rules_of_the_time_and_finds_what_was_changed(case, small_case, home, events, clock):
    """Three policies one after another; then a stored action, its rules, and an edit are tampered with."""
    for number, rules in enumerate((RULES[1:3], RULES[:1], ())):
        desk = open_desk(with_policy(small_case, rules), home, clock)
        if number == 0:
            desk.submit_edit(edit()).result()
        for body in events[20 * number : 20 * number + 20]:
            desk.decide({**body, "card_id": "c000001"}, "t")
        desk.close()
    assert len(home.log.notes(POLICY)) == 3
    fine = verify(case, home, clock).figures
    assert (fine["decided"], fine["differing"], fine["mismatches"]) == (60, 0, 0)
    assert verify(with_policy(small_case, ()), home, clock).figures["differing"] == 0
    edits, decisions = list(home.log._edits), dict(home.log._decisions)
    home.log._edits = [(seq, replace(e, until_us=0)) for seq, e in edits]
    assert verify(case, home, clock).figures["differing"] == 20
    home.log._edits = edits
    for place, change in (
        (3, {"action": "approve"}),
        (25, {"rules": ()}),
        (45, {"probability": 0.5}),
        (46, {"level": "odd"}),
    ):
        event_id = events[place]["event_id"]
        seq, decision, chained = decisions[event_id]
        home.log._decisions[event_id] = (seq, replace(decision, **change), chained)
    changed = verify(case, home, clock).figures
    assert (changed["differing"], changed["broken_chain"]) == (4, home.log.find(events[3]["event_id"])[0])


def test_a_bundle_that_is_gone_is_told_not_passed_over(case, home, events, clock):
    open_desk(case, home, clock).decide(events[0], "t")
    home.bundles._bundles.clear()
    figures = verify(case, home, clock).figures
    assert (figures["decided"], figures["undecidable"]) == (0, 1)


@pytest.mark.parametrize(("body", "field"), [
    (edit("unknown"), "list"), ({**edit(), "list": 3}, "list"), (edit(action="put"), "action"), (edit(value=7), "card_id"),
    (edit(value=""), "card_id"), ({k: v for k, v in edit().items() if k != "why"}, "why"), (edit(why="  "), "why"),
    (edit(by="x" * 65), "by"), (edit(color="red"), "color"), (edit(until="tomorrow"), "until"), (edit(until=3), "until"),
    (edit(until="2020-01-01T00:00:00Z"), "until"), (edit(until="2099-01-01T00:00:00"), "until"),
    (edit(**{"for": "0d"}), "for"), (edit(**{"for": "9" * 30 + "d"}), "for"),
    (edit(until="2099-01-01T00:00:00Z", **{"for": "1d"}), "until"), (edit(action="remove", **{"for": "1d"}), "until"),
    (edit(stored="yes"), "stored"), (edit(stored=True), "value"),
])  # fmt: skip
def test_a_wrong_edit_is_refused(case, home, clock, body, field):
    desk = open_desk(case, home, clock)
    refused = outcome(desk.submit_edit(body))
    assert isinstance(refused, Rejected)
    assert refused.field == field
    assert "c000001" not in str(refused)
    assert home.log.edits() == []


def test_a_pseudonym_can_be_given_as_the_log_has_it(case, home, clock):
    stored = home.pseudonyms.of("c000009")
    read = parse_edit(case, edit(value=stored, stored=True), home.pseudonyms, clock.now_us())
    assert read.value == stored == parse_edit(case, edit(value="c000009"), home.pseudonyms, clock.now_us()).value


def test_a_full_list_is_refused_and_what_has_ended_makes_room(case, home, clock):
    desk = open_desk(case, home, clock)
    desk.submit_edit(edit("trusted", "m1", **{"for": "1h"})).result()
    desk.submit_edit(edit("trusted", "m2")).result()
    full = outcome(desk.submit_edit(edit("trusted", "m3")))
    assert isinstance(full, InputError)
    assert "trusted holds 2 values, its most=" in str(full)
    assert outcome(desk.submit_edit(edit("trusted", "m2"))) is True  # no new entry
    clock.advance(3_600_000_000)
    assert outcome(desk.submit_edit(edit("trusted", "m3"))) is False
    assert isinstance(outcome(desk.submit_edit(edit("trusted", "m4"))), InputError)
    assert set(desk.rulebook.until_us["trusted"]) == {"m2", "m3"}


def test_edits_of_a_list_that_is_declared_no_more_are_kept_and_passed_over(case, small_case, home, events, clock):
    desk = open_desk(case, home, clock)
    desk.submit_edit(edit()).result()
    desk.close()
    bare = open_desk(with_policy(small_case, (), ()), home, clock)
    assert bare.decide({**events[0], "card_id": "c000001"}, "t").decision.rules == ()
    assert len(home.log.edits()) == 1
    bare.close()
    back = open_desk(case, home, clock)
    assert back.decide({**events[1], "card_id": "c000001"}, "t").decision.rules == ("blocked_card",)
    assert verify(case, home, clock).figures["differing"] == 0


@settings(max_examples=10_000 if SOAK else 40)
@given(st.data())
def test_online_batch_and_replay_see_the_same_lists(small_case, trained, world, tmp_path_factory, data):
    """Edits in any order between decisions: each decision equals a naive reading of the edits before it."""
    case = with_policy(small_case)
    clock_us = iso_to_us("2026-02-20T00:00:00Z")
    clock = ManualClock(clock_us)
    home = memory_stores(case, tmp_path_factory.mktemp("lists"))
    production = trained.registry.alias(PRODUCTION)
    home.bundles.put(production, trained.bundles.files(production))
    home.registry.add(production, trained.registry.bundles()[0][2], 0)
    home.registry._aliases[PRODUCTION] = Alias(production)
    desk, naive, expected, sent = open_desk(case, home, clock), {}, [], []
    steps = st.lists(
        st.tuples(st.sampled_from(["event", "add", "end", "remove", "restart"]), st.integers(0, 2)), max_size=12
    )
    row = world.events.drop_columns(["arrived"]).slice(0, 1).to_pylist()[0]
    for number, (step, card) in enumerate(data.draw(steps)):
        clock.advance(1_000_000)
        name = f"c00000{card}"
        if step == "event":
            body = {
                **row,
                "event_id": f"01KAJ0M3Q5X7Z9B1D3F5H7K{number:03d}",
                "event_ts": us_to_iso(clock.now_us()),
                "card_id": name,
            }
            sent.append(body)
            expected.append(naive.get(name, 0) > clock.now_us())
            assert (desk.decide(body, "t").decision.rules == ("blocked_card",)) is expected[-1]
        elif step == "restart":
            desk.close()
            desk = open_desk(case, home, clock)
        else:
            more = {"for": "3s"} if step == "end" else {}
            desk.submit_edit(edit(value=name, action="remove" if step == "remove" else "add", **more)).result()
            naive[name] = {"add": 2**63, "end": clock.now_us() + 3_000_000, "remove": 0}[step]
    desk.close()
    figures = verify(case, home, clock).figures
    assert (figures["decided"], figures["differing"]) == (len(sent), 0)
    if sent:
        accepted, _ = parse_table(case.events, pa.Table.from_pylist(sent), {}, home.pseudonyms)
        bundle = load(production, case, home.bundles, home.signer)
        batch = score_table(case, home, bundle, accepted).to_pylist()
        assert [r["rules"] for r in batch] == ["blocked_card" if hit else "" for hit in expected]
        assert [r["action"] for r in batch] == [home.log.decision(b["event_id"]).action for b in sent]


def test_batch_decides_new_rows_by_the_lists_as_they_are(case, home, events, clock, small_case):
    now = parse_edit(case, edit(value=events[0]["card_id"]), home.pseudonyms, clock.now_us())
    assert append_edit(case, home, now) is False
    assert append_edit(case, home, now) is True
    accepted, _ = parse_table(case.events, pa.Table.from_pylist(events[:3]), {}, home.pseudonyms)
    bundle = load(home.registry.alias(PRODUCTION), case, home.bundles, home.signer)
    decided = score_table(case, home, bundle, accepted).to_pylist()
    assert [row["rules"] for row in decided][:1] == ["blocked_card"]
    assert decided[0]["action"] == "decline"
    assert {row["rules"] for row in score_table(with_policy(small_case, ()), home, bundle, accepted).to_pylist()} == {
        ""
    }


def test_a_policy_without_rules_is_not_noted(small_case, home, clock):
    open_desk(replace(small_case, policy=Policy()), home, clock).close()
    assert home.log.notes(POLICY) == []
