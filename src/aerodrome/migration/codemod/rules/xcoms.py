"""Calls of xcom_pull and xcom_push, in Python and in Jinja, and what they are given. Shared by the rules about XComs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from aerodrome.migration.codemod.contract import Change, Edit, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.rules.tasks import may_be_context
from aerodrome.migration.codemod.source import Source, read
from aerodrome.migration.codemod.templates import rewrite_node, texts

_POSITIONS = {
    "xcom_pull": ("task_ids", "dag_id", "key", "include_prior_dates", "session"),
    "xcom_push": ("key", "value", "execution_date", "session"),
}
_OWNER = re.compile(r"[\w.]+(?:\[\\?['\"]\w+\\?['\"]\])?\.$")
_FILTERED = re.compile(r"\|\s*(?:reject|select)\b")
_EDGE = "-+ \t\r\n"
_CURRENT = frozenset({"airflow.operators.python.get_current_context", "airflow.sdk.get_current_context"})


@dataclass(frozen=True)
class Verdict:
    """What a rule does about a call: edits within the text that holds it, or what it says of it; `why` beside edits is a note."""

    edits: tuple[Edit, ...] = ()
    why: str = ""
    hint: str = ""
    pipe: str = ""  # filters for a call in a Jinja block, "{q}" is the quote there
    unpiped: tuple[str, str] = ("", "")  # what is said, and its hint, where they cannot be added
    is_if_printed: bool = False  # said only of a call that is all that its block writes


Decide = Callable[[Source, ast.Call], Verdict | None]


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """Give what a call of a task instance's method is given, by name or by position; None when nothing is seen."""
    if (item := keyword(call, name)) is not None:
        return item.value
    method = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = _POSITIONS[method].index(name) if name in _POSITIONS[method] else len(call.args)
    if at >= len(call.args) or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    return call.args[at]


def is_none(node: ast.expr | None) -> bool:
    """Tell whether an argument is None, which Jinja writes small as well."""
    return (isinstance(node, ast.Constant) and node.value is None) or (isinstance(node, ast.Name) and node.id == "none")


def is_false(node: ast.expr | None) -> bool:
    return (isinstance(node, ast.Constant) and node.value is False) or getattr(node, "id", "") == "false"


def is_context(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression is the whole context of a task."""
    if isinstance(node, ast.Call):
        return source.means(node.func, _CURRENT)
    return may_be_context(source, node)


def calls(source: Source, method: str) -> Iterator[ast.Call]:
    """Give the calls of a method of task instances; not those of the file's own classes, nor an operator's, which take the context."""
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr != method or is_other(source, func.value):
            continue
        if not (call.args and is_context(source, call.args[0])) and keyword(call, "context") is None:
            yield call


def is_other(source: Source, owner: ast.expr) -> bool:
    """Tell whether an object is surely no task instance: one's own, a module, or what a class of the file makes."""
    if isinstance(owner, ast.Call):
        return getattr(owner.func, "id", "") == "super" or _is_own_class(source, owner.func)
    if not isinstance(owner, ast.Name):
        return False
    if owner.id in ("self", "cls") or source.meanings(owner) or _is_own_class(source, owner):
        return True
    values = values_of_name(source, owner)
    return any(isinstance(value, ast.Call) and _is_own_class(source, value.func) for value in values)


def _is_own_class(source: Source, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and any(item.name == node.id for item in source.each(ast.ClassDef))


def decided(source: Source, method: str, decide: Decide) -> Iterator[Change | Spot]:
    """Ask a rule about every call of a method, in Python and in the Jinja blocks of texts."""
    for call in calls(source, method):
        if verdict := decide(source, call):
            yield from _told(verdict, call.lineno, Change(verdict.edits))
    for node in texts(source):
        if method not in source.code(node):
            continue
        said: list[Verdict] = []
        change = rewrite_node(source, node, inside(method, decide, said))
        notes = [item for item in said if (item.edits or item.pipe) and item.why]
        if change:
            note = Spot(node.lineno, notes[0].why, notes[0].hint) if notes else None
            yield replace(change, note=note)
        for item in said:
            if not item.edits and not item.pipe:
                yield Spot(node.lineno, item.why, item.hint)


def _told(verdict: Verdict, line: int, change: Change) -> Iterator[Change | Spot]:
    spot = Spot(line, verdict.why, verdict.hint) if verdict.why else None
    if verdict.edits:
        yield replace(change, note=spot)
    elif spot:
        yield spot


def inside(method: str, decide: Decide, said: list[Verdict]) -> Callable[[str, str], tuple[str, int]]:
    """Make what rewrites a method's calls within a Jinja block; `said` gets the verdicts."""

    def inner(text: str, quote: str) -> tuple[str, int]:
        parts, at, count = [], 0, 0
        for match in re.finditer(rf"(?<=\.){method}\(", text):
            source = _shortest(text[match.start() :]) if match.start() >= at else None
            call = source.tree.body[0].value if source else None  # type: ignore[attr-defined]
            verdict = decide(source, call) if source and isinstance(call, ast.Call) else None
            if source is None or verdict is None:
                continue
            end = match.start() + len(source.text.decode())
            owner, behind = _OWNER.search(text[: match.start()]), text[end:].lstrip()
            before = text[: owner.start()].strip(_EDGE) if owner else "?"
            if verdict.is_if_printed and (before or behind.strip(_EDGE)):
                continue
            pipe = verdict.pipe.format(q=quote)
            if pipe and _FILTERED.match(behind):
                continue
            is_open = bool(pipe) and behind.startswith(("[", ".", "("))
            if is_open and (owner is None or owner.start() < at):
                said.append(Verdict((), *verdict.unpiped))
                continue
            said.append(verdict)
            new = _edited(text[match.start() : end], verdict.edits)
            start = owner.start() if is_open and owner else match.start()
            held = text[start : match.start()]
            parts += [text[at:start], f"({held}{new}{pipe})" if is_open else f"{new}{pipe}"]
            at = end
            count += bool(verdict.edits or pipe)
        return "".join([*parts, text[at:]]), count

    return inner


def _shortest(text: str) -> Source | None:
    """Read the shortest text that Python takes for a call; quotes that the text around escapes are bare ones, of the same length."""
    for end in re.finditer(r"\)", text):
        found = read(bare(text[: end.end()]).encode())
        if found is not None:
            return found
    return None


def bare(text: str) -> str:
    """Take the backslash of quotes for a blank outside of the text that they enclose."""
    is_open = False

    def quote(match: re.Match[str]) -> str:
        nonlocal is_open
        is_open = not is_open
        return f" {match[1]}" if is_open else f"{match[1]} "

    return re.sub(r"\\(['\"])", quote, text)


def _edited(text: str, edits: tuple[Edit, ...]) -> str:
    data = text.encode()
    for edit in sorted(edits, key=lambda item: -item.start):
        start, end = (at + (data[at - 1 : at + 1] in (b"\\'", b'\\"')) for at in (edit.start, edit.end))
        data = data[:start] + edit.text.encode() + data[end:]
    return data.decode()
