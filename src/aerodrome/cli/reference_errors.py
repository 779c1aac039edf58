"""Reads the errors that the code raises out of the code itself, for the reference: `code`, kind, message and hint of each.

Only calls with a literal `code` are found; what stands between braces in a message is written as an ellipsis.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aerodrome

ROOT = Path(aerodrome.__file__).parent
KINDS = ("Invalid", "Denied", "NotFound", "Conflict", "Unavailable", "Broken")


@dataclass(frozen=True)
class KnownError:
    """One error as the code raises it; the same code may stand for several messages."""

    code: str
    kind: str  # a class of kernel.errors, or a helper that makes one
    message: str
    hint: str
    room: str  # the folder below src/aerodrome


def known_errors(root: Path = ROOT) -> list[KnownError]:
    """Give every error of the package, by room and code, each message once. Reads each source file once."""
    found = {error for path in sorted(root.rglob("*.py")) for error in _errors_of(path, root)}
    return sorted(found, key=lambda error: (error.room, error.code, error.message, error.kind, error.hint))


def _errors_of(path: Path, root: Path) -> Iterator[KnownError]:
    room = path.relative_to(root).parts[0].removesuffix(".py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        code = given.get("code")
        if not (isinstance(code, ast.Constant) and isinstance(code.value, str) and node.args):
            continue
        message, hint = _text(node.args[0]), _text(given["hint"]) if "hint" in given else ""
        if message:
            yield KnownError(code.value, ast.unparse(node.func).rpartition(".")[2], message, hint, room)


def _text(node: ast.expr) -> str:
    """Give a literal text, with an ellipsis for whatever is only known when it happens."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"
