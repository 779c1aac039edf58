"""Jinja blocks in Python's texts and in files of templates: found, and given to a rule that changes what stands inside them."""

from __future__ import annotations

import ast
import itertools
import re
import tokenize
from collections.abc import Callable, Iterator

from aerodrome.migration.codemod.contract import Change
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

Inner = Callable[[str, str], tuple[str, int]]
"""Change the inside of a block: its text and the quote to write strings with -> its new text and the number of changes."""

_BLOCK = re.compile(r"(\{[{%])(.*?)([%}]\})", re.DOTALL)
_IN_F_STRING = re.compile(r"\{\{(\{\{|%)((?:[^{}]|\{[^{}]*\})*?)(\}\}|%)\}\}")
"""A Jinja block as an f-string writes it: its braces are doubled; single ones hold Python."""
_HELD = re.compile(r"(\{[^{}]*\})")


def rewrite_text(text: str, inner: Inner, quote: str = "'") -> tuple[str, int]:
    """Rewrite the Jinja blocks of a text; give the number of changes with it."""
    count = 0

    def block(match: re.Match[str]) -> str:
        nonlocal count
        inside, done = inner(match[2], quote)
        count += done
        return match[1] + inside + match[3]

    return _BLOCK.sub(block, text), count


def rewrite_f_string(code: str, inner: Inner, quote: str) -> tuple[str, int]:
    """Rewrite the Jinja blocks that an f-string's code makes; what Python puts in stays."""
    count = 0

    def block(match: re.Match[str]) -> str:
        nonlocal count
        if (match[1] == "%") != (match[3] == "%"):
            return match[0]
        parts = _HELD.split(match[2])
        marks = [f"_held_{at}_" if at % 2 else part for at, part in enumerate(parts)]
        opening, closing = ("{%", "%}") if match[1] == "%" else ("{{", "}}")
        text, done = rewrite_text(f"{opening}{''.join(marks)}{closing}", inner, quote)
        count += done
        inside = text[2:-2]
        for at in range(1, len(parts), 2):
            inside = inside.replace(marks[at], parts[at])
        return "{{" + match[1] + inside + match[3] + "}}"

    return _IN_F_STRING.sub(block, code), count


def rewrite_source(source: Source, inner: Inner) -> Iterator[Change]:
    """Rewrite the Jinja blocks in the texts of a file of Python."""
    for node in texts(source):
        if change := rewrite_node(source, node, inner):
            yield change


def texts(source: Source) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Give the texts of a file of Python that may hold Jinja blocks."""
    for node in source.each(ast.Constant):
        if not isinstance(node.value, str) or ("{{" not in node.value and "{%" not in node.value):
            continue
        if not isinstance(source.parents[node], ast.JoinedStr):
            yield node
    yield from (joined for joined in source.each(ast.JoinedStr) if "{{" in source.code(joined))


def rewrite_node(source: Source, node: ast.Constant | ast.JoinedStr, inner: Inner) -> Change | None:
    """Rewrite the Jinja blocks of one text."""
    code = source.code(node)
    if isinstance(node, ast.JoinedStr):
        text, count = _rewrite_pieces(code, inner)
    else:
        text, count = rewrite_text(code, inner, '"' if code.rstrip().endswith("'") else "'")
    return Change((replace(source, node, text),)) if count else None


def _rewrite_pieces(code: str, inner: Inner) -> tuple[str, int]:
    """Rewrite texts that stand one behind the other, some of them f-strings: only these double their braces."""
    lines = f"({code})".splitlines(keepends=True)
    starts = [0, *itertools.accumulate(len(line) for line in lines)]
    plain = [
        (starts[token.start[0] - 1] + token.start[1] - 1, starts[token.end[0] - 1] + token.end[1] - 1)
        for token in tokenize.generate_tokens(iter(lines).__next__)
        if token.type == tokenize.STRING and "f" not in token.string.partition(token.string[-1])[0].lower()
    ]
    text, count, at = "", 0, 0
    for start, end in (*plain, (len(code), len(code))):
        for piece, rewrite in ((code[at:start], rewrite_f_string), (code[start:end], rewrite_text)):
            new, done = rewrite(piece, inner, '"' if piece.rstrip().endswith("'") else "'")
            text, count = text + new, count + done
        at = end
    return text, count
