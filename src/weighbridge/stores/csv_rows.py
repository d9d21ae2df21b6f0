"""A CSV file as text, row by row: what is no row of the header's columns is set aside, and harms no other row.

A row ends with its line, unless a quotation mark that opens a field closes on a later one (RFC 4180). A later line that
is a whole row by itself is never part of an open field: the mark was left open, and its own line alone is refused.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.rules import reject
from weighbridge.kernel.table_check import Rejects

LONGEST_LINE, MOST_LINES = 1 << 20, 100  # bytes of one line, lines of one row
PIECE_BYTES = 8 << 20  # of rows that are read at once
OPEN = "unexpected end of data"  # what the reader of the standard library says of a mark that is left open


@dataclass
class Rows:
    """A file's rows as a table, the place of each among all rows of the file, and the places that hold no row."""

    table: pa.Table
    places: Ints | None = None
    broken: Rejects = field(default_factory=Rejects)


def read_csv(path: Path) -> Rows:
    """Return a CSV file's rows, every column as text, an empty one as nothing.

    Raises InputError for a header that cannot be read or names a column twice.
    """
    pieces, broken = list(csv_pieces(path)), Rejects()
    for piece in pieces:
        broken.extend(piece.broken, 0)
    places = np.concatenate([piece.places for piece in pieces if piece.places is not None])
    return Rows(pa.concat_tables([piece.table for piece in pieces]), places, broken)


def csv_pieces(path: Path, piece_bytes: int = PIECE_BYTES) -> Iterator[Rows]:
    """Yield a CSV file's rows, so many bytes of them at once; places count from the file's first row.

    There is one piece at least, empty where the file has no row. Raises InputError as `read_csv` does.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        lines = _Lines(file)
        first = lines.take().removeprefix(b"\xef\xbb\xbf")
        names, fault = _fields(first)
        if not names:
            raise InputError(f"{path} has no header that can be read ({fault}); is it CSV, and UTF-8?")
        check_names(path, names)
        place, piece = 0, None
        while block := lines.block(piece_bytes):
            piece = _Piece(path, names, place)
            if not piece.took_whole(block):
                lines.give_back([line + b"\n" for line in block.removesuffix(b"\n").split(b"\n")])
                for row, rule in _rows(lines, len(names)):
                    piece.add(row, rule)
                    if not lines.waiting:
                        break
            place = piece.place
            yield piece.rows()
        if piece is None:
            yield _Piece(path, names, 0).rows()


class _Piece:
    """Rows that are read at once, and the places between them that hold none; `place` is that of the next one."""

    def __init__(self, path: Path, names: Sequence[str], place: int) -> None:
        self._path, self._names, self._good, self._places = path, names, io.BytesIO(), list[int]()
        self._good.write(_written(names))
        self._broken, self.place = Rejects(), place

    def took_whole(self, block: bytes) -> bool:
        """Take in lines at once, if each is a row and none has a quotation mark; say whether they were."""
        plain = b'"' not in block and block.count(b"\r") == block.count(b"\r\n") and len(self._names) > 1
        if not plain or not (block.isascii() or _is_text(block)):
            return False
        letters = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", dtype=np.uint8)
        ends, commas = np.flatnonzero(letters == ord("\n")), np.flatnonzero(letters == ord(","))
        each = np.diff(np.searchsorted(commas, ends), prepend=0)
        if (each != len(self._names) - 1).any() or np.diff(ends, prepend=-1).max() >= LONGEST_LINE:
            return False
        self._good.write(letters.data)
        self._places += range(self.place, self.place + len(ends))
        self.place += len(ends)
        return True

    def add(self, row: bytes, rule: str | None) -> None:
        """Take in a row, or by which rule there is none at its place."""
        if rule is None:
            self._good.write(row if row.endswith(b"\n") else row + b"\n")
            self._places.append(self.place)
        else:
            self._broken.add(np.array([self.place], dtype=np.int64), reject("row", rule, len(self._names)))
        self.place += 1

    def rows(self) -> Rows:
        """Return what was taken in."""
        self._good.seek(0)
        table = pyarrow.csv.read_csv(self._good, **as_text(self._names))
        if len(table) != len(self._places):
            raise InputError(f"{self._path} cannot be read row by row; is it CSV with commas, as its name says?")
        return Rows(table, np.array(self._places, dtype=np.int64), self._broken)


def as_text(names: Sequence[str]) -> dict[str, Any]:
    """Return how a CSV of these columns is read: every column as text, an empty one as nothing."""
    options = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    return {"parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True), "convert_options": options}


def check_separator(path: Path) -> None:
    """Raise InputError when a file's header is one column that seems to be separated by another sign than a comma."""
    with pa.input_stream(path) as file:
        header = file.read(65_536).decode("utf-8", "replace").partition("\n")[0].strip()
    sign = next((sign for sign in ";\t|" if sign in header and "," not in header), None)
    if sign is not None:
        told = f"{path} seems to be separated by {sign!r}; write commas between columns, and points in numbers"
        read = f"csv.reader(open({str(path)!r}, newline=''), delimiter={sign!r})"
        how = f': python -c "import csv, sys; csv.writer(sys.stdout).writerows({read})"'
        raise InputError(told + how if path.suffix == ".csv" else told)


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise InputError when a file names a column twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two columns called {twice[0]!r}; rename one of them")


class _Lines:
    """The lines of a file, some of which can be given back."""

    def __init__(self, file: gzip.GzipFile | BufferedReader) -> None:
        self._file, self._back = file, deque[bytes]()

    def take(self) -> bytes:
        """Return the next line with its end, b"" after the last; of one that is too long, as much as shows it."""
        if self._back:
            return self._back.popleft()
        line = self._file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := self._file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        return line

    def block(self, size: int) -> bytes:
        """Return so many bytes, to the end of a line, b"" after the last; nothing may be given back before."""
        block = self._file.read(size)
        return block if block.endswith(b"\n") else block + self.take()

    @property
    def waiting(self) -> bool:
        """Whether lines were given back and not taken again."""
        return bool(self._back)

    def give_back(self, lines: list[bytes]) -> None:
        """Let `take` return these lines again."""
        self._back.extendleft(reversed(lines))


def _rows(lines: _Lines, width: int) -> Iterator[tuple[bytes, str | None]]:
    """Yield each row as it can be parsed, or the rule by which it is none."""
    while line := lines.take():
        bare = line.rstrip(b"\r\n")
        if not bare:
            continue
        if b'"' not in bare:
            if bare.count(b",") != width - 1 or b"\r" in bare or len(line) >= LONGEST_LINE:
                yield line, "columns"
            else:
                yield line, None if bare.isascii() or _is_text(bare) else "utf8"
            continue
        fields, fault = _fields(line)
        if fields is None and fault == OPEN:
            fields, fault = _closed(lines, line, width)
        if fields is None:
            yield line, "utf8" if fault == "utf8" else "quotes"
        elif len(fields) != width:
            yield line, "columns"
        else:
            yield _written(fields), None


def _closed(lines: _Lines, line: bytes, width: int) -> tuple[list[str] | None, str]:
    """Return the fields of a row that goes over several lines; the later lines are given back where there is none."""
    taken = [line]
    while len(taken) < MOST_LINES and (following := lines.take()):
        taken.append(following)
        alone = _fields(following)[0] if width > 2 else None
        if alone is not None and len(alone) == width:
            break
        if b'"' in following:
            fields, fault = _fields(b"".join(taken))
            if fields is not None:
                return fields, ""
            if fault != OPEN:
                break
    lines.give_back(taken[1:])
    return None, OPEN


def _fields(line: bytes) -> tuple[list[str] | None, str]:
    """Return a row's fields, or None and why there are none."""
    try:
        text = line.decode()
        found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError:
        return None, "utf8"
    except csv.Error as fault:
        return None, str(fault)
    return (found[0], "") if len(found) == 1 else (None, "no row")


def _written(fields: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
