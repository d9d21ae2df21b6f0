"""A copy of the package with one thing wrong in it, to see that a test notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import SOAK

SOURCE = Path(__file__).parents[1] / "src" / "weighbridge"
EVERY = 3


def some(mutants: Mapping[str, object]) -> list[str]:
    """Return the names of mutants, the unmutated copy first: all of them in a soak, every third in `make test`."""
    names = list(mutants)
    return names if SOAK else [names[0], *names[1::EVERY]]


def printed_by_mutant(folder: Path, file: str, right: str, wrong: str, check: str) -> int:
    """Return the number that `check` prints, run in plain Python on a package in which `wrong` replaces `right`.

    A check that breaks with an error has noticed, too: 1.
    """
    shutil.copytree(SOURCE, folder / "weighbridge", ignore=shutil.ignore_patterns("*.nb[ic]"))
    path = folder / "weighbridge" / file
    assert path.read_text().count(right) == 1
    path.write_text(path.read_text().replace(right, wrong))
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{folder}:{SOURCE.parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", check], env=environment, capture_output=True, text=True, check=False
    )
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 1
