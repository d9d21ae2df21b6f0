"""Imports point down, and each third-party library stays in the rooms that may have it."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from weighbridge.serve.wiring import find_case

SOURCE = Path(__file__).parents[1] / "src" / "weighbridge"
FLOORS = {
    "__init__": 0, "errors": 0, "clock": 0, "identity": 0,
    "declare": 1, "records": 1, "ports": 1.5,  # ports speak of records
    "kernel": 2,
    "stores": 3, "learners": 3,
    "score": 4,
    "loop": 5,
    "adapters": 6, "testing": 6, "bench": 6,
    "serve": 7,
}  # fmt: skip
LIBRARIES = {
    "identity": {"ulid"},
    "ports": {"pyarrow"},
    "kernel": {"numpy", "numba", "llvmlite", "pyarrow"},
    "stores": {"numpy", "orjson", "pyarrow", "duckdb"},
    "learners": {"numpy", "optuna", "scipy", "sklearn", "lightgbm", "xgboost", "imblearn"},
    "score": {"numpy", "pyarrow", "cryptography"},
    "loop": {"numpy", "pyarrow", "scipy"},
    "adapters": {"pyarrow", "psycopg", "obstore", "stamina", "structlog", "mlflow", "requests", "alembic", "sqlalchemy", "pandas", "numpy", "yaml"},
    "serve": {"numpy", "pyarrow", "typer", "rich", "fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings",
              "structlog", "prometheus_client", "uvloop", "orjson"},
    "bench": {"numpy", "pyarrow", "pandas", "polars", "duckdb", "lightgbm", "scipy"},
    "testing": {"numpy", "pyarrow", "duckdb"},
}  # fmt: skip
CASES = sorted(module.name for module in pkgutil.iter_modules([str(SOURCE / "cases")]))
EXAMPLES = {"serve/cli/doors.py": {"card_fraud"}}  # what `weigh demo` shows where nobody names a case
FILES = sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{a.name}" for a in node.names] if node.module == "weighbridge" else [node.module]
    return found


def own(name: str) -> str | None:
    parts = name.split(".")
    return (
        None
        if parts[0] != "weighbridge"
        else parts[1]
        if len(parts) > 1 and not parts[1].startswith("__")
        else "__init__"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path):
    here = room(path)
    for name in imports(path):
        target = own(name)
        if target is None or target == here:
            continue
        if here == "cases":
            assert target == "declare", f"{path} imports {name}: a use case imports declare only"
        elif target == "cases":
            assert here == "serve", f"{path} imports {name}: only the composition root knows use cases"
        else:
            assert FLOORS[target] < FLOORS[here], (
                f"{path} (floor {FLOORS[here]}) imports {name} (floor {FLOORS[target]})"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_libraries_stay_in_their_rooms(path):
    for name in imports(path):
        top = name.split(".")[0]
        if top != "weighbridge" and top not in sys.stdlib_module_names:
            assert top in LIBRARIES.get(room(path), set()), f"{path} imports {top}"


def test_the_client_of_a_foreign_system_is_imported_by_one_file():
    users = {path.name for path in FILES if any(name.split(".")[0] == "psycopg" for name in imports(path))}
    assert users == {"postgresql.py"}


def test_optuna_is_imported_by_one_file_and_only_when_it_is_needed():
    users = {path for path in FILES if any(name.split(".")[0] == "optuna" for name in imports(path))}
    assert users == {SOURCE / "learners" / "optuna.py"}
    at_import = [node for path in users for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import)]
    assert not any(alias.name == "optuna" for node in at_import for alias in node.names)


def test_mlflow_is_imported_in_its_own_room_alone():
    users = {path.parent for path in FILES if any(name.split(".")[0] == "mlflow" for name in imports(path))}
    assert users == {SOURCE / "adapters" / "mlflow"}


def test_the_hot_path_loads_no_foreign_client(tmp_path):
    """The door with all its routes, a desk, and the command line: none of them brings in what adapters import."""
    heavy = ["mlflow", "psycopg", "obstore", "sqlalchemy", "pandas", "weighbridge.adapters.mlflow"]
    script = (
        "import sys\n"
        "import weighbridge.serve.cli, weighbridge.serve.server, weighbridge.serve.http.app, weighbridge.score.decide\n"
        "import weighbridge.serve.wiring, weighbridge.serve.mirror\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_room_has_a_floor():
    rooms = {room(path) for path in FILES} - {"cases"}
    assert rooms == set(FLOORS)


def test_score_never_sees_loop():
    assert not any(own(name) == "loop" for path in (SOURCE / "score").glob("*.py") for name in imports(path))


def test_only_settings_reads_the_environment():
    readers = [p for p in FILES if any(word in p.read_text() for word in ("os.environ", "os.getenv", "BaseSettings"))]
    assert [str(p.relative_to(SOURCE)) for p in readers] == ["serve/settings.py"]


def names_of(case) -> set[str]:
    """What only a use case's own file says: its name, its fields and tables but for words that everybody uses."""
    fields = {field.name for field in case.events.fields} | {f.name for child in case.children for f in child.fields}
    everyday = {"amount", "event_id", "event_ts", "country", "device", "label", "card_id", "user_id", "merchant_id"}
    return {case.name, *(name for name in fields if "_" in name and name not in everyday)}


def test_no_module_outside_cases_knows_a_case():
    """No identifier and no text that runs; what help and docstrings give as an example is not run."""
    known = set().union(*(names_of(find_case(name)) for name in CASES))
    assert {"stream_fraud", "transaction_amount", "SK_ID_CURR"} <= known
    for path in FILES:
        if room(path) != "cases":
            said = words_that_run(ast.parse(path.read_text())) & known
            assert not said - EXAMPLES.get(str(path.relative_to(SOURCE)), set()), f"{path} knows a use case: {said}"


def test_a_module_that_knows_a_case_is_noticed():
    assert words_that_run(ast.parse("if case.name == 'stream_fraud': pass")) >= {"stream_fraud"}
    assert words_that_run(ast.parse("row.SK_ID_CURR")) >= {"SK_ID_CURR"}


def words_that_run(tree: ast.AST) -> set[str]:
    """Names, attributes and whole texts of a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute | ast.Constant):
            found.add(str(getattr(node, "id", getattr(node, "attr", getattr(node, "value", "")))))
    return found
