"""Rows of a file whose id came before: in the file, or in the log; with the same content, or with other content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Bools
from weighbridge.kernel.columns import firsts
from weighbridge.ports import EventLog
from weighbridge.stores.tables import SENT, event_schema


@dataclass(frozen=True)
class Repeats:
    """What each row of a table is, bool[rows]: the first of its id, stored already, at odds with what came before."""

    first: Bools
    stored: Bools
    clashing: Bools

    @property
    def new(self) -> Bools:
        """The rows that say something for the first time."""
        return self.first & ~self.stored


def repeats(case: UseCase, log: EventLog, accepted: pa.Table) -> Repeats:
    """Hold every accepted row whose id came before against the stored event, else against the table's first row of it.

    Two say the same when they agree in all but their arrival, and the child rows that no table of events holds.
    """
    ids = accepted["event_id"].combine_chunks()
    first = firsts(ids)
    stored = np.asarray(log.known(ids).to_numpy(zero_copy_only=False), dtype=np.bool_)
    clashing = np.zeros(len(ids), dtype=np.bool_)
    suspects = np.flatnonzero(~first | stored)
    if not len(suspects):
        return Repeats(first, stored, clashing)
    apart = {"seq", "arrived_us", SENT} if case.events.time else {"seq", "arrived_us", SENT, "event_us"}
    content = [name for name in event_schema(case.events).names if name not in apart]
    told = accepted.select(content)
    again = ids.take(pa.array(suspects))
    before = told.filter(pc.and_(pa.array(first), pc.is_in(ids, value_set=again)))
    earlier = {row["event_id"]: row for row in before.to_pylist()}
    if stored.any():
        held = log.events()
        asked = held.filter(pc.is_in(held["event_id"], value_set=ids.filter(pa.array(stored))))
        earlier |= {row["event_id"]: row for row in asked.select(content).to_pylist()}
    said = told.take(pa.array(suspects)).to_pylist()
    clashing[suspects] = [earlier[row["event_id"]] != row for row in said]
    return Repeats(first, stored, clashing)
