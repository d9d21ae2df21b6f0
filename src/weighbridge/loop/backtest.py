"""Replays what was decided through another policy or bundle, and shows the difference to what was live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category
from weighbridge.errors import InputError
from weighbridge.kernel.columns import ints
from weighbridge.loop.report import Progress, Report, Run, silent, write_report
from weighbridge.loop.trials.difference import Replayed, difference, entity_name, joined, sentence
from weighbridge.loop.trials.outcome import outcomes
from weighbridge.loop.trials.trial import Replay, Trial
from weighbridge.ports import Log, Stores
from weighbridge.score.ruling import action_codes

AT_ONCE = 65_536  # places of the log that are decided again at once


@dataclass(frozen=True)
class Period:
    """Which decisions are replayed: those that arrived from a time on, before another, microseconds UTC."""

    from_us: int
    to_us: int


def backtest(
    case: UseCase, stores: Stores, clock: Clock, trial: Trial, period: Period, by: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Report:  # fmt: skip
    """Return what a trial would have made of a period, beside what was really decided.

    `by`: fields to divide by, categories or the amount of `Costs`; None are all of them. Events that are too young for
    their labels are counted apart, and so are declines that nobody can speak for, and those that a tried bundle was
    fitted on. Raises InputError when nothing was decided in the period, when a tried bundle was fitted on all of it, or
    for what the trial names and there is not.
    """
    run = Run("backtest", stores, clock)
    fields = segment_fields(case, by)
    found, otherwise = _replayed(case, stores, trial, period, fields, progress)
    ids, until_us = found.columns["event_id"].combine_chunks(), _fitted_until(trial, found)
    known = outcomes(case, stores.log, ids, found.event_us, found.live, found.propensity, until_us)
    progress("intervals", 0, 1)
    figures = {
        "tried": trial.says(),
        **difference(case, found, known, fields),
        "ruled_otherwise": otherwise,
        "capacity_per_day": (trial.policy or case.policy).review_capacity_per_day,
    }
    progress("intervals", 1, 1)
    write_report(stores.reports, f"backtest-{run.id}", {**figures, "use_case": case.name, "run": run.id})
    return run.finish(sentence(figures), figures)


def _fitted_until(trial: Trial, found: Replayed) -> int | None:
    """Return until when the tried bundle was fitted. Raises InputError when nothing happened since."""
    if trial.bundle is None:
        return None
    until_us = trial.bundle.trained_until_us
    if (found.event_us <= until_us).all():
        raise InputError(
            f"bundle {trial.bundle.version} was fitted on what happened until {us_to_iso(until_us)}: this period holds "
            "nothing to judge it by; try a later one"
        )
    return until_us


def segment_fields(case: UseCase, by: Sequence[str] | None) -> list[str]:
    """Return the fields to divide by. Raises InputError for one that cannot."""
    amount = case.policy.costs.amount
    known = [*([amount] if amount else []), *(f.name for f in case.events.payload if isinstance(f, Category))]
    for name in by or ():
        if name not in known:
            raise InputError(
                f"--by {name!r} is neither a category nor the amount of costs; use {', '.join(known) or 'none'}"
            )
    return known if by is None else list(dict.fromkeys(by))


def _pieces(log: Log, period: Period, progress: Progress) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield the period's decisions with their events, by seq, row by row the same."""
    head = log.head().seq
    for after in range(0, head, AT_ONCE):
        progress("deciding again", min(after, head), head)
        events = log.events(after, min(after + AT_ONCE, head))
        if len(events) and events["arrived_us"][0].as_py() >= period.to_us:
            return
        events = events.filter((pc.field("arrived_us") >= period.from_us) & (pc.field("arrived_us") < period.to_us))
        if not len(events):
            continue
        decisions = log.decisions(events["seq"][0].as_py() - 1, events["seq"][-1].as_py())
        rows = pc.index_in(decisions["seq"], value_set=events["seq"].combine_chunks())
        decisions = decisions.filter(rows.is_valid())
        if len(decisions):
            yield events.take(rows.drop_null()), decisions


def _replayed(
    case: UseCase, stores: Stores, trial: Trial, period: Period, fields: Sequence[str], progress: Progress
) -> tuple[Replayed, int]:
    replay, otherwise, parts = None, 0, []
    names = dict.fromkeys(["event_id", *fields, *(n for n in (entity_name(case), case.policy.costs.amount) if n)])
    for events, decisions in _pieces(stores.log, period, progress):
        replay = replay or Replay(case, stores, trial, events["seq"][0].as_py())
        tried = replay.decide(events, decisions)
        probability, propensity = (decisions[n].fill_null(np.nan).to_numpy() for n in ("probability", "propensity"))
        seq, event_us, arrived_us = (ints(events[name]) for name in ("seq", "event_us", "arrived_us"))
        ours = (action_codes(decisions), tried.action, tried.kept, probability, propensity)
        parts.append(Replayed(seq, event_us, arrived_us, *ours, events.select(list(names))))
        otherwise += tried.ruled_otherwise
    if replay is None:
        raise InputError("nothing was decided in this period; `weigh score` decides events of a file")
    for name in trial.without:
        if name not in replay.rules:
            raise InputError(f"no rule is called {name!r} in this period; use one of {', '.join(sorted(replay.rules))}")
    return joined(parts), otherwise
