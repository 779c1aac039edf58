"""Turns Python 2 into Python 3, for files of Airflow 1.10 that Python 3 cannot read: syntax and the built-ins that went with it.

By the standard library's lib2to3 (Python up to 3.12), with the fixers that leave the meaning alone; layout and comments stay. Pure.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from functools import cache
from typing import Any

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.source import Source, read

_FIXERS = (
    "print", "except", "raise", "exec", "repr", "ne", "numliterals", "long", "unicode", "basestring", "has_key", "dict",
    "xrange", "raw_input", "tuple_params", "throw", "paren", "funcattrs", "methodattrs", "standarderror", "execfile",
)  # fmt: skip


@cache
def _tool() -> Any:
    """Give lib2to3's tool; None where Python has none any more (3.13)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refactor: Any = importlib.import_module("lib2to3.refactor")
            logging.getLogger("RefactoringTool").setLevel(logging.CRITICAL)
            tool = refactor.RefactoringTool([f"lib2to3.fixes.fix_{name}" for name in _FIXERS])
            tool.log_error = lambda *_words, **_named: None  # then what cannot be parsed gives None
            return tool
    except ImportError:
        return None


def converted(text: bytes, file: str = "", project: Project | None = None) -> Source | None:
    """Give the file as Python 3; None when it is not Python 2 either, or nothing can turn it."""
    tool = _tool()
    if tool is None:
        return None
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    try:
        tree = tool.refactor_string(text.decode("utf-8").replace("\r\n", "\n").rstrip("\n") + "\n", "a file")
    except (AttributeError, AssertionError, ValueError, IndexError, RecursionError):  # a fixer that gives up
        return None
    return None if tree is None else read(str(tree).encode().replace(b"\n", newline), file, project)
