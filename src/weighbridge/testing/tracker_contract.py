"""What every tracker must do."""

from __future__ import annotations

from functools import partial
from typing import Any

from weighbridge.errors import Conflict
from weighbridge.ports import Tracker
from weighbridge.testing.edit_contract import refuses


class TrackerContract:
    """Tracker."""

    def make(self) -> Tracker:
        """Return an empty tracker."""
        raise NotImplementedError

    def test_runs_come_back_in_order(self) -> None:
        """All of them, or those of one verb."""
        tracker = self.make()
        tracker.record("r1", "train", 1, {"ap": 0.5})
        tracker.record("r2", "build", 2, {})
        assert [r for r, _, _, _ in tracker.runs()] == ["r1", "r2"]
        assert [(r, at, dict(f)) for r, _, at, f in tracker.runs("train")] == [("r1", 1, {"ap": 0.5})]

    def test_the_id_of_a_run_is_given_once(self) -> None:
        """A second run of an id is refused, also with the same content, and the first stays; the next one is taken."""
        tracker = self.make()
        first: tuple[str, str, int, dict[str, Any]] = ("r1", "train", 1, {"ap": 0.5})
        tracker.record(*first)
        for again in (first, ("r1", "train", 1, {"ap": 0.6}), ("r1", "build", 2, {})):
            refuses(Conflict, partial(tracker.record, *again))
        tracker.record("r2", "build", 2, {})
        refuses(Conflict, partial(tracker.record, *first))
        assert [(*run, dict(facts)) for *run, facts in tracker.runs()] == [first, ("r2", "build", 2, {})]
