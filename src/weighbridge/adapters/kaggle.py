"""Files of Kaggle's competitions and data sets, listed and fetched by the command `kaggle`, with its credentials."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import SplitResult, parse_qsl, unquote

from weighbridge.adapters.command import CHUNK_BYTES, answered, at_work, bytes_of, found_command
from weighbridge.clock import SECOND_US
from weighbridge.errors import InputError, StoreFailure
from weighbridge.ports.objects import Object
from weighbridge.stores.objects import matches

SCHEME = "kaggle"
FORMS = "kaggle://competitions/NAME/FILE or kaggle://datasets/OWNER/NAME/FILE, perhaps with ?version=NUMBER"
PAGE_FILES = 200
NEXT_PAGE = "Next Page Token = "
FOR_NOW = re.compile(
    r"ConnectionPool|Connection(Error| aborted| reset)|timed out|5\d\d Server Error|\b429\b|unavailable"
)


class KaggleObjects:
    """ObjectStore of one competition or data set, to read from only; `work` is where files come to first."""

    def __init__(self, kind: str, name: str, work: Path | None) -> None:
        self._kind, self._name, self._work = kind, name, work
        self._shown = f"{SCHEME}://{kind}/{name}"
        self._command = found_command("kaggle", "kaggle")

    def head(self, path: str) -> Object:
        """Return what Kaggle tells of a file; its tag is its size and when it was made."""
        for found in self._listed():
            if found.path == path:
                return found
        raise InputError(f"{path} is not in {self._shown}; look with `kaggle {self._kind} files {self._name}`")

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files of one folder whose names match."""
        return sorted((f for f in self._listed() if matches(f.path, pattern)), key=lambda f: f.path)

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes from a place on, once all of it came; until then empty pieces."""
        if self.head(found.path) != found:
            raise InputError(f"{found.path} in {self._shown} has changed since it was looked at; run again")
        name = PurePosixPath(found.path).name
        with tempfile.TemporaryDirectory(dir=self._work, prefix=".kaggle-") as folder:
            words = [self._command, "-W", self._kind, "download", f"--file={found.path}", f"--path={folder}", "--quiet"]
            code = yield from at_work([*words, "--", self._name], Path(folder), found.size or 0)
            whole, packed = Path(folder) / name, Path(folder) / f"{name}.zip"
            if code or not (whole.is_file() or packed.is_file()):
                raise StoreFailure(
                    f"kaggle could not fetch {found.path} from {self._shown}; `kaggle {self._kind} download` tells "
                    "why, perhaps that rules are to be accepted"
                )
            yield from bytes_of(whole, start) if whole.is_file() else _from(start, _unpacked(packed, name))

    def put(self, path: str, content: BinaryIO) -> None:
        """Refuse: a new version of a data set is for its owner to make."""
        raise InputError(f"{path} cannot be written to {self._shown}; use a folder, s3://, az:// or gs://")

    def _listed(self) -> list[Object]:
        """Return every file there is, asked for page by page."""
        files, token = list[Object](), ""
        while True:
            words = [self._command, "-W", self._kind, "files", "--format=json", f"--page-size={PAGE_FILES}"]
            words += [f"--page-token={token}"] if token else []
            code, told, said = answered([*words, "--", self._name])
            if code and FOR_NOW.search(told + said):
                raise StoreFailure(f"kaggle could not list {self._shown}; `kaggle {self._kind} files` tells why")
            begin = re.search(r"^\[", told, re.M)
            if code or begin is None:
                raise InputError(
                    f"{self._shown} is not there, or not for you: check the address, your credentials, whether its "
                    f"rules are accepted, and that kaggle is 2.2 or newer; `kaggle {self._kind} files` tells why"
                )
            files += [_object(entry) for entry in json.loads(told[begin.start() :])]
            after = told[: begin.start()].partition(NEXT_PAGE)[2].split()
            if not after:
                return files
            token = after[0]


def open_objects(parts: SplitResult, work: Path | None) -> tuple[KaggleObjects, str]:
    """Return the store of an address and the path in it.

    Raises InputError for one that means none, MissingCommand where there is no command `kaggle`.
    """
    kind, words = parts.netloc, [unquote(word) for word in parts.path.lstrip("/").split("/")]
    of = {"competitions": 1, "datasets": 2}.get(kind, 0)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    version = asked.pop("version", None) if kind == "datasets" else None
    named = all(re.fullmatch(r"[A-Za-z0-9][\w-]*", word, re.ASCII) for word in words[:of])
    file = words[of:]
    whole = of and named and file and all(word not in ("", "..") for word in file)
    if not whole or asked or parts.fragment or not re.fullmatch(r"[0-9]{0,9}", version or ""):
        raise InputError(f"an address of Kaggle names no file; write {FORMS}")
    name = "/".join(words[:of]) + (f"/{version}" if version else "")
    return KaggleObjects(kind, name, work), "/".join(file)


def _object(entry: dict[str, object]) -> Object:
    size, made = int(str(entry["size"])), entry.get("creationDate")
    changed_us = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(str(made))
        changed_us = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * SECOND_US)
    return Object(str(entry["name"]), size, None if changed_us is None else f"{changed_us}-{size}", changed_us)


def _unpacked(path: Path, name: str) -> Iterator[bytes]:
    """Yield the bytes of the one file of a zip, which Kaggle makes of larger files."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (zipfile.BadZipFile, KeyError, EOFError) as fault:
        raise StoreFailure(f"{name} came from Kaggle in a zip that cannot be read ({type(fault).__name__})") from None


def _from(start: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what comes from a place on."""
    for piece in pieces:
        kept = piece[start:]
        start = max(0, start - len(piece))
        if kept:
            yield kept
