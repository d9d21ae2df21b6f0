"""What every field of a contract has: a name, a column in files, whether it may be missing, how personal it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from weighbridge.errors import DeclarationError

PII_CLASSES = ("none", "pseudonymised")
Rule = tuple[str, object]


def refuse(where: str, what: str, fix: str) -> DeclarationError:
    """Return the error of a wrong declaration: one sentence with place, fault and fix."""
    return DeclarationError(f"{where}: {what}; {fix}")


@dataclass(frozen=True)
class Field:
    """One named field of an event.

    `column` names it in files when it is called otherwise there. `pii="pseudonymised"` replaces the value
    by a keyed pseudonym at the door, before anything is logged or stored. `description` and `unit` (such as "USD")
    are for people: schemas and the data dictionary tell them, and no digest depends on them.
    """

    name: str
    column: str | None = None
    optional: bool = False
    pii: str = "none"
    description: str = field(default="", repr=False, kw_only=True)
    unit: str = field(default="", repr=False, kw_only=True)

    numeric: ClassVar[bool] = False
    free_text: ClassVar[bool] = False
    json_type: ClassVar[str] = "string"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name):
            raise refuse(f"field {self.name!r}", "this is not a name", "use letters, digits and underscores")
        if self.pii not in PII_CLASSES:
            raise refuse(f"field {self.name}", f"pii={self.pii!r} is no PII class", f"use one of {PII_CLASSES}")
        if self.pii == "pseudonymised" and not self.free_text:
            raise refuse(f"field {self.name}", "only text can be pseudonymised", "drop pii= or make it a Key or Text")

    @property
    def source(self) -> str:
        """The column that holds this field in a file."""
        return self.column or self.name

    @property
    def scale(self) -> int:
        """Stored integer per unit: 100 for money in cents, 1 for whole numbers."""
        return 1

    def rules(self) -> tuple[Rule, ...]:
        """Return (rule, bound) pairs on the stored value, in the order they are checked."""
        return ()

    @cached_property
    def checks(self) -> tuple[Rule, ...]:
        """The rules, worked out once."""
        return self.rules()

    @cached_property
    def missing(self) -> frozenset[int | str]:
        """The stored values that mean that the field is missing."""
        return frozenset()

    @property
    def magnitude(self) -> int | None:
        """The largest absolute stored value, or None where the declaration sets no bound."""
        return None
