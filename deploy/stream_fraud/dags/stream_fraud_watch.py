"""Rendered by `weigh export airflow stream_fraud`; change the use case's stages and render again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

PROJECT = str(Path(__file__).resolve().parents[1])  # the folder above dags/; a link leads back to it

with DAG(
    "stream_fraud_watch",
    schedule="0 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["weighbridge", "stream_fraud"],
    default_args={"retry_delay": timedelta(minutes=5)},
):
    watch = BashOperator(
        task_id="watch",
        bash_command="weigh run stream_fraud watch",
        cwd=PROJECT,
        retries=1,
        execution_timeout=timedelta(minutes=30),
    )
    retrain_is_due = BashOperator(
        task_id="retrain_is_due",
        bash_command="weigh due stream_fraud",
        cwd=PROJECT,
        skip_on_exit_code=3,
    )
    retrain = TriggerDagRunOperator(task_id="retrain", trigger_dag_id="stream_fraud_retrain")
    watch >> retrain_is_due
    retrain_is_due >> retrain
