"""Runs the declared stages in their order, skipping what has not changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.identity import digest
from weighbridge.loop.build import build
from weighbridge.loop.gate import gate, newest_bundle
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Progress, Report, silent
from weighbridge.loop.rollout import roll_out_newest
from weighbridge.loop.train import train
from weighbridge.loop.watch import watch
from weighbridge.ports import Stores
from weighbridge.score.route import PRODUCTION

SOURCES = ("simulate", "ingest")
Verb = Callable[[], Report]


def run(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    sources: Mapping[str, Verb],
    progress: Progress = silent,
    *,
    only: str | None = None,
    force: bool = False,
) -> Sequence[Report]:
    """Run the stages of the use case, or one of them, and return their reports.

    `sources` are the stages that bring data in from outside (simulate, ingest), made by the caller; a declared stage
    without one is left out. A stage whose inputs have the digest of its last run is skipped unless `force`. Raises
    InputError for an unknown stage.
    """
    names = [stage.verb for stage in case.stages]
    if only is not None and only not in names:
        raise InputError(f"use case {case.name} has no stage {only!r}; its stages are {', '.join(names)}")
    if only in SOURCES and only not in sources:
        raise InputError(f"the stage {only} needs a file: use `weigh {only}`")
    verbs: dict[str, Verb] = {
        **sources,
        "build": lambda: build(case, stores, clock, progress),
        "train": lambda: train(case, stores, clock, progress),
        "gate": lambda: gate(case, stores, clock),
        "promote": lambda: promote(case, stores, clock),
        "rollout": lambda: roll_out_newest(case, stores, clock),
        "watch": lambda: watch(case, stores, clock),
    }
    reports = []
    for name in names:
        if name in verbs and only in (None, name):
            reports.append(_stage(name, verbs[name], inputs(case, stores, name), stores, clock, force=force))
    return reports


def inputs(case: UseCase, stores: Stores, name: str) -> str | None:
    """Return the digest of what a stage depends on, None for one that always runs."""
    head = stores.log.head().data_seq
    if name == "build":
        return digest([case.vector_digest, head, stores.log.forgotten_us()])
    if name == "train":
        return digest([case.digest, head])
    if name == "gate":
        return digest([case.digest, newest_bundle(case, stores), head])
    if name == "promote":
        return digest([case.digest, newest_bundle(case, stores), head, stores.registry.alias(PRODUCTION) or ""])
    return None


def _stage(name: str, verb: Verb, depends: str | None, stores: Stores, clock: Clock, *, force: bool) -> Report:
    done = [facts for _, _, _, facts in stores.tracker.runs(f"stage {name}") if facts["inputs"] == depends]
    if depends is not None and done and not force:
        last = done[-1]
        return Report(name, f"unchanged: {last['sentence']}", last["figures"], 0.0, last["run"], skipped=True)
    report = verb()
    if depends is not None:
        facts: dict[str, Any] = {
            "inputs": depends,
            "sentence": report.sentence,
            "figures": report.figures,
            "run": report.run,
        }
        stores.tracker.record(f"{report.run}-stage", f"stage {name}", clock.now_us(), facts)
    return report
