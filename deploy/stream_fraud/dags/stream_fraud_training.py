"""Rendered by `weigh export airflow stream_fraud`; change the use case's stages and render again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it

with DAG(
    "stream_fraud_training",
    schedule="0 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["weighbridge", "stream_fraud"],
    default_args={"retry_delay": timedelta(minutes=5)},
):
    build = BashOperator(
        task_id="build",
        bash_command="weigh run stream_fraud build",
        cwd=PROJECT,
        retries=1,
        execution_timeout=timedelta(minutes=120),
    )
    validate = BashOperator(
        task_id="validate",
        bash_command="weigh run stream_fraud validate",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=30),
    )
    train = BashOperator(
        task_id="train",
        bash_command="weigh run stream_fraud train",
        cwd=PROJECT,
        retries=1,
        execution_timeout=timedelta(minutes=360),
    )
    gate = BashOperator(
        task_id="gate",
        bash_command="weigh run stream_fraud gate",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=30),
    )
    promote = BashOperator(
        task_id="promote",
        bash_command="weigh run stream_fraud promote",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=10),
    )
    build >> validate
    validate >> train
    train >> gate
    gate >> promote
