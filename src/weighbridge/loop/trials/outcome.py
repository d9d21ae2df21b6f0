"""What became of decided events: labels, whether they are mature, and for how many events each one speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import beta

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import ints
from weighbridge.kernel.propensity import weights
from weighbridge.kernel.split import latest_labels
from weighbridge.loop.labels.ledger import trust_of
from weighbridge.ports import Log
from weighbridge.score.rulebook import POLICY
from weighbridge.score.ruling import DECLINE, action_codes

AT_ONCE = 65_536  # places of the log that are read at once
LEVELS = 4_096  # of the quantiles that stand for a distribution


@dataclass(frozen=True)
class Outcomes:
    """What is known of n decided events.

    y: int64[n], the label as the declared rule resolves it, -1 where none has arrived. mature: bool[n]. weight:
    float64[n], for how many events a row speaks; 0 where it may not be counted: it is immature, its label is missing,
    or explored ones speak for it.
    unseen: bool[n], mature declines that nobody can speak for: no label, and no chance of being let through. fitted:
    bool[n], mature ones of the time that the tried bundle was fitted on: they would praise it, and have weight 0.
    """

    y: Ints
    mature: Bools
    weight: Floats
    unseen: Bools
    fitted: Bools


def outcomes(
    case: UseCase, log: Log, event_ids: pa.Array, event_us: Ints, action: Ints, propensity: Floats,
    fitted_until_us: int | None = None,
) -> Outcomes:  # fmt: skip
    """Return what became of events by what had arrived when the log ends.

    action: int64[n], places in ACTIONS as decided; propensity: float64[n], as recorded, NaN where chance had no say. An
    event that chance let through counts 1 / propensity times; then its likes that were declined do not count, with or
    without a label. Nothing without a label ever counts, as good or as bad, nor does what happened until
    `fitted_until_us`.
    """
    labels, head_us = log.labels(), log.head().arrived_us
    labels = labels.append_column("row", pc.index_in(labels["event_id"], value_set=event_ids))
    labels = labels.filter(pc.is_valid(labels["row"]))
    trust = trust_of(case.label, labels)
    y = latest_labels(ints(labels["row"]), ints(labels["value"]), len(event_us), trust)
    mature = event_us + case.label.matures_us <= head_us
    weight, hidden = observed_weights(action, propensity)
    fitted = mature & (event_us <= fitted_until_us) if fitted_until_us is not None else np.zeros_like(mature)
    weight = np.where(mature & ~fitted & (y >= 0), weight, 0.0)
    return Outcomes(y, mature, weight, mature & ~fitted & hidden & (y < 0), fitted)


def observed_weights(action: Ints, propensity: Floats) -> tuple[Floats, Bools]:
    """Return for how many events each decided one speaks, once its label is known, and which declines none speaks for.

    action: int64[n], places in ACTIONS; propensity: float64[n]. See `outcomes`.
    """
    asked, declined = propensity > 0, action == DECLINE
    weight = np.where(asked & declined, 0.0, 1.0)
    weight[asked & ~declined] = weights(asked & ~declined, np.nan_to_num(propensity))[asked & ~declined]
    return weight, declined & ~asked


def spoken(log: Log, seq: Ints) -> Floats:
    """Return for how many events each event of the log speaks once its label is known, float64[n], by seq.

    1 where nothing was decided or chance had no say; 0 for declines that explored ones speak for. See `outcomes`.
    """
    found = np.ones(len(seq))
    if not len(seq) or not any(body.get("explore") for _, _, body in log.notes(POLICY)):
        return found
    for decisions in _decisions(log, seq):
        decisions = decisions.filter(decisions["propensity"].is_valid())
        places = np.searchsorted(seq, ints(decisions["seq"]))
        here = seq[np.minimum(places, len(seq) - 1)] == ints(decisions["seq"])
        propensity = np.array(decisions["propensity"].to_numpy(), dtype=np.float64)
        found[places[here]] = observed_weights(action_codes(decisions), propensity)[0][here]
    return found


def unseen_declines(log: Log, seq: Ints) -> int:
    """Return how many of some events without a label, by seq, ascending, were declined with none to speak for them."""
    found = 0
    for decisions in _decisions(log, seq):
        decisions = decisions.filter(pc.is_in(decisions["seq"], value_set=pa.array(seq)))
        propensity = np.array(decisions["propensity"].to_numpy(), dtype=np.float64)
        found += int(observed_weights(action_codes(decisions), propensity)[1].sum())
    return found


def _decisions(log: Log, seq: Ints) -> Iterator[pa.Table]:
    """Yield what was decided from the first to the last of some places, ascending, so much of the log at once."""
    first, last = (int(seq[0]) - 1, int(seq[-1])) if len(seq) else (0, 0)
    for after in range(first, last, AT_ONCE):
        yield log.decisions(after, min(after + AT_ONCE, last))


def at_most(share: float, count: float, usual: float | Floats) -> float:
    """Return the chance of no more than this share of a count, which need not be whole: the binomial's distribution.

    Of several usual shares it is the mean.
    """
    return 1.0 if share >= 1 else float(np.mean(beta.sf(usual, share * count + 1, count * (1 - share))))


def at_most_again(share: float, count: float, hits: int, rows: int) -> float:
    """Return the chance of no more than this share of a count where so many of so many rows were hits before.

    The beta-binomial with Jeffreys' prior: what came before is a sample too. The count need not be whole.
    """
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    return at_most(share, count, beta.ppf(levels, hits + 0.5, rows - hits + 0.5))
