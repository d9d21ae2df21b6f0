"""Scenarios about the calendar: days that have no 24 hours, and a year that has one day more."""

from __future__ import annotations

from weighbridge.clock import iso_to_us
from weighbridge.testing.semantics.scene import DAY_US, WEEK_US, Scenes


class ScenesOfCalendar(Scenes):
    """Windows are elapsed time; only features that name a zone know the calendar."""

    def test_hours_follow_the_zone_over_daylight_saving(self) -> None:
        """Paris skips the hour 2 in March and has it twice in October; UTC has every hour once."""
        scene = self.scene()
        hours = [
            ("2026-03-29T00:59:59Z", 0, 1), ("2026-03-29T01:00:00Z", 1, 3), ("2026-10-24T23:59:59Z", 23, 1),
            ("2026-10-25T00:59:59.999999Z", 0, 2), ("2026-10-25T01:00:00Z", 1, 2), ("2026-10-25T02:00:00Z", 2, 3),
        ]  # fmt: skip
        for number, (at, utc, paris) in enumerate(hours):
            seen = scene.event(f"e{number}", iso_to_us(at))
            assert (seen["hour_of_day"], seen["hour_of_day_Europe/Paris"]) == (utc, paris)
        scene.proven()

    def test_a_day_is_24_hours_on_the_day_the_clocks_change(self) -> None:
        """Noon to noon in Paris is 23 hours in March and 25 in October: inside a day, and outside of it."""
        scene = self.scene()
        seen = {}
        for at in ("2026-03-28T12:00:00+01:00", "2026-03-29T12:00:00+02:00", "2026-03-29T13:00:00+02:00",
                   "2026-10-24T12:00:00+02:00", "2026-10-25T12:00:00+01:00"):  # fmt: skip
            seen[at[5:13]] = scene.event(at, iso_to_us(at))
        assert (seen["03-29T12"]["card_count_1d"], seen["03-29T12"]["card_since_last_7d"]) == (1, 23 * 3_600)
        assert seen["03-29T13"]["card_count_1d"] == 1  # 24 hours after the first: only the one before is left
        assert (seen["10-25T12"]["card_count_1d"], seen["10-25T12"]["card_since_last_7d"]) == (0, 25 * 3_600)
        scene.proven()

    def test_the_leap_day_is_a_day(self) -> None:
        """29 February 2028 is a Tuesday, and the week from 24 February ends on 2 March."""
        scene = self.scene()
        start_us = iso_to_us("2028-02-24T12:00:00Z")
        scene.event("a", start_us)
        scene.event("b", start_us + 1)
        leap = scene.event("c", iso_to_us("2028-02-29T12:00:00Z"))
        assert (leap["day_of_week"], leap["card_since_last_7d"]) == (1, (5 * DAY_US - 1) // 1_000_000 + 1)
        assert iso_to_us("2028-03-02T12:00:00Z") == start_us + WEEK_US
        week = scene.event("d", iso_to_us("2028-03-02T12:00:00Z"))
        assert (week["day_of_week"], week["card_count_7d"], week["card_count_1d"]) == (3, 2, 0)
        scene.proven()
