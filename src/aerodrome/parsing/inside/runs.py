"""Computes when a DAG runs next; once for each schedule, as long as a file leaves Airflow's timetables alone.

Runs in the process of a file, and notes in the one before it. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import importlib
import json
import pickle
import pkgutil
import re
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

COMPUTED: Dict[str, Any] = {}
"""Runs of schedules by what they follow from; filled by the process of the request, inherited by those of the files."""
_FOREIGN_TYPE = re.compile(r'"__type": "(?!airflow\.)[^"]*\.')
_ASKED = ("airflow.timetables", "croniter")
_KINDS_OF_1 = (("airflow.models.dag", "DAG"), ("airflow.serialization.serialized_objects", "SerializedDAG"))
_noted: Dict[Any, Dict[str, Any]] = {}  # by module or class


def note_timetables() -> None:
    """Note what Airflow's timetables are made of, before a file is read that could change them."""
    try:
        package: Any = importlib.import_module("airflow.timetables")
    except ImportError:  # 1.10
        package = None
    for found in pkgutil.iter_modules(getattr(package, "__path__", ())):
        with contextlib.suppress(Exception):
            importlib.import_module("airflow.timetables." + found.name)
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_ASKED) and module]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    parts: List[Any] = [kind for kind in kinds if kind.__module__.startswith(_ASKED)]
    if package is None:
        parts += [getattr(importlib.import_module(name), kind) for name, kind in _KINDS_OF_1]
    _noted.update((part, _attributes(part)) for part in (*modules, *parts))


def of_dag(
    restored: Any, first: Any, data: Dict[str, Any], count: int, starts: List[str]
) -> Tuple[List[Any], Dict[str, Any]]:
    """Give the runs from every start, and those that the next file with the same schedule need not compute again.

    The timetables of Airflow alone are remembered, and none from a file that changes them: a timetable of the project
    may say something else at every call.
    """
    end = getattr(restored, "end_date", None)
    interval = str(getattr(restored, "schedule_interval", ""))  # the stored form leaves it out when it is the default
    schedule = json.dumps([data.get("timetable"), interval, data.get("timezone")], default=str)
    is_own = _FOREIGN_TYPE.search(schedule) is not None or not _is_as_noted(restored)
    runs: List[Any] = []
    computed: Dict[str, Any] = {}
    for text in starts:
        start = importlib.import_module("pendulum").parse(text)
        earliest = first if first is not None and first >= start else None
        key = json.dumps([schedule, text, _text(earliest), _text(end), count])
        if is_own or key not in COMPUTED:
            with contextlib.nullcontext() if is_own else _each_step_taken_once(restored):
                found = _next_runs(restored, first, start, count)
            if not is_own:
                computed[key] = found
        else:
            found = COMPUTED[key]
        runs += found
    return runs, computed


def _attributes(part: Any) -> Dict[str, Any]:
    """Give what a module or class has, functions by their code."""
    return {key: getattr(value, "__code__", value) for key, value in vars(part).items()}


def _is_as_noted(restored: Any) -> bool:
    """Tell whether all that computes the runs of this DAG is Airflow's own.

    Looks at no more than that: to look at an object is to write its count of references, and so to copy a page of memory.
    """
    kinds = type(getattr(restored, "timetable", restored)).__mro__
    own = [kind for kind in kinds if kind in _noted]
    if not own or kinds[0] is not own[0]:
        return False
    cron: List[Any] = [
        sys.modules[name] for name in ("croniter.croniter", "airflow.timetables._cron") if name in sys.modules
    ]
    cron += [getattr(module, "croniter", None) for module in cron]
    modules = [sys.modules.get(kind.__module__) for kind in own]
    parts = {id(part): part for part in (*own, *modules, *cron) if part is not None}
    return all(_is_part_as_noted(part) for part in parts.values() if part in _noted or part in cron)


def _is_part_as_noted(part: Any) -> bool:
    before, now = _noted.get(part), vars(part)
    if before is None:
        return False
    for key, value in before.items():
        found = now.get(key)
        if found is not value and getattr(found, "__code__", found) is not value:
            return False
    more = set(now).difference(before, ("__annotations__",)) if isinstance(part, type) else set()
    for base in part.__mro__[1:] if "__init__" in more else ():  # Python copies it to classes with a protocol above
        if now["__init__"] is vars(base).get("__init__"):
            more.discard("__init__")
    return not more


@contextlib.contextmanager
def _each_step_taken_once(restored: Any) -> Iterator[None]:
    """Have a timetable of Airflow's own look for the moment after, and before, another once: it asks several times for each run."""
    timetable = getattr(restored, "timetable", None)
    names = [name for name in ("_get_next", "_get_prev") if callable(getattr(timetable, name, None))]
    try:
        for name in names:
            setattr(timetable, name, functools.lru_cache(maxsize=None)(getattr(timetable, name)))
    except AttributeError:  # its class keeps a fixed list of attributes
        names = []
    try:
        with _each_cron_understood_once():
            yield
    finally:
        for name in names:
            delattr(timetable, name)


@contextlib.contextmanager
def _each_cron_understood_once() -> Iterator[None]:
    """Have croniter take an expression apart once: Airflow makes one anew for every step, several for each run."""
    kind: Any = getattr(sys.modules.get("croniter"), "croniter", None)
    name = "_expand" if hasattr(kind, "_expand") else "expand"
    original = vars(kind).get(name) if kind else None
    if not isinstance(original, classmethod):
        yield
        return
    act: Any = original.__func__
    known: Dict[Any, bytes] = {}

    def expand(cls: Any, expression: str, *arguments: Any, **named: Any) -> Any:
        words = [word for field in expression.split() for word in field.split(",")]
        if any(word[:1] in "rRhH" for word in words):  # random and hashed fields
            return act(cls, expression, *arguments, **named)
        key = (expression, arguments, tuple(sorted(named.items())))
        if key not in known:
            known[key] = pickle.dumps(act(cls, expression, *arguments, **named))
        return pickle.loads(known[key])  # noqa: S301 - written a line above; a copy for each

    setattr(kind, name, classmethod(expand))
    try:
        yield
    finally:
        setattr(kind, name, original)


def _next_runs(restored: Any, first: Any, start: Any, count: int) -> List[List[Optional[str]]]:
    if not hasattr(restored, "timetable"):
        return _next_runs_of_1(restored, first or start, start, count)
    base: Any = importlib.import_module("airflow.timetables.base")
    earliest = start if first is None or first < start else first
    restriction = base.TimeRestriction(earliest=earliest, latest=getattr(restored, "end_date", None), catchup=True)
    runs: List[List[Optional[str]]] = []
    last = None
    while len(runs) < count:
        info = restored.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            break
        last = info.data_interval
        runs.append([_text(info.run_after), _text(last and last.start), _text(last and last.end)])
        if last is None:
            break
    return runs


def _next_runs_of_1(restored: Any, first: Any, start: Any, count: int) -> List[List[Optional[str]]]:
    """Airflow 1.10 runs a DAG for each date of its schedule, when the next one has come."""
    if restored.schedule_interval is None:
        return []
    if restored.schedule_interval == "@once":
        only = _text(max(first, start))
        return [[only, only, only]]
    when = restored.normalize_schedule(first) if first >= start else first
    if first < start:
        when = restored.following_schedule(restored.previous_schedule(start))
        if when < start:
            when = restored.following_schedule(when)
    end = getattr(restored, "end_date", None)
    runs: List[List[Optional[str]]] = []
    while len(runs) < count and when is not None and not (end and when > end):
        after = restored.following_schedule(when)
        runs.append([_text(after), _text(when), _text(after)])
        when = after
    return runs


def _text(when: Any) -> Optional[str]:
    return None if when is None else str(when.astimezone(dt.timezone.utc).isoformat())
