"""Does once, before the files' processes are forked, what each of them would do again: imports and caches of libraries.

Never a module of the project: its files are looked at, not run. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import ast
import collections.abc
import datetime as dt
import importlib
import importlib.util
import os
import re
import sys
import warnings
from typing import Any, Dict, Iterator, List, Set, Tuple

_SLOW = frozenset(("boto3", "botocore", "bs4", "kubernetes", "matplotlib", "numpy", "pandas", "psycopg2", "pymongo", "requests", "scipy", "sklearn", "sqlalchemy"))  # fmt: skip
_MOST = 5000  # files that are looked at for what they import
_IMPORT = re.compile(rb"^[ \t]*((?:from|import)[ \t][^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
_ASSETS = frozenset(("Asset", "AssetAlias", "Dataset", "DatasetAlias"))


def import_for(files: List[str], roots: List[str]) -> None:
    """Import what the files name and the virtualenv has, once for all of them (as Airflow's parsing_pre_import_modules).

    Airflow's own modules, and libraries that take long; also what the project's modules name that the files import from `roots`.
    """
    found = _named(files, roots)
    libraries = {name.split(".")[0] for name, _ in found} & _SLOW
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sorted(library for library in libraries if _is_of_the_virtualenv(library)):
            _import(name)
        of_airflow = sorted((name, attribute) for name, attribute in found if name.startswith("airflow."))
        for name, attribute in of_airflow:
            if _import(name) and attribute:
                _take(name, attribute)
        if any(attribute in _ASSETS for _, attribute in of_airflow):
            _prepare_assets()


def fill_caches() -> None:
    """Have the abstract classes that Airflow asks about common values learn the answers.

    The answer "no" takes a look at every subclass, of which the libraries of providers have thousands (protobuf's are all collections).
    """
    of_collections = collections.abc
    asked: List[Tuple[Any, Tuple[Any, ...]]] = [
        (of_collections.Collection, (None, fill_caches)),
        (of_collections.Container, (1,)),
        (of_collections.Mapping, ("",)),
        (of_collections.Sequence, (None, [])),
    ]
    for module, name, values in (
        ("airflow.sdk.definitions._internal.abstractoperator", "AbstractOperator", ("", 1, 1.0, True, None, [], {})),
        ("airflow.models.abstractoperator", "AbstractOperator", ("", 1, 1.0, True, None, [], {})),
        ("airflow.timetables.base", "Timetable", (None, [], "", dt.timedelta())),
    ):
        if module in sys.modules and hasattr(sys.modules[module], name):
            asked.append((getattr(sys.modules[module], name), values))
    for kind, common in asked:
        for value in common:
            isinstance(value, kind)


def _named(files: List[str], roots: List[str]) -> Set[Tuple[str, str]]:
    """Give the modules and their attributes ("": none) that the files import, and the project's modules that they import."""
    found: Set[Tuple[str, str]] = set()
    waiting = list(reversed(files[:_MOST]))
    seen = set(waiting)
    dags = frozenset(waiting)
    places: Dict[str, List[str]] = {}
    known: Set[Tuple[str, Tuple[bytes, ...]]] = set()
    while waiting and len(seen) <= 2 * _MOST:
        file = waiting.pop()
        try:
            with open(file, "rb") as stream:
                text = stream.read()
            if b"airflow" not in text and file in dags:
                continue
            written = tuple(_IMPORT.findall(text))
            folder = os.path.dirname(file) if any(line.startswith(b"from .") for line in written) else ""
            if (folder, written) in known:  # to take a file apart costs a hundred times as much
                continue
            known.add((folder, written))
            names = set(_imports(text, os.path.dirname(file), roots))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        found |= names
        for name, attribute in names:
            if name.split(".")[0] in ("airflow", *_SLOW):
                continue
            for full in (name, name + "." + attribute):
                if full not in places:
                    places[full] = _files_of(full, roots)
                waiting += [path for path in places[full] if path not in seen]
                seen.update(places[full])
    return found


def _files_of(name: str, roots: List[str]) -> List[str]:
    """Give the project's files that an import of the module runs: of the first root that has its package."""
    words = name.split(".")
    for root in roots:
        found = []
        for count in range(1, len(words) + 1):
            place = os.path.join(root, *words[:count])
            found += [path for path in (place + ".py", os.path.join(place, "__init__.py")) if os.path.isfile(path)]
        if found:
            return found
    return []


def _imports(text: bytes, folder: str, roots: List[str]) -> Iterator[Tuple[str, str]]:
    """Give what a file imports when it is read: not in functions, where it may never be, nor for type checkers."""
    waiting: List[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join(word for word in (_package(folder, node.level, roots), module) if word)
            if module:
                for alias in node.names:
                    yield module, "" if alias.name == "*" else alias.name
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.expr)):
            waiting.extend(ast.iter_child_nodes(node))


def _package(folder: str, level: int, roots: List[str]) -> str:
    """Name the package that a relative import begins at; "" when it is none of the project's."""
    for _ in range(level - 1):
        folder = os.path.dirname(folder)
    for root in roots:
        if folder.startswith(root + os.sep):
            return os.path.relpath(folder, root).replace(os.sep, ".")
    return ""


def _is_of_the_virtualenv(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and str(spec.origin).startswith(
        (sys.prefix + os.sep, os.path.realpath(sys.prefix) + os.sep)
    )


def _import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except BaseException:
        return False
    return True


def _take(name: str, attribute: str) -> None:
    """Have a module that gives its attributes on demand import this one."""
    try:
        getattr(sys.modules[name], attribute)
    except BaseException:
        if hasattr(sys.modules.get(name), "__path__"):
            _import(name + "." + attribute)


def _prepare_assets() -> None:
    """Load what providers say about the addresses of assets: the first asset of a process asks for all of them."""
    for module, kind, name in (
        ("airflow.sdk.providers_manager_runtime", "ProvidersManagerTaskRuntime", "asset_uri_handlers"),
        ("airflow.providers_manager", "ProvidersManager", "asset_uri_handlers"),
        ("airflow.providers_manager", "ProvidersManager", "dataset_uri_handlers"),
    ):
        if _import(module) and hasattr(sys.modules[module], kind):
            try:
                getattr(getattr(sys.modules[module], kind)(), name)
            except BaseException:
                continue
            return
