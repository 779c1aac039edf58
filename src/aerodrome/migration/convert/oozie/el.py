"""Oozie's expression language: text with `${…}` becomes a tree. JSP EL 1.0 with namespaced functions, as Oozie 5 evaluates it.

`parse` gives the pieces of a text; the compilers (`compiling`) and the evaluator of the proofs (`evaluation`) walk them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Union

from aerodrome.kernel.errors import Invalid


@dataclass(frozen=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True)
class Name:
    """A variable of the job's configuration; dots belong to the name."""

    name: str


@dataclass(frozen=True)
class Function:
    name: str  # "wf:conf", "concat"
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Index:
    value: Node
    key: Node


@dataclass(frozen=True)
class Unary:
    operator: str  # "not", "empty", "-"
    value: Node


@dataclass(frozen=True)
class Binary:
    operator: str  # "or and == != < > <= >= + - * / %"
    left: Node
    right: Node


@dataclass(frozen=True)
class Conditional:
    test: Node
    yes: Node
    no: Node


Node = Union[Literal, Name, Function, Index, Unary, Binary, Conditional]  # noqa: UP007  (recursive)
Piece = str | Node  # a text is literal pieces and expressions

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+|\d+)|(?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<name>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*)|(?P<mark>&&|\|\||[=!<>]=|[-+*/%()\[\],?:<>!.]))"""
)
_WORDS: Final = {
    "and": "and",
    "or": "or",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "gt": ">",
    "le": "<=",
    "ge": ">=",
    "div": "/",
    "mod": "%",
}
_MARKS: Final = {"&&": "and", "||": "or"}
_POWER: Final = {
    "or": 1, "and": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_CONSTANTS: Final = {
    "true": True,
    "false": False,
    "null": None,
    "KB": 1 << 10,
    "MB": 1 << 20,
    "GB": 1 << 30,
    "TB": 1 << 40,
    "PB": 1 << 50,
}


def parse(text: str) -> tuple[Piece, ...]:
    """Split a text into literal pieces and expressions; Invalid (`el-invalid`) shows what cannot be read."""
    pieces: list[Piece] = []
    place = 0
    while (start := text.find("${", place)) >= 0:
        end = _end(text, start + 2)
        if start > place:
            pieces.append(text[place:start])
        pieces.append(_Parser(text[start + 2 : end]).whole())
        place = end + 1
    if place < len(text):
        pieces.append(text[place:])
    return tuple(pieces)


def _end(text: str, place: int) -> int:
    quote = ""
    while place < len(text):
        mark = text[place]
        if quote:
            if mark == "\\":
                place += 1
            elif mark == quote:
                quote = ""
        elif mark in "'\"":
            quote = mark
        elif mark == "}":
            return place
        place += 1
    raise _invalid(text, "a ${ is not closed")


def _invalid(text: str, why: str) -> Invalid:
    shown = " ".join(text.split())[:120]
    return Invalid(
        f"The expression {shown!r} cannot be read: {why}.",
        code="el-invalid",
        hint="Oozie would refuse it, too; correct it.",
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        place = 0
        stripped = text.rstrip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None:
                raise _invalid(text, f"{stripped[place : place + 10]!r} is not known")
            self.tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            place = match.end()
        self.place = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.conditional()
        if self.place < len(self.tokens):
            raise _invalid(self.text, f"{self.tokens[self.place][1]!r} is not expected")
        return node

    def peek(self) -> str:
        return (
            self.tokens[self.place][1]
            if self.place < len(self.tokens) and self.tokens[self.place][0] != "string"
            else ""
        )

    def take(self, mark: str) -> None:
        if self.peek() != mark:
            raise _invalid(self.text, f"{mark!r} is missing")
        self.place += 1

    def conditional(self) -> Node:
        self.depth += 1
        if self.depth > 60:
            raise _invalid(self.text, "it is nested too deeply")
        node = self.binary(0)
        if self.peek() == "?":
            self.take("?")
            yes = self.conditional()
            self.take(":")
            node = Conditional(node, yes, self.conditional())
        self.depth -= 1
        return node

    def binary(self, power: int) -> Node:
        left = self.unary()
        while True:
            word = self.peek()
            operator = _WORDS.get(word) or _MARKS.get(word) or word
            if _POWER.get(operator, 0) <= power:
                return left
            self.place += 1
            left = Binary(operator, left, self.binary(_POWER[operator]))

    def unary(self) -> Node:
        word = self.peek()
        if word in ("not", "!", "empty", "-"):
            self.place += 1
            self.depth += 1
            if self.depth > 60:
                raise _invalid(self.text, "it is nested too deeply")
            node = Unary("not" if word == "!" else word, self.unary())
            self.depth -= 1
            return node
        return self.postfix(self.primary())

    def postfix(self, node: Node) -> Node:
        while self.peek() in ("[", "."):
            if self.peek() == "[":
                self.take("[")
                node = Index(node, self.conditional())
                self.take("]")
            else:
                self.take(".")
                node = Index(node, Literal(self.tokens[self.place][1]))
                self.place += 1
        return node

    def primary(self) -> Node:
        if self.place >= len(self.tokens):
            raise _invalid(self.text, "something is missing at its end")
        kind, word = self.tokens[self.place]
        self.place += 1
        if kind == "string":
            # commons-el 1.0, of JSP 2.0: such a text is a BADLY_ESCAPED_STRING_LITERAL
            if bad := re.search(r"\\[^\\'\"]", re.sub(r"\\[\\'\"]", "", word)):
                raise _invalid(self.text, f"{bad[0]} is no escape, one backslash is written as two")
            return Literal(re.sub(r"\\(.)", r"\1", word[1:-1]))
        if kind == "number":
            return Literal(float(word) if "." in word else int(word))
        if word == "(":
            node = self.conditional()
            self.take(")")
            return node
        if kind != "name":
            raise _invalid(self.text, f"{word!r} is not expected")
        if self.peek() == ":" and self.place + 2 < len(self.tokens) and self.tokens[self.place + 2][1] == "(":
            self.place += 2
            return self.call(f"{word}:{self.tokens[self.place - 1][1]}")
        if self.peek() == "(":
            return self.call(word)
        return Literal(_CONSTANTS[word]) if word in _CONSTANTS else Name(word)

    def call(self, name: str) -> Node:
        self.take("(")
        arguments: list[Node] = []
        while self.peek() != ")":
            arguments.append(self.conditional())
            if self.peek() == ",":
                self.take(",")
            elif self.peek() != ")":
                raise _invalid(self.text, "a ')' is missing")
        self.take(")")
        return Function(name, tuple(arguments))
