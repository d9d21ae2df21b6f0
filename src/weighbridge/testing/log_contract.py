"""The contract suite of a log: what every engine behind EventLog and DecisionLog must do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.errors import Conflict
from weighbridge.ports import LAST, Log
from weighbridge.records import LabelRecord, Note
from weighbridge.stores.tables import LABELS, event_table, in_order_of_arrival
from weighbridge.testing.edit_contract import EditContract, refuses, sample_decision, sample_event
from weighbridge.testing.samples import sample_contract


class LogContract(EditContract):
    """EventLog and DecisionLog."""

    def test_an_empty_log_ends_at_zero(self) -> None:
        """No record, no place."""
        head = self.log().head()
        assert (head.seq, head.data_seq, head.arrived_us) == (0, 0, 0)

    def test_records_share_one_rising_order(self) -> None:
        """Events, labels and notes take places of one order; arrivals of data never fall."""
        log = self.log()
        (first,) = log.commit([(sample_event(5), None)])
        (second,) = log.commit([], [LabelRecord("e5", 1, 4_000, "x")])
        (third,) = log.commit([], [Note("promotion", {"bundle": "b"}, 9_000_000)])
        (fourth,) = log.commit([(sample_event(6), None)])
        assert first < second < third < fourth == log.head().seq == log.head().data_seq
        assert log.head().arrived_us == 6_000

    def test_a_note_is_not_data(self) -> None:
        """A note takes a place and leaves the newest event's place and arrival."""
        log = self.log()
        (place,) = log.commit([(sample_event(1), None)])
        log.commit([], [Note("promotion", {"bundle": "b"}, 9_000_000)])
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
        assert log.decision("e1") == log.decision_called("d1") == sample_decision(1)
        assert log.decision("e2") is log.decision_called("d2") is log.decision_called("e1") is None

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

    def test_a_group_goes_in_whole_and_in_its_order(self) -> None:
        """Events first, labels behind them; their places follow each other, and the head is at the last."""
        log = self.log()
        before = log.commit([(sample_event(1), sample_decision(1))])
        group = [(sample_event(n), None if n == 4 else sample_decision(n)) for n in (3, 2, 4)]
        seqs = log.commit(group, [LabelRecord("e1", 1, 9_000, "x"), LabelRecord("e4", 0, 9_000, "y")])
        assert len(seqs) == 5
        assert [*before, *seqs] == sorted({*before, *seqs})
        assert log.events()["event_id"].to_pylist() == ["e1", "e3", "e2", "e4"]
        assert log.labels().select(["seq", "event_id", "value", "arrived_us", "source"]).to_pylist() == [
            {"seq": seqs[3], "event_id": "e1", "value": 1, "arrived_us": 9_000, "source": "x"},
            {"seq": seqs[4], "event_id": "e4", "value": 0, "arrived_us": 9_000, "source": "y"},
        ]
        assert (log.head().seq, log.head().data_seq, log.head().arrived_us) == (seqs[-1], seqs[-1], 9_000)
        assert log.decisions()["seq"].to_pylist() == [*before, *seqs[:2]]
        assert log.broken_link() is None
        assert log.commit([]) == []

    def test_a_group_with_a_known_or_double_id_leaves_no_trace(self) -> None:
        """One event that is stored, or stands twice, refuses the whole group, its labels too."""
        log = self.log()
        log.commit([(sample_event(1), sample_decision(1))])
        before = log.head()
        label = [LabelRecord("e1", 1, 9_000, "x")]
        for numbers in ((2, 3, 1), (2, 3, 2)):
            refuses(Conflict, partial(log.commit, [(sample_event(n), None) for n in numbers], label))
        assert (log.head(), len(log.events()), len(log.labels())) == (before, 1, 0)
        assert not log.holds("e2")
        assert log.broken_link() is None

    def test_what_came_after_a_place_is_read_alone(self) -> None:
        """Events and labels with seq > after, whether hot, sealed or imported."""
        log, contract = self.log(), sample_contract()
        events = event_table(contract, [(0, sample_event(n)) for n in (1, 2)]).drop_columns(["seq"])
        log.import_history(*in_order_of_arrival(log.head(), events, LABELS.empty_table().drop_columns(["seq"])))
        for number in (3, 4, 5):
            log.commit([(sample_event(number), None)], [LabelRecord(f"e{number}", 1, 6_000, "x")])
        log.seal(4)
        for after in range(log.head().seq + 2):
            for read in (log.events, log.labels):
                assert read(after) == read().filter(pc.greater(read()["seq"], after)), after

    def test_history_behind_what_was_decided_is_in_order(self) -> None:
        """An import goes on behind hot records, and hot records behind it."""
        log, contract = self.log(), sample_contract()
        log.commit([(sample_event(1), sample_decision(1))])
        events = event_table(contract, [(0, sample_event(n)) for n in (2, 3)]).drop_columns(["seq"])
        log.import_history(*in_order_of_arrival(log.head(), events, LABELS.empty_table().drop_columns(["seq"])))
        log.commit([(sample_event(4), sample_decision(4))])
        for _ in range(2):
            assert log.events()["event_id"].to_pylist() == ["e1", "e2", "e3", "e4"]
            assert [log.find(f"e{n}") for n in (1, 3, 4)] == [(n, sample_event(n)) for n in (1, 3, 4)]
            log.seal(0)

    def test_sealing_changes_nothing_for_a_reader(self) -> None:
        """Head, look-ups, tables, decisions, chain and notes are as before; and the log goes on."""
        log = self.log()
        for number in range(1, 9):
            log.commit([(sample_event(number), sample_decision(number))], [LabelRecord(f"e{number}", 1, 0, "x")])
            log.commit([], [Note("promotion", {"n": number}, 0)])
        before = _everything(log)
        for keep_hot in (20, 7, 3, 3, 0):
            log.seal(keep_hot)
            assert _everything(log) == before, keep_hot
        refuses(Conflict, lambda: log.commit([(sample_event(2), None)]))
        log.commit([(sample_event(9), sample_decision(9))])
        assert log.broken_link() is None
        seqs = log.decisions()["seq"].to_pylist()
        assert len(seqs) == 9
        for after, until in ((0, seqs[3]), (seqs[2], seqs[6]), (seqs[6], seqs[8] + 9), (seqs[8], LAST)):
            assert log.decisions(after, until)["seq"].to_pylist() == [s for s in seqs if after < s <= until]

    def test_what_is_forgotten_is_gone_with_all_that_is_about_it(self) -> None:
        """Events, decisions, labels and ids go; a label that waits for its event stays, and so does the chain."""
        log = self.log()
        log.commit([], [LabelRecord("e9", 1, 0, "early")])
        for number in range(1, 7):
            label = LabelRecord(f"e{max(1, number - 2)}", 1, 0, "x")
            log.commit([(sample_event(number), sample_decision(number))], [label])
            if number == 3:
                log.seal(0)
        assert (log.forget(1_000), log.forgotten_us()) == (0, None)
        assert (log.forget(3_500), log.forgotten_us()) == (3, 3_000)
        assert log.forget(3_500) == 0
        assert log.events()["event_id"].to_pylist() == log.decisions()["event_id"].to_pylist() == ["e4", "e5", "e6"]
        assert log.labels()["event_id"].to_pylist() == ["e9", "e4"]
        assert (log.find("e2"), log.decision("e2"), log.holds("e2"), log.holds("e4")) == (None, None, False, True)
        assert (log.decision_called("d2"), log.decision_called("d4")) == (None, sample_decision(4))
        assert log.broken_link() is None
        log.commit([(sample_event(2), sample_decision(2))])
        assert log.events()["event_id"].to_pylist() == ["e4", "e5", "e6", "e2"]
        assert log.broken_link() is None

    def test_the_chain_of_decisions_holds(self) -> None:
        """The hashes of what was written follow."""
        log = self.log()
        for number in range(4):
            log.commit([(sample_event(number), sample_decision(number))])
        assert log.broken_link() is None
        assert len(set(log.decisions()["hash"].to_pylist())) == 4


def _everything(log: Log) -> list[object]:
    """Return all that a reader can ask a log of the sample events 1 to 8."""
    ids = [f"e{number}" for number in range(10)]
    return [
        log.head(), [log.find(i) for i in ids], [log.holds(i) for i in ids], log.known(pa.array(ids)).to_pylist(),
        [log.decision(i) for i in ids], [log.decision_called(i.replace("e", "d")) for i in ids],
        log.events().to_pylist(), log.labels().to_pylist(),
        log.decisions().to_pylist(), log.notes("promotion"), log.broken_link(), log.forgotten_us(),
    ]  # fmt: skip
