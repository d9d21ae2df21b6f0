"""Environments of their own for systems whose libraries do not go with ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def environment(folder, *packages):
    """Make an environment with packages and return the folder of its commands; skip where uv is not."""
    uv = shutil.which("uv") or str(Path(sys.prefix) / "uv" / "bin" / "uv")
    if not Path(uv).is_file():
        pytest.skip("uv is not here to make an environment with")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    words = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages]
    subprocess.run(words, check=True, capture_output=True, timeout=1_200)
    return folder / "bin"
