"""Scenarios about the two clocks of events: edges, ties, late and early ones, repeats, and a clock that falls."""

from __future__ import annotations

from weighbridge.errors import Conflict
from weighbridge.testing.edit_contract import refuses
from weighbridge.testing.semantics.scene import (
    DAY_US,
    FUTURE_US,
    HOUR_US,
    LATE_US,
    NOON_US,
    SECOND_US,
    WEEK_US,
    Scenes,
    is_undefined,
)


class ScenesOfEvents(Scenes):
    """What a decision sees of the events before it."""

    def test_an_empty_key_counts_nothing(self) -> None:
        """A key's first event has no history: counts and sums are 0, what is undefined is the one canonical NaN."""
        scene = self.scene()
        first = scene.event("a", NOON_US)
        assert (first["card_count_7d"], first["card_amount_sum_7d"], first["card_shop_id_distinct_7d"]) == (0, 0, 0)
        assert (first["card_device_seen_before_7d"], first["shop_label_streak_length_7d"]) == (0, 0)
        for name in ("card_score_mean_7d", "card_amount_std_7d", "card_amount_max_7d", "card_amount_quantile_0.5_7d"):
            assert is_undefined(first[name])
        assert all(
            is_undefined(first[name]) for name in ("card_since_last_7d", "shop_label_rate_7d", "amount_zscore_usual")
        )
        scene.proven()

    def test_an_event_exactly_last_old_is_out(self) -> None:
        """The window is open at its far end: exactly one hour old is out, one microsecond younger is in."""
        scene = self.scene()
        scene.event("old", NOON_US, amount=1.0)
        scene.event("younger", NOON_US + 1, amount=2.0)
        seen = scene.event("d", NOON_US + HOUR_US)
        assert (seen["card_count_1h"], seen["card_amount_sum_1h"], seen["card_count_1d"]) == (1, 2, 2)
        seen = scene.event("e", NOON_US + DAY_US, amount=4.0)
        assert (seen["card_count_1d"], seen["card_amount_sum_1d"], seen["card_count_7d"]) == (2, 3, 3)
        seen = scene.event("f", NOON_US + WEEK_US)
        assert (seen["card_count_7d"], seen["card_amount_max_7d"], seen["card_count_1d"]) == (3, 4, 0)
        scene.proven()

    def test_an_event_exactly_until_old_is_in(self) -> None:
        """A lagged window is closed at its near end: exactly one day old is in, one microsecond younger is out."""
        scene = self.scene()
        scene.event("old", NOON_US, amount=1.0)
        scene.event("younger", NOON_US + 1, amount=2.0)
        assert scene.event("d", NOON_US + DAY_US - 1)["card_amount_sum_7d_until_1d"] == 0
        assert scene.event("e", NOON_US + DAY_US)["card_amount_sum_7d_until_1d"] == 1
        assert scene.event("f", NOON_US + DAY_US + 1)["card_amount_sum_7d_until_1d"] == 3
        scene.proven()

    def test_ties_count_in_the_order_of_arrival(self) -> None:
        """Three events of one microsecond: each sees those that arrived before it, and none after."""
        scene = self.scene()
        counts = [scene.event(name, NOON_US, amount=amount) for name, amount in (("a", 1.0), ("b", 2.0), ("c", 4.0))]
        assert [seen["card_count_1h"] for seen in counts] == [0, 1, 2]
        assert [seen["card_amount_sum_1h"] for seen in counts] == [0, 1, 3]
        assert counts[2]["card_since_last_7d"] == 0
        scene.proven()

    def test_a_late_event_changes_no_earlier_vector(self) -> None:
        """Inside the allowed lateness: its own window ends at its event time, and only later arrivals see it."""
        scene = self.scene()
        scene.event("a", NOON_US, amount=1.0)
        before = scene.event("b", NOON_US + 2 * HOUR_US, amount=2.0)
        late = scene.event("late", NOON_US + HOUR_US, arrived_us=NOON_US + 3 * HOUR_US, amount=4.0)
        assert (late["card_count_1d"], late["card_amount_sum_1d"], late["card_since_last_7d"]) == (1, 1, 3_600)
        after = scene.event("c", NOON_US + 3 * HOUR_US)
        assert (before["card_count_1d"], before["card_amount_sum_1d"]) == (1, 1)
        assert (after["card_count_1d"], after["card_amount_sum_1d"], after["card_since_last_7d"]) == (3, 7, 3_600)
        scene.proven()

    def test_an_event_too_late_is_refused(self) -> None:
        """Exactly as late as allowed is taken; one microsecond more is refused by `late` and leaves no trace."""
        scene = self.scene()
        scene.event("a", NOON_US)
        assert scene.refusal("too late", NOON_US - LATE_US - 1, arrived_us=NOON_US) == "late"
        last = scene.event("just", NOON_US - LATE_US, arrived_us=NOON_US)
        assert (last["card_count_7d"], scene.event("b", NOON_US + 1)["card_count_7d"]) == (0, 2)
        scene.proven()

    def test_the_near_future_is_invisible_until_it_is_there(self) -> None:
        """Exactly as far ahead as allowed is taken; nobody sees it before its time, everybody from its time on."""
        scene = self.scene()
        ahead_us = NOON_US + FUTURE_US
        scene.event("ahead", ahead_us, arrived_us=NOON_US, amount=8.0)
        for number, (at_us, expected) in enumerate([(NOON_US, 0), (ahead_us - 1, 1), (ahead_us, 3), (ahead_us + 1, 4)]):
            seen = scene.event(f"e{number}", at_us)
            assert (seen["card_count_1d"], seen["card_amount_sum_1d"]) == (expected, expected + 7 * (at_us >= ahead_us))
        scene.proven()

    def test_the_far_future_is_refused(self) -> None:
        """One microsecond further ahead than allowed is refused by `future` and leaves no trace, not even later."""
        scene = self.scene()
        assert scene.refusal("far", NOON_US + FUTURE_US + 1, arrived_us=NOON_US) == "future"
        assert scene.event("a", NOON_US + FUTURE_US + 2)["card_count_1d"] == 0
        scene.proven()

    def test_the_same_event_again_gets_the_same_vector(self) -> None:
        """A repeat counts once and gets the first answer, even long after; other content of its id is a conflict."""
        scene = self.scene()
        scene.event("a", NOON_US)
        first = scene.vector("b", NOON_US + SECOND_US)
        scene.event("c", NOON_US + 2 * SECOND_US)
        assert scene.vector("b", NOON_US + SECOND_US, arrived_us=NOON_US + HOUR_US) == first
        assert scene.vector("b", NOON_US + SECOND_US, arrived_us=NOON_US + 2 * LATE_US) == first
        head = scene.log.head()
        refuses(Conflict, lambda: scene.event("b", NOON_US + SECOND_US, amount=2.0))
        assert scene.log.head() == head
        seen = scene.event("d", NOON_US + 3 * SECOND_US, arrived_us=NOON_US + HOUR_US)
        assert (seen["card_count_1d"], seen["card_amount_sum_1d"]) == (3, 3)
        scene.proven()

    def test_arrival_does_not_fall_with_the_clock(self) -> None:
        """The wall clock jumps back an hour: arrivals stand still, and lateness is judged by them, not by the wall."""
        scene = self.scene()
        scene.event("a", NOON_US)
        back = scene.event("b", NOON_US - HOUR_US)
        assert scene.log.find("b")[1].arrived_us == NOON_US  # type: ignore[index]
        again = scene.event("c", NOON_US + 1)
        assert (back["card_count_1d"], again["card_count_1d"], again["card_count_1h"]) == (0, 2, 1)
        scene.clock.set(NOON_US - HOUR_US)
        assert scene.refusal("d", NOON_US - LATE_US, arrived_us=NOON_US - HOUR_US) == "late"
        scene.label("b", 1, arrived_us=NOON_US - HOUR_US)
        assert scene.event("e", NOON_US + 2)["shop_label_rate_7d"] == 1
        scene.proven()
