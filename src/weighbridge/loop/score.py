"""Scores rows from outside as they come, piece by piece: those that keep the contract; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.columns import ints
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.rules import reject
from weighbridge.kernel.table_check import Rejects
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.ingest import checked_mapping
from weighbridge.loop.repeats import repeats
from weighbridge.loop.report import Progress, silent
from weighbridge.loop.sources.right_table import check_columns
from weighbridge.ports import Stores
from weighbridge.score.batch import Batch, score_rows
from weighbridge.score.bundle import Bundle
from weighbridge.score.rollups import exceeding

MOST_ROWS = 10_000_000  # what is scored at once is in memory, as integers


@dataclass(frozen=True)
class Scored:
    """What was decided about the rows that were accepted, and why others were not: row, field, rule, detail."""

    batch: Batch
    rejected: pa.Table


def score(
    case: UseCase,
    stores: Stores,
    bundle: Bundle,
    pieces: Iterable[pa.Table],
    mapping: Mapping[str, str],
    progress: Progress = silent,
) -> Scored:
    """Decide rows as if each arrived now, in their order, as `score_rows` does.

    A row whose id came before, in the log or above it, gets the same answer when it says the same, and is rejected
    otherwise. `mapping` names the column of a field where the source calls it otherwise. Raises InputError when a
    column is missing, the rows are of another table, or there are more than `MOST_ROWS`.
    """
    mapping = checked_mapping(case, mapping)
    now_us = stores.log.head().arrived_us  # the present of events without a time
    accepted, rejects, rows = list[pa.Table](), Rejects(), 0
    for piece in pieces:
        check_columns(case, case.events, piece.column_names, mapping)
        good, check = parse_table(case.events, piece, mapping, stores.pseudonyms, now_us)
        accepted.append(good.set_column(0, "row", pa.array(ints(good["row"]) + rows)))
        rejects.extend(check.rejects, rows)
        rows += len(piece)
        if rows > MOST_ROWS:
            raise InputError(f"more than {MOST_ROWS:,} rows cannot be scored at once; give them in several parts")
        progress("rows read", rows, rows)
    whole = pa.concat_tables(accepted)
    found = repeats(case, stores.log, whole)
    rejects.add(ints(whole["row"])[found.clashing], reject(case.events.id.name, "unique"))
    kept, fresh = ~found.clashing, np.flatnonzero(~found.stored & ~found.clashing)
    for fault, over in exceeding(compile_plan(case), stores, whole.take(pa.array(fresh))):
        rejects.add(ints(whole["row"])[fresh[over]], fault)
        kept[fresh[over]] = False
    batch = score_rows(
        case, stores, bundle, whole.filter(pa.array(kept)), lambda done, of: progress("rows decided", done, of)
    )
    return Scored(batch, rejects.table())
