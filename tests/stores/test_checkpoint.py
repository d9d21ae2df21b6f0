"""A checkpoint is the state, or it is passed over."""

from __future__ import annotations

import pytest

from tests.kernel.test_history import CASE, served, split, stream
from weighbridge.clock import DAY_US
from weighbridge.errors import StoreFailure
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import LabelRecord as LabelArrival
from weighbridge.stores.state import MemoryState
from weighbridge.testing.oracle import LabelRecord
from weighbridge.testing.samples import label_table_of, record_of, table_of


@pytest.fixture(scope="module")
def records():
    return stream(4, 3_000, 0.1, 60)


@pytest.fixture
def saved(records, tmp_path):
    """A checkpoint after the first 2,000 records, the state it was made of, and its path."""
    _, state = served(records[:2_000])
    state.save(tmp_path / "checkpoint", 2_000)
    return state, tmp_path / "checkpoint"


def go_on(state, records, stored):
    found = []
    for record in records:
        if isinstance(record, LabelRecord):
            state.label(LabelArrival(record.event_id, record.value, 0, ""), stored.get(record.event_id))
        else:
            event = stored[record.id] = record_of(CASE, record)
            found.append(state.vector(event))
            state.append(event)
    return found


def known_before(records):
    return {e.id: record_of(CASE, e) for e in split(records)[0]}


def test_a_restored_state_goes_on_as_the_one_that_was_saved(records, saved):
    state, path = saved
    again = MemoryState(compile_plan(CASE))
    assert again.restore(path, 2_000) == 2_000
    rest = records[2_000:]
    assert go_on(again, rest, known_before(records[:2_000])) == go_on(state, rest, known_before(records[:2_000]))


def test_a_restored_state_takes_the_rest_of_the_log_as_tables(records, saved):
    state, path = saved
    again, stored = MemoryState(compile_plan(CASE)), known_before(records[:2_000])
    again.restore(path, 3_000)
    events, labels = split(records[2_000:2_900])
    again.load(table_of(CASE, events), label_table_of(labels), lambda i: (0, stored[i]) if i in stored else None)
    go_on(state, records[2_000:2_900], dict(stored))
    rest, all_stored = records[2_900:], known_before(records[:2_900])
    assert go_on(again, rest, dict(all_stored)) == go_on(state, rest, dict(all_stored))
    assert again.waiting == state.waiting


def test_a_state_loaded_whole_equals_one_that_grew(records):
    grown, loaded = served(records)[1], MemoryState(compile_plan(CASE))
    events, labels = split(records)
    loaded.load(table_of(CASE, events), label_table_of(labels), lambda _: None)
    latest_us = max(e.event_us for e in events)  # no later decision may be older than the allowed lateness
    probes = {i: e for i, e in known_before(records).items() if e.event_us > latest_us - 3 * DAY_US}
    assert [loaded.vector(e) for e in probes.values()] == [grown.vector(e) for e in probes.values()]


@pytest.mark.parametrize("place", [3, 12, 60, 5_000, -1])
def test_a_changed_byte_is_noticed(saved, place):
    _, path = saved
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreFailure):
        MemoryState(compile_plan(CASE)).restore(path, 2_000)


@pytest.mark.parametrize("kept", [0, 7, 40, 0.5, -1])
def test_a_torn_checkpoint_is_noticed(saved, kept):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(StoreFailure):
        MemoryState(compile_plan(CASE)).restore(path, 2_000)


def test_a_checkpoint_ahead_of_the_log_is_refused(saved):
    with pytest.raises(StoreFailure, match="ahead of the log"):
        MemoryState(compile_plan(CASE)).restore(saved[1], 1_999)


def test_a_checkpoint_of_another_definition_is_refused(saved, small_case):
    with pytest.raises(StoreFailure, match="another definition"):
        MemoryState(compile_plan(small_case)).restore(saved[1], 2_000)


def test_a_missing_folder_or_file_is_a_clear_failure(saved, tmp_path):
    with pytest.raises(StoreFailure, match="cannot be read"):
        MemoryState(compile_plan(CASE)).restore(tmp_path / "gone", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailure, match="could not be written"):
        saved[0].save(tmp_path / "file" / "checkpoint", 1)
