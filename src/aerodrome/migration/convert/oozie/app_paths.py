"""Where the application that a path names lies: what is known of the path, and what contradicts that it is a file here."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.oozie.actions import NAME_NODE
from aerodrome.migration.convert.oozie.el import Function, Literal, Name, Node, parse
from aerodrome.migration.convert.oozie.estate import common_names
from aerodrome.migration.convert.oozie.functions import APP_PATH
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.properties import Scope, name_in

_OWN: Final = re.compile(r"\$\{\s*wf:appPath\(\)\s*\}")
_BEGIN: Final = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*:(//[^/]*)?)?(\$\{\s*(?P<variable>[\w.\-]+)\s*\})?(?=/)")


def is_own_path(path: str) -> bool:
    """Tell whether an app-path is that of the workflow which it stands in."""
    try:
        pieces = parse(path.strip())
    except Invalid:
        return False
    own = (Function("wf:appPath", ()), Name(APP_PATH), Function("wf:conf", (Literal(APP_PATH),)))
    return len(pieces) == 1 and pieces[0] in own


def is_whole(path: str) -> bool:
    """Tell whether an app-path is known from its beginning on: from a /, a file system, or the variable of a name node."""
    begin = re.match(r"\$\{\s*([\w.]+)\s*\}/|[A-Za-z][\w+.-]*:|/", path.strip())
    if begin is None or (begin[1] and not NAME_NODE.search(begin[1])):
        return False
    return "$" not in path.strip()[begin.end() :]


def known_path(scope: Scope, path: str) -> str:
    """Write an app-path with what is known of its values."""
    try:
        return scope.partly("".join(piece if isinstance(piece, str) else _spelled(piece) for piece in parse(path)))
    except (Invalid, Unsupported):
        return scope.partly(path)


def _spelled(node: Node) -> str:
    """Write an expression as the text of names and constants that it is; Unsupported for any other."""
    match node:
        case Literal(value):
            return str(value)
        case Function("concat", (one, two)):
            return _spelled(one) + _spelled(two)
        case Function("trim", (inner,)):
            return _spelled(inner)
        case Function("wf:appPath", ()):
            return "${wf:appPath()}"
    if (name := name_in(node)) is None:
        raise Unsupported("app-path", "it is put together in the run")
    return f"${{{name}}}"


def is_open(path: str) -> bool:
    """Tell whether a path has values that only the run knows, apart from the name node and the path of its own workflow."""
    return "$" in path and not is_whole(path) and not _OWN.match(path.strip())


def lies_elsewhere(own: str, folder: str, path: str, found: str) -> bool | None:
    """Tell whether a path leads to another place than the folder found: by the path that an application has, and the folder in which it lies here.

    None when these do not say it.
    """
    mine, theirs = _segments(own), _segments(path)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return None
    here, there = PurePosixPath(folder).parts, PurePosixPath(found).parts
    same = common_names(mine[::-1], here[::-1])
    before = here[: len(here) - same]
    if (here and not same) or there[: len(before)] != before:
        return None
    return theirs != [*mine[: len(mine) - same], *there[len(before) :]]


def _segments(path: str) -> list[str] | None:
    """Give what a path begins with, "" for any file system, and the names in it; None when it is not known."""
    begin = _BEGIN.match(path.strip())
    if begin is None or "$" in (rest := path.strip()[begin.end() :]):
        return None
    variable = begin["variable"] or ""
    names = [part for part in rest.split("/") if part not in ("", ".")]
    if ".." in names:
        return None
    return [
        "" if not variable or NAME_NODE.search(variable) else variable,
        *names[: -1 if rest.endswith(".xml") else None],
    ]


def own_place(scope: Scope) -> str:
    """Give the path of an application with what is known of it."""
    return scope.partly(f"${{{APP_PATH}}}")


def placed(path: str, folder: str) -> str:
    """Write a path below that of its own workflow as one below the folder in which this lies here."""
    return _OWN.sub(lambda _: f"/{folder}", path, count=1)


def names_of(path: str) -> list[str]:
    """Give the names in a path without the cluster and a definition's file."""
    names = [part for part in re.sub(r"^[A-Za-z][\w+.-]*:(//[^/]*)?", "", path).split("/") if part not in ("", ".")]
    names = (
        names[1:]
        if names and re.fullmatch(r"\$\{\s*[\w.]+\s*\}", names[0]) and NAME_NODE.search(names[0][2:-1])
        else names
    )
    return names[:-1] if names and names[-1].endswith(".xml") else names
