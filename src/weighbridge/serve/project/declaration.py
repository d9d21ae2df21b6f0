"""Writes a declaration from what a file's columns look like: plain Python, with a note where somebody has to decide."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weighbridge.clock import DAY_US, SECOND_US
from weighbridge.errors import InputError
from weighbridge.serve.project.amount import amount_of
from weighbridge.serve.project.columns import (
    ARRIVED,
    CATEGORY,
    ID,
    INTEGER,
    KEY,
    LABEL,
    LEFT_OUT,
    MONEY,
    NUMBER,
    PERSONAL,
    TIME,
    UNREAD,
    Column,
    wider,
)

HOUR_US = 3_600 * SECOND_US
NUMBERS = (MONEY, NUMBER, INTEGER)
ALWAYS = ("Contract", "Costs", "Gate", "Id", "Label", "Policy", "Training", "UseCase", "lightgbm", "logistic")
NOT_PLAIN = r"[^\w .-]"
MOST_KEYS = 3
MOST_SUMMED = 9e12  # a million of them still fit 64 bits


@dataclass(frozen=True)
class Seen:
    """What a declaration is written from: the columns, and the time between the first event and the last."""

    columns: Sequence[Column]
    span_us: int
    late_us: int = 0  # the longest that a row arrived after its event
    file: str = ""  # where the project keeps its history

    def of(self, *kinds: str) -> list[Column]:
        """Return the columns of some kinds."""
        return [column for column in self.columns if column.kind in kinds]

    @property
    def timed(self) -> bool:
        """Whether an event has a time of its own, and not all at once."""
        return bool(self.of(TIME)) and self.span_us > 0


def declaration(name: str, called: str, seen: Seen) -> str:
    """Return the text of NAME.py; `called` is the name of the file that it was guessed from."""
    fields = [line for column in seen.columns for line in _field(column, seen)]
    features = list(dict.fromkeys(_features(seen)))
    if not features:
        there = ", ".join(f"{c.name} is {c.kind}{c.note and f' ({c.note})'}" for c in seen.columns)
        raise InputError(f"no column makes a feature: {there}; add to the file what is known at the decision, such as "
                         "an amount or a category, or a time, with which keys have histories")  # fmt: skip
    body = [
        f"event = Contract(\n    {name!r},\n    [".replace("'", '"'),
        *(f"        {line}" for line in fields),
        "    ],",
        ")",
        *_entities(seen),
        "",
        "features = [",
        *(f"    {line}" for line in features),
        "]",
        "",
        *_case(name, seen),
    ]
    text = "\n".join(body)
    used = sorted({*ALWAYS, *(word for word in WORDS if f"{word}(" in text)}, key=lambda w: (w[0].islower(), w))
    imports = "".join(f"    {word},\n" for word in used)
    source = f"{len(seen.columns)} columns of {re.sub(NOT_PLAIN, '_', called)}"
    head = f'"""{name}: guessed from {source}; what is marked DECIDE is for you."""\n'
    return f"{head}\nfrom weighbridge.declare import (\n{imports})\n\n{text}\n"


WORDS = ("Category", "Integer", "Key", "Money", "Number", "Time", "day_of_week", "encode", "hour_of_day",
         "is_missing", "log", "ratio",
         "standard_stages", "value")  # fmt: skip


def _field(column: Column, seen: Seen) -> Iterator[str]:
    options = [_quoted(column.field)]
    if column.field != column.name:
        options.append(f"column={_quoted(column.name)}")
    note, told = "", column.field if column.field == column.name else f"{column.field} ({_quoted(column.name)})"
    if column.kind == UNREAD:
        yield f"# DECIDE: {told}: left out, {UNREAD}: {column.note}; write it so in the file and begin again"
        return
    if column.kind in (LEFT_OUT, ARRIVED, LABEL):
        if column.kind == LEFT_OUT:
            yield f"# {told}: left out, {column.note}"
        return
    if column.kind == TIME:
        arrived = seen.of(ARRIVED)
        late = "1d" if not arrived else f"{max(1, math.ceil(seen.late_us / DAY_US))}d"
        options += [f'late="{late}"', *(f"arrived={_quoted(c.name)}" for c in arrived[:1])]
        note = "DECIDE: how late may an event come? what is later is refused"
    elif column.kind == KEY and PERSONAL.search(column.name):
        options.append('pii="pseudonymised"')
    elif column.kind == CATEGORY:
        options.append(f"one_of=[{', '.join(map(_quoted, column.values))}]")
        note = "DECIDE: all that can come? another value is refused; other= takes it"
    elif column.kind in NUMBERS:
        low, high = wider(column)
        options += [f"at_least={low:_}", f"at_most={high:_}"]
        options += [f"decimals={column.decimals}"] if column.kind == NUMBER and column.decimals < 6 else []
        note = f"DECIDE: seen {column.low:,.15g} to {column.high:,.15g}"
    if column.missing and column.kind == TIME:
        note += f"; {column.missing:,} rows without one are refused"
    elif column.missing and column.kind != ID:
        options.append("optional=True")
        note += f"{'; ' if note else ''}missing in {column.missing:,} rows"
    if column.note:
        note += f"{'; ' if note else ''}{column.note}"
    if note:
        yield f"# {' '.join(note.split())}"
    yield f"{column.kind}({', '.join(options)}),"


def _entities(seen: Seen) -> list[str]:
    keys = seen.of(KEY)[:MOST_KEYS] if seen.timed else []
    return [f"by_{key.field} = event.by({_quoted(key.field)})" for key in keys]


def windows(seen: Seen) -> list[str]:
    """Return window lengths that fit the time that was seen."""
    days = seen.span_us / DAY_US
    return ["1d", "7d", "30d"] if days >= 90 else ["1d", "7d"] if days >= 21 else ["1h", "1d"]


def _features(seen: Seen) -> Iterator[str]:
    """Histories of each key, then the event's own values; every optional number also tells that it is missing."""
    amounts = [c for c in seen.of(*NUMBERS) if not c.missing and wider(c)[1] * 10**c.decimals < MOST_SUMMED]
    likely = amount_of(amounts) or next((c for c in amounts if c.kind == MONEY), None)
    amount = likely or (amounts[0] if amounts else None)
    if seen.timed:
        last = windows(seen)
        longest = last[-1]
        for key in seen.of(KEY)[:MOST_KEYS]:
            by = f"by_{key.field}"
            yield f"{by}.count(last={last!r}),".replace("'", '"')
            if amount is not None:
                mean = f'{by}.mean("{amount.field}", last="{longest}")'
                yield f"{mean},"
                yield f'ratio("{amount.field}", {mean}),'
            yield f'{by}.since_last(within="{longest}"),'
            yield f'{by}.label_rate(last="{longest}"),  # of labels that had arrived'
        yield "hour_of_day(),"
        yield "day_of_week(),"
    for number in seen.of(*NUMBERS):
        skewed = number.kind == MONEY and number.low >= 0
        yield f'{"log" if skewed else "value"}("{number.field}"),'
        if number.missing:
            yield f'is_missing("{number.field}"),'
    for category in seen.of(CATEGORY):
        how = "one_hot" if len(category.values) <= 8 else "target"
        yield f'encode("{category.field}", how="{how}"),'


def _case(name: str, seen: Seen) -> list[str]:
    label, cost = seen.of(LABEL)[0], amount_of(seen.columns)
    column = "" if label.field == label.name else f", column={_quoted(label.name)}"
    matures = _length(seen.span_us / 12) if seen.timed else "0s"
    training = f'Training(validation="{_length(seen.span_us / 5)}")' if seen.timed else 'Training(split="stratified")'
    missed = f'amount="{cost.field}"' if cost else "missed=100"
    decide = "is the amount what a miss costs?" if cost else "no column looks like an amount: each miss costs the same"
    return [
        "case = UseCase(",
        f'    name="{name}",',
        "    events=event,",
        "    features=features,",
        "    # DECIDE: after how long is an outcome known for sure?",
        f'    label=Label("{label.field}", matures="{matures}"{column}),',
        "    models=[logistic(), lightgbm()],",
        f"    # DECIDE: what do a wrong decline and a review cost? {decide}",
        f"    policy=Policy(costs=Costs({missed}, wrong_decline=15, review=2)),",
        f"    training={training},",
        *([f"    stages=standard_stages(reads=[{_quoted(seen.file)}]),"] if seen.file else []),
        '    gates=[Gate("parity_mismatches", at_most=0), Gate("leakiest_feature_auc", at_most=0.995)],',
        ")",
    ]


def _length(us: float) -> str:
    return f"{round(us / DAY_US)}d" if us >= DAY_US else f"{max(1, round(us / HOUR_US))}h"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
