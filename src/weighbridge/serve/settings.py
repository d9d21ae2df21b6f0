"""The only reader of the environment: variables WEIGH_* and a `.env` file, checked and with defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from weighbridge.errors import InputError


class Settings(BaseSettings):
    """What can be set from outside; every value can also be given on the command line."""

    model_config = SettingsConfigDict(env_prefix="WEIGH_", env_file=".env", extra="ignore", env_nested_delimiter="__")

    home: Path | None = Field(
        None, description="folder that holds logs, bundles, keys and reports; default .weigh/CASE"
    )
    host: str = Field(
        "127.0.0.1",
        pattern=r"^[A-Za-z0-9.:_%-]{1,253}$",
        description="address to serve on; one beyond loopback only once the home has an API key",
    )
    port: int = Field(8080, ge=0, le=65535, description="port to serve on; 0 takes a free one")
    acknowledge: Literal["synced", "written"] = Field(
        "synced", description="answer after an fsync (synced) or when the operating system has the write (written)"
    )
    hot_events: int = Field(
        1_000_000, ge=0, description="newest events and labels that stay hot; a server that starts seals older ones"
    )
    build_memory_mb: int = Field(
        2048, ge=16, description="memory for building vectors, MiB; a larger history is built in parts over files"
    )
    state_memory_mb: int = Field(
        1024, ge=16, description="memory for the histories of keys, MiB; beyond it they live in a file of the home"
    )
    api_key: SecretStr | None = Field(None, description="API key that `weigh produce --to http://...` shows")
    sandbox: bool = Field(
        False,
        description="take outcomes that callers force with X-Weigh-Test, to try what they build",
    )
    alert: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="addresses of the sinks of alerts, each a variable of its own: WEIGH_ALERT__WEBHOOK and "
        "WEIGH_ALERT__SLACK (a URL), WEIGH_ALERT__PAGERDUTY (a routing key), WEIGH_ALERT__EMAIL (an smtps URL), "
        "WEIGH_ALERT__FILE (a path)",
    )
    source: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="addresses of declared sources with their secrets, each a variable of its own: WEIGH_SOURCE__NAME",
    )
    storage: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="options of the clients of s3://, az:// and gs://, each a variable of its own, such as "
        "WEIGH_STORAGE__AWS_ACCESS_KEY_ID and WEIGH_STORAGE__AWS_ENDPOINT; their own variables count too",
    )
    mlflow_uri: str | None = Field(
        None,
        description="MLflow that mirrors runs, bundles and moves: sqlite:///mlflow.db or https://SERVER; default off",
    )
    mlflow_name: str | None = Field(
        None, description="name of the experiment and the registered model in MLflow; default the name of the use case"
    )
    mlflow_artifacts: str | None = Field(
        None,
        description="where a new experiment keeps its files, s3://BUCKET/... for one; default MLflow's server knows",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_to_stdout: bool = Field(False, description="write the log's lines to stdout too, not only to the home's logs/")


def read_settings(**given: object) -> Settings:
    """Return the settings; `given` (not None) goes before the environment. Raises InputError naming the bad one."""
    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as fault:
        first = fault.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        raise InputError(f"setting {name} (WEIGH_{name.upper()}): {first['msg']}") from None


def example() -> str:
    """Return a .env file that names every setting, each behind a comment sign."""
    lines = ["# Copy to .env; every variable is optional.", ""]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, {}) else default
        lines += [f"# {field.description}", f"# WEIGH_{name.upper()}={shown}", ""]
    return "\n".join(lines)
