"""MLflow as a mirror: the contracts of tracker and registry, every kind of outage, and a model that loads without us.

MLflow has no compare-and-swap, so a registry that decides by it would not keep the contract. What is held to
`RegistryContract` is the pair as it is used: the embedded registry decides, and every answer is read from MLflow.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.postgres import free_port
from tests.conftest import CUT_US, SOAK, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.adapters.mlflow import mirror
from weighbridge.adapters.mlflow.connection import Address, connect, current
from weighbridge.adapters.mlflow.registry import MirroredRegistry
from weighbridge.adapters.mlflow.tracker import MlflowTracker
from weighbridge.clock import ManualClock
from weighbridge.errors import BundleRefused, Conflict, InputError, StoreFailure
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before
from weighbridge.loop.promote import promote
from weighbridge.loop.report import silent, write_report
from weighbridge.loop.simulate import simulate
from weighbridge.records import Alias, Move
from weighbridge.score.bundle import load
from weighbridge.score.manifest import MANIFEST
from weighbridge.score.signing import HomeSigner
from weighbridge.serve.cli import main
from weighbridge.serve.wiring import find_case, open_home
from weighbridge.testing.contracts import RegistryContract, TrackerContract

pytestmark = pytest.mark.slow
NUMBER = itertools.count()


@pytest.fixture(scope="session")
def uri(tmp_path_factory):
    """One SQLite file for all tests, as making its tables takes seconds; each test has names of its own in it."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def address(uri):
    return Address(uri, f"case_{next(NUMBER)}")


@pytest.fixture(scope="module")
def mirrored(uri, trained):
    """What a trained home looks like in MLflow."""
    found = Address(uri, "mirrored")
    mirror.follow(trained, found, silent)
    return found


def view(address, home):
    """All that is seen of a mirror: entries in order, versions, aliases, nothing of MLflow's own ids."""
    connection = connect(address, home)
    registry, client = MirroredRegistry(connection), connection.client
    runs = client.search_runs([connection.experiment], order_by=["tags.`weigh.place` ASC", "tags.`weigh.id` ASC"])
    own = {run.info.run_id: run.data.tags["weigh.id"] for run in runs}
    seen = [
        (
            {k: own.get(v, v) for k, v in run.data.tags.items()},
            run.data.params,
            run.data.metrics,
            run.info.status,
            sorted(f.path for f in client.list_artifacts(run.info.run_id)),
        )
        for run in runs
    ]
    versions = [(v.version, own.get(v.run_id), v.tags, v.description) for v in registry.versions().values()]
    models = client.search_logged_models([connection.experiment])
    return seen, versions, registry.aliases(), registry.moves(), len(models), [str(m.status) for m in models]


class TestMlflowTracker(TrackerContract):
    @pytest.fixture(autouse=True)
    def _address(self, address):
        self.address = address

    def make(self):
        return MlflowTracker(connect(self.address, "home"))


def test_whatever_facts_hold_comes_back(address):
    """Names and texts that MLflow or its databases refuse, or that become one there, keep no run out."""
    odd = [
        "",
        ".",
        "..",
        "../up",
        "/root",
        "a//b",
        "a/../b",
        "x < 1",
        "x > 1",
        "x <= 1",
        "x >= 1",
        "é",
        "日",
        "a\0b",
        "'\"`%",
        "n" * 600,
        " ",
    ]
    facts = {
        "sentence": "s" * 20_000 + "\0",
        "why": "\0" + "w" * 20_000,
        "seconds": 2,
        "nothing": None,
        "nan": float("inf"),
        "large": 10**30,
        "odd": {name: number for number, name in enumerate(odd)},
        "texts": dict.fromkeys(odd, "text"),
        "list": [1, None, {"gate": "g'", "passed": True}, {"no": "name"}, [[]]],
        "many": {f"m{n}": n for n in range(250)},
    }
    tracker = MlflowTracker(connect(address, "home"))
    for run in ("r1", "r2"):
        tracker.record(run, "odd", -5, facts)
    assert MlflowTracker(connect(address, "home")).runs() == [("r1", "odd", -5, facts), ("r2", "odd", -5, facts)]


class Followed:
    """The embedded registry decides, MLflow follows, and answers are read from there alone."""

    def __init__(self, stores, address):
        self._stores, self._address = stores, address
        self.add, self.move = stores.registry.add, stores.registry.move

    def __getattr__(self, name):
        mirror.follow(self._stores, self._address, silent)
        return getattr(MirroredRegistry(connect(self._address, self._stores.signer.key_id)), name)


class NeverClears(Followed):
    """A mirror in which an alias, once it points at something, always does."""

    def __getattr__(self, name):
        with pytest.MonkeyPatch.context() as patch:
            point = MirroredRegistry.point
            patch.setattr(MirroredRegistry, "point", lambda self, alias, to: to and point(self, alias, to))
            return super().__getattr__(name)


class TestFollowedRegistry(RegistryContract):
    @pytest.fixture(autouse=True)
    def _stores(self, address, tmp_path):
        self.stores, self.address = memory_stores(tiny, tmp_path), address

    def make(self):
        return Followed(self.stores, self.address), self.stores.log


def test_the_contract_finds_a_mirror_that_lags(uri, tmp_path):
    def make():
        stores = memory_stores(tiny, tmp_path)
        return NeverClears(stores, Address(uri, f"case_{next(NUMBER)}")), stores.log

    suite = RegistryContract()
    suite.make = make
    with pytest.raises(AssertionError):
        suite.test_a_canary_has_a_share()


def test_a_mirror_holds_all_that_the_home_says(trained, mirrored):
    connection = connect(mirrored, trained.signer.key_id)
    assert MlflowTracker(connection).runs() == trained.tracker.runs()
    registry = MirroredRegistry(connection)
    assert registry.bundles() == trained.registry.bundles()
    assert registry.aliases() == trained.registry.aliases()
    assert [replace(m, gates=list(m.gates)) for m in registry.moves()] == [
        replace(m, gates=list(m.gates)) for m in trained.registry.moves()
    ]
    assert mirror.gap(trained, mirrored).empty
    assert mirror.follow(trained, mirrored, silent).empty


def test_people_find_parameters_metrics_intervals_plots_and_the_bundle(trained, mirrored, small_case):
    connection = connect(mirrored, trained.signer.key_id)
    bundle = trained.registry.alias("production")
    run, _, _, facts = trained.tracker.runs("train")[0]
    stored = connection.client.get_run(MlflowTracker(connection).entries.run_of(run)).data
    made = load(bundle, small_case, trained.bundles, trained.signer).facts
    metric = small_case.training.metric
    low, high = made["interval"][metric]
    assert (stored.metrics[f"{metric}.low"], stored.metrics[metric], stored.metrics[f"{metric}.high"]) == (
        low,
        facts[metric],
        high,
    )
    assert stored.params["seed"] == str(made["lineage"]["seed"])
    assert {f"model.{name}" for name, _ in made["lineage"]["parameters"]} <= set(stored.params)
    version = MirroredRegistry(connection).versions()[bundle]
    files = {}
    for folder in ("", "bundle", "plots", "reports"):
        found = connection.client.list_artifacts(version.run_id, folder)
        files[folder] = {f.path.removeprefix(f"{folder}/") for f in found}
    assert files["bundle"] == set(trained.bundles.files(bundle))
    assert files["plots"] == {"precision_recall.svg", "roc.svg", "calibration.svg", "scores.svg"}
    assert {"model_card.md", "facts.json"} <= files[""]
    assert f"training-{bundle[:12]}.json" in files["reports"]
    parent = MlflowTracker(connection).entries.run_of(trained.tracker.runs("retrain")[0][0])
    assert stored.tags["mlflow.parentRunId"] == parent


def test_a_version_tells_its_lineage_and_how_it_governs(trained, mirrored):
    registry = MirroredRegistry(connect(mirrored, trained.signer.key_id))
    bundle = trained.registry.alias("production")
    tags = registry.versions()[bundle].tags
    made = json.loads(trained.bundles.files(bundle)["facts.json"])
    manifest = json.loads(trained.bundles.files(bundle)[MANIFEST])
    for name in ("case", "state", "vector"):
        assert tags[f"weigh.lineage.{name}"] == manifest[name]
    assert tags["weigh.lineage.log_head_seq"] == str(made["lineage"]["log_head_seq"])
    assert tags["weigh.lineage.versions.weighbridge"] == made["lineage"]["versions"]["weighbridge"]
    said = trained.tables.get(f"validation-{bundle[:16]}")["probability"].to_numpy()
    approved = sum(p < made["thresholds"]["review_at"] for p in said.tolist()) / len(said)
    assert float(tags["weigh.governance.approval_rate"]) == pytest.approx(approved, abs=1e-6)
    rates = [float(tags[f"weigh.governance.{name}_rate"]) for name in ("approval", "review", "decline")]
    assert sum(rates) == pytest.approx(1, abs=3e-6)
    assert tags["weigh.governance.risk_bands"].startswith("low from 0, medium from ")
    verdicts = trained.tracker.runs("gate")[-1][3]["gates"]
    assert tags["weigh.governance.gates"] == "; ".join(f"{v['gate']}: {v['verdict']}" for v in verdicts)


SCORE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"lightgbm", "xgboost", "sklearn", "imblearn", "scipy"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
try:
    import lightgbm
    raise SystemExit("a library that trains is there")
except ModuleNotFoundError:
    pass
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
rows = pandas.read_parquet(sys.argv[3])
said = model.predict(rows)
print(said["probability"].to_numpy().tobytes().hex(), ",".join(said["action"]), ",".join(said["risk_level"]))
print(sorted({"lightgbm", "xgboost", "sklearn"} & set(sys.modules)), model.metadata.signature.inputs.input_names())
"""


def test_the_model_scores_where_no_library_trains_and_no_pickle_loads(trained, mirrored, small_case, tmp_path, uri):
    bundle = load(trained.registry.alias("production"), small_case, trained.bundles, trained.signer)
    vectors = bundle.probes.vectors
    import pandas as pd

    names = list(small_case.feature_names)
    pd.DataFrame(vectors, columns=names)[names[::-1]].to_parquet(tmp_path / "rows.parquet")  # in another order
    words = [sys.executable, "-c", SCORE, uri, "models:/mirrored@Production", str(tmp_path / "rows.parquet")]
    env = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    expected = bundle.scorer.probability(vectors)
    bits, actions, levels = first.split(" ")
    assert bytes.fromhex(bits) == expected.astype("<f8").tobytes()
    assert actions.split(",") == [bundle.thresholds.action(p) for p in expected.tolist()]
    assert levels.split(",") == [bundle.thresholds.level(p) for p in expected.tolist()]
    assert second == f"[] {names}"


def test_a_model_that_was_changed_on_its_way_is_refused(trained, mirrored, tmp_path):
    """By one bit of one file, or when the caller trusts another key than the one that signed."""
    import mlflow

    with current(mirrored):
        folder = Path(mlflow.artifacts.download_artifacts("models:/mirrored@Production", dst_path=str(tmp_path)))
    assert mlflow.pyfunc.load_model(str(folder)).metadata.signature is not None
    other = HomeSigner(b"o" * 32).public.hex()
    with pytest.raises(BundleRefused, match="not signed by a key"):
        mlflow.pyfunc.load_model(str(folder), model_config={"public_key": other})
    path = folder / "artifacts" / "bundle" / "model.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleRefused, match=r"was changed: model\.npz"):
        mlflow.pyfunc.load_model(str(folder))


def test_nothing_that_travels_is_a_pickle(trained, mirrored, uri):
    """Every file of every run and model: no file name and no content of one, where the probe is known to find one."""
    folder = os.path.dirname(uri.removeprefix("sqlite:///")) + "/mlartifacts/mirrored"
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    contents = {path: Path(path).read_bytes() for path in paths}
    import pickle

    assert pickled(pickle.dumps({"a": np.ones(3)}))
    assert len(paths) > 30
    assert [
        p for p, content in contents.items() if pickled(content) or p.endswith((".pkl", ".pickle", ".joblib"))
    ] == []
    for path in (p for p in paths if p.endswith(".npz")):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays)


def pickled(content):
    """Whether bytes are a pickle of protocol 2 or later."""
    return content[:1] == b"\x80" and content[1:2] <= b"\x05" and content.rstrip(b"\n")[-1:] == b"."


def grow(stores):
    """What happens in a home after it was mirrored: runs, a bundle without files, moves, a canary whose share rises."""
    first = stores.registry.alias("production")
    stores.tracker.record("r-next", "verify", CUT_US, {"sentence": "fine", "seconds": 1.5, "mismatches": 0})
    write_report(stores.reports, "verify", {"run": "r-next", "mismatches": 0})
    stores.registry.add("f" * 64, {"model": "gone"}, CUT_US)
    stores.registry.move(Move("canary", "f" * 64, None, "me", "try", CUT_US, share=0.01))
    stores.registry.move(Move("canary", "f" * 64, "f" * 64, "me", "more", CUT_US + 1, share=0.1, share_before=0.01))
    stores.registry.move(Move("staging", first, None, "me", "next", CUT_US + 2))


def copy_of(trained, small_case, folder):
    """A home with the bundle of the trained one, promoted again, so that a test may change it."""
    stores = memory_stores(small_case, folder)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    for bundle, at, facts in trained.registry.bundles():
        stores.bundles.put(bundle, trained.bundles.files(bundle))
        stores.registry.add(bundle, facts, at)
    for run, verb, at, facts in trained.tracker.runs():
        stores.tracker.record(run, verb, at, facts)
    for name in (f"validation-{b[:16]}" for b, _, _ in stores.registry.bundles()):
        stores.tables.put(name, trained.tables.get(name))
    for move in trained.registry.moves():
        stores.registry.move(move)
    return stores


def test_an_outage_at_any_call_is_made_good(trained, small_case, uri, tmp_path, monkeypatch):
    """MLflow fails at its nth call, for every n: the step after it ends with what a mirror without outage has."""
    from mlflow import MlflowClient

    stores = copy_of(trained, small_case, tmp_path)
    grow(stores)
    whole = Address(uri, f"case_{next(NUMBER)}")
    calls = count_calls(monkeypatch, MlflowClient, lambda: mirror.follow(stores, whole, silent))
    expected = view(whole, stores.signer.key_id)
    assert mirror.gap(stores, whole).empty
    for nth in range(calls) if SOAK else (calls // 3, calls - 18, calls - 5):
        address = Address(uri, f"case_{next(NUMBER)}")
        with pytest.raises(StoreFailure, match="power cut"):
            count_calls(monkeypatch, MlflowClient, lambda at=address: mirror.follow(stores, at, silent), fail_at=nth)
        left = mirror.gap(stores, address)
        mirror.follow(stores, address, silent)
        found = view(address, stores.signer.key_id)
        assert found == expected, nth
        assert not left.empty or nth > calls - 8


def count_calls(monkeypatch, client, act, fail_at=None):
    """Count the calls of a client's methods while `act` runs; the one at `fail_at` raises after it was done."""
    made = itertools.count()

    def counted(method):
        def call(*given, **named):
            result, number = method(*given, **named), next(made)
            if number == fail_at:
                raise ConnectionError("power cut")
            return result

        return call

    names = [
        n for n in dir(client) if n.startswith(("create_", "set_", "log_", "search_", "get_", "finalize_", "delete_"))
    ]
    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(client, name, counted(getattr(client, name)))
        act()
    return next(made)


def test_what_a_hand_changed_there_is_put_right(trained, small_case, address, tmp_path):
    stores = copy_of(trained, small_case, tmp_path)
    grow(stores)
    mirror.follow(stores, address, silent)
    registry = MirroredRegistry(connect(address, stores.signer.key_id))
    client = connect(address, stores.signer.key_id).client
    assert registry.aliases() == stores.registry.aliases()
    assert registry.aliases()["canary"] == Alias("f" * 64, 0.1)
    client.set_registered_model_alias(address.name, "Production", 2)
    client.delete_registered_model_alias(address.name, "canary")
    client.set_registered_model_alias(address.name, "mine", 1)
    assert mirror.gap(stores, address).aliases == ("canary", "production")
    assert mirror.follow(stores, address, silent).aliases == ("canary", "production")
    assert registry.aliases() == stores.registry.aliases()
    assert client.get_registered_model(address.name).aliases["mine"] == 1
    assert "missing" in registry.versions()["f" * 64].tags["weigh.files"]


def test_one_name_mirrors_one_home(trained, small_case, address, tmp_path):
    stores = copy_of(trained, small_case, tmp_path)
    mirror.follow(stores, address, silent)
    with pytest.raises(Conflict, match="is not this home's; set another WEIGH_MLFLOW_NAME"):
        connect(address, "somebody else")
    older = memory_stores(small_case, tmp_path)  # the same key, another history: restored from a copy
    with pytest.raises(Conflict, match="restored from a copy"):
        mirror.follow(older, address, silent)
    client = connect(address, stores.signer.key_id).client
    client.delete_experiment(connect(address, stores.signer.key_id).experiment)
    with pytest.raises(Conflict, match="was deleted in MLflow"):
        mirror.follow(stores, address, silent)


def test_a_model_of_somebody_else_is_left_alone(trained, small_case, address, tmp_path):
    stores = copy_of(trained, small_case, tmp_path)
    client = connect(address, stores.signer.key_id).client
    client.create_registered_model(address.name)
    with pytest.raises(Conflict, match="registered model"):
        mirror.follow(stores, address, silent)
    assert client.get_registered_model(address.name).aliases == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("./mlruns", "x"), "none that MLflow 3 keeps runs in"),
        (("file:///mlruns", "x"), "none that MLflow 3 keeps runs in"),
        (("databricks", "x"), "none that MLflow 3 keeps runs in"),
        (("sqlite://", "x"), "none that MLflow 3 keeps runs in"),
        (("http://[hunter2", "x"), "cannot be read"),
        (("postgresql://u:hunter2@h/db", "x"), "WEIGH_MLFLOW_ARTIFACTS"),
        (("https://u:hunter2@h", "a/b"), "cannot name a model"),
        (("https://u:hunter2@h", " "), "cannot name a model"),
    ],
)
def test_an_address_that_means_none_is_refused(given, says):
    with pytest.raises(InputError, match=says) as told:
        Address(*given)
    assert "hunter2" not in str(told.value)


def test_a_server_that_is_away_is_said_without_its_password(trained, tmp_path):
    address = Address(f"http://ana:hunter2@127.0.0.1:{free_port()}", "x")
    with pytest.raises(
        StoreFailure, match=r"MLflow at http://127\.0\.0\.1:\d+ did not do it: it cannot be reached"
    ) as told:
        mirror.follow(trained, address, silent)
    assert "hunter2" not in str(told.value)
    assert "hunter2" not in repr(address)
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFailure, match="file is not a database"):
        mirror.follow(trained, Address(f"sqlite:///{tmp_path}/x.db", "x"), silent)


def test_a_promotion_is_mirrored_as_it_was_decided(trained, small_case, address, tmp_path):
    stores = copy_of(trained, small_case, tmp_path)
    mirror.follow(stores, address, silent)
    bundle = stores.registry.alias("production")
    promote(small_case, stores, ManualClock(CUT_US + 1), bundle, alias="staging", by="ana", reason="next week")
    assert mirror.gap(stores, address) == mirror.Gap(1, 1, 0, ("staging",))
    assert mirror.follow(stores, address, silent) == mirror.Gap(1, 1, 0, ("staging",))
    (move,) = [m for m in MirroredRegistry(connect(address, stores.signer.key_id)).moves() if m.alias == "staging"]
    assert (move.by, move.reason, move.bundle) == ("ana", "next week", bundle)


def weigh(capsys, *words):
    """Run a command in this process; return its exit code, stdout and stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["weigh", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


def test_the_loop_goes_on_without_mlflow_and_catches_up(uri, tmp_path, monkeypatch, capsys):
    """A step while the server is away passes and says so; with it back, the next one mirrors both, in order."""
    case_file = Path(__file__).parents[1] / "fixtures" / "tiny_fraud.py"
    case = find_case(str(case_file))
    home = open_home(case, tmp_path, create=True)
    sent = simulate(case, seed=3, start_us=START_US, events=400)
    ingest(
        case,
        home.stores,
        ManualClock(CUT_US),
        arrived_before(sent.events, CUT_US).slice(0, 200),
        None,
        {"arrived": "arrived"},
    )
    words = (case_file, "--home", tmp_path)
    monkeypatch.setenv("WEIGH_MLFLOW_URI", f"http://ana:hunter2@127.0.0.1:{free_port()}")
    name = f"case_{next(NUMBER)}"
    monkeypatch.setenv("WEIGH_MLFLOW_NAME", name)
    code, out, err = weigh(capsys, "run", *words[:1], "build", *words[1:])
    assert (code, "200 vectors" in out) == (0, True)
    assert "weigh: MLflow was not brought up to date: MLflow at http://127.0.0.1" in err
    report = json.loads((tmp_path / "reports" / "mlflow.json").read_text())
    assert (report["mirrored"], "cannot be reached" in report["fault"]) == (None, True)
    (line,) = (tmp_path / "logs" / "weigh.jsonl").read_text().splitlines()
    assert (json.loads(line)["level"], json.loads(line)["event"]) == ("warning", "mlflow not up to date")
    code, out, err = weigh(capsys, "mlflow", *words)
    assert (code, "cannot be reached" in err) == (2, True)
    assert "hunter2" not in line + out + err + json.dumps(report)
    monkeypatch.setenv("WEIGH_MLFLOW_URI", uri)
    code, out, _ = weigh(capsys, "mlflow", *words, "--check", "--json")
    assert (code, json.loads(out)) == (1, {"runs": 3, "moves": 0, "bundles": 0, "aliases": []})
    code, out, err = weigh(capsys, "run", *words[:1], "build", "--force", *words[1:], "--json")
    assert (code, json.loads(out)["rows"], f"mirrored to {uri}, {name}" in err) == (0, 200, True)
    code, out, _ = weigh(capsys, "mlflow", *words, "--check")
    assert (code, out) == (0, "missing: 0 runs, 0 moves, 0 bundles, 0 aliases\n")
    there = MlflowTracker(connect(Address(uri, name), home.stores.signer.key_id)).runs()
    assert [(verb, facts) for _, verb, _, facts in there] == [
        (verb, facts) for _, verb, _, facts in home.stores.tracker.runs()
    ]
    assert [verb for _, verb, _, _ in there] == ["ingest", "build", "stage build", "build", "stage build"]


def test_nothing_is_mirrored_where_nothing_is_set(tmp_path, monkeypatch, capsys):
    case_file = Path(__file__).parents[1] / "fixtures" / "tiny_fraud.py"
    open_home(find_case(str(case_file)), tmp_path, create=True)
    monkeypatch.delenv("WEIGH_MLFLOW_URI", raising=False)
    code, _, err = weigh(capsys, "mlflow", case_file, "--home", tmp_path)
    assert (code, "no MLflow is set" in err) == (2, True)
    monkeypatch.setenv("WEIGH_MLFLOW_URI", "./mlruns")
    code, _, err = weigh(capsys, "mlflow", case_file, "--home", tmp_path, "--check")
    assert (code, "none that MLflow 3 keeps runs in" in err) == (2, True)
