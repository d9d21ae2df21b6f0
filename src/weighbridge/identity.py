"""What names a thing, and what chance makes of a name: canonical JSON, digests, ULIDs, keyed pseudonyms and draws."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ulid import ULID

# made once: an encoder costs more than what it writes for a decision
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
ULID_PATTERN = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


def describe(value: Any) -> Any:  # noqa: ANN401 - any declared value has a description
    """Return a declaration as plain JSON values: dataclasses become objects that name their type."""
    if is_dataclass(value) and not isinstance(value, type):
        members = {f.name: describe(getattr(value, f.name)) for f in fields(value) if f.repr}
        return {"type": type(value).__name__, **members}
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [describe(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a declaration")


def canonical(value: Any) -> str:  # noqa: ANN401
    """Return the one JSON text of plain values: sorted keys, no spaces, NaN refused."""
    return _CANONICAL(value)


def digest(value: Any) -> str:  # noqa: ANN401
    """Return the sha256 hex digest of a declared value's canonical JSON.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(describe(value)).encode()).hexdigest()


def hash64(text: str) -> int:
    """Return 64 bits of the BLAKE2b hash of a text, signed; never the value that stands for a missing one."""
    found = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
    return max(found, 1 - 2**63)


def ulid_at(at_us: int, entropy: bytes) -> str:
    """Return the ULID of a time (microseconds UTC) and 10 bytes of entropy, 26 characters."""
    return str(ULID((at_us // 1_000).to_bytes(6, "big") + entropy[:10]))


def chance(text: str, seed: int) -> int:
    """Return the seeded hash of a text, 0 to 2**63 - 1: the same on every machine."""
    code = hashlib.blake2b(text.encode(), digest_size=8, key=seed.to_bytes(8, "little", signed=True)).digest()
    return int.from_bytes(code, "little") >> 1


class Pseudonyms:
    """Keyed pseudonyms: HMAC-SHA256 cut to 128 bits, prefixed with the id of the key.

    The same value under the same key always has the same pseudonym, so histories still join;
    without the key nobody can go back or test a guess.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hashlib.sha256(b"pseudonym key id" + key).hexdigest()[:8]

    def of(self, value: str) -> str:
        """Return the pseudonym of a value, `<key id>.<26 characters>`."""
        code = hmac.digest(self._key, value.encode(), "sha256")[:16]
        return f"{self.key_id}.{base64.b32encode(code).decode().rstrip('=').lower()}"

    def made(self, text: str) -> bool:
        """Whether a text looks like a pseudonym under this key."""
        key_id, _, code = text.partition(".")
        return key_id == self.key_id and len(code) == 26 and set(code) <= set("abcdefghijklmnopqrstuvwxyz234567")


class Draws:
    """Keyed chance: the first 64 bits of HMAC-SHA256 of a text, as a fraction of 1.

    A text is always drawn the same way under the same key; without the key nobody can choose texts that a share falls
    on.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hashlib.sha256(b"draw key id" + key).hexdigest()[:8]

    def falls_on(self, text: str, share: float, key_id: str | None) -> bool | None:
        """Return whether a share falls on a text under the key of this id; None: that is another key than this one.

        A `key_id` of None stands for draws of before there were keys: the plain sha256.
        """
        if key_id is None:
            code = hashlib.sha256(text.encode()).digest()
        elif key_id == self.key_id:
            code = hmac.digest(self._key, text.encode(), "sha256")
        else:
            return None
        return int.from_bytes(code[:8], "big") < share * 2**64
