"""What the platform asks of whatever keeps files: a folder, a web server, S3 and its like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Object:
    """One file of a store, as of a moment.

    `tag` changes when the content does, None where the store tells nothing of that kind. `size` is in bytes, None where
    it is unknown. `changed_us` is when it was last changed, microseconds UTC, None where it is unknown.
    """

    path: str
    size: int | None
    tag: str | None
    changed_us: int | None = None


class ObjectStore(Protocol):
    """Files by path, with slashes. Every method raises InputError for what is wrong for good, such as a path that is
    not there, and StoreFailure for what may pass, such as a connection that broke; no message holds a secret.
    """

    def head(self, path: str) -> Object:
        """Return what is known of a file without reading it."""
        ...

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files whose path matches a glob in its last part, in the order of their paths."""
        ...

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes from a place on; an empty piece says that they are still on their way.

        Raises InputError when it is no longer the file that was found.
        """
        ...

    def put(self, path: str, content: BinaryIO) -> None:
        """Store a file whole, in place of the one that is there; a reader sees the old one or the new one."""
        ...


class Outside(Protocol):
    """The world beyond the home: what an address means."""

    def objects(self, url: str) -> tuple[ObjectStore, str]:
        """Return the store of an address, and the path in it.

        Raises InputError for an address that means none, MissingExtra when its client is not installed.
        """
        ...

    def rows(self, url: str) -> Iterator[pa.Table]:
        """Yield the rows of a database's table, piece by piece; raises as `objects` does."""
        ...

    def shown(self, url: str) -> str:
        """Return an address for people, without its secrets."""
        ...
