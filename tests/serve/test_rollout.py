"""Who decides, changed over HTTP while requests come in: one winner, nothing lost, nothing decided by a bad bundle."""

from __future__ import annotations

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import jsonschema
import pytest
from starlette.testclient import TestClient

from tests.conftest import CUT_US, SOAK
from tests.score.rivals import bad_bundles, point, put, rival
from weighbridge.clock import us_to_iso
from weighbridge.declare import Fallback, Gate, Rollout, Step
from weighbridge.errors import Conflict
from weighbridge.identity import ulid_at
from weighbridge.loop.promote import bundle_before, promote, rollback
from weighbridge.loop.traffic import Wish, direct
from weighbridge.records import CANARY, MOVED, SHADOW
from weighbridge.score.route import PRODUCTION
from weighbridge.score.router import REFUSED
from weighbridge.serve.http.app import make_app
from weighbridge.serve.rollout_schema import models_schema, moved_schema, traffic_schema
from weighbridge.serve.server import bind, serving
from weighbridge.serve.wiring import open_desk

LOAD_THREADS = 3
PATIENCE_SECONDS = 60


@pytest.fixture
def case(small_case):
    """Bounds that a test can break, and no deadline that a busy machine can."""
    policy = replace(small_case.policy, fallback=Fallback(deadline="1h"))
    bounds = Rollout(slowest_ms=0.4, largest_mb=8)
    return replace(small_case, policy=policy, rollout=bounds, gates=[Gate("roc_auc", at_least=0.5)])


@pytest.fixture
def stores(desk):
    return desk.stores


@pytest.fixture
def served(case, stores, clock):
    found = open_desk(case, stores, clock)
    yield found
    found.close()


@pytest.fixture
def client(served):
    with TestClient(make_app(served), raise_server_exceptions=False) as found:
        yield found


def until(true):
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_models_and_traffic_are_told(client, stores, case, served):
    champion, other = stores.registry.alias(PRODUCTION), rival(case, stores, -3.0)
    told = client.get("/models").json()
    jsonschema.validate(told, models_schema())
    assert [(m["bundle"], m["aliases"]) for m in told["models"]] == [(champion, ["production"]), (other, [])]
    assert "roc_auc" in told["models"][0]["facts"]
    answer = client.put("/traffic", json={"canary": other[:9], "share": 0.25, "shadow": other, "reason": "try it"})
    jsonschema.validate(answer.json(), moved_schema())
    assert answer.json() == {"champion": champion, "canary": {"bundle": other, "share": 0.25}, "shadow": other}
    until(lambda: client.get("/traffic").json()["serving"]["canary"] == other)
    told = client.get("/traffic").json()
    jsonschema.validate(told, traffic_schema())
    assert told["serving"] == {
        "champion": champion, "canary": other, "share": 0.25, "shadow": other, "shadow_scored": 0, "shadow_dropped": 0
    }  # fmt: skip
    assert client.put("/traffic", json={"share": 0.5}).json()["canary"] == {"bundle": other, "share": 0.5}
    assert client.put("/traffic", json={"shadow": None}).json()["shadow"] is None
    assert client.put("/traffic", json={"canary": None}).json()["canary"] is None
    moves = stores.registry.moves()
    assert [(m.alias, m.bundle, m.share, m.by) for m in moves] == [
        (CANARY, other, 0.25, "http"), (SHADOW, other, None, "http"), (CANARY, other, 0.5, "http"), (SHADOW, None, None, "http"),
        (CANARY, None, None, "http"),
    ]  # fmt: skip
    assert moves[0].reason == "try it"
    assert [body["alias"] for _, _, body in stores.log.notes(MOVED)] == [m.alias for m in moves]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"share": 0.5}, 409, "a share needs a canary"),
        ({"canary": None, "share": 0.5}, 409, "a share needs a canary"),
        ({"canary": "zzz", "share": 0.5}, 409, "names 0 registered bundles"),
        ({"shadow": "champion"}, 409, "is in production already"),
        ({"canary": "rival"}, 409, "needs its share"),
        ({"share": 2}, 422, "share"), ({"share": True}, 422, "share"), ({"share": "1"}, 422, "share"),
        ({"canary": ""}, 422, "canary"), ({"canary": 5}, 422, "canary"), ({"shadow": ["x"]}, 422, "shadow"),
        ({"other": 1}, 422, "other"), ({"reason": " "}, 422, "reason"), ({"reason": 5}, 422, "reason"),
        ({"reason": "x" * 501}, 422, "reason"),
    ],
)  # fmt: skip
def test_traffic_that_cannot_be_is_refused_and_changes_nothing(client, stores, case, body, status, says):
    named = {"champion": stores.registry.alias(PRODUCTION), "rival": rival(case, stores, -3.0)}
    body = {k: named.get(v, v) if isinstance(v, str) else v for k, v in body.items()}
    before = stores.registry.aliases()
    answer = client.put("/traffic", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]
    assert (stores.registry.aliases(), stores.registry.moves()) == (before, [])


def test_promotion_runs_the_gates_and_rollback_goes_back(client, stores, case, served):
    first, second, third = stores.registry.alias(PRODUCTION), rival(case, stores, -3.0), rival(case, stores, -3.5)
    assert client.post("/rollback", json={"reason": "there is nothing"}).status_code == 409
    assert client.post("/models/zzz/promote", json={"reason": "?"}).status_code == 404
    for wrong in ({}, {"reason": ""}, {"reason": "x", "by": "y"}):
        assert client.post(f"/models/{second}/promote", json=wrong).status_code == 422
        assert client.post("/rollback", json=wrong).status_code == 422
    client.put("/traffic", json={"canary": second, "share": 0.1})
    answer = client.post(f"/models/{second[:10]}/promote", json={"reason": "it is better"})
    jsonschema.validate(answer.json(), moved_schema())
    assert answer.json() == {"bundle": second, "alias": PRODUCTION, "before": first}
    assert CANARY not in stores.registry.aliases()  # it has arrived
    move = next(m for m in stores.registry.moves() if m.alias == PRODUCTION)
    assert (move.reason, [g["passed"] for g in move.gates]) == ("it is better", [True])
    until(lambda: served.router.champion.id == second)
    assert client.post(f"/models/{third}/promote", json={"reason": "better still"}).status_code == 200
    for back in (second, first):
        assert client.post("/rollback", json={"reason": "it was not"}).json()["bundle"] == back
    assert client.post("/rollback", json={"reason": "and on"}).status_code == 409
    promote(case, stores, served.clock, third)
    assert bundle_before(stores) == first
    assert rollback(case, stores, served.clock).figures["bundle"] == first
    until(lambda: served.router.champion.id == first)


def test_closed_gates_and_bad_bundles_are_conflicts_that_tell_why(stores, case, clock):
    strict = replace(case, gates=[Gate("roc_auc", at_least=0.5), Gate("brier", at_most=0.0)])
    other = rival(case, stores, -3.0)
    bundle, files = rival(case, stores, -3.5, add=False)
    put(stores, bundle, {**files, "card.md": b"other"})
    with TestClient(make_app(open_desk(strict, stores, clock))) as client:
        closed = client.post(f"/models/{other}/promote", json={"reason": "please"})
        assert closed.status_code == 409
        assert [g["passed"] for g in closed.json()["gates"]] == [True, False]
        assert "stays out of production" in closed.json()["detail"]
        for answer in (
            client.post(f"/models/{bundle}/promote", json={"reason": "please"}),
            client.put("/traffic", json={"canary": bundle, "share": 0.5}),
        ):
            assert answer.status_code == 409
            assert "card.md is not what was signed" in answer.json()["detail"]
    assert stores.registry.moves() == []


def test_moves_that_somebody_else_was_quicker_with_change_nothing(stores, case, clock):
    """Canary and shadow go together: the one that comes too late takes the other with it."""
    other, late = rival(case, stores, -3.0), rival(case, stores, -3.5)
    registry, seen = stores.registry, stores.registry.aliases()

    class Stale:
        def __getattr__(self, name):
            return getattr(registry, name)

        def aliases(self):
            return seen

    point(stores, SHADOW, other)
    with pytest.raises(Exception, match="moved by somebody else"):
        direct(case, replace(stores, registry=Stale()), clock, Wish(late, 0.1, late), by="me", reason="late")
    assert {name: at.bundle for name, at in registry.aliases().items()} == {
        PRODUCTION: seen[PRODUCTION].bundle,
        SHADOW: other,
    }


class AtOnce:
    """A registry whose readers all look before anybody moves."""

    def __init__(self, registry, readers):
        self._registry, self._barrier = registry, threading.Barrier(readers)

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def aliases(self):
        seen = self._registry.aliases()
        self._barrier.wait(PATIENCE_SECONDS)
        return seen


def test_of_fifty_who_promote_at_once_exactly_one_wins_each_round(stores, case, clock):
    """Two rounds here, twenty in the long form."""
    for round_ in range(20 if SOAK else 2):
        bundles = [rival(case, stores, -4.0 - round_ - number / 100) for number in range(50)]
        before, moves = stores.registry.alias(PRODUCTION), len(stores.registry.moves())
        racing = replace(stores, registry=AtOnce(stores.registry, 50))

        def attempt(bundle, racing=racing):
            try:
                return promote(case, racing, clock, bundle, by=bundle).figures["bundle"]
            except Conflict:
                return None

        with ThreadPoolExecutor(50) as pool:
            won = [bundle for bundle in pool.map(attempt, bundles) if bundle]
        (move,) = stores.registry.moves()[moves:]
        assert [stores.registry.alias(PRODUCTION)] == won == [move.bundle] == [move.by]
        assert move.before == before
        assert len(stores.log.notes(MOVED)) == round_ + 1


def test_over_http_changes_are_judged_one_at_a_time(client, stores, case):
    bundles = [rival(case, stores, -4.0 - number / 100) for number in range(50)]
    start = threading.Barrier(50)

    def attempt(bundle):
        start.wait()
        return client.post(f"/models/{bundle}/promote", json={"reason": "me"}).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(attempt, bundles))
    moves = stores.registry.moves()
    assert set(statuses) == {200, 409}
    assert statuses.count(200) == len(moves)
    assert [m.before for m in moves[1:]] == [m.bundle for m in moves[:-1]]


class Load:
    """Clients that send one new event after the other, and what they are answered."""

    def __init__(self, port):
        self.answers, self.failed, self.stopping = [], [], threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(port, number)) for number in range(LOAD_THREADS)]

    def _send(self, port, number):
        connection, sent = http.client.HTTPConnection("127.0.0.1", port, timeout=30), 0
        while not self.stopping.is_set():
            sent += 1
            body = {
                "event_id": ulid_at(CUT_US // 1, f"{number:02d}{sent:08d}".encode()), "event_ts": us_to_iso(CUT_US),
                "card_id": f"c{sent % 200:06d}", "merchant_id": f"m{sent % 40:06d}", "amount": 20.5, "country": "FR",
                "device": "web", "merchant_category": "gaming",
            }  # fmt: skip
            try:
                connection.request("POST", "/predict", json.dumps(body), {"content-type": "application/json"})
                response = connection.getresponse()
                told = json.loads(response.read())
                if response.status != 200:
                    self.failed.append(told)
                self.answers.append((time.monotonic(), told.get("model_version")))
            except (OSError, http.client.HTTPException) as fault:
                self.failed.append(repr(fault))
                connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.answers) > 20)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def some(self, count=40):
        """Wait for more answers."""
        until_ = len(self.answers) + count
        until(lambda: len(self.answers) >= until_)


@contextmanager
def under_load(desk):
    with serving(make_app(desk), bind("127.0.0.1", 0)) as port, Load(port) as load:
        yield load


@pytest.mark.slow
def test_bad_bundles_pushed_under_load_fail_no_request_and_decide_nothing(served, stores, case):
    champion = stores.registry.alias(PRODUCTION)
    kinds = bad_bundles(case, stores)
    with under_load(served) as load:
        for number, (kind, (bundle, files, says)) in enumerate(kinds.items()):
            put(stores, bundle, files)
            point(stores, PRODUCTION if number % 2 else CANARY, bundle, None if number % 2 else 1.0)
            until(lambda bundle=bundle: any(b["bundle"] == bundle for _, _, b in stores.log.notes(REFUSED)))
            load.some()
            refused = [b["reason"] for _, _, b in stores.log.notes(REFUSED) if b["bundle"] == bundle]
            assert len(refused) == 1, kind
            assert says in refused[0], kind
    assert load.failed == []
    assert {version for _, version in load.answers} == {champion[:12]}
    print(f"\n8 bad bundles, {len(load.answers):,} requests, {len(load.failed)} failed")


@pytest.mark.slow
def test_promotion_and_rollback_under_load_lose_no_request(served, stores, case, clock):
    first, second = stores.registry.alias(PRODUCTION), rival(case, stores, -3.0)
    took = []
    with under_load(served) as load:
        for number in range(10 if SOAK else 3):
            for bundle in (second, first):
                if bundle == second:
                    promote(case, stores, clock, second)
                else:
                    rollback(case, stores, clock)
                moved = time.monotonic()
                until(lambda bundle=bundle: load.answers[-1][1] == bundle[:12])
                took.append(time.monotonic() - moved)
                load.some()
            assert number >= 0
    assert load.failed == []
    decisions = stores.log.decisions()
    assert set(decisions["bundle"].to_pylist()) == {first, second}
    order = [
        b
        for a, b in zip([None, *decisions["bundle"].to_pylist()], decisions["bundle"].to_pylist(), strict=False)
        if a != b
    ]
    assert order == [first, second] * ((len(order)) // 2) + [first] * (len(order) % 2)
    assert len(order) == len(took) + 1
    print(
        f"\n{len(took)} moves, {len(load.answers):,} requests, {len(load.failed)} failed; slowest took {max(took):.2f} s"
    )


class Failing:
    """A scorer that fails on every tenth event."""

    def __init__(self, scorer):
        self._scorer, self._count = scorer, 0

    def probability(self, vectors):
        self._count += 1
        if self._count % 10 == 0:
            raise ArithmeticError("a canary's fault")
        return self._scorer.probability(vectors)


def test_a_server_takes_a_bad_canary_out_by_itself_and_every_request_is_answered(case, stores, clock):
    case = replace(case, rollout=replace(case.rollout, steps=[Step(0.5)], every="1s"))
    champion, other = stores.registry.alias(PRODUCTION), rival(case, stores, -3.0)
    desk = open_desk(case, stores, clock)
    real = desk.router.warmed
    failing = replace(real(other), scorer=Failing(real(other).scorer))
    desk.router.warmed = lambda wanted: failing if wanted == other else real(wanted)  # whenever the server looks
    with under_load(desk) as load:
        direct(case, stores, clock, Wish(other, 0.5), by="test", reason="try it")
        until(lambda: CANARY not in stores.registry.aliases())
        load.some()
    desk.close()
    assert load.failed == []
    assert stores.registry.alias(PRODUCTION) == champion
    move = stores.registry.moves()[-1]
    assert (move.by, move.bundle, move.reason.startswith("rolled back: ")) == ("rollout", None, True)
    failed = [told for told in stores.log.decisions()["degraded"].to_pylist() if told != "[]"]
    assert set(failed) == {'["canary"]'}
