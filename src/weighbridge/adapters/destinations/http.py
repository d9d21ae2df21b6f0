"""A stream posted to the HTTP door of a running `weigh serve`: /predict and /feedback on one kept-alive connection."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from weighbridge.errors import InputError, StoreFailure

TIMEOUT_SECONDS, MOST_WAITS, LONGEST_WAIT_SECONDS = 30, 20, 5.0
BUSY = (429, 503)


class Door:
    """Posts records one after the other; what is refused for now is sent again: ids make that safe."""

    def __init__(self, url: SplitResult, secret: str) -> None:
        made = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = made(str(url.hostname), url.port, timeout=TIMEOUT_SECONDS)
        self._base = url.path.rstrip("/")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})

    def event(self, actor: str, body: Mapping[str, Any]) -> str | None:
        """Post an event; return the action of its answer."""
        return str(self._post("/predict", body)["action"])

    def label(self, body: Mapping[str, Any]) -> None:
        """Post a label."""
        self._post("/feedback", body)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        for _ in range(MOST_WAITS):
            status, told, wait = self._send(path, content)
            if status == 200:
                return told
            if status not in BUSY:
                raise StoreFailure(f"{path} answered {status}: {told.get('detail', 'nothing else')}")
            time.sleep(wait)
        raise StoreFailure(f"{path} answered {status} again and again; is it too much, or not fit to decide?")

    def _send(self, path: str, content: bytes) -> tuple[int, dict[str, Any], float]:
        for again in (False, True):
            try:
                self._connection.request("POST", self._base + path, content, self._headers)
                answer = self._connection.getresponse()
                told, wait = answer.read(), answer.getheader("retry-after", "")
                return answer.status, _object(told), min(float(wait) if wait.isdigit() else 0.2, LONGEST_WAIT_SECONDS)
            except (http.client.HTTPException, OSError) as fault:  # an idle connection may have been closed
                self._connection.close()
                if again:
                    why = getattr(fault, "strerror", None) or type(fault).__name__
                    raise StoreFailure(f"the door does not answer ({why}); is `weigh serve` running there?") from None
        raise AssertionError


def _object(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def make(address: str, case: str, secret: str) -> Door:
    """Return the destination of a URL; `secret` is an API key."""
    try:
        url = urlsplit(address)
        port_is_sound = url.port != 0
    except ValueError:
        port_is_sound = False
    if not port_is_sound or not url.hostname or url.query or url.username:
        raise InputError("--to is no address of a door; write it as http://127.0.0.1:8080")
    return Door(url, secret)
