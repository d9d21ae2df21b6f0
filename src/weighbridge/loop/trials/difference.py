"""What a trial changes: by action, in money, by day and by segment; and what became of declines, by those explored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US, us_to_iso
from weighbridge.declare.actions import ACTIONS
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Key
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import ints
from weighbridge.kernel.propensity import Estimate, mean, total
from weighbridge.loop.trials.outcome import Outcomes
from weighbridge.loop.trials.tally import SUMS, Rows, sums, tally
from weighbridge.score.ruling import DECLINE, REVIEW

AMOUNT_PARTS = 5
SEGMENT_RESAMPLES = 200
MOST_SHOWN = 50  # events that are decided otherwise, the dearest first


@dataclass(frozen=True)
class Replayed:
    """What was replayed, row by row, by seq. live, trial: int64[n], places in ACTIONS.

    probability, propensity: float64[n] as recorded, NaN for none; columns: event_id and the fields asked for.
    """

    seq: Ints
    event_us: Ints
    arrived_us: Ints
    live: Ints
    trial: Ints
    kept: Bools
    probability: Floats
    propensity: Floats
    columns: pa.Table


def joined(parts: Sequence[Replayed]) -> Replayed:
    """Return parts that follow each other as one."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Replayed.__dataclass_fields__
              if name != "columns"}  # fmt: skip
    return Replayed(**arrays, columns=pa.concat_tables([part.columns for part in parts]))


def difference(case: UseCase, found: Replayed, known: Outcomes, fields: Sequence[str]) -> dict[str, Any]:
    """Return every figure of a backtest as JSON members; `fields` are those to divide by."""
    rows = _rows(case, found, known)
    return {
        "from": us_to_iso(int(found.arrived_us[0])),
        "to": us_to_iso(int(found.arrived_us[-1])),
        "decisions": len(found.seq),
        "kept": int(found.kept.sum()),
        "differences": int((found.live != found.trial).sum()),
        "changes": _changes(found, known),
        "labels": _labels(found, known),
        "declined": _declined(rows, found, known),
        "figures": tally(case, rows),
        "resampled": {"by": entity_name(case) or "event", "groups": int(rows.entity.max()) + 1},
        "days": _days(case, found, rows),
        "segments": [part for name in fields for part in _segments(case, found, rows, name)],
        "dearest": _dearest(found, known, rows),
    }


def entity_name(case: UseCase) -> str | None:
    """Return the field whose values are resampled whole: the contract's first `Key`, None where it has none."""
    return next((field.name for field in case.events.payload if isinstance(field, Key)), None)


def _rows(case: UseCase, found: Replayed, known: Outcomes) -> Rows:
    amount, n = np.ones(len(found.seq)), len(found.seq)
    name, by = case.policy.costs.amount, entity_name(case)
    if name is not None:
        amount = ints(pc.fill_null(found.columns[name], 0)) / case.events.field(name, "Costs").scale
    entity = np.arange(n)
    if by is not None:
        codes = found.columns[by].combine_chunks().dictionary_encode().indices
        entity = np.asarray(codes.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        entity = np.unique(entity, return_inverse=True)[1].astype(np.int64)
    return Rows(found.live, found.trial, known.y, known.weight, found.probability, amount, entity)


def _changes(found: Replayed, known: Outcomes) -> list[dict[str, Any]]:
    """Return how many went from each action to each other one, and what is known of them."""
    pairs, settled = found.live * len(ACTIONS) + found.trial, known.mature & ~known.fitted
    told = []
    for pair in np.unique(pairs).tolist():
        its, (live, trial) = pairs == pair, divmod(pair, len(ACTIONS))
        told.append({
            "live": ACTIONS[live],
            "trial": ACTIONS[trial],
            "decisions": int(its.sum()),
            "positive": int((its & settled & (known.y == 1)).sum()),
            "negative": int((its & settled & (known.y == 0)).sum()),
            "immature": int((its & ~known.mature).sum()),
        })  # fmt: skip
    return told


def _labels(found: Replayed, known: Outcomes) -> dict[str, int]:
    """Return how far labels reach: what counts, and what does not and why."""
    asked, settled = found.propensity > 0, known.mature & ~known.fitted
    return {
        "counted": int((known.weight > 0).sum()),
        "positives": int(((known.weight > 0) & (known.y == 1)).sum()),
        "immature": int((~known.mature).sum()),
        "immature_positives": int((~known.mature & (known.y == 1)).sum()),
        "explored": int((asked & (found.live != DECLINE)).sum()),
        "spoken_for": int((settled & asked & (found.live == DECLINE)).sum()),
        "unseen_declines": int(known.unseen.sum()),
        "unlabelled": int((settled & (known.y < 0) & (found.live != DECLINE)).sum()),
        "fitted": int(known.fitted.sum()),
    }


def _declined(rows: Rows, found: Replayed, known: Outcomes) -> dict[str, Any] | None:
    """Return what became of what the thresholds declined, by the explored ones; None where none was explored.

    `positives` and `money` are Horvitz-Thompson totals, `share_positive` is Hájek's mean.
    """
    asked = (found.propensity > 0) & known.mature & ~known.fitted
    observed = asked & (known.weight > 0)
    if not observed.any():
        return None
    seen, chance, p = (known.y[asked] == 1).astype(np.float64), observed[asked], found.propensity[asked]
    figures = {"positives": total(seen, chance, p), "share_positive": mean(seen, chance, p),
               "money": total(seen * rows.amount[asked], chance, p)}  # fmt: skip
    told: dict[str, Any] = {name: _estimated(figure) for name, figure in figures.items()}
    return {"declines": int(asked.sum()), "observed": int(observed.sum()), **told}


def _estimated(figure: Estimate) -> dict[str, float]:
    low, high = figure.interval
    return {"value": figure.value, "low": low, "high": high}


def _days(case: UseCase, found: Replayed, rows: Rows) -> list[dict[str, Any]]:
    """Return the queue of reviews, what was declined and what it cost, day by day of arrival (UTC)."""
    first = int(found.arrived_us[0]) // DAY_US
    day = found.arrived_us // DAY_US - first
    count, cost = int(day[-1]) + 1, SUMS.index("cost")
    told: dict[str, dict[str, list[float]]] = {}
    for name, action in (("live", rows.live), ("trial", rows.trial)):
        told[name] = {
            "reviews": np.bincount(day[action == REVIEW], minlength=count).tolist(),
            "declines": np.bincount(day[action == DECLINE], minlength=count).tolist(),
            "cost": np.bincount(day, weights=sums(case, rows, action)[:, cost], minlength=count).tolist(),
        }
    return [
        {"day": us_to_iso((first + number) * DAY_US)[:10],
         **{name: {what: column[number] for what, column in told[name].items()} for name in told}}
        for number in range(count)
    ]  # fmt: skip


def _segments(case: UseCase, found: Replayed, rows: Rows, name: str) -> list[dict[str, Any]]:
    """Return the figures of each value of a category, or of each fifth of the amounts."""
    told = []
    for value, chosen in _divided(case, found, rows, name):
        figures = tally(case, rows.part(chosen), SEGMENT_RESAMPLES)
        told.append({"field": name, "value": value, "decisions": int(chosen.sum()), "figures": figures})
    return told


def _divided(case: UseCase, found: Replayed, rows: Rows, name: str) -> list[tuple[str, Bools]]:
    if name == case.policy.costs.amount:
        edges = np.unique(np.quantile(rows.amount, np.linspace(0, 1, AMOUNT_PARTS + 1)[1:-1]))
        place, bounds = np.searchsorted(edges, rows.amount, side="left"), ["", *(f"{edge:g}" for edge in edges), ""]
        ranges = [f"{low or 'least'} to {high or 'most'}" for low, high in pairwise(bounds)]
        return [(label, place == number) for number, label in enumerate(ranges) if (place == number).any()]
    column = found.columns[name].combine_chunks()
    values = [value for value in pc.unique(column).to_pylist() if value is not None]
    parts = [(value, pc.equal(column, value)) for value in sorted(values)]
    parts += [("none", column.is_null())] if column.null_count else []
    return [
        (value, np.asarray(pc.fill_null(its, fill_value=False).to_numpy(zero_copy_only=False))) for value, its in parts
    ]


def _dearest(found: Replayed, known: Outcomes, rows: Rows) -> list[dict[str, Any]]:
    """Return the events of the largest amounts that are decided otherwise."""
    changed = np.flatnonzero(found.live != found.trial)
    shown = changed[np.argsort(-rows.amount[changed], kind="stable")][:MOST_SHOWN]
    ids = found.columns["event_id"].take(pa.array(shown)).to_pylist()
    labels = {-1: None, 0: 0, 1: 1}
    return [
        {"event_id": event_id, "live": ACTIONS[found.live[row]], "trial": ACTIONS[found.trial[row]],
         "probability": None if np.isnan(found.probability[row]) else float(found.probability[row]),
         "amount": float(rows.amount[row]), "label": labels[int(known.y[row])]}
        for event_id, row in zip(ids, shown.tolist(), strict=True)
    ]  # fmt: skip


def sentence(figures: Mapping[str, Any]) -> str:
    """Return what a backtest found, in one sentence."""
    counts, changed = figures["figures"], figures["differences"]
    told = f"{figures['decisions']:,} decisions of {figures['from'][:10]} to {figures['to'][:10]}, {changed:,} differ"
    if changed:
        parts = [f"{name} {counts[name]['live']['value']:,.0f} → {counts[name]['trial']['value']:,.0f}"
                 for name in ("caught", "missed", "good_declined", "review", "cost")]  # fmt: skip
        told += "; " + ", ".join(part.replace("_", " ") for part in parts)
    waiting, fitted = figures["labels"]["immature"], figures["labels"]["fitted"]
    told += f"; {waiting:,} are too young for their labels" if waiting else ""
    return told + (f"; {fitted:,} rows the bundle was fitted on are counted apart" if fitted else "")
