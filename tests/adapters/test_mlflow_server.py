"""MLflow as it is run by others: a server over HTTP, PostgreSQL, and a model in an environment made for it alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.adapters import postgres
from tests.conftest import SOAK
from weighbridge.adapters.mlflow import mirror
from weighbridge.adapters.mlflow.connection import Address, connect
from weighbridge.adapters.mlflow.registry import MirroredRegistry
from weighbridge.adapters.mlflow.tracker import MlflowTracker
from weighbridge.loop.report import silent
from weighbridge.score.bundle import load

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not SOAK, reason="installs MLflow's server; WEIGHBRIDGE_SOAK=1")]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
SCORE = """
import sys, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
said = mlflow.pyfunc.load_model("models:/served@Production").predict(pandas.read_parquet(sys.argv[2]))
print(said["probability"].to_numpy().tobytes().hex())
"""


def environment(folder, *packages):
    """A fresh environment with packages and nothing else; the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "install", "--quiet"]
    done = subprocess.run([*pip, *packages], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "python"


@contextmanager
def answering(words, folder, port, path, extra=None):
    """Run a server until the block ends; give its URL once it answers."""
    name = folder / f"{port}.log"
    with name.open("wb") as log:
        running = subprocess.Popen(
            list(map(str, words)), cwd=folder, stdout=log, stderr=log, env={**ENVIRONMENT, **(extra or {})}
        )
    until = time.monotonic() + 180
    try:
        while running.poll() is None and time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                break
            time.sleep(0.5)
        else:
            raise AssertionError(name.read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(60)


def server(python, folder, backend="sqlite:///server.db", artifacts="./artifacts", extra=None):
    """Give the URL of an MLflow server, through which files go too."""
    port = postgres.free_port()
    words = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
             "--backend-store-uri", backend, "--artifacts-destination", artifacts]  # fmt: skip
    return answering(words, folder, port, "/health", extra)


def check(trained, address):
    """All that the home says is there, and once."""
    assert mirror.follow(trained, address, silent).bundles == len(trained.registry.bundles())
    assert mirror.gap(trained, address).empty
    assert mirror.follow(trained, address, silent).empty
    connection = connect(address, trained.signer.key_id)
    assert MlflowTracker(connection).runs() == trained.tracker.runs()
    registry = MirroredRegistry(connection)
    assert registry.bundles() == trained.registry.bundles()
    assert registry.aliases() == trained.registry.aliases()
    assert len(registry.moves()) == len(trained.registry.moves())


def test_a_server_mirrors_and_a_clean_environment_scores_what_it_gives(trained, small_case, tmp_path):
    """The environment has what the model's own requirements name and no more; the bits are ours."""
    import pandas as pd

    python = environment(tmp_path / "server", f"mlflow=={version('mlflow-skinny')}")
    bundle = load(trained.registry.alias("production"), small_case, trained.bundles, trained.signer)
    with server(python, tmp_path) as uri:
        check(trained, Address(uri, "served"))
        registry = MirroredRegistry(connect(Address(uri, "served"), trained.signer.key_id))
        import mlflow

        mlflow.set_tracking_uri(uri)
        needs = Path(mlflow.pyfunc.get_model_dependencies("models:/served@Production")).read_text().splitlines()
        ours = [n for n in needs if n.startswith("weighbridge==")]
        assert len(ours) == 1
        clean = environment(tmp_path / "clean", *(n for n in needs if n not in ours), str(ROOT))
        there = subprocess.run([clean, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout.lower()
        assert "weighbridge" in there
        assert not any(name in there for name in ("lightgbm", "xgboost", "scikit-learn", "imbalanced"))
        pd.DataFrame(bundle.probes.vectors, columns=list(small_case.feature_names)).to_parquet(
            tmp_path / "rows.parquet"
        )
        words = [clean, "-c", SCORE, uri, tmp_path / "rows.parquet"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        expected = bundle.scorer.probability(bundle.probes.vectors)
        assert bytes.fromhex(done.stdout.strip()) == expected.astype("<f8").tobytes()
        assert registry.alias("production") == bundle.id


@pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)
def test_a_postgresql_mirrors(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")  # PostgreSQL does not end before its clients
    with postgres.running() as url:
        check(trained, Address(url.replace("postgresql:", "postgresql+psycopg:"), "x", (tmp_path / "files").as_uri()))


@pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)
def test_a_server_over_postgresql_and_s3_mirrors(trained, tmp_path):
    """What the files are is seen in the bucket itself: every bundle's manifest is there, and nothing stays beside."""
    packages = f"mlflow=={version('mlflow-skinny')}", "psycopg2-binary", "boto3", "moto[server]"
    python, port = environment(tmp_path / "server", *packages), postgres.free_port()
    keys = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}
    keys |= {"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"}
    with (
        answering([python.parent / "moto_server", "-H", "127.0.0.1", "-p", port], tmp_path, port, "/") as s3,
        postgres.running() as url,
    ):
        asked = urllib.request.Request(f"{s3}/mlflow-artifacts", method="PUT")
        urllib.request.urlopen(asked, timeout=10).close()
        extra = {**keys, "MLFLOW_S3_ENDPOINT_URL": s3}
        backend = url.replace("postgresql:", "postgresql+psycopg2:")
        with server(python, tmp_path, backend, "s3://mlflow-artifacts/home", extra) as uri:
            check(trained, Address(uri, "stored"))
        with urllib.request.urlopen(f"{s3}/mlflow-artifacts?list-type=2&max-keys=10000", timeout=10) as listed:
            keys_there = re.findall(r"<Key>([^<]+)</Key>", listed.read().decode())
    assert sum(key.endswith("/manifest.json") for key in keys_there) >= len(trained.registry.bundles())
    assert all(key.startswith("home/") for key in keys_there)
    assert not (tmp_path / "artifacts").exists()
