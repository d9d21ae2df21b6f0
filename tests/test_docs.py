"""README and docs: their commands run, their examples are true, what is generated is fresh."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import SOAK
from tests.generated import generated
from weighbridge.identity import digest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "src").rglob("*.py")
)
DATA = Path(os.environ.get("WEIGHBRIDGE_DATA", ROOT.parent / "shared" / "data"))
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "WEIGHBRIDGE_DATA": str(DATA),
}


def commands(page: Path) -> list[str]:
    """The lines of a page's sh blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    return [re.sub(r"\s+# .*$", "", line) for block in blocks for line in block.splitlines() if line.strip()]


OURS = ("weigh ", "python -m examples.")


def ours(page: Path) -> list[str]:
    """Those of them that run this project's command, or an example."""
    return [line for line in commands(page) if line.startswith(OURS)]


TRAINED = [
    "weigh simulate card_fraud --out raw --events 12000",
    "weigh ingest card_fraud raw/card_fraud_events.parquet --labels raw/card_fraud_labels.parquet --map arrived=arrived",
    "weigh run card_fraud",
]
DEMO = "weigh demo --headless --events 24000 --home .weigh/card_fraud"
SHOWN = DEMO.replace(" --events 24000", "") if SOAK else DEMO
BENCH = "weigh bench --quick"
BEGINNINGS = Counter(tuple(lines[:n]) for lines in map(ours, PAGES) for n in range(1, len(lines) + 1))


@pytest.fixture(scope="session")
def led(once):
    """Give what brings a folder to where lines lead: a beginning that several pages have is run once, and copied."""

    def lead(lines: list[str], folder: Path) -> None:
        shared = max((n for n in range(1, len(lines) + 1) if BEGINNINGS[tuple(lines[:n])] > 1), default=0)
        begun = tuple(lines[:shared])
        if begun:
            shutil.copytree(once(digest(list(begun)), partial(begin, begun)), folder, dirs_exist_ok=True)
        for line in lines[shared:]:
            run(line, folder)

    return lead


def begin(lines: tuple[str, ...], folder: Path) -> None:
    """Run lines in an empty folder; what the demo told, and its seconds, stay in told.json."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    for line in lines:
        begun = time.monotonic()
        if line.startswith("weigh demo"):
            summary = json.loads(run(f"{line} --json", folder).splitlines()[-1])
            (folder / "told.json").write_text(json.dumps({**summary, "took_seconds": time.monotonic() - begun}))
        else:
            run(line, folder)


def run(line: str, folder: Path) -> str:
    """Run a line of ours in a folder; it ends well. Return what it printed."""
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.name)
def test_every_command_of_a_page_runs(page, tmp_path, led, request):
    lines = commands(page)
    if any("$WEIGHBRIDGE_DATA" in line for line in lines) and not DATA.is_dir():
        pytest.skip(f"third-party data are not in {DATA}; set WEIGHBRIDGE_DATA")
    for line in lines:
        if line.startswith("make "):
            subprocess.run(["make", "-n", line.split()[1]], cwd=ROOT, check=True, capture_output=True)
        elif line.startswith("curl "):
            led(TRAINED, tmp_path / "served")
            assert "decision_id" in asked(line, tmp_path / "served")
        else:
            assert line.startswith(OURS), f"{page.name} has a command that no test runs: {line}"
    if BENCH in lines:  # measured once for this page and for its test, which wants it with --json
        assert request.getfixturevalue("benched")["figures"]
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    led([line for line in ours(page) if line != BENCH], tmp_path)


def asked(line: str, folder: Path) -> str:
    """The answer to a curl line while the card_fraud home of a folder is served."""
    words = ["weigh", "serve", "card_fraud", "--port", "0"]
    server = subprocess.Popen(words, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[0]
        line = line.replace("http://127.0.0.1:8080", address)
        return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30).stdout
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("path", generated(), ids=lambda p: str(p.relative_to(ROOT)))
def test_what_is_generated_is_fresh(path):
    assert path.read_text() == generated()[path], f"{path} is stale: run `make docs`"


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_that_messages_name_exist():
    known = set(re.findall(r"^## `weigh ([\w-]+)`", (ROOT / "docs" / "cli.md").read_text(), re.M))
    texts = [p.read_text() for p in [*(ROOT / "src").rglob("*.py"), *PAGES]]
    named = {name for text in texts for name in re.findall(r"`weigh ([a-z][a-z-]*)", text)}
    assert named <= known


def test_the_case_that_ships_is_described_by_its_schema():
    schema = json.loads((ROOT / "docs" / "schema" / "card_fraud.json").read_text())
    assert schema["properties"]["card_id"]["x-pii"] == "pseudonymised"


@pytest.mark.slow
def test_the_demo_tells_its_story(tmp_path, once):
    """The first command of the README, headless; on a smaller world, that pages begin with, or in a soak its own."""
    told = once(digest([SHOWN]), partial(begin, (SHOWN,)))
    shutil.copytree(told, tmp_path, dirs_exist_ok=True)
    summary = json.loads((told / "told.json").read_text())
    assert summary["parity"]["mismatches"] == 0
    assert summary["parity"]["values"] == summary["parity"]["vectors"] * 30 > 100_000
    assert 0 < summary["seconds_to_first_decision"] < summary["seconds_loop_closed"] < summary["took_seconds"] + 5
    assert summary["ap_after"] > summary["ap_before"]
    assert summary["champion"] != summary["champion_before"]
    reports = tmp_path / ".weigh/card_fraud/reports"
    unseen = [json.loads((reports / f"training-{summary[name]}.json").read_text())["unseen_declines"]
              for name in ("champion_before", "champion")]  # fmt: skip
    assert unseen[0] == 0 < unseen[1] <= summary["decisions"]
    proof = run("weigh verify card_fraud --home .weigh/card_fraud --json", tmp_path)
    assert json.loads(proof)["values"] == summary["parity"]["values"]
