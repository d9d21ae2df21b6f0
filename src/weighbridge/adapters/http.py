"""Files of web servers, read with the standard library: ranges, ETags, redirects that lose no encryption."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from weighbridge.clock import SECOND_US
from weighbridge.errors import InputError, StoreFailure
from weighbridge.ports.objects import Object

SECONDS = 30.0  # without a byte
CHUNK_BYTES = 1 << 18
PASSING = (408, 425, 429, 500, 502, 503, 504)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to what is not encrypted, and tells another server no password."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        there, here = urlsplit(newurl), urlsplit(req.full_url)
        if there.scheme not in ("http", "https") or (here.scheme, there.scheme) == ("https", "http"):
            raise InputError(f"{here.scheme}://{here.hostname} leads to an address without encryption; ask its owner")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (there.scheme, there.netloc) != (here.scheme, here.netloc):
            following.headers.pop("Authorization", None)
            following.unredirected_hdrs.pop("Authorization", None)
        return following


class HttpObjects:
    """ObjectStore of one web server, to read from only. Paths are those of its URLs, with their query."""

    def __init__(self, parts: SplitResult) -> None:
        known, _, place = parts.netloc.rpartition("@")
        self._parts, self._open = parts._replace(netloc=place), urllib.request.build_opener(_Redirects)
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "weighbridge"}
        if known:
            self._headers["Authorization"] = f"Basic {base64.b64encode(unquote(known).encode()).decode()}"

    def head(self, path: str) -> Object:
        """Ask for a file's headers; where a server knows no HEAD, with a GET that is left at once."""
        try:
            with self._asked(path, "HEAD", {}) as answer:
                return _object(path, answer.headers)
        except _Status as status:
            if status.code not in (403, 405, 501):
                raise self._told(path, status.code) from None
        try:
            with self._asked(path, "GET", {}) as answer:
                return _object(path, answer.headers)
        except _Status as status:
            raise self._told(path, status.code) from None

    def find(self, pattern: str) -> Sequence[Object]:
        """Refuse: a web server has no list of its files."""
        raise InputError(f"{self._shown(pattern)} is a glob, and web servers list no files; declare one feed for each")

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield bytes from a place on; a server without ranges sends all, and what came before is passed over."""
        ranged = {"Range": f"bytes={start}-"} if start else {}
        if start and found.tag is not None and not found.tag.startswith("W/"):
            ranged["If-Range"] = found.tag
        try:
            with self._asked(found.path, "GET", ranged) as answer:
                now = _object(found.path, answer.headers)
                if found.tag is not None and now.tag != found.tag:
                    raise InputError(f"{self._shown(found.path)} has changed while it was fetched; run again")
                passed = 0 if answer.status == 206 else start
                if answer.status == 206 and _first_byte(answer.headers) != start:
                    raise StoreFailure(f"{self._shown(found.path)} was answered with another range than was asked for")
                while chunk := answer.read(CHUNK_BYTES):
                    kept = chunk[passed:]
                    passed -= len(chunk) - len(kept)
                    if kept:
                        yield kept
                if answer.length:  # what was announced and did not come
                    raise StoreFailure(f"{self._shown(found.path)} broke off; run again, it goes on from there")
        except _Status as status:
            if status.code != 416:
                raise self._told(found.path, status.code) from None
        except (OSError, http.client.HTTPException) as fault:
            raise StoreFailure(f"{self._shown(found.path)} broke off ({type(fault).__name__}); run again") from None

    def put(self, path: str, content: BinaryIO) -> None:
        """Refuse: there is no one way to write to a web server."""
        raise InputError(f"{self._shown(path)} cannot be written; use a folder, s3://, az:// or gs://")

    def _asked(self, path: str, method: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        target, _, query = path.partition("?")
        url = urlunsplit(self._parts._replace(path=target, query=query))
        request = urllib.request.Request(url, headers={**self._headers, **headers}, method=method)  # noqa: S310
        try:
            return self._open.open(request, timeout=SECONDS)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as fault:
            fault.close()
            raise _Status(fault.code) from None
        except urllib.error.URLError as fault:
            why = getattr(fault.reason, "strerror", None) or type(fault.reason).__name__
            raise StoreFailure(f"{self._shown(path)} cannot be reached ({why})") from None
        except (OSError, ValueError, http.client.HTTPException) as fault:
            raise StoreFailure(f"{self._shown(path)} cannot be reached ({type(fault).__name__})") from None

    def _told(self, path: str, code: int) -> InputError | StoreFailure:
        if code in PASSING:
            return StoreFailure(f"{self._shown(path)} answered {code}")
        fix = "give user and password with WEIGH_SOURCE__NAME" if code in (401, 403) else "check the address"
        return InputError(f"{self._shown(path)} answered {code}; {fix}")

    def _shown(self, path: str) -> str:
        return urlunsplit(self._parts._replace(path=path.partition("?")[0], query=""))


class _Status(Exception):
    """An answer that is no success."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def _object(path: str, headers: Message) -> Object:
    size, changed = headers.get("Content-Length"), headers.get("Last-Modified")
    total = (headers.get("Content-Range") or "").rpartition("/")[2]
    size = total if total.isdigit() else size
    try:
        changed_us = None if changed is None else int(parsedate_to_datetime(changed).timestamp()) * SECOND_US
    except ValueError:
        changed_us = None
    known = size is not None and size.isdigit() and not headers.get("Content-Encoding")
    return Object(path, int(str(size)) if known else None, headers.get("ETag") or changed, changed_us)


def _first_byte(headers: Message) -> int | None:
    first = (headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else None
