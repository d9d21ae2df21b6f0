"""What the audit tells of each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from weighbridge.records import ApiKey, Change, Follower, LabelRecord, ListEdit

AREAS = LABELS, LISTS, KEYS, HISTORY, BUNDLES = "labels", "lists", "keys", "history", "bundles"  # else a note's kind


def of_follower(seq: int, record: Follower) -> Change:
    """Return what is told of a label, an edit of a list, or a note."""
    if isinstance(record, LabelRecord):
        told = {"label": record.value, "source": record.source}
        return Change(LABELS, record.event_id, record.by, record.arrived_us, told, seq)
    if isinstance(record, ListEdit):
        told = {name: getattr(record, name) for name in ("value", "listed", "until_us", "why")}
        return Change(LISTS, record.name, record.by, record.arrived_us, told, seq)
    subject = str(record.body.get("alias", ""))
    return Change(record.kind, subject, record.by, record.arrived_us, record.body, seq)


def of_bundle(bundle: str, facts: Mapping[str, Any], added_us: int) -> Change:
    """Return what is told of a bundle that is registered: its figures, its thresholds, where it comes from."""
    return Change(BUNDLES, bundle, "weigh", added_us, {"facts": facts})


def of_key(key: ApiKey) -> Change:
    """Return what is told of a new key: all of it, so that none can be exchanged."""
    told = {name: value for name, value in asdict(key).items() if name not in _OF_KEY}
    return Change(KEYS, key.name, key.made_by, key.made_us, {"act": "added", **told, "scopes": list(key.scopes)})


def of_revocation(key: ApiKey) -> Change:
    """Return what is told of a key that was revoked."""
    return Change(KEYS, key.name, key.revoked_by or "", key.revoked_us or 0, {"act": "revoked", "id": key.id})


_OF_KEY = ("name", "made_us", "made_by", "revoked_us", "revoked_by")


def of_history(
    act: str, who: str, at_us: int, figures: Mapping[str, Any], added: Sequence[Any] = (), removed: Sequence[Any] = ()
) -> Change:
    """Return what is told when history comes in, is sealed or forgotten, with the segments that come and go."""
    return Change(HISTORY, act, who, at_us, {**figures, "added": list(added), "removed": list(removed)})


def imported(events: pa.Table, labels: pa.Table) -> dict[str, Any]:
    """Return the figures of an import: how many events and labels, and the places they take."""
    seqs = [seq for table in (events, labels) if len(table) for seq in (table["seq"][0], table["seq"][-1])]
    places = [seq.as_py() for seq in seqs] or [0]
    return {"events": len(events), "labels": len(labels), "first_seq": min(places), "last_seq": max(places)}


def forgotten(events: int, labels: int, until_us: int | None, chain: str) -> dict[str, Any]:
    """Return the figures of what was forgotten; `chain` is the hash that the decisions which are left follow."""
    return {"events": events, "labels": labels, "forgotten_us": until_us, "chain": chain}
