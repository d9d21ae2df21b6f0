"""The one error tree. A message says what is wrong, where, and the fix.

WeighbridgeError
├── DeclarationError      a use case that cannot mean anything sound; raised when it is made
├── InputError            something from outside that cannot be read (a file, a column, a setting)
│   └── Rejected          one event or label against its contract: field, rule, type of the value
├── Conflict              the same id with another body
├── HomeError             a home that is missing, locked, or of another declaration
├── StoreFailure          a durable write or read that did not succeed; nothing of it was stored
│   └── Unrecorded        what a run did is stored, what tells of the run is not
├── Overloaded            more has come than can be answered in time; come again in a moment
├── BundleRefused         a bundle that failed a check; the last good one keeps serving
├── GateClosed            a candidate, or data to train on, that did not pass
├── AlertFailure          a sink that did not take an alert; whoever sends goes on
└── MissingExtra          an optional library that is not installed; names the pip command
    └── MissingCommand    a foreign system's own command that is not there
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class WeighbridgeError(Exception):
    """Root of every error raised on purpose."""


class DeclarationError(WeighbridgeError):
    """A declaration is wrong; the sentence names the place and the fix."""


class InputError(WeighbridgeError):
    """Input from outside cannot be read."""


class Rejected(InputError):
    """One record breaks one rule of its contract.

    Never carries the value itself, which may be personal: only its type.
    """

    def __init__(self, field: str, rule: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.rule = rule
        self.detail = detail


class Conflict(WeighbridgeError):
    """An id that is already stored came again with another body."""


class HomeError(WeighbridgeError):
    """The home directory cannot be used as it is."""


class StoreFailure(WeighbridgeError):
    """A store could not do a durable write or a read."""


class Unrecorded(StoreFailure):
    """A run did what it was for, and that is stored, but not what tells of it."""


class Overloaded(WeighbridgeError):
    """There is no room for more work; what was sent was not looked at."""

    def __init__(self) -> None:
        super().__init__("more has come than can be answered in time; send it again in a moment")


class BundleRefused(WeighbridgeError):
    """A bundle failed a check and was not parsed or not routed."""


class GateClosed(WeighbridgeError):
    """A candidate or its training data did not pass and production is as it was; `gates` are the verdicts."""

    def __init__(self, sentence: str, gates: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(sentence)
        self.gates = gates


class AlertFailure(WeighbridgeError):
    """A sink could not be made, or did not take an alert. Never names an address, which may be a secret."""


class MissingExtra(WeighbridgeError):
    """An optional library is needed and not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed; run: pip install 'weighbridge[{extra}]'")


class MissingCommand(MissingExtra):
    """The command of a foreign system is needed and not there."""

    def __init__(self, command: str, package: str) -> None:
        WeighbridgeError.__init__(
            self, f"there is no command {command} on the PATH; run: pip install {package}, here or where the PATH leads"
        )
