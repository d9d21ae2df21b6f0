"""Takes a bundle from the shadow to production step by step, or out again: one look at a time, without a hand."""

from __future__ import annotations

from typing import Any

from weighbridge.clock import SECOND_US, Clock, duration_text, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused, GateClosed, InputError
from weighbridge.loop.gate import gate, newest_bundle, resolve
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.loop.rollouts.evidence import BOTH, ERRORS, RECALL, RolloutLog
from weighbridge.loop.rollouts.guard import Verdict, broken, paths, recall, recall_sums, replay, verdicts
from weighbridge.loop.rollouts.page import page
from weighbridge.loop.rollouts.underway import BY, Underway, tried, underway
from weighbridge.ports import Stores
from weighbridge.records import CANARY, PRODUCTION, SHADOW, Move
from weighbridge.score.bundle import load
from weighbridge.score.router import REFUSED
from weighbridge.stores.files import write_atomically

VERB = "rollout"
Told = dict[str, Any]


def rollout(
    case: UseCase, stores: Stores, clock: Clock, bundle: str | None = None, *, by: str = "weigh", reason: str = "asked"
) -> Report:
    """Do the one thing that is due: begin with a bundle, stay, go on to the next step, promote, or roll back.

    Without a bundle it looks at what is under way. What that is, since when and how it does is read from the log, so a
    restart changes nothing, and looking twice does nothing twice. Only one looks at a time; another is `skipped`. A
    canary or shadow that somebody pointed by hand is taken out like any other when it breaks a guardrail, but goes
    nowhere else. Figures: `did` (idle, begun, stayed, advanced, promoted, rolled back), candidate, share, verdicts.
    Raises GateClosed for a bundle that may not begin, InputError, BundleRefused, and Conflict when somebody else moved
    an alias meanwhile; then nothing has changed.
    """
    run = Run(VERB, stores, clock)
    with stores.locks.hold(VERB, run.id) as held:
        if held is None:
            return _idle(run, "another look at the rollout is on its way")
        at = underway(stores)
        if at is not None:
            if bundle is not None and resolve(stores, bundle) != at.candidate:
                told = f"{at.candidate[:12]} is being tried already; `weigh traffic {case.name} --clear` takes it out"
                raise InputError(told)
            return _look(case, stores, clock, run, at)
        if bundle is None:
            return _idle(run, "nothing is being rolled out")
        return _begin(case, stores, clock, run, resolve(stores, bundle), f"{reason}, by {by}")


def roll_out_newest(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Do what is due, as a stage: where nothing is under way, begin with the newest bundle, once."""
    newest = newest_bundle(case, stores)
    idle = underway(stores) is None and newest != stores.registry.alias(PRODUCTION) and not tried(stores, newest)
    return rollout(case, stores, clock, newest if idle else None, by="stage", reason="the newest bundle")


def _idle(run: Run, sentence: str) -> Report:
    return Report(VERB, sentence, {"did": "idle"}, 0.0, run.id, skipped=True)


def _begin(case: UseCase, stores: Stores, clock: Clock, run: Run, candidate: str, reason: str) -> Report:
    current, first = stores.registry.alias(PRODUCTION), case.rollout.steps[0]
    if current is None or current == candidate:
        told = "nothing is in production to compare it with; promote it" if current is None else "it is in production"
        raise InputError(f"bundle {candidate[:12]} cannot be rolled out: {told}")
    ours, champion = (load(each, case, stores.bundles, stores.signer) for each in (candidate, current))
    gates = gate(case, stores, clock, candidate).figures
    found = [*gates["gates"], *replay(case, stores, ours, champion)]
    closed = [verdict["gate"] for verdict in found if verdict["verdict"] == "closed"]
    if closed:
        why = f"bundle {candidate[:12]} is not rolled out; closed: {', '.join(closed)}"
        run.finish(why, {"did": "refused", "candidate": candidate, "champion": current, "verdicts": found})
        raise GateClosed(why, found)
    alias, share = (CANARY, first.share) if first.share else (SHADOW, None)
    stores.registry.move(Move(alias, candidate, None, BY, reason, clock.now_us(), found, share=share))
    sentence = f"{candidate[:12]} begins {_as(first.share)} beside {current[:12]}: {reason}"
    figures = {"did": "begun", "candidate": candidate, "champion": current, "share": first.share, "verdicts": found}
    return run.finish(sentence, figures)


def _look(case: UseCase, stores: Stores, clock: Clock, run: Run, at: Underway) -> Report:
    told: Told = {
        "use_case": case.name,
        "candidate": at.candidate,
        "champion": at.champion,
        "began": us_to_iso(at.steps[0].at_us),
    }
    champion = load(at.champion, case, stores.bundles, stores.signer)
    try:
        candidate = load(at.candidate, case, stores.bundles, stores.signer)
    except BundleRefused as fault:
        return _end(stores, clock, run, at, told, str(fault))
    unfit = "production moved under it" if at.outrun else _refused(stores, at)
    if unfit:
        return _end(stores, clock, run, at, told, unfit)
    sums = RolloutLog(case, stores, at, candidate, champion).sums()
    if clock.now_us() - at.steps[0].at_us >= case.label.matures_us:
        positives, _ = recall(case, stores.log, candidate, champion, at.steps[0].seq)
        sums[RECALL.name] = recall_sums(positives, case.rollout)
    found = verdicts(sums, case.rollout)
    seen = sums[(ERRORS if at.alias == CANARY else BOTH[0]).name].of_step(len(at.steps) - 1)
    told |= {"verdicts": found, "seen": seen, "paths": paths(sums, case.rollout)}
    why = broken(found)
    if why:
        return _end(stores, clock, run, at, told, why)
    waits = _waits(case, clock, at, seen, found)
    if waits and not at.by_hand and clock.now_us() - at.steps[0].at_us >= case.rollout.longest_us:
        return _end(stores, clock, run, at, told, f"after {case.rollout.longest} it still waited for {waits}")
    if waits:
        return _finish(stores, run, "stayed", at.share, f"{_name(at)} stays {_as(at.share)}: {waits}", told)
    return _go_on(case, stores, clock, run, at, told)


def _refused(stores: Stores, at: Underway) -> str:
    """Return why a server would not let the candidate in since the rollout began, empty when none said so."""
    notes = (body for seq, _, body in stores.log.notes(REFUSED) if seq > at.steps[0].seq)
    return next((str(body["reason"]) for body in notes if body["bundle"] == at.candidate), "")


def _waits(case: UseCase, clock: Clock, at: Underway, seen: int, found: list[Verdict]) -> str:
    """Return what the step still waits for, empty when nothing."""
    if at.by_hand:
        return "somebody pointed at it by hand, so it is only watched"
    step = next((step for step in case.rollout.steps if step.share >= at.share), case.rollout.steps[-1])
    lasted_us = clock.now_us() - at.steps[-1].at_us
    waits = []
    if seen < step.decisions:
        waits.append(f"{seen:,} of {step.decisions:,} {_outcomes(at)}")
    if lasted_us < step.lasts_us:
        waits.append(f"{duration_text(lasted_us // SECOND_US * SECOND_US)} of {step.lasts}")
    waits += [f"{v['gate']}, and is at {v['figure']:.4g}" for v in found if not v["within"]]
    return "; ".join(waits)


def _go_on(case: UseCase, stores: Stores, clock: Clock, run: Run, at: Underway, told: Told) -> Report:
    following = next((step for step in case.rollout.steps if step.share > at.share), None)
    reason = f"every guardrail holds {_as(at.share)}, on {told['seen']:,} {_outcomes(at)}"
    if following is None:
        try:
            promote(case, stores, clock, at.candidate, by=BY, reason=reason)
        except GateClosed as closed:
            told |= {"gates": list(closed.gates)}
            if any(verdict["verdict"] == "closed" for verdict in closed.gates):
                return _end(stores, clock, run, at, told, str(closed))
            if clock.now_us() - at.steps[0].at_us >= case.rollout.longest_us:
                return _end(stores, clock, run, at, told, f"after {case.rollout.longest} it still waited: {closed}")
            return _finish(stores, run, "stayed", at.share, f"{_name(at)} stays {_as(at.share)}: {closed}", told)
        return _finish(stores, run, "promoted", 1.0, f"{_name(at)} is now production: {reason}", told)
    said = (BY, reason, clock.now_us(), told["verdicts"])
    if at.alias == CANARY:
        moves = [Move(CANARY, at.candidate, at.candidate, *said, share=following.share, share_before=at.share)]
    else:  # first the canary: at no place of the log is nothing under way
        moves = [
            Move(CANARY, at.candidate, None, *said, share=following.share),
            Move(SHADOW, None, at.candidate, *said),
        ]
    stores.registry.move(*moves)
    sentence = f"{_name(at)} goes on {_as(following.share)}: {reason}"
    return _finish(stores, run, "advanced", following.share, sentence, told)


def _end(stores: Stores, clock: Clock, run: Run, at: Underway, told: Told, why: str) -> Report:
    said = (BY, f"rolled back: {why}", clock.now_us(), told.get("verdicts", []))
    share_before = at.share if at.alias == CANARY else None
    stores.registry.move(Move(at.alias, None, at.candidate, *said, share_before=share_before))
    return _finish(stores, run, "rolled back", 0.0, f"{_name(at)} is out, it was {_as(at.share)}: {why}", told)


def _finish(stores: Stores, run: Run, did: str, share: float, sentence: str, told: Told) -> Report:
    drawn = told.pop("paths", {})
    figures = {"did": did, "share": share, "verdicts": [], "seen": 0, **told}
    name = f"rollout-{told['candidate'][:12]}"
    write_report(stores.reports, name, {**figures, "sentence": sentence, "run": run.id, "paths": drawn})
    write_atomically(stores.reports / f"{name}.html", page(figures, drawn, told["use_case"], sentence).encode())
    return run.finish(sentence, figures)


def _name(at: Underway) -> str:
    return at.candidate[:12]


def _as(share: float) -> str:
    return f"as a canary for {share:.2%}" if share else "as a shadow"


def _outcomes(at: Underway) -> str:
    return "decisions" if at.alias == CANARY else "pairs"
