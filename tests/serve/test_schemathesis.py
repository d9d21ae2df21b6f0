"""schemathesis over the whole served API, found from its own description: all checks, and stateful along its links.

`make test` runs a short form, the soak at least 10,000 cases (WEIGHBRIDGE_SOAK=1).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import structlog

from tests.conftest import SOAK
from weighbridge.clock import us_to_iso
from weighbridge.serve.http.app import documented
from weighbridge.serve.http.door import Door
from weighbridge.serve.http.raw import InFront
from weighbridge.serve.keys import make_key
from weighbridge.serve.logs import log_to
from weighbridge.serve.server import bind, serving

ROOT = Path(__file__).parents[2]
EXAMPLES, LEAST_CASES = (1_500, 10_000) if SOAK else (60, 1_000)
CONFIG = """
[generation]
with-security-parameters = false

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""


@pytest.fixture
def checked(desk, tmp_path):
    """Run schemathesis against the served desk, with a key for everything; return its exit code, words, and answers by status."""
    key, shown = make_key("checker", ("admin",), desk.clock.now_us(), "test")
    desk.stores.keys.add(key)
    log_to(tmp_path / "logs", "error")
    (tmp_path / "schemathesis.toml").write_text(CONFIG)

    def run(*options, examples=EXAMPLES):
        door = Door(desk)
        with bind("127.0.0.1", 0) as listening, serving(InFront(door, documented(door)), listening) as port:
            words = [
                Path(sys.executable).with_name("schemathesis"), "--config-file", tmp_path / "schemathesis.toml", "run",
                f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--max-examples", examples, "--seed", 1,
                "--header", f"X-API-Key: {shown}", "--no-color", "--continue-on-failure", *options,
            ]  # fmt: skip
            done = subprocess.run(
                list(map(str, words)), cwd=tmp_path, capture_output=True, text=True, timeout=3_600,
                env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.serve.schemathesis_hooks",
                     "DESK_NOW": us_to_iso(desk.clock.now_us())},
            )  # fmt: skip
        answers = Counter()
        for told in door.figures.told().values():
            answers.update({int(status): count for status, count in told["statuses"].items()})
        return done.returncode, done.stdout + done.stderr, answers

    yield run
    structlog.reset_defaults()


@pytest.mark.slow
def test_the_api_keeps_what_its_description_says(checked, tmp_path):
    code, words, answers = checked()
    assert code == 0, words[-6_000:]
    cases = int(re.search(r"Test cases:\s+([\d,]+) generated", words)[1].replace(",", ""))
    assert cases >= LEAST_CASES, words[-2_000:]
    assert "Stateful (in" not in words or "✅ Stateful" in words
    assert not [status for status in answers if status >= 500], answers
    assert answers[401] < 0.2 * answers.total(), answers  # else it would only have checked the lock
    assert min(answers[status] for status in (200, 400, 404, 422)) > 10, answers
    assert (tmp_path / "logs" / "weigh.jsonl").read_text() == ""


@pytest.mark.slow
def test_an_answer_that_breaks_the_description_is_found(checked, monkeypatch):
    async def wrong(self, body, call):
        return {"event_id": body["event_id"], "accepted": "yes"}

    monkeypatch.setattr(Door, "_feedback", wrong)
    code, words, _ = checked("--include-path", "/v1/feedback", "--phases", "coverage", examples=5)
    assert code == 1
    assert "Response violates schema" in words
