"""Input logic: one sensor that waits for alternatives, minimums and combinations of inputs, and gives what it found by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function, Symbol, Task
from aerodrome.migration.convert.oozie import datasets
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.xmlreading import Element

_TIMEZONE: Final = Symbol("timezone", {"2.11": "datetime", "3.3": "datetime"})
TASK_ID: Final = "wait_for_inputs"
_ARRIVED: Final = "inputs_arrived"
_LATE_KINDS: Final = ("latest", "future")
_HELPERS: Final = '''
def enough(found, total, least, is_waiting):
    """Give what was found when it is all; else "waiting" as long as more is waited for, then what is at least so many; else None."""
    if len(found) == total:
        return found
    if is_waiting:
        return "waiting"
    return found if least is not None and len(found) >= least else None


def there(uris, flag, least=None, is_waiting=False):
    """Give the URIs that are there when they are enough."""
    return enough([uri for uri in uris if exists(uri, flag)], len(uris), least, is_waiting)


def every(*inputs):
    """Give what all inputs have, the last one first as Oozie does; None when one has too little, "waiting" when one waits for more."""
    if None in inputs:
        return None
    return "waiting" if "waiting" in inputs else [uri for uris in reversed(inputs) for uri in uris]


def either(*inputs):
    """Give what the first input has that has enough; it is preferred as long as it waits for more. None when none has."""
    return next((uris for uris in inputs if uris is not None), None)


def combined(*inputs, least=None, is_waiting=False):
    """Give for each instance the first input that has it; inputs are pairs of URIs and done-flag."""
    if len({len(uris) for uris, _ in inputs}) > 1:
        raise ValueError("Oozie refuses to combine inputs of so many instances with others of more or less")
    rows = list(zip(*[[(uri, flag) for uri in uris] for uris, flag in inputs]))
    found = [next((uri for uri, flag in row if exists(uri, flag)), None) for row in rows]
    return enough([uri for uri in found if uri], len(rows), least, is_waiting)
'''
_RESOLVED: Final = '''
def resolved(uris, is_enough, least=None, is_waiting=False):
    """Give what was found when it is enough; else "waiting" as long as more is waited for, then what is at least so many; else None."""
    if is_enough:
        return uris
    if is_waiting:
        return "waiting"
    return uris if least is not None and len(uris) >= max(least, 1) else None
'''
_EXISTS: Final = '''
def exists(uri, flag):
    """Ask whether an instance is there."""
    return hdfs_test("-e", uri + flag)
'''
_EXISTS_ALSO_HIVE: Final = '''
def exists(uri, flag):
    """Ask whether an instance is there; one without a flag is a partition of Hive."""
    return partition_test(uri) if flag is None else hdfs_test("-e", uri + flag)
'''
_LATE: Final = '''
def is_early(minutes, logical_date, dag_run):
    """Tell whether the time to wait for more is not over: minutes from the nominal time, or from when the run was made."""
    since = max(logical_date, dag_run.queued_at or dag_run.start_date)
    return datetime.now(timezone.utc) < since + timedelta(minutes=minutes)
'''


def sensor(
    root: Element,
    events: Mapping[str, datasets.Event],
    compiler: Compiler,
    functions: dict[str, Function],
    timeout: timedelta,
) -> tuple[Task, dict[str, str]]:
    """Make the task that waits, and say where each named part is found. Unsupported when a part has no equivalent."""
    made: dict[str, Function] = {}
    named: list[tuple[str, str]] = []
    parts = [_part(child, events, compiler, made, named, ("", "")) for child in root.children]
    if not parts:
        raise Unsupported("input-logic", "it is empty")
    probe = compiler.words.probe
    if probe is None:
        raise Unsupported("el-fs", "no way to HDFS is known in this profile")
    functions[probe.name] = probe
    functions |= made
    if any(datasets.is_partition(event.dataset, compiler) for event in events.values()):
        if compiler.words.partition_probe is None:
            raise Unsupported("hcat", "no way to Hive is known in this profile")
        functions[compiler.words.partition_probe.name] = compiler.words.partition_probe
        functions["exists"] = Function("exists", _EXISTS_ALSO_HIVE)
    else:
        functions["exists"] = Function("exists", _EXISTS)
    functions["there"] = Function("there", _HELPERS)
    if any(event.kind in _LATE_KINDS for event in events.values()):
        functions["resolved"] = Function("resolved", _RESOLVED)
    lines = [f'        found["{name}"] = {text}' for name, text in named]
    whole = parts[0] if len(parts) == 1 else f"every({', '.join(parts)})"
    if any("is_early(" in line for line in (*lines, whole)):
        functions["is_early"] = Function("is_early", _LATE, (symbols.DATETIME, symbols.TIMEDELTA, _TIMEZONE))
    text = f'''
def {_ARRIVED}(params, logical_date, dag_run, **_):
    """Wait as the input logic of the coordinator says; give what was found by name."""
    found = {{}}
    try:
{chr(10).join(lines)}
        is_done = isinstance({whole}, list)
        return PokeReturnValue(is_done, {{name: uris if isinstance(uris, list) else [] for name, uris in found.items()}})
    except ConnectionError as error:
        print(f"{{error}}, it is asked again")
        return False
'''
    functions[_ARRIVED] = Function(_ARRIVED, text, (datasets.POKE,))
    task = Task(
        TASK_ID,
        symbols.PYTHON_SENSOR,
        (
            ("python_callable", Code(_ARRIVED)),
            ("mode", "reschedule"),
            ("poke_interval", 60),
            ("timeout", timeout),
        ),
        role="control",
        is_waiting=True,
    )
    return task, {name: f'ti.xcom_pull(task_ids="{TASK_ID}")["{name}"]' for name, _ in named}


def _part(
    element: Element,
    events: Mapping[str, datasets.Event],
    compiler: Compiler,
    made: dict[str, Function],
    named: list[tuple[str, str]],
    around: tuple[str, str],
) -> str:
    """Write one part as Python; `around` are min and wait of the part around it.

    Only an input takes the wait of what is right around it, min comes from further out, too (Oozie 5.x, InputLogicParser.getMin and getWait).
    """
    least, wait = element.get("min") or around[0], element.get("wait")
    if element.name == "data-in":
        wait = wait or around[1]
    for name, text in (("min", least), ("wait", wait)):
        if text and not text.isdigit():
            raise Unsupported("input-logic", f"the {name} {text!r} is not known")
    limits = f", least={least}" if least else ""
    if wait and int(wait):
        limits += f", is_waiting=is_early({wait}, logical_date, dag_run)"

    def inner(children: list[Element]) -> str:
        return ", ".join(_part(child, events, compiler, made, named, (least, wait)) for child in children)

    match element.name:
        case "data-in" if (late := _event(element, events)).kind in _LATE_KINDS:
            function = datasets.so_far_function(late, compiler)
            made[function.name] = function
            text = f"resolved(*{function.name}(params, logical_date, dag_run){limits})"
        case "data-in":
            uris, flag = _input(element, events, compiler, made)
            text = f"there({uris}, {flag}{limits})"
        case "and":
            text = f"every({inner(element.children)})"
        case "or":
            text = f"either({inner(element.children)})"
        case "combine":
            pairs = ["({}, {})".format(*_input(child, events, compiler, made)) for child in element.every("data-in")]
            if len(pairs) < 2:
                raise Unsupported("input-logic-refused", "Oozie refuses to combine less than two inputs")
            text = f"combined({', '.join(pairs)}{limits})"  # Oozie 5.x, CoordInputLogicEvaluatorPhaseValidate
        case _:
            raise Unsupported("input-logic", f"<{element.name}> is not known in input logic")
    if not (name := element.get("name")):
        return text
    named.append((name, text))
    return f'found["{name}"]'


def _input(
    element: Element, events: Mapping[str, datasets.Event], compiler: Compiler, made: dict[str, Function]
) -> tuple[str, str]:
    event = _event(element, events)
    if event.kind in _LATE_KINDS:
        raise Unsupported("input-logic-refused", "Oozie refuses to combine instances of latest() or future()")
    function = datasets.uri_function(event, compiler)
    made[function.name] = function
    uris, flag = f"{function.name}(logical_date, params)", event.dataset.done_flag
    if datasets.is_partition(event.dataset, compiler):
        return uris, "None"
    return uris, f'"/" + {datasets.uri_expression(flag, compiler)}' if flag else '""'


def _event(element: Element, events: Mapping[str, datasets.Event]) -> datasets.Event:
    event = events.get(element.get("dataset") or element.get("name"))
    if event is None:
        raise Unsupported("input-logic", f"the input {element.get('dataset')!r} is not known")
    return event
