"""Scenarios about labels: they count from the moment they arrived, and the newest one that had arrived counts."""

from __future__ import annotations

from weighbridge.testing.semantics.scene import (
    DAY_US,
    HOUR_US,
    NOON_US,
    SECOND_US,
    WEEK_US,
    Features,
    Scenes,
    is_undefined,
)


class ScenesOfLabels(Scenes):
    """What a decision sees of the labels of the events before it."""

    def test_a_label_counts_from_its_arrival_on(self) -> None:
        """Not from its event's time: what was decided in between did not know it, and is not changed by it."""
        scene = self.scene()
        scene.event("a", NOON_US)
        between = scene.event("b", NOON_US + HOUR_US)
        scene.label("a", 1, arrived_us=NOON_US + 2 * HOUR_US)
        after = scene.event("c", NOON_US + 2 * HOUR_US)
        assert labelled(between) == (0, 0)
        assert is_undefined(between["shop_label_rate_7d"])
        assert labelled(after) == (1, 1)
        assert (after["shop_label_rate_7d"], after["shop_label_streak_age_7d"]) == (1, 7_200)
        scene.proven()

    def test_a_label_may_come_before_its_event(self) -> None:
        """It waits, and counts once both have arrived, not for its own event; without an event it never counts."""
        scene = self.scene()
        scene.label("a", 1, arrived_us=NOON_US - HOUR_US)
        scene.label("never", 1, arrived_us=NOON_US - HOUR_US)
        assert scene.door.state.waiting == 2
        other = scene.event("z", NOON_US - 1)
        own = scene.event("a", NOON_US)
        next_one = scene.event("b", NOON_US + SECOND_US)
        assert [labelled(seen) for seen in (other, own, next_one)] == [(0, 0), (0, 0), (1, 1)]
        assert (next_one["shop_label_streak_length_7d"], next_one["shop_label_streak_age_7d"]) == (1, 1)
        assert scene.door.state.waiting == 1
        scene.proven()

    def test_a_correction_wins_from_its_arrival_on(self) -> None:
        """0, corrected to 1, corrected back: each decision sees the newest one that had arrived, and one event only."""
        scene = self.scene()
        scene.event("a", NOON_US)
        rates = []
        for number, value in enumerate([0, 1, 0]):
            scene.label("a", value, arrived_us=NOON_US + (2 * number + 1) * SECOND_US)
            seen = scene.event(f"d{number}", NOON_US + (2 * number + 2) * SECOND_US)
            assert labelled(seen) == (1, value)
            rates.append(seen["shop_label_rate_7d"])
        assert rates == [0, 1, 0]
        scene.proven()

    def test_of_two_labels_in_conflict_the_latest_counts(self) -> None:
        """Two sources, one moment: the place in the order of arrival decides, also for labels before their event."""
        scene = self.scene()
        scene.label("early", 0, arrived_us=NOON_US, source="bank")
        scene.label("early", 1, arrived_us=NOON_US, source="shop")
        scene.event("a", NOON_US)
        scene.event("early", NOON_US)
        scene.label("a", 1, arrived_us=NOON_US, source="bank")
        between = scene.event("b", NOON_US)
        scene.label("a", 0, arrived_us=NOON_US, source="shop")
        after = scene.event("c", NOON_US)
        assert (labelled(between), labelled(after)) == ((2, 2), (2, 1))
        assert (between["shop_label_rate_7d"], after["shop_label_rate_7d"]) == (1, 0.5)
        assert (between["shop_label_streak_length_7d"], after["shop_label_streak_length_7d"]) == (2, 1)
        scene.proven()

    def test_a_label_is_of_its_events_time(self) -> None:
        """However late it arrives, it is in the window exactly when its event is, edges included."""
        scene = self.scene()
        scene.event("a", NOON_US)
        scene.label("a", 1, arrived_us=NOON_US + DAY_US - 1)
        assert is_undefined(scene.event("b", NOON_US + DAY_US - 1)["shop_label_rate_7d_until_1d"])
        seen = scene.event("c", NOON_US + DAY_US)
        assert (seen["shop_label_rate_7d_until_1d"], seen["shop_label_count_labelled_1d"]) == (1, 0)
        assert labelled(scene.event("d", NOON_US + WEEK_US - 1)) == (1, 1)
        scene.label("a", 0, arrived_us=NOON_US + WEEK_US)
        assert labelled(scene.event("e", NOON_US + WEEK_US)) == (0, 0)
        scene.proven()


def labelled(seen: Features) -> tuple[float, float]:
    """Return how many labelled and how many positive events of the week a decision saw."""
    return seen["shop_label_count_labelled_7d"], seen["shop_label_count_positive_7d"]
