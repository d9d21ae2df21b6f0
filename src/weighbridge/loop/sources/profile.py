"""What is kept of a file to know the next one by: types, shares and forms of its columns, and no value of text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fields import Field, Text, Time
from weighbridge.kernel.arrays import Bools

Profile = dict[str, Any]
SAMPLE = 10_000  # values of a column whose form is looked at, taken evenly from the file
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?[0-9]+$"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|z|[+-]\d\d:?\d\d)?")
_TOKEN = re.compile(r"[^\W_]+")


def column_of(field: Field, mapping: Mapping[str, str]) -> str:
    """Return what a file calls a field."""
    return mapping.get(field.name, field.source)


def profiled(fields: Sequence[Field], table: pa.Table, mapping: Mapping[str, str]) -> list[Profile]:
    """Return one profile a column, in the file's order; of columns outside the contract the type alone."""
    by_column = {column_of(field, mapping): field for field in fields}
    found = []
    for name in table.column_names:
        field = by_column.get(name)
        column = table[name]
        told: Profile = {"column": name, "field": field.name if field else None, "type": str(column.type)}
        found.append(told if field is None else told | look(field, column))
    return found


def look(field: Field, column: pa.ChunkedArray) -> Profile:
    """Return what a column looks like as a field's: share of nulls, and type, deciles or forms of what is there."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    present = column.drop_null()
    told: Profile = {"nulls": column.null_count, "values": len(present)}
    if field.numeric:
        return told | _numbers(present)
    step = max(1, len(present) // SAMPLE)
    texts = [str(v) for v in present.take(pa.array(np.arange(0, len(present), step)[:SAMPLE])).to_pylist()]
    if isinstance(field, Time):
        return told | {"forms": _shares(_time_form(present.type, text) for text in texts)}
    lengths = [len(text) for text in texts]
    told |= {"forms": _shares(_form(text) for text in texts)}
    if isinstance(field, Text) and lengths:
        length, count = Counter(lengths).most_common(1)[0]
        told |= {"length": length, "of_length": count / len(lengths)}
    return told


def _numbers(present: pa.Array) -> Profile:
    kind = str(present.type)
    if pa.types.is_string(present.type) or pa.types.is_large_string(present.type):
        is_number = pc.match_substring_regex(present, NUMBER)
        texts = present.filter(is_number)
        whole = len(texts) > 0 and bool(pc.all(pc.match_substring_regex(texts, WHOLE)).as_py())
        kind, numbers = ("int64" if whole else "double"), pc.cast(texts, pa.float64())
    elif pa.types.is_integer(present.type) or pa.types.is_floating(present.type) or pa.types.is_decimal(present.type):
        numbers = pc.cast(present, pa.float64(), safe=False)
    else:
        return {"type": kind, "numbers": 0.0}
    values = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    values = values[np.isfinite(values)]
    told: Profile = {"type": kind, "numbers": len(numbers) / max(len(present), 1)}
    if len(values):
        sizes = np.abs(values[_not_zero(values)])
        told["median"] = float(np.median(sizes)) if len(sizes) else 0.0
        told["deciles"] = [float(d) for d in np.quantile(values, np.linspace(0.1, 0.9, 9))]
    return told


def _not_zero(values: np.ndarray[Any, np.dtype[np.float64]]) -> Bools:
    return np.asarray(values != 0, dtype=np.bool_)


def _shares(forms: Any) -> dict[str, float]:  # noqa: ANN401 - any iterable of text
    counts = Counter(forms)
    total = max(sum(counts.values()), 1)
    return {form: count / total for form, count in counts.most_common(20)}


def _form(text: str) -> str:
    """Return the outline of a text: 9 for digits, a or A for letters, x for both, and what stands between them."""

    def outline(match: re.Match[str]) -> str:
        word = match[0]
        if word.isdigit():
            return "9"
        return ("A" if word.isupper() else "a") if word.isalpha() else "x"

    return _TOKEN.sub(outline, text[:64])


def _time_form(kind: pa.DataType, text: str) -> str:
    if pa.types.is_timestamp(kind):
        return "with an offset" if kind.tz else "without an offset"
    match = _TIME.fullmatch(text)
    if match:
        return "with an offset" if match[3] else "without an offset"
    return "a number" if re.fullmatch(r"[0-9.]+", text) else f"like {_form(text)}"
