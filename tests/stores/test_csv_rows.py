"""A CSV file whose lines are broken in every way: what is no row is told by its place, and every other row is there."""

from __future__ import annotations

import random

import pytest

from weighbridge.errors import InputError
from weighbridge.stores import csv_rows
from weighbridge.stores.csv_rows import csv_pieces, read_csv

HEADER = b"id,at,note,amount\n"


def read(tmp_path, body, header=HEADER):
    path = tmp_path / "rows.csv"
    path.write_bytes(header + body)
    return read_csv(path)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"a,b,c\n", "columns"),
        (b"a,b,c,d,e\n", "columns"),
        (b"a\n", "columns"),
        (b",,,,,\n", "columns"),
        (b'a,"b,c,d\n', "quotes"),
        (b'"a"b,c,d,e\n', "quotes"),
        (b"a,b,\xff\xfe,d\n", "utf8"),
        (b'a,"\xc3(",c,d\n', "utf8"),
        (b"a,b\rc,d,e\n", "columns"),
    ],
)
def test_a_broken_line_is_one_reject_and_its_neighbours_are_rows(tmp_path, line, rule):
    found = read(tmp_path, b"1,x,n,1\n" + line + b"2,y,m,2\n" + line + b"3,z,o,3\n")
    assert found.table["id"].to_pylist() == ["1", "2", "3"]
    assert found.places.tolist() == [0, 2, 4]
    assert (found.broken.rows, set(found.broken.rules)) == ([1, 3], {rule})


def test_a_text_over_several_lines_is_one_row(tmp_path):
    found = read(tmp_path, b'1,x,"first\nsecond, with ""marks""\n\nthird",1\n2,y,m,2\n')
    assert found.table["note"].to_pylist() == ['first\nsecond, with "marks"\n\nthird', "m"]
    assert not found.broken.rows


def test_what_was_read_before_is_read_alike(tmp_path):
    found = read(tmp_path, b'1,"x, y",,5" pipe\r\n\r\n2,\xc3\xa9,n,""\r\n3,a,b,c', b"\xef\xbb\xbf" + HEADER)
    assert found.table.to_pylist() == [
        {"id": "1", "at": "x, y", "note": None, "amount": '5" pipe'},
        {"id": "2", "at": "é", "note": "n", "amount": None},
        {"id": "3", "at": "a", "note": "b", "amount": "c"},
    ]
    assert found.places.tolist() == [0, 1, 2]


@pytest.mark.parametrize("header", [b"\n", b"a,\xff\n", b'a,"b\n', b"a,b,a\n"])
def test_a_header_that_cannot_be_read_is_a_sentence(tmp_path, header):
    with pytest.raises(InputError, match=r"header that can be read|two columns called"):
        read(tmp_path, b"1,2\n", header)


def test_random_bytes_never_crash_and_every_row_keeps_its_place(tmp_path):
    chance = random.Random(1)
    for _ in range(60):
        lines, good = [], []
        for place in range(chance.randrange(1, 40)):
            if chance.random() < 0.5:
                lines.append(f"g{place},a,b,1".encode())
                good.append(place)
            else:
                lines.append(bytes(chance.choice(b'",\r\xff\x00ab') for _ in range(chance.randrange(1, 12))) + b"!")
        found = read(tmp_path, b"\n".join(lines) + b"\n")
        kept = [
            int(p)
            for p, name in zip(found.places, found.table["id"].to_pylist(), strict=True)
            if (name or "").startswith("g")
        ]
        assert len(kept) == len(good)
        assert len(found.places) + len(found.broken.rows) <= len(lines)


def joined(path, size):
    """What the pieces of a file come to: rows, places, and broken places with their rules."""
    pieces = list(csv_pieces(path, size))
    rows = [row for piece in pieces for row in piece.table.to_pylist()]
    places = [int(place) for piece in pieces for place in piece.places]
    return rows, places, [told for p in pieces for told in zip(p.broken.rows, p.broken.rules, strict=True)]


PARTS = [
    b"g,a,b,1",
    b"g,a,b,1",
    b"g,a,b,1",
    b'g,"a,b",c,1',
    b'g,"a',
    b'b",c,1',
    b"",
    b"x\ry,a,b,1",
    b"g,a,b",
    b"\xff,a,b,1",
    b'"',
    b"\x00,,,",
]


def test_pieces_of_any_size_are_the_file_line_by_line(tmp_path, monkeypatch):
    """Whole blocks at once are only a faster way to the same: the oracle takes every line by itself."""
    chance, path, at_once = random.Random(2), tmp_path / "rows.csv", 0
    whole = csv_rows._Piece.took_whole
    for _ in range(150):
        ends = chance.choice([b"\n", b"\r\n"])
        likely = chance.choice([PARTS, PARTS[:1]])
        body = ends.join(chance.choice(likely) for _ in range(chance.randrange(0, 30)))
        path.write_bytes(HEADER + body + chance.choice([b"", ends]))
        with monkeypatch.context() as slow:
            slow.setattr(csv_rows._Piece, "took_whole", lambda *_: False)
            oracle = joined(path, 1 << 20)
        for size in (1, 20, 90, 1 << 20):
            assert joined(path, size) == oracle
        at_once += whole(csv_rows._Piece(path, ["id", "at", "note", "amount"], 0), body)
    assert 50 < at_once < 150


def test_a_line_without_an_end_is_one_reject_and_is_never_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "LONGEST_LINE", 1_000)
    path = tmp_path / "rows.csv"
    path.write_bytes(HEADER + b"1,x,n,1\n2," + b"x" * 50_000 + b",m,2\n3,z,o,3\n")
    for size in (5, 500, 20_000):
        assert joined(path, size)[1:] == ([0, 2], [(1, "columns")])
        assert max(len(block) for block in blocks(path, size)) <= size + 1_000


def blocks(path, size):
    with path.open("rb") as file:
        lines = csv_rows._Lines(file)
        while block := lines.block(size):
            yield block
