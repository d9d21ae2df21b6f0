"""Holds the engine against the Fraud Detection Handbook: its features, its models, and its protocol with ours.

    python -m examples.handbook [--json] [--data DIR] [--only features|published|split-b|validation]

The protocol: a week trains, labels take a week to arrive, a week tests; rows of customers known to be defrauded are
left out of the test. Source: Le Borgne, Siblini, Lebichot, Bontempi (2022), Fraud Detection Handbook, chapters 3 and 5.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from examples.handbook_cards import case, published, published_models
from weighbridge.clock import DAY_US
from weighbridge.declare import UseCase
from weighbridge.declare.features import Features
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.metrics import average_precision, card_precision_at_k, roc_auc
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns, replay
from weighbridge.kernel.split import latest_labels
from weighbridge.kernel.validate import parse_table
from weighbridge.learners.fit import fit
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.tables import in_order_of_arrival

Figures = dict[str, Any]

SPLIT_A = "2018-07-25"
SPLIT_B = (SPLIT_A, "2018-08-01", "2018-08-08", "2018-08-15")
VALIDATION = ("2018-06-20", "2018-06-27", "2018-07-04", "2018-07-11")
ROWS = {"train": (67_240, 598), "test": (58_264, 385)}  # of split A as published: rows, frauds
TRAIN_DAYS = 70
FLOOR, BEST_PUBLISHED = 0.72, 0.694  # average precision on split B
NEAR = 0.015  # how far below a published figure a reproduced model may lie
MEASURES = ("roc_auc", "average_precision", "card_precision_100")
PUBLISHED = ((0.871, 0.606, 0.291), (0.867, 0.658, 0.287), (0.862, 0.639, 0.273))  # on split A, by model
COLUMNS = [  # of expected_features.parquet, in the order of `published`
    "TX_DURING_WEEKEND",
    "TX_DURING_NIGHT",
    *(f"CUSTOMER_ID_{what}_{days}DAY_WINDOW" for days in (1, 7, 30) for what in ("NB_TX", "AVG_AMOUNT")),
    *(f"TERMINAL_ID_{what}_{days}DAY_WINDOW" for days in (1, 7, 30) for what in ("NB_TX", "RISK")),
]
TOLERANCE = {"AVG_AMOUNT": 1e-6, "RISK": 1e-9}


@dataclass(frozen=True)
class History:
    """The payments as the engine's columns; day: int64[n] since 1970, fraud: int64[n], 0 or 1."""

    ids: pa.Array
    columns: Columns
    day: Ints
    fraud: Ints

    def key(self, name: str) -> Ints:
        """Return the codes of a payload field, int64[n]."""
        return self.columns.values[:, [f.name for f in case.events.payload].index(name)]


def read_history(folder: Path) -> History:
    """Read the transactions through the contract; each label arrives when the declaration says."""
    raw = pq.read_table(folder / "cards" / "transactions.parquet")
    events, check = parse_table(case.events, raw, {}, Pseudonyms(bytes(32)))
    if len(events) < len(raw):
        raise SystemExit(f"{len(check.rejects.rows)} rows break the contract: {check.rejects.details[0]}")
    arrived_us = events["event_us"].to_numpy() + case.label.arrives_us
    value = pc.cast(raw[case.label.source], pa.int64())
    labels = pa.table({"event_id": events["event_id"], "value": value, "arrived_us": pa.array(arrived_us)})
    events, labels = in_order_of_arrival(MemoryLog(case.events).head(), events.drop_columns(["row"]), labels)
    columns = to_columns(compile_plan(case), events, labels)
    fraud = latest_labels(columns.label_row, columns.label_value, len(columns))
    return History(events["event_id"].combine_chunks(), columns, columns.event_us // DAY_US, fraud)


def vectors_of(history: History, features: Features, wanted: Bools) -> Vectors:
    """Return the vectors of the wanted rows, each as known at its arrival, float32[wanted, features]."""
    return replay(compile_plan(replace(case, features=features)), history.columns, wanted)


def first_day(start: str) -> int:
    """Return a date as days since 1970."""
    return int(np.datetime64(start, "D").astype(np.int64))


def split(history: History, start: str, train_days: int = 7) -> tuple[Bools, Bools]:
    """Return the rows that train and the rows that test, bool[n] each, of the split that starts on a day.

    Training ends seven days after the start, the test begins seven days later. A customer of the test is known to be
    defrauded by a fraud between the start and eight days before the payment.
    """
    first, day, customer = first_day(start), history.day, history.key("customer_id")
    train = (day >= first + 7 - train_days) & (day < first + 7)
    test = np.zeros(len(day), dtype=np.bool_)
    for today in range(first + 14, first + 21):
        seen = (day >= first) & (day <= today - 8) & (history.fraud == 1)
        test |= (day == today) & ~np.isin(customer, customer[seen])
    return train, test


def handbook_form(vectors: Vectors) -> Floats:
    """Return the book's fifteen columns, float64[n, 15], of vectors of `published`.

    Counts and sums are integers (of cents), exact in float32 up to 2**23; the means and shares are made from them here.
    """
    out = vectors.astype(np.float64)
    cents = np.rint(out * 100)
    for count in (3, 5, 7):
        if cents[:, count + 1].max(initial=0) >= 2**23:
            raise SystemExit("a sum of amounts is too large to be exact in float32")
        out[:, count] += 1
        out[:, count + 1] = (cents[:, count + 1] + cents[:, 0]) / (100 * out[:, count])
    for count in (9, 11, 13):
        out[:, count + 1] /= np.maximum(out[:, count], 1)
    return out


def check_features(history: History, folder: Path, features: Features = published) -> Figures:
    """Compare with the fifteen published features; a row that ties in time with another of its key may differ."""
    expected = pq.read_table(folder / "cards" / "expected_features.parquet")
    wanted = np.isin(history.day, first_day(SPLIT_A) + np.arange(21))
    if pc.cast(expected["TRANSACTION_ID"], pa.string()).to_pylist() != history.ids.filter(pa.array(wanted)).to_pylist():
        raise SystemExit("expected_features.parquet is not about the payments of these three weeks")
    ours = handbook_form(vectors_of(history, features, wanted))[:, 1:]
    ties = {key: tied(history, key)[wanted] for key in ("customer_id", "terminal_id")}
    wrong = np.zeros(ours.shape, dtype=np.bool_)
    excused = np.zeros(len(ours), dtype=np.bool_)
    for place, name in enumerate(COLUMNS):
        allowed = next((bound for kind, bound in TOLERANCE.items() if kind in name), 0.0)
        differs = ~(np.abs(ours[:, place] - expected[name].to_numpy()) <= allowed)
        may = next((rows for key, rows in ties.items() if name.startswith(key.upper())), np.zeros_like(differs))
        wrong[:, place] = differs & ~may
        excused |= differs & may
    mismatches, named = int(wrong.any(axis=1).sum()), {key: int(rows.sum()) for key, rows in ties.items()}
    say(f"{len(ours):,} rows, 15 columns: {mismatches} rows beyond tolerance")
    say(f"rows that tie in time: {named}, of which {excused.sum()} differ")
    columns = [name for place, name in enumerate(COLUMNS) if wrong[:, place].any()]
    found = {"rows": len(ours), "tied": named, "differing_and_tied": int(excused.sum()), "columns": columns}
    return {**found, "mismatches": mismatches, "passed": mismatches == 0}


def tied(history: History, key: str) -> Bools:
    """Return which rows have the same time as another row of the same key, bool[n]."""
    codes, event_us = history.key(key), history.columns.event_us
    order = np.lexsort((event_us, codes))
    same = (np.diff(codes[order]) == 0) & (np.diff(event_us[order]) == 0)
    out = np.zeros(len(order), dtype=np.bool_)
    out[order] = np.r_[False, same] | np.r_[same, False]
    return out


def measures(history: History, test: Bools, score: Floats) -> tuple[float, ...]:
    """Return the book's three measures of scores of the test rows."""
    y = history.fraud[test]
    cards = card_precision_at_k(y, score, history.day[test], history.key("customer_id")[test], 100)
    return roc_auc(y, score), average_precision(y, score), cards


def scores(declared: UseCase, X: Vectors, y: Ints, asked: Vectors) -> Floats:
    """Fit the declared model on X, float32[n, f], and return log-odds of what is asked."""
    return fit(declared, declared.models[0], X, y, [*range(X.shape[1])]).log_odds(asked)


def check_published(history: History, _: Path) -> Figures:
    """The published models on split A, with the fifteen features and our learners."""
    parts = dict(zip(("train", "test"), split(history, SPLIT_A), strict=True))
    counts = {name: (int(rows.sum()), int(history.fraud[rows].sum())) for name, rows in parts.items()}
    say(f"rows and frauds {counts}, published {ROWS}")
    X, asked = (handbook_form(vectors_of(history, published, rows)).astype(np.float32) for rows in parts.values())
    y = history.fraud[parts["train"]]
    say(f"{'ours (published)':<24}{'ROC-AUC':>18}{'AP':>18}{'CP@100':>18}")
    results, reproduced = {}, True
    for model, book in zip(published_models, PUBLISHED, strict=True):
        score = scores(replace(case, features=published, models=[model]), X, y, asked)
        ours = measures(history, parts["test"], score)
        results[model.family] = {"ours": ours, "published": book}
        reproduced &= all(a > b - NEAR for a, b in zip(ours, book, strict=True))
        say(f"  {model.family:<22}" + "".join(f"{a:>10.3f} ({b:.3f})" for a, b in zip(ours, book, strict=True)))
    passed = counts == ROWS and reproduced
    return {"counts": counts, "measures": MEASURES, "models": results, "passed": passed}


def check_starts(history: History, _: Path, starts: Sequence[str] = SPLIT_B, train_days: int = TRAIN_DAYS) -> Figures:
    """Our declared features and model, the mean of several starts."""
    parts = {start: split(history, start, train_days) for start in starts}
    wanted = np.logical_or.reduce([rows for pair in parts.values() for rows in pair])
    vectors = vectors_of(history, case.vector, wanted)
    results = {}
    for start, (train, test) in parts.items():
        score = scores(case, vectors[train[wanted]], history.fraud[train], vectors[test[wanted]])
        results[start] = measures(history, test, score)
        say(f"  {start}: ROC-AUC {{:.3f}}, AP {{:.4f}}, CP@100 {{:.3f}}".format(*results[start]))
    mean = dict(zip(MEASURES, np.mean(list(results.values()), axis=0).tolist(), strict=True))
    say("  mean      : ROC-AUC {:.3f}, AP {:.4f}, CP@100 {:.3f}".format(*mean.values()))
    say(f"{vectors.shape[1]} features; AP: floor {FLOOR}, published best of any model {BEST_PUBLISHED}")
    passed = mean["average_precision"] >= FLOOR
    return {"features": vectors.shape[1], "measures": MEASURES, "starts": results, "mean": mean, "passed": passed}


def say(text: str) -> None:
    """Print a line for people; stdout is left to --json."""
    print(text, file=sys.stderr, flush=True)


CHECKS: dict[str, Callable[[History, Path], Figures]] = {
    "features": check_features,
    "published": check_published,
    "split-b": check_starts,
    "validation": partial(check_starts, starts=VALIDATION),  # what chose features and parameters
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks; return 1 when one fails."""
    parser = argparse.ArgumentParser(prog="python -m examples.handbook", description="The Handbook's protocol.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WEIGHBRIDGE_DATA", "../shared/data")))
    parser.add_argument("--only", choices=CHECKS, help="one check only; validation is not part of the whole")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    options = parser.parse_args(arguments)
    if not (options.data / "cards").is_dir():
        parser.error(f"there is no folder {options.data / 'cards'}; give --data or set WEIGHBRIDGE_DATA")
    history = read_history(options.data)
    figures: dict[str, Figures] = {}
    for name in [options.only] if options.only else ("features", "published", "split-b"):
        begun = time.perf_counter()
        found = CHECKS[name](history, options.data)
        figures[name] = {**found, "seconds": round(time.perf_counter() - begun, 1)}
        say(f"{'passed' if found['passed'] else 'FAILED'}: {name} ({figures[name]['seconds']} s)")
    if options.json:
        print(json.dumps(figures))
    return 0 if all(found["passed"] for found in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
