"""What is tried next is a function of what was tried, inside the declared space."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.declare import Range
from weighbridge.errors import MissingExtra
from weighbridge.learners.optuna import suggest

SPACE = {"x": Range(0.0, 1.0), "rate": Range(1e-3, 1.0, log=True), "leaves": Range(2, 64, log=True), "kind": ("a", "b")}


def value(p):
    return -((p["x"] - 0.7) ** 2) - (0.0 if p["kind"] == "b" else 0.2)


def searched(trials, seed=0):
    past = []
    for _ in range(trials):
        drawn = suggest(SPACE, seed, past)
        past.append((drawn, value(drawn)))
    return past


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), low=st.integers(1, 50), more=st.integers(1, 50), log=st.booleans())
def test_what_is_drawn_lies_inside(seed, low, more, log):
    space = {"n": Range(low, low + more, log=log), "share": Range(float(low), float(low + more), log=log)}
    past = []
    for _ in range(3):
        drawn = suggest(space, seed, past)
        assert isinstance(drawn["n"], int)
        assert all(of.holds(drawn[name]) for name, of in space.items())
        past.append((drawn, 0.0))


def test_it_goes_on_as_if_it_had_not_stopped_and_closes_in():
    past = searched(30)
    assert suggest(SPACE, 0, past[:12]) == past[12][0]
    assert searched(3, seed=1) != past[:3]
    best, _ = max(past, key=lambda tried: tried[1])
    assert abs(best["x"] - 0.7) < 0.05
    assert best["kind"] == "b"
    late = [tried[0] for tried in past[15:]]
    assert sum(p["kind"] == "b" for p in late) > 0.7 * len(late)  # chance alone gives half


def test_parameters_from_outside_the_space_are_passed_over():
    outside = [({"x": 7.0, "rate": 0.1, "leaves": 3, "kind": "a"}, 9.0), ({"rate": 0.1}, 9.0)]
    assert all(SPACE[name].holds(suggest(SPACE, 0, outside)[name]) for name in ("x", "rate", "leaves"))


def test_without_optuna_the_sentence_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"optuna is not installed; run: pip install 'weighbridge\[tune\]'"):
        suggest(SPACE, 0, [])
