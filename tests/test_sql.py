"""SQL of the same declaration says the same bits, and proof that the comparison can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings

from tests.conftest import SOAK
from tests.strategies import logs
from tests.test_parity import CASE, edge_log
from tests.test_time_semantics import InMemory
from weighbridge.declare import Aggregate
from weighbridge.errors import InputError
from weighbridge.testing import sql
from weighbridge.testing.samples import differing, label_table_of, replayed, table_of
from weighbridge.testing.semantics.child_rows import ScenesOfChildRows
from weighbridge.testing.semantics.scene import Scene

SAMPLED = [f"test_{name}" for name in ("a_hot_key_is_exact", "spilling_is_not_seen",
                                       "eviction_at_the_edge_of_retention_is_not_seen")]  # fmt: skip
ROLLED = [name for name in dir(ScenesOfChildRows) if "child" in name]  # DuckDB rolls their rows up in the proof itself
PLACES = [number for number, name in enumerate(CASE.feature_names) if name in sql.sql_names(CASE)]


def sql_differs(events, labels):
    """How many values of the replay differ from SQL."""
    expected = replayed(CASE, events, labels)[:, PLACES].copy()
    return differing(sql.sql_vectors(CASE, table_of(CASE, events), label_table_of(labels)), expected)


@settings(max_examples=1_000 if SOAK else 25)
@given(logs())
@example(([], []))
@example(edge_log())
def test_sql_equals_the_replay_bit_for_bit(log):
    assert sql_differs(*log) == 0


class SqlScene(Scene):
    """A scene that ends with SQL's reading of its log too, unless it is one for sampled events."""

    def proven(self, sampled=None):
        super().proven(sampled)
        if sampled is None:
            served = [self.door.served[event_id] for event_id in self.log.events()["event_id"].to_pylist()]
            told = np.array([np.frombuffer(vector, dtype="<f4")[PLACES] for vector in served])
            assert differing(sql.sql_vectors(self.case, self.log.events(), self.log.labels()), told) == 0
            self.suite.checked = True


class SqlScenes(InMemory):
    def scene(self, make=None, events_per_key=0):
        return SqlScene(self, CASE, make or self.make_state)


@pytest.mark.parametrize(
    "scenario", [n for n in dir(SqlScenes) if n.startswith("test_") and n not in (*SAMPLED, *ROLLED)]
)
def test_sql_equals_what_the_scenarios_served(scenario):
    suite = SqlScenes()
    getattr(suite, scenario)()
    assert suite.checked


def test_sql_covers_every_aggregate():
    kinds = {f.kind for f in CASE.vector if isinstance(f, Aggregate)}
    assert sql.sql_names(CASE) == tuple(f.name for f in CASE.vector if isinstance(f, Aggregate))
    assert len(PLACES) == 47
    assert len(kinds) == 13


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('> "d.event_us" -', '>= "d.event_us" -'), ('<= "d.event_us" -', '< "d.event_us" -'), ("l.seq < d.seq", "true")],
)
def test_wrong_sql_is_noticed(right, wrong, monkeypatch):
    events, labels = edge_log()
    assert sql_differs(events, labels) == 0
    select = sql.select
    monkeypatch.setattr(sql, "select", lambda case, key: select(case, key).replace(right, wrong))
    assert sql_differs(events, labels) > 0


def test_names_that_sql_cannot_tell_apart_are_refused():
    card = CASE.events.by("card")
    case = replace(CASE, features=[card.count(last="1h", name="n"), card.count(last="1d", name="N")])
    with pytest.raises(InputError, match="by case only"):
        sql.sql_vectors(case, table_of(CASE, []), label_table_of([]))
