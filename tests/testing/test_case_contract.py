"""The suite of a use case passes for those that ship, and fails where something is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.declare import (
    Category,
    Contract,
    Id,
    Integer,
    Label,
    Money,
    Number,
    Text,
    Time,
    UseCase,
    encode,
    lightgbm,
    log,
)
from weighbridge.errors import InputError
from weighbridge.testing import case_contract
from weighbridge.testing.case_contract import START_US, CaseContract
from weighbridge.testing.rows import world_of

drawn = Contract("thing", [
    Id("thing_id", whole=True), Time("at", late="2d", arrived="known"), Money("price", at_least=0, at_most=900),
    Number("share", at_least=-1, at_most=1, decimals=3), Integer("count", at_most=9), Category("kind", one_of=["a", "b"]),
])  # fmt: skip
PLAIN = UseCase("plain", drawn, [log("price"), encode("kind")], Label("bad", matures="5d"), [lightgbm(n_estimators=5)])


class TestTiny(CaseContract):
    case = tiny
    events = 1_500


class TestRowsDrawnFromAContract(CaseContract):
    case = PLAIN
    events = 1_500


def suite(name, of=PLAIN):
    made = type("Suite", (CaseContract,), {"case": of, "events": 600})()
    return getattr(made, name)


def test_a_value_that_nothing_forbids_fails_the_suite(monkeypatch):
    monkeypatch.setattr(case_contract, "broken", lambda field: ["a"] if isinstance(field, Category) else [])
    with pytest.raises(AssertionError):
        suite("test_a_row_that_breaks_a_rule_is_refused_by_its_field")()


@pytest.mark.parametrize(
    "name", ["test_history_and_one_event_at_a_time_give_the_same_bits", "test_no_vector_knows_what_came_later"]
)
def test_a_replay_that_differs_fails_the_suite(name, monkeypatch, tmp_path):
    real = case_contract.replay

    def off(plan, columns):
        vectors = real(plan, columns)
        vectors[0, 0] = np.nextafter(vectors[0, 0], np.float32(len(vectors)))
        return vectors if len(vectors) > 500 else real(plan, columns)

    monkeypatch.setattr(case_contract, "replay", off)
    with pytest.raises(AssertionError):
        suite(name)(tmp_path)


def test_rows_are_the_same_for_the_same_seed():
    one, two, other = (world_of(PLAIN, seed=seed, start_us=START_US, events=50) for seed in (1, 1, 2))
    assert one.events.equals(two.events)
    assert not one.events.equals(other.events)


def test_a_pattern_that_nothing_is_known_to_match_is_said():
    odd = replace(PLAIN, events=Contract("odd", [*drawn.fields, Text("code", pattern="[A-Z]{3}")]))
    with pytest.raises(InputError, match="code has a pattern"):
        world_of(odd, seed=1, start_us=START_US, events=5)
