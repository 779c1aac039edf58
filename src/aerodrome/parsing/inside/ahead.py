"""Does once, before the files' processes are forked, what each of them would do again: imports and caches of libraries.

Never a module of the project: its files are looked at, not run. What fails here fails again, and is told, in the file that needs it.
Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import ast
import collections.abc
import contextlib
import datetime as dt
import functools
import importlib
import importlib.util
import os
import re
import signal
import sys
import warnings
from typing import Any, Dict, FrozenSet, Iterator, List, Set, Tuple

_SLOW = frozenset(("boto3", "botocore", "bs4", "kubernetes", "matplotlib", "numpy", "pandas", "psycopg2", "pymongo", "requests", "scipy", "sklearn", "sqlalchemy"))  # fmt: skip
_MOST = 5000  # files that are looked at for what they import
_IMPORT = re.compile(rb"^[ \t]*((?:from|import)[ \t][^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
_ASSETS = frozenset(("Asset", "AssetAlias", "Dataset", "DatasetAlias"))
_IMPORT_S = 60.0
_ASKED_COLLECTIONS = ("Collection", "Container", "Iterable", "Mapping", "Sequence")
_ASKED_KINDS = (
    ("airflow.models.abstractoperator", "AbstractOperator"),
    ("airflow.models.baseoperator", "BaseOperator"),
    ("airflow.models.mappedoperator", "MappedOperator"),
    ("airflow.sdk.bases.operator", "BaseOperator"),
    ("airflow.sdk.definitions._internal.abstractoperator", "AbstractOperator"),
    ("airflow.sdk.definitions.mappedoperator", "MappedOperator"),
    ("airflow.timetables.base", "Timetable"),
)
_COMMON_VALUES = (
    ("airflow.sdk.definitions.asset", "Asset"),
    ("airflow.sdk.definitions.edges", "EdgeModifier"),
    ("airflow.sdk.definitions.param", "ParamsDict"),
    ("airflow.sdk.definitions.taskgroup", "TaskGroup"),
    ("airflow.sdk.definitions.timetables.simple", "NullTimetable"),
    ("airflow.sdk.definitions.timetables.simple", "OnceTimetable"),
    ("airflow.sdk.definitions.xcom_arg", "PlainXComArg"),
    ("airflow.triggers.base", "StartTriggerArgs"),
    ("airflow.models.xcom_arg", "PlainXComArg"),
    ("airflow.utils.edgemodifier", "EdgeModifier"),
    ("airflow.utils.task_group", "TaskGroup"),
)
_MOMENTS: Tuple[Any, ...] = (dt.timedelta(), dt.datetime(2026, 1, 1), dt.date(2026, 1, 1), dt.time())  # noqa: DTZ001
Names = FrozenSet[Tuple[str, str]]  # modules and their attributes ("": none)


class Imports:
    """What the files name and the virtualenv has, imported once for all of them (as Airflow's parsing_pre_import_modules).

    Airflow's own modules, and libraries that take long; also what the project's modules name that the files import from `roots`.
    Step by step, file by file: while the next file's libraries are imported, files whose libraries are there are read.
    """

    def __init__(self, files: List[str], roots: List[str]) -> None:
        self._needs = {file: _worth_it(names) for file, names in named(files, roots).items()}
        self._done: Set[Tuple[str, str]] = set()
        self._are_assets_prepared = False

    def in_order(self, files: List[str]) -> List[str]:
        """Put the files that need what many need before those that need what few do: what comes late burdens few forks."""
        users: Dict[Tuple[str, str], int] = {}
        for file in files:
            for name in self._needs.get(file, ()):
                users[name] = users.get(name, 0) + 1
        most = len(files) + 1

        def key(file: str) -> Tuple[int, str, str]:
            count, name = min(((users[item], item[0]) for item in self._needs.get(file, ())), default=(most, ""))
            return -count, name, file

        return sorted(files, key=key)

    def prepare(self, file: str) -> bool:
        """Import what this file needs and none before it did; tell whether there was any."""
        new = self._needs.pop(file, frozenset()) - self._done
        if not new:
            return False
        self._done |= new
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, attribute in sorted(new, key=lambda item: (item[0].startswith("airflow."), item)):
                if _import(name) and attribute:
                    _take(name, attribute)
            if not self._are_assets_prepared and any(attribute in _ASSETS for _, attribute in new):
                self._are_assets_prepared = True
                _prepare_assets()
            fill_caches()
        return True


@functools.lru_cache(maxsize=None)
def _worth_it(names: Names) -> Names:
    libraries = {(name.split(".")[0], "") for name, _ in names if name.split(".")[0] in _SLOW}
    return frozenset(item for item in libraries if _is_of_the_virtualenv(item[0])) | frozenset(
        item for item in names if item[0].startswith("airflow.")
    )


def fill_caches() -> None:
    """Have the abstract classes that Airflow asks about common values learn the answers.

    The answer "no" takes a look at every subclass, of which the libraries of providers have thousands (protobuf's are all collections);
    a look at a class copies its page in every process of a file. Python forgets these answers whenever anybody registers a class with an
    abstract one, as some libraries do; where nobody did, this takes no time.
    """
    kinds: List[Any] = [getattr(collections.abc, name) for name in _ASKED_COLLECTIONS]
    kinds += _there(_ASKED_KINDS)
    values: List[Any] = [None, fill_caches, "", b"", 1, 1.0, True, [], {}, (), set(), frozenset(), *_MOMENTS]
    for kind in _there(_COMMON_VALUES):
        with contextlib.suppress(TypeError):  # abstract in some version
            values.append(object.__new__(kind))
    with contextlib.suppress(Exception):
        values.append(sys.modules["pendulum"].instance(_MOMENTS[1]))
        values.append(values[-1].tzinfo)
    for kind in kinds:
        for value in values:
            with contextlib.suppress(Exception):
                isinstance(value, kind)


def _there(names: Tuple[Tuple[str, str], ...]) -> List[Any]:
    found = (vars(sys.modules[module]).get(name) for module, name in names if sys.modules.get(module))
    return [kind for kind in found if isinstance(kind, type)]


def named(files: List[str], roots: List[str]) -> Dict[str, Names]:
    """Give what each file imports, with what the project's modules import that it imports; files that import the same share it."""
    places: Dict[str, List[str]] = {}
    direct: Dict[str, Tuple[Names, Tuple[str, ...]]] = {}
    known: Dict[Tuple[str, Tuple[bytes, ...]], Names] = {}
    found: Dict[str, Names] = {}
    for file in files[:_MOST]:
        text = _text_of(file)
        if b"airflow" not in text:
            continue
        written = tuple(_IMPORT.findall(text))
        key = (os.path.dirname(file) if any(line.startswith(b"from .") for line in written) else "", written)
        if key not in known:  # to take a file apart costs a hundred times as much
            names: Set[Tuple[str, str]] = set()
            waiting, seen = [file], {file}
            while waiting and len(direct) <= 2 * _MOST:
                next_file = waiting.pop()
                if next_file not in direct:
                    direct[next_file] = _look_at(next_file, roots, places)
                names |= direct[next_file][0]
                waiting += [path for path in direct[next_file][1] if path not in seen]
                seen.update(direct[next_file][1])
            known[key] = frozenset(names)
        found[file] = known[key]
    return found


def _text_of(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _look_at(file: str, roots: List[str], places: Dict[str, List[str]]) -> Tuple[Names, Tuple[str, ...]]:
    """Give what one file imports, and the project's files that these imports run; `places` remembers where modules are."""
    try:
        names = frozenset(_imports(_text_of(file), os.path.dirname(file), roots))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(), ()
    paths: Dict[str, None] = {}
    for name, attribute in names:
        if name.split(".")[0] in ("airflow", *_SLOW):
            continue
        for full in (name, name + "." + attribute):
            if full not in places:
                places[full] = _files_of(full, roots)
            paths.update(dict.fromkeys(places[full]))
    return names, tuple(paths)


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


@functools.lru_cache(maxsize=None)
def _is_of_the_virtualenv(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and str(spec.origin).startswith(
        (sys.prefix + os.sep, os.path.realpath(sys.prefix) + os.sep)
    )


def _import(name: str) -> bool:
    """Import a module; one that takes for ever is left to the file that names it, whose time is limited."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _IMPORT_S)
    try:
        importlib.import_module(name)
    except BaseException:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def _give_up(_number: int, _frame: Any) -> None:
    raise TimeoutError


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
