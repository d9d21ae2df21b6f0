"""Tells by its columns whether a file is of the table it was given as."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child
from weighbridge.declare.contract import Contract
from weighbridge.declare.fields import Field
from weighbridge.errors import InputError

ENOUGH = 5  # optional columns: a file that has none of so many is hardly of the table


def check_columns(
    case: UseCase, asked: Contract | Child, columns: Collection[str], mapping: Mapping[str, str], name: str = ""
) -> None:
    """Raise InputError for a file of other columns than those of the table it was given as.

    That is one that has more of the declared columns of another table of the case, unless it has all of its own, and
    one that has none of the optional columns, of which at least `ENOUGH` are declared. `mapping` names the column of a
    field of the asked table where the file calls it otherwise; `name` is what the file is called. A required column
    that is missing is left to the contract.
    """
    file = f"the file of {name or asked.name}"
    missing = [f for f in asked.fields if mapping.get(f.name, f.source) not in columns]
    mine = len(asked.fields) - len(missing)
    tables: list[Contract | Child] = [case.events, *case.children]
    others = [table for table in tables if table is not asked]
    other = max(others, key=lambda table: _count(table.fields, columns), default=asked)
    theirs = _count(other.fields, columns)
    if missing and theirs > max(mine, 1):  # one name is a chance
        raise InputError(
            f"{file} has {theirs:,} columns of {other.name} and {mine:,} of {asked.name}; nothing of it was taken "
            f"in: give it as {_option(other)}"
        )
    optional = [f for f in asked.fields if f.optional]
    if len(optional) >= ENOUGH and missing == optional:
        prefix = f"{asked.name}." if isinstance(asked, Child) else ""
        raise InputError(
            f"{file} has none of the {len(optional):,} optional columns of {asked.name}, and is hardly one of it: give "
            f"the right file, or name a column that it has: --map {prefix}{optional[0].name}=COLUMN"
        )


def _option(table: Contract | Child) -> str:
    return f"`--table {table.name}=FILE`" if isinstance(table, Child) else "`weigh ingest CASE FILE`"


def _count(fields: Sequence[Field], columns: Collection[str]) -> int:
    return sum(field.source in columns for field in fields)
