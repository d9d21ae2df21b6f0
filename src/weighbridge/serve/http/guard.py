"""Who may: the key that a request shows, its scopes and its rate."""

from __future__ import annotations

import hmac
import math
from collections.abc import Iterable
from typing import NamedTuple

from weighbridge.clock import SECOND_US, Clock
from weighbridge.ports import Keys
from weighbridge.records import ApiKey
from weighbridge.serve.http.problem import Problem
from weighbridge.serve.http.scopes import ANY_KEY, OPEN
from weighbridge.serve.keys import read_key, secret_sha256

_BEARER = b"bearer "
_NO_SECRET = secret_sha256(b"")  # what an unknown id is compared with, so that it takes as long
_CHALLENGE = b'Bearer realm="weighbridge"'


class Caller(NamedTuple):
    """Who asks: the name and the id of a key, or nobody in particular while a home has no keys."""

    name: str
    key_id: str


NOBODY = Caller("", "")


class Bucket:
    """The tokens of one key: `rate` come in a second, up to `burst` lie in store."""

    def __init__(self, rate: float, burst: int, now_us: int) -> None:
        self._rate, self._burst, self._tokens, self._now_us = rate, burst, float(burst), now_us

    def take(self, now_us: int) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        passed_us = max(0, now_us - self._now_us)
        self._tokens = min(self._burst, self._tokens + passed_us * self._rate / SECOND_US)
        self._now_us = now_us
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class Guard:
    """Lets requests in. While a home has no keys everybody may do everything."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self._version = -1
        self._known: dict[str, ApiKey] = {}  # by id, those that are not revoked
        self._buckets: dict[str, Bucket] = {}
        self._closed = False
        self.refresh()

    def refresh(self) -> None:
        """Follow the keys of the home; raises StoreFailure when they cannot be read, and those known stay."""
        version = self._keys.version()
        if version == self._version:
            return
        keys, now_us = self._keys.all(), self._clock.now_us()
        known = {key.id: key for key in keys if key.revoked_us is None}
        limited = {key.id: key for key in known.values() if key.rate is not None and key.burst is not None}
        self._buckets = {
            id_: self._buckets.get(id_) or Bucket(key.rate or 0.0, key.burst or 0, now_us)
            for id_, key in limited.items()
        }
        self._known, self._closed, self._version = known, bool(keys), version

    def admit(self, headers: Iterable[tuple[bytes, bytes]], scope: str) -> Caller:
        """Return who asks for something of this scope; raises Problem 401, 403 or 429."""
        if scope == OPEN or not self._closed:
            return NOBODY
        now_us = self._clock.now_us()
        key = self._holder(headers, now_us)
        if scope not in key.scopes and scope != ANY_KEY and "admin" not in key.scopes:
            wrong = b'%b, error="insufficient_scope", scope="%b"' % (_CHALLENGE, scope.encode())
            raise Problem(403, f"this key is not for this; it takes the scope {scope}", _challenge(wrong))
        bucket = self._buckets.get(key.id)
        seconds = bucket.take(now_us) if bucket else 0.0
        if seconds:
            wait = str(math.ceil(seconds))
            told = f"this key may ask {key.rate:g} times a second; ask again in {wait} s"
            raise Problem(429, told, [(b"retry-after", wait.encode())])
        return Caller(key.name, key.id)

    def _holder(self, headers: Iterable[tuple[bytes, bytes]], now_us: int) -> ApiKey:
        shown = {_credential(name, value) for name, value in headers if name in (b"authorization", b"x-api-key")}
        if not shown:
            raise Problem(
                401, "show an API key: Authorization: Bearer wb_..., or X-API-Key: wb_...", _challenge(_CHALLENGE)
            )
        presented = read_key(shown.pop()) if len(shown) == 1 else None
        if presented is not None:
            found = self._known.get(presented.id)
            expected = found.secret_sha256 if found else _NO_SECRET
            same = hmac.compare_digest(expected, secret_sha256(presented.secret))
            if found and same and (found.until_us is None or now_us < found.until_us):
                return found
        invalid = b'%b, error="invalid_token"' % _CHALLENGE
        raise Problem(401, "this API key is not known here, or not any more", _challenge(invalid))


def _credential(name: bytes, value: bytes) -> bytes:
    if name == b"authorization":
        return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
    return value.strip()


def _challenge(how: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"www-authenticate", how)]
