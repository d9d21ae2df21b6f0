"""The vector of one event by its own keys' histories is the one that the whole log gives, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import logs
from tests.test_parity import long_log
from weighbridge.declare import Key
from weighbridge.loop.replays.past import as_known_then
from weighbridge.testing.samples import label_table_of, record_of, replayed, sample_case, table_of

CASE = sample_case()


def keyless(case):
    """The case with a key that may be missing."""
    fields = [replace(f, optional=True) if isinstance(f, Key) and f.name == "card" else f for f in case.events.fields]
    return replace(case, events=replace(case.events, fields=fields))


class Tables:
    """The reading side of a log over two tables."""

    def __init__(self, case, events, labels):
        self._events, self._labels = table_of(case, events), label_table_of(labels)

    def events(self, until):
        return self._events.filter(pc.less_equal(self._events["seq"], until))

    def labels(self, until):
        return self._labels.filter(pc.less_equal(self._labels["seq"], until))


def alone(case, events, labels):
    """Every event's vector, each from the log as of itself."""
    stores = SimpleNamespace(log=Tables(case, events, labels))
    return b"".join(as_known_then(case, stores, e.seq, record_of(case, e)) for e in sorted(events, key=lambda e: e.seq))


@settings(max_examples=40)
@given(log=logs(), missing=st.integers(1, 4))
def test_one_events_vector_is_that_of_the_whole_log(log, missing):
    events, labels = log
    case = keyless(CASE)
    events = [
        replace(e, values={**e.values, "card": None}) if missing < 4 and n % 3 == missing - 1 else e
        for n, e in enumerate(events)
    ]
    assert alone(case, events, labels) == replayed(case, events, labels).tobytes()


def test_a_lost_label_or_key_would_be_seen():
    events, labels = long_log(60, seed=5)
    whole = replayed(CASE, events, labels).tobytes()
    assert alone(CASE, events, labels) == whole
    assert alone(CASE, events, labels[1:]) != whole
    assert alone(CASE, [replace(events[0], values={**events[0].values, "shop_id": "t"}), *events[1:]], labels) != whole
