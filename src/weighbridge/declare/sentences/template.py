"""Sentences that a declaration words itself: text with placeholders, and nothing else."""

from __future__ import annotations

import re
from string import Formatter

from weighbridge.declare.fields import refuse

LONGEST = 200
PLACEHOLDERS = ("value", "size", "side")
_NUMBER = re.compile(r",?(\.\d)?[f%]?")


def check_template(where: str, template: str, *, number: bool) -> None:
    """Refuse what is not one line of text with placeholders.

    `{value}` reads as the platform writes it ("14 minutes", "61.20", a category's text), `{value:.1f}` as a plain
    number, `{size}` without its sign, `{side}` is above or below. `number`: whether the value is a number.
    """
    if not isinstance(template, str) or not 0 < len(template) <= LONGEST or not template.isprintable():
        raise refuse(where, f"a sentence is not one line of 1 to {LONGEST} characters", "shorten it")
    try:
        parts = list(Formatter().parse(template))
    except ValueError as fault:
        raise refuse(where, f"{template!r} is no template ({fault})", "write a brace as {{ or }}") from None
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in PLACEHOLDERS or conversion:
            raise refuse(where, f"{template!r} holds the placeholder {name!r}", f"use {{{'}, {'.join(PLACEHOLDERS)}}}")
        if not _NUMBER.fullmatch(spec or "") or (name == "side" and spec):
            raise refuse(where, f"{template!r} holds the format {spec!r}", "use one such as {value:.1f} or {value:.0%}")
        if not number and (name != "value" or spec):
            raise refuse(where, f"{template!r} formats a category as a number", "use {value}, its text")


def render(template: str, value: float, shown: str) -> str:
    """Return a checked template with its placeholders filled.

    >>> render("amount is {size:.1f} deviations {side} usual", -6.14, "")
    'amount is 6.1 deviations below usual'
    """
    text = ""
    for literal, name, spec, _ in Formatter().parse(template):
        text += literal
        if name == "side":
            text += "above" if value >= 0 else "below"
        elif name:
            number = abs(value) if name == "size" else value
            text += format(number, spec) if spec else shown.removeprefix("-") if name == "size" else shown
    return text
