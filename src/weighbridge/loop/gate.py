"""Holds a candidate against the declared gates: each with its figure, its bound and its verdict."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import Gate
from weighbridge.errors import BundleRefused, InputError
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.labels.ledger import coverage
from weighbridge.loop.measure import ENOUGH_POSITIVES, MEASURES, Evidence, Measured, immature, not_applicable
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.loop.rollouts.matured import matured
from weighbridge.loop.training.evaluate import Rows, difference
from weighbridge.loop.training.training_set import TrainingSet, training_set
from weighbridge.loop.training.validated import validation_name
from weighbridge.ports import Stores
from weighbridge.records import LabelRecord
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.rollups import rollups_of
from weighbridge.score.route import PRODUCTION
from weighbridge.stores.state import MemoryState
from weighbridge.stores.tables import event_at

PARITY_EVENTS = 300


def newest_bundle(case: UseCase, stores: Stores) -> str:
    """Return the bundle that this declaration registered last; raises InputError when there is none."""
    bundles = [bundle for bundle, _, facts in stores.registry.bundles() if facts.get("case") == case.digest]
    if not bundles:
        raise InputError("no bundle of this declaration is registered yet; run `weigh run` first")
    return bundles[-1]


def resolve(stores: Stores, prefix: str) -> str:
    """Return the registered bundle that a prefix of its id names; raises InputError when it names none or several."""
    found = [bundle for bundle, _, _ in stores.registry.bundles() if prefix and bundle.startswith(prefix)]
    if len(found) != 1:
        told = repr(prefix) if set(prefix) <= set("0123456789abcdef") else "this"  # what is no id is not told
        raise InputError(f"{told} names {len(found)} registered bundles; `weigh registry` lists them")
    return found[0]


def named(case: UseCase, stores: Stores, prefix: str | None) -> Bundle:
    """Return the verified bundle that a prefix of its id names, without one that in production. Raises InputError."""
    chosen = stores.registry.alias(PRODUCTION) if prefix is None else resolve(stores, prefix)
    if chosen is None:
        raise InputError("no bundle is in production; run `weigh run` first, or name one with --bundle")
    return load(chosen, case, stores.bundles, stores.signer)


def gate(case: UseCase, stores: Stores, clock: Clock, bundle: str | None = None, as_of_us: int | None = None) -> Report:
    """Evaluate every declared gate on a bundle (default: the newest); figures hold `passed` and the verdicts.

    A verdict is "passed", "closed", "immature" where there is not enough to judge by yet (too few rows or positives, or
    labels that had not settled `as_of_us`, microseconds UTC), or "not applicable" where there is nothing to compare
    with. What is immature neither passes nor fails: the bundle as a whole has `passed` only when each gate has passed
    or does not apply, so that nothing is promoted for want of evidence, and its `verdict` is "closed" when one is
    closed, else "immature" when one is.
    """
    run = Run("gate", stores, clock)
    candidate = load(bundle or newest_bundle(case, stores), case, stores.bundles, stores.signer)
    data = cache(lambda: training_set(case, stores, as_of_us))  # read once, and only for gates that ask
    moment_us = clock.now_us() if as_of_us is None else as_of_us
    evidence = Evidence(case, stores, candidate, moment_us, data)
    verdicts = [_verdict(evidence, g) for g in case.gates]
    found = [v["verdict"] for v in verdicts]
    verdict = next((v for v in ("closed", "immature") if v in found), "passed")
    told = {"labels": coverage(case, stores, moment_us), "as_of": us_to_iso(moment_us)}
    result = {"bundle": candidate.id, "passed": verdict == "passed", "verdict": verdict, "gates": verdicts, **told}
    write_report(stores.reports, f"gates-{candidate.version}", {**result, "run": run.id})
    passed = sum(v["passed"] for v in verdicts)
    sentence = f"{passed} of {len(verdicts)} gates passed"
    for kind in ("closed", "immature"):
        names = [v["gate"] for v in verdicts if v["verdict"] == kind]
        sentence += f"; {kind}: {', '.join(names)}" if names else ""
    return run.finish(sentence, result)


def _verdict(evidence: Evidence, g: Gate) -> dict[str, Any]:
    """Return one verdict; an interval, where there is one, decides for sure."""
    measured = _measured(evidence, g)
    if measured.figure is None:
        found = measured.missing or "closed"
    else:
        low, high = measured.interval or (measured.figure, measured.figure)
        if g.no_worse_by is not None:
            held = (low if g.sure else high) >= g.bound
        else:
            held = high >= g.bound if g.at_least is not None else low <= g.bound
        found = "passed" if held else "closed"
    interval = list(measured.interval) if measured.interval else None
    return {
        "gate": g.title, "figure": measured.figure, "bound": g.bound, "interval": interval, "verdict": found,
        "passed": found in ("passed", "not applicable"), "why": measured.why,
    }  # fmt: skip


def _measured(evidence: Evidence, g: Gate) -> Measured:
    case, candidate = evidence.case, evidence.candidate
    if g.no_worse_by is not None:
        return _against(evidence, g)
    if g.figure == "parity_mismatches":
        return Measured(float(parity_mismatches(case, evidence.stores, evidence.data())))
    if g.figure == "leakiest_feature_auc":
        return Measured(candidate.facts["leakiest_feature_auc"], candidate.facts["leakiest_feature"])
    if g.figure in MEASURES:
        return MEASURES[g.figure](evidence, g)
    lineage, figure = candidate.facts["lineage"], candidate.facts["validation"][g.figure]
    if evidence.as_of_us < candidate.trained_until_us + case.label.matures_us:
        return immature(f"its validation reaches to {us_to_iso(candidate.trained_until_us)}, and labels take longer")
    positives = int(lineage["positives"]["validation"])
    if figure is None or positives < ENOUGH_POSITIVES:
        return immature(f"{positives} positives in the validation set are too few, {ENOUGH_POSITIVES} are needed")
    return Measured(figure, f"{positives} positives")


def _against(evidence: Evidence, g: Gate) -> Measured:
    """Compare with a rival, in pairs: on validation rows, and on what was decided since either was trained and has
    matured. Where both tell enough, the worse counts.
    """
    case, stores, candidate = evidence.case, evidence.stores, evidence.candidate
    current = stores.registry.alias(g.against)
    if current is None or current == candidate.id:
        return not_applicable(f"nothing else is in {g.against}")
    try:
        rival = load(current, case, stores.bundles, stores.signer)
    except BundleRefused as fault:
        return not_applicable(f"{g.against} cannot decide: {fault}")
    found = [_on_validation(evidence, g, rival, current)]
    since_us = max(candidate.trained_until_us, rival.trained_until_us)
    since = matured(case, stores.log, since_us, evidence.as_of_us)
    if since is not None:
        both = candidate.scorer.probability(since.vectors), rival.scorer.probability(since.vectors)
        found.append(_difference(evidence, g, rival, since, both, f"{since.days} days that matured since"))
    told = [(m.interval[0 if g.sure else 1], m) for m in found if m.interval]
    return min(told, key=lambda one: one[0])[1] if told else found[0]


def _on_validation(evidence: Evidence, g: Gate, rival: Bundle, current: str) -> Measured:
    """Compare on the candidate's validation rows that the rival was not trained on."""
    found = evidence.validated()
    if found is None:
        return immature("its validation is not in this home; train again")
    data, validated, said = found
    theirs = None if data.drawn is None else evidence.stores.tables.get(validation_name(current))
    if theirs is None:
        chosen = validated & (data.columns.event_us > rival.trained_until_us)
    else:  # time says nothing: what both said of rows that neither was fitted on when it said so
        chosen = validated & np.isin(data.columns.seq, theirs["seq"].to_numpy())
    rows, seq = data.rows(evidence.case, chosen), data.columns.seq[data.places(chosen)]
    other = rival.scorer.probability(rows.vectors) if theirs is None else _said(theirs, seq)
    blocks = f"{rows.days} days" if theirs is None else f"{len(np.unique(rows.day))} parts"
    return _difference(evidence, g, rival, rows, (_said(said, seq), other), f"{blocks} of validation")


def _difference(
    evidence: Evidence, g: Gate, rival: Bundle, rows: Rows, said: tuple[Floats, Floats], of: str
) -> Measured:
    candidate, positives = evidence.candidate, int((rows.y == 1).sum())
    if positives < ENOUGH_POSITIVES:
        return immature(
            f"{positives} positives since {g.against} was trained are too few, {ENOUGH_POSITIVES} are needed"
        )
    sides = (said[0], candidate.thresholds), (said[1], rival.thresholds)
    gain, low, high = difference(evidence.case, rows, g.figure, *sides)
    why = f"candidate - {g.against}, paired bootstrap over {of}, {positives} positives"
    return Measured(gain, why, None, (low, high))


def _said(said: pa.Table, seq: Ints) -> Floats:
    """Return what a bundle's winner said of validation rows, float64[n]. seq: int64[n]."""
    return np.asarray(said["probability"].to_numpy()[np.searchsorted(said["seq"].to_numpy(), seq)])


def parity_mismatches(case: UseCase, stores: Stores, data: TrainingSet) -> int:
    """Return how many values differ between replay's vectors and the online path, over the newest events built."""
    last = int(data.columns.seq[-1])
    events, labels = (t.filter(pc.less_equal(t["seq"], last)) for t in (stores.log.events(), stores.log.labels()))
    count = min(PARITY_EVENTS, len(events))
    first_seq = events["seq"][len(events) - count].as_py()
    plan = compile_plan(case)
    state, rollups = MemoryState(plan), rollups_of(plan, stores)
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
        event = rollups.of_stored(event_at(case.events, events, row), seq)
        online = np.frombuffer(state.vector(event), dtype="<u4")
        mismatches += int((online != data.vectors[row].view(np.uint32)).sum())
        state.append(event)
    return mismatches
