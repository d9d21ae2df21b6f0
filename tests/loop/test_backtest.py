"""A backtest with what was live differs in nothing; what it tries differs as a plain loop over the events says."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import replace
from functools import cache

import pytest

from tests.conftest import CUT_US, memory_stores
from tests.declining import exploring, repack, send
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.declare import Costs, Explore, Policy, Rule
from weighbridge.errors import DeclarationError, InputError
from weighbridge.loop import backtest as module
from weighbridge.loop.backtest import Period, backtest
from weighbridge.loop.messages import messages
from weighbridge.loop.trials.trial import Trial
from weighbridge.ports import LAST
from weighbridge.records import Alias, ListEdit
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.score.rulebook import POLICY, Rulebook, as_of
from weighbridge.serve.backtest_page import notes, page, table
from weighbridge.serve.wiring import open_desk

EVER = Period(0, LAST)
EXPLORE = Explore(share=0.3, spend_per_day=300, seed=1)


@pytest.fixture(scope="module")
def lived(small_case, trained, world, tmp_path_factory):
    """A home with all that can happen: declines, exploration, lists, another policy, another bundle, degraded, tests."""
    stores = memory_stores(small_case, tmp_path_factory.mktemp("reports"))
    stores.log.import_history(trained.log.events(), trained.log.labels())
    production = trained.registry.alias(PRODUCTION)
    stores.bundles.put(production, trained.bundles.files(production))
    stores.registry.add(production, trained.registry.bundles()[0][2], 0)
    stores.registry._aliases[PRODUCTION] = Alias(production)
    clock, stream = ManualClock(CUT_US), messages(small_case, world, CUT_US)
    desk = open_desk(small_case, stores, clock)
    send(desk, clock, stream[:1_000], selective=True)
    desk.submit_edit({"list": "blocked_cards", "value": "c000001", "action": "add", "why": "t", "for": "2d"}).result()
    desk.submit_edit({"list": "blocked_cards", "value": "c000002", "action": "add", "why": "t"}).result()
    send(desk, clock, stream[1_000:2_000], selective=True)
    desk.submit_edit({"list": "blocked_cards", "value": "c000002", "action": "remove", "why": "t"}).result()
    desk.close()
    repack(small_case, stores, 0.004, 0.01)
    case = exploring(small_case, EXPLORE, [Rule("web", "device == 'web' and amount > 30", at_least="review")])
    desk = open_desk(case, stores, clock)
    send(desk, clock, stream[2_000:4_500], selective=True)
    for message in [m for m in stream[4_500:4_600] if m.path == "/predict"]:
        clock.set(message.arrived_us)
        desk.submit(message.body, "t", "degraded" if message.arrived_us % 2 else "decline").result()
    send(desk, clock, stream[4_600:6_000], selective=True)
    desk.close()
    return case, stores, clock


def tried(lived, trial=None, period=EVER, **more):
    case, stores, clock = lived
    return backtest(case, stores, clock, trial or Trial(), period, **more).figures


def test_the_live_column_is_what_was_decided_and_the_live_policy_differs_in_nothing(lived):
    stores = lived[1]
    decisions = stores.log.decisions()
    found = tried(lived)
    assert (found["differences"], found["ruled_otherwise"]) == (0, 0)
    assert found["decisions"] == len(decisions)
    assert found["kept"] == sum(told != "[]" for told in decisions["degraded"].to_pylist()) > 30
    counted = {a: decisions["action"].to_pylist().count(a) for a in ("approve", "review", "decline")}
    assert {a: found["figures"][a]["live"]["value"] for a in counted} == counted
    assert min(counted.values()) > 50
    for told in found["figures"].values():
        assert told["live"] == told["trial"]
        assert told["difference"]["value"] in (0, None)
    assert all(change["live"] == change["trial"] for change in found["changes"])
    assert found["labels"]["explored"] > 20


def test_a_backtest_that_replayed_the_wrong_past_would_be_seen(lived, monkeypatch):
    stores = lived[1]
    right = stores.log.decisions

    def other(after=0, until=LAST):
        table = right(after, until)
        actions = table["action"].to_pylist()
        if actions:
            actions[0] = "review" if actions[0] == "approve" else "approve"
        return table.set_column(table.column_names.index("action"), "action", [actions])

    monkeypatch.setattr(stores.log, "decisions", other)
    assert tried(lived)["differences"] > 0
    monkeypatch.undo()
    monkeypatch.setattr(stores.log, "edits", list)
    assert tried(lived)["ruled_otherwise"] > 0


@pytest.mark.parametrize("between", ["nothing", "a count"])
def test_exploration_that_changes_within_a_day_is_replayed_as_it_was(small_case, home, world, between):
    repack(small_case, home, 0.0001, 0.0002)
    on, other = exploring(small_case, Explore(share=0.5, spend_per_day=2_000, seed=1)), exploring(small_case, None)
    if between == "a count":
        counting = replace(small_case, policy=replace(small_case.policy, costs=Costs()))
        other = exploring(counting, Explore(share=0.5, spend_per_day=40, seed=1))
    clock, decided = ManualClock((CUT_US // DAY_US + 1) * DAY_US), []
    bodies = [m.body for m in messages(small_case, world, CUT_US) if m.path == "/predict"][:210]
    for part, case in enumerate((on, other, on)):
        desk = open_desk(case, home, clock)
        for body in bodies[part * 70 : part * 70 + 70]:
            clock.advance(60_000_000)
            decided.append(desk.decide({**body, "event_ts": us_to_iso(clock.now_us())}, "t").decision)
        desk.close()
    assert {0.0, 0.5} <= {d.propensity for d in decided[140:]} | {d.propensity for d in decided[70:140]}
    found = backtest(on, home, clock, Trial(), EVER, by=[]).figures
    assert (found["decisions"], found["differences"], found["ruled_otherwise"]) == (210, 0, 0)
    late = Period(decided[100].decided_us, LAST)
    assert backtest(on, home, clock, Trial(), late, by=[]).figures["differences"] == 0


def test_the_bundle_that_decided_says_the_same_again(lived):
    case, stores, _ = lived
    first, second = dict.fromkeys(stores.log.decisions()["bundle"].to_pylist()).keys() - {""}
    newest = load(stores.registry.alias(PRODUCTION), case, stores.bundles, stores.signer)
    assert newest.id in (first, second)
    since = (
        stores.log.decisions()
        .filter([bundle == newest.id for bundle in stores.log.decisions()["bundle"].to_pylist()])["decided_us"][0]
        .as_py()
    )
    assert tried(lived, Trial(bundle=newest), Period(since, LAST))["differences"] == 0
    assert tried(lived, Trial(bundle=newest))["differences"] > 0


def naive(lived, trial):
    """Decide every event again one by one, by the parts that decide online; the same ones are explored."""
    case, stores, _ = lived
    log, found = stores.log, []
    loaded = cache(lambda bundle: load(bundle, case, stores.bundles, stores.signer))
    notes, edits = [seq for seq, _, _ in log.notes(POLICY)], log.edits()

    @cache
    def book_at(note, edited):
        """The rules tried behind a note of the log, over the lists after so many edits."""
        policy = as_of(case, stores, notes[note - 1] + 1)
        rules = [*trial.rules, *(rule for rule, _ in policy._rules if rule.name not in trial.without)]
        book = Rulebook(replace(case, policy=replace(case.policy, rules=rules, explore=None)))
        for _, edit in edits[:edited]:
            book.apply(edit)
        for value in trial.listed.get("blocked_cards", ()):
            book.apply(ListEdit("blocked_cards", value, True, None, "me", "tried", 0))
        return book

    for row in log.decisions().to_pylist():
        seq, event = log.find(row["event_id"])
        if row["degraded"] != "[]":
            found.append(row["action"])
            continue
        own = loaded(row["bundle"]).thresholds
        book = book_at(bisect_left(notes, seq), sum(place < seq for place, _ in edits))
        limits = replace(own, review_at=trial.review_at or own.review_at)
        verdict = book.verdict(limits, event.values, row["vector"], row["probability"], event.arrived_us)
        if row["propensity"] is not None and verdict.action == "decline" != row["action"]:
            lenient = replace(own, review_at=2.0, decline_at=2.0)  # what the rules that are tried leave of it
            verdict = book.verdict(lenient, event.values, row["vector"], row["probability"], event.arrived_us)
        found.append(verdict.action)
    return found


def test_what_is_tried_comes_out_as_event_by_event(lived, monkeypatch):
    stores = lived[1]
    blocked = [stores.pseudonyms.of("c000003"), stores.pseudonyms.of("c000007")]
    trial = Trial(
        review_at=0.002,
        rules=[Rule("tried", "amount > 150 and country != 'US'", at_least="review")],
        without=["new_country"],
        listed={"blocked_cards": blocked},
    )
    monkeypatch.setattr(module, "AT_ONCE", 700)
    found = tried(lived, trial)
    expected = naive(lived, trial)
    told = {a: found["figures"][a]["trial"]["value"] for a in ("approve", "review", "decline")}
    assert told == {a: expected.count(a) for a in told}
    live = stores.log.decisions()["action"].to_pylist()
    assert found["differences"] == sum(a != b for a, b in zip(live, expected, strict=True)) > 100
    assert {(c["live"], c["trial"]): c["decisions"] for c in found["changes"]} == {
        pair: list(zip(live, expected, strict=True)).count(pair) for pair in set(zip(live, expected, strict=True))
    }
    assert sum(day["trial"]["reviews"] for day in found["days"]) == told["review"]
    for field in ("amount", "country"):
        parts = [part for part in found["segments"] if part["field"] == field]
        assert sum(part["decisions"] for part in parts) == found["decisions"]
        cost = sum(part["figures"]["cost"]["difference"]["value"] for part in parts)
        assert cost == pytest.approx(found["figures"]["cost"]["difference"]["value"])


def test_costs_and_counts_are_what_a_loop_over_the_labels_adds_up(lived):
    case, stores, _ = lived
    found, labels = tried(lived), {}
    for row in stores.log.labels().to_pylist():
        labels[row["event_id"]] = row["value"]
    head_us, costs = stores.log.head().arrived_us, case.policy.costs
    counted, cost, missed = 0, 0.0, 0.0
    for row in stores.log.decisions().to_pylist():
        event = stores.log.find(row["event_id"])[1]
        y, explored = labels.get(row["event_id"]), row["propensity"] is not None and row["action"] != "decline"
        if y is None or event.event_us + case.label.matures_us > head_us or (row["propensity"] and not explored):
            continue
        weight, amount = 1 / row["propensity"] if explored else 1.0, event.values[2] / 100
        counted += 1
        missed += weight * (y == 1 and row["action"] == "approve")
        cost += weight * {
            "approve": y * amount * costs.missed, "review": costs.review, "decline": (1 - y) * costs.wrong_decline
        }[row["action"]]  # fmt: skip
    assert found["labels"]["counted"] == counted > 500
    assert found["figures"]["missed"]["live"]["value"] == pytest.approx(missed)
    assert found["figures"]["cost"]["live"]["value"] == pytest.approx(cost)
    labels = found["labels"]
    assert labels["immature"] > 100
    assert labels["unseen_declines"] > 0
    low, high = (found["figures"]["cost"]["live"][end] for end in ("low", "high"))
    assert low < cost < high


def sum_of_weights(lived):
    """For how many events those with a mature label speak, but not what cannot be decided again and was approved."""
    case, stores, _ = lived
    head_us, labelled = stores.log.head().arrived_us, set(stores.log.labels()["event_id"].to_pylist())
    found = 0.0
    for row in stores.log.decisions().to_pylist():
        old = stores.log.find(row["event_id"])[1].event_us + case.label.matures_us <= head_us
        explored = row["propensity"] and row["action"] != "decline"
        if old and row["event_id"] in labelled and (explored or not row["propensity"]) and row["degraded"] == "[]":
            found += 1 / row["propensity"] if explored else 1
    return found


def test_immature_labels_and_declines_without_one_never_count_as_good(lived):
    case, stores, clock = lived
    everything = Trial(rules=[Rule("all", "amount >= 0", "decline")])
    found = tried(lived, everything)
    assert found["figures"]["missed"]["trial"]["value"] == 0
    known = found["figures"]["caught"]["trial"]["value"] + found["figures"]["good_declined"]["trial"]["value"]
    assert known + found["labels"]["immature"] + found["labels"]["unseen_declines"] < found["decisions"] * 1.05
    assert known == pytest.approx(sum_of_weights(lived))
    young = replace(case, label=replace(case.label, matures="365d"))
    none = backtest(young, stores, clock, Trial(), EVER).figures
    assert none["labels"]["counted"] == 0
    assert none["labels"]["immature"] == none["decisions"]
    assert none["figures"]["caught"]["live"]["value"] == 0
    assert none["figures"]["recall"]["live"]["value"] is None


def test_a_period_another_policy_and_what_cannot_be_tried(lived):
    case, stores, _ = lived
    decided = stores.log.decisions()["decided_us"].to_pylist()
    middle = (decided[0] + decided[-1]) // 2 // DAY_US * DAY_US
    halves = [tried(lived, period=Period(*ends))["decisions"] for ends in ((0, middle), (middle, LAST))]
    assert halves == [sum(us < middle for us in decided), sum(us >= middle for us in decided)]
    assert tried(lived, period=Period(middle, LAST))["differences"] == 0
    other = Policy(costs=case.policy.costs, review_at=0.0, decline_at=1.0)
    found = tried(lived, Trial(policy=other))
    assert found["figures"]["approve"]["trial"]["value"] <= found["kept"]
    with pytest.raises(InputError, match="nothing was decided in this period"):
        tried(lived, period=Period(0, 1))
    with pytest.raises(InputError, match="no rule is called 'nothing' in this period; use one of"):
        tried(lived, Trial(without=["nothing"]))
    with pytest.raises(InputError, match="would be above decline"):
        tried(lived, Trial(review_at=0.9, decline_at=0.1))
    with pytest.raises(InputError, match="--by 'card_id'"):
        tried(lived, by=["card_id"])
    with pytest.raises(DeclarationError, match="rule tried"):
        tried(lived, Trial(rules=[Rule("tried", "amuont > 3", "review")]))


def test_a_bundle_is_not_judged_by_what_it_was_fitted_on(lived):
    case, stores, _ = lived
    newest = load(stores.registry.alias(PRODUCTION), case, stores.bundles, stores.signer)
    whole = tried(lived, Trial(bundle=newest))
    assert whole["labels"]["fitted"] == 0
    seqs, head_us = set(stores.log.decisions()["seq"].to_pylist()), stores.log.head().arrived_us
    events = [row["event_us"] for row in stores.log.events().to_pylist() if row["seq"] in seqs]
    mature = sorted(us for us in events if us + case.label.matures_us <= head_us)

    def fitted(until_us):
        lineage = {**newest.facts["lineage"], "trained_until_us": until_us}
        return Trial(bundle=replace(newest, facts={**newest.facts, "lineage": lineage}))

    report = backtest(case, stores, lived[2], fitted(mature[len(mature) // 2]), EVER)
    found = report.figures
    apart = sum(us <= mature[len(mature) // 2] for us in mature)
    assert found["labels"]["fitted"] == apart > 100
    assert f"{apart:,} rows the bundle was fitted on are counted apart" in report.sentence
    assert any("fitted on" in note for note in notes(found))
    assert 0 < found["labels"]["counted"] < whole["labels"]["counted"]
    assert found["figures"]["caught"]["live"]["value"] < whole["figures"]["caught"]["live"]["value"]
    assert found["differences"] == whole["differences"]
    with pytest.raises(InputError, match="this period holds nothing to judge it by"):
        tried(lived, fitted(max(events)))


def test_exploration_is_tried_too_and_what_was_declined_is_estimated(lived):
    case, _, _ = lived
    policy = replace(case.policy, explore=replace(EXPLORE, share=1.0, spend_per_day=1e9))
    found = tried(lived, Trial(policy=policy))
    changed = {(c["live"], c["trial"]) for c in found["changes"]}
    assert ("decline", "approve") in changed
    declined = tried(lived)["declined"]
    assert 0 < declined["observed"] < declined["declines"]
    assert declined["share_positive"]["low"] < declined["share_positive"]["value"] < declined["share_positive"]["high"]


def test_the_page_and_the_table_show_it(lived):
    case, stores, clock = lived
    report = backtest(case, stores, clock, Trial(review_at=0.002), EVER)
    assert json.loads((stores.reports / f"backtest-{report.run}.json").read_text())["differences"] > 0
    html = page(report.figures, "<odd & name>")
    assert "&lt;odd &amp; name&gt;" in html
    assert not re.search(r"https?:|<script|<link|url\(|@import", html)
    assert html.count("<polyline") == 4
    assert "nan" not in html
    assert len({len(cells) for cells in table(report.figures["figures"])}) == 1
    assert any("too young" in note for note in notes(report.figures))
    assert "differ" in report.sentence
