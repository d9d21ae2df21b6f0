"""Recomputes every served vector from the log and compares bits; decides again what was decided."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import Plan, compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.replays.redecide import redecide
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.score.rollups import with_rollups


def verify(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Compare every vector that a decision stored with the replay of the log, as uint32.

    Figures: vectors, values, mismatches; masked counts the vectors of degraded answers, other_definition those served
    while the declaration had other features, beyond_retention those about events whose window reaches back to what was
    forgotten: none of them are compared. decided, differing, undecidable and misrouted say the same of the decisions
    themselves, by `redecide`. broken_chain is the seq of the first decision whose hash does not follow, or null.
    """
    run = Run("verify", stores, clock)
    decisions = stores.log.decisions()
    events = stores.log.events()
    whole = np.array([not json.loads(d) for d in decisions["degraded"].to_pylist()], dtype=np.bool_)
    ours = {b for b, _, facts in stores.registry.bundles() if facts["vector"] == case.vector_digest}
    same = np.array([bundle in ours for bundle in decisions["bundle"].to_pylist()], dtype=np.bool_)
    rows = pc.index_in(decisions["seq"], value_set=events["seq"].combine_chunks())
    orphans = rows.null_count  # a decision whose event is not in the log cannot be recomputed
    wanted = np.zeros(len(events), dtype=np.bool_)
    places = np.asarray(rows.fill_null(-1).to_numpy(), dtype=np.int64)
    plan = compile_plan(case)
    known = places >= 0
    retained = np.ones(len(places), dtype=np.bool_)
    retained[known] = events["event_us"].to_numpy()[places[known]] >= whole_from_us(plan, stores)
    compared = whole & same & retained & known
    wanted[places[compared]] = True
    columns = to_columns(plan, with_rollups(plan, stores, events, wanted), stores.log.labels())
    recomputed = replay(plan, columns, wanted).view(np.uint32)
    width = len(case.feature_names)
    stored_bytes = [v for v, ok in zip(decisions["vector"].to_pylist(), compared, strict=True) if ok]
    misshapen = sum(len(v) != 4 * width for v in stored_bytes)
    stored = np.frombuffer(b"".join(v if len(v) == 4 * width else bytes(4 * width) for v in stored_bytes), dtype="<u4")
    mismatches = int((stored.reshape(-1, width) != recomputed).sum()) + width * (misshapen + orphans)
    figures = {
        "vectors": len(stored_bytes),
        "values": len(stored_bytes) * width,
        "mismatches": mismatches,
        **redecide(case, stores, decisions, events, whole & same & known),
        "masked": int((~whole).sum()),
        "other_definition": int((~same).sum()),
        "beyond_retention": int((~retained).sum()),
        "broken_chain": stores.log.broken_link(),
    }
    sentence = f"{figures['values']:,} served values recomputed from the log, {mismatches} differ"
    sentence += f"; {figures['decided']:,} decisions made again, {figures['differing']} differ"
    sentence += f", {figures['misrouted']} met another bundle than their route gives" if figures["misrouted"] else ""
    return run.finish(sentence, figures)


def whole_from_us(plan: Plan, stores: Stores) -> int:
    """Return the event time from which on nothing that a vector can see was forgotten, microseconds UTC."""
    forgotten_us = stores.log.forgotten_us()
    if forgotten_us is None:
        return -(2**63)
    span_us = max((entity.span_us for entity in plan.entities), default=0)
    return forgotten_us + plan.case.events.future_us + span_us
