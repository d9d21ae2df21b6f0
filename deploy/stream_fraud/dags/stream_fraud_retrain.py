"""Rendered by `weigh export airflow stream_fraud`; change the use case's stages and render again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it

with DAG(
    "stream_fraud_retrain",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["weighbridge", "stream_fraud"],
    default_args={"retry_delay": timedelta(minutes=5)},
):
    retrain = BashOperator(
        task_id="retrain",
        bash_command="weigh run stream_fraud retrain",
        cwd=PROJECT,
        retries=0,
        execution_timeout=timedelta(minutes=480),
    )
