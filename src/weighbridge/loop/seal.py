"""Seals the log's older records into Parquet segments, and forgets what lies beyond the declared retention."""

from __future__ import annotations

from weighbridge.clock import Clock, duration_us
from weighbridge.declare.case import UseCase
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores


def seal(case: UseCase, stores: Stores, clock: Clock, keep_hot: int) -> Report:
    """Seal all but the newest `keep_hot` events and labels, then forget segments wholly beyond the case's `keep`.

    Retention counts from the latest arrival in the log, not from the clock, so that an old history stays whole. Raises
    StoreFailure when a segment cannot be written or read; then nothing is lost.
    """
    run = Run("seal", stores, clock)
    sealed = stores.log.seal(keep_hot, clock.now_us())
    forgotten = 0
    if case.keep is not None:
        before_us = stores.log.head().arrived_us - duration_us(case.keep)
        forgotten = stores.log.forget(before_us, clock.now_us())
    figures = {"sealed": sealed, "forgotten": forgotten, "forgotten_us": stores.log.forgotten_us()}
    sentence = f"{sealed:,} events and labels sealed, the newest {keep_hot:,} stay hot"
    sentence += f"; {forgotten:,} events beyond {case.keep} forgotten" if case.keep else ""
    return run.finish(sentence, figures)
