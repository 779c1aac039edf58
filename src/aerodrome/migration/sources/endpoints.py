"""Finds the hosts that code names: in URLs within its string literals, and private IPv4 addresses. Pure; user, password, path and query are dropped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_URL = re.compile(
    r"\b(?P<scheme>[a-z][a-z0-9+.-]{1,20})://(?:[^\s/@'\"<>]*@)?"
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)(?::(?P<port>\d{1,5}))?(?=[/?#\s'\",;)]|$)"
)
_PRIVATE = re.compile(
    r"(?<![\d.\w/-])(?P<host>10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    r"(?::(?P<port>\d{1,5}))?(?![\d.]*\d|/\d)"
)
"""An address of RFC 1918, as it stands in commands; no network (10.0.0.0/8), no part of a longer number."""
BARE = "address"
"""The scheme of an address that stands without one."""
_REST = re.compile(r"[^\s'\"<>]*")
_IGNORED_HOSTS = re.compile(
    r"(?i)^(www\.w3\.org|schemas\..*|airflow\.apache\.org|docs\..*|github\.com|json-schema\.org)$"
)
_IGNORED_SCHEMES = {"file", "urn", "data", "mailto"}
_MOST_LENGTH = 20_000


@dataclass(frozen=True, order=True)
class Endpoint:
    """A host at a line. Object stores count as hosts of their scheme: `s3://bucket`."""

    line: int
    scheme: str
    host: str
    port: int | None


def endpoints(nodes: Sequence[ast.AST]) -> Iterator[Endpoint]:
    """Give the endpoints that stand in a file, each once per line, in order of the line; docstrings are skipped."""
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    found: set[tuple[int, str, str, int]] = set()
    for node in nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in docs:
            continue
        if len(node.value) > _MOST_LENGTH:
            continue
        if "://" not in node.value:  # in a URL it may be a login or a password
            for match in _PRIVATE.finditer(node.value):
                if all(int(part) < 256 for part in match["host"].split(".")):
                    found.add((node.lineno, BARE, match["host"], int(match["port"] or 0)))
            continue
        for match in _URL.finditer(node.value):
            scheme, host = match["scheme"].lower(), match["host"].strip("[]").lower()
            if "@" in _REST.match(node.value, match.end())[0]:  # type: ignore[index]  # it matches always
                continue  # a password that holds a slash: what looks like the host may be the login
            if scheme not in _IGNORED_SCHEMES and not _IGNORED_HOSTS.match(host):
                found.add((node.lineno, scheme, host, int(match["port"] or 0)))
    for line, scheme, host, port in sorted(found):
        yield Endpoint(line, scheme, host, port or None)
