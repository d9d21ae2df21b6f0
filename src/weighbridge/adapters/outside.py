"""What an address of the world outside means: which adapter reads it, found by its scheme."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pyarrow as pa

from weighbridge.adapters import dvc, kaggle
from weighbridge.adapters.database import SCHEMES as DATABASES
from weighbridge.adapters.database import read_database, source_of
from weighbridge.adapters.http import HttpObjects
from weighbridge.adapters.patience import Patient
from weighbridge.declare.sources import DVC, SCHEMES
from weighbridge.errors import InputError
from weighbridge.ports.objects import ObjectStore
from weighbridge.stores.objects import FolderObjects

BUCKETS = ("s3", "az", "gs")
FILES = [scheme for scheme in SCHEMES if scheme not in DATABASES]


class World:
    """Everything that an adapter is there for; `options` are those of the object stores' clients.

    `work` is the folder where other systems' commands put what they fetch, until it was read; else the usual one.
    """

    def __init__(self, options: Mapping[str, str], work: Path | None = None) -> None:
        self._options, self._work = options, work

    def objects(self, url: str) -> tuple[ObjectStore, str]:
        """Return the store of an address, which is asked again when it does not answer, and the path in it."""
        parts = _parts(url)
        if not parts.scheme:
            path = Path(url)
            return FolderObjects(Path("/") if path.is_absolute() else Path()), url.lstrip("/")
        if parts.scheme in BUCKETS:
            client = importlib.import_module("weighbridge.adapters.obstore")
            store, path_in_it = client.open_objects(url, self._options)
            return Patient(store), path_in_it
        if parts.scheme in ("http", "https") and parts.hostname:
            return Patient(HttpObjects(parts)), parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.scheme in DVC:
            repository, path_in_it = dvc.open_objects(parts, self._work)
            return Patient(repository), path_in_it
        if parts.scheme == kaggle.SCHEME:
            files, path_in_it = kaggle.open_objects(parts, self._work)
            return Patient(files), path_in_it
        raise InputError(f"{self.shown(url)} is no address of files; give a path, or one of {', '.join(FILES)}")

    def rows(self, url: str) -> Iterator[pa.Table]:
        """Yield the rows of a database's table or, after ?query=, of a query."""
        return read_database(url, None)

    def shown(self, url: str) -> str:
        """Return an address without user, password and query."""
        parts = _parts(url)
        if parts.scheme in DATABASES:
            return source_of(url, None).shown
        if parts.scheme in DVC:
            return dvc.shown_address(parts)
        return url if not parts.scheme else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _parts(url: str) -> SplitResult:
    """Return an address in parts; what has no :// is a path."""
    if "://" not in url:
        return SplitResult("", "", url, "", "")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InputError("the address of a source cannot be read; check its host and port") from None
    if any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise InputError("the address of a source holds spaces or control characters; write them as %20")
    return parts
