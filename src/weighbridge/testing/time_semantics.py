"""The conformance suite of time: what a log and a state must do with late, early, repeated and corrected records.

Subclass it, give it the factories, and run pytest:

class TestMyStores(TimeSemantics):
    def make_log(self, contract):
        return MyLog(contract)

    def make_state(self, plan):
        return MyState(plan)

Each scenario goes through a door as live traffic does, expects some numbers written by hand, and ends with a proof:
every served vector equals the naive oracle and the replay of the log, bit for bit. A state that spills to disk gives
`make_state_within` too, a log that outlives its process `reopen`, a store of child rows `make_rows`.
"""

from __future__ import annotations

from weighbridge.testing.semantics.calendar import ScenesOfCalendar
from weighbridge.testing.semantics.child_rows import ScenesOfChildRows
from weighbridge.testing.semantics.events import ScenesOfEvents
from weighbridge.testing.semantics.labels import ScenesOfLabels
from weighbridge.testing.semantics.running import ScenesOfRunning


class TimeSemantics(ScenesOfEvents, ScenesOfLabels, ScenesOfCalendar, ScenesOfChildRows, ScenesOfRunning):
    """All scenarios, for one log, one state and one store of child rows."""
