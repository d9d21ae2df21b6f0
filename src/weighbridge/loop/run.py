"""Runs the declared stages in their order, skipping what has not changed, and leaves what each did in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.stages import ON_DEMAND, Stage
from weighbridge.errors import InputError
from weighbridge.identity import digest
from weighbridge.loop.build import build
from weighbridge.loop.due import due
from weighbridge.loop.freshness import fresh
from weighbridge.loop.gate import gate, newest_bundle
from weighbridge.loop.ingested import ingested
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Progress, Report, silent, write_report
from weighbridge.loop.retrain import Tell, retrain
from weighbridge.loop.rollout import roll_out_newest
from weighbridge.loop.train import train
from weighbridge.loop.validate import validated
from weighbridge.loop.watch import watch
from weighbridge.ports import Stores
from weighbridge.score.route import PRODUCTION

SOURCES = ("simulate", "ingest")
UNCHANGED = "unchanged: "
Verb = Callable[[], Report]


def chosen(case: UseCase, name: str | None) -> tuple[Stage, ...]:
    """Return the stages that a stage's or a pipeline's name means, in order; None means all but those on demand.

    Raises InputError for a name that is neither.
    """
    if name is None:
        return tuple(stage for stage in case.stages if stage.verb not in ON_DEMAND)
    found = [stage for stage in case.stages if stage.verb == name]
    found = found or [stage for stage in case.stages if stage.pipeline == name]
    if not found:
        verbs, pipelines = [stage.verb for stage in case.stages], dict.fromkeys(s.pipeline for s in case.stages)
        raise InputError(
            f"use case {case.name} has no stage {name!r}; its stages are {', '.join(verbs)}, "
            f"its pipelines {', '.join(pipelines)}"
        )
    return tuple(found)


def run(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    sources: Mapping[str, Verb],
    progress: Progress = silent,
    tell: Tell = lambda report: None,
    *,
    only: str | None = None,
    force: bool = False,
) -> Sequence[Report]:
    """Run the stages of the use case, or one of them or of its pipelines, and return their reports.

    `sources` are the stages that bring data in from outside (simulate, ingest), made by the caller; without a name, a
    declared stage that is not among them is left out, and `freshness` with `ingest`. `tell` gets each report as it is
    there. A stage whose inputs have the digest of its last run is skipped unless `force`. What a stage did is in the
    home's reports/stages/STAGE.json, which only changes when the stage ran. Raises InputError for an unknown stage.
    """
    stages = chosen(case, only)
    absent = [stage.verb for stage in stages if stage.verb in SOURCES and stage.verb not in sources]
    if only is not None and absent:
        raise InputError(f"the stage {absent[0]} needs a file: use `weigh {absent[0]}`")
    if "ingest" in absent:
        absent.append("freshness")  # what was not asked for anything new owes nothing new
    verbs: dict[str, Verb] = {
        **sources,
        "freshness": lambda: fresh(case, stores, clock),
        "build": lambda: build(case, stores, clock, progress),
        "validate": lambda: validated(case, stores, clock, progress),
        "train": lambda: train(case, stores, clock, progress),
        "gate": lambda: gate(case, stores, clock),
        "promote": lambda: promote(case, stores, clock),
        "rollout": lambda: roll_out_newest(case, stores, clock),
        "watch": lambda: watch(case, stores, clock),
        "retrain": lambda: _retrain_if_due(case, stores, clock, progress),
    }
    reports = []
    for stage in stages:
        if stage.verb not in absent:
            depends = inputs(case, stores, stage.verb)
            report = _stage(stage.verb, verbs[stage.verb], depends, stores, clock, force=force)
            _leave(case, stores, stage.verb, depends, report)
            tell(report)
            reports.append(report)
    return reports


def inputs(case: UseCase, stores: Stores, name: str) -> str | None:
    """Return the digest of what a stage depends on, None for one that always runs."""
    head = stores.log.head().data_seq
    if name == "build":
        return digest([case.vector_digest, head, stores.log.forgotten_us()])
    if name == "validate":
        return digest([case.digest, head, ingested(stores.tracker).rejected])
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
        return Report(name, f"{UNCHANGED}{last['sentence']}", last["figures"], 0.0, last["run"], skipped=True)
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


def _leave(case: UseCase, stores: Stores, name: str, depends: str | None, report: Report) -> None:
    """Write what the stage did, or had done when it last ran: for the same inputs the same file."""
    folder = stores.reports / "stages"
    if report.skipped and depends is None and (folder / f"{name}.json").exists():
        return
    sentence, figures = report.sentence.removeprefix(UNCHANGED), dict(report.figures)
    facts = {"use_case": case.name, "stage": name, "inputs": depends, "run": report.run}
    write_report(folder, name, {**facts, "sentence": sentence, "figures": figures})


def _retrain_if_due(case: UseCase, stores: Stores, clock: Clock, progress: Progress) -> Report:
    asked = due(case, stores, clock)
    if asked is None:
        figures = {"due": False, "decision": "skipped"}
        return Report("retrain", "nothing asks for one", figures, 0.0, "", skipped=True)
    return retrain(case, stores, clock, progress, trigger=asked.trigger, reason=asked.reason)
