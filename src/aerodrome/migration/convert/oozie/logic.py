"""Input logic: one sensor that waits for alternatives, minimums and combinations of inputs, and gives what it found by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function, Task
from aerodrome.migration.convert.oozie import datasets
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.xmlreading import Element

TASK_ID: Final = "wait_for_inputs"
_FOREVER: Final = timedelta(days=3650)
_HELPERS: Final = '''
def there(uris, flag, least=None):
    """Give the URIs that are there when all are, or at least so many; else nothing."""
    found = [uri for uri in uris if hdfs_test("-e", uri + flag)]
    return found if len(found) >= (len(uris) if least is None else least) else []


def every(*inputs):
    """Give what all inputs have, nothing when one has nothing."""
    return [uri for uris in inputs for uri in uris] if all(inputs) else []


def combined(*inputs, least=None):
    """Give for each instance the first input that has it; inputs are pairs of URIs and done-flag."""
    rows = list(zip(*[[(uri, flag) for uri in uris] for uris, flag in inputs]))
    found = [next((uri for uri, flag in row if hdfs_test("-e", uri + flag)), None) for row in rows]
    found = [uri for uri in found if uri]
    return found if len(found) >= (len(rows) if least is None else least) else []
'''


def sensor(
    root: Element,
    events: Mapping[str, datasets.Event],
    compiler: Compiler,
    functions: dict[str, Function],
    timeout: timedelta | None,
) -> tuple[Task, dict[str, str]]:
    """Make the task that waits, and say where each named part is found. Unsupported when a part has no equivalent."""
    made: dict[str, Function] = {}
    named: list[tuple[str, str]] = []
    parts = [_part(child, events, compiler, made, named, "") for child in root.children]
    if not parts:
        raise Unsupported("input-logic", "it is empty")
    probe = compiler.words.probe
    if probe is None:
        raise Unsupported("el-fs", "no way to HDFS is known in this profile")
    functions[probe.name] = probe
    functions |= made
    functions["there"] = Function("there", _HELPERS)
    lines = [f'    found["{name}"] = {text}' for name, text in named]
    whole = parts[0] if len(parts) == 1 else f"every({', '.join(parts)})"
    text = f'''
def {TASK_ID}(params, logical_date, **_):
    """Wait as the input logic of the coordinator says; give what was found by name."""
    found = {{}}
{chr(10).join(lines)}
    return PokeReturnValue(bool({whole}), found)
'''
    functions[TASK_ID] = Function(TASK_ID, text, (datasets.POKE,))
    task = Task(
        TASK_ID,
        symbols.PYTHON_SENSOR,
        (
            ("python_callable", Code(TASK_ID)),
            ("mode", "reschedule"),
            ("poke_interval", 60),
            ("timeout", timeout or _FOREVER),
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
    least: str,
) -> str:
    """Write one part as Python; `least` is the min of the part around it."""
    if element.get("wait"):
        raise Unsupported("input-logic-wait", "the wait of an input has no equivalent")
    least = element.get("min") or least
    if least and not least.isdigit():
        raise Unsupported("input-logic", f"the min {least!r} is not known")
    match element.name:
        case "data-in":
            uris, flag = _input(element, events, compiler, made)
            text = f"there({uris}, {flag}{f', {least}' if least else ''})"
        case "and":
            text = (
                f"every({', '.join(_part(child, events, compiler, made, named, least) for child in element.children)})"
            )
        case "or":
            text = f"({' or '.join(_part(child, events, compiler, made, named, least) for child in element.children)})"
        case "combine":
            pairs = ["({}, {})".format(*_input(child, events, compiler, made)) for child in element.every("data-in")]
            text = f"combined({', '.join(pairs)}{f', least={least}' if least else ''})"
        case _:
            raise Unsupported("input-logic", f"<{element.name}> is not known in input logic")
    if not (name := element.get("name")):
        return text
    named.append((name, text))
    return f'found["{name}"]'


def _input(
    element: Element, events: Mapping[str, datasets.Event], compiler: Compiler, made: dict[str, Function]
) -> tuple[str, str]:
    event = events.get(element.get("dataset") or element.get("name"))
    if event is None:
        raise Unsupported("input-logic", f"the input {element.get('dataset')!r} is not known")
    if datasets.is_partition(event.dataset, compiler):
        raise Unsupported("hcat", "partitions of HCatalog have no part in input logic")
    function = datasets.uri_function(event, compiler)
    made[function.name] = function
    flag = event.dataset.done_flag
    return (
        f"{function.name}(logical_date, params)",
        f'"/" + {datasets.uri_expression(flag, compiler)}' if flag else '""',
    )
