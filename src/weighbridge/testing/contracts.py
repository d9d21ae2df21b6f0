"""Public contract suites: what every engine behind a port must do. Subclass one, give it `make`, and run pytest.

class TestMyLog(LogContract):
    def make(self, contract):
        return MyLog(contract)
"""

from __future__ import annotations

import pyarrow as pa

from weighbridge.errors import BundleRefused, Conflict, InputError
from weighbridge.ports import BundleStore, Registry, TableStore, Tracker
from weighbridge.records import Move
from weighbridge.testing.edit_contract import refuses
from weighbridge.testing.log_contract import LogContract

__all__ = ["BundleContract", "LogContract", "RegistryContract", "TableContract", "TrackerContract"]


class RegistryContract:
    """Registry."""

    def make(self) -> Registry:
        """Return an empty registry."""
        raise NotImplementedError

    def test_an_alias_moves_by_compare_and_swap(self) -> None:
        """Whoever looked at an older state loses, and the history has the winner only."""
        registry = self.make()
        for bundle in ("a", "b"):
            registry.add(bundle, {"n": 1}, 5)
        registry.move(Move("production", "a", None, "me", "first", 6, ({"gate": "g", "passed": True},)))
        refuses(Conflict, lambda: registry.move(Move("production", "b", None, "you", "late", 7)))
        assert registry.alias("production") == "a"
        registry.move(Move("production", "b", "a", "you", "better", 8))
        assert [m.bundle for m in registry.moves()] == ["a", "b"]
        assert list(registry.moves()[0].gates) == [{"gate": "g", "passed": True}]

    def test_unknown_bundles_are_refused(self) -> None:
        """An alias points at registered bundles only."""
        registry = self.make()
        refuses(InputError, lambda: registry.move(Move("production", "x", None, "me", "", 1)))
        assert registry.alias("production") is None

    def test_registering_again_changes_nothing(self) -> None:
        """The first facts stay."""
        registry = self.make()
        registry.add("a", {"n": 1}, 5)
        registry.add("a", {"n": 2}, 6)
        assert [(b, at, dict(f)) for b, at, f in registry.bundles()] == [("a", 5, {"n": 1})]


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


class TableContract:
    """TableStore."""

    def make(self) -> TableStore:
        """Return an empty table store."""
        raise NotImplementedError

    def test_a_table_is_replaced_whole(self) -> None:
        """What was put last is what is got; a name without a table is None."""
        tables = self.make()
        assert tables.get("a") is None
        for values in ([1, 2], [3]):
            tables.put("a", pa.table({"x": values}))
        found = tables.get("a")
        assert found is not None
        assert found["x"].to_pylist() == [3]


class BundleContract:
    """BundleStore."""

    def make(self) -> BundleStore:
        """Return an empty bundle store."""
        raise NotImplementedError

    def test_a_bundle_is_immutable(self) -> None:
        """The first content of an id stays; an unknown id is refused."""
        bundles = self.make()
        bundles.put("a", {"x": b"1", "y": b""})
        bundles.put("a", {"x": b"2"})
        assert bundles.files("a") == {"x": b"1", "y": b""}
        refuses(BundleRefused, lambda: bundles.files("b"))
