"""Files from outside as tables: Parquet with its own types, CSV as text that the contract reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from weighbridge.errors import InputError
from weighbridge.stores.csv_rows import PIECE_BYTES, Rows, as_text, check_names, check_separator, csv_pieces, read_csv
from weighbridge.stores.files import replacing

SUFFIXES = (".parquet", ".csv", ".csv.gz")
PIECE_ROWS = 65_536  # of Parquet


def read_file(path: Path) -> pa.Table:
    """Return a file's rows. Raises InputError with one sentence for a missing, empty, truncated or unknown file."""
    with _readable(path):
        if path.suffix == ".parquet":
            return pq.read_table(path)
        return pyarrow.csv.read_csv(path, **_as_text(path))


def read_rows(path: Path) -> Rows:
    """Return a file's rows; of a CSV also the places that hold no row. Raises InputError as `read_file` does."""
    with _readable(path):
        if path.suffix != ".parquet":
            return read_csv(path)
        check_names(path, pq.read_schema(path).names)
        return Rows(pq.read_table(path))


def read_pieces(path: Path) -> Iterator[pa.Table]:
    """Yield a file's rows, `PIECE_ROWS` or `PIECE_BYTES` at once; the first piece is there even when it is empty.

    Raises InputError as `read_file` does.
    """
    with _readable(path):
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            yield file.schema_arrow.empty_table()
            for batch in file.iter_batches(PIECE_ROWS):
                yield pa.table(batch)
            return
        block = pyarrow.csv.ReadOptions(block_size=PIECE_BYTES)
        with pyarrow.csv.open_csv(path, read_options=block, **_as_text(path)) as reader:
            yield reader.schema.empty_table()
            for batch in reader:
                yield pa.table(batch)


def row_pieces(path: Path) -> Iterator[Rows]:
    """Yield a file's rows as `read_pieces` does, of a CSV with the places that hold no row."""
    if path.suffix == ".parquet":
        yield from map(Rows, read_pieces(path))
        return
    with _readable(path):
        yield from csv_pieces(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise InputError(f"{path} is not there; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; give a file with a header and rows")
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} is neither Parquet nor CSV; use a file that ends in {', '.join(SUFFIXES)}")
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        reason = str(fault).splitlines()[0].split(":")[0]  # what follows may quote a row
        raise InputError(f"{path} cannot be read ({reason}); is it whole, and what its name says?") from None


def _as_text(path: Path) -> dict[str, Any]:
    check_separator(path)
    with pyarrow.csv.open_csv(path) as reader:
        names = reader.schema.names
    check_names(path, names)
    return as_text(names)


def check_target(path: Path) -> None:
    """Raise InputError when a file could not be written there: another ending, or no folder."""
    if not path.name.endswith((".parquet", ".csv")):
        raise InputError(f"{path} must end in .parquet or .csv")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} is not there; make it first")


def write_file(path: Path, table: pa.Table) -> None:
    """Write a table whole as Parquet or CSV, by the file's ending; until then the old file stays.

    Raises InputError as `check_target` does, StoreFailure when it cannot be written.
    """
    check_target(path)
    with replacing(path) as file:
        if path.suffix == ".parquet":
            pq.write_table(table, file, compression="zstd")
        else:
            pyarrow.csv.write_csv(table, file)


@contextmanager
def writing(folder: Path, form: str) -> Iterator[Callable[[str, pa.Table], None]]:
    """Give `put(name, table)`, which adds rows to the file of that name; all are in place when the block ends well.

    form: "csv" or "parquet". Raises InputError for another, StoreFailure when a file cannot be written.
    """
    if form not in ("csv", "parquet"):
        raise InputError(f"{form!r} is no format of files; use csv or parquet")
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Any] = {}
    with ExitStack() as files, ExitStack() as open_writers:

        def put(name: str, table: pa.Table) -> None:
            if name not in writers:
                file = files.enter_context(replacing(folder / f"{name}.{form}"))
                if form == "csv":
                    made = pyarrow.csv.CSVWriter(file, table.schema)
                else:
                    made = pq.ParquetWriter(file, table.schema, compression="zstd")
                writers[name] = open_writers.enter_context(made)
            writers[name].write_table(table)

        yield put
