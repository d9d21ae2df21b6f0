"""Scenarios about running: restarts, eviction, many keys at once, a hot key, more history than memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest import SkipTest

import numpy as np
import pyarrow as pa

from weighbridge.kernel.plan import Plan
from weighbridge.ports import StateStore
from weighbridge.records import Head
from weighbridge.stores.tables import LABELS, event_schema, in_order_of_arrival
from weighbridge.testing.samples import sample_contract
from weighbridge.testing.semantics.scene import (
    DAY_US,
    HOUR_US,
    KEPT_US,
    LATE_US,
    NOON_US,
    PSEUDONYMS,
    SECOND_US,
    Scenes,
)


class ScenesOfRunning(Scenes):
    """What a store does over time must never be seen in a vector."""

    hot_key_events = 20_000  # the long form of the hot key is 1_000_000; 10 must divide it
    hot_key_sampled = 2  # events of the hot key's past that the oracle computes: seconds each
    evicting_appends = 5_000  # after so many events the store has surely forgotten what it may forget
    budget_bytes = 65_536

    def test_a_restart_in_mid_stream_changes_nothing(self) -> None:
        """A new process goes on from the log: counts, labels, corrections and labels that wait for their event."""
        restarted, whole = self.scene(), self.scene()
        for scene in (restarted, whole):
            scene.event("a", NOON_US)
            scene.label("a", 1, arrived_us=NOON_US + SECOND_US)
            scene.event("late", NOON_US - HOUR_US, arrived_us=NOON_US + SECOND_US)
            scene.label("to come", 1, arrived_us=NOON_US + SECOND_US)
            scene.event("ahead", NOON_US + HOUR_US, arrived_us=NOON_US + SECOND_US)
            if scene is restarted:
                scene.restart()
                assert scene.door.state.waiting == 1
            scene.event("to come", NOON_US + 2 * SECOND_US)
            scene.label("a", 0, arrived_us=NOON_US + 2 * SECOND_US)
            seen = scene.event("d", NOON_US + 3 * SECOND_US)
            assert (seen["card_count_1d"], seen["shop_label_count_labelled_7d"], seen["shop_label_rate_7d"]) == (
                3,
                2,
                0.5,
            )
            assert scene.event("e", NOON_US + HOUR_US)["card_count_1d"] == 5
            scene.proven()
        assert restarted.door.served == whole.door.served

    def test_arrival_does_not_fall_over_a_restart(self) -> None:
        """A new process whose clock is behind goes on from the latest arrival in the log, a label's included."""
        scene = self.scene()
        scene.event("a", NOON_US)
        scene.label("a", 1, arrived_us=NOON_US + HOUR_US)
        scene.restart()
        assert scene.event("b", NOON_US + 1, arrived_us=NOON_US + 1)["shop_label_rate_7d"] == 1
        assert scene.log.events()["arrived_us"].to_pylist() == [NOON_US, NOON_US + HOUR_US]
        scene.proven()

    def test_eviction_at_the_edge_of_retention_is_not_seen(self) -> None:
        """After eviction, the latest event allowed still sees what is one microsecond inside its longest window."""
        scene = self.scene()
        scene.event("out", NOON_US, amount=1.0)
        scene.event("in", NOON_US + 1, amount=2.0)
        now_us = NOON_US + KEPT_US
        for number in range(self.evicting_appends):
            scene.event(f"f{number}", now_us, card=f"other {number % 97}", shop_id=f"other {number % 89}")
        scene.label("out", 1, arrived_us=now_us)
        scene.label("in", 1, arrived_us=now_us)
        late = scene.event("late", now_us - LATE_US, arrived_us=now_us)
        assert (late["card_count_7d"], late["card_amount_sum_7d"], late["shop_label_count_labelled_7d"]) == (1, 2, 1)
        assert scene.event("d", now_us)["card_count_7d"] == 1
        scene.restart()
        again = scene.event("later", now_us - LATE_US, arrived_us=now_us)
        assert (again["card_count_7d"], again["card_amount_sum_7d"], again["shop_label_rate_7d"]) == (2, 3, 1)
        scene.proven(sampled=["in", "late", "d", "later", "f0", f"f{self.evicting_appends - 1}"])

    def test_keys_do_not_touch_one_another(self) -> None:
        """Two cards at two shops, interleaved, have the vectors that each has alone."""
        streams = {"c1": "s1", "c2": "s2"}
        together, alone = self.scene(), {card: self.scene() for card in streams}
        for number in range(12):
            for card, shop in streams.items():
                for scene in (together, alone[card]):
                    event_id, at_us = f"{card} {number}", NOON_US + number * HOUR_US
                    seen = scene.event(event_id, at_us, card=card, shop_id=shop, amount=float(number))
                    assert (seen["card_count_1d"], seen["shop_count_1d"]) == (number, number)
                    scene.label(event_id, number % 2, arrived_us=at_us)
        assert together.door.served == {**alone["c1"].door.served, **alone["c2"].door.served}
        together.proven()

    def test_two_threads_see_one_order(self) -> None:
        """Two threads, each with its card, at one shop: every vector follows from the order the log wrote down."""
        scene, each = self.scene(), 40
        scene.clock.set(NOON_US)
        start = threading.Barrier(2)

        def drive(card: str) -> list[float]:
            start.wait()
            return [scene.event(f"{card} {n}", NOON_US, card=card)["shop_count_1d"] for n in range(each)]

        with ThreadPoolExecutor(2) as pool:
            seen = [*pool.map(drive, ["c1", "c2"])]
        assert sorted([*seen[0], *seen[1]]) == list(range(2 * each))
        scene.proven()

    def test_a_hot_key_is_exact(self) -> None:
        """One card at one shop with `hot_key_events` evenly over ten days, one in twenty an hour late."""
        n = self.hot_key_events
        scene, step_us = self.scene(events_per_key=2 * n), 10 * DAY_US // n
        start_us = NOON_US - 10 * DAY_US
        scene.import_history(*hot_history(n, start_us, step_us))
        for number in range(3):
            seen = scene.event(f"live {number}", NOON_US, amount=7.0)
            assert seen["card_count_7d"] == 7 * n // 10 - 1 + number  # what is exactly seven days old is out
            assert seen["card_since_last_7d"] == (0 if number else np.float32(step_us / SECOND_US))
            assert seen["shop_label_rate_7d_until_1d"] == 0.5
        late = scene.event("late", NOON_US - DAY_US, arrived_us=NOON_US)
        assert late["card_count_1d"] == n // 10  # one of them is of its own microsecond
        past = np.random.default_rng(7).choice(n, self.hot_key_sampled, replace=False).tolist()
        scene.proven(sampled=["live 2", "late", *(f"h{number}" for number in past)])

    def test_spilling_is_not_seen(self) -> None:
        """Histories of many times the memory budget: every count and every bit is as if there were no budget."""
        if self.make_state_within(self.scene().plan, self.budget_bytes) is None:
            raise SkipTest("this state has no memory budget")
        scene = self.scene(partial(_within, self))
        cards, rounds, used = 300, 20, []
        for number in range(rounds):
            if number == rounds // 2:
                scene.restart()
            for card in range(cards):
                at_us, name = NOON_US + number * HOUR_US, f"c{card}"
                used.append(f"{name} {number}")
                seen = scene.event(used[-1], at_us, card=name, shop_id=f"s{card % 50}", amount=float(number))
                assert (seen["card_count_1d"], seen["card_amount_sum_1d"]) == (number, number * (number - 1) / 2)
        assert self.has_spilled(scene.door.state), "nothing was spilled, so nothing was shown"
        scene.proven(sampled=used[::499])


def _within(suite: ScenesOfRunning, plan: Plan) -> StateStore:
    state = suite.make_state_within(plan, suite.budget_bytes)
    assert state is not None
    return state


def hot_history(n: int, start_us: int, step_us: int) -> tuple[pa.Table, pa.Table]:
    """Return events h0, h1, … of one key at even steps, in the order of arrival, and the labels of every fourth pair.

    One event in twenty arrives an hour late, the last day excepted; of the labelled ones every second is positive.
    """
    contract = sample_contract()
    number = np.arange(n)
    event_us = start_us + number * step_us
    late = (number % 20 == 3) & (number < n * 9 // 10)
    ids = pa.array([f"h{i}" for i in number.tolist()])
    told = {"event_id": ids, "event_us": pa.array(event_us), "arrived_us": pa.array(event_us + late * HOUR_US)}
    payload = {
        "card": pa.array(["c1"] * n), "shop_id": pa.array([PSEUDONYMS.of("s1")] * n),
        "amount": pa.array(100 * (number % 1_000)), "score": pa.array(number % 7, mask=number % 3 == 0),
        "items": pa.array(number % 100), "device": pa.array(np.array(["ios", "web"])[number % 2]),
    }  # fmt: skip
    events = pa.table({**told, **payload}).cast(pa.schema([f for f in event_schema(contract) if f.name != "seq"]))
    about = number[(number % 8 // 2 == 1) & (number < n * 9 // 10)]
    labels = {
        "event_id": ids.take(pa.array(about)),
        "value": pa.array(about % 2),
        "arrived_us": pa.array(event_us[about]),
    }
    labels["source"] = pa.array(["test"] * len(about))
    return in_order_of_arrival(
        Head(0, 0, 0), events, pa.table(labels).cast(pa.schema([f for f in LABELS if f.name != "seq"]))
    )
