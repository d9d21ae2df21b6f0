"""Files for other schedulers: rendered from the stage table, valid for their own tools, equal to what is committed."""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.adapters.environments import environment
from tests.conftest import SOAK
from weighbridge.adapters.exports import airflow, dvc, github, make
from weighbridge.adapters.exports.table import NOT_DUE, Table
from weighbridge.cases.card_fraud import case
from weighbridge.declare import Stage, nightly_stages
from weighbridge.errors import InputError
from weighbridge.serve.cli import app

TOOLS = {"make": make, "dvc": dvc, "airflow": airflow, "github": github}
APPROVED = replace(case, stages=[replace(s, approve=s.verb in ("promote", "retrain")) for s in case.stages])
NIGHTLY = replace(case, stages=[*nightly_stages(), Stage("retrain", ["watch"], "0 1 * * *", "nightly")])
CASES = {"standard": case, "approved": APPROVED, "nightly": NIGHTLY, "bare": replace(case, stages=[Stage("build")])}


def files(tool, of=case, called="card_fraud"):
    return TOOLS[tool].render(Table(of, called, tool))


@pytest.fixture(params=CASES)
def table(request):
    return CASES[request.param]


def test_make_runs_the_stages_in_their_order(table, tmp_path):
    (name, text), *_ = files("make", table).items()
    (tmp_path / name).write_text(text)
    for pipeline, stages in Table(table, "card_fraud", "make").pipelines.items():
        target = f"card_fraud-{pipeline}" if f"card_fraud-{pipeline}:" in text else f"card_fraud-{stages[-1].verb}"
        done = subprocess.run(
            ["make", "--no-print-directory", "-n", "-f", name, target],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        said = [line.split()[-1] for line in done.stdout.splitlines()]
        assert said[-len(stages) :] == [stage.verb for stage in stages]
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "-f", name], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert told.split("\n")[0].startswith("weigh run card_fraud ")


def test_make_follows_watch_with_the_retrain(tmp_path):
    (tmp_path / "m").write_text(files("make")["card_fraud.mk"])
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-f", "m", "card_fraud-retrain", "WEIGH=w"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["w run card_fraud watch", "w run card_fraud retrain"]


def test_dvc_has_the_same_order(table):
    stages = yaml.safe_load(files("dvc", table)["dvc.yaml"])["stages"]
    assert list(stages) == [stage.verb for stage in table.stages]
    made = {}
    for name, stage in stages.items():
        for out in [*stage.get("outs", ()), *stage.get("metrics", ())]:
            made[out if isinstance(out, str) else next(iter(out))] = name
    for stage in table.stages:
        before = {made[dep] for dep in stages[stage.verb].get("deps", ()) if dep in made}
        assert before == set(stage.after)
        assert stages[stage.verb]["cmd"] == f"weigh run card_fraud {stage.verb}"
    own = yaml.safe_load(files("dvc", table, called="my/case.py")["dvc.yaml"])["stages"]
    assert all("my/case.py" in stage["deps"] for stage in own.values())


def dag_of(text):
    """The tasks of a DAG file with what each runs, and its edges, read from its syntax."""
    tasks, edges = {}, set()
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "id", "")[-8:] == "Operator"
        ):
            given = {k.arg: k.value.value for k in node.value.keywords if isinstance(k.value, ast.Constant)}
            assert given["task_id"] == node.targets[0].id
            tasks[given["task_id"]] = given.get("bash_command") or given.get("trigger_dag_id") or given.get("subject")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
            left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
            edges.add((left.id, node.right.id))
    return tasks, edges


def test_airflow_tasks_are_our_commands_in_our_order(table):
    rendered = files("airflow", table)
    assert len(rendered) == len({stage.pipeline for stage in table.stages})
    found = {}
    for text in rendered.values():
        compile(text, "dag", "exec")
        tasks, edges = dag_of(text)
        found |= {name: what for name, what in tasks.items() if what.startswith("weigh run")}
        for left, right in edges:
            assert left in tasks
            assert right in tasks
    assert found == {stage.verb: f"weigh run card_fraud {stage.verb}" for stage in table.stages}


def test_airflow_retrains_when_it_is_due():
    tasks, edges = dag_of(files("airflow")["dags/card_fraud_watch.py"])
    assert tasks == {
        "watch": "weigh run card_fraud watch",
        "retrain_is_due": "weigh due card_fraud",
        "retrain": "card_fraud_retrain",
    }
    assert edges == {("watch", "retrain_is_due"), ("retrain_is_due", "retrain")}
    assert f"skip_on_exit_code={NOT_DUE}" in files("airflow")["dags/card_fraud_watch.py"]
    tasks, edges = dag_of(files("airflow", NIGHTLY)["dags/card_fraud_nightly.py"])
    assert {("watch", "retrain_is_due"), ("retrain_is_due", "retrain")} <= edges
    assert tasks["retrain"] == "weigh run card_fraud retrain"


def test_an_approval_stands_before_its_stage():
    _, edges = dag_of(files("airflow", APPROVED)["dags/card_fraud_training.py"])
    assert edges == {
        ("build", "validate"),
        ("validate", "train"),
        ("train", "gate"),
        ("gate", "approve_promote"),
        ("approve_promote", "promote"),
    }
    jobs = yaml.safe_load(files("github", APPROVED)[".github/workflows/card_fraud.yml"])["jobs"]
    assert jobs["training-promote"]["environment"] == "production"
    assert jobs["training-promote"]["needs"] == ["training"]
    assert "environment" not in jobs["training"]


def test_what_follows_waits_for_its_approval_too_and_only_when_it_is_due(tmp_path):
    jobs = yaml.safe_load(files("github", APPROVED)[".github/workflows/card_fraud.yml"])["jobs"]
    assert "environment" not in jobs["watch"]
    assert [step["name"] for step in jobs["watch"]["steps"] if "run" in step] == ["watch", "due"]
    after = jobs["watch-retrain"]
    assert (after["environment"], after["needs"]) == ("production", ["watch"])
    assert "needs.watch.outputs.due == 'true'" in after["if"]
    (due,) = (step["run"] for step in jobs["watch"]["steps"] if step.get("id") == "due")
    for code, fails, told in ((0, 0, "due=true\n"), (NOT_DUE, 0, ""), (1, 1, "")):
        (tmp_path / "weigh").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "weigh").chmod(0o755)
        (tmp_path / "output").write_text("")
        there = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_OUTPUT": str(tmp_path / "output")}
        assert subprocess.run(["bash", "-e", "-c", due], env=there).returncode == fails
        assert (tmp_path / "output").read_text() == told


def test_github_runs_each_schedule_once(table):
    workflow = yaml.safe_load(files("github", table)[".github/workflows/card_fraud.yml"])
    assert list(workflow) == ["name", "on", "permissions", "concurrency", "jobs"]
    crons = {entry["cron"] for entry in workflow["on"].get("schedule", ())}
    assert crons == {stage.schedule for stage in table.stages if stage.schedule}
    for stage in table.stages:
        if stage.schedule:
            jobs = [job for job in workflow["jobs"].values() if f"'{stage.schedule}'" in job["if"]]
            names = [step["name"] for job in jobs for step in job["steps"] if "run" in step]
            assert names.count(stage.verb) == 1


@given(st.lists(st.sampled_from(["simulate", "ingest", "build", "validate", "train", "gate", "promote", "watch", "retrain"]), min_size=1, unique=True),
       st.data())  # fmt: skip
def test_every_table_renders_to_what_parses(verbs, data):
    stages = []
    for n, verb in enumerate(verbs):
        after = data.draw(st.lists(st.sampled_from(verbs[:n]), unique=True)) if n else []
        pipeline = data.draw(st.sampled_from(["one", "two"]))
        schedule = {"one": "0 1 * * *", "two": None}[pipeline]
        stages.append(Stage(verb, after, schedule, pipeline, approve=data.draw(st.booleans()), retries=n % 3))
    made = replace(case, stages=stages)
    for text in files("airflow", made).values():
        dag_of(text)
    assert len(yaml.safe_load(files("dvc", made)["dvc.yaml"])["stages"]) == len(verbs)
    jobs = yaml.safe_load(files("github", made)[".github/workflows/card_fraud.yml"])["jobs"]
    run = [step["name"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {name for name in run if name != "due"} == set(verbs)
    for job in jobs.values():
        approved = {s.verb for s in stages if s.approve} & {step.get("name") for step in job["steps"]}
        assert bool(approved) == ("environment" in job)


def exported(*words, code=0):
    done = CliRunner().invoke(app, ["export", *words])
    assert done.exit_code == code, (done.output, done.exception)
    return done


@pytest.mark.parametrize("tool", TOOLS)
def test_check_tells_what_differs(tool, tmp_path):
    words = (tool, "card_fraud", "--out", str(tmp_path))
    assert "is not there" in exported(*words, "--check", code=1).output
    exported(*words)
    exported(*words, "--check")
    path = next(path for path in tmp_path.rglob("*") if path.is_file() and path.name != "card_fraud_data.py")
    path.write_text(path.read_text().replace("run card_fraud", "run other"))
    told = exported(*words, "--check", code=1).output
    assert "-" in told
    assert "run other" in told
    exported(*words)
    exported(*words, "--check")


def test_what_is_no_longer_rendered_goes(tmp_path):
    words = ("airflow", "card_fraud", "--out", str(tmp_path))
    exported(*words)
    old = tmp_path / "dags" / "card_fraud_old.py"
    shutil.copy(tmp_path / "dags" / "card_fraud_data.py", old)
    assert "no longer rendered" in exported(*words, "--check", code=1).output
    exported(*words)
    assert not old.exists()


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    done = CliRunner().invoke(app, ["export", "dvc", "card_fraud", "--out", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert (tmp_path / "dvc.yaml").read_text() == "stages: {}\n"


@pytest.mark.parametrize("path", ["/tmp/case.py", "../case.py", "a'b.py", "{{x}}.py"])
def test_a_path_that_no_command_line_should_hold_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", "make", path])
    assert isinstance(done.exception, InputError)


BAG = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"errors": bag.import_errors, "dags": {name: sorted(dag.task_ids) for name, dag in bag.dags.items()}}))
"""


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="makes an environment with Airflow: WEIGHBRIDGE_SOAK=1")
def test_airflow_imports_the_dags(tmp_path):
    tools = environment(tmp_path / "venv", "apache-airflow-core>=3.1", "apache-airflow-providers-standard")
    for name, of in (("standard", case), ("approved", APPROVED), ("nightly", NIGHTLY)):
        folder = tmp_path / name
        for path, text in files("airflow", of).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dag.py").write_text("from airflow.sdk import DAG\nDAG(1, 2, 3)\n")
    bags = {name: bag_of(tools, tmp_path, name) for name in ("standard", "approved", "nightly", "broken")}
    assert bags["broken"]["errors"]
    assert not any(bags[name]["errors"] for name in ("standard", "approved", "nightly"))
    assert bags["standard"]["dags"]["card_fraud_watch"] == ["retrain", "retrain_is_due", "watch"]
    assert len(bags["standard"]["dags"]) == 4
    assert "approve_promote" in bags["approved"]["dags"]["card_fraud_training"]


def bag_of(tools, tmp_path, name):
    env = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "PATH": f"{tools}:/usr/bin:/bin",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    words = [str(tools / "python"), "-c", BAG, str(tmp_path / name)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_imports_the_dags_where_it_is_installed(tmp_path):
    if importlib.util.find_spec("airflow") is None:
        pytest.skip("airflow is not installed here; make soak imports the DAGs in an environment of its own")
    (tmp_path / "dags").mkdir()
    for path, text in files("airflow").items():
        (tmp_path / path).write_text(text)
    assert not bag_of(Path(sys.executable).parent, tmp_path, "dags")["errors"]


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="makes an environment with DVC: WEIGHBRIDGE_SOAK=1")
def test_dvc_plans_and_runs_the_stages(tmp_path):
    """DVC itself reads the file, plans all of it, runs a part, and sees afterwards that it is up to date."""
    tools = environment(tmp_path / "venv", "dvc>=3.60")
    project = tmp_path / "project"
    project.mkdir()
    (project / "case.py").write_text(
        "from dataclasses import replace\nfrom tests.fixtures.tiny_fraud import case as tiny\ncase = replace(tiny, name='mine')\n"
    )
    root = Path(__file__).parents[2]
    env = {"PATH": f"{Path(sys.executable).parent}:{tools}:/usr/bin:/bin", "PYTHONPATH": str(root), "HOME": str(tmp_path),
           "DVC_NO_ANALYTICS": "1"}  # fmt: skip

    def asked(*words, code=0):
        done = subprocess.run([*words], cwd=project, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout

    asked("weigh", "export", "dvc", "case.py")
    asked("git", "init", "-q")
    asked("dvc", "init", "-q")
    assert [line.split()[0] for line in asked("dvc", "stage", "list").splitlines()] == [s.verb for s in case.stages]
    asked("dvc", "repro", "promote")
    again = asked("dvc", "repro", "promote")
    assert "Stage 'train' didn't change, skipping" in again
    planned = asked("dvc", "repro", "--dry", "--force", "promote")  # which wants the files of an earlier run
    commands = [line.split()[-1] for line in planned.splitlines() if line.startswith(">")]
    assert commands == [s.verb for s in case.stages][:7]
    assert json.loads(asked("dvc", "metrics", "show", "--json"))
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("cmd:", "command:"))
    asked("dvc", "repro", "--dry", code=255)


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="makes an environment with actionlint: WEIGHBRIDGE_SOAK=1")
def test_actionlint_accepts_the_workflows(tmp_path):
    tools = environment(tmp_path / "venv", "check-jsonschema")
    for name, of in CASES.items():
        path = tmp_path / f"{name}.yml"
        path.write_text(files("github", of)[".github/workflows/card_fraud.yml"])
        words = [str(tools / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(path)]
        assert subprocess.run(words, capture_output=True).returncode == 0
    path.write_text(path.read_text().replace("runs-on:", "runs_on:"))
    assert subprocess.run(words, capture_output=True).returncode == 1


def test_another_use_cases_file_is_not_replaced(tmp_path):
    exported("dvc", "card_fraud", "--out", str(tmp_path))
    kept = (tmp_path / "dvc.yaml").read_text()
    with pytest.raises(InputError, match="is that of `weigh export dvc card_fraud`"):
        CliRunner().invoke(app, ["export", "dvc", "stream_fraud", "--out", str(tmp_path)], catch_exceptions=False)
    assert (tmp_path / "dvc.yaml").read_text() == kept
