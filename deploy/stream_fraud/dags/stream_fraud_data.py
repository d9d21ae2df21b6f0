"""Rendered by `weigh export airflow stream_fraud`; change the use case's stages and render again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it

with DAG(
    "stream_fraud_data",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["weighbridge", "stream_fraud"],
    default_args={"retry_delay": timedelta(minutes=5)},
):
    simulate = BashOperator(
        task_id="simulate",
        bash_command="weigh run stream_fraud simulate",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=30),
    )
    ingest = BashOperator(
        task_id="ingest",
        bash_command="weigh run stream_fraud ingest",
        cwd=PROJECT,
        retries=2,
        execution_timeout=timedelta(minutes=120),
    )
    simulate >> ingest
