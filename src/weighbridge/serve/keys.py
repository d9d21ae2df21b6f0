"""What an API key looks like, `wb_ID_SECRET`, and how one is made. Only its sha256 is ever stored."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from weighbridge.clock import DAY_US, duration_us
from weighbridge.errors import InputError
from weighbridge.records import ApiKey

SCOPES = ("score", "label", "ingest", "review", "promote", "admin")
ID_BYTES, SECRET_BYTES = 5, 20  # 8 and 32 characters
FORM = re.compile(rb"wb_([a-z2-7]{8})_([a-z2-7]{32,64})")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_PER_SECOND = 1_000_000
LONGEST_BY = 64
LONGEST_US = 36_525 * DAY_US


class Presented(NamedTuple):
    """A key as somebody shows it."""

    id: str
    secret: bytes


def read_key(text: bytes) -> Presented | None:
    """Return the parts of a key, None where the text is none."""
    found = FORM.fullmatch(text)
    return Presented(found[1].decode(), found[2]) if found else None


def secret_sha256(secret: bytes) -> str:
    """Return what is stored of a secret. It has 160 random bits, so that no slow hash is needed."""
    return hashlib.sha256(secret).hexdigest()


def make_key(
    name: str,
    scopes: Sequence[str],
    made_us: int,
    by: str,
    *,
    lasts: str | None = None,
    rate: float | None = None,
    burst: int | None = None,
) -> tuple[ApiKey, str]:
    """Return a new key as it is stored, and as its owner gets to see it once.

    `lasts` is a duration such as "90d"; `rate` requests a second, with `burst` (default: a second's) at once. Raises
    InputError for what cannot be meant.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a key; use 1 to 64 letters, digits, dots, dashes and underscores")
    check_by(by)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        what = f"there is no scope {unknown[0]!r}" if unknown else "a key needs a scope"
        raise InputError(f"{what}; use one or more of {', '.join(SCOPES)}")
    if rate is not None and not 0 < rate <= MOST_PER_SECOND:
        raise InputError(f"a rate of {rate:g} requests a second cannot be kept; use more than 0, at most 1,000,000")
    if burst is not None and (rate is None or not 1 <= burst <= MOST_PER_SECOND):
        raise InputError("a burst goes with a rate, and is at least 1 and at most 1,000,000 requests")
    id_, secret = _random(ID_BYTES), _random(SECRET_BYTES)
    key = ApiKey(
        id=id_,
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        secret_sha256=secret_sha256(secret.encode()),
        made_us=made_us,
        made_by=by,
        until_us=None if lasts is None else made_us + _lasting(lasts),
        rate=rate,
        burst=None if rate is None else burst or max(1, int(rate)),
    )
    return key, f"wb_{id_}_{secret}"


def check_by(by: str) -> None:
    """Raise InputError unless this can stand in the audit as who did something."""
    if not 1 <= len(by.strip()) <= LONGEST_BY:
        raise InputError(f"--by: say who, in 1 to {LONGEST_BY} characters")


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()


def _lasting(text: str) -> int:
    try:
        lasts_us = duration_us(text)
    except ValueError as fault:
        raise InputError(f"--for: {fault}") from None
    if not 0 < lasts_us <= LONGEST_US:
        raise InputError(f"--for {text}: a key lasts more than no time and at most 100 years; leave --for out")
    return lasts_us
