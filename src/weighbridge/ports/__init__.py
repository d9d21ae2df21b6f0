"""The ports: what the platform asks of a log, a state, a table store, a registry, keys, the audit and more.

Every engine behind a port passes the contract suite of that port in `weighbridge.testing.contracts`.
"""

from weighbridge.ports.alerts import Alert, AlertSink, Sinks
from weighbridge.ports.audit import Audit
from weighbridge.ports.keys import Keys
from weighbridge.ports.locks import Locks
from weighbridge.ports.log import LAST, DecisionLog, EventLog, Find, Log
from weighbridge.ports.models import BundleStore, Registry, Signer, TableStore, Tracker, Verifier
from weighbridge.ports.objects import Object, ObjectStore, Outside
from weighbridge.ports.shadows import Shadows
from weighbridge.ports.state import StateStore
from weighbridge.ports.stores import Budget, Stores

__all__ = [
    "LAST", "Alert", "AlertSink", "Audit", "Budget", "BundleStore", "DecisionLog", "EventLog", "Find", "Keys", "Locks",
    "Log", "Object", "ObjectStore", "Outside", "Registry", "Shadows", "Signer", "Sinks", "StateStore", "Stores",
    "TableStore", "Tracker", "Verifier",
]  # fmt: skip
