"""One experiment and one registered model of an MLflow, of which a home is the only owner."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from weighbridge.errors import Conflict, InputError, MissingExtra, StoreFailure

try:
    import mlflow
    import mlflow.environment_variables as settings
    import mlflow.store.db.utils as engines
    import requests
    from alembic.util import CommandError
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.exceptions import MlflowException
    from mlflow.telemetry import set_telemetry_client
    from sqlalchemy.exc import SQLAlchemyError
except ImportError:
    raise MissingExtra("mlflow", "mlflow") from None

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
FORMS = "sqlite:///FILE, https://SERVER, or the URL of an MLflow database"
HOME = "weigh.home"  # the tag that names the owner: the id of the home's key
PATIENCE = {  # MLflow's own would keep a loop waiting for minutes when its server is away
    settings.MLFLOW_HTTP_REQUEST_TIMEOUT: 20,
    settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES: 1,
    settings.MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: 0.1,
}
FAULTS = (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError)  # ImportError: boto3 for s3://


@dataclass(frozen=True)
class Address:
    """Where MLflow is, and what experiment and registered model are called there.

    `artifacts` is where a new experiment keeps its files; None is beside an SQLite file, or what a server chooses.
    Raises InputError, which never holds the URL: it may hold a password.
    """

    uri: str = field(repr=False)
    name: str
    artifacts: str | None = None

    def __post_init__(self) -> None:
        try:
            scheme = urlsplit(self.uri).scheme.partition("+")[0]
        except ValueError:
            raise InputError(f"the URL of MLflow cannot be read; write {FORMS}") from None
        if scheme not in (*DATABASES, "http", "https") or (scheme == "sqlite" and not self._file):
            raise InputError(f"the URL of MLflow is none that MLflow 3 keeps runs in; write {FORMS}")
        if scheme in DATABASES[1:] and self.artifacts is None:
            raise InputError("MLflow's database holds no files; say where they go with WEIGH_MLFLOW_ARTIFACTS (s3://…)")
        if not self.name.strip() or len(self.name) > 250 or any(c in "/:.%\"'" for c in self.name):
            raise InputError(f"{self.name!r} cannot name a model in MLflow; use letters, digits, _ and -")

    @property
    def shown(self) -> str:
        """The URL for people, without user and password."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def place(self) -> str | None:
        """Where the artifacts of a new experiment go; None leaves it to the server."""
        if self.artifacts is not None or urlsplit(self.uri).scheme.partition("+")[0] != "sqlite":
            return self.artifacts
        return (Path(self._file).absolute().parent / "mlartifacts" / quote(self.name)).as_uri()

    @property
    def _file(self) -> str:
        return urlsplit(self.uri).path[1:]


@dataclass(frozen=True)
class Connection:
    """An open MLflow and the experiment there, with the tags it had when it was opened."""

    client: MlflowClient
    address: Address
    home: str
    experiment: str
    tags: Mapping[str, str]

    def tag(self, key: str, value: str) -> None:
        """Set a tag of the experiment."""
        self.client.set_experiment_tag(self.experiment, key, value)


@contextmanager
def reaching(address: Address) -> Iterator[None]:
    """Turn what MLflow raises into StoreFailure, in one sentence without a password."""
    try:
        yield
    except FAULTS as fault:
        raise StoreFailure(f"MLflow at {address.shown} did not do it: {_why(fault, address)}") from None


def connect(address: Address, home: str) -> Connection:
    """Open MLflow for a home, and make its experiment where it is missing.

    Raises StoreFailure when it cannot be reached, Conflict when the experiment belongs to another home.
    """
    found = look(address, home)
    if found is not None and HOME in found.tags:
        return found
    with reaching(address):
        client = MlflowClient(address.uri, address.uri)
        if found is None:
            made = client.create_experiment(address.name, address.place, {HOME: home})
            return Connection(client, address, home, made, {HOME: home})
        client.set_experiment_tag(found.experiment, HOME, home)
        return found


def look(address: Address, home: str) -> Connection | None:
    """Open MLflow for a home to read only; None where it has no such experiment yet. Raises as `connect` does."""
    _quieten()
    with reaching(address):
        client = MlflowClient(address.uri, address.uri)
        found = client.get_experiment_by_name(address.name)
        if found is None:
            return None
        _check(found, address, home)
        return Connection(client, address, home, found.experiment_id, dict(found.tags))


def owned_by(home: str, tags: Mapping[str, str]) -> bool:
    """Whether tags name a home as the owner."""
    return tags.get(HOME) == home


def _check(found: Experiment, address: Address, home: str) -> None:
    if found.lifecycle_stage != "active":
        raise Conflict(
            f"the experiment {address.name} was deleted in MLflow; restore it there, or set another WEIGH_MLFLOW_NAME"
        )
    if HOME in found.tags and not owned_by(home, found.tags):
        raise taken("experiment", address)


def taken(what: str, address: Address) -> Conflict:
    """Return the error for a name that is not this home's."""
    return Conflict(f"the {what} {address.name} in MLflow is not this home's; set another WEIGH_MLFLOW_NAME")


def _why(fault: BaseException, address: Address) -> str:
    cause = fault.__cause__ or fault.__context__
    if isinstance(cause, requests.exceptions.Timeout):
        return "it does not answer in time"
    if isinstance(cause, requests.exceptions.ConnectionError):
        return "it cannot be reached"
    lines = [line for line in str(fault).replace(address.uri, address.shown).splitlines() if line.strip()]
    why, password = lines[0][:300] if lines else type(fault).__name__, urlsplit(address.uri).password
    return why.replace(password, "…") if password else why


@contextmanager
def current(address: Address) -> Iterator[None]:
    """Let what asks MLflow's own idea of the current server meet this one while the block runs."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _quieten() -> None:
    for variable, value in PATIENCE.items():
        if not variable.is_set():
            variable.set(value)
    engines.MAX_RETRY_COUNT = 2  # its 10 last for 100 seconds
    settings.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
    settings.MLFLOW_DISABLE_TELEMETRY.set(True)
    set_telemetry_client()  # it reads the line above; nothing is told to anybody
    logging.getLogger("mlflow").setLevel(logging.ERROR)
