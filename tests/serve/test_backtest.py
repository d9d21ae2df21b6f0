"""`weigh backtest` as a user meets it: nothing changed differs in nothing, what is tried is shown, faults are sentences."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.conftest import CUT_US
from tests.declining import send
from weighbridge.clock import ManualClock
from weighbridge.loop.messages import messages
from weighbridge.records import PRODUCTION, Move
from weighbridge.score.signing import HomeSigner
from weighbridge.serve import wiring
from weighbridge.serve.cli import app
from weighbridge.serve.wiring import open_desk, open_home


@pytest.fixture(scope="module")
def home(small_case, trained, world, tmp_path_factory):
    """The folder of a home with decisions; its use case is found by the name it ships with."""
    folder, clock = tmp_path_factory.mktemp("backtest") / "home", ManualClock(CUT_US)
    stores = open_home(small_case, folder, create=True, acknowledge="written").stores
    stores.log.import_history(trained.log.events(), trained.log.labels())
    made = trained.registry.alias(PRODUCTION)
    (folder / "keys" / "signing.key").write_text((b"s" * 32).hex())
    stores = replace(stores, signer=HomeSigner(b"s" * 32))
    stores.bundles.put(made, trained.bundles.files(made))
    stores.registry.add(made, trained.registry.bundles()[0][2], 0)
    stores.registry.move(Move(PRODUCTION, made, None, "test", "test", 0))
    desk = open_desk(small_case, stores, clock)
    send(desk, clock, messages(small_case, world, CUT_US)[:600])
    desk.close()
    return folder


@pytest.fixture
def weigh(small_case, home, monkeypatch):
    monkeypatch.setattr(wiring, "find_case", lambda name: small_case)

    def run(*words):
        done = CliRunner().invoke(app, ["backtest", "card_fraud", "--home", str(home), *words])
        return done, str(done.exception or "")

    return run


def test_a_backtest_by_hand(weigh, home, tmp_path):
    done, _ = weigh("--json")
    told = json.loads(done.stdout)
    assert (told["differences"], told["ruled_otherwise"]) == (0, 0)
    assert told["decisions"] > 200
    page = tmp_path / "tried.html"
    done, _ = weigh(
        "--threshold", "review=0.01", "--rule", "amount > 100 -> at least review", "--list", "blocked_cards=c000003",
        "--without", "new_country", "--by", "country", "--html", str(page),
    )  # fmt: skip
    assert done.exit_code == 0
    assert "differ; caught" in done.stdout
    assert "cost, by labels" in done.stdout
    html = page.read_text()
    assert "review_at = 0.01" in html
    assert "country: US" in html
    assert "c000003" not in html
    assert list((home / "reports").glob("backtest-*.json"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--threshold", "review"], "is not review=P or decline=P"),
        (["--threshold", "approve=0.1"], "is not review=P or decline=P"),
        (["--threshold", "review=nan"], "choose a probability of 0 to 1"),
        (["--threshold", "review=2"], "choose a probability of 0 to 1"),
        (["--threshold", "review=1", "--threshold", "decline=0"], "would be above decline"),
        (["--rule", "amount > 3"], "is not 'CONDITION -> ACTION'"),
        (["--rule", "amount > 3 -> explode"], "'explode' is no action"),
        (["--rule", "amuont > 3 -> review"], "use amount"),
        (["--list", "blocked_cards"], "is not LIST=VALUE"),
        (["--list", "nothing=c1"], "list"),
        (["--without", "nothing"], "no rule is called 'nothing'"),
        (["--by", "card_id"], "neither a category nor the amount"),
        (["--from", "yesterday"], "--from 'yesterday'"),
        (["--from", "2026-03-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"], "--from is not before --to"),
        (["--to", "2020-01-01T00:00:00Z"], "nothing was decided in this period"),
        (["--bundle", "ffff"], "names 0 registered bundles"),
    ],
)
def test_what_cannot_be_tried_is_said_in_one_sentence(weigh, words, says):
    done, fault = weigh(*words)
    assert done.exit_code == 1  # `main` makes it 2, with the sentence
    assert says in fault
