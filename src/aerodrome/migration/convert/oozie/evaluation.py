"""Evaluates EL as Oozie does, for the proof of rendered arguments: written apart from the compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aerodrome.migration.convert.oozie.el import Binary, Conditional, Function, Index, Literal, Name, Node, Unary, parse


class Unknown(Exception):
    """A function that has no value on paper."""


def evaluate(text: str, value: Callable[[str], str], functions: Mapping[str, Callable[..., Any]]) -> str:
    """Give a text with its expressions evaluated; `value` gives variables as text."""
    return "".join(piece if isinstance(piece, str) else _text(_value(piece, value, functions)) for piece in parse(text))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _value(node: Node, names: Callable[[str], str], functions: Mapping[str, Callable[..., Any]]) -> Any:
    def inner(part: Node) -> Any:
        return _value(part, names, functions)

    match node:
        case Literal(value):
            return value
        case Name(name):
            return names(name)
        case Function(name, arguments):
            if name not in functions:
                raise Unknown(name)
            return functions[name](*map(inner, arguments))
        case Index(value, key):
            return inner(value).get(_text(inner(key)))
        case Conditional(test, yes, no):
            return inner(yes) if _truth(inner(test)) else inner(no)
        case Unary(operator, part):
            value = inner(part)
            return -_number(value) if operator == "-" else not value if operator == "empty" else not _truth(value)
        case Binary(operator, left, right):
            return _binary(operator, inner(left), inner(right))


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() == "true"


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else float(value or 0)


def _binary(operator: str, left: Any, right: Any) -> Any:
    if operator in ("and", "or"):
        return _truth(left) and _truth(right) if operator == "and" else _truth(left) or _truth(right)
    if operator in "+-*/%":
        first, second = _number(left), _number(right)
        if operator in "/%" and not second:
            return 0
        return {
            "+": lambda: first + second,
            "-": lambda: first - second,
            "*": lambda: first * second,
            "/": lambda: first / second,
            "%": lambda: first % second,
        }[operator]()
    if left is None or right is None:
        return operator == "!=" if left is not right else operator in ("==", "<=", ">=")
    is_number = any(isinstance(item, int | float) and not isinstance(item, bool) for item in (left, right))
    is_truth = any(isinstance(item, bool) for item in (left, right))
    read: Callable[[Any], Any] = _number if is_number else _truth if is_truth else _text
    one, two = read(left), read(right)
    return {"==": one == two, "!=": one != two, "<": one < two, ">": one > two, "<=": one <= two, ">=": one >= two}[
        operator
    ]
