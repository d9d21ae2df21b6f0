"""Reads the audit against what is stored: nothing was edited, deleted, added or moved on either side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.errors import InputError, StoreFailure
from weighbridge.identity import canonical
from weighbridge.ports import Stores
from weighbridge.ports.rows import ROWS
from weighbridge.records import MOVED, Alias, ApiKey, AuditEntry, AuditHead, Change, LabelRecord, Move, Note
from weighbridge.stores.chain import GENESIS
from weighbridge.stores.changes import AREAS, BUNDLES, HISTORY, KEYS, LABELS, LISTS, of_bundle, of_follower

LOOKS = 5  # at a home that somebody writes to, before what does not agree is believed
Found = str | None  # a sentence


@dataclass(frozen=True)
class Audited:
    """What an audit found: where the trail ends, how much agrees with it, and the first place that does not."""

    head: AuditHead
    decisions: int
    fault: Found


def audit(stores: Stores, expected: str | None = None) -> Audited:
    """Verify the trail, the chain of decisions, and that both agree with what is stored.

    `expected` is a head that was written down earlier and must stand in the trail. A server may go on writing.
    """
    for _ in range(LOOKS):
        at = stores.audit.head()
        fault = _first_fault(stores, at, expected)
        if fault is None or stores.audit.head() == at:
            break
    return Audited(at, 0 if fault else len(stores.log.decisions()), fault)


def _first_fault(stores: Stores, at: AuditHead, expected: str | None) -> Found:
    checks = (_decisions, _aliases, _bundles, _keys, _history, _notes_and_edits, _labels)
    try:
        fault = _trail(stores, expected)
        return fault or next((found for check in checks if (found := check(stores, at))), None)
    except StoreFailure as failure:
        return str(failure)
    except (InputError, ValueError, TypeError, LookupError) as failure:  # its text may hold what is stored
        return f"what is stored cannot be read as what it was stored as ({type(failure).__name__})"


def _trail(stores: Stores, expected: str | None) -> Found:
    broken = stores.audit.broken_entry()
    if broken is not None:
        return f"the audit breaks at entry {broken}: it is not there as it was written, or not in its place"
    if expected is None or expected == GENESIS:
        return None
    if any(entry.hash == expected for entry in stores.audit.entries()):
        return None
    return f"no entry has the hash {expected[:12]} that was written down; the audit was rewritten since"


def _decisions(stores: Stores, at: AuditHead) -> Found:
    seq = stores.log.broken_link()
    if seq is not None:
        return f"the chain of decisions breaks at place {seq} of the log: an edit, a deletion or another order"
    for records in (stores.log.events(after=at.seq), stores.log.labels(after=at.seq)):
        if len(records) and records["seq"][-1].as_py() > stores.log.head().seq:
            return f"the log has a record at place {records['seq'][-1]}, behind its end"
    decided, events = stores.log.decisions(), stores.log.events()
    rows = pc.index_in(decided["seq"], value_set=events["seq"].combine_chunks())
    same = pc.equal(decided["event_id"], events["event_id"].take(rows.combine_chunks()))
    wrong = decided["seq"].filter(pc.invert(pc.fill_null(same, fill_value=False)))
    return f"the event of the decision at place {wrong[0]} of the log is not there" if len(wrong) else None


class Told(NamedTuple):
    """A change in the words of the audit."""

    seq: int | None
    at_us: int
    who: str | None
    what: str
    subject: str
    detail: str


def _told(change: Change, *, named: bool = True) -> Told:
    who = change.who if named else None
    return Told(change.seq, change.at_us, who, change.what, change.subject, canonical(change.detail))


def _entry(entry: AuditEntry, *, named: bool = True) -> Told:
    who = entry.who if named else None
    return Told(entry.seq, entry.at_us, who, entry.what, entry.subject, entry.detail)


def _of(stores: Stores, *areas: str, at: AuditHead | None = None) -> Iterator[AuditEntry]:
    last = at.number if at else None
    return (e for e in stores.audit.entries() if e.what in areas and (last is None or e.number <= last))


def _compared(entries: Iterable[Told], stored: Iterable[Told], name: Callable[[Told], str]) -> Found:
    """Return the first that is not on both sides, in the same order and with the same content."""
    for entry, kept in zip_longest(entries, stored):
        if entry is None:
            return f"{name(kept)} is stored and not in the audit"
        if kept is None:
            return f"{name(entry)} is in the audit and not stored any more"
        if entry != kept:
            return f"{name(kept)} is not what the audit says, or not in its place"
    return None


def _aliases(stores: Stores, at: AuditHead) -> Found:
    """Compare the moves with their entries, and what the aliases point at with the last of them."""
    moves, pointing, later = stores.registry.moves(), stores.registry.aliases(), stores.registry.moves()
    told = [e for place, e in enumerate(_of(stores, MOVED)) if place < len(moves) or e.number <= at.number]
    entries = (_entry(e)._replace(seq=None) for e in told)
    stored = (_told(of_follower(0, move.note))._replace(seq=None) for move in moves)
    fault = _compared(entries, stored, lambda move: f"a move of alias {move.subject}")
    if fault or any(_left_by(later[:count]) == pointing for count in range(len(moves), len(later) + 1)):
        return fault
    left = _left_by(moves)
    names = [name for name in sorted({*left, *pointing}) if left.get(name) != pointing.get(name)]
    return f"alias {names[0]} does not point where its last move left it"


def _left_by(moves: Sequence[Move]) -> dict[str, Alias]:
    last = {move.alias: move for move in moves}
    return {name: Alias(move.bundle, move.share) for name, move in last.items() if move.bundle is not None}


def _bundles(stores: Stores, at: AuditHead) -> Found:
    entries = (_entry(e) for e in _of(stores, BUNDLES, at=at))
    stored = (_told(of_bundle(*bundle)) for bundle in _registered(stores))
    return _compared(entries, stored, lambda told: f"bundle {told.subject[:12]}")


def _registered(stores: Stores) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    return ((bundle, facts, added_us) for bundle, added_us, facts in stores.registry.bundles())


def _keys(stores: Stores, at: AuditHead) -> Found:
    replayed: dict[str, ApiKey] = {}
    for entry in _of(stores, KEYS, at=at):
        told = json.loads(entry.detail)
        act = told.pop("act")
        if act == "added":
            made = {"name": entry.subject, "made_us": entry.at_us, "made_by": entry.who}
            replayed[told["id"]] = ApiKey(**{**told, **made, "scopes": tuple(told["scopes"])})
        else:
            replayed[told["id"]] = replace(replayed[told["id"]], revoked_us=entry.at_us, revoked_by=entry.who)
    for key, kept in zip_longest(replayed.values(), stores.keys.all()):
        if key != kept:
            return f"key {(key or kept).name!r} is not stored as the audit says"
    return None


def _history(stores: Stores, _: AuditHead) -> Found:
    """Replay what came in, was sealed and forgotten; what is cold must be what that leaves, and child rows be whole."""
    lines: set[str] = set()
    forgotten_us, chain = None, GENESIS
    for entry in _of(stores, HISTORY):
        told = json.loads(entry.detail)
        lines = (lines - {canonical(line) for line in told["removed"]}) | {canonical(line) for line in told["added"]}
        if entry.subject == "forget":
            forgotten_us, chain = told["forgotten_us"], told["chain"]
    for note in stores.log.notes(ROWS):
        stores.rows.read(note[2]["name"])
    stored = {canonical(list(line)) for line in stores.log.segments()}
    if stored != lines:
        return f"{len(stored ^ lines)} lines of the manifest of segments are not what the audit says"
    if (forgotten_us, chain) != (stores.log.forgotten_us(), stores.log.forgotten_chain()):
        return "what the log says it has forgotten is not what the audit says"
    return None


def _notes_and_edits(stores: Stores, at: AuditHead) -> Found:
    log = stores.log
    edits = (_told(of_follower(seq, edit)) for seq, edit in log.edits() if seq <= at.seq)
    entries = (_entry(e) for e in _of(stores, LISTS, at=at))
    fault = _compared(entries, edits, lambda told: f"an edit of list {told.subject} at place {told.seq} of the log")
    told_of = {e.what for e in stores.audit.entries() if e.what not in AREAS}
    for kind in sorted({*told_of, *log.note_kinds()}):
        notes = (
            _told(of_follower(seq, Note(kind, body, arrived_us)), named=False)
            for seq, arrived_us, body in log.notes(kind) if seq <= at.seq
        )  # fmt: skip
        entries = (_entry(e, named=False) for e in _of(stores, kind, at=at))
        fault = fault or _compared(entries, notes, lambda told: f"a note of {told.what} at place {told.seq} of the log")
    return fault


def _labels(stores: Stores, at: AuditHead) -> Found:
    """Compare labels one by one; those of imports by their number, and those that retention dropped too."""
    histories = [(e.subject, json.loads(e.detail)) for e in _of(stores, HISTORY, at=at)]
    imports = [told for act, told in histories if act == "import"]
    labels = stores.log.labels(until=at.seq)
    ours, theirs = _parted(labels, imports)
    dropped, kept = sum(told["labels"] for told in imports) - theirs, next(ours, None)
    for entry in _of(stores, LABELS, at=at):
        where = f"the label at place {entry.seq} of the log"
        if kept is not None and (kept.seq or 0) < (entry.seq or 0):
            break
        if kept is None or kept.seq != entry.seq:
            if stores.log.forgotten_us() is None or stores.log.holds(entry.subject):
                return f"{where} is in the audit and not stored any more"
            dropped += 1
            continue
        if kept != _entry(entry, named=False):
            return f"{where} is not what the audit says"
        kept = next(ours, None)
    if kept is not None:
        return f"the label at place {kept.seq} of the log is stored and not in the audit"
    forgotten = sum(told["labels"] for act, told in histories if act == "forget")
    return None if dropped == forgotten else f"{dropped:,} labels are gone, and {forgotten:,} were forgotten"


def _parted(labels: pa.Table, imports: Sequence[dict[str, Any]]) -> tuple[Iterator[Told], int]:
    """Return the labels that came through the door, in the words of the audit, and how many came with imports."""
    imported = pa.array([False] * len(labels), pa.bool_())
    for span in imports:
        inside = pc.and_(
            pc.greater_equal(labels["seq"], span["first_seq"]), pc.less_equal(labels["seq"], span["last_seq"])
        )
        imported = pc.or_(imported, inside)
    ours = labels.filter(pc.invert(imported))
    rows = (row for batch in ours.to_batches() for row in batch.to_pylist())
    door = (_told(of_follower(row.pop("seq"), LabelRecord(**row)), named=False) for row in rows)
    return door, len(labels) - len(ours)
