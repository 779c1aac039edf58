"""One file under upgrade: its bytes, its syntax tree, where nodes stand, and what names mean by its imports. Pure.

Edits are made in the text, never by printing the tree: what no rule touches keeps its comments, layout and line endings.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aerodrome.migration.codemod.project import Project

_Node = TypeVar("_Node", bound=ast.AST)
_NEWLINE = re.compile(rb"\r\n|\n|\r")
_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


@dataclass
class Scope:
    """One region of names; `bound` holds "" for what is no import."""

    parent: Scope | None
    is_class: bool = False
    bound: dict[str, set[str]] = field(default_factory=dict)
    rebound: dict[str, int] = field(default_factory=dict)  # the first line that binds a name to what is no import

    def bind(self, name: str, origin: str = "", line: int = 0) -> None:
        self.bound.setdefault(name, set()).add(origin)
        if not origin:
            self.rebound[name] = min(line, self.rebound.get(name, line))


class Source:
    """A parsed file. `text` is UTF-8; nodes are in the order of the tree. `project`: where it is `file`, if anything is known of it."""

    def __init__(self, text: bytes, tree: ast.Module, file: str = "", project: Project | None = None) -> None:
        self.text = text
        self.tree = tree
        self.file = file
        self.project = project
        self._lines = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        self.parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, Scope] = {}
        self._by_type: dict[type, list[ast.AST]] = {}
        self.top = Scope(None)
        self.passed_on: set[str] = set()  # names that other files of the project bring
        self._walk(tree, self.top)

    def _walk(self, root: ast.AST, top: Scope) -> None:
        stack: list[tuple[ast.AST, Scope]] = [(root, top)]
        while stack:
            node, scope = stack.pop()
            self._by_type.setdefault(type(node), []).append(node)
            self._scopes[node] = scope
            if not self._is_placeholder(node):
                _bind(node, scope, self._bind_passed_on(node, scope))
            inner = scope
            if isinstance(node, _SCOPES):
                inner = Scope(scope, is_class=isinstance(node, ast.ClassDef))
                for arg in _arguments(node):
                    inner.bind(arg)
            outer = _evaluated_outside(node) if inner is not scope else ()
            for child in reversed(list(ast.iter_child_nodes(node))):
                self.parents[child] = node
                stack.append((child, scope if child in outer else inner))

    def _bind_passed_on(self, node: ast.AST, scope: Scope) -> frozenset[str]:
        """Bind what an import from another file of the project brings to what it is; give these names."""
        if self.project is None or not self.file or not isinstance(node, ast.ImportFrom):
            return frozenset()
        found = dict(self.project.passed_on.of_import(node, self.file))
        for name, origin in found.items():
            scope.bind(name, origin)
        self.passed_on |= found.keys()
        return frozenset(found)

    def _is_placeholder(self, node: ast.AST) -> bool:
        """Tell whether a name stands for an import that may fail: `X = None`."""
        parent = self.parents.get(node)
        value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else node
        return isinstance(node, ast.Name) and isinstance(value, ast.Constant) and value.value is None

    def each(self, *kinds: type[_Node]) -> Iterator[_Node]:
        """Give the nodes of these classes."""
        for kind in kinds:
            yield from self._by_type.get(kind, ())  # type: ignore[misc]

    def at(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column

    def start(self, node: ast.AST) -> int:
        return self.at(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self.at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def line_at(self, offset: int) -> int:
        """Give the line that a byte of the text is on."""
        return bisect_right(self._lines, offset)

    def line_start(self, line: int) -> int:
        return self._lines[line - 1]

    def line_end(self, line: int) -> int:
        """Give where a line ends, its ending included."""
        return self._lines[line] if line < len(self._lines) else len(self.text)

    def code(self, node: ast.AST) -> str:
        return self.text[self.start(node) : self.end(node)].decode("utf-8")

    @cached_property
    def newline(self) -> bytes:
        found = _NEWLINE.search(self.text)
        return found[0] if found else b"\n"

    def scope(self, node: ast.AST) -> Scope:
        return self._scopes[node]

    def meanings(self, node: ast.AST) -> frozenset[str]:
        """Give the dotted origins that an expression may have by imports; none when it may be something else, too."""
        if isinstance(node, ast.Attribute):
            dotted = frozenset(f"{owner}.{node.attr}" for owner in self.meanings(node.value))
            if self.project is None or not dotted:
                return dotted
            return dotted.union(origin for name in dotted if (origin := self.project.passed_on.origin_of(name)))
        if not isinstance(node, ast.Name):
            return frozenset()
        scope: Scope | None = self._scopes.get(node)
        is_first = True
        while scope is not None:
            if node.id in scope.bound and (is_first or not scope.is_class):
                found = scope.bound[node.id]
                is_before = is_first and node.lineno < scope.rebound.get(node.id, 0)
                return frozenset(found - {""}) if is_before or "" not in found else frozenset()
            scope, is_first = scope.parent, False
        return frozenset()

    def is_passed_on(self, node: ast.AST) -> bool:
        """Tell whether a name of Airflow's comes from another file of the project."""
        if isinstance(node, ast.Attribute) and self.project is not None:
            return any(self.project.passed_on.origin_of(name) for name in self.meanings(node))
        return isinstance(node, ast.Name) and node.id in self.passed_on

    def means(self, node: ast.AST, wanted: Iterable[str]) -> bool:
        return not self.meanings(node).isdisjoint(wanted)

    @cached_property
    def writes(self) -> dict[str, list[ast.Name | ast.Attribute]]:
        """Give what is written or deleted, by its name: `a = …`, `….a = …`, `for a in …`."""
        found: dict[str, list[ast.Name | ast.Attribute]] = {}
        for node in self.each(ast.Name):
            if not isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(node)
        for attribute in self.each(ast.Attribute):
            if not isinstance(attribute.ctx, ast.Load):
                found.setdefault(attribute.attr, []).append(attribute)
        return found

    @cached_property
    def _bound_anywhere(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for scope in {id(scope): scope for scope in (self.top, *self._scopes.values())}.values():
            for name, origins in scope.bound.items():
                found.setdefault(name, set()).update(origins)
        return found

    def is_free(self, name: str, origin: str) -> bool:
        """Tell whether a name means nothing in the file, or `origin` only."""
        return self._bound_anywhere.get(name, {origin}) == {origin}

    def is_free_below(self, name: str) -> bool:
        """Tell whether no function, class or comprehension of the file gives the name a meaning of its own."""
        return all(name not in scope.bound for scope in self._scopes.values() if scope is not self.top)

    def has_import(self, name: str, origin: str) -> bool:
        return self.top.bound.get(name) == {origin} and name not in self.passed_on

    @cached_property
    def comments(self) -> tuple[tuple[int, int], ...]:
        """Give start and end of every comment."""
        found = []
        try:
            for token in tokenize.tokenize(io.BytesIO(self.text).readline):
                if token.type == tokenize.COMMENT:
                    start = self.line_start(token.start[0]) + len(token.line[: token.start[1]].encode())
                    found.append((start, start + len(token.string.encode())))
        except (tokenize.TokenError, SyntaxError):
            return ()
        return tuple(found)

    def has_comment(self, start: int, end: int) -> bool:
        if b"#" not in self.text[start:end]:
            return False
        return any(start <= first < end for first, _ in self.comments)


def read(text: bytes, file: str = "", project: Project | None = None) -> Source | None:
    """Parse a file's UTF-8 text; None when it is not Python 3."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Source(text, ast.parse(text), file, project)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _arguments(node: ast.AST) -> Iterator[str]:
    args = getattr(node, "args", None)
    if isinstance(args, ast.arguments):
        for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg):
            if arg is not None:
                yield arg.arg


def _evaluated_outside(node: ast.AST) -> set[ast.AST]:
    """Give the children of a scope that its surroundings evaluate: decorators, defaults, bases."""
    found: set[ast.AST] = set(getattr(node, "decorator_list", ()))
    if isinstance(node, ast.ClassDef):
        found |= {*node.bases, *node.keywords}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
        found.add(node.returns)
    return found


def module_of(node: ast.ImportFrom, file: str) -> str:
    """Give the module of an import; of one that begins with dots, as the file lies below the project."""
    if not node.level:
        return node.module or ""
    folder = PurePosixPath(file).parent
    for _ in range(node.level - 1):
        folder = folder.parent
    return ".".join([*(part for part in folder.parts if part != "."), *([node.module] if node.module else [])])


_DATETIME = ("date", "datetime", "time", "timedelta", "timezone", "tzinfo")
"""What a star takes from datetime: dates decide about schedules."""


def _bind(node: ast.AST, scope: Scope, known: frozenset[str] = frozenset()) -> None:
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name == "*" and node.module == "datetime":
                for name in _DATETIME:
                    scope.bind(name, f"datetime.{name}")
            if not node.level:
                scope.bind(alias.asname or alias.name, f"{node.module}.{alias.name}")
            elif (alias.asname or alias.name) not in known:
                scope.bind(alias.asname or alias.name)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            scope.bind(
                alias.asname or alias.name.split(".")[0], alias.name if alias.asname else alias.name.split(".")[0]
            )
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        scope.bind(node.name, line=node.lineno)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        scope.bind(node.id, line=node.lineno)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
        scope.bind(node.name)
