"""Ways to change a text that all rules share: keyword arguments, imports, putting edits into a file. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Sequence

from aerodrome.migration.codemod.contract import Change, Edit
from aerodrome.migration.codemod.source import Source

_BLANK = b" \t\r\n\f\\"
_WIDTH = 110


def keyword(call: ast.Call, name: str) -> ast.keyword | None:
    """Give the argument passed under this name."""
    return next((item for item in call.keywords if item.arg == name), None)


def has_open_end(call: ast.Call) -> bool:
    """Tell whether arguments stand there that cannot be seen: `*args`, `**kwargs`."""
    return any(item.arg is None for item in call.keywords) or any(isinstance(arg, ast.Starred) for arg in call.args)


def drop_item(source: Source, item: ast.AST, *, first: int | None = None) -> Edit:
    """Take an argument, a dict entry or a list item away with its comma, and with its line when nothing else stands there; a comment stays."""
    start = source.start(item) if first is None else first
    text = source.text
    end = source.end(item)
    if not isinstance(item, ast.keyword):
        end = _close_parentheses(source, end, len(text))
    after = _skip(source, end)
    has_comma = text[after : after + 1] == b","
    end = after + 1 if has_comma else end
    line_start = text.rfind(b"\n", 0, start) + 1
    line_end = text.find(b"\n", end)
    line_end = len(text) if line_end < 0 else line_end
    rest = text[end:line_end].strip()
    is_own_line = not text[line_start:start].strip() and line_start > 0
    if is_own_line and not rest:
        return Edit(line_start, min(line_end + 1, len(text)), "")
    if is_own_line and has_comma and rest.startswith(b"#"):
        return Edit(start, text.index(b"#", end), "")  # the comment stays
    if has_comma:
        while text[end : end + 1] in (b" ", b"\t"):
            end += 1
        return Edit(start, end, "")
    back = start
    while back > 0 and text[back - 1 : back] in (b" ", b"\t", b"\n", b"\r"):
        back -= 1
    return Edit(back - 1 if text[back - 1 : back] == b"," else start, end, "")


def _close_parentheses(source: Source, end: int, close: int) -> int:
    """Step over parentheses around a value, which its node leaves out; never over the one at `close`."""
    while (after := _skip(source, end)) < close and source.text[after : after + 1] == b")":
        end = after + 1
    return end


def _skip(source: Source, at: int) -> int:
    """Step over blanks and comments."""
    text = source.text
    while at < len(text):
        if text[at : at + 1] == b"#":
            found = text.find(b"\n", at)
            at = len(text) if found < 0 else found
        elif text[at : at + 1] in (b" ", b"\t", b"\r", b"\n", b"\f", b"\\"):
            at += 1
        else:
            break
    return at


def add_keyword(source: Source, call: ast.Call, name: str, value: str) -> Edit:
    """Append `name=value` in the layout of the last argument: one per line stays one per line; before `**kwargs`."""
    close = source.end(call) - 1
    stars = [item for item in call.keywords if item.arg is None]
    if stars:
        at = source.start(stars[0])
        return Edit(at, at, f"{name}={value}, ")
    items: list[ast.AST] = sorted([*call.args, *call.keywords], key=source.start)
    if not items:
        return Edit(close, close, f"{name}={value}")
    last = items[-1]
    end = source.end(last)
    if isinstance(last, ast.GeneratorExp) and len(items) == 1:
        end = close
    elif not isinstance(last, ast.keyword):
        end = _close_parentheses(source, end, close)
    after = _skip(source, end)
    has_comma = source.text[after : after + 1] == b","
    if has_comma:
        end = after + 1
    line = source.text[source.text.rfind(b"\n", 0, source.start(last)) + 1 : source.start(last)]
    if not line.strip() and b"\n" in source.text[source.end(call.func) : source.start(items[0])]:
        gap = source.newline.decode() + line.decode()
        if comment := _comment_beside(source, end):
            told = source.text[end : comment[1]].decode()  # it is about the argument before it
            return Edit(
                end, comment[1], f"{'' if has_comma else ','}{told}{gap}{name}={value}{',' if has_comma else ''}"
            )
    else:
        gap = " "
    head = "" if has_comma else ","
    return Edit(end, end, f"{head}{gap}{name}={value}" + ("," if has_comma else ""))


def _comment_beside(source: Source, end: int) -> tuple[int, int] | None:
    """Give the comment that follows on the same line, when nothing stands between."""
    return next(((a, b) for a, b in source.comments if a >= end and not source.text[end:a].strip(b" \t")), None)


def rename_keyword(source: Source, item: ast.keyword, name: str) -> Edit:
    start = source.start(item)
    return Edit(start, start + len((item.arg or "").encode()), name)


def replace(source: Source, node: ast.AST, text: str) -> Edit:
    return Edit(source.start(node), source.end(node), text)


def import_text(module: str, names: Sequence[str], indent: str, newline: str) -> str:
    """Write one import; long ones get a line for each name."""
    text = f"from {module} import {', '.join(names)}"
    if len(indent) + len(text) <= _WIDTH or len(names) == 1:
        return text
    inner = "".join(f"{newline}{indent}    {name}," for name in names)
    return f"from {module} import ({inner}{newline}{indent})"


def apply(source: Source, changes: Iterable[Change]) -> bytes:
    """Make edits that do not overlap, and add the imports that they need."""
    edits = sorted({edit for change in changes for edit in change.edits}, key=lambda edit: (edit.start, edit.end))
    needed = dict.fromkeys(item for change in changes for item in change.imports)
    text = source.text
    if missing := [item for item in needed if not _is_imported(source, *item)]:
        lines = "".join(_line(source, module, name) for module, name in missing)
        place = _place(source, lines)
        edits.append(place)
        edits.sort(key=lambda edit: (edit.start, edit.end, edit is not place))  # imports before what else begins there
    parts: list[bytes] = []
    position = 0
    for edit in edits:
        parts += [text[position : edit.start], edit.text.encode()]
        position = edit.end
    return b"".join([*parts, text[position:]])


def _is_imported(source: Source, module: str, name: str) -> bool:
    name, _, alias = name.partition(" as ")
    return source.has_import(alias or name or module, f"{module}.{name}" if name else module)


def _line(source: Source, module: str, name: str) -> str:
    return (f"from {module} import {name}" if name else f"import {module}") + source.newline.decode()


def _place(source: Source, lines: str) -> Edit:
    at = after_imports(source)
    if at and source.text[at - 1 : at] not in (b"\n", b"\r"):
        lines = source.newline.decode() + lines.rstrip("\r\n")
    return Edit(at, at, lines)


def after_imports(source: Source) -> int:
    """Give the place for new imports: after the first block of imports, else after the docstring."""
    body = source.tree.body
    last: ast.stmt | None = None
    for index, node in enumerate(body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            last = node
        elif index > 0 and last is not None:
            break
    if last is None and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        last = body[0]
    return 0 if last is None else source.line_end(last.end_lineno or last.lineno)


def before_statement(source: Source, node: ast.AST) -> int:
    """Give where the statement of the file begins that holds a node, with its decorators and the comments right above."""
    while not isinstance(parent := source.parents[node], ast.Module):
        node = parent
    line = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])  # type: ignore[attr-defined]
    while line > 1 and source.text[source.line_start(line - 1) : source.line_start(line)].startswith(b"#"):
        line -= 1
    return source.line_start(line)


def is_overlapping(edit: Edit, taken: Collection[Edit]) -> bool:
    return any(
        (edit.start < other.end and other.start < edit.end) or (edit.start, edit.end) == (other.start, other.end)
        for other in taken
    )


def identifier(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", text) is not None
