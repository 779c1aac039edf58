"""Modules that Python's own library has no more: such a file is not read as soon as the target runs that Python. What is imported and not used goes.

Read: "What's New" of Python 3.10 to 3.13, "Removed". Airflow 3.3.2 runs on 3.10 to 3.14; a proof only sees the Python that it runs on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.imports import drop
from aerodrome.migration.codemod.rules.callers import is_imported
from aerodrome.migration.codemod.rules.isolated import around
from aerodrome.migration.codemod.source import Source

_OTHER = "Nothing of Python's own takes its place; look for a package that does, or do without."
_GONE: dict[str, tuple[str, str]] = {
    "binhex": ("3.11", _OTHER),
    "formatter": ("3.10", _OTHER),
    "parser": ("3.10", "Use ast."),
    "symbol": ("3.10", "Use ast."),
    "asynchat": ("3.12", "Use asyncio."),
    "asyncore": ("3.12", "Use asyncio."),
    "distutils": ("3.12", "Use packaging.version, shutil, subprocess or sysconfig; setuptools, where it is installed, still brings a distutils."),
    "imp": ("3.12", "Use importlib: importlib.reload, importlib.util.spec_from_file_location."),
    "smtpd": ("3.12", "Use the package aiosmtpd."),
    "cgi": ("3.13", "Use urllib.parse, html or email.message."),
    "crypt": ("3.13", "Use hashlib, or the packages bcrypt or passlib."),
    "imghdr": ("3.13", "Use the packages filetype or puremagic."),
    "pipes": ("3.13", "Use subprocess; pipes.quote is shlex.quote."),
    "sndhdr": ("3.13", "Use the packages filetype or puremagic."),
    "telnetlib": ("3.13", "Use the package telnetlib3 or Exscript."),
    "uu": ("3.13", "Use binascii or base64."),
    "xdrlib": ("3.13", "Use struct."),
    "nntplib": ("3.13", "Use the package pynntp."),
    "lib2to3": ("3.13", "Use the packages libcst or parso."),
    **dict.fromkeys(
        ("aifc", "audioop", "cgitb", "chunk", "mailcap", "msilib", "nis", "ossaudiodev", "spwd", "sunau"),
        ("3.13", _OTHER),
    ),
}  # fmt: skip
"""By name: the first Python without the module, and what does its work."""
_FAILURES = ("ImportError", "ModuleNotFoundError", "Exception")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    used = {node.id for node in source.each(ast.Name)}
    imports: list[ast.Import | ast.ImportFrom] = [*source.each(ast.Import), *source.each(ast.ImportFrom)]
    for node in imports:
        if _is_guarded(source, node) or around(source, node.lineno) is not None:
            continue
        for alias, origin in _origins(node):
            root = origin.partition(".")[0]
            if root not in _GONE or _is_own(options, root):
                continue
            name = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else root)
            if name != "*" and name not in used and _is_alone(source, options, name):
                yield Change(tuple(drop(source, {origin})))
                continue
            version, hint = _GONE[root]
            yield Spot(
                node.lineno,
                f"Python {version} and later have no module `{root}`: they cannot read this file. The target is taken to run Python {options.python}.",
                hint,
            )


def _origins(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[ast.alias, str]]:
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield alias, alias.name
        elif not node.level and node.module:
            yield alias, f"{node.module}.{alias.name}"


def _is_guarded(source: Source, node: ast.stmt) -> bool:
    """Tell whether the file knows that the import may fail: it stands in a `try` that says so, or in what is done then."""
    at: ast.AST = node
    while at in source.parents:
        parent = source.parents[at]
        if isinstance(parent, ast.ExceptHandler):
            return True
        if isinstance(parent, ast.Try) and at in parent.body:
            return any(
                handler.type is None or any(name in source.code(handler.type) for name in _FAILURES)
                for handler in parent.handlers
            )
        at = parent
    return False


def _is_own(options: Options, root: str) -> bool:
    """Tell whether the project has a module of this name."""
    return options.project is not None and options.project.place_of(f"{root}.x") is not None


def _is_alone(source: Source, options: Options, name: str) -> bool:
    """Tell whether no other file may take the name from this one."""
    project = options.project
    is_taken = project is not None and is_imported(project, options.file)
    return not is_taken and f'"{name}"'.encode() not in source.text and f"'{name}'".encode() not in source.text


RULE = Rule(
    code="stdlib-module",
    title="Modules that Python's own library has no more are found; imports that nothing uses go",
    words=(b"import",),
    before="""
import imp

from distutils.util import strtobool

IS_ON = strtobool("yes")
""",
    after="""

from distutils.util import strtobool

IS_ON = strtobool("yes")
""",
    find=_find,
    finding="Python 3.12 and later have no module `distutils`",
)
