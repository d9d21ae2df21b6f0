"""What has outgrown itself, what hides a fault, and names that say nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 260, 75
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])
DOORS = "serve"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_has_outgrown_itself(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE, f"{path} is long: divide it by meaning"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_say_something(path):
    assert not EMPTY_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_except_hides_a_fault(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"everything"}
            broad = caught & {"everything", "Exception", "BaseException"}
            assert not broad or DOORS in path.parts, f"{path}:{node.lineno} catches {broad}"


def test_no_pickle():
    for path in SOURCES:
        names = {
            n.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import) for n in node.names
        }
        assert not names & {"pickle", "joblib", "dill", "cloudpickle"}, path


def test_nothing_names_this_machine_or_a_registry():
    for path in [
        *SOURCES,
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "requirements").glob("*.txt"),
        ROOT / "Makefile",
    ]:
        text = path.read_text()
        assert not any(word in text for word in ("/work/", "/root/", "index-url =", "pypi.", "files.pythonhosted")), (
            path
        )
