"""Numbers and outcomes as files write them: texts, one by one or a whole column at once, to the same numbers."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
EXACT = 2.0**53  # whole numbers below are the same as float64
OUTCOMES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}  # a label's values, in small letters


def outcome_of(text: str) -> int | None:
    """Return the label that a file's text writes, in whatever case; None where it writes none."""
    return OUTCOMES.get(text.lower())


def number_of(text: str) -> object:
    """Return a file's text as the number it writes, or the text itself where it writes none."""
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(NUMBER, text, re.ASCII) else text


def numbers_of(column: pa.Array, scale: int) -> pa.Array | None:
    """Return a column of texts as float64; None where some text is no number, or needs `number_of` to be exact."""
    if not pc.all(pc.match_substring_regex(column, f"\\A(?:{NUMBER})\\z")).as_py():
        return None
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:  # a leading plus
        return None
    largest = pc.max(pc.abs(numbers)).as_py()
    return numbers if largest is None or largest * scale < EXACT else None
