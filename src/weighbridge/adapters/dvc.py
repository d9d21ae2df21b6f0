"""Files of a DVC repository at a revision, listed and fetched by the command `dvc`, which knows the remotes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlunsplit

from weighbridge.adapters.command import answered, at_work, bytes_of, found_command
from weighbridge.errors import InputError, StoreFailure
from weighbridge.ports.objects import Object
from weighbridge.stores.objects import matches

HERE = "dvc"  # the scheme of a repository of this machine; dvc+https and its like lead to git's own addresses
FORMS = (
    "dvc:///FOLDER?path=FILE&rev=REVISION (four slashes before a whole path) or dvc+https://HOST/REPOSITORY?path=FILE"
)
NEWEST, POINTER = "HEAD", ".dvc"
FOR_GOOD = ("no such file", "unknown git revision", "no git repository", "does not exist", "not a dvc repository")


class DvcObjects:
    """ObjectStore of a DVC repository at a revision, to read from only; `work` is where files come to first."""

    def __init__(self, repository: str, revision: str, shown: str, work: Path | None) -> None:
        self._repository, self._revision, self._shown, self._work = repository, revision, shown, work
        self._command = found_command("dvc", "dvc")

    def head(self, path: str) -> Object:
        """Return what DVC knows of a file: its size, and as tag its MD5 where DVC keeps it, not git."""
        for entry in self._listed(path):
            if entry["path"] == PurePosixPath(path).name:
                if entry["isdir"]:
                    raise InputError(f"{path} in {self._shown} is a folder; name a file in it, or write {path}/*.csv")
                return self._object(path, entry)
        raise InputError(f"{path} is not in {self._shown} at {self._revision}; check the path and the revision")

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files of one folder whose names match, without those that point to what DVC keeps."""
        folder = pattern.rpartition("/")[0]
        files = {f"{folder}/{e['path']}" if folder else e["path"]: e for e in self._listed(pattern) if not e["isdir"]}
        kept = sorted(path for path in files if matches(path, pattern) and not path.endswith(POINTER))
        return [self._object(path, files[path]) for path in kept]

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes from a place on, once all of it came and has its MD5; until then empty pieces."""
        with tempfile.TemporaryDirectory(dir=self._work, prefix=".dvc-") as folder:
            target = Path(folder) / "file"
            words = [self._command, "get", "--quiet", f"--rev={self._revision}", f"--out={target}", "--"]
            code = yield from at_work([*words, self._repository, found.path], Path(folder), found.size or 0)
            if code or not target.is_file():
                raise StoreFailure(f"dvc could not fetch {found.path} from {self._shown}; `dvc get` tells why")
            if found.tag is not None and found.tag not in _md5s(target):
                raise InputError(
                    f"{found.path} in {self._shown} came with another MD5 than DVC lists: it has changed, then "
                    "run again, or its remote is damaged"
                )
            yield from bytes_of(target, start)

    def put(self, path: str, content: BinaryIO) -> None:
        """Refuse: what is put into a repository is a commit, which somebody has to make."""
        raise InputError(f"{path} cannot be written to {self._shown}; add it with dvc, or use a folder or s3://")

    def _listed(self, path: str) -> list[dict[str, Any]]:
        """Return the entries of the folder that a path is in."""
        folder = path.rpartition("/")[0]
        words = [self._command, "list", "--json", "--size", "--show-hash", f"--rev={self._revision}", "--"]
        code, told, said = answered([*words, self._repository, *([folder] if folder else [])])
        if not code:
            entries: list[dict[str, Any]] = json.loads(told)
            return entries
        if any(words in said.lower() for words in FOR_GOOD):
            raise InputError(
                f"{path} is not in {self._shown} at {self._revision}, or there is no DVC repository; check the address"
            )
        raise StoreFailure(f"dvc could not list {self._shown}; `dvc list` tells why")

    def _object(self, path: str, entry: dict[str, Any]) -> Object:
        if entry["size"] is None:
            raise InputError(
                f"DVC knows no size of {path} in {self._shown}; run `dvc commit` there, with its newest version"
            )
        return Object(path, entry["size"], entry["md5"])


def open_objects(parts: SplitResult, work: Path | None) -> tuple[DvcObjects, str]:
    """Return the store of an address and the path in it.

    Raises InputError for one that means none or holds a password, MissingCommand where there is no command `dvc`.
    """
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    path, revision = asked.pop("path", ""), asked.pop("rev", NEWEST)
    known, _, host = parts.netloc.rpartition("@")
    if known and (":" in known or parts.scheme != "dvc+ssh"):
        raise InputError("the address of a DVC repository holds a password; leave it to git, which asks its own helper")
    shown = shown_address(parts)
    whole = not asked and revision and path and not path.startswith("/") and ".." not in PurePosixPath(path).parts
    if not whole or bool(host) == (parts.scheme == HERE) or len(parts.path) < 2 or parts.fragment:
        raise InputError(f"{shown} names no file of a DVC repository; write {FORMS}")
    if parts.scheme == HERE:
        repository = str(Path(unquote(parts.path[1:])).absolute())
    else:
        repository = urlunsplit((parts.scheme.removeprefix("dvc+"), parts.netloc, parts.path, "", ""))
    return DvcObjects(repository, revision, shown.partition("?")[0], work), path


def shown_address(parts: SplitResult) -> str:
    """Return an address for people, without user and password."""
    told = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in ("path", "rev")], safe="/*")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{told}" if told else "")


def _md5s(path: Path) -> tuple[str, str]:
    """Return a file's MD5 in hex, and the one that DVC had before version 3: with the line ends of Unix."""
    plain, unix = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    for chunk in bytes_of(path):
        plain.update(chunk)
        unix.update(chunk.replace(b"\r\n", b"\n"))
    return plain.hexdigest(), unix.hexdigest()
