"""Bundles as versions of one registered model, aliases as MLflow's aliases, moves as entries: read and written."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from weighbridge.adapters.mlflow.connection import HOME, Connection, owned_by, reaching, taken
from weighbridge.adapters.mlflow.entries import Entries, Entry, Shown
from weighbridge.adapters.mlflow.flavour import write_flavour
from weighbridge.records import Alias, Move

ALIASES = {"staging": "Staging", "production": "Production", "canary": "canary", "shadow": "shadow"}
BUNDLE, ADDED, FACTS, SHARE = "weigh.bundle", "weigh.added_us", "weigh.facts", "weigh.share"
PAGE, LONGEST_CARD = 200, 5_000  # as much of a model card as MLflow's databases keep


class MirroredRegistry:
    """What MLflow says of a registry.

    It has no `add` and no `move`: MLflow sets aliases one by one and without compare-and-swap, so the home decides who
    moved an alias, and this follows.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._name = connection, connection.address.name
        self.entries = Entries(connection, "move")

    def bundles(self) -> Sequence[tuple[str, int, Mapping[str, Any]]]:
        """Return (bundle, added_us, facts), oldest first."""
        tags = [version.tags for version in self.versions().values()]
        return [(told[BUNDLE], int(told[ADDED]), json.loads(told[FACTS])) for told in tags]

    def alias(self, name: str) -> str | None:
        """Return the bundle an alias points at, or None."""
        found = self.aliases().get(name)
        return found.bundle if found else None

    def aliases(self) -> Mapping[str, Alias]:
        """Return what every alias points at; others than the home's are not looked at."""
        model = self._model()
        by_number = {str(version.version): version.tags for version in self.versions().values()}
        found = {}
        for ours, theirs in ALIASES.items():
            tags = by_number.get(str(model.aliases.get(theirs))) if model else None
            if tags is not None:
                share = float(tags[SHARE]) if ours == "canary" and SHARE in tags else None
                found[ours] = Alias(tags[BUNDLE], share)
        return found

    def moves(self) -> Sequence[Move]:
        """Return every move, oldest first."""
        return [Move(**{k: v for k, v in entry.facts.items() if k != "sentence"}) for entry in self.entries.all()]

    def versions(self) -> dict[str, ModelVersion]:
        """Return the version of every bundle, oldest first."""
        found, token = list[ModelVersion](), None
        with reaching(self._connection.address):
            while True:
                page = self._connection.client.search_model_versions(
                    f"name = '{self._name}'", max_results=PAGE, page_token=token
                )
                found += page
                token = page.token
                if not token:
                    break
        return {v.tags[BUNDLE]: v for v in sorted(found, key=lambda v: int(v.version)) if BUNDLE in v.tags}

    def note(self, place: int, move: Move) -> None:
        """Write the next move."""
        told = {**asdict(move), "gates": list(move.gates)}
        sentence = f"{move.alias} is {(move.bundle or 'nothing')[:12]}, by {move.by}: {move.reason}"
        params = {
            k: str(told[k]) for k in ("alias", "bundle", "before", "share", "by", "reason") if told[k] is not None
        }
        gates = {f"gate.{verdict['gate']}": str(verdict.get("passed")) for verdict in move.gates if "gate" in verdict}
        entry = Entry(move_id(place), "move", move.moved_us, {**told, "sentence": sentence})
        self.entries.add(entry, Shown({**params, **gates}))

    def add(
        self,
        bundle: str,
        files: Mapping[str, bytes] | None,
        public_key: bytes,
        tags: Mapping[str, str],
        run: str | None,
        card: str,
    ) -> None:
        """Make a version of a bundle, with its files as a model to load where there are any.

        Raises StoreFailure, and BundleRefused before anything is made when the files are not what was signed.
        """
        client = self._connection.client
        with reaching(self._connection.address), tempfile.TemporaryDirectory() as folder:
            self._own()
            about = self._logged_model(bundle, run)
            if files is not None:
                write_flavour(Path(folder) / "m", bundle, files, public_key, Model(model_id=about, run_id=run))
                client.log_model_artifacts(about, str(Path(folder) / "m" / "model"))
            client.finalize_logged_model(about, "READY" if files is not None else "FAILED")
            client.create_model_version(
                self._name, f"models:/{about}", run, dict(tags), description=card[:LONGEST_CARD], model_id=about
            )

    def tag(self, version: ModelVersion, key: str, value: str) -> None:
        """Set a tag of a version."""
        with reaching(self._connection.address):
            self._connection.client.set_model_version_tag(self._name, version.version, key, value)

    def point(self, name: str, version: ModelVersion | None) -> None:
        """Point an alias at a version, or at nothing."""
        with reaching(self._connection.address):
            if version is None:
                self._connection.client.delete_registered_model_alias(self._name, ALIASES[name])
            else:
                self._connection.client.set_registered_model_alias(self._name, ALIASES[name], version.version)

    def _logged_model(self, bundle: str, run: str | None) -> str:
        client, experiment = self._connection.client, self._connection.experiment
        found = client.search_logged_models([experiment], f"tags.`{BUNDLE}` = '{bundle}'", max_results=1)
        if found:
            return str(found[0].model_id)
        return str(client.create_logged_model(experiment, bundle[:12], run, {BUNDLE: bundle}).model_id)

    def _own(self) -> None:
        if self._model() is None:
            self._connection.client.create_registered_model(self._name, {HOME: self._connection.home})

    def _model(self) -> RegisteredModel | None:
        with reaching(self._connection.address):
            try:
                model = self._connection.client.get_registered_model(self._name)
            except MlflowException as fault:
                if fault.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    return None
                raise
        if not owned_by(self._connection.home, model.tags):
            raise taken("registered model", self._connection.address)
        return model


def move_id(place: int) -> str:
    """Return what the move at a place of the history is called."""
    return f"move-{place:08d}"
