"""Reads a rule's condition, and checks it whole: it is never run as Python."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from difflib import get_close_matches

from weighbridge.declare.expression import (
    Arithmetic,
    Comparison,
    Condition,
    Constant,
    Inverse,
    Joined,
    Membership,
    Operand,
    Value,
    calculate,
)
from weighbridge.declare.fields import refuse
from weighbridge.errors import DeclarationError

LONGEST, DEEPEST, MOST_PARTS = 1_000, 25, 200
ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
COMPARED = {**ORDER, ast.Eq: "==", ast.NotEq: "!="}
CALCULATED = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def read_condition(where: str, text: str, names: Mapping[str, Operand], lists: Mapping[str, str]) -> Condition:
    """Return a condition; raises DeclarationError for the first fault. `lists` gives the field of every list."""
    return _Reader(where, text, names, lists).condition(parsed(where, text))


def parsed(where: str, text: str) -> ast.expr:
    """Return a condition's syntax tree; refuses what is no expression, too long or too deep."""
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise refuse(where, f"its condition is not a text of 1 to {LONGEST} characters", "write it, or divide the rule")
    try:
        tree = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        why = fault.msg if isinstance(fault, SyntaxError) else "it cannot be read"
        raise refuse(where, f"its condition {text!r} is no expression ({why})", "mend it") from None
    if tree.col_offset == 0:
        raise refuse(where, f"the parentheses of {text!r} do not match", "balance them")
    level, depth, parts = [tree], 0, 0
    while level:
        depth, parts = depth + 1, parts + len(level)
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if depth > DEEPEST or parts > MOST_PARTS:
            raise refuse(where, "its condition is too deep or has too many parts", "divide it into several rules")
    return tree


class _Reader:
    def __init__(self, where: str, text: str, names: Mapping[str, Operand], lists: Mapping[str, str]) -> None:
        self._where, self._text, self._names, self._lists = where, text, names, lists

    def condition(self, node: ast.expr) -> Condition:
        match node:
            case ast.BoolOp(op=operator, values=values):
                return Joined(isinstance(operator, ast.And), tuple(map(self.condition, values)))
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return Inverse(self.condition(part))
            case ast.Compare(left=left, ops=operators, comparators=rights):
                sides = [left, *rights]
                found = [self._pair(node, *pair) for pair in zip(sides, operators, rights, strict=False)]
                return found[0] if len(found) == 1 else Joined(every=True, parts=tuple(found))
        raise self._fault(node, "is no condition", "compare it with something, such as amount > 100")

    def _pair(self, whole: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        if isinstance(operator, ast.In | ast.NotIn):
            return self._membership(left, right, negated=isinstance(operator, ast.NotIn))
        if type(operator) not in COMPARED:
            raise self._fault(whole, "uses 'is'", "use == or !=")
        one, other = self._value(left), self._value(right)
        if isinstance(one, Constant) and isinstance(other, Constant):
            raise self._fault(whole, "reads nothing of the event", "compare a field or a feature")
        if _is_text(one) != _is_text(other):
            raise self._fault(whole, "compares text with a number", "write text in quotes and numbers without")
        if _is_text(one):
            if type(operator) in ORDER:
                raise self._fault(whole, "puts text in an order", "use ==, != or in")
            self._texts(whole, one, other)
        return Comparison(COMPARED[type(operator)], one, other)

    def _texts(self, whole: ast.expr, one: Value, other: Value) -> None:
        """Refuse texts that can never be equal."""
        if isinstance(one, Constant):
            one, other = other, one
        assert isinstance(one, Operand)
        if isinstance(other, Constant):
            self._possible(whole, one, str(other.value))
        elif isinstance(other, Operand):
            if one.pseudonymised != other.pseudonymised:
                raise self._fault(whole, "compares a pseudonym with plain text", "pseudonymise both fields, or none")
            if one.one_of and other.one_of and not set(one.one_of) & set(other.one_of):
                raise self._fault(whole, "compares two fields that have no value in common", "mend one of them")

    def _possible(self, whole: ast.expr, operand: Operand, text: str) -> None:
        if operand.pseudonymised:
            raise self._fault(
                whole, f"compares the pseudonymised {operand.name} with a text", "declare a list, and use `in`"
            )
        if operand.one_of and text not in operand.one_of:
            raise self._fault(
                whole, f"names {text!r}, which {operand.name} never is", f"use one of {', '.join(operand.one_of)}"
            )

    def _membership(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Membership:
        value = self._value(left)
        if isinstance(value, Constant):
            raise self._fault(left, "reads nothing of the event", "name a field or a feature")
        if isinstance(right, ast.Name):
            return self._listed(value, right, negated=negated)
        items = right.elts if isinstance(right, ast.Tuple | ast.List) else [right]
        read = [self._value(item) for item in items]
        values = tuple(item.value for item in read if isinstance(item, Constant))
        if not values or len(values) != len(read):
            raise self._fault(
                right, "is no list of numbers or texts", "write in (1, 2), in ('a', 'b') or the name of a list"
            )
        for item in values:
            if isinstance(item, str) != _is_text(value):
                raise self._fault(right, "mixes text and numbers", "write text in quotes and numbers without")
            if isinstance(item, str) and isinstance(value, Operand):
                self._possible(right, value, item)
        return Membership(value, values, None, negated)

    def _listed(self, value: Value, right: ast.Name, *, negated: bool) -> Membership:
        field = self._lists.get(right.id)
        if field is None:
            near = _near(right.id, self._lists)
            raise self._fault(
                right, "is no declared list", f"use {near}" if near else "declare it: Policy(lists=[ListOf(...)])"
            )
        if not isinstance(value, Operand) or value.name != field or value.source != "field":
            raise self._fault(right, f"is a list of {field}", f"write {field} in {right.id}")
        return Membership(value, (), right.id, negated)

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool()):
                raise self._fault(node, "is no number", "leave it out: a comparison is true by itself")
            case ast.Constant(value=int() | float() as number):
                return self._number(node, number)
            case ast.Constant(value=str(text)):
                return Constant(text)
            case ast.Name(id=name):
                return self._operand(node, name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
                operator = "-" if isinstance(sign, ast.USub) else "+"
                return self._calculated(node, operator, Constant(0.0), self._value(inner))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in CALCULATED:
                return self._calculated(node, CALCULATED[type(op)], self._value(left), self._value(right))
        raise self._fault(node, "has no meaning here", "use fields, features, numbers, texts, + - * / and lists")

    def _calculated(self, node: ast.expr, operator: str, left: Value, right: Value) -> Value:
        if _is_text(left) or _is_text(right):
            raise self._fault(node, "calculates with text", "calculate with numbers")
        if operator == "/" and isinstance(right, Constant) and right.value == 0:
            raise self._fault(node, "divides by 0", "divide by something else")
        if isinstance(left, Constant) and isinstance(right, Constant):
            return self._number(node, calculate(operator, float(left.value), float(right.value)))
        return Arithmetic(operator, left, right)

    def _number(self, node: ast.expr, number: float) -> Constant:
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self._fault(node, "is too large a number", "write a smaller one")
        return Constant(value)

    def _operand(self, node: ast.expr, name: str) -> Operand:
        operand = self._names.get(name)
        if operand is None:
            if name in self._lists:
                raise self._fault(node, "is a list", f"write {self._lists[name]} in {name}")
            near = _near(name, self._names)
            raise self._fault(
                node,
                "is no field or feature that can be compared",
                f"use {near}" if near else "name one that is declared",
            )
        return operand

    def _fault(self, node: ast.expr, what: str, fix: str) -> DeclarationError:
        return refuse(self._where, f"in {self._text!r}, {ast.unparse(node)} {what}", fix)


def _is_text(value: Value) -> bool:
    return isinstance(value.value, str) if isinstance(value, Constant) else isinstance(value, Operand) and value.text


def _near(name: str, known: Mapping[str, object]) -> str:
    return " or ".join(get_close_matches(name, list(known), n=3, cutoff=0.5))
