"""The stage table as Airflow DAGs: a file a pipeline, each task a command of ours, so that no logic stands twice."""

from __future__ import annotations

from weighbridge.adapters.exports.table import NOT_DUE, Table
from weighbridge.clock import SECOND_US
from weighbridge.declare.stages import Stage

BASH = "from airflow.providers.standard.operators.bash import BashOperator"
APPROVAL = "from airflow.providers.standard.operators.hitl import ApprovalOperator"
TRIGGER = "from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator"


def render(table: Table) -> dict[str, str]:
    """Return dags/CASE_PIPELINE.py for each pipeline, for Airflow 3.1 or later with its standard provider.

    A stage of a pipeline without a schedule is triggered by what it follows: a retrain only when `weigh due` says so.
    """
    return {f"dags/{table.case.name}_{pipeline}.py": _dag(table, pipeline) for pipeline in table.pipelines}


def _dag(table: Table, pipeline: str) -> str:
    stages, followers = table.pipelines[pipeline], table.followers(pipeline)
    own, body, edges = {stage.verb for stage in stages}, list[str](), list[str]()
    for stage in (*stages, *followers):
        doors = _doors(table, stage, here=stage in stages)
        task = _task(table, stage) if stage in stages else _trigger(table, stage)
        body += [*(line for lines in doors.values() for line in lines), *task]
        chain = [*doors, stage.verb]
        edges += [f"{verb} >> {chain[0]}" for verb in stage.after if verb in own]
        edges += [" >> ".join(chain)] if doors else []
    imports = [BASH, *([APPROVAL] if any(s.approve for s in stages) else []), *([TRIGGER] if followers else [])]
    schedule = "None" if stages[0].schedule is None else f'"{stages[0].schedule}"'
    return "\n".join([
        f'"""{table.note}"""',
        "",
        "from datetime import UTC, datetime, timedelta",
        "from pathlib import Path",
        "",
        *imports,
        "from airflow.sdk import DAG",
        "",
        'PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it',
        "",
        "with DAG(",
        f'    "{table.case.name}_{pipeline}",',
        f"    schedule={schedule},",
        "    start_date=datetime(2026, 1, 1, tzinfo=UTC),",
        "    catchup=False,",
        "    max_active_runs=1,",
        f'    tags=["weighbridge", "{table.case.name}"],',
        '    default_args={"retry_delay": timedelta(minutes=5)},',
        "):",
        *(f"    {line}" for line in [*body, *edges]),
        "",
    ])  # fmt: skip


def _doors(table: Table, stage: Stage, *, here: bool) -> dict[str, list[str]]:
    """Return the tasks before a stage: whether it is due, asked where it is begun; an approval, where it runs."""
    doors = {}
    if stage.verb == "retrain" and (stage.schedule is not None or not here):
        doors["retrain_is_due"] = [
            "retrain_is_due = BashOperator(",
            '    task_id="retrain_is_due",',
            f"    bash_command={_text(table.due())},",
            "    cwd=PROJECT,",
            f"    skip_on_exit_code={NOT_DUE},",
            ")",
        ]
    if stage.approve and here:
        name = f"approve_{stage.verb}"
        doors[name] = [
            f"{name} = ApprovalOperator(",
            f'    task_id="{name}",',
            f'    subject="{table.case.name}: may {stage.verb} go on?",',
            ")",
        ]
    return doors


def _task(table: Table, stage: Stage) -> list[str]:
    minutes = max(1, -(-stage.timeout_us // (60 * SECOND_US)))
    return [
        f"{stage.verb} = BashOperator(",
        f'    task_id="{stage.verb}",',
        f"    bash_command={_text(table.run(stage.verb))},",
        "    cwd=PROJECT,",
        f"    retries={stage.retries},",
        f"    execution_timeout=timedelta(minutes={minutes}),",
        ")",
    ]


def _trigger(table: Table, stage: Stage) -> list[str]:
    dag = f"{table.case.name}_{stage.pipeline}"
    return [f'{stage.verb} = TriggerDagRunOperator(task_id="{stage.verb}", trigger_dag_id="{dag}")']


def _text(command: str) -> str:
    """A command as Python text. Airflow reads {{ }} in it as a template, which no path of a use case may hold."""
    return '"' + command.replace("\\", "\\\\").replace('"', '\\"') + '"'
