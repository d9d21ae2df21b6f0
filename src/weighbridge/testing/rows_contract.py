"""What every engine of `RowStore` must do."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from weighbridge.declare import Child, Integer, Key
from weighbridge.errors import StoreFailure
from weighbridge.kernel.child_rows import given_schema, segment_schema
from weighbridge.ports.rows import RowStore
from weighbridge.testing.edit_contract import refuses

PLAIN = Child("rows", [Key("of"), Integer("x")], by="of")
NAMED = Child("named", [Key("of"), Key("name"), Integer("x")], by="of", unique="name")


def piece(child: Child, *rows: tuple[int, ...]) -> pa.Table:
    """Return rows (key, row, then the fields) as an engine is given them."""
    columns = [pa.array(column, pa.int64()) for column in zip(*rows, strict=True)]
    texts = [pa.array([str(row[0]) for row in rows], pa.string())] * (len(given_schema(child)) - len(columns))
    return pa.table([*columns, *texts], schema=given_schema(child))


class RowsContract:
    """Segments of child rows."""

    def make(self) -> RowStore:
        """Return a store without a segment."""
        raise NotImplementedError

    def test_rows_come_back_by_owner_then_by_content(self) -> None:
        """However they were divided into pieces."""
        store = self.make()
        pieces = [piece(PLAIN, (3, 0, 3, 30), (-1, 1, -1, 10)), piece(PLAIN, (3, 2, 3, 31), (-1, 3, -1, 11))]
        written = store.write(PLAIN, pieces)
        assert (written.rows, written.twice) == (4, ())
        found = store.read(written.name)
        assert found.schema.names == segment_schema(PLAIN).names
        assert found["x"].to_pylist() == [10, 11, 30, 31]
        assert found["text:of"].to_pylist() == ["-1", "-1", "3", "3"]

    def test_the_same_rows_have_the_same_name(self) -> None:
        """However they are divided and whatever their order; others have another one."""
        store = self.make()
        rows = [(2, 0, 2, 5), (1, 1, 1, 6), (1, 2, 1, 4)]
        first = store.write(PLAIN, [piece(PLAIN, *rows)])
        again = store.write(PLAIN, [piece(PLAIN, rows[0]), piece(PLAIN, *rows[1:])])
        turned = store.write(PLAIN, [piece(PLAIN, (1, 0, 1, 4), (1, 1, 1, 6), (2, 2, 2, 5))])
        other = store.write(PLAIN, [piece(PLAIN, (2, 0, 2, 5), (1, 1, 1, 7))])
        assert again == turned == first
        assert other.name != first.name

    def test_of_rows_with_one_key_the_last_is_kept(self) -> None:
        """Among those of one owner; the others are told."""
        store = self.make()
        rows = [(1, 0, 1, 7, 10), (1, 1, 1, 7, 11), (2, 2, 2, 7, 12), (1, 3, 1, 8, 13), (1, 4, 1, 7, 14)]
        written = store.write(NAMED, [piece(NAMED, *rows)])
        assert (written.rows, written.twice) == (3, (0, 1))
        assert sorted(store.read(written.name)["x"].to_pylist()) == [12, 13, 14]

    def test_no_rows_are_a_segment_too(self) -> None:
        """An empty one."""
        store = self.make()
        written = store.write(PLAIN, [])
        assert (written.rows, len(store.read(written.name))) == (0, 0)

    def test_a_fault_on_the_way_stores_nothing(self) -> None:
        """What could be read is not there either."""
        store = self.make()

        def broken() -> None:
            def pieces() -> Iterator[pa.Table]:
                yield piece(PLAIN, (1, 0, 1, 1))
                raise StoreFailure("the source is gone")

            store.write(PLAIN, pieces())

        refuses(StoreFailure, broken)
        whole = store.write(PLAIN, [piece(PLAIN, (1, 0, 1, 1))])
        assert len(store.read(whole.name)) == 1

    def test_only_what_is_kept_is_there(self) -> None:
        """The rest cannot be read any more."""
        store = self.make()
        kept, gone = (store.write(PLAIN, [piece(PLAIN, (n, 0, n, n))]) for n in (1, 2))
        store.keep_only({kept.name})
        assert store.read(kept.name)["x"].to_pylist() == [1]
        refuses(StoreFailure, lambda: store.read(gone.name))
