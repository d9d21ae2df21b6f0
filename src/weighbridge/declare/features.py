"""Row features: functions of the event itself, of aggregates and rollups, and of one another.

A `Feature` is an `Aggregate`, a `Rollup` or a `RowFeature`. Operands are field names or features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from weighbridge.declare.aggregates import Aggregate, Made
from weighbridge.declare.fields import refuse
from weighbridge.declare.rollups import Rolled, Rollup

ENCODINGS = ("ordinal", "one_hot", "target")


@dataclass(frozen=True)
class RowFeature:
    """One value computed from operands; `parameters` and `zone` refine the kind."""

    kind: str
    operands: tuple[str | Aggregate | Rollup | RowFeature, ...]
    name: str
    parameters: tuple[float, ...] = ()
    zone: str = "UTC"
    encoding: str = ""


Feature = Aggregate | Rollup | RowFeature
Operand = str | RowFeature | Made | Rolled
Features = Iterable["Feature | Sequence[Feature]"]


def _operand(place: str, operand: Operand) -> str | Feature:
    if isinstance(operand, str | Aggregate | Rollup | RowFeature):
        return operand
    raise refuse(place, "an operand is a list of windows", "give last= one window, not a list")


def _label(operand: str | Feature) -> str:
    return operand if isinstance(operand, str) else operand.name


def _make(kind: str, operands: Sequence[Operand], name: str, automatic: str, *parameters: float) -> RowFeature:
    checked = tuple(_operand(f"{kind}()", o) for o in operands)
    return RowFeature(kind, checked, name or automatic.format(*map(_label, checked)), tuple(map(float, parameters)))


def value(field: Operand, *, name: str = "") -> RowFeature:
    """The number itself, in major units."""
    return _make("value", [field], name, "{0}")


def log(field: Operand, *, name: str = "") -> RowFeature:
    """ln(1 + x); undefined for x <= -1."""
    return _make("log", [field], name, "{0}_log")


def is_missing(field: Operand, *, name: str = "") -> RowFeature:
    """1 where a field is missing or a feature undefined, else 0."""
    return _make("is_missing", [field], name, "{0}_is_missing")


def is_round(field: str, *, to: float = 1, name: str = "") -> RowFeature:
    """1 when a number is a whole multiple of `to`, else 0."""
    if not to > 0:
        raise refuse(f"is_round({field!r})", f"to={to} is not above 0", "give the step that counts as round")
    return _make("is_round", [field], name, "{0}_is_round", to)


def bucket(field: Operand, edges: Sequence[float], *, name: str = "") -> RowFeature:
    """How many of the rising `edges` the number has reached: 0 below the first."""
    if not edges or list(edges) != sorted(set(edges)):
        raise refuse("bucket()", f"edges={list(edges)} do not rise", "list different edges in rising order")
    return _make("bucket", [field], name, "{0}_bucket", *edges)


def zscore(field: Operand, mean: Operand, std: Operand, *, name: str = "") -> RowFeature:
    """(x - mean) / std; undefined where the deviation is 0 or undefined."""
    return _make("zscore", [field, mean, std], name, "{0}_zscore_{1}")


def ratio(numerator: Operand, denominator: Operand, *, name: str = "") -> RowFeature:
    """a / b; undefined where b is 0 or undefined."""
    return _make("ratio", [numerator, denominator], name, "{0}_over_{1}")


def difference(left: Operand, right: Operand, *, name: str = "") -> RowFeature:
    """a - b."""
    return _make("difference", [left, right], name, "{0}_minus_{1}")


def mean_of(*operands: Operand, name: str = "") -> RowFeature:
    """The mean of the two or three numbers that are there; undefined where none is."""
    return _several("mean_of", operands, name)


def least_of(*operands: Operand, name: str = "") -> RowFeature:
    """The least of the two or three numbers that are there; undefined where none is."""
    return _several("least_of", operands, name)


def most_of(*operands: Operand, name: str = "") -> RowFeature:
    """The largest of the two or three numbers that are there; undefined where none is."""
    return _several("most_of", operands, name)


def _several(kind: str, operands: Sequence[Operand], name: str) -> RowFeature:
    if not 2 <= len(operands) <= 3:
        raise refuse(f"{kind}()", f"it has {len(operands)} operands", "give two or three")
    joined = "_".join("{" + str(place) + "}" for place in range(len(operands)))
    return _make(kind, operands, name, f"{joined}_{kind.removesuffix('_of')}", len(operands))


def encode(field: str, *, how: str = "ordinal", name: str = "") -> RowFeature:
    """A category's code: its place in `one_of`.

    The vector always holds the code. `how` tells what the model's fitted encoder makes of it: `ordinal` keeps it,
    `one_hot` gives a column for each category, `target` the smoothed rate of positives in training.
    """
    if how not in ENCODINGS:
        raise refuse(f"encode({field!r})", f"how={how!r} is unknown", f"use one of {ENCODINGS}")
    return RowFeature("value", (field,), name or f"{field}_code", encoding=how)


def _clock(kind: str, zone: str, name: str, *parameters: float) -> RowFeature:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise refuse(f"{kind}()", f"zone={zone!r} is unknown", "use an IANA name such as 'Europe/Paris'") from None
    return RowFeature(
        kind, (), name or (kind if zone == "UTC" else f"{kind}_{zone}"), tuple(map(float, parameters)), zone
    )


def hour_of_day(*, zone: str = "UTC", name: str = "") -> RowFeature:
    """Hour of the event's time, 0 to 23."""
    return _clock("hour_of_day", zone, name)


def day_of_week(*, zone: str = "UTC", name: str = "") -> RowFeature:
    """Day of the event's time, Monday 0 to Sunday 6."""
    return _clock("day_of_week", zone, name)


def is_weekend(*, zone: str = "UTC", name: str = "") -> RowFeature:
    """1 on Saturday and Sunday, else 0."""
    return _clock("is_weekend", zone, name)


def is_business_hours(*, start: int = 9, end: int = 17, zone: str = "UTC", name: str = "") -> RowFeature:
    """1 from Monday to Friday when start <= hour < end, else 0."""
    return _clock("is_business_hours", zone, name, *_hours("is_business_hours", start, end))


def is_between_hours(*, start: int, end: int, zone: str = "UTC", name: str = "") -> RowFeature:
    """1 on any day when start <= hour < end, else 0."""
    return _clock("is_between_hours", zone, name, *_hours("is_between_hours", start, end))


def _hours(kind: str, start: int, end: int) -> tuple[int, int]:
    if not 0 <= start < end <= 24:
        raise refuse(f"{kind}()", f"start={start} end={end} is no span of a day", "choose 0 <= start < end <= 24")
    return start, end


def flatten(features: Features) -> Iterator[Feature]:
    """Yield every feature of a declared list, unfolding those made for several windows."""
    for feature in features:
        if isinstance(feature, Aggregate | Rollup | RowFeature):
            yield feature
        else:
            yield from feature


def parts(feature: Feature) -> Iterator[Feature]:
    """Yield a feature and everything it is computed from, operands first."""
    if isinstance(feature, RowFeature):
        for operand in feature.operands:
            if not isinstance(operand, str):
                yield from parts(operand)
    yield feature
