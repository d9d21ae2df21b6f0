"""The guides of docs/extend: what each shows is run, under the suite that its author would run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGES = sorted((Path(__file__).parents[1] / "docs" / "extend").glob("*.md"))


FAULTS = {
    "source": ("yield content[start:]", "yield content"),
    "alert_sink": ("alert.sentence", "''"),
    "store": ("if verb in", "if None in"),
    "metric": ("[last]", ""),
}


def test_the_examples_of_the_guides_pass_their_suites_and_with_a_fault_they_would_not(tmp_path):
    assert len(PAGES) == 6
    for page in PAGES:
        code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
        assert "Contract):" in code, f"{page.name} shows no suite"
        (tmp_path / f"test_{page.stem}.py").write_text(code)
        if page.stem in FAULTS:
            assert FAULTS[page.stem][0] in code
            (tmp_path / f"test_faulty_{page.stem}.py").write_text(code.replace(*FAULTS[page.stem]))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    failed = set(re.findall(r"^FAILED test_(\w+)\.py", done.stdout, re.M))
    assert failed == {f"faulty_{name}" for name in FAULTS}, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 30
