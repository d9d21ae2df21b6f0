"""The benchmark runs, compares like with like, and says so when it does not. Timing decides nothing here."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import SOAK
from weighbridge.bench.peers import PEERS, by_key, check, of_pandas
from weighbridge.bench.rollups import ASKED, MEMORY_MB, rollups
from weighbridge.bench.workload import Figure, sample
from weighbridge.errors import InputError
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.serve.cli import app
from weighbridge.serve.cli import bench as cli


@pytest.mark.slow
def test_a_quick_run_gives_every_figure(benched):
    assert benched["machine"]["cores"] >= 1
    figures = benched["figures"]
    assert [f["ours"] for f in figures if f["name"].endswith("single vectors that differ from the build's")] == [0]
    assert {f["group"] for f in figures} == {
        "history",
        "build",
        "online",
        "state",
        "commit",
        "models",
        "drift",
        "start",
        "backtest",
        "rollups",
        "serve",
    }
    assert all(math.isfinite(f["ours"]) for f in figures)
    may_be_nothing = ("refused with 429", "recovered after", "that differ from the build's")  # none is well
    assert all(f["ours"] > 0 or f["name"].endswith(may_be_nothing) for f in figures if f["unit"] != "exponent")
    assert {f["peer"] for f in figures if f["ratio"]} == {
        "pandas groupby.rolling", "Polars rolling", "DuckDB RANGE windows", "the same, none late",
        "LightGBM predict", "LightGBM pred_contrib", "scipy ks_2samp, numpy histogram", "FastAPI hello",
    }  # fmt: skip
    assert all(
        f["ratio"] == pytest.approx(f["ours"] / f["theirs"]) for f in figures if f["group"] == "history" and f["ratio"]
    )


@pytest.mark.slow
def test_a_table_shows_what_was_measured(benched, monkeypatch):
    """Without --json the same figures are printed in lines."""
    figures = [Figure(**figure) for figure in benched["figures"]]
    monkeypatch.setattr(cli, "_measured", lambda part, *_, **__: iter(f for f in figures if f.group == part))
    lines = CliRunner().invoke(app, ["bench", "--quick"], catch_exceptions=False).stdout
    assert all(f"{f.ratio:,.1f} " in lines for f in figures if f.ratio)
    assert sum(line.startswith("│") for line in lines.splitlines()) >= len(figures)


@pytest.mark.parametrize("name", PEERS)
def test_peers_compute_the_same_features(name):
    check(name, PEERS[name])


def test_a_peer_that_computes_something_else_is_refused():
    with pytest.raises(InputError, match="other features"):
        check("pandas", partial(of_pandas, closed="both"))


def test_features_are_put_in_the_peers_order():
    columns = sample(2_000)
    vectors = replay(compile_plan(sample_case()), columns)
    names = sample_case().feature_names
    found = by_key(columns, vectors)
    order = np.lexsort((columns.event_us, columns.values[:, 0]))
    assert np.array_equal(found[:, 1], vectors[order][:, names.index("card_amount_sum_1h")].astype(float))


def sample_case():
    from weighbridge.bench.workload import CASE

    return CASE


@pytest.mark.skipif(not SOAK, reason="100,000 applications with 10,000,000 child rows; WEIGHBRIDGE_SOAK=1 builds them")
def test_seven_tables_are_built_within_the_declared_memory():
    figures = {f.name.rpartition(": ")[2]: f.ours for f in rollups(100_000, lambda _: None)}
    assert figures[f"{ASKED:,} single vectors that differ from the build's"] == 0
    assert figures["memory beyond input"] < MEMORY_MB
    print(figures)
