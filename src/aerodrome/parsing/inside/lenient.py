"""Stands in for what is missing while a file is read: modules, variables, connections, environment variables. Everything is noted.

For proofs that compare two readings away from a deployment: both get the same stand-ins. Modules of Airflow and of installed providers
are never stood in for: that they are missing is what a proof must find. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
import types
import warnings
from typing import Any, List, Optional, Set, Tuple

_found: Set[Tuple[str, str]] = set()
VALUE = "stand-in"


def used() -> List[List[str]]:
    return [list(item) for item in _found]


def prepare() -> None:
    """Stand in for variables and connections, once for all files that are read by forks of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _stand_in_for_secrets()


def install(project: str, dags: str, file: str) -> None:
    """Stand in from here on, in this process, for what else the file needs."""
    sys.meta_path.append(_Finder(dags))  # the last to be asked
    _stand_in_for_environment(project)
    sys.modules["__main__"].sibling("pinned").install(project)
    with open(file, "rb") as text:
        if b"SubDagOperator" in text.read():
            _stand_in_for_pools()


class _Kind(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _named(name)

    def __iter__(cls) -> Any:
        return iter(())


class _Text(str):  # noqa: SLOT000
    """A value that nobody has; also where a number is wanted."""

    def __int__(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0


class Thing(str, metaclass=_Kind):  # noqa: SLOT000 - projects set attributes of what they import
    """Takes every call, attribute and operator; a text where Airflow looks at types."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        return str.__new__(cls, VALUE)

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        pass

    def __int__(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0

    def __contains__(self, _item: Any) -> bool:
        return False

    def __deepcopy__(self, _memory: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 1 and not named and isinstance(arguments[0], (types.FunctionType, type)):
            return arguments[0]  # a decorator
        return Thing()

    def __getitem__(self, _key: Any) -> Any:
        return Thing()

    def __iter__(self) -> Any:
        """Airflow takes collections of callbacks apart: what stands for one is one of them."""
        caller = sys._getframe(1)  # noqa: SLF001
        return iter((self,) if "/site-packages/airflow/" in caller.f_code.co_filename else ())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_arguments: object) -> None:
        return None

    def __str__(self) -> str:
        return VALUE

    __repr__ = __str__

    def __add__(self, other: Any) -> Any:
        return self

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __mod__ = __or__ = __and__ = __add__

    def __rshift__(self, other: Any) -> Any:
        return other

    __lshift__ = __rrshift__ = __rlshift__ = __rshift__


def _named(name: str) -> Any:
    """Make a class for a name: an operator when it is called one, so that DAGs keep their tasks."""
    if name.endswith(("Operator", "Sensor", "OperatorAsync", "SensorAsync", "Transfer")):
        return _operator(name)
    if name.lower().endswith(("default_args", "_dag_args", "dag_args")):
        return {"owner": VALUE, "start_date": dt.datetime(2024, 1, 1)}  # noqa: DTZ001 - as most projects write and share it
    if not name[:1].isupper() or name.isupper():
        return Thing()  # a function, a module or a setting; only what is named like a class can be a base
    return _Kind(name, (Thing,), {})


def _operator(name: str) -> Any:
    try:
        base: Any = importlib.import_module("airflow.sdk").BaseOperator
    except ImportError:
        base = importlib.import_module("airflow.models.baseoperator").BaseOperator
    taken = set(inspect.signature(base.__init__).parameters) - {"self", "args", "kwargs"}

    def begin(self: Any, *_arguments: Any, **named: Any) -> None:
        named.pop("provide_context", None)
        base.__init__(self, **{key: value for key, value in named.items() if key in taken and key != "dag_run_id"})

    return type(base)(name, (base,), {"__init__": begin, "execute": _execute, "__module__": "stand_in"})


def _execute(_self: Any, _context: Any) -> None:
    return None


class _Module(types.ModuleType):
    __path__: List[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = _named(name)
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.Loader):
    """Asked last: whatever nobody has."""

    def __init__(self, dags: str) -> None:
        self._dags = dags

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Optional[Any]:
        words = name.split(".")
        if words[0] == "airflow" and not _is_missing_provider(words):
            return None
        if words[0] in sys.stdlib_module_names if hasattr(sys, "stdlib_module_names") else False:
            return None
        parent = sys.modules.get(".".join(words[:-1])) if len(words) > 1 else None
        is_known = parent is not None and not isinstance(parent, _Module) and words[0] != "airflow"
        if is_known and not (len(words) == 2 and self._is_folder_of_dags(parent)):
            return None  # the package is there, and has no such module
        if not _is_asked_by_the_project():
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def _is_folder_of_dags(self, module: Any) -> bool:
        """Tell `dags` of `from dags.shop import x`: the folder is there, what else it holds at home may not be."""
        return list(getattr(module, "__path__", ())) == [self._dags]

    def create_module(self, spec: Any) -> Any:
        words = spec.name.split(".")
        is_within = len(words) > 1 and not isinstance(sys.modules.get(words[0]), _Module)
        _found.add(("module", ".".join(words[: 3 if words[0] == "airflow" else 2 if is_within else 1])))
        return _Module(spec.name)

    def exec_module(self, _module: Any) -> None:
        return None


def _is_asked_by_the_project() -> bool:
    """Packages try modules that they can do without: those stay missing."""
    frame: Any = inspect.currentframe()
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<frozen") and file != __file__ and "importlib" not in file:
            return not file.startswith((sys.prefix, sys.base_prefix, "/usr/lib")) or "/site-packages/airflow/" in file
        frame = frame.f_back
    return False


def _is_missing_provider(words: List[str]) -> bool:
    if words[:2] != ["airflow", "providers"] or len(words) < 3:
        return False
    parent = sys.modules.get("airflow.providers")
    folders = list(getattr(parent, "__path__", ()))
    two = words[2] in ("apache", "common", "cncf", "microsoft", "dbt", "atlassian")
    if two and len(words) == 3:
        return not any(os.path.isdir(os.path.join(folder, words[2])) for folder in folders)
    place = os.path.join(*words[2 : 4 if two else 3])
    return not any(os.path.isdir(os.path.join(folder, place)) for folder in folders)


def _stand_in_for_environment(project: str) -> None:
    kind: Any = type(os.environ)
    original = kind.__getitem__

    def get(self: Any, key: str) -> Any:
        try:
            return original(self, key)
        except KeyError:
            asking: Any = inspect.currentframe().f_back  # type: ignore[union-attr]
            if not asking.f_code.co_filename.startswith(project):
                raise
            _found.add(("env", str(key)))
            return _Text(VALUE)

    kind.__getitem__ = get
    kind.copy = _copied


def _copied(environment: Any) -> Any:
    return _Environment(environment)


class _Environment(dict):  # type: ignore[type-arg]
    """A copy of the environment."""

    def __missing__(self, key: Any) -> str:
        _found.add(("env", str(key)))
        return _Text(VALUE)


def _stand_in_for_secrets() -> None:
    for module, name in (
        ("airflow.models.variable", "Variable"),
        ("airflow.models", "Variable"),
        ("airflow.sdk", "Variable"),
    ):
        try:
            _stand_in_for_variables(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError):
            continue
    for module in ("airflow.hooks.base_hook", "airflow.hooks.base", "airflow.sdk.bases.hook"):
        try:
            _stand_in_for_connections(importlib.import_module(module).BaseHook)
        except (ImportError, AttributeError):
            continue


class _NoPools:
    """A session in which there are no pools."""

    def scalar(self, _statement: Any) -> None:
        return None

    def query(self, *_wanted: Any) -> Any:
        return self

    filter = query

    def first(self) -> None:
        return None


def _stand_in_for_pools() -> None:
    """Airflow 1.10 and 2 ask the database for pools with one slot when a SubDagOperator is made."""
    for module in ("airflow.operators.subdag", "airflow.operators.subdag_operator"):
        try:
            kind: Any = importlib.import_module(module).SubDagOperator
        except (ImportError, AttributeError):
            continue
        kind.__init__ = _without_pools(kind.__init__)
        return


def _without_pools(original: Any) -> Any:
    def begin(self: Any, *arguments: Any, **named: Any) -> None:
        named.setdefault("session", _NoPools())
        original(self, *arguments, **named)

    inner = getattr(original, "__wrapped__", None)
    if inner is not None:
        begin.__wrapped__ = inner  # type: ignore[attr-defined]  # Airflow asks whether it is the last one to begin
    return begin


def _stand_in_for_variables(variable: Any) -> None:
    original = variable.get
    if getattr(original, "is_stand_in", False):
        return

    def get(key: str, *arguments: Any, **named: Any) -> Any:
        try:
            return original(key, *arguments, **named)
        except Exception:
            _found.add(("variable", str(key)))
            is_json = bool(named.get("deserialize_json")) or (len(arguments) > 1 and bool(arguments[1]))
            return _Json() if is_json else _Text(VALUE)

    get.is_stand_in = True  # type: ignore[attr-defined]
    variable.get = staticmethod(get)


class _Json(dict):  # type: ignore[type-arg]
    def __missing__(self, _key: Any) -> str:
        return VALUE


def _stand_in_for_connections(hook: Any) -> None:
    original = hook.get_connection
    if getattr(original, "is_stand_in", False):
        return

    def get(conn_id: str, *arguments: Any, **named: Any) -> Any:
        try:
            return original(conn_id, *arguments, **named)
        except Exception:
            _found.add(("connection", str(conn_id)))
            made: Any = importlib.import_module("airflow.models").Connection
            return made(
                conn_id=str(conn_id), conn_type="generic", host=VALUE, login=VALUE, password=VALUE, schema=VALUE, port=1
            )

    get.is_stand_in = True  # type: ignore[attr-defined]
    hook.get_connection = staticmethod(get)
