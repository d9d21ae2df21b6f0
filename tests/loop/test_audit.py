"""The audit finds whatever was edited, deleted, added or moved behind the platform's back, and nothing else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from types import SimpleNamespace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from weighbridge.errors import InputError
from weighbridge.loop.audit import audit
from weighbridge.records import Change, LabelRecord, Move, Note
from weighbridge.serve.keys import make_key
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_audit import SqliteAudit, add_changes
from weighbridge.stores.sqlite_keys import SqliteKeys
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.sqlite_registry import SqliteRegistry
from weighbridge.stores.tables import LABELS, event_table, in_order_of_arrival
from weighbridge.testing.edit_contract import sample_decision, sample_edit, sample_event
from weighbridge.testing.samples import sample_contract

WATCHED = ["audit", "decisions"]
AGREEING = ["moves", "aliases", "keys", "bundles", "segments", "head"]


class Home:
    """The parts of an embedded home that an audit looks at."""

    def __init__(self, folder):
        self.folder, self.database = folder, Database(folder / "hot.sqlite", "written")
        log = SqliteLog(self.database, sample_contract(), folder / "log")
        self.stores = SimpleNamespace(
            log=log,
            registry=SqliteRegistry(self.database),
            keys=SqliteKeys(self.database),
            audit=SqliteAudit(self.database),
        )

    def fault(self, expected=None):
        return audit(self.stores, expected).fault

    def close(self):
        self.database.close()


def filled(folder):
    """A home in which everything has happened that an audit tells of."""
    home = Home(folder)
    log, registry, keys = home.stores.log, home.stores.registry, home.stores.keys
    events = event_table(sample_contract(), [(0, sample_event(n)) for n in (1, 2)]).drop_columns(["seq"])
    labels = LABELS.empty_table().drop_columns(["seq"])
    log.import_history(*in_order_of_arrival(log.head(), events, labels), by="ana", at_us=5)
    for name in ("one", "two"):
        registry.add(name, {"thresholds": {"review_at": 0.25}}, 6)
    registry.move(Move("production", "one", None, "ana", "first", 7, ({"gate": "g", "passed": True},)))
    for number in range(3, 9):
        log.commit(
            [(sample_event(number), sample_decision(number))],
            [LabelRecord(f"e{number}", number % 2, 9_000, "desk", "ben")],
        )
        log.commit([], [sample_edit(number), Note("policy", {"rules": [number]}, 9_000)])
        if number == 5:
            log.seal(2)
    registry.move(Move("production", "two", "one", "ben", "better", 8))
    registry.move(Move("canary", "one", None, "ben", "try", 9, share=0.25))
    for name in ("shop", "desk"):
        keys.add(make_key(name, ["score", "label"], 10, "ana", lasts="2d", rate=5.0)[0])
    keys.revoke("shop", "ben", 11)
    log.commit([], [Note("refused", {"alias": "shadow", "bundle": "three", "reason": "torn"}, 9_000)])
    home.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "home"
    folder.mkdir()
    filled(folder)
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


def opened(original, scratch, tamper):
    """A copy of the home with something done to its database."""
    folder = scratch / "home"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    store = sqlite3.connect(folder / "hot.sqlite", isolation_level=None)
    try:
        tamper(store)
    finally:
        store.close()
    return Home(folder)


def found(original, scratch, tamper, expected=None):
    home = opened(original, scratch, tamper)
    try:
        return home.fault(expected)
    finally:
        home.close()


def columns(store, table):
    return [row[1] for row in store.execute(f"pragma table_info({table})")]


def rows(store, table):
    return [row[0] for row in store.execute(f"select rowid from {table} order by rowid")]


def test_what_nobody_touched_is_whole(original, scratch):
    home = opened(original, scratch, lambda store: None)
    result = audit(home.stores)
    assert (result.fault, result.decisions) == (None, 6)
    heads = [entry.hash for entry in home.stores.audit.entries()]
    assert result.head.number == len(heads) > 25
    for expected in (heads[0], heads[-1], "0" * 64):
        assert home.fault(expected) is None
    assert "no entry has the hash ffffffffffff" in home.fault("f" * 64)
    home.close()


ODD = [None, 0, 1, -1, 10**12, 0.5, "", "x", "0", '{"a":1}', "[]", " ", b"", b"\x00", b"x", True]


@st.composite
def tamperings(draw):
    """Something done to a table of a database: an edit of a column, a deletion, an insertion, a swap."""
    table, how = (
        draw(st.sampled_from(WATCHED)),
        draw(st.sampled_from(["edit", "edit", "respell", "delete", "insert", "swap"])),
    )
    first, second, column = draw(st.integers(0, 99)), draw(st.integers(0, 99)), draw(st.integers(0, 99))
    value = draw(
        st.one_of(st.sampled_from(ODD), st.integers(-(2**40), 2**40), st.text(max_size=8), st.binary(max_size=8))
    )
    return table, how, first, second, column, value


def do(store, tampering):
    """Do it; return whether the table is another one now."""
    table, how, first, second, column, value = tampering
    names, places = columns(store, table), rows(store, table)
    one, other, name = places[first % len(places)], places[second % len(places)], names[column % len(names)]
    before = store.execute(f"select * from {table} order by rowid").fetchall()
    try:
        if how == "edit":
            store.execute(f"update {table} set {name} = ? where rowid = ?", (value, one))
        elif how == "respell":  # the same JSON, otherwise written
            store.execute(
                f"update {table} set {name} = {name} || ' ' where rowid = ? and typeof({name}) = 'text'", (one,)
            )
        elif how == "delete":
            store.execute(f"delete from {table} where rowid = ?", (one,))
        elif how == "insert":
            others = ", ".join(names[1:])
            key = value if isinstance(value, int) and not isinstance(value, bool) else max(places) + 1
            store.execute(f"insert into {table} select ?, {others} from {table} where rowid = ?", (key, one))
        else:
            content = {
                p: store.execute(f"select {', '.join(names[1:])} from {table} where rowid = ?", (p,)).fetchone()
                for p in (one, other)
            }
            for place, given_to in ((one, other), (other, one)):
                told = ", ".join(f"{n} = ?" for n in names[1:])
                store.execute(f"update {table} set {told} where rowid = ?", (*content[place], given_to))
    except (sqlite3.IntegrityError, sqlite3.OperationalError, UnicodeEncodeError):
        return False
    after = store.execute(f"select * from {table} order by rowid").fetchall()
    return repr(before) != repr(after)


@given(tampering=tamperings())
@example(tampering=("decisions", "insert", 0, 0, 0, 0))
@example(tampering=("decisions", "insert", 0, 0, 0, -(2**63)))
@example(tampering=("audit", "insert", 0, 0, 0, -(2**63)))
def test_whatever_is_done_to_the_trail_or_to_decisions_is_found(original, scratch, tampering):
    done = []
    fault = found(original, scratch, lambda store: done.append(do(store, tampering)))
    assume(done[0])
    assert fault


@pytest.mark.parametrize("table", [*WATCHED, *AGREEING, "log"])
def test_every_column_of_every_table_is_held_to_account(original, scratch, table):
    """One edit in each column, in the first and in the last row that is not an event's."""
    with sqlite3.connect(original / "hot.sqlite") as store:
        names = columns(store, table)
    where = "where kind not in ('event')" if table == "log" else ""
    missed = []
    for name in names:
        for order in ("", "desc"):
            changed = []

            def tamper(store, name=name, order=order, changed=changed):
                place, value = store.execute(
                    f"select rowid, {name} from {table} {where} order by rowid {order} limit 1"
                ).fetchone()
                other = (
                    value + 1
                    if isinstance(value, int | float)
                    else b"x" + value
                    if isinstance(value, bytes)
                    else f"{value or ''}x"
                )
                if name in ("event_us", "until_us", "rate", "burst", "share", "share_before", "forgotten_us"):
                    other = (value or 0) + 0.25 if name in ("rate", "share", "share_before") else (value or 0) + 1
                try:
                    changed.append(
                        store.execute(f"update {table} set {name} = ? where rowid = ?", (other, place)).rowcount
                    )
                except sqlite3.IntegrityError:
                    changed.append(0)

            fault = found(original, scratch, tamper)
            if changed[0] and not fault:
                missed.append((name, order))
    # what nobody reads, and what nothing can come of
    allowed = {"head": {"one", "data_seq", "arrived_us", "seq"}, "log": {"event_us", "event_id"}, "moves": {"number"}}
    assert {name for name, _ in missed} <= allowed.get(table, set())


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("delete from audit where number = (select max(number) from audit)", "breaks at entry"),
        ("delete from audit", "breaks at entry 1"),
        ("update audit set who = 'x' where number = 3", "breaks at entry 3"),
        ("delete from decisions where seq = (select max(seq) from decisions)", "chain of decisions breaks"),
        ("delete from log where kind = 'event' and event_id = 'e8'", "the event of the decision at place"),
        ("delete from log where kind = 'label' and event_id = 'e8'", "the label at place"),
        ("update log set body = '[0,\"desk\"]' where kind = 'label' and event_id = 'e7'", "the label at place"),
        ("insert into log values (10000, 'label', 'e7', null, 5, '[0,\"x\"]')", "the label at place 10000"),
        ("insert into log values (10000, 'edit', null, null, 5, '[\"blocked\",\"v\",true,null,\"me\",\"why\"]')", "an edit of list blocked"),
        ("insert into log values (10000, 'secret', null, null, 5, '{}')", "a note of secret"),
        ("delete from log where kind = 'edit' and seq = (select max(seq) from log where kind = 'edit')", "an edit of list blocked"),
        ("update log set body = 'torn' where kind = 'policy'", "cannot be read as what it was stored as (JSONDecodeError)"),
        ("update aliases set bundle = 'one' where alias = 'production'", "alias production does not point"),
        ("insert into aliases values ('shadow', 'one', null)", "alias shadow does not point"),
        ("delete from aliases where alias = 'canary'", "alias canary does not point"),
        ("delete from moves where number = 2", "a move of alias"),
        ("update bundles set facts = '{}' where bundle = 'one'", "bundle one"),
        ("update keys set revoked_us = null, revoked_by = null", "key 'shop'"),
        ("update keys set scopes = '[\"admin\"]' where name = 'desk'", "key 'desk'"),
        ("update keys set secret_sha256 = 'ab' where name = 'desk'", "key 'desk'"),
        ("delete from keys where name = 'desk'", "key 'desk'"),
        ("insert into keys select 'new', 'new', scopes, secret_sha256, made_us, made_by, null, null, null, null, null from keys limit 1", "key 'new'"),
        ("update segments set last_seq = last_seq - 1 where kind = 'label'", "manifest of segments"),
        ("update log set event_id = 'e8' where kind = 'label' and event_id = 'e7'", "the label at place"),
        ("update head set seq = 12", "behind its end"),
        ("delete from segments where kind = 'event'", "the event of the decision at place"),
        ("update head set forgotten_us = 5", "forgotten"),
    ],
)  # fmt: skip
def test_the_first_place_is_named(original, scratch, statement, says):
    def tamper(store):
        store.execute("update head set seq = 20000")  # so that no place is beyond the end
        assert store.execute(statement).rowcount

    assert says in (found(original, scratch, tamper) or "")


def test_a_rewritten_trail_is_found_by_a_head_that_was_written_down(original, scratch):
    """Who rewrites every hash and the head escapes the chain, and not what somebody noted elsewhere."""
    home = Home(original)
    noted, entries = home.stores.audit.head().hash, list(home.stores.audit.entries())
    home.close()
    folder = scratch / "rewritten"
    folder.mkdir()
    home = Home(folder)
    for entry in entries:
        kept = (
            entry.what,
            entry.subject,
            entry.who if entry.number > 3 else "nobody",
            entry.at_us,
            json.loads(entry.detail),
            entry.seq,
        )
        with home.database.write() as connection:
            add_changes(connection, [Change(*kept)])
    assert home.stores.audit.broken_entry() is None
    assert "was rewritten since" in home.fault(noted)
    home.close()


def test_a_changed_segment_is_found(original, scratch):
    home = opened(original, scratch, lambda store: None)
    for path in sorted((home.folder / "log").glob("*.parquet")):
        content = path.read_bytes()
        path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
        assert "was changed after it was sealed" in home.fault()
        path.write_bytes(content)
        assert home.fault() is None
    home.close()


def test_what_retention_dropped_is_no_fault_and_a_label_more_is(original, scratch):
    home = opened(original, scratch, lambda store: None)
    log = home.stores.log
    log.seal(0)
    assert log.forget(4_500) == 4
    assert home.fault() is None
    log.commit([(sample_event(9), sample_decision(9))], [LabelRecord("e8", 0, 9_500, "desk")])
    assert home.fault() is None
    with home.database.write() as connection:
        connection.execute("delete from log where kind = 'label' and event_id = 'e8'")
    assert "the label at place" in home.fault()
    home.close()


def test_an_audit_while_others_write_raises_no_alarm(original, scratch):
    import threading

    home = opened(original, scratch, lambda store: None)
    faults, stop = [], threading.Event()

    def write():
        number = 100
        while not stop.is_set():
            number += 1
            home.stores.log.commit(
                [(sample_event(number), sample_decision(number))], [LabelRecord(f"e{number}", 1, 10**6, "desk")]
            )
            before = home.stores.registry.alias("production")
            home.stores.registry.move(
                Move("production", "one" if before == "two" else "two", before, "ana", "swap", number)
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        faults += [home.fault() for _ in range(4)]
    finally:
        stop.set()
        writer.join()
    assert faults == [None] * 4
    assert home.fault() is None
    home.close()


def test_memory_keeps_the_same_account(small_case, trained):
    assert audit(trained).fault is None
    assert audit(trained).head.number >= 3
    with pytest.raises(InputError):
        trained.keys.revoke("nobody", "me", 1)
    assert audit(trained).fault is None
