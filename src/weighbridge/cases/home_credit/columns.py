"""How these files' columns are declared: keys are never missing, bounds are wide, what is not listed is "other"."""

from collections.abc import Sequence

from weighbridge.declare import Category, Integer, Number

SENTINEL = 365_243  # a thousand years of days: there is no such day
UNKNOWN = ("XNA", "XAP")  # not available, not applicable
YES_NO = ("N", "Y")
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def amount(name: str) -> Number:
    """Money; the files have up to three decimals, corrections are negative."""
    return Number(name, at_least=-1e10, at_most=1e10, decimals=3, optional=True)


def days(name: str, *, ahead: int = 0) -> Integer:
    """Days relative to the application, negative before it."""
    return Integer(name, at_least=-60_000, at_most=ahead, optional=True, means_missing=[SENTINEL])


def months(name: str) -> Integer:
    """Months relative to the application; with its credit it names a row, so every row has it."""
    return Integer(name, at_least=-1_200, at_most=0)


def whole(name: str, at_least: int = 0, at_most: int = 100_000) -> Integer:
    """A count, or a flag of 0 and 1."""
    return Integer(name, at_least=at_least, at_most=at_most, optional=True)


def part(name: str) -> Number:
    """A number that was normalised to 0 to 1; rates miss that by a little."""
    return Number(name, at_least=-1, at_most=10, decimals=9, optional=True)


def kind(name: str, values: Sequence[str]) -> Category:
    """One of the known values, or another."""
    return Category(name, one_of=[*values, "other"], other="other", means_missing=UNKNOWN, optional=True)
