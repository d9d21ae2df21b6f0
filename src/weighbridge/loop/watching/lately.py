"""What the champion decided, as it was known at some moment: decisions, their events, and the labels by then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US, duration_us
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import ints, to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.split import latest_labels
from weighbridge.loop.labels.ledger import trust_of
from weighbridge.loop.watching.drift import clusters
from weighbridge.loop.watching.performance import Said
from weighbridge.ports import Stores
from weighbridge.ports.log import LAST
from weighbridge.records import MOVED, PRODUCTION
from weighbridge.score.ruling import action_codes
from weighbridge.stores.tables import vectors_of


@dataclass(frozen=True)
class Lately:
    """The whole decisions of a champion since it was promoted, by seq. `last`: bool[n], those of the window.

    `fills`: whether they fill the window, so that days of the week weigh alike; `until_us`: when the newest was made, 0
    where there is none.
    """

    bundle: str
    decisions: pa.Table
    said: Said
    last: Bools
    fills: bool
    until_us: int

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors of the window, float32[window, features]."""
        return vectors_of(self.decisions.filter(pa.array(self.last)))

    @property
    def probability(self) -> Floats:
        """The probabilities of the window, float64[window]."""
        return self.said.probability[self.last]

    @property
    def groups(self) -> list[Ints]:
        """The clusters of the window's rows by every key."""
        return list(self.said.of(self.last).groups)

    @property
    def seconds(self) -> Floats:
        """How long after they happened the window's events counted for the next decision, seconds float64[window].

        Delay on the way to the door is in it: it is measured from the event's own time, not from its arrival.
        """
        counted = ints(pc.add(self.decisions["decided_us"], self.decisions["latency_us"]))
        return (counted[self.last] - self.said.event_us[self.last]) / 1e6

    def mature(self, as_of_us: int, matures_us: int, last_us: int) -> Bools:
        """Return which rows have a settled label: the newest `last` of them by the time of their events, bool[n]."""
        settled = (self.said.y >= 0) & (self.said.event_us <= as_of_us - matures_us)
        if not settled.any():
            return settled
        return settled & (self.said.event_us > int(self.said.event_us[settled].max()) - last_us)


def lately(case: UseCase, stores: Stores, last: str, as_of_us: int | None) -> Lately:
    """Return what the champion of a moment (None: now) had decided by then. Raises InputError when there was none.

    A decision that was made without what is watched, because something was degraded, has no part in it.
    """
    until = LAST if as_of_us is None else as_of_us
    notes = stores.log.notes(MOVED)
    moves = [(seq, body["bundle"]) for seq, at, body in notes if body["alias"] == PRODUCTION and at <= until]
    if not moves:
        then = "" if as_of_us is None else " then"
        raise InputError(f"no bundle {'was' if then else 'is'} in production{then}; run `weigh run` first")
    after, bundle = moves[-1]
    decisions = stores.log.decisions(after)
    whole = pc.and_(pc.equal(decisions["bundle"], bundle), pc.equal(decisions["degraded"], "[]"))
    decisions = decisions.filter(pc.and_(whole, pc.less_equal(decisions["decided_us"], until)))
    if len(decisions):
        events = stores.log.events(pc.min(decisions["seq"]).as_py() - 1, pc.max(decisions["seq"]).as_py())
    else:
        events = stores.log.events(LAST - 1)
    events = events.filter(pc.is_in(events["seq"], value_set=decisions["seq"].combine_chunks()))
    decisions = decisions.filter(pc.is_in(decisions["seq"], value_set=events["seq"].combine_chunks()))
    labels = stores.log.labels()
    about = pc.is_in(labels["event_id"], value_set=events["event_id"].combine_chunks())
    labels = labels.filter(pc.and_(about, pc.less_equal(labels["arrived_us"], until)))
    columns = to_columns(compile_plan(case), events, labels)
    y = latest_labels(columns.label_row, columns.label_value, len(columns), trust_of(case.label, labels))
    propensity = np.array(decisions["propensity"].fill_null(np.nan).to_numpy(), dtype=np.float64)
    decided = (clusters(case, columns.values), action_codes(decisions), propensity)
    said = Said(decisions["probability"].to_numpy(), y, columns.event_us, *decided)
    moments, span_us = ints(decisions["decided_us"]), duration_us(last)
    newest = int(moments.max(initial=0))
    in_window = moments > newest - span_us
    fills = bool(len(moments)) and newest - int(moments[in_window].min()) >= span_us - min(DAY_US, span_us // 7)
    return Lately(bundle, decisions, said, in_window, fills, newest)
