"""Rendered by `weigh export airflow home_credit`; change the use case's stages and render again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it

with DAG(
    "home_credit_nightly",
    schedule="0 1 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["weighbridge", "home_credit"],
    default_args={"retry_delay": timedelta(minutes=5)},
):
    ingest = BashOperator(
        task_id="ingest",
        bash_command="weigh run home_credit ingest",
        cwd=PROJECT,
        retries=2,
        execution_timeout=timedelta(minutes=120),
    )
    build = BashOperator(
        task_id="build",
        bash_command="weigh run home_credit build",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=120),
    )
    validate = BashOperator(
        task_id="validate",
        bash_command="weigh run home_credit validate",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=120),
    )
    train = BashOperator(
        task_id="train",
        bash_command="weigh run home_credit train",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=360),
    )
    gate = BashOperator(
        task_id="gate",
        bash_command="weigh run home_credit gate",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=120),
    )
    promote = BashOperator(
        task_id="promote",
        bash_command="weigh run home_credit promote",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=120),
    )
    watch = BashOperator(
        task_id="watch",
        bash_command="weigh run home_credit watch",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=120),
    )
    freshness = BashOperator(
        task_id="freshness",
        bash_command="weigh run home_credit freshness",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=10),
    )
    ingest >> build
    build >> validate
    validate >> train
    train >> gate
    gate >> promote
    promote >> watch
    ingest >> freshness
