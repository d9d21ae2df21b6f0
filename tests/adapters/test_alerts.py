"""Every sink that ships passes the suite, against real sockets; what it cannot use it refuses, and it tells no secret."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
import structlog

from tests.adapters.receivers import mails, posts
from tests.stores.suites import failing
from weighbridge.adapters.alerts import email, file, log, pagerduty, slack, webhook
from weighbridge.errors import AlertFailure
from weighbridge.ports import AlertSink
from weighbridge.serve.settings import read_settings
from weighbridge.serve.sinks import Guarded, sinks_of
from weighbridge.testing.alert_contract import SAMPLE, AlertSinkContract


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class OverHttp(AlertSinkContract):
    secret = "T0P/S3CRET"
    maker = None

    @pytest.fixture(autouse=True)
    def _server(self):
        with posts() as self.server:
            yield

    def address(self, port):
        return f"http://127.0.0.1:{port}/{self.secret}?x=1"

    def make(self) -> tuple[AlertSink, object]:
        sink = type(self).maker(self.address(self.server.server_port))
        return sink, lambda: [json.dumps(body, ensure_ascii=False) for _, _, body in self.server.got]

    def away(self):
        return type(self).maker(self.address(closed_port()))

    @pytest.mark.parametrize("status", [302, 400, 429, 500])
    def test_an_answer_that_is_no_2xx_is_a_failure(self, status):
        sink, _ = self.make()
        self.server.status = status
        with pytest.raises(AlertFailure, match=f"it answered {status}"):
            sink.send(SAMPLE)


class TestWebhook(OverHttp):
    maker = staticmethod(webhook.make)

    def test_its_shape(self):
        sink, _ = self.make()
        sink.send(SAMPLE)
        ((path, kind, body),) = self.server.got
        assert (path, kind) == (f"/{self.secret}?x=1", "application/json")
        assert (body["key"], body["severity"], body["details"]["rows"]) == (SAMPLE.key, "severe", 4_300)
        assert body["at"] == "2026-05-28T20:26:40.000000Z"


class TestSlack(OverHttp):
    maker = staticmethod(slack.make)

    def test_its_shape(self):
        sink, _ = self.make()
        sink.send(SAMPLE)
        body = self.server.got[0][2]
        assert set(body) == {"text", "blocks"}
        assert all(b["type"] == "section" and len(b["text"]["text"]) <= 3_000 for b in body["blocks"])
        assert body["blocks"][0]["text"]["text"].startswith(":large_orange_circle: *cards: severe drift*")


class TestPagerDuty(OverHttp):
    maker = staticmethod(pagerduty.make)

    def address(self, port):
        return f"http://R0UTING@127.0.0.1:{port}/v2/enqueue"

    secret = "R0UTING"

    def test_its_shape(self):
        sink, _ = self.make()
        sink.send(SAMPLE)
        path, _, body = self.server.got[0]
        assert path == "/v2/enqueue"
        assert (body["routing_key"], body["event_action"], body["dedup_key"]) == ("R0UTING", "trigger", SAMPLE.key)
        told = body["payload"]
        assert (told["severity"], told["source"], told["class"]) == ("error", "cards", "drift")
        assert len(told["summary"]) <= 1_024

    def test_a_bare_key_goes_to_the_service(self):
        assert pagerduty.make("R0UTING")._url.geturl() == "https://events.pagerduty.com/v2/enqueue"


class TestEmail(AlertSinkContract):
    secret = "127.0.0.1"

    @pytest.fixture(autouse=True)
    def _server(self):
        with mails() as self.server:
            yield

    def sink(self, port, to="ana@bank.example,ben@bank.example"):
        return email.make(f"smtp://127.0.0.1:{port}/?from=risk@bank.example&to={to}")

    def make(self) -> tuple[AlertSink, object]:
        def arrived():
            return [f"{m['Subject']}\n{m.get_content()}" for _, m in self.server.got]

        return self.sink(self.server.server_address[1]), arrived

    def away(self):
        return self.sink(closed_port())

    def test_its_shape(self):
        self.make()[0].send(SAMPLE)
        ((to, message),) = self.server.got
        assert to == ("ana@bank.example", "ben@bank.example")
        assert (message["From"], message["Subject"]) == ("risk@bank.example", "[severe] cards: severe drift")
        assert message["Bcc"] is None

    def test_a_receiver_that_is_refused_is_told(self):
        with pytest.raises(AlertFailure, match="1 of 2 receivers were refused"):
            self.sink(self.server.server_address[1], "ana@bank.example,nobody@bank.example").send(SAMPLE)


class TestFile(AlertSinkContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def make(self) -> tuple[AlertSink, object]:
        path = self.folder / "alerts.jsonl"
        return file.make(str(path)), lambda: [
            json.dumps(json.loads(line), ensure_ascii=False) for line in path.read_text().splitlines()
        ]

    def away(self):
        return file.make(str(self.folder / "missing" / "alerts.jsonl"))


class TestLog(AlertSinkContract):
    @pytest.fixture(autouse=True)
    def _lines(self):
        with structlog.testing.capture_logs() as self.lines:
            yield

    def make(self) -> tuple[AlertSink, object]:
        return log.make(""), lambda: [str(line) for line in self.lines]

    def away(self):
        return None


class Broken:
    """Takes every second alert, in one line."""

    def __init__(self):
        self.got, self.calls = [], 0

    def send(self, alert):
        self.calls += 1
        if self.calls % 2:
            self.got.append(alert.title)


def test_the_suite_finds_what_is_wrong_with_a_sink():
    def make():
        sink = Broken()
        return sink, lambda: sink.got

    class Suite(AlertSinkContract):
        def away(self):
            return Broken()

    assert len(failing(Suite(), make)) == 4


UNUSABLE = {
    webhook.make: ["", "ftp://a/b", "https://", "http://[::1", "http://a:99999999/", "http://a/\r\nX: y", "nowhere"],
    slack.make: ["", "hooks.slack.com/services/S3CRET"],
    pagerduty.make: ["", "https://events.pagerduty.com/v2/enqueue", "ftp://KEY@host"],
    email.make: ["", "smtp://host", "smtp://host/?from=a@b", "smtp://host/?from=a@b&to=nobody", "http://host/?from=a@b&to=c@d",
                 "smtp://u:pw@host/?from=a@b&to=c@d", "smtp://host/?from=a@b%0d%0aBcc:x@y&to=c@d", "smtp://h:x/?from=a@b&to=c@d"],
    file.make: ["", "a\0b"],
    log.make: ["somewhere"],
}  # fmt: skip


@pytest.mark.parametrize(("make", "address"), [(m, a) for m, all_ in UNUSABLE.items() for a in all_])
def test_an_unusable_address_is_refused_and_not_told(make, address):
    with pytest.raises(AlertFailure) as refused:
        make(address)
    assert not address or len(address) < 5 or address not in str(refused.value)


def test_sinks_are_found_by_name_with_their_settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGH_ALERT__FILE", str(tmp_path / "alerts.jsonl"))
    (tmp_path / ".env").write_text("WEIGH_ALERT__PAGERDUTY=R0UTING\n")
    settings = read_settings()
    assert "R0UTING" not in repr(settings)
    find = sinks_of(settings.alert)
    find("file").send(SAMPLE)
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["run"] == SAMPLE.run
    find("pagerduty")
    with pytest.raises(AlertFailure, match="set WEIGH_ALERT__SLACK to its https URL"):
        find("slack")
    with pytest.raises(AlertFailure, match="no sink of this name is installed; there are email, file, log"):
        find("pigeon")


class Hangs:
    def __init__(self):
        self.go_on = threading.Event()

    def send(self, alert):
        self.go_on.wait(60)


class Explodes:
    def send(self, alert):
        raise KeyError("https://hooks.example/S3CRET")


def test_a_sink_that_hangs_or_explodes_is_left_behind():
    hanging, begun = Hangs(), time.monotonic()
    with pytest.raises(AlertFailure, match=r"did not answer within 0\.05 s"):
        Guarded(hanging, 0.05).send(SAMPLE)
    assert time.monotonic() - begun < 30
    hanging.go_on.set()
    with pytest.raises(AlertFailure, match=r"it failed \(KeyError\)"):
        Guarded(Explodes()).send(SAMPLE)
