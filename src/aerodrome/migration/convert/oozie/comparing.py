"""Comparisons of EL, with values that may be null (JSP 2.0, 2.3.5): null only equals null, and is neither less nor more than anything.

Null are keys that an action did not put out, properties that wf:conf does not find, no last error, and the word itself (Oozie 4.x/5.x,
DagELFunctions: wf_actionData, wf_conf, wf_lastErrorNode). Everywhere else EL makes an empty text or 0 of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert.contract import Code, Function
from aerodrome.migration.convert.oozie import errors
from aerodrome.migration.convert.oozie.counters import counter_of
from aerodrome.migration.convert.oozie.el import Binary, Conditional, Index, Literal, Node
from aerodrome.migration.convert.oozie.el import Function as Call
from aerodrome.migration.convert.oozie.writing import grouped

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.compiling import Compiler

NULL: Final = Literal(None)
_NUMBER: Final = Function(
    "number",
    '''
def number(text):
    """Read a number as the expression language of Oozie does: whole unless it is written with a point or an exponent."""
    if text is None:
        return float("nan")  # null equals no number, and is neither less nor more
    return float(text) if set(text) & set(".eE") else int(text or 0)
''',
)


def read_number(compiler: Compiler, text: str) -> str:
    """Write what reads a number from a text."""
    compiler.needs.functions["number"] = _NUMBER
    if compiler.language == "jinja":
        compiler.needs.macros["number"] = Code("number")
    return f"number({text})"


def compare(compiler: Compiler, node: Binary) -> str:
    """Compile a comparison."""
    nothing = "none" if compiler.language == "jinja" else "None"
    left, right, operator = node.left, node.right, node.operator
    if NULL in (left, right):
        return _with_null(compiler, right if left == NULL else left, operator, nothing)
    errors.refuse_compared(node)
    kinds = {compiler.kind(left), compiler.kind(right)}
    sides = [
        None if operator in ("==", "!=") and _is_said(other) and not isinstance(item, Index | Conditional)
        else nullable(compiler, item)
        for item, other in ((left, right), (right, left))
    ]  # fmt: skip
    if "number" in kinds:
        one, two = (
            compiler.number_of(item) if side is None else read_number(compiler, side)
            for item, side in zip((left, right), sides, strict=True)
        )
        return f"{one} {operator} {two}"
    if "truth" in kinds:
        plain = f"({compiler.truth(left)}) {operator} ({compiler.truth(right)})"
    else:
        one, two = (
            grouped(compiler.text_of(item) if side is None else side)
            for item, side in zip((left, right), sides, strict=True)
        )
        plain = f"{one} {operator} {two}"
        if operator in ("==", "!="):
            return plain
    unsure = [side for side in sides if side is not None]
    if not unsure:
        return plain
    if operator == "!=":
        return f"({' or '.join(f'{grouped(side)} is {nothing}' for side in unsure)} or {plain})"
    sure = f"{' and '.join(f'{grouped(side)} is not {nothing}' for side in unsure)} and {plain}"
    return f"({one} == {two} or ({sure}))" if len(unsure) == 2 and operator in ("<=", ">=") else f"({sure})"


def _is_said(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str) and bool(node.value)


def _with_null(compiler: Compiler, node: Node, operator: str, nothing: str) -> str:
    if operator in ("<", ">"):
        return "False"
    side = nothing if node == NULL else nullable(compiler, node)
    if side is None or side == nothing:
        return str((side == nothing) is (operator != "!="))
    return f"{grouped(side)} is {'not ' if operator == '!=' else ''}{nothing}"


def nullable(compiler: Compiler, node: Node) -> str | None:
    """Compile to a text or None; None when the value is never null."""
    nothing = "none" if compiler.language == "jinja" else "None"
    match node:
        case Literal(None):
            return nothing
        case Index(value, key) if compiler.kind(value) == "map" and not counter_of(node):
            return f"{compiler.value(value)}.get({compiler.text_of(key)})"
        case Call("wf:conf" | "wf:lastErrorNode", arguments):
            inner = compiler.text_of(node)
            is_open = not arguments or (
                isinstance(arguments[0], Literal) and arguments[0].value in compiler.needs.optional
            )
            return f"({inner} or {nothing})" if is_open else None
        case Call("wf:errorCode" | "wf:errorMessage"):
            return f"({compiler.text_of(node)} or {nothing})"
        case Conditional(test, yes, no):
            sides = [nullable(compiler, yes), nullable(compiler, no)]
            if sides == [None, None]:
                return None
            one, two = (
                compiler.text_of(item) if side is None else side for item, side in zip((yes, no), sides, strict=True)
            )
            return f"({one} if {compiler.truth(test)} else {two})"
    return None


def unless_null(compiler: Compiler, node: Node, other: Node) -> str:
    """Compile to the text of the first that is not null; an empty text is none the less one."""
    side, second = nullable(compiler, node), grouped(compiler.text_of(other))
    if side is None:
        return compiler.text_of(node)
    match node:
        case Index(value, key):
            return f"{compiler.value(value)}.get({compiler.text_of(key)}, {second})"
        case Call():
            return f"({compiler.text_of(node)} or {second})"
    nothing = "none" if compiler.language == "jinja" else "None"
    return f"({side} if {side} is not {nothing} else {second})"
