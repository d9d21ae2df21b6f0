"""Scenarios about child rows: a decision sees those that had come, or those that came with it."""

from __future__ import annotations

from dataclasses import replace

from weighbridge.declare import Child, Integer, Key, Money, UseCase, ratio
from weighbridge.errors import Conflict
from weighbridge.testing.samples import sample_case
from weighbridge.testing.semantics.scene import HOUR_US, NOON_US, SECOND_US, Scene, Scenes, is_undefined

LOANS = Child(
    "loans",
    [Key("card"), Key("loan"), Integer("day", at_least=-999, at_most=0), Money("owed", at_least=0, at_most=1e6)],
    by="card",
    unique="loan",
)
MONTHS = Child("months", [Key("loan"), Integer("late", at_least=0, at_most=99)], by="loan", of=LOANS)


def case_with_rows() -> UseCase:
    """Return the sample case with loans of a card, and months of a loan."""
    case = sample_case()
    made = [
        LOANS.count(), LOANS.count(last="30d", on="day"), LOANS.sum("owed"), LOANS.mean("owed"),
        LOANS.latest("owed", order="day"), MONTHS.count(), MONTHS.max("late"), ratio("amount", LOANS.sum("owed")),
    ]  # fmt: skip
    return replace(case, children=[LOANS, MONTHS], features=[*case.features, *made])


def loan(name: str, day: int, owed: float) -> dict[str, object]:
    """Return a raw loan of card c1."""
    return {"card": "c1", "loan": name, "day": day, "owed": owed}


class ScenesOfChildRows(Scenes):
    """Rows that are stored, sent, late, corrected, or of a table that never comes."""

    def lending(self) -> Scene:
        """Return an empty scene of a case with child tables."""
        return self.scene(case=case_with_rows())

    def test_child_rows_count_from_their_arrival_on(self) -> None:
        """Not for who was decided before, and for a late event that comes after them, whenever it happened."""
        scene = self.lending()
        before = scene.event("before", NOON_US)
        scene.rows("loans", loan("l1", -5, 10.0), loan("l2", -60, 2.5), arrived_us=NOON_US + SECOND_US)
        after = scene.event("after", NOON_US + HOUR_US)
        late = scene.event("late", NOON_US - HOUR_US, arrived_us=NOON_US + HOUR_US)
        other = scene.event("other", NOON_US + HOUR_US, card="c2")
        assert [seen["loans_count"] for seen in (before, after, late, other)] == [0, 2, 2, 0]
        assert (after["loans_count_30d"], after["loans_owed_sum"], after["loans_owed_mean"]) == (1, 12.5, 6.25)
        scene.restart()
        assert scene.event("again", NOON_US + HOUR_US)["loans_owed_latest"] == 10
        scene.proven()

    def test_child_rows_sent_with_an_event_take_the_place_of_stored_ones(self) -> None:
        """For this event alone; none at all may be sent too, and a retry must bring the same."""
        scene = self.lending()
        scene.rows("loans", loan("l1", -5, 10.0), arrived_us=NOON_US)
        own = scene.vector("own", NOON_US, loans=[loan("l2", -1, 1.0), loan("l3", -1, 2.0)])
        assert scene.event("none", NOON_US, loans=[])["loans_count"] == 0
        assert scene.event("stored", NOON_US)["loans_owed_sum"] == 10
        assert scene.event("two", NOON_US, loans=[loan("l2", -1, 1.0), loan("l3", -1, 2.0)])["loans_owed_sum"] == 3
        assert scene.vector("own", NOON_US, loans=[loan("l2", -1, 1.0), loan("l3", -1, 2.0)]) == own
        try:
            scene.vector("own", NOON_US, loans=[loan("l2", -1, 1.5)])
        except Conflict:
            scene.proven()
            return
        raise AssertionError("other rows under the same id were taken")

    def test_the_newest_child_row_of_a_key_counts(self) -> None:
        """From its arrival on; the row that it replaces counts for who was decided before it."""
        scene = self.lending()
        seen = []
        for number, owed in enumerate((10.0, 4.0, 10.0)):
            scene.rows("loans", loan("l1", -5, owed), loan(f"of {number}", -6, 1.0), arrived_us=NOON_US + number)
            seen.append(scene.event(f"e{number}", NOON_US + number)["loans_owed_sum"])
        assert seen == [11, 6, 13]
        scene.proven()

    def test_child_rows_count_once_their_parent_is_there(self) -> None:
        """Months that come before their loan wait for it, in whatever order the tables come."""
        scene = self.lending()
        scene.rows("months", {"loan": "l1", "late": 3}, {"loan": "unknown", "late": 9}, arrived_us=NOON_US)
        assert scene.event("a", NOON_US)["months_count"] == 0
        scene.rows("loans", loan("l1", -5, 10.0), arrived_us=NOON_US + 1)
        seen = scene.event("b", NOON_US + 1)
        assert (seen["months_count"], seen["months_late_max"]) == (1, 3)
        assert scene.event("c", NOON_US + 1, loans=[])["months_count"] == 0
        scene.proven()

    def test_a_child_table_that_never_came_is_empty(self) -> None:
        """Its counts and sums are 0, what needs a row is undefined, and nothing fails."""
        scene = self.lending()
        seen = scene.event("a", NOON_US)
        assert (seen["loans_count"], seen["loans_owed_sum"], seen["months_count"]) == (0, 0, 0)
        assert is_undefined(seen["loans_owed_mean"])
        assert is_undefined(seen["months_late_max"])
        scene.proven()
