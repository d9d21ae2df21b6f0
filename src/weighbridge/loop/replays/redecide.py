"""Decides again what was decided: the bundle of the time, the rules and the lists as they were then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from heapq import merge
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused
from weighbridge.kernel.arrays import Bools, Floats, Vectors
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.route import Arms, arms_noted
from weighbridge.score.rulebook import Decidable, decidables, verdicts


def redecide(case: UseCase, stores: Stores, decisions: pa.Table, events: pa.Table, chosen: Bools) -> dict[str, int]:
    """Compare chosen decisions with what their stored vectors, bundles, rules and lists give.

    decisions, events: the log's; chosen: bool[decisions], those whose event is there and whose bundle has this use
    case's features. Figures: `decided`, those compared; `differing`, those whose probability, level, action, propensity
    or rules are others; `undecidable`, those whose bundle cannot be read any more; `misrouted`, those that met another
    bundle than the route of the time gives, whether or not it can be read. What was drawn by a key that this home does
    not have is taken as recorded.
    """
    compared: list[tuple[pa.Table, Floats, Bundle]] = []
    asked: list[Iterator[Decidable]] = []
    undecidable = 0
    for name in pc.unique(decisions["bundle"].filter(pa.array(chosen))).to_pylist():
        ours = decisions.filter(pa.array(chosen & _equal(decisions["bundle"], name)))
        try:
            bundle = load(name, case, stores.bundles, stores.signer)
        except BundleRefused:
            undecidable += len(ours)
            continue
        vectors = _vectors(ours, len(case.feature_names))
        probability = bundle.scorer.probability(vectors)
        rows = pc.index_in(ours["seq"], value_set=events["seq"].combine_chunks())
        asked.append(decidables(case, events.take(rows), vectors, probability, bundle.thresholds))
        compared.append((ours, probability, bundle))
    # one pass over the log: rules and lists change with the place, whichever bundle decided
    said = verdicts(case, stores, merge(*asked, key=attrgetter("seq")), as_noted=True)
    places = sorted(seq for ours, _, _ in compared for seq in ours["seq"].to_pylist())
    by_place = dict(zip(places, said, strict=True))
    differing = 0
    for ours, probability, bundle in compared:
        stored = zip(
            *(ours[name].to_pylist() for name in ("seq", "probability", "level", "action", "propensity", "rules")),
            strict=True,
        )
        for (seq, *told, rules), p in zip(stored, probability.tolist(), strict=True):
            verdict = by_place[seq]
            again = [p, bundle.thresholds.level(p), verdict.action, verdict.propensity]
            differing += told != again or tuple(json.loads(rules)) != verdict.rules
    misrouted = _misrouted(stores, decisions.filter(pa.array(chosen)), events)
    return {"decided": len(said), "differing": differing, "undecidable": undecidable, "misrouted": misrouted}


def _misrouted(stores: Stores, decisions: pa.Table, events: pa.Table) -> int:
    """Return how many decisions met another bundle, or arm, than the log's route at their place gives."""
    noted = list(arms_noted(stores.log))
    rows = pc.index_in(decisions["seq"], value_set=events["seq"].combine_chunks())
    columns = {field: events[field].take(rows).to_pylist() for field in {_column(events, arms) for _, arms in noted}}
    places = np.searchsorted([seq for seq, _ in noted], decisions["seq"].to_numpy()).tolist()
    told = zip(decisions["route"].to_pylist(), decisions["bundle"].to_pylist(), strict=True)
    found = 0
    for row, (place, (route, bundle)) in enumerate(zip(places, told, strict=True)):
        if place:  # else nobody noted what decided then
            arms = noted[place - 1][1]
            value = columns[_column(events, arms)][row]
            arm = arms.arm(None if value is None else str(value), stores.draws) or route
            found += (arm, arms.bundle(arm)) != (route, bundle)
    return found


def _column(events: pa.Table, arms: Arms) -> str:
    """Return the column that a canary goes by: the sticky field's, or that of the event's id."""
    return arms.sticky if arms.sticky in events.column_names else "event_id"


def _vectors(decisions: pa.Table, width: int) -> Vectors:
    """Return the stored vectors, float32[n, width]; one of another width counts as zeros, and is found by `verify`."""
    stored = (v if len(v) == 4 * width else bytes(4 * width) for v in decisions["vector"].to_pylist())
    return np.frombuffer(b"".join(stored), dtype="<f4").reshape(-1, width).astype(np.float32)


def _equal(column: pa.ChunkedArray, value: str) -> Bools:
    return np.asarray(pc.equal(column, value).to_numpy(), dtype=np.bool_)
