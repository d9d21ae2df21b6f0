"""The files that stand around a declaration: tests, settings, README, Makefile, package, continuous integration."""

from __future__ import annotations

from weighbridge.adapters.exports import make
from weighbridge.adapters.exports.table import Table
from weighbridge.declare.case import UseCase
from weighbridge.serve.settings import example

IGNORED = "/.venv/\n/.weigh/\n/data/\n.env\n__pycache__/\n.pytest_cache/\n"
PACKAGE = """[project]
name = "{package}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["weighbridge[train]"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
addopts = "-q"
"""
TESTS = '''"""The use case holds what weighbridge asks of one: its contract, parity, the loop in small."""

from {name} import case
from weighbridge.testing.case_contract import CaseContract


class Test{camel}(CaseContract):
    case = case


def test_the_vector_has_the_features_that_were_declared():
    assert len(case.feature_names) == {features}
'''
MAKEFILE = """# make setup WEIGHBRIDGE=path/to/weighbridge.whl takes a wheel in place of the registry's newest.
PYTHON ?= python3
BIN ?= .venv/bin
WEIGH ?= $(BIN)/weigh
WEIGHBRIDGE ?= weighbridge

.PHONY: setup test serve

setup: $(BIN)/weigh

$(BIN)/weigh:
\ttest -x $(BIN)/python || $(PYTHON) -m venv .venv
\t$(BIN)/python -m pip install --quiet "$(WEIGHBRIDGE)[train]" pytest

test: setup
\t$(BIN)/python -m pytest

serve: setup
\t$(WEIGH) serve {name}.py

include {name}.mk
"""
WORKFLOW = """name: tests
on:
  push:
  pull_request:
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: make test
"""
README = """# {name}

A use case of weighbridge: `{name}.py` declares it, everything else reads the declaration.

```sh
make test                        # contract, parity, the loop in small
{history}
weigh run {name}.py              # vectors, training, gates, promotion
weigh serve {name}.py            # answers events over HTTP
weigh watch {name}.py            # drift, calibration, recall
weigh stages {name}.py           # what runs when; weigh export renders it for make, dvc, airflow, github
```

What is marked DECIDE in `{name}.py` was guessed, or cannot be seen in a file. The home, with its log and keys, is
`.weigh/{name}`; settings are in `.env.example`. `{name}.mk` is rendered by `weigh export make {name}.py`.
"""


def project(case: UseCase, declaration: str, history: str) -> dict[str, str]:
    """Return the files of a project by path; `history` is the command that brings the first data in."""
    name = case.name
    camel = "".join(part.capitalize() for part in name.split("_"))
    return {
        f"{name}.py": declaration,
        f"tests/test_{name}.py": TESTS.format(name=name, camel=camel, features=len(case.feature_names)),
        "pyproject.toml": PACKAGE.format(package=name.replace("_", "-")),
        "Makefile": MAKEFILE.format(name=name),
        **make.render(Table(case, f"{name}.py", "make")),
        ".env.example": example(),
        ".gitignore": IGNORED,
        ".github/workflows/tests.yml": WORKFLOW,
        "README.md": README.format(name=name, history=history),
    }
