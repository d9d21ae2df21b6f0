from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.identity import canonical
from weighbridge.records import DecisionRecord, Reason
from weighbridge.stores.chain import GENESIS, link
from weighbridge.stores.tables import reasons_text

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
REASONS = st.builds(Reason, WORDS, st.floats(), st.none() | st.floats(), WORDS)
DECISIONS = st.builds(
    DecisionRecord, WORDS, WORDS, WORDS, st.binary(max_size=20), st.none() | st.floats(0, 1), WORDS, WORDS,
    st.lists(WORDS, max_size=3).map(tuple), st.lists(WORDS, max_size=2).map(tuple), NUMBERS, NUMBERS, WORDS,
    st.none() | st.lists(REASONS, max_size=3).map(tuple), WORDS, st.none() | st.floats(0, 1),
)  # fmt: skip


@given(DECISIONS, NUMBERS)
def test_a_link_is_the_digest_of_the_canonical_json_of_what_it_covers(d, seq):
    content = [
        GENESIS, seq, d.decision_id, d.event_id, d.bundle, d.route, d.probability, d.propensity, d.level, d.action,
        d.decided_us, d.latency_us, d.trace_id, list(d.rules), list(d.degraded), d.vector.hex(), reasons_text(d.reasons),
    ]  # fmt: skip
    assert link(GENESIS, seq, d) == hashlib.sha256(canonical(content).encode()).hexdigest()


@pytest.mark.parametrize("probability", [1e-05, 1e-7, 5e-324, 0.1 + 0.2, 1.0, 0.0, 1 / 3])
def test_a_probability_is_written_as_the_canonical_json_writes_it(probability):
    plain = DecisionRecord("d", "e", "b", b"", probability, "low", "approve", (), (), 1, 1, "t")
    test_a_link_is_the_digest_of_the_canonical_json_of_what_it_covers.hypothesis.inner_test(plain, 7)
    assert link(GENESIS, 7, plain) != link(GENESIS, 7, replace(plain, probability=probability / 3 + 0.01))
