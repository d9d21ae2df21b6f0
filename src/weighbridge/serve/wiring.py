"""The composition root: a use case by name or file, and an embedded home's stores."""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge import cases
from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import DeclarationError, HomeError, InputError, StoreFailure, WeighbridgeError
from weighbridge.identity import Draws, Pseudonyms
from weighbridge.ports import Budget, Log, Sinks, Stores
from weighbridge.ports.alerts import no_sinks
from weighbridge.serve.secrets import DRAWS, SECRETS, make_keys, read_keys

if TYPE_CHECKING:
    from weighbridge.score.decide import Desk
    from weighbridge.stores.state import MemoryState

SAVED_AFTER = 100_000  # records replayed at a start: then the checkpoint is renewed at once


def find_case(name: str) -> UseCase:
    """Return the use case that a built-in name or a path to a Python file with a `case` means.

    Raises InputError when there is none, DeclarationError when it is wrong.
    """
    builtin = sorted(m.name for m in pkgutil.iter_modules(cases.__path__))
    if name in builtin:
        module = importlib.import_module(f"weighbridge.cases.{name}")
    elif name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"{path} is not there; give the path of a Python file that declares a use case")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise InputError(f"{path} cannot be imported as Python; is it a declaration?")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        try:
            spec.loader.exec_module(module)
        except WeighbridgeError:
            raise
        except (Exception, SystemExit) as fault:  # a user's file may fail in any way
            raise DeclarationError(f"{path} cannot be read: {type(fault).__name__}: {fault}") from fault
    else:
        raise InputError(
            f"there is no use case {name!r}; use one of {', '.join(builtin)} or the path of a declaration (.py)"
        )
    case = getattr(module, "case", None)
    if not isinstance(case, UseCase):
        raise DeclarationError(f"{name} declares no use case; assign one: case = UseCase(...)")
    return case


@dataclass(frozen=True)
class Home:
    """An embedded home: its folder and the stores in it."""

    folder: Path
    stores: Stores

    def writing(self) -> AbstractContextManager[None]:
        """Hold the home's one place for whoever appends events: a server, an import."""
        return sole_writer(self.folder)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold the one place of a home for whoever appends events. Raises HomeError when it is taken."""
    with (folder / "writer.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HomeError(
                f"another process is serving or importing in {folder}; stop it first, or use its HTTP door"
            ) from None
        yield


def open_home(
    case: UseCase, folder: Path, *, create: bool, acknowledge: str = "synced", build_memory_mb: int = 2_048,
    sinks: Sinks = no_sinks,
) -> Home:  # fmt: skip
    """Open a home for a use case, or make one.

    Raises HomeError when it is missing (and not to be created), belongs to another use case or contract, or is damaged.
    """
    from weighbridge.score.signing import HomeSigner
    from weighbridge.stores.database import Database
    from weighbridge.stores.files import FolderBundles, ParquetTables
    from weighbridge.stores.locks import FolderLocks
    from weighbridge.stores.rows import FolderRows
    from weighbridge.stores.sqlite_audit import SqliteAudit
    from weighbridge.stores.sqlite_keys import SqliteKeys
    from weighbridge.stores.sqlite_log import SqliteLog
    from weighbridge.stores.sqlite_registry import SqliteRegistry, SqliteTracker
    from weighbridge.stores.sqlite_shadows import TABLES as SHADOW_TABLES
    from weighbridge.stores.sqlite_shadows import SqliteShadows

    if not (folder / "home.json").exists():
        if not create:
            raise HomeError(f"there is no home in {folder}; make one with `weigh ingest`, `weigh run` or `weigh demo`")
        _make_home(case, folder)
    _check_home(case, folder)
    keys = read_keys(folder / "keys")
    database = Database(folder / "hot.sqlite", acknowledge)
    stores = Stores(
        log=SqliteLog(database, case.events, folder / "log"),
        tables=ParquetTables(folder / "tables"),
        registry=SqliteRegistry(database),
        tracker=SqliteTracker(database),
        bundles=FolderBundles(folder / "bundles"),
        signer=HomeSigner(keys["signing.key"]),
        pseudonyms=Pseudonyms(keys["pseudonym.key"]),
        draws=Draws(keys[DRAWS]),
        keys=SqliteKeys(database),
        audit=SqliteAudit(database),
        shadows=SqliteShadows(Database(folder / "shadow.sqlite", "written", SHADOW_TABLES)),
        locks=FolderLocks(folder / "locks"),
        rows=FolderRows(folder / "rows", build_memory_mb << 20),
        reports=folder / "reports",
        budget=Budget(build_memory_mb << 20, os.cpu_count() or 1, folder),
        sinks=sinks,
    )
    return Home(folder, stores)


def _make_home(case: UseCase, folder: Path) -> None:
    from weighbridge.stores.files import write_atomically

    make_keys(folder / "keys", *SECRETS)
    try:
        facts = {"format": 1, "use_case": case.name, "contract": case.rows_digest}
        write_atomically(folder / "home.json", json.dumps(facts).encode())
    except OSError as fault:
        raise HomeError(f"no home can be made in {folder} ({fault.strerror}); choose another --home") from None


def _check_home(case: UseCase, folder: Path) -> None:
    try:
        facts = json.loads((folder / "home.json").read_text())
        name, contract = facts["use_case"], facts["contract"]
    except (OSError, ValueError, KeyError):
        raise HomeError(f"{folder / 'home.json'} is damaged; restore it from a copy") from None
    if name != case.name:
        raise HomeError(f"the home {folder} belongs to use case {name}, not {case.name}; choose another --home")
    if contract != case.rows_digest:
        raise HomeError(
            f"the home {folder} holds events of another version of contract {case.events.name} or of its children; "
            "choose another --home and ingest again, or take the change of the contract back"
        )


def open_desk(case: UseCase, stores: Stores, clock: Clock) -> Desk:
    """Return a `Desk` over the stores, its state rebuilt from the log."""
    from weighbridge.kernel.plan import compile_plan
    from weighbridge.stores.state import MemoryState

    plan = compile_plan(case)
    return _desk_over(case, stores, clock, lambda: _rebuilt(MemoryState(plan), stores.log)[:2])


@contextmanager
def open_checkpointed_desk(case: UseCase, home: Home, clock: Clock, memory_bytes: int) -> Iterator[Desk]:
    """Give a `Desk` over a home whose state begins at the home's checkpoint, and leave a checkpoint at the end.

    A checkpoint that is missing, torn, of another definition or ahead of the log is passed over, and the state is
    rebuilt from the log. `memory_bytes` bounds the state's memory; beyond it, it lives in a file of the home.
    """
    from weighbridge.kernel.plan import compile_plan
    from weighbridge.stores.state import MemoryState

    folder, log = home.folder / "state", home.stores.log
    folder.mkdir(exist_ok=True)
    path, plan = folder / "checkpoint", compile_plan(case)

    def made() -> tuple[MemoryState, int]:
        state, seq = MemoryState(plan, memory_bytes, folder), 0
        if path.exists():
            try:
                seq = state.restore(path, log.head().seq)
            except StoreFailure as fault:
                _warn("checkpoint passed over", fault)
                path.unlink(missing_ok=True)  # the log may grow beyond its place, and it would look sound then
                state = MemoryState(plan, memory_bytes, folder)
        state, head, taken_in = _rebuilt(state, log, seq)
        if taken_in >= SAVED_AFTER:
            _save(state, path, head)
        return state, head

    desk = _desk_over(case, home.stores, clock, made)
    try:
        with closing(desk):
            yield desk
    finally:
        if not desk.gave_up and isinstance(desk.histories.state, MemoryState):
            _save(desk.histories.state, path, log.head().seq)


def _rebuilt(state: MemoryState, log: Log, seq: int = 0) -> tuple[MemoryState, int, int]:
    """Let a state that has the log up to `seq` take in the rest; return it, the last seq in it, and how many came."""
    head = log.head().seq
    events, labels = log.events(seq, head), log.labels(seq, head)
    state.load(events, labels, log.find)
    return state, head, len(events) + len(labels)


def _save(state: MemoryState, path: Path, seq: int) -> None:
    """Write a checkpoint, or go on without: the next start takes the older one, or the log."""
    try:
        state.save(path, seq)
    except StoreFailure as fault:
        _warn("no checkpoint was left", fault)


def _warn(what: str, fault: StoreFailure) -> None:
    import structlog

    structlog.get_logger().warning(what, why=str(fault))


def _desk_over(case: UseCase, stores: Stores, clock: Clock, made: Callable[[], tuple[MemoryState, int]]) -> Desk:
    from weighbridge.score.decide import Desk

    desk = Desk(case, stores, made()[0], clock, made)
    desk.router.refresh(desk.submit_note)
    return desk
