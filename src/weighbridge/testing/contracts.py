"""Public contract suites: what every engine behind a port must do. Subclass one, give it `make`, and run pytest.

class TestMyLog(LogContract):
    def make(self, contract):
        return MyLog(contract)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from weighbridge.declare import Contract
from weighbridge.errors import BundleRefused, Conflict, InputError
from weighbridge.ports import BundleStore, Log, Registry, TableStore, Tracker
from weighbridge.records import DecisionRecord, EventRecord, LabelRecord, Move
from weighbridge.stores.tables import LABELS, event_table, in_order_of_arrival
from weighbridge.testing.samples import sample_contract


def refuses(error: type[Exception], call: Callable[[], Any]) -> None:
    """Assert that a call raises an error."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


def sample_event(number: int, arrived_us: int = 0) -> EventRecord:
    """Return an event of `sample_contract`, with a missing value in it."""
    values = ("c1", "s1", 100 + number, None, 3, "web")
    return EventRecord(f"e{number}", 1_000 * number, arrived_us or 1_000 * number, values)


def sample_decision(number: int) -> DecisionRecord:
    """Return a decision about `sample_event(number)`."""
    return DecisionRecord(
        f"d{number}",
        f"e{number}",
        "b" * 64,
        b"\x00\x00\xc0\x7f" * 3,
        0.25,
        "low",
        "approve",
        (),
        1_000 * number,
        17,
        "t",
    )


class LogContract:
    """EventLog and DecisionLog."""

    def make(self, contract: Contract) -> Log:
        """Return an empty log."""
        raise NotImplementedError

    def log(self) -> Log:
        """Return an empty log of the sample contract."""
        return self.make(sample_contract())

    def test_an_empty_log_ends_at_zero(self) -> None:
        """No record, no place."""
        head = self.log().head()
        assert (head.seq, head.data_seq, head.arrived_us) == (0, 0, 0)

    def test_records_share_one_rising_order(self) -> None:
        """Events, labels and notes take places of one order; arrivals of data never fall."""
        log = self.log()
        (first,) = log.commit([(sample_event(5), None)])
        (second,) = log.commit([], [LabelRecord("e5", 1, 4_000, "x")])
        third = log.note("promotion", {"bundle": "b"}, 9_000_000)
        (fourth,) = log.commit([(sample_event(6), None)])
        assert first < second < third < fourth == log.head().seq == log.head().data_seq
        assert log.head().arrived_us == 6_000

    def test_a_note_is_not_data(self) -> None:
        """A note takes a place and leaves the newest event's place and arrival."""
        log = self.log()
        (place,) = log.commit([(sample_event(1), None)])
        log.note("promotion", {"bundle": "b"}, 9_000_000)
        assert (log.head().data_seq, log.head().arrived_us) == (place, 1_000)
        assert [(at, dict(body)) for _, at, body in log.notes("promotion")] == [(9_000_000, {"bundle": "b"})]

    def test_an_event_comes_back_as_it_was(self) -> None:
        """Found by id, with its place; missing values stay missing."""
        log = self.log()
        (seq,) = log.commit([(sample_event(1), sample_decision(1))])
        assert log.find("e1") == (seq, sample_event(1))
        assert log.holds("e1")
        assert log.find("e2") is None
        assert not log.holds("e2")
        assert log.decision("e1") == sample_decision(1)
        assert log.decision("e2") is None

    def test_an_id_is_stored_once(self) -> None:
        """A second commit of an id is a conflict, and leaves no trace."""
        log = self.log()
        log.commit([(sample_event(1), sample_decision(1))])
        before = log.head()
        refuses(Conflict, lambda: log.commit([(sample_event(1), replace(sample_decision(1), decision_id="other"))]))
        assert log.head() == before
        assert len(log.events()) == len(log.decisions()) == 1

    def test_tables_are_by_place(self) -> None:
        """Events and labels come as tables, sorted by seq, with the contract's fields."""
        log = self.log()
        for number in (3, 1, 2):
            log.commit([(sample_event(number), None)])
            log.commit([], [LabelRecord(f"e{number}", number % 2, 0, "x")])
        events, labels = log.events(), log.labels()
        assert events["event_id"].to_pylist() == ["e3", "e1", "e2"]
        assert events["seq"].to_pylist() == sorted(events["seq"].to_pylist())
        assert events["score"].to_pylist() == [None] * 3
        assert labels.schema == LABELS
        assert labels["value"].to_pylist() == [1, 1, 0]

    def test_history_goes_in_whole(self) -> None:
        """Imported events are found, known, and in the tables before what comes later."""
        log, contract = self.log(), sample_contract()
        events = event_table(contract, [(0, sample_event(n)) for n in (2, 1)]).drop_columns(["seq"])
        labels = LABELS.empty_table().drop_columns(["seq"])
        log.import_history(*in_order_of_arrival(log.head(), events, labels))
        assert log.known(pa.array(["e1", "e9"])).to_pylist() == [True, False]
        assert log.find("e2") == (2, sample_event(2))
        assert log.commit([(sample_event(3), None)]) == [3]
        assert log.events()["event_id"].to_pylist() == ["e1", "e2", "e3"]
        assert log.head().arrived_us == 3_000

    def test_history_that_is_stored_is_refused_whole(self) -> None:
        """One known id refuses the import, and nothing of it is stored."""
        log, contract = self.log(), sample_contract()
        log.commit([(sample_event(1), None)])
        events = event_table(contract, [(7, sample_event(8, 10_000)), (8, sample_event(1, 10_000))])
        refuses(Conflict, lambda: log.import_history(events, LABELS.empty_table()))
        assert log.events()["event_id"].to_pylist() == ["e1"]
        assert not log.holds("e8")

    def test_the_chain_of_decisions_holds(self) -> None:
        """The hashes of what was written follow."""
        log = self.log()
        for number in range(4):
            log.commit([(sample_event(number), sample_decision(number))])
        assert log.broken_link() is None
        assert len(set(log.decisions()["hash"].to_pylist())) == 4


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
