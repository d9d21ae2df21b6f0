"""The contract suite of a store of files, from which sources are fetched: subclass it, give it `make`, and run pytest.

class TestMyObjects(ObjectStoreContract):
    def make(self):
        return my_store(address)
"""

from __future__ import annotations

import io
from collections.abc import Callable

from weighbridge.errors import InputError
from weighbridge.ports.objects import ObjectStore

LARGE = bytes(range(256)) * 4_096


class ObjectStoreContract:
    """ObjectStore."""

    def make(self) -> ObjectStore:
        """Return an empty store."""
        raise NotImplementedError

    def filled(self) -> ObjectStore:
        """Return a store with a few files."""
        store = self.make()
        for path, content in (("raw/b.csv", b"b"), ("raw/a.csv", LARGE), ("raw/c.parquet", b"c"), ("a.csv", b"")):
            store.put(path, io.BytesIO(content))
        return store

    def test_what_was_put_is_read(self) -> None:
        """Byte by byte, from the beginning or from a place on, as when a fetch is taken up again."""
        store = self.filled()
        found = store.head("raw/a.csv")
        assert found.size in (None, len(LARGE))
        for start in (0, 1, 70_000, len(LARGE) - 1):
            assert b"".join(store.read(found, start)) == LARGE[start:]

    def test_what_is_not_there_is_refused(self) -> None:
        """With InputError, which is for good: nobody tries again."""
        store = self.filled()
        refused(lambda: store.head("raw/gone.csv"))

    def test_a_glob_finds_files_in_the_order_of_their_paths(self) -> None:
        """In its last part alone; what else lies there is left out."""
        store = self.filled()
        assert [found.path for found in store.find("raw/*.csv")] == ["raw/a.csv", "raw/b.csv"]
        assert [found.path for found in store.find("raw/c.*")] == ["raw/c.parquet"]

    def test_a_file_is_replaced_whole(self) -> None:
        """Its tag changes with it, and whoever had found the old one does not get a mixture."""
        store = self.filled()
        old = store.head("raw/a.csv")
        store.put("raw/a.csv", io.BytesIO(b"new"))
        new = store.head("raw/a.csv")
        assert b"".join(store.read(new)) == b"new"
        assert old.tag is None or old.tag != new.tag
        if old.tag is not None:
            refused(lambda: b"".join(store.read(old, 5)))


def refused(call: Callable[[], object]) -> None:
    """Assert that a call raises InputError."""
    try:
        call()
    except InputError:
        return
    raise AssertionError("it was not refused")
