"""Files of DVC repositories: by a stand-in for DVC's client in the short form, by DVC itself in the soak."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv
import pytest
import stamina

from tests.adapters import dvc_stand_in
from tests.adapters.environments import environment
from tests.conftest import CUT_US, SOAK, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.adapters.outside import World
from weighbridge.clock import ManualClock
from weighbridge.declare import Feed
from weighbridge.errors import DeclarationError, InputError, MissingCommand, StoreFailure
from weighbridge.loop.collect import collect
from weighbridge.loop.simulate import simulate
from weighbridge.testing.object_contract import LARGE, ObjectStoreContract


@pytest.fixture(scope="module", autouse=True)
def no_waits():
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A folder of what would be repositories, read by the stand-in."""
    (tmp_path / "bin").mkdir()
    dvc_stand_in.put_in_place(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "shelf" / "HEAD" / "raw").mkdir(parents=True)
    return tmp_path / "shelf"


def address(repository, path, **more):
    return f"dvc:///{repository}?path={path}" + "".join(f"&{name}={value}" for name, value in more.items())


class Written:
    """What DVC lists and gets, and a way to put files there, as the suite wants it."""

    def __init__(self, store, put):
        self.head, self.find, self.read, self.put = store.head, store.find, store.read, put


class TestStandIn(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def shelf(self, stand_in):
        self.repository = stand_in

    def make(self):
        def put(path, content):
            place = self.repository / "HEAD" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read())

        return Written(World({}).objects(address(self.repository, "any"))[0], put)


@pytest.fixture(scope="module")
def events_csv():
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(simulate(tiny, seed=5, start_us=START_US, events=100).events, sink)
    return b"".join(sink.getvalue().to_pybytes().splitlines(keepends=True)[:101])


def collected(folder, stores, url, **options):
    feed = Feed("payments", url, columns={"arrived": "arrived"}, **options)
    (folder / "raw").mkdir(exist_ok=True)
    outside = World({}, folder / "raw")
    return collect(replace(tiny, sources=[feed]), stores, ManualClock(CUT_US), outside, folder / "raw", {})


@pytest.fixture
def payments(stand_in, events_csv, tmp_path):
    (stand_in / "HEAD" / "raw" / "p.csv").write_bytes(events_csv)
    (stand_in / "v1" / "raw").mkdir(parents=True)
    (stand_in / "v1" / "raw" / "p.csv").write_bytes(b"".join(events_csv.splitlines(keepends=True)[:11]))
    stores = memory_stores(tiny, tmp_path / "reports")
    return stores, lambda **options: collected(tmp_path, stores, **{"url": address(stand_in, "raw/p.csv"), **options})


def test_a_revision_is_taken_in_once(payments, stand_in, tmp_path):
    stores, take = payments
    first = take(url=address(stand_in, "raw/p.csv", rev="v1"))
    assert len(stores.log.events()) == first.figures["accepted"] == 10
    told = first.figures["sources"]["payments"]
    assert told["address"] == address(stand_in, "raw/p.csv", rev="v1")
    assert told["tag"] == told["md5"] == hashlib.md5((stand_in / "v1/raw/p.csv").read_bytes()).hexdigest()
    assert take(url=address(stand_in, "raw/*.csv")).figures["sources"]["payments/p.csv"]["already_stored"] == 10
    assert len(stores.log.events()) == 100
    (stand_in / "trouble").write_text("gone")  # nothing is fetched that is known by its MD5
    assert take(url=address(stand_in, "raw/*.csv")).figures["sources"]["payments/p.csv"]["unchanged"]
    assert not [p for p in (tmp_path / "raw").rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("trouble", "options", "error", "told"),
    [
        ("damaged", {}, InputError, "came with another MD5 than DVC lists"),
        ("gone", {}, StoreFailure, "dvc could not fetch raw/p.csv"),
        ("huge", {}, StoreFailure, "fetches more than the"),
        ("slow", {"within": "1s"}, StoreFailure, "takes longer than 1s"),
        ("unreachable", {}, StoreFailure, "dvc could not list"),
        ("", {"sha256": "0" * 64}, InputError, "is declared; nothing was taken in"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_leaves_nothing(payments, stand_in, tmp_path, trouble, options, error, told):
    stores, take = payments
    (stand_in / "trouble").write_text(trouble)
    with pytest.raises(error, match=told) as caught:
        take(**options)
    assert "geheim" not in str(caught.value)
    assert not len(stores.log.events())
    left = [p for p in (tmp_path / "raw").rglob("*") if p.is_file() and p.suffix != ".part"]
    assert not left


def test_a_command_that_is_given_up_is_ended(payments, stand_in, tmp_path):
    (stand_in / "trouble").write_text("slow")
    store, path = World({}, tmp_path).objects(address(stand_in, "raw/p.csv"))
    pieces = store.read(store.head(path))
    while not (pids := list(tmp_path.glob(".dvc-*/pid"))) or not pids[0].read_text():
        assert next(pieces) == b""
    process = int(pids[0].read_text())
    os.kill(process, 0)
    pieces.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_without_the_command_the_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingCommand, match="there is no command dvc on the PATH; run: pip install dvc"):
        World({}).objects("dvc:///shelf?path=raw/p.csv")
    dvc_stand_in.put_in_place(tmp_path)
    World({}).objects("dvc:///shelf?path=raw/p.csv")


@pytest.mark.parametrize(
    "url", ["dvc:///shelf", "dvc://host/shelf?path=a", "dvc:///?path=a", "dvc+https:///r?path=a", "dvc+ssh://h?path=a",
            "dvc:///shelf?path=/a", "dvc:///shelf?path=../a", "dvc:///shelf?path=a&rev=", "dvc:///shelf?path=a&x=1",
            "dvc:///shelf?path=a#b", "dvc+https://ana:geheim@h/r?path=a", "dvc+https://ana@h/r?path=a",
            "dvc+ssh://ana:geheim@h/r?path=a"],
)  # fmt: skip
def test_an_address_that_means_no_file_is_a_sentence(url, stand_in):
    with pytest.raises(InputError) as caught:
        World({}).objects(url)
    assert "geheim" not in str(caught.value)


def test_a_declared_address_holds_no_secret():
    assert Feed("f", "dvc+ssh://git@host/team/data.git?path=a.csv&rev=v1")
    for url in ("dvc+ssh://ana:geheim@host/r?path=a.csv", "dvc+https://ana@host/r?path=a.csv"):
        with pytest.raises(DeclarationError, match="set WEIGH_SOURCE__F instead"):
            Feed("f", url)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A repository of DVC's own, with a local remote; gives what runs a command in it, and its environment's PATH."""
    folder = tmp_path_factory.mktemp("dvc")
    tools = environment(folder / "venv", "dvc>=3.60")
    env = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(folder), "DVC_NO_ANALYTICS": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "ana", f"GIT_{who}_EMAIL": "ana@example.com"}
    repository = folder / "repository"
    repository.mkdir()

    def run(*words):
        done = subprocess.run(words, cwd=repository, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-q", "-d", "shelf", str(folder / "remote"))
    return repository, run, env


def committed(repository, run, files):
    """Put files under DVC, push them to the remote, and leave nothing of them in the repository's own cache."""
    for path, content in files.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(content)
    run("dvc", "add", "-q", *files)
    run("git", "add", "-A")
    run("git", "commit", "-q", "--allow-empty", "-m", "files")
    run("dvc", "push", "-q")
    shutil.rmtree(repository / ".dvc" / "cache")


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="makes an environment with DVC: WEIGHBRIDGE_SOAK=1")
class TestDvc(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def repository(self, real, monkeypatch):
        self.real = real
        for name, value in real[2].items():
            monkeypatch.setenv(name, value)
        real[1]("git", "rm", "-r", "-q", "--ignore-unmatch", "raw", "a.csv.dvc", ".gitignore")
        shutil.rmtree(real[0] / "raw", ignore_errors=True)

    def make(self):
        repository, run, _ = self.real

        def put(path, content):
            committed(repository, run, {path: content.read()})

        return Written(World({}).objects(address(repository, "any"))[0], put)

    def filled(self):
        files = {"raw/b.csv": b"b", "raw/a.csv": LARGE, "raw/c.parquet": b"c", "a.csv": b""}
        committed(*self.real[:2], files)
        return self.make()

    def test_its_list_is_what_the_stand_in_answers(self, tmp_path):
        """So that the short form shows what it seems to."""
        repository, run, _ = self.real
        committed(repository, run, {"raw/a.csv": b"a", "raw/in/b.csv": b"b"})
        stand_in = dvc_stand_in.put_in_place(tmp_path)
        for path in ("raw/a.csv", "raw/in/b.csv"):
            (tmp_path / "HEAD" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / path, tmp_path / "HEAD" / path)
        asked = ["list", "--json", "--size", "--show-hash", "--rev=HEAD", "--"]
        mine = json.loads(run(str(stand_in), *asked, str(tmp_path), "raw/in"))
        theirs = json.loads(run("dvc", *asked, str(repository), "raw/in"))
        assert [e for e in theirs if e["path"] == "b.csv"] == mine

    def test_files_of_two_revisions_are_taken_in(self, events_csv, tmp_path):
        """Over the remote, and with DVC's own MD5; a remote that lost them is a sentence."""
        repository, run, _ = self.real
        committed(repository, run, {"raw/p.csv": b"".join(events_csv.splitlines(keepends=True)[:11])})
        run("git", "tag", "v1")
        committed(repository, run, {"raw/p.csv": events_csv})
        stores = memory_stores(tiny, tmp_path / "reports")
        first = collected(tmp_path, stores, address(repository, "raw/p.csv", rev="v1"))
        assert first.figures["accepted"] == 10
        told = collected(tmp_path, stores, address(repository, "raw/p.csv")).figures["sources"]["payments"]
        assert (told["accepted"], told["already_stored"]) == (90, 10)
        assert told["tag"] == hashlib.md5(events_csv).hexdigest()
        assert collected(tmp_path, stores, address(repository, "raw/p.csv")).figures["sources"]["payments"]["unchanged"]
        shutil.rmtree(repository.parent / "remote")
        shutil.rmtree(repository / ".dvc" / "cache", ignore_errors=True)
        again = memory_stores(tiny, tmp_path / "again")
        with pytest.raises(StoreFailure, match="dvc could not fetch"):
            collected(tmp_path, again, address(repository, "raw/p.csv"))
        assert not len(again.log.events())
        assert not [p for p in (tmp_path / "raw").rglob("*") if p.is_file() and p.suffix != ".part"]
