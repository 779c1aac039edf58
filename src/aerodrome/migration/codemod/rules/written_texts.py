"""Values that Python writes out as text as they are: `str(x)`, `"…".format(x)`, `"…" % x`, f-strings, print and loggers. Shared by rules whose values are written otherwise now."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from aerodrome.migration.codemod.contract import Change
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

Told = Callable[[str, ast.expr], str]
"""An expression's code and its node -> the code that gives its text."""

_AS_TEXT = (-1, ord("s"))  # conversions of an f-string: none, and `!s`
_MAKING = ("str", "format")
_LOGGED = ("debug", "info", "warning", "warn", "error", "critical", "exception")


def texts(source: Source, has: Callable[[ast.expr], bool], told: Told) -> Iterator[Change]:
    """Write what gives the text instead of the values that `has` knows, where they become text."""
    for call in source.each(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in _MAKING and len(call.args) == 1 and has(call.args[0]):
            yield Change((replace(source, call, told(source.code(call.args[0]), call.args[0])),))
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "__str__" and has(call.func.value):
            yield Change((replace(source, call, told(source.code(call.func.value), call.func.value)),))
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "format" and is_text(call.func.value):
            for item in (*call.args, *(word.value for word in call.keywords)):
                if has(item):
                    yield Change((replace(source, item, told(source.code(item), item)),))
        for item in _written(call):
            if has(item):
                yield Change((replace(source, item, told(source.code(item), item)),))
    for node in source.each(ast.BinOp):
        if isinstance(node.op, ast.Mod) and is_text(node.left):
            for item in _given(source.code(node.left), node.right):
                if has(item):
                    yield Change((replace(source, item, told(source.code(item), item)),))
    for joined in source.each(ast.JoinedStr):
        code = text = source.code(joined)
        for held in (item for item in joined.values if isinstance(item, ast.FormattedValue)):
            if held.format_spec is None and held.conversion in _AS_TEXT and has(held.value):
                text = _in_f_string(text, held.value, told)
        if text != code:
            yield Change((replace(source, joined, text),))


def _written(call: ast.Call) -> list[ast.expr]:
    """Give what a call of print, or of a logger by `%s`, writes as text."""
    if isinstance(call.func, ast.Name) and call.func.id == "print":
        return call.args
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LOGGED or not call.args:
        return []
    template = getattr(call.args[0], "value", None)
    if not isinstance(template, str):
        return []
    places = re.findall(r"%(.)", template.replace("%%", ""))
    given = call.args[1:]
    return (
        [item for item, place in zip(given, places, strict=True) if place == "s"] if len(places) == len(given) else []
    )


def _given(template: str, node: ast.expr) -> list[ast.expr]:
    """Give what `%` fills into a text: a tuple, one value, or the values of a dictionary that it names."""
    if isinstance(node, ast.Dict):
        return node.values if "%(" in template else []
    return node.elts if isinstance(node, ast.Tuple) else [node]


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _in_f_string(code: str, node: ast.expr, told: Told) -> str:
    """Write what stands in braces anew: nodes inside of f-strings have no places before Python 3.12."""
    plain = re.escape(ast.unparse(node)).replace("'", "['\"]").replace("\\ ", r"\s*")
    return re.sub(rf"(?<!{{)\{{\s*({plain})\s*(?:!s)?\}}", lambda match: "{" + told(match[1], node) + "}", code)
