"""A backtest with what was live differs in nothing; what it tries differs as a plain loop over the events says."""

from __future__ import annotations

import pytest

from tests.conftest import CUT_US, memory_stores
from tests.declining import exploring, repack, send
from weighbridge.clock import ManualClock
from weighbridge.declare import Explore, Rule
from weighbridge.loop.backtest import Period, backtest
from weighbridge.loop.messages import messages
from weighbridge.loop.trial import Trial
from weighbridge.ports import LAST
from weighbridge.records import Alias
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk

EVER = Period(0, LAST)
EXPLORE = Explore(share=0.3, spend_per_day=300, seed=5)


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
    send(desk, clock, stream[:1_500], selective=True)
    desk.submit_edit({"list": "blocked_cards", "value": "c000001", "action": "add", "why": "t", "for": "2d"}).result()
    desk.submit_edit({"list": "blocked_cards", "value": "c000002", "action": "add", "why": "t"}).result()
    send(desk, clock, stream[1_500:3_500], selective=True)
    desk.submit_edit({"list": "blocked_cards", "value": "c000002", "action": "remove", "why": "t"}).result()
    desk.close()
    repack(small_case, stores, 0.004, 0.01)
    case = exploring(small_case, EXPLORE, [Rule("web", "device == 'web' and amount > 30", at_least="review")])
    desk = open_desk(case, stores, clock)
    send(desk, clock, stream[3_500:7_000], selective=True)
    for message in [m for m in stream[7_000:7_100] if m.path == "/predict"]:
        clock.set(message.arrived_us)
        desk.submit(message.body, "t", "degraded" if message.arrived_us % 2 else "decline").result()
    send(desk, clock, stream[7_100:], selective=True)
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
