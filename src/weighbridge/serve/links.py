"""What the API's description says about where an answer leads: its ids are parameters of other operations."""

from __future__ import annotations

import re
from typing import Any


def operation_id(path: str) -> str:
    """Return the name of the operation on a path, as generated clients call it."""
    return "_".join(re.findall(r"\w+", path))


def _look(path: str, expression: str) -> dict[str, Any]:
    return {"operationId": operation_id(path), "parameters": {"name": expression}}


DECISION, EXPLANATION = "/decisions/{name}", "/decisions/{name}/explain"
LINKS = {
    "/predict": {
        "decision": _look(DECISION, "$response.body#/decision_id"),
        "decision_of_event": _look(DECISION, "$response.body#/event_id"),
        "explanation": _look(EXPLANATION, "$response.body#/decision_id"),
    },
    DECISION: {"explanation": _look(EXPLANATION, "$response.body#/decision_id")},
    "/sample-transaction": {"predict": {"operationId": operation_id("/predict"), "requestBody": "$response.body"}},
}
