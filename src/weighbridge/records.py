"""What the log, the registry and the answers consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from weighbridge.errors import InputError

MOVED = "move"  # the kind of note that tells of a move of an alias

Stored = int | str | None
UNNAMED = "unnamed"  # who did something, where nobody said


@dataclass(frozen=True)
class EventRecord:
    """One accepted event: `values` are the stored values of the payload, in the contract's order.

    `sent` is the JSON of the child rows that came with it: the stored values of each row, by table; None where none
    came. `partials` are the integers of its child rows, sent or stored, once they are worked out; no log keeps them.
    """

    event_id: str
    event_us: int
    arrived_us: int
    values: tuple[Stored, ...]
    sent: str | None = None
    partials: tuple[int, ...] = field(default=(), compare=False)

    def same_content(self, other: EventRecord) -> bool:
        """Whether two records say the same about the event; their arrival may differ."""
        ours, theirs = ((e.event_id, e.event_us, e.values, e.sent) for e in (self, other))
        return ours == theirs


@dataclass(frozen=True)
class LabelRecord:
    """What came of an event: 0 or 1, when it arrived, from where, and by whom, which only the audit keeps."""

    event_id: str
    value: int
    arrived_us: int
    source: str
    by: str = UNNAMED


@dataclass(frozen=True)
class Reason:
    """What one feature added to a score: `value` is the vector's, None where it is undefined."""

    feature: str
    contribution: float
    value: float | None
    sentence: str


@dataclass(frozen=True)
class ListEdit:
    """One edit of a list: from its place in the log on a value is on it, until a time where one is given, or off it.

    `value` is as the log stores the list's field: the pseudonym of what is personal.
    """

    name: str
    value: str
    listed: bool
    until_us: int | None
    by: str
    why: str
    arrived_us: int


@dataclass(frozen=True)
class Note:
    """A record of another kind, such as which bundles decide from its place in the log on; `body` is JSON.

    `by` is for the audit, which alone keeps it.
    """

    kind: str
    body: Mapping[str, Any]
    arrived_us: int
    by: str = UNNAMED


Follower = LabelRecord | ListEdit | Note  # what may stand behind the events of a group


@dataclass(frozen=True)
class DecisionRecord:
    """One decision, with what it takes to explain and replay it.

    `vector` is the little-endian float32 bytes of the vector; `rules` names those that held, in the order they are
    declared, `degraded` what was missing, usually nothing; `reasons` are those told with the decision, None where it
    was not explained at once. `route` is what decided: champion, canary, or what did when something was missing; no
    model means `bundle` "" and `probability` None. `propensity` is the chance with which a would-be decline was let
    through, None where chance had no say.
    """

    decision_id: str
    event_id: str
    bundle: str
    vector: bytes
    probability: float | None
    level: str
    action: str
    rules: tuple[str, ...]
    degraded: tuple[str, ...]
    decided_us: int
    latency_us: int
    trace_id: str
    reasons: tuple[Reason, ...] | None = None
    route: str = "champion"
    propensity: float | None = None

    @property
    def explored(self) -> bool:
        """Whether chance let through what would have been declined."""
        return self.propensity is not None and self.action != "decline"


@dataclass(frozen=True)
class ShadowRecord:
    """What a shadow would have decided on an event that another bundle decided; None and "" where it failed."""

    event_id: str
    bundle: str
    probability: float | None
    action: str


Decided = tuple[EventRecord, DecisionRecord | None]  # an event, and the decision about it where there is one


@dataclass(frozen=True)
class Head:
    """Where the log ends.

    `seq` is the last place in the order of arrival. `data_seq` and `arrived_us` (microseconds UTC) are the place and
    the arrival of the newest event or label: notes, such as promotions, and edits of lists leave them.
    """

    seq: int
    data_seq: int
    arrived_us: int


class Alias(NamedTuple):
    """What an alias points at; `share` is a canary's part of the traffic, 0 to 1, None for other aliases."""

    bundle: str
    share: float | None = None


ALIASES = STAGING, PRODUCTION, CANARY, SHADOW = "staging", "production", "canary", "shadow"


@dataclass(frozen=True)
class ApiKey:
    """One key to the HTTP door, as a home stores it: of its secret only the sha256, in hex.

    Times are microseconds UTC. `until_us` None does not expire; `rate` is requests a second, None as many as come,
    with `burst` of them at once.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    secret_sha256: str
    made_us: int
    made_by: str
    until_us: int | None = None
    rate: float | None = None
    burst: int | None = None
    revoked_us: int | None = None
    revoked_by: str | None = None


@dataclass(frozen=True)
class Move:
    """One move of an alias: who moved what from where to where, when, why, on which gate results.

    `bundle` None clears the alias. A change of a canary's share is a move from its bundle to the same. Raises
    InputError for an alias that there is not, and for a share that is none.
    """

    alias: str
    bundle: str | None
    before: str | None
    by: str
    reason: str
    moved_us: int
    gates: Sequence[Mapping[str, Any]] = ()
    share: float | None = None
    share_before: float | None = None

    def __post_init__(self) -> None:
        if self.alias not in ALIASES:
            raise InputError(f"there is no alias {self.alias!r}; use one of {', '.join(ALIASES)}")
        if self.alias == PRODUCTION and self.bundle is None:
            raise InputError("production cannot point at nothing; move it to another bundle")
        if (self.share is None) == (self.alias == CANARY and self.bundle is not None):
            raise InputError("a canary has a share of the traffic, and nothing else has; give share= with the canary")
        if self.share is not None and not 0 <= self.share <= 1:
            raise InputError(f"{self.share} is no share of the traffic; choose 0 to 1")

    @property
    def seen(self) -> Alias | None:
        """What the alias pointed at for whoever decided to move it."""
        return None if self.before is None else Alias(self.before, self.share_before)

    @property
    def note(self) -> Note:
        """What the log says about it."""
        told = ("alias", "bundle", "before", "share", "share_before", "by", "reason")
        body = {**{name: getattr(self, name) for name in told}, "gates": list(self.gates)}
        return Note(MOVED, body, self.moved_us, self.by)


@dataclass(frozen=True)
class Change:
    """Something that changes what the system decides, as the audit tells it.

    `what` is what was changed, such as "labels" or "keys", and `subject` which of them; `seq` is its place in the log
    where it has one; `detail` is JSON and holds nothing personal.
    """

    what: str
    subject: str
    who: str
    at_us: int
    detail: Mapping[str, Any]
    seq: int | None = None


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit: a change, its number, and the hash over both and the hash before it. Detail is text."""

    number: int
    seq: int | None
    at_us: int
    who: str
    what: str
    subject: str
    detail: str
    hash: str


@dataclass(frozen=True)
class AuditHead:
    """Where the audit ends, and where the log ended at that moment."""

    number: int
    hash: str
    seq: int
