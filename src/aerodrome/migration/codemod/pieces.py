"""Takes the bodies of functions that run in another Python out of a file while ruff fixes it: ruff imports what it needs at the top of a file, where they never see it.

A body that runs under the target's Airflow is a file of its own meanwhile, and gets its imports back at its own beginning. Pure.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Edit
from aerodrome.migration.codemod.editing import apply
from aerodrome.migration.codemod.placing import inserted
from aerodrome.migration.codemod.rules.isolated import Isolated, isolated
from aerodrome.migration.codemod.source import Source, read

_MARK = "__a_body_that_runs_elsewhere_{}__"
_NAME = "a_body_that_runs_elsewhere"


@dataclass(frozen=True)
class Piece:
    """One body: `text` is what stands in its file; `alone` is that as a file, None when nobody may change it."""

    text: bytes
    alone: bytes | None


def take_out(source: Source) -> tuple[bytes, list[Piece]]:
    """Give the file without the bodies, and these."""
    edits: list[Edit] = []
    pieces: list[Piece] = []
    for item in isolated(source):
        first, last = item.body
        start, end = source.line_start(first), source.line_end(last)
        node = item.function.body[0]
        indent = source.text[start : source.start(node)].decode()
        is_nested = any(edit.start < end and start < edit.end for edit in edits)
        if indent.strip() or not indent or is_nested:  # `def f(): return x`
            continue
        text = source.text[start:end]
        edits.append(Edit(start, end, f"{indent}{_MARK.format(len(pieces))}{source.newline.decode()}"))
        pieces.append(Piece(text, None if item.runs_under else _alone(item.function, text, source.newline)))
    return apply(source, [Change(tuple(edits))]), pieces


def _alone(function: ast.FunctionDef, text: bytes, newline: bytes) -> bytes:
    args = function.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg) if arg]
    return f"def {_NAME}({', '.join(names)}):".encode() + newline + text


def put_back(masked: bytes, pieces: Sequence[Piece], fixed: Sequence[bytes]) -> bytes:
    """Give the file with its bodies, as they were or as `fixed` has them alone."""
    for number, (piece, alone) in enumerate(zip(pieces, fixed, strict=True)):
        line = re.compile(rb"(?m)^[ \t]*" + _MARK.format(number).encode() + rb"[ \t]*(?:\r\n|\n|\r|\Z)")
        body = piece.text if piece.alone is None else _body(piece, alone)
        masked = line.sub(body.replace(b"\\", rb"\\"), masked, count=1)
    return masked


def _body(piece: Piece, alone: bytes) -> bytes:
    """Give a body as ruff left it, with the imports that it wrote above; as it was when that is no function any more."""
    source = read(alone)
    function = next((node for node in source.tree.body if isinstance(node, ast.FunctionDef)), None) if source else None
    if source is None or function is None:
        return piece.text
    lines = [source.code(node) for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    inside = Isolated(function, "", "")
    made = apply(source, [Change((inserted(source, inside, lines),))] if lines else [])
    head = re.search(rb"(?m)^def " + _NAME.encode() + rb"\(.*(?:\r\n|\n|\r)", made)
    return made[head.end() :] if head else piece.text
