"""Files from outside as tables: Parquet with its own types, CSV as text that the contract reads."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from weighbridge.errors import InputError

SUFFIXES = (".parquet", ".csv", ".csv.gz")


def read_file(path: Path) -> pa.Table:
    """Return a file's rows. Raises InputError with one sentence for a missing, empty, truncated or unknown file."""
    if not path.is_file():
        raise InputError(f"{path} is not there; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; give a file with a header and rows")
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        if path.name.endswith((".csv", ".csv.gz")):
            return _read_csv(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        reason = str(fault).splitlines()[0].split(":")[0]  # what follows may quote a row
        raise InputError(f"{path} cannot be read ({reason}); is it whole, and what its name says?") from None
    raise InputError(f"{path} is neither Parquet nor CSV; use a file that ends in {', '.join(SUFFIXES)}")


def _read_csv(path: Path) -> pa.Table:
    with pyarrow.csv.open_csv(path) as reader:
        names = reader.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two columns called {twice[0]!r}; rename one of them")
    options = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parsing, convert_options=options)


def write_file(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet or CSV, by the file's ending. Raises InputError for another ending or no folder."""
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} is not there; make it first")
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    elif path.name.endswith(".csv"):
        pyarrow.csv.write_csv(table, path)
    else:
        raise InputError(f"{path} must end in .parquet or .csv")
