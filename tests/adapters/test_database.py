"""Databases as sources: the same rows as from a file, streamed, never written to, and no password in any message."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.adapters import postgres
from tests.fixtures.tiny_fraud import case
from weighbridge.adapters.database import is_database, read_database, source_of
from weighbridge.adapters.rows import in_pieces
from weighbridge.errors import InputError
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.validate import parse_table

needs_postgres = pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)
ROWS = [(f"e{n}", f"2026-01-05 10:00:{n:02d}", f"c{n % 7}", f"s{n % 3}", n + 0.25) for n in range(50)]
CREATE = "create table payments (event_id text, event_ts {time}, card_id text, shop_id text, amount {money})"
NAMES = ["event_id", "event_ts", "card_id", "shop_id", "amount"]


@pytest.fixture
def file(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a b.db")) as db, db:
        db.execute(CREATE.format(time="text", money="real"))
        db.executemany("insert into payments values (?, ?, ?, ?, ?)", ROWS)
    return tmp_path / "a b.db"


@pytest.fixture(scope="module")
def server():
    import psycopg

    with postgres.running() as url:
        with psycopg.connect(url) as db:
            db.execute(CREATE.format(time="timestamptz", money="numeric(12, 2)"))
            db.execute("set time zone 'UTC'")
            db.cursor().executemany("insert into payments values (%s, %s, %s, %s, %s)", ROWS)
            db.execute("create sequence numbers")
            db.execute("create schema old; create table old.payments as select * from payments limit 3")
        yield url


def accepted(pieces):
    """What a contract makes of pieces, and the rules that refused rows."""
    parsed = [parse_table(case.events, piece, {}, Pseudonyms(b"p" * 32)) for piece in pieces]
    return pa.concat_tables([good.drop_columns(["row"]) for good, _ in parsed]), [
        r for _, c in parsed for r in c.rejects.rules
    ]


EXPECTED = accepted([pa.table([list(column) for column in zip(*ROWS, strict=True)], names=NAMES)])


def test_a_sqlite_table_reads_as_a_file_does_in_pieces_of_any_size(file):
    for rows in (1, 7, 50, 1_000):
        pieces = list(read_database(f"sqlite:///{file}?table=payments", None, rows))
        assert max(map(len, pieces)) <= rows
        assert accepted(pieces) == EXPECTED
    assert len(EXPECTED[0]) == 50


def test_a_query_reads_what_it_names(file):
    (piece,) = read_database(
        f"sqlite:///{file}", "select event_id as id, amount from payments where amount > 40 order by amount"
    )
    assert piece.to_pydict() == {"id": [f"e{n}" for n in range(40, 50)], "amount": [n + 0.25 for n in range(40, 50)]}
    (empty,) = read_database(f"sqlite:///{file}", "select * from payments where amount < 0")
    assert (empty.column_names, len(empty)) == (NAMES, 0)


def test_a_relative_path_has_three_slashes(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert accepted(read_database("sqlite:///a%20b.db?table=payments", None)) == EXPECTED


@pytest.mark.parametrize(
    "query",
    ["delete from payments", "drop table payments", "insert into payments values (1, 2, 3, 4, 5)", "pragma user_version = 7",
     "attach database 'other.db' as other", "select 1; delete from payments", "create table x (y)", "vacuum into 'copy.db'",
     "update payments set amount = 0 returning *", "begin", "", "  ", "select load_extension('x')"],
)  # fmt: skip
def test_sqlite_is_never_written_to(file, query, monkeypatch):
    monkeypatch.chdir(file.parent)
    before = file.read_bytes()
    with pytest.raises(InputError):
        list(read_database(f"sqlite:///{file}", query))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("url", "query", "says"),
    [
        ("sqlite:///gone.db?table=x", None, "gone.db is not there"),
        ("sqlite://{file}?table=gone", None, "no such table: gone"),
        ("sqlite://{file}", "select gone from payments", "no such column: gone"),
        ("sqlite://{file}", None, "name one table"),
        ("sqlite://{file}?table=", None, "name one table"),
        ("sqlite://{file}?table=a&table=b", None, "name one table"),
        ("sqlite://{file}?table=payments", "select 1", "name one table"),
        ("sqlite://{file}?table=payments&mode=rw", None, "is no SQLite file"),
        ("sqlite://payments.db?table=x", None, "is no SQLite file"),
        ("sqlite://{file}", "select event_id, card_id as event_id from payments", "two columns called 'event_id'"),
        ("mysql://h/db?table=x", None, "there is no adapter for mysql:// databases"),
        ("postgresql://u:hunter@2@h/db?table=x", None, "write it as %40"),
        ("postgresql://u:hunter#2@h/db?table=x", None, "write it as %40"),
        ("postgresql://u:hunter/2@h/db?table=x", None, "write it as %40"),
        ("postgresql://u:hunter?2@h/db?table=x", None, "write it as %40"),
        ("postgresql://u:[hunter2@h/db?table=x", None, "cannot be read"),
        ("postgresql://u:%zzhunter2@h/db?table=x", None, "is no PostgreSQL URL"),
        ("postgresql://u@h/db?password=hunter2&bogus=1&table=x", None, "is no PostgreSQL URL"),
        ("postgresql://u:hunter2@127.0.0.1:1/db?table=x", None, "cannot be reached"),
        ("postgresql://u:hunter2@127.0.0.1:99999/db?table=x", None, "cannot be reached"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(file, url, query, says):
    with pytest.raises(InputError, match=says.replace("?", r"\?")) as told:
        list(read_database(url.replace("{file}", f"//{file}".replace(" ", "%20")), query))
    assert "hunter" not in str(told.value)
    assert told.value.__cause__ is None


def test_what_is_shown_of_a_source_has_no_password():
    source = source_of(
        "postgresql://ana:hunter2@db.example:5433/risk?table=s.payments&sslmode=require&password=hunter3", None
    )
    assert "hunter" not in repr(source)
    assert source.shown == "postgresql://ana@db.example:5433/risk"
    assert source.table == ("s", "payments")
    assert source.address == "postgresql://ana:hunter2@db.example:5433/risk?sslmode=require&password=hunter3"
    assert is_database("sqlite:///x")
    assert not is_database("x/y.csv")


def test_a_file_that_is_no_database_or_damaged_is_said_without_a_value(tmp_path, file):
    (tmp_path / "x.db").write_bytes(b"no database at all, and long enough to be asked" * 50)
    with pytest.raises(InputError, match="file is not a database"):
        list(read_database(f"sqlite:///{tmp_path}/x.db?table=t", None))
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("insert into payments values ('e', 't', cast(x'ff34313131' as text), 's', 1)")
    with pytest.raises(InputError, match="cannot be read to its end") as told:
        list(read_database(f"sqlite:///{file}?table=payments", None))
    assert "4111" not in str(told.value)


def test_values_become_columns_that_a_contract_reads():
    at, day = datetime(2026, 1, 5, 10, tzinfo=UTC), date(2026, 1, 5)
    rows = [
        [1, 1.5, "x", True, b"b", at, at.replace(tzinfo=None), day, Decimal("1E+2"), 2**70, 1, None, at],
        [None] * 13,
        [2, 2.5, "y", False, b"c", at, at.replace(tzinfo=None), day, Decimal("0.10"), 1, "z", None, day],
    ]
    left = [rows]
    (table,) = in_pieces([str(n) for n in range(13)], lambda: left.pop() if left else [])
    assert [str(kind) for kind in table.schema.types] == [
        "int64", "double", "string", "bool", "binary", "timestamp[us, tz=UTC]", "timestamp[us]", "date32[day]", "string",
        "string", "string", "string", "string",
    ]  # fmt: skip
    assert table["8"].to_pylist() == ["100", None, "0.10"]
    assert table["9"].to_pylist() == [str(2**70), None, "1"]
    assert table["12"].to_pylist() == [at.isoformat(), None, "2026-01-05"]
    with pytest.raises(InputError, match="holds bytes among other values"):
        list(in_pieces(["a"], lambda: [[b"x"], ["y"]]))


@needs_postgres
@pytest.mark.slow
def test_a_postgresql_table_reads_as_a_file_does(server):
    for rows in (7, 1_000):
        pieces = list(read_database(f"{server}?table=payments", None, rows))
        assert max(map(len, pieces)) <= rows
        assert accepted(pieces) == EXPECTED
    assert len(next(read_database(f"{server}?table=old.payments", None))) == 3
    found = list(
        read_database(f"{server}?application_name=x", "select * from payments where amount >= 40 order by amount")
    )
    assert accepted(found)[0] == EXPECTED[0].slice(40)
    (empty,) = read_database(server, "select * from payments where false")
    assert (empty.column_names, len(empty)) == (NAMES, 0)


@needs_postgres
@pytest.mark.slow
def test_a_postgresql_cursor_streams(server):
    """The first piece of ten million rows comes before the others are made."""
    pieces = read_database(server, "select g as event_id from generate_series(1, 10000000) g", 100)
    assert len(next(pieces)) == len(next(pieces)) == 100
    pieces.close()


@needs_postgres
@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("delete from payments", "SyntaxError|syntax error"),
        ("with gone as (delete from payments returning *) select * from gone", "FeatureNotSupported|cannot be asked"),
        ("select 1; commit; drop table payments", "syntax error|multiple commands"),
        ("select nextval('numbers')", "read-only transaction"),
        ("select * from gone", 'relation "gone" does not exist'),
        ("select gone from payments", 'column "gone" does not exist'),
        ("select card_id::int from payments", "InvalidTextRepresentation"),
        ("select * from pg_authid limit -1", "cannot be asked"),
    ],
)
def test_postgresql_is_never_written_to_and_quotes_no_value(server, query, says):
    with pytest.raises(InputError, match=says) as told:
        list(read_database(server, query))
    assert postgres.PASSWORD not in str(told.value)
    assert '"c' not in str(told.value)  # a card
    assert len(next(read_database(f"{server}?table=payments", None))) == 50


@needs_postgres
@pytest.mark.slow
def test_what_a_query_does_in_postgresql_is_never_committed(server):
    count = "select count(*) as n from pg_largeobject_metadata"
    list(read_database(server, "select lo_create(0)"))  # before PostgreSQL 16 a read-only transaction lets it
    assert next(read_database(server, count))["n"].to_pylist() == [0]


@needs_postgres
@pytest.mark.slow
def test_postgresql_says_why_it_cannot_be_reached(server):
    for wrong, says in (
        (server.replace(postgres.PASSWORD, "hunter2"), "password authentication failed"),
        (server + "-gone", "does not exist"),
        (server.replace("risk", "nobody"), "authentication failed"),
    ):
        with pytest.raises(InputError, match=says) as told:
            list(read_database(f"{wrong}?table=payments", None))
        assert "hunter2" not in str(told.value)
        assert postgres.PASSWORD not in str(told.value)
