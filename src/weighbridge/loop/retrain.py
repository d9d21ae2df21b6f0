"""Build, validate, train, gate, promote: the loop once more on what is known now, one at a time and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from weighbridge.clock import SECOND_US, Clock, duration_text, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, GateClosed, WeighbridgeError
from weighbridge.loop.build import build
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.loop.rollout import rollout
from weighbridge.loop.train import train
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.validate import validated
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION

VERB, BEGUN = "retrain", "retrain begun"
BY_HAND = "on demand"
DECISIONS = {"promote": "promoted", "rollout": "rolled out"}  # by the last step
SAID = {
    "promoted": "took over",
    "rolled out": "is being rolled out",
    "unchanged": "is what was in production already",
}
LOOKS, BETWEEN_LOOKS_SECONDS = 50, 0.2
MOST_DEATHS = 3  # attempts that died, after which triggers wait for the cool-down too
AHEAD_US = 300 * SECOND_US  # by how much clocks may differ
Tell = Callable[[Report], object]


@dataclass
class Steps:
    """What one retrain did so far, and why, for the history."""

    tell: Tell
    done: list[dict[str, Any]] = field(default_factory=list)
    bundle: str | None = None

    def add(self, report: Report) -> None:
        """Note a step that is done."""
        self.tell(report)
        self.done.append({"step": report.verb, "run": report.run, "sentence": report.sentence})


def retrain(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    progress: Progress = silent,
    tell: Tell = lambda report: None,
    *,
    reason: str = BY_HAND,
    trigger: str = BY_HAND,
) -> Report:
    """Return the report of the whole; `tell` gets those of build, validate, train and promote as they finish.

    A case with a stage `validate` has the data held against its declared validation before anything is trained; one
    with a stage `rollout` has the new bundle begin a rollout in place of being promoted. Only one runs at a time; a
    trigger other than "on demand" also has to wait for the declared cool-down. Where it may not run, the report is
    `skipped` and says why. What an earlier one left that died is done again at once. The history keeps trigger, steps
    and decision of each. Raises GateClosed when the training data or the new bundle does not pass, InputError when
    there is nothing to train on; then production is as it was.
    """
    run = Run(VERB, stores, clock)
    with stores.locks.hold(VERB, run.id) as held:
        if held is None:
            return _skipped(run, "a retrain is running already")
        died, wait = _earlier(case, stores, clock, trigger)
        if wait:
            return _skipped(run, wait)
        told = {"trigger": trigger, "reason": reason, "took_over": held.left_by or (died[-1] if died else None)}
        stores.tracker.record(f"{run.id}-begun", BEGUN, clock.now_us(), {**told, "run": run.id})
        steps, before = Steps(tell), stores.registry.alias(PRODUCTION)
        try:
            _all(case, stores, clock, progress, steps, reason)
        except WeighbridgeError as fault:
            gates = list(fault.gates) if isinstance(fault, GateClosed) else []
            decision = "refused" if isinstance(fault, GateClosed) else "failed"
            kept = {**told, "decision": decision, "why": str(fault), "gates": gates}
            run.finish(f"production stays as it is: {fault}", {**kept, "bundle": steps.bundle, "steps": steps.done})
            raise
        decision = "unchanged" if steps.bundle == before else DECISIONS[steps.done[-1]["step"]]
        figures = {**told, "bundle": steps.bundle, "decision": decision, "why": reason}
        sentence = f"bundle {(steps.bundle or '')[:12]} {SAID[decision]}: {reason}"
        return run.finish(sentence, {**figures, "steps": steps.done})


def _all(case: UseCase, stores: Stores, clock: Clock, progress: Progress, steps: Steps, reason: str) -> None:
    steps.add(build(case, stores, clock, progress))
    read = cache(lambda: training_set(case, stores))
    if any(stage.verb == "validate" for stage in case.stages):
        steps.add(validated(case, stores, clock, progress, read))
    trained = train(case, stores, clock, progress, data=read())
    steps.add(trained)
    steps.bundle = str(trained.figures["bundle"])
    current = stores.registry.alias(PRODUCTION)
    step_by_step = current not in (None, steps.bundle) and any(stage.verb == "rollout" for stage in case.stages)
    takes_over = _begin if step_by_step else promote
    steps.add(takes_over(case, stores, clock, steps.bundle, by="weigh retrain", reason=reason))


def _begin(case: UseCase, stores: Stores, clock: Clock, bundle: str, *, by: str, reason: str) -> Report:
    """Begin a rollout, once nobody else looks at one; a look takes less than a second."""
    for _ in range(LOOKS):
        report = rollout(case, stores, clock, bundle, by=by, reason=reason)
        if not report.skipped:
            return report
        time.sleep(BETWEEN_LOOKS_SECONDS)
    raise Conflict(f"bundle {bundle[:12]} cannot be rolled out: {report.sentence}; try again")


def _skipped(run: Run, why: str) -> Report:
    """Return a report that no store keeps: a hundred alarms leave one entry in the history."""
    return Report(VERB, f"nothing was done: {why}", {"bundle": None, "decision": "skipped", "why": why}, 0.0, run.id,
                  skipped=True)  # fmt: skip


def _earlier(case: UseCase, stores: Stores, clock: Clock, trigger: str) -> tuple[list[str], str | None]:
    """Return the attempts that died since the last retrain ended, and why this one has to wait, None when it need not.

    Only whoever holds the lock may ask: else an attempt that lives looks like one that died.
    """
    ended = {run: at for run, _, at, _ in stores.tracker.runs(VERB)}
    begun = [(str(facts["run"]), at) for _, _, at, facts in stores.tracker.runs(BEGUN)]
    last_end = max((place for place, (run, _) in enumerate(begun) if run in ended), default=-1)
    died = begun[last_end + 1 :]
    if trigger == BY_HAND or not begun or 0 < len(died) < MOST_DEATHS:
        return [run for run, _ in died], None
    last_us, now_us, cooldown_us = newest_us(clock, (at for _, at in begun)), clock.now_us(), case.retrain.cooldown_us
    if last_us is None or now_us - last_us >= cooldown_us:
        return [run for run, _ in died], None
    how = f"the last {len(died)} died, the last one began" if died else "the last one began"
    cooled = us_to_iso(last_us + cooldown_us)
    return [], f"{how} at {us_to_iso(last_us)}, and the cool-down of {duration_text(cooldown_us)} lasts until {cooled}"


def newest_us(clock: Clock, times_us: Iterable[int]) -> int | None:
    """Return the newest time that is not ahead of the clock by more than clocks may differ, microseconds; or None.

    What a clock that had leapt ahead recorded would else hold everything back until that time comes.
    """
    return max((at for at in times_us if at <= clock.now_us() + AHEAD_US), default=None)
