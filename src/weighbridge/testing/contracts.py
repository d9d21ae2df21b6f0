"""Public contract suites: what every engine behind a port must do. Subclass one, give it `make`, and run pytest.

class TestMyLog(LogContract):
    def make(self, contract):
        return MyLog(contract)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial

import pyarrow as pa

from weighbridge.errors import BundleRefused, Conflict, InputError
from weighbridge.ports import BundleStore, Keys, Log, Registry, Shadows, TableStore
from weighbridge.records import MOVED, Alias, ApiKey, Move, ShadowRecord
from weighbridge.testing.edit_contract import refuses
from weighbridge.testing.log_contract import LogContract
from weighbridge.testing.tracker_contract import TrackerContract

__all__ = [
    "BundleContract",
    "KeyContract",
    "LogContract",
    "RegistryContract",
    "ShadowContract",
    "TableContract",
    "TrackerContract",
]


class RegistryContract:
    """Registry."""

    def make(self) -> tuple[Registry, Log]:
        """Return an empty registry, and the log that its moves are noted in."""
        raise NotImplementedError

    def test_an_alias_moves_by_compare_and_swap(self) -> None:
        """Whoever looked at an older state loses, and history and log have the winner only."""
        registry, log = self._with("a", "b")
        first = Move("production", "a", None, "me", "first", 6, ({"gate": "g", "passed": True},))
        registry.move(first)
        refuses(Conflict, lambda: registry.move(Move("production", "b", None, "you", "late", 7)))
        assert registry.alias("production") == "a"
        registry.move(Move("production", "b", "a", "you", "better", 8))
        assert [m.bundle for m in registry.moves()] == ["a", "b"]
        assert list(registry.moves()[0].gates) == [{"gate": "g", "passed": True}]
        assert [(at, dict(body)) for _, at, body in log.notes(MOVED)] == [
            (move.moved_us, dict(move.note.body)) for move in registry.moves()
        ]
        assert log.head().seq == 2

    def test_a_canary_has_a_share(self) -> None:
        """A change of the share is a move too, by compare-and-swap on bundle and share; clearing ends it."""
        registry, log = self._with("a", "b")
        for share, seen in ((0.05, None), (0.2, 0.05), (0.0, 0.2)):
            before = None if seen is None else "a"
            registry.move(Move("canary", "a", before, "me", "more", 1, share=share, share_before=seen))
            assert registry.aliases() == {"canary": Alias("a", share)}
        refuses(Conflict, lambda: registry.move(Move("canary", "b", "a", "you", "late", 2, share=1, share_before=0.2)))
        registry.move(Move("canary", None, "a", "me", "enough", 3, share_before=0.0))
        assert (registry.aliases(), registry.alias("canary")) == ({}, None)
        assert [(m.bundle, m.share, m.share_before) for m in registry.moves()] == [
            ("a", 0.05, None), ("a", 0.2, 0.05), ("a", 0.0, 0.2), (None, None, 0.0)
        ]  # fmt: skip
        assert [body["share"] for _, _, body in log.notes(MOVED)] == [0.05, 0.2, 0.0, None]
        refuses(Conflict, lambda: registry.move(Move("canary", None, "a", "me", "again", 4, share_before=0.0)))

    def test_moves_go_together_or_not_at_all(self) -> None:
        """One that comes too late, or names what is not registered, takes the others with it."""
        registry, log = self._with("a", "b")
        registry.move(Move("production", "a", None, "me", "", 1), Move("shadow", "b", None, "me", "", 1))
        assert registry.aliases() == {"production": Alias("a"), "shadow": Alias("b")}
        before = (registry.aliases(), registry.moves(), log.head())
        good = Move("production", "b", "a", "me", "", 2)
        for error, bad in (
            (Conflict, Move("shadow", "a", "a", "me", "", 2)),
            (InputError, Move("shadow", "x", "b", "me", "", 2)),
        ):
            refuses(error, partial(registry.move, good, bad))
            assert (registry.aliases(), registry.moves(), log.head()) == before

    def test_of_many_that_move_at_once_one_wins(self) -> None:
        """Fifty threads that saw the same."""
        names = [f"b{number}" for number in range(50)]
        registry, log = self._with(*names)

        def attempt(name: str) -> bool:
            try:
                registry.move(Move("production", name, None, name, "race", 1))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(len(names)) as pool:
            won = [name for name, moved in zip(names, pool.map(attempt, names), strict=True) if moved]
        assert [registry.alias("production")] == won == [m.bundle for m in registry.moves()]
        assert len(log.notes(MOVED)) == 1

    def test_unknown_bundles_are_refused(self) -> None:
        """An alias points at registered bundles only."""
        registry, log = self._with()
        refuses(InputError, lambda: registry.move(Move("production", "x", None, "me", "", 1)))
        assert registry.alias("production") is None
        assert log.head().seq == 0

    def test_registering_again_changes_nothing(self) -> None:
        """The first facts stay."""
        registry, _ = self._with("a")
        registry.add("a", {"n": 2}, 6)
        assert [(b, at, dict(f)) for b, at, f in registry.bundles()] == [("a", 5, {"n": 1})]

    def _with(self, *bundles: str) -> tuple[Registry, Log]:
        registry, log = self.make()
        for bundle in bundles:
            registry.add(bundle, {"n": 1}, 5)
        return registry, log


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


class ShadowContract:
    """Shadows."""

    def make(self) -> Shadows:
        """Return an empty store."""
        raise NotImplementedError

    def test_rows_come_back_in_order_and_once(self) -> None:
        """A row about a known event and bundle changes nothing; floats keep every bit."""
        shadows = self.make()
        assert len(shadows.table()) == 0
        rows = [ShadowRecord(f"e{n}", bundle, 0.1 * n, "review") for n in (2, 1) for bundle in ("b", "a")]
        shadows.put(rows[:3])
        shadows.put([ShadowRecord("e2", "a", 0.9, "decline"), rows[3]])
        assert shadows.table().to_pylist() == [asdict(row) for row in rows]
        about = shadows.about("a", ["e1", "e0", "e2", "' or 1=1"]).to_pylist()
        assert sorted(about, key=lambda row: row["event_id"]) == [asdict(rows[3]), asdict(rows[1])]
        assert len(shadows.about("a", [])) == len(shadows.about("c", ["e1"])) == 0
        assert shadows.about("a", []).schema == shadows.table().schema
        shadows.put([ShadowRecord("e3", "a", None, "")])
        assert shadows.about("a", ["e3"])["probability"].to_pylist() == [None]


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

    def test_a_bundle_that_is_too_large_is_not_read(self) -> None:
        """The bound is on all files together."""
        bundles = self.make()
        bundles.put("a", {"x": b"123", "y": b"45"})
        assert bundles.files("a", at_most=5) == {"x": b"123", "y": b"45"}
        refuses(BundleRefused, lambda: bundles.files("a", at_most=4))
