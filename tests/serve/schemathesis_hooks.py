"""What JSON Schema cannot say about a valid body, so that what schemathesis generates as valid is: times and decimals.

An event happens near its arrival, a list's entry ends in the future, money has its decimals, and a pseudonym is one that
this home made. Everything else about a valid body, and all of an invalid one, is left as it was generated.
"""

from __future__ import annotations

import os

import schemathesis
from schemathesis import GenerationMode

from weighbridge.cases.card_fraud import case as use_case
from weighbridge.declare.fields import Money, Time

NOW = os.environ["DESK_NOW"]


def said(body):
    for field in use_case.events.fields:
        if field.name in body and isinstance(field, Time):
            body[field.name] = NOW
        if field.name in body and isinstance(field, Money):
            body[field.name] = round(body[field.name], field.decimals)
    if "until" in body:
        body["until"] = "2199-12-31T23:59:59Z"
    if "stored" in body:
        body["stored"] = False
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    valid = case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
    if valid and isinstance(case.body, dict):
        case.body = said({**case.body})
        if isinstance(case.body.get("events"), list):
            case.body["events"] = [
                said({**e}) if isinstance(e, dict) and set(e) >= {"event_ts"} else e for e in case.body["events"]
            ]
