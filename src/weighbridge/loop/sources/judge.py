"""Holds a file against the contract and against what its source looked like last time: change by change, a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.changes import ALIKE, FEW, MAY_BE_ACCEPTED, MOSTLY, REFUSED, SHIFT, VERDICTS
from weighbridge.declare.fields import Category, Field, Id, Key, Time
from weighbridge.errors import InputError
from weighbridge.loop.given import Given
from weighbridge.loop.sources.profile import Profile, column_of, look, profiled
from weighbridge.ports import Stores

SCHEMA = "schema"  # the kind of run that keeps a profile
SIZES = ("int8", "int16", "int32", "int64", "float", "double")


@dataclass(frozen=True)
class Change:
    """One change of a source: its kind, the column, and a sentence that says what to do; no value is told."""

    kind: str
    column: str
    sentence: str
    accepted: bool = False

    @property
    def verdict(self) -> str:
        """The declared verdict, or that somebody accepted it."""
        return "accepted on request" if self.accepted else VERDICTS[self.kind]


def judge(
    fields: Sequence[Field],
    table: pa.Table,
    mapping: Mapping[str, str],
    before: Sequence[Profile] | None,
    accepts: Sequence[str] = (),
) -> tuple[list[Profile], list[Change]]:
    """Return a file's profile and its changes, in the order of `VERDICTS`.

    `before` is the profile of last time, None the first time. `accepts` are kinds that are let through.
    """
    now = profiled(fields, table, mapping)
    found = [*_columns(fields, table, mapping, before), *_contents(fields, table, mapping, now)]
    if before is not None:
        found += _since(fields, now, before)
    told = [Change(kind, column, text, kind in accepts and kind in MAY_BE_ACCEPTED) for kind, column, text in found]
    return now, sorted(told, key=lambda change: list(VERDICTS).index(change.kind))


def last_and_now(fields: Sequence[Field], stores: Stores, given: Given) -> tuple[list[Profile], list[dict[str, str]]]:
    """Return the profile of a source's file, and its changes since the last one as JSON values.

    Raises InputError with a sentence for each change that is refused.
    """
    if given.source is None:
        return [], []
    last = [facts for _, _, _, facts in stores.tracker.runs(SCHEMA) if facts["source"] == given.source]
    before = last[-1]["columns"] if last else None
    profile, changes = judge(fields, given.table, given.mapping, before, given.accepts)
    refuse_breaking(given.name, changes, known=before is not None)
    told = [{"kind": c.kind, "column": c.column, "verdict": c.verdict, "sentence": c.sentence} for c in changes]
    return profile, told


def refuse_breaking(name: str, changes: Sequence[Change], *, known: bool) -> None:
    """Raise InputError with a sentence for each change that is refused; `known`: whether the source came before."""
    breaking = [change for change in changes if change.verdict == REFUSED]
    if breaking:
        listed = "; ".join(f"{change.kind}: {change.sentence}" for change in breaking)
        also = " (--accept-schema takes it in as it is)" if all(c.kind in MAY_BE_ACCEPTED for c in breaking) else ""
        what = "has changed" if known else "is not as its contract"
        raise InputError(f"source {name} {what}, and nothing was taken in: {listed}{also}")


Found = Iterator[tuple[str, str, str]]


def _columns(
    fields: Sequence[Field], table: pa.Table, mapping: Mapping[str, str], before: Sequence[Profile] | None
) -> Found:
    """Yield what came, went, moved or was renamed."""
    here, known = table.column_names, {p["column"]: p for p in before or ()}
    declared = {column_of(field, mapping) for field in fields}
    new = [name for name in here if name not in known and name not in declared]
    for field in fields:
        column = column_of(field, mapping)
        if column in here:
            continue
        last = next((p for p in known.values() if p["field"] == field.name), None)
        again = last and next((name for name in new if _alike(field, last, table[name]) >= ALIKE), None)
        if again:
            new.remove(again)
            fix = f"take it with --map {field.name}={again}, Feed(columns=...) or column={again!r}"
            yield "column_renamed", column, f"{column} is gone and {again} holds what it held; {fix}"
        elif field.optional and last:
            yield "optional_removed", column, f"{column} is gone; {field.name} is missing in every row"
        elif not field.optional:
            fix = f"ask for it, or name another with --map {field.name}=COLUMN"
            yield "required_removed", column, f"the required column {column} is not there; {fix}"
    if before is not None:
        for name in new:
            yield "column_added", name, f"{name} is new and no field of the contract; it is not read"
        both = [name for name in known if name in here]
        if both != [name for name in here if name in known]:
            yield "columns_reordered", "", "the columns stand in another order; they are read by name"


def _contents(fields: Sequence[Field], table: pa.Table, mapping: Mapping[str, str], now: Sequence[Profile]) -> Found:
    """Yield what the values of this file break in the contract, by column."""
    profiles = {p["field"]: p for p in now}
    for field in fields:
        told = profiles.get(field.name)
        if told is None:
            continue
        column = told["column"]
        if field.numeric and told["values"] and told["numbers"] < MOSTLY:
            share = 1 - told["numbers"]
            yield "text_for_number", column, f"{share:.0%} of {column} are no numbers; ask for numbers, or map another"
        if told["nulls"] and not field.optional:
            yield "nulls_in_required", column, f"{column} is empty in {told['nulls']:,} rows; they are rejects"
        if isinstance(field, Category) and field.other is None:
            values = table[column].combine_chunks().cast(pa.string()).drop_null()
            unlisted = values.filter(pc.invert(pc.is_in(values, value_set=pa.array(list(field.one_of)))))
            if len(unlisted):
                kinds, fix = len(unlisted.unique()), f"add them to one_of= of {field.name} if they are right"
                yield "category_added", column, f"{column} has {kinds:,} values that are not listed; {fix}"


def _since(fields: Sequence[Field], now: Sequence[Profile], before: Sequence[Profile]) -> Found:
    """Yield what has changed in columns that were there last time."""
    known, by_name = {p["column"]: p for p in before}, {f.name: f for f in fields}
    for told in now:
        last, field = known.get(told["column"]), by_name.get(told["field"])
        if last is None:
            continue
        yield from _type(told["column"], last["type"], told["type"])
        if field is None or last["field"] != told["field"] or min(last["values"], told["values"]) < FEW:
            continue
        column = told["column"]
        if field.numeric and last.get("median") and told.get("median"):
            times = told["median"] / last["median"]
            if not 1 / SHIFT < times < SHIFT:
                yield (
                    "scale_shifted",
                    column,
                    f"the median of {column} is {times:,.4g} times that of last time; ask for its unit",
                )
        elif isinstance(field, Time) and _overlap(last["forms"], told["forms"]) < MOSTLY:
            was, is_ = (max(p["forms"], key=p["forms"].get) for p in (last, told))
            yield "time_form_changed", column, f"times of {column} were {was} and are {is_}; ask for the old form"
        elif isinstance(field, Id | Key):
            other_length = last["of_length"] == 1 and (told["length"] != last["length"] or told["of_length"] < MOSTLY)
            if other_length or _overlap(last["forms"], told["forms"]) < MOSTLY:
                fix = "what is known of them would be lost, ask for the old form"
                yield "key_form_changed", column, f"the texts of {column} are of another form than last time; {fix}"


def _type(column: str, was: str, now: str) -> Found:
    if was in SIZES and now in SIZES and was != now:
        wider = SIZES.index(now) > SIZES.index(was)
        fix = "nothing is lost" if wider else "look whether decimals or large values are lost"
        yield "type_widened" if wider else "type_narrowed", column, f"{column} was {was} and is {now}; {fix}"


def _overlap(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    return sum(min(share, right.get(form, 0.0)) for form, share in left.items())


def _alike(field: Field, last: Profile, column: pa.ChunkedArray) -> float:
    """Return how alike a column is to what a field held last time, 0 to 1."""
    told = look(field, column)
    if min(last["values"], told["values"]) < FEW:
        return 0.0
    if not field.numeric:
        return _overlap(last["forms"], told["forms"])
    if told["numbers"] < MOSTLY or "deciles" not in told or "deciles" not in last:
        return 0.0
    spread = max(last["deciles"][-1] - last["deciles"][0], 1e-9)
    apart = sum(abs(a - b) for a, b in zip(last["deciles"], told["deciles"], strict=True)) / len(told["deciles"])
    return max(0.0, 1.0 - float(apart / spread))
