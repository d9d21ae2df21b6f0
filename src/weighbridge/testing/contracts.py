"""Public contract suites: what every engine behind a port must do. Subclass one, give it `make`, and run pytest.

class TestMyLog(LogContract):
    def make(self, contract):
        return MyLog(contract)
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pyarrow as pa

from weighbridge.errors import BundleRefused, Conflict, InputError
from weighbridge.ports import BundleStore, Keys, Registry, TableStore, Tracker
from weighbridge.records import ApiKey, Move
from weighbridge.testing.edit_contract import refuses
from weighbridge.testing.log_contract import LogContract

__all__ = ["BundleContract", "KeyContract", "LogContract", "RegistryContract", "TableContract", "TrackerContract"]


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


class KeyContract:
    """Keys."""

    def make(self) -> Keys:
        """Return a store without a key."""
        raise NotImplementedError

    def test_a_key_comes_back_as_it_was(self) -> None:
        """All of its members, oldest first, and every change raises the version."""
        keys = self.make()
        versions = [keys.version()]
        assert (list(keys.all()), versions) == ([], [0])
        whole = ApiKey("i2", "b", ("label", "score"), "ab" * 32, 5, "me", 9, 2.5, 7)
        for key in (whole, sample_key("i1", "a")):
            keys.add(key)
            versions.append(keys.version())
        assert keys.all() == [whole, sample_key("i1", "a")]
        keys.revoke("b", "you", 6)
        versions.append(keys.version())
        assert versions == sorted(set(versions))
        assert keys.all() == [replace(whole, revoked_us=6, revoked_by="you"), sample_key("i1", "a")]

    def test_a_name_belongs_to_one_key_until_that_is_revoked(self) -> None:
        """A second key of a name, or of an id, is refused and leaves no trace; after a revocation the name is free."""
        keys = self.make()
        keys.add(sample_key("i1", "a"))
        for id_, name in (("i2", "a"), ("i1", "b")):
            refuses(Conflict, partial(keys.add, sample_key(id_, name)))
        assert (keys.all(), keys.version()) == ([sample_key("i1", "a")], 1)
        assert keys.revoke("a", "me", 6) == replace(sample_key("i1", "a"), revoked_us=6, revoked_by="me")
        keys.add(sample_key("i2", "a"))
        assert keys.revoke("a", "me", 7).id == "i2"
        assert [key.revoked_us for key in keys.all()] == [6, 7]

    def test_only_a_key_that_is_there_is_revoked(self) -> None:
        """An unknown name, or one revoked before, is refused; the first revocation stays."""
        keys = self.make()
        keys.add(sample_key("i1", "a"))
        keys.revoke("a", "me", 6)
        for name in ("a", "z"):
            refuses(InputError, partial(keys.revoke, name, "you", 7))
        assert (keys.all()[0].revoked_us, keys.all()[0].revoked_by, keys.version()) == (6, "me", 2)


def sample_key(id_: str, name: str) -> ApiKey:
    """Return a key without limits."""
    return ApiKey(id_, name, ("score",), "0" * 64, 1, "me")


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
