"""The command line as a user meets it: exit codes and one sentence for what is wrong.

A home is made, a server runs and a fault ends in a process of its own; the other commands run in this one, by `main`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest

from weighbridge.errors import HomeError
from weighbridge.identity import Pseudonyms
from weighbridge.serve.cli import main
from weighbridge.serve.wiring import find_case, open_home

WEIGH = Path(sys.executable).with_name("weigh")
CASE = Path(__file__).parents[1] / "fixtures" / "tiny_fraud.py"


def process(*words, cwd, code=0):
    """Run a command in a process of its own."""
    done = subprocess.run([str(WEIGH), *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"weigh {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def weigh(*words, cwd, code=0, env=None):
    """Run a command by the function that a process calls."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["weigh", *map(str, words)])
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main()
    told = SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())
    assert (left.value.code or 0) == code, f"weigh {words}: {left.value.code}\n{told.stdout}\n{told.stderr}"
    return told


@pytest.fixture(scope="module")
def home(once, tmp_path_factory):
    """A folder in which a tiny world was simulated, ingested and run."""

    def made(folder):
        process("simulate", CASE, "--out", "raw", "--format", "csv", cwd=folder)
        labels = "raw/tiny_fraud_labels.csv"
        process("ingest", CASE, "raw/tiny_fraud_events.csv", "--labels", labels, "--map", "arrived=arrived", cwd=folder)
        process("run", CASE, cwd=folder)

    return shutil.copytree(once("cli", made), tmp_path_factory.mktemp("cli"), dirs_exist_ok=True)


def test_the_whole_way_by_hand(home):
    assert "unchanged" in weigh("run", CASE, cwd=home).stdout
    assert json.loads(weigh("run", CASE, "build", "--force", "--json", cwd=home).stdout)["rows"] > 3_000
    listed = json.loads(weigh("registry", CASE, "--json", cwd=home).stdout)
    assert listed["aliases"]["production"] == listed["bundles"][-1]["bundle"]
    assert "CLOSED" not in weigh("gate", CASE, cwd=home).stdout
    assert "production already" in weigh("promote", CASE, cwd=home).stdout
    assert "nothing is being rolled out" in weigh("rollout", CASE, "--watch", cwd=home).stdout
    words = (
        "score",
        CASE,
        "raw/tiny_fraud_events.csv",
        "--out",
        "all.csv",
        "--review",
        "review.parquet",
        "--map",
        "arrived=arrived",
    )
    scored = json.loads(weigh(*words, "--json", cwd=home).stdout)
    assert scored["scored"] > 3_000
    assert (home / "all.csv").exists()
    assert (home / "review.parquet").exists()
    assert json.loads(weigh("contract", CASE, cwd=home).stdout)["title"] == "payment"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "nothing"), "there is no use case 'nothing'; use one of card_fraud"),
        (("run", "gone.py"), "gone.py is not there"),
        (("run", "card_fraud", "--home", "gone"), "there is no home in gone"),
        (("verify", "card_fraud", "--home", "gone"), "there is no home in gone"),
        (("serve", "card_fraud", "--home", "gone"), "there is no home in gone"),
        (("ingest", CASE, "gone.parquet"), "gone.parquet is not there"),
        (("ingest", CASE, "empty.csv"), "empty.csv is empty"),
        (("ingest", CASE, "cut.parquet"), "cut.parquet cannot be read"),
        (("ingest", CASE, "wrong.csv"), "the required column event_id is not there"),
        (("ingest", CASE, "wrong.csv", "--map", "x"), "is not FIELD=COLUMN"),
        (("ingest", CASE, "raw/tiny_fraud_events.csv", "--map", "colour=x"), "there is no such field"),
        (("run", CASE, "dance"), "has no stage 'dance'"),
        (("gate", CASE, "--bundle", "zz"), "names 0 registered bundles"),
        (("rollout", CASE, "--bundle", "zz"), "names 0 registered bundles"),
        (("rollout", CASE, "--bundle", "newest"), "cannot be rolled out: it is in production"),
        (("promote", CASE, "--alias", "prod"), "there is no alias 'prod'"),
        (("watch", CASE, "--last", "soon"), "is not a duration"),
        (("score", CASE, "raw/tiny_fraud_events.csv", "--out", "x.doc"), "must end in .parquet or .csv"),
        (("simulate", CASE, "--start", "soon"), "--start 'soon'"),
        (("audit", CASE, "--what", "nothing"), "the audit tells nothing of 'nothing'; it tells of"),
        (("audit", CASE, "--expect", "abc"), "--expect is not a head"),
        (("validate", CASE, "raw", "--labels", "wrong.csv"), "--labels goes with a file of events"),
        (("validate", CASE, "request", "wrong.csv", "--table", "loans=wrong.csv"), "--table gives child rows to"),
        (("promote", CASE, "--alias", "staging", "--reason", "\udcff"), "not UTF-8 text"),
        (("run", "broken.py"), "broken.py cannot be read: SyntaxError"),
        (("run", "empty.py"), "declares no use case"),
        (("run", "card_fraud", "--home", ".weigh/tiny_fraud"), "belongs to use case tiny_fraud"),
        (("demo", "card_fraud", "--home", ".weigh/tiny_fraud"), "is not empty and not an earlier demo"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(home, words, says):
    (home / "empty.csv").write_bytes(b"")
    (home / "empty.py").write_text("")
    (home / "broken.py").write_text("case = (")
    (home / "wrong.csv").write_text("a,b\n1,2\n")
    (home / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    done = weigh(*words, cwd=home, code=2)
    assert says in done.stderr
    assert done.stderr.startswith("weigh: ")
    assert done.stderr.count("\n") == 1


def test_serve_decides_and_verify_finds_a_tampered_vector(home):
    words = [str(WEIGH), "serve", str(CASE), "--port", "0", "--acknowledge", "written"]
    server = subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[0]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for number in range(5):
            event = {"event_id": f"e{number}", "event_ts": now, "card_id": "c1", "shop_id": "s1", "amount": 10 + number}
            request = urllib.request.Request(
                f"{address}/predict", json.dumps(event).encode(), {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["action"] in ("approve", "review", "decline")
        assert "another process is serving" in weigh("serve", CASE, cwd=home, code=2).stderr
        for command in ("seal", "save-logs"):
            assert "another process is serving" in weigh(command, CASE, cwd=home, code=2).stderr
    finally:
        server.terminate()
        ended = server.wait(20)
    assert (ended, len(list(home.rglob("state/checkpoint")))) == (0, 1)
    told = json.loads(weigh("explain", CASE, "e3", "--json", cwd=home).stdout)
    assert told["inputs"] == "log"
    assert told["event"] == {"card_id": "<pseudonymised>", "shop_id": "s1", "amount": 13.0}
    page = weigh("explain", CASE, told["decision_id"], "--all", cwd=home).stdout
    assert "vector    recomputed from the log" in page
    assert all(reason["sentence"] in page for reason in told["contributions"])
    assert "3 earlier payments of this card in the last hour" in page
    made = json.loads(weigh("replay", CASE, "e3", "--json", cwd=home).stdout)
    assert made["same"]
    assert "vector       same" in weigh("replay", CASE, told["decision_id"], cwd=home).stdout
    assert "there is no decision 'e9'" in weigh("explain", CASE, "e9", cwd=home, code=2).stderr
    assert "there is no decision 'e9'" in weigh("replay", CASE, "e9", cwd=home, code=2).stderr
    proof = json.loads(weigh("verify", CASE, "--json", cwd=home).stdout)
    assert (proof["vectors"], proof["mismatches"], proof["broken_chain"]) == (5, 0, None)
    assert proof["values"] == 5 * 6
    saved = json.loads(weigh("save-logs", CASE, "--json", cwd=home).stdout)
    assert (saved["rows"], len(saved["paths"])) == (5, 1)
    assert (home / ".weigh/tiny_fraud" / saved["paths"][0]).exists()
    whole = json.loads(weigh("audit", CASE, "--json", cwd=home).stdout)
    assert (whole["fault"], whole["decisions"]) == (None, 5)
    assert {"history", "bundles", "move"} <= {entry["what"] for entry in whole["entries"]}
    shown = weigh(
        "audit", CASE, "--last", "1", "--what", "move", "--expect", whole["head"], cwd=home
    ).stdout.splitlines()
    assert len(shown) == 2
    assert "move production" in shown[0]
    assert shown[1] == f"{whole['number']:,} entries and 5 decisions are whole; head {whole['head']}"
    with sqlite3.connect(home / ".weigh/tiny_fraud/hot.sqlite") as store:
        vector = bytearray(store.execute("select vector from decisions where event_id = 'e3'").fetchone()[0])
        vector[0] ^= 1
        store.execute("update decisions set vector = ? where event_id = 'e3'", (bytes(vector),))
    found = json.loads(process("verify", CASE, "--json", cwd=home, code=1).stdout)
    assert found["mismatches"] == 1
    assert found["broken_chain"] is not None
    assert "weigh: the chain of decisions breaks at place" in weigh("audit", CASE, cwd=home, code=1).stderr
    assert "vector       DIFFERS  1 of 6 values" in weigh("replay", CASE, "e3", cwd=home, code=1).stdout
    assert "vector    stored; explained by the stored vector: 1 of its" in weigh("explain", CASE, "e3", cwd=home).stdout
    assert "0 events and labels sealed, the newest 1,000,000 stay hot" in weigh("seal", CASE, cwd=home).stdout
    assert json.loads(weigh("seal", CASE, "--keep-hot", "3", "--json", cwd=home).stdout)["sealed"] == 2
    assert json.loads(weigh("verify", CASE, "--json", cwd=home, code=1).stdout) | {"run": 0} == found | {"run": 0}
    server = subprocess.Popen(
        words, cwd=home, stdout=subprocess.PIPE, text=True, env={**os.environ, "WEIGH_HOT_EVENTS": "1"}
    )
    try:
        assert server.stdout.readline()
    finally:
        server.terminate()
        server.wait(20)
    with sqlite3.connect(home / ".weigh/tiny_fraud/hot.sqlite") as store:
        assert store.execute("select count(*) from log where kind in ('event', 'label')").fetchone()[0] == 1


def test_a_changed_contract_and_a_lost_key_are_refused(small_case, tmp_path):
    from dataclasses import replace

    home = open_home(small_case, tmp_path / "home", create=True)
    assert isinstance(home.stores.pseudonyms, Pseudonyms)
    other = replace(small_case, events=replace(small_case.events, events_per_key=5))
    with pytest.raises(HomeError, match="another version of contract"):
        open_home(other, tmp_path / "home", create=False)
    with home.writing(), pytest.raises(HomeError, match="another process"), home.writing():
        pass
    (tmp_path / "home" / "keys" / "signing.key").write_text("short")
    with pytest.raises(HomeError, match="missing or damaged"):
        open_home(small_case, tmp_path / "home", create=False)
    (tmp_path / "home" / "home.json").write_text("{")
    with pytest.raises(HomeError, match="is damaged"):
        open_home(small_case, tmp_path / "home", create=False)


def test_keys_are_for_the_owner_only(small_case, tmp_path):
    home = open_home(small_case, tmp_path / "home", create=True)
    for key in (home.folder / "keys").iterdir():
        assert key.stat().st_mode & 0o077 == 0


def test_the_key_that_draws_is_made_at_first_use_and_one_for_all(small_case, tmp_path):
    """A home of before has none; whoever opens it first makes it, also when several do at once."""
    folder = tmp_path / "home"
    first = open_home(small_case, folder, create=True).stores.draws.key_id
    assert open_home(small_case, folder, create=False).stores.draws.key_id == first
    key = folder / "keys" / "draw.key"
    key.unlink()
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_home(small_case, folder, create=False), range(8)))
    assert {home.stores.draws.key_id for home in opened} == {
        open_home(small_case, folder, create=False).stores.draws.key_id
    }
    assert opened[0].stores.draws.key_id != first
    assert sorted(path.name for path in key.parent.iterdir()) == ["draw.key", "pseudonym.key", "signing.key"]
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("short")
    with pytest.raises(HomeError, match="missing or damaged"):
        open_home(small_case, folder, create=False)


def test_settings_come_from_the_environment_and_are_checked(tmp_path):
    done = subprocess.run(
        [str(WEIGH), "run", "card_fraud"], cwd=tmp_path, capture_output=True, text=True, env={"WEIGH_PORT": "x"}
    )
    assert done.returncode == 2
    assert "setting port (WEIGH_PORT)" in done.stderr
    (tmp_path / ".env").write_text("WEIGH_HOST=not a host\n")
    done = process("run", "card_fraud", cwd=tmp_path, code=2)
    assert "setting host (WEIGH_HOST)" in done.stderr


def test_keys_are_made_listed_and_revoked_by_hand(home):
    def listed():
        return {k["name"]: k for k in json.loads(weigh("keys", CASE, "--json", cwd=home).stdout)["keys"]}

    weigh("run", CASE, cwd=home)
    assert "whoever comes" in weigh("keys", CASE, cwd=home).stdout
    outside = {"WEIGH_HOST": "0.0.0.0", "WEIGH_PORT": "0"}
    refused = weigh("serve", CASE, cwd=home, code=2, env=outside)
    assert "this home has no API key; make one with `weigh keys`" in refused.stderr
    words = ("keys", CASE, "add", "shop", "--scope", "score", "--for", "90d", "--rate", "200", "--by", "ana")
    shown = weigh(*words, cwd=home).stdout.splitlines()[1]
    ops = json.loads(weigh("keys", CASE, "add", "ops", "--scope", "admin", "--json", cwd=home).stdout)
    assert "there is a key 'shop' already" in weigh(*words, cwd=home, code=2).stderr
    assert (listed()["shop"]["made_by"], listed()["shop"]["rate"], listed()["shop"]["burst"]) == ("ana", 200, 200)
    assert not any("secret" in name for name in listed()["shop"])
    server = subprocess.Popen([str(WEIGH), "serve", str(CASE)], cwd=home, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, **outside, "WEIGH_LOG_TO_STDOUT": "1"})  # fmt: skip
    try:
        address = server.stdout.readline().split()[0].replace("0.0.0.0", "127.0.0.1")
        assert status_of(f"{address}/stats", shown) == status_of(f"{address}/health", None) == 200
        assert status_of(f"{address}/stats", None) == 401
        assert "revoked" in weigh("keys", CASE, "revoke", "shop", "--by", "ana", cwd=home).stdout
        end = time.monotonic() + 20
        while status_of(f"{address}/stats", shown) != 401:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert status_of(f"{address}/stats", ops["key"]) == 200
    finally:
        server.terminate()
        server.wait(20)
    lines = [json.loads(line) for line in server.stdout.read().splitlines()]
    let_in = dict.fromkeys(
        line["key"] for line in lines if line["status"] == 200
    )  # some more until the server has seen it
    assert list(let_in) == [listed()["shop"]["id"], "", ops["id"]]
    assert "there is no key 'shop'" in weigh("keys", CASE, "revoke", "shop", cwd=home, code=2).stderr
    folder = home / ".weigh/tiny_fraud"
    # in a process of its own: closing the file in this one would take the locks of its connections
    stored = subprocess.run(
        ["cat", folder / "hot.sqlite", folder / "logs/weigh.jsonl"], capture_output=True, check=True
    ).stdout
    assert listed()["ops"]["id"].encode() in stored
    for key in (shown, ops["key"]):
        assert key.rpartition("_")[2].encode() not in stored


def status_of(address, key):
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add",), "say list, add NAME or revoke NAME"),
        (("drop", "x"), "say list, add NAME or revoke NAME"),
        (("add", "x"), "a key needs a scope"),
        (("add", "x", "--scope", "root"), "there is no scope 'root'"),
        (("add", "a b", "--scope", "score"), "is no name for a key"),
        (("add", "x", "--scope", "score", "--for", "soon"), "is not a duration"),
        (("add", "x", "--scope", "score", "--rate", "nan"), "cannot be kept"),
        (("revoke", "x"), "there is no key 'x'"),
        (("revoke", "x", "--by", " "), "--by: say who"),
        (("add", "x", "--scope", "score", "--by", "\udcff"), "not UTF-8 text"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(home, words, says):
    assert says in weigh("keys", CASE, *words, cwd=home, code=2).stderr


def test_help_is_quick_to_import():
    code = "import sys; import weighbridge.serve.cli; print(sorted({'numba', 'numpy', 'pyarrow', 'fastapi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lists_are_edited_and_thresholds_shown_by_hand(home):
    def entries():
        return json.loads(weigh("lists", CASE, "--json", cwd=home).stdout)["entries"]

    weigh("run", CASE, cwd=home)
    assert "it was not before" in weigh("lists", CASE, "add", "blocked_cards", "c000003", "--for", "30d", "--why", "stolen",
                                        cwd=home).stdout  # fmt: skip
    weigh("lists", CASE, "add", "blocked_cards", "c000004", "--why", "stolen", "--by", "ana", cwd=home)
    first, second = entries()
    assert (first["why"], second["by"], second["until"]) == ("stolen", "ana", None)
    assert "c000003" not in weigh("lists", CASE, cwd=home).stdout
    weigh("lists", CASE, "remove", "blocked_cards", second["value"], "--stored", "--why", "found", cwd=home)
    assert entries() == [first]
    for words in (["add", "unknown", "x", "--why", "y"], ["add", "blocked_cards", "x"], ["drop", "blocked_cards", "x"]):
        assert weigh("lists", CASE, *words, cwd=home, code=2).stderr.startswith("weigh: ")
    assert "unchanged" in weigh("run", CASE, cwd=home).stdout
    with open_home(find_case(str(CASE)), home / ".weigh" / "tiny_fraud", create=False).writing():
        taken = weigh("lists", CASE, "add", "blocked_cards", "c1", "--why", "x", cwd=home, code=2)
    assert "use its HTTP door" in taken.stderr
    assert "best" in weigh("tune", CASE, "--html", "curve.html", cwd=home).stdout
    tuned = json.loads(weigh("tune", CASE, "--json", cwd=home).stdout)
    assert tuned["best"]["cost"] <= min(step["cost"] for step in tuned["steps"])
    assert "<svg" in (home / "curve.html").read_text()


def test_a_database_is_scored_as_its_file_and_a_failed_run_leaves_the_old_output(home):
    with (home / "raw/tiny_fraud_events.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with sqlite3.connect(home / "shop.db") as store:
        store.execute(f"create table payments ({', '.join(rows[0])})")
        store.executemany(f"insert into payments values ({', '.join('?' * len(rows[0]))})", rows[1:])
    weigh("run", CASE, cwd=home)

    def score(*words, code=0):
        return weigh("score", CASE, *words, cwd=home, code=code)

    how = ("--map", "arrived=arrived", "--json")
    told = score("raw/tiny_fraud_events.csv", "--out", "file.csv", *how).stdout
    words = ("sqlite:///shop.db?table=payments", "--out", "table.csv", "--review", "flagged.csv", *how)
    assert score(*words).stdout == told
    assert (home / "table.csv").read_bytes() == (home / "file.csv").read_bytes()
    decided = list(csv.DictReader((home / "table.csv").open(newline="")))
    assert json.loads(told)["flagged"] == sum(row["prediction"] == "1" for row in decided) > 0
    assert list(csv.DictReader((home / "flagged.csv").open(newline=""))) == [
        r for r in decided if r["action"] != "approve"
    ]
    assert all(row["reasons"] for row in decided if row["action"] == "decline" and not row["rules"])
    query = "select * from payments order by rowid limit 10"
    assert json.loads(score("sqlite:///shop.db", "--query", query, "--out", "ten.csv", *how).stdout)["scored"] == 10
    before = (home / "table.csv").read_bytes()
    for words, says in (
        (("sqlite:///shop.db?table=gone",), "no such table: gone"),
        (("sqlite:///shop.db", "--query", "select card_id from payments"), "column 'event_id' for field event_id is missing"),
        (("sqlite:///gone.db?table=x",), "gone.db is not there"),
        (("postgresql://u:hunter2@127.0.0.1:1/x?table=y",), "postgresql://u@127.0.0.1:1/x cannot be reached"),
        (("raw/tiny_fraud_events.csv", "--query", "select 1"), "is a file"),
        (("table.csv",), "must be different files"),
        (("raw/tiny_fraud_events.csv", "--review", "gone/x.csv"), "the folder gone is not there"),
    ):  # fmt: skip
        done = score(*words, "--out", "table.csv", code=2)
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
        assert "hunter2" not in done.stderr + done.stdout
    nothing = "select event_id, event_ts, card_id, shop_id, -1 as amount from payments limit 5"
    done = score("sqlite:///shop.db", "--query", nothing, "--out", "none.csv", code=1)
    assert "0 scored, 0 to review or decline, 5 rejected; row 0: amount: it must be at least 0" in done.stdout
    assert (home / "table.csv").read_bytes() == before
