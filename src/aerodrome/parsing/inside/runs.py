"""Computes when a DAG runs next; once for each schedule, as long as a file leaves Airflow's timetables alone.

Runs in the process of a file, and notes in the one before it. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
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
_KINDS = (
    ("airflow.models.dag", "DAG"),
    ("airflow.serialization.serialized_objects", "SerializedDAG"),
    ("airflow.serialization.definitions.dag", "SerializedDAG"),
)
_noted: Dict[str, Dict[str, Any]] = {}


def note_timetables() -> None:
    """Note what Airflow's timetables are made of, before a file is read that could change them."""
    try:
        package: Any = importlib.import_module("airflow.timetables")
    except ImportError:  # 1.10
        package = None
    for found in pkgutil.iter_modules(getattr(package, "__path__", ())):
        with contextlib.suppress(Exception):
            importlib.import_module("airflow.timetables." + found.name)
    _noted.update(_parts())


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
    is_own = _FOREIGN_TYPE.search(schedule) is not None or not _are_timetables_as_noted()
    runs: List[Any] = []
    computed: Dict[str, Any] = {}
    for text in starts:
        start = importlib.import_module("pendulum").parse(text)
        earliest = first if first is not None and first >= start else None
        key = json.dumps([schedule, text, _text(earliest), _text(end), count])
        if is_own or key not in COMPUTED:
            with contextlib.nullcontext() if is_own else _each_cron_understood_once():
                found = _next_runs(restored, first, start, count)
            if not is_own:
                computed[key] = found
        else:
            found = COMPUTED[key]
        runs += found
    return runs, computed


def _parts() -> Dict[str, Dict[str, Any]]:
    """Give the attributes of the modules and classes that say when a DAG runs."""
    found: Dict[str, Dict[str, Any]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(_ASKED) and module is not None:
            found[name] = {key: value for key, value in vars(module).items() if key in _noted.get(name, {key})}
            for kind in list(vars(module).values()):
                if isinstance(kind, type) and kind.__module__.startswith(_ASKED):
                    found[kind.__module__ + "." + kind.__qualname__] = _attributes(kind)
    for name, kind_name in _KINDS:
        kind = getattr(sys.modules.get(name), kind_name, None)
        if isinstance(kind, type):
            found[name + ":" + kind_name] = _attributes(kind)
    return found


def _attributes(kind: type) -> Dict[str, Any]:
    """Give what a class has itself; not what Python adds when it is asked, or copies from above when it makes the first one."""
    above = [vars(base).get("__init__") for base in kind.__mro__[1:]]
    return {
        key: getattr(value, "__code__", value)
        for key, value in vars(kind).items()
        if key != "__annotations__" and not (key == "__init__" and any(value is one for one in above))
    }


def _are_timetables_as_noted() -> bool:
    parts = _parts()
    for name, before in _noted.items():
        after = parts.get(name)
        if after is None or before.keys() != after.keys() or any(after[key] is not before[key] for key in before):
            return False
    return bool(_noted)


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
