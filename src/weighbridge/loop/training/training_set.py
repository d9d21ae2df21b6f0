"""What training reads: every vector as known at its arrival, with the labels that had arrived, split by time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import duration_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Text
from weighbridge.declare.training import STRATIFIED
from weighbridge.errors import InputError
from weighbridge.identity import chance
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import ints, to_columns, with_partials
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns
from weighbridge.kernel.split import Split, content, grouped, latest_labels, stratified_split, time_split
from weighbridge.loop.build import CONTENT, HEAD_SEQ, table_name
from weighbridge.loop.labels.ledger import trust_of
from weighbridge.loop.training.evaluate import Rows, rows_of
from weighbridge.loop.trials.outcome import spoken
from weighbridge.ports import Stores
from weighbridge.score.rollups import with_rollups


@dataclass(frozen=True)
class TrainingSet:
    """What training reads: the log's columns, their vectors, the newest label of each row, and the split.

    `known_then` are the labels that had arrived when validation begins, the only ones that fitting sees. `told` are the
    label records about these rows, as `columns.label_row` has them. `weight`, float64[rows], is for how many events a
    row speaks: above 1 for those that were explored, which speak for would-be declines like them. `content` and
    `drawn`, int64[n], are of a stratified split: a number that rows of the same content share, and their chance.
    """

    columns: Columns
    vectors: Vectors
    labels: Ints
    known_then: Ints
    split: Split
    mature: Bools
    as_of_us: int
    until_us: int
    told: pa.Table
    weight: Floats
    content: Ints | None = None
    drawn: Ints | None = None

    def rows(self, case: UseCase, chosen: Bools) -> Rows:
        """Return chosen rows to evaluate on, at their `places`."""
        return rows_of(case, self.columns, self.vectors, self.labels, self.places(chosen))

    def known_by(self, case: UseCase, moment_us: int) -> Ints:
        """Return the labels that had arrived by a moment, microseconds UTC: int64[rows], -1 where none had."""
        then = ints(self.told["arrived_us"]) <= moment_us
        trust = trust_of(case.label, self.told)[then]
        return latest_labels(self.columns.label_row[then], self.columns.label_value[then], len(self.columns), trust)

    def unlabelled(self) -> Ints:
        """Return the mature events without a label, of the time of validation where there is one, by seq: int64[n]."""
        missing = (self.labels < 0) & (self.columns.event_us <= self.until_us)
        if self.drawn is None:
            missing &= self.columns.event_us > self.split.validation_from_us
        return self.columns.seq[missing]

    def places(self, chosen: Bools) -> Ints:
        """Return the numbers of chosen rows, each as often as events it speaks for, rounded."""
        rows = np.flatnonzero(chosen)
        return np.repeat(rows, np.maximum(np.rint(self.weight[rows]), 1).astype(np.int64))


def training_set(case: UseCase, stores: Stores, as_of_us: int | None = None) -> TrainingSet:
    """Return the vectors as they were built last, the labels known then, and their split by time.

    With `as_of_us`, microseconds UTC, nothing that arrived later is there. Rows that train carry the labels that had
    arrived when validation begins. Raises InputError when no vectors were built, no label is known, or a part of the
    split is empty.
    """
    table = stores.tables.get(table_name(case))
    if table is None:
        raise InputError("no vectors were built yet; run `weigh run CASE build` first")
    built = int(table.schema.metadata[HEAD_SEQ])
    events, records = (t.filter(pc.less_equal(t["seq"], built)) for t in (stores.log.events(), stores.log.labels()))
    if as_of_us is not None:
        events, records = (t.filter(pc.less_equal(t["arrived_us"], as_of_us)) for t in (events, records))
    table = table.filter(pc.is_in(table["seq"], value_set=events["seq"].combine_chunks()))  # the rest was forgotten
    if not len(records) or not len(events):
        when = "yet" if as_of_us is None else "by then"
        raise InputError(f"no label has arrived {when}; ingest labels or send them to /feedback before training")
    plan = compile_plan(case)
    columns = to_columns(plan, events, records)
    vectors = np.stack([table[name].to_numpy() for name in case.feature_names], axis=1)
    about = records.filter(pc.is_in(records["event_id"], value_set=events["event_id"].combine_chunks()))
    trust = trust_of(case.label, about)
    weight = spoken(stores.log, columns.seq)
    known = latest_labels(columns.label_row, columns.label_value, len(columns), trust)
    labels = np.where(weight > 0, known, -1)
    head_us = max(pc.max(t["arrived_us"]).as_py() for t in (events, records))
    newest_us = int(columns.event_us[labels >= 0].max(initial=0))
    until_us = min((head_us if as_of_us is None else as_of_us) - case.label.matures_us, newest_us)
    training = case.training
    if training.split == STRATIFIED:
        same, drawn = _chances(case, events, columns, _of_child_rows(table) if plan.partials else None)
        settled = (labels >= 0) & (columns.event_us <= until_us)
        split = stratified_split(labels, drawn, settled, training.share, head_us if as_of_us is None else as_of_us)
        return TrainingSet(
            columns, vectors, labels, labels, split, settled, head_us, until_us, about, weight, same, drawn
        )
    split = time_split(
        columns.event_us,
        labels >= 0,
        until_us=until_us,
        validation_us=duration_us(training.validation),
        gap_us=duration_us(training.gap) if training.gap else case.label.matures_us,
        history_us=duration_us(training.history) if training.history else None,
    )
    first = columns.event_us[split.train].min()
    mature = (labels >= 0) & (columns.event_us <= until_us) & (columns.event_us >= first)
    arrived = records.filter(pc.less_equal(records["arrived_us"], split.validation_from_us))
    then = columns.label_seq <= (pc.max(arrived["seq"]).as_py() or 0)
    known_then = latest_labels(columns.label_row[then], columns.label_value[then], len(columns), trust[then])
    split = replace(split, train=split.train & (known_then >= 0))
    return TrainingSet(columns, vectors, labels, known_then, split, mature, head_us, until_us, about, weight)


def with_child_rows(case: UseCase, stores: Stores, data: TrainingSet, wanted: Bools) -> Columns:
    """Return the columns with the partials of the wanted rows' child rows, bool[n], worked out from the log.

    The vectors hold what came of them, so only who makes vectors anew asks for this; it may take longer than the fit.
    """
    plan = compile_plan(case)
    if not plan.partials:
        return data.columns
    events = stores.log.events(until=int(data.columns.seq[-1]))
    events = events.filter(pc.is_in(events["seq"], value_set=pa.array(data.columns.seq)))
    return replace(
        data.columns, values=with_partials(plan, with_rollups(plan, stores, events, wanted), data.columns.values)
    )


def _of_child_rows(table: pa.Table) -> Ints:
    """Return what child rows add to the number of each row's content, as it was built, int64[n]."""
    if CONTENT not in table.column_names:
        raise InputError("the vectors come from an earlier version; run `weigh run CASE build` again")
    return ints(table[CONTENT])


def _chances(case: UseCase, events: pa.Table, columns: Columns, of_rows: Ints | None) -> tuple[Ints, Ints]:
    """Return a number of each row's content, and the chance by which its side is drawn: that of all of its content."""
    values = columns.values.copy()
    for place, field in enumerate(case.events.payload):
        if isinstance(field, Text):
            codes = events[field.name].combine_chunks().dictionary_encode().indices
            values[:, place] = codes.fill_null(-1).to_numpy(zero_copy_only=False)
    same = content(values) if of_rows is None else content(values) + of_rows
    own = np.array([chance(id, case.training.seed) for id in events["event_id"].to_pylist()], dtype=np.int64)
    return same, grouped(same, own)
