"""Which features are defined for every event, whatever its history."""

from __future__ import annotations

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.contract import Contract
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import Numeric
from weighbridge.declare.rollups import Rollup

COUNTED = ("count", "sum", "distinct", "seen_before", "label_count")
ALWAYS = ("is_missing", "hour_of_day", "day_of_week", "is_weekend", "is_business_hours", "is_between_hours")
OF_ALL = ("value", "log", "is_round", "bucket", "difference")  # defined where all their operands are
OF_ANY = ("mean_of", "least_of", "most_of")


def may_be_undefined(feature: Feature | str, contract: Contract) -> bool:
    """Whether a feature's value, or a field's, can be missing; where it cannot, a missing one is a fault."""
    if isinstance(feature, str):
        field = contract.field(feature, "undefined")
        return field.optional or bool(field.missing)
    if isinstance(feature, Aggregate | Rollup):
        return feature.kind not in COUNTED
    return _row_may(feature, contract)


def _row_may(feature: RowFeature, contract: Contract) -> bool:
    if feature.kind in ALWAYS:
        return False
    each = [may_be_undefined(operand, contract) for operand in feature.operands]
    if feature.kind == "log":
        return each[0] or not _above_minus_1(feature.operands[0], contract)
    if feature.kind in OF_ALL:
        return any(each)
    return all(each) if feature.kind in OF_ANY else True


def _above_minus_1(operand: Feature | str, contract: Contract) -> bool:
    if not isinstance(operand, str):
        return isinstance(operand, Aggregate | Rollup) and operand.kind in COUNTED and operand.kind != "sum"
    field = contract.field(operand, "undefined")
    return isinstance(field, Numeric) and field.at_least is not None and field.at_least > -1
