"""Files of Kaggle: by a stand-in for its client in the short form; in the soak its client asks a server on loopback."""

from __future__ import annotations

import io
import itertools
import os
import sys
import zipfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv
import pytest
import stamina

from tests.adapters import kaggle_stand_in
from tests.adapters.environments import environment
from tests.adapters.kaggle_server import serving
from tests.conftest import CUT_US, SOAK, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.adapters.outside import World
from weighbridge.clock import ManualClock
from weighbridge.declare import Feed
from weighbridge.errors import InputError, MissingCommand, StoreFailure
from weighbridge.loop.collect import collect
from weighbridge.loop.simulate import simulate
from weighbridge.testing.object_contract import ObjectStoreContract

COMPETITION = "kaggle://competitions/loans"
moments = itertools.count(1_767_607_200)


@pytest.fixture(scope="module", autouse=True)
def no_waits():
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of what would be competitions and data sets, read by the stand-in."""
    (tmp_path / "bin").mkdir()
    kaggle_stand_in.put_in_place(tmp_path / "bin", tmp_path / "shelf")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "shelf" / "competitions" / "loans").mkdir(parents=True)
    return tmp_path / "shelf"


class Written:
    """What Kaggle lists and gets, and a way to put files there, as the suite wants it."""

    def __init__(self, store, put):
        self.head, self.find, self.read, self.put = store.head, store.find, store.read, put


class TestStandIn(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, shelf):
        self.shelf = shelf

    def make(self):
        def put(path, content):
            place = self.shelf / "competitions" / "loans" / path
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content.read())
            os.utime(place, (moment := next(moments), moment))

        return Written(World({}).objects(f"{COMPETITION}/any")[0], put)


def test_a_data_set_of_a_version_is_taken_in_once_and_a_zip_is_opened(shelf, tmp_path):
    events = simulate(tiny, seed=5, start_us=START_US, events=100).events
    (shelf / "datasets" / "ana" / "shop" / "3" / "raw").mkdir(parents=True)
    pyarrow.csv.write_csv(events, shelf / "datasets" / "ana" / "shop" / "3" / "raw" / "big.csv")
    stores, raw = memory_stores(tiny, tmp_path / "reports"), tmp_path / "raw"
    raw.mkdir()
    feed = Feed("payments", "kaggle://datasets/ana/shop/raw/big.csv?version=3", columns={"arrived": "arrived"})
    case = replace(tiny, sources=[feed])
    told = collect(case, stores, ManualClock(CUT_US), World({}, raw), raw, {}).figures["sources"]["payments"]
    assert (told["accepted"], told["address"]) == (len(events), "kaggle://datasets/ana/shop/raw/big.csv")
    again = collect(case, stores, ManualClock(CUT_US), World({}, raw), raw, {})
    assert again.figures["sources"]["payments"]["unchanged"]
    assert not [p for p in raw.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("url", "error", "told"),
    [
        ("kaggle://competitions/gone/a.csv", InputError, "is not there, or not for you"),
        (f"{COMPETITION}/b.csv", InputError, "b.csv is not in kaggle://competitions/loans"),
    ],
)
def test_what_is_not_there_is_a_sentence(shelf, url, error, told):
    store, path = World({}).objects(url)
    with pytest.raises(error, match=told):
        store.head(path)


def test_what_cannot_be_reached_may_pass_and_tells_no_secret(shelf):
    (shelf / "competitions" / "loans" / "unreachable").write_text("")
    store, path = World({}).objects(f"{COMPETITION}/a.csv")
    with pytest.raises(StoreFailure, match="kaggle could not list") as caught:
        store.head(path)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["kaggle://", "kaggle://competitions/loans", "kaggle://competitions/loans/", "kaggle://kernels/a/b",
            "kaggle://competitions/--help/a.csv", "kaggle://datasets/ana/shop", "kaggle://competitions/loans/../a",
            f"{COMPETITION}/a.csv?version=3", "kaggle://datasets/ana/shop/a.csv?version=x", f"{COMPETITION}/a.csv?b=c"],
)  # fmt: skip
def test_an_address_that_means_no_file_is_a_sentence(url, shelf):
    with pytest.raises(InputError, match="names no file; write kaggle://competitions/NAME/FILE"):
        World({}).objects(url)


def test_without_the_command_the_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingCommand, match="there is no command kaggle on the PATH; run: pip install kaggle"):
        World({}).objects(f"{COMPETITION}/a.csv")


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The commands of an environment with Kaggle's client, and with six, which it imports and does not ask for."""
    return environment(tmp_path_factory.mktemp("kaggle") / "venv", "kaggle>=2.2", "six")


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="makes an environment with Kaggle's client: WEIGHBRIDGE_SOAK=1")
class TestKaggle(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def server(self, tools, tmp_path, monkeypatch):
        with serving() as self.kaggle:
            for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
                monkeypatch.delenv(name)
            for name, value in self.kaggle.variables(tmp_path).items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
            yield

    def make(self):
        files = self.kaggle.files.setdefault("loans", {})

        def put(path, content):
            files[path] = content.read()
            self.kaggle.made = f"2026-01-05T10:{len(self.kaggle.asked) % 60:02}:00Z"

        return Written(World({}).objects(f"{COMPETITION}/any")[0], put)

    def test_a_file_comes_from_a_competition_and_from_a_version_of_a_data_set(self, tmp_path):
        rows, packed = pa.table({"a": range(50_000)}), io.BytesIO()
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(rows, sink)
        content = sink.getvalue().to_pybytes()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", content)
        self.kaggle.files = {
            "loans": {"a.csv": content, "a.csv.zip": packed.getvalue()},
            "ana/shop": {"b.csv": b"a\n1\n"},
        }
        self.kaggle.packed = {"a.csv"}
        for url, wanted in (
            (f"{COMPETITION}/a.csv", content),
            ("kaggle://datasets/ana/shop/b.csv?version=3", b"a\n1\n"),
        ):
            store, path = World({}, tmp_path).objects(url)
            assert b"".join(store.read(store.head(path))) == wanted
        calls = [call.partition("/")[2] for call, _, _ in self.kaggle.asked]
        assert calls == ["ListDataFiles", "ListDataFiles", "DownloadDataFile", "ListDatasetFiles", "ListDatasetFiles",
                         "GetDatasetMetadata", "DownloadDataset"]  # fmt: skip
        assert self.kaggle.asked[-1][1]["datasetVersionNumber"] == 3
        assert {known for _, _, known in self.kaggle.asked} == {"Basic"}
        assert not list(tmp_path.rglob("*.csv*"))

    def test_an_answer_that_is_none_is_a_sentence(self):
        self.kaggle.files = {"loans": {"a.csv": b"a"}}
        store, path = World({}).objects("kaggle://competitions/gone/a.csv")
        with pytest.raises(InputError, match="is not there, or not for you"):
            store.head(path)
        store, path = World({}).objects(f"{COMPETITION}/a.csv")
        found = store.head(path)
        self.kaggle.statuses = {"DownloadDataFile": 403}
        with pytest.raises(StoreFailure, match="perhaps that rules are to be accepted"):
            list(store.read(found))
