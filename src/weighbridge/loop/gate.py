"""Holds a candidate against the declared gates: each with its figure, its bound and its verdict."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import Gate
from weighbridge.errors import BundleRefused, InputError
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.evaluate import difference
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.loop.train import validation_name
from weighbridge.loop.training_set import TrainingSet, training_set
from weighbridge.ports import Stores
from weighbridge.records import LabelRecord
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.route import PRODUCTION
from weighbridge.stores.state import MemoryState
from weighbridge.stores.tables import event_at

PARITY_EVENTS = 300
ENOUGH_POSITIVES = 10


def newest_bundle(case: UseCase, stores: Stores) -> str:
    """Return the bundle that this declaration registered last; raises InputError when there is none."""
    bundles = [bundle for bundle, _, facts in stores.registry.bundles() if facts.get("case") == case.digest]
    if not bundles:
        raise InputError("no bundle of this declaration is registered yet; run `weigh run` first")
    return bundles[-1]


def resolve(stores: Stores, prefix: str) -> str:
    """Return the registered bundle that a prefix of its id names; raises InputError when it names none or several."""
    found = [bundle for bundle, _, _ in stores.registry.bundles() if bundle.startswith(prefix)]
    if len(found) != 1:
        told = repr(prefix) if set(prefix) <= set("0123456789abcdef") else "this"  # what is no id is not told
        raise InputError(f"{told} names {len(found)} registered bundles; `weigh registry` lists them")
    return found[0]


def named(case: UseCase, stores: Stores, prefix: str | None) -> Bundle:
    """Return the verified bundle that a prefix of its id names, without one that in production. Raises InputError."""
    chosen = resolve(stores, prefix) if prefix else stores.registry.alias(PRODUCTION)
    if chosen is None:
        raise InputError("no bundle is in production; run `weigh run` first, or name one with --bundle")
    return load(chosen, case, stores.bundles, stores.signer)


def gate(case: UseCase, stores: Stores, clock: Clock, bundle: str | None = None) -> Report:
    """Evaluate every declared gate on a bundle (default: the newest); figures hold `passed` and the verdicts."""
    run = Run("gate", stores, clock)
    candidate = load(bundle or newest_bundle(case, stores), case, stores.bundles, stores.signer)
    data = cache(lambda: training_set(case, stores))  # read once, and only for gates that ask
    verdicts = [_verdict(case, stores, candidate, g, data) for g in case.gates]
    passed = all(v["passed"] for v in verdicts)
    result = {"bundle": candidate.id, "passed": passed, "gates": verdicts}
    write_report(stores.reports, f"gates-{candidate.version}", {**result, "run": run.id})
    closed = [v["gate"] for v in verdicts if not v["passed"]]
    sentence = f"{len(verdicts) - len(closed)} of {len(verdicts)} gates passed"
    return run.finish(sentence + (f"; closed: {', '.join(closed)}" if closed else ""), result)


def _verdict(
    case: UseCase, stores: Stores, candidate: Bundle, g: Gate, data: Callable[[], TrainingSet]
) -> dict[str, Any]:
    if g.no_worse_by is not None:
        return _against_production(case, stores, candidate, g, data)
    if g.figure == "parity_mismatches":
        figure: float | None = float(parity_mismatches(case, stores, data()))
    elif g.figure == "leakiest_feature_auc":
        figure = candidate.facts["leakiest_feature_auc"]
    else:
        figure = candidate.facts["validation"][g.figure]
    bound = g.at_least if g.at_least is not None else g.at_most
    name = f"{g.figure} {'>=' if g.at_least is not None else '<='} {bound:g}"
    if figure is None:
        return {"gate": name, "figure": None, "bound": bound, "passed": False, "why": "undefined on the validation set"}
    passed = figure >= g.at_least if g.at_least is not None else figure <= (g.at_most or 0.0)
    return {"gate": name, "figure": figure, "bound": bound, "passed": bool(passed), "why": ""}


def _against_production(
    case: UseCase, stores: Stores, candidate: Bundle, g: Gate, read: Callable[[], TrainingSet]
) -> dict[str, Any]:
    """Compare with production, in pairs, on the candidate's validation rows that production was not trained on.

    Closed when even the upper end of the 95 % interval of the difference, over resampled days, is worse than declared.
    """
    bound = -(g.no_worse_by or 0.0)
    verdict = {"gate": f"{g.figure} at most {-bound:g} worse than production", "bound": bound, "figure": None}
    current = stores.registry.alias(PRODUCTION)
    if current is None or current == candidate.id:
        return {**verdict, "passed": True, "why": "nothing else is in production"}
    try:
        production = load(current, case, stores.bundles, stores.signer)
    except BundleRefused as fault:
        return {**verdict, "passed": True, "why": f"production cannot decide: {fault}"}
    said, data = stores.tables.get(validation_name(candidate.id)), read()
    if said is None:
        return {**verdict, "passed": False, "why": "its validation is not in this home; train again"}
    seq, unseen_us = said["seq"].to_numpy(), production.facts["lineage"]["trained_until_us"]
    chosen = np.isin(data.columns.seq, seq) & (data.columns.event_us > unseen_us) & (data.labels >= 0)
    rows = data.rows(case, chosen)
    if int(rows.y.sum()) < ENOUGH_POSITIVES:
        why = f"{int(rows.y.sum())} positives since production was trained are too few: {ENOUGH_POSITIVES} are needed"
        return {**verdict, "passed": False, "why": why}
    ours = said["probability"].to_numpy()[np.searchsorted(seq, data.columns.seq[chosen])]
    theirs = production.scorer.probability(rows.vectors)
    gain, low, high = difference(case, rows, g.figure, (ours, candidate.thresholds), (theirs, production.thresholds))
    why = (
        f"candidate - production {gain:+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}] on {int(rows.y.sum())} positives"
    )
    return {**verdict, "figure": gain, "passed": bool(high >= bound), "why": why}


def parity_mismatches(case: UseCase, stores: Stores, data: TrainingSet) -> int:
    """Return how many values differ between replay's vectors and the online path, over the newest events built."""
    last = int(data.columns.seq[-1])
    events, labels = (t.filter(pc.less_equal(t["seq"], last)) for t in (stores.log.events(), stores.log.labels()))
    count = min(PARITY_EVENTS, len(events))
    first_seq = events["seq"][len(events) - count].as_py()
    state = MemoryState(compile_plan(case))
    earlier, before = events.slice(0, len(events) - count), labels.filter(pc.less(labels["seq"], first_seq))
    state.load(earlier, before, lambda _: None)
    late = labels.filter(pc.greater_equal(labels["seq"], first_seq))
    about = pc.index_in(late["event_id"], value_set=events["event_id"].combine_chunks()).to_pylist()
    records = late.to_pylist()
    mismatches, place = 0, 0
    for row in range(len(events) - count, len(events)):
        seq = events["seq"][row].as_py()
        while place < len(records) and records[place]["seq"] < seq:
            record, known = records[place], about[place]
            stored = None if known is None or known >= row else event_at(case.events, events, known)
            state.label(LabelRecord(**{k: v for k, v in record.items() if k != "seq"}), stored)
            place += 1
        event = event_at(case.events, events, row)
        online = np.frombuffer(state.vector(event), dtype="<u4")
        mismatches += int((online != data.vectors[row].view(np.uint32)).sum())
        state.append(event)
    return mismatches
