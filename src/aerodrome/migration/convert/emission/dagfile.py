"""Writes one DAG as a Python file, before formatting."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Dag, Expression, Outcome, Parameter, Symbol, Target, Task
from aerodrome.migration.convert.emission.expressions import Writer, docstring, text_literal

_TAKEN = {
    *keyword.kwlist,
    *keyword.softkwlist,
    *dir(builtins),
    "dag",
    "params",
    "timedelta",
    "shlex",
    "subprocess",
    "quote_plus",
    "datetime",
    "pendulum",
    "json",
    "os",
    "re",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SHOWN = 8  # elements that a line of the doc names; the report names all


def write_dag(dag: Dag, target: Target) -> tuple[str, tuple[Symbol, ...]]:
    """Give the file's text and the symbols that it imports."""
    writer = Writer(target)
    writer.use(symbols.DAG)
    body = [*_head(dag, writer), *_tasks(dag, writer, names := variable_names(dag)), "", *_edges(dag, names)]
    functions = []
    for function in dag.functions:
        for symbol in function.imports:
            writer.use(symbol)
        functions.append(function.source_in(target).strip("\n"))
    used = tuple(writer.symbols[key] for key in sorted(writer.symbols))
    parts = [
        docstring(_doc(dag)),
        "from __future__ import annotations",
        imports(used, target),
        *functions,
        "\n".join(body),
    ]
    return "\n\n".join(parts) + "\n", used


def imports(used: Iterable[Symbol], target: Target) -> str:
    """Give import lines as ruff sorts them (0.17, isort): the standard library, then the rest; whole modules first, constants before classes."""
    by_module: dict[str, set[str]] = defaultdict(set)
    whole: set[str] = set()
    for symbol in used:
        module, name = symbol.modules[target], symbol.name_in(target)
        if module:
            by_module[module].add(name)
        else:
            whole.add(name)
    lines: dict[int, list[str]] = defaultdict(list)
    for name in sorted(whole):
        lines[_section(name)].append(f"import {name}")
    for module in sorted(by_module):
        lines[_section(module)].append(f"from {module} import {', '.join(sorted(by_module[module], key=_member))}")
    return "\n\n".join("\n".join(lines[section]) for section in sorted(lines))


def _section(module: str) -> int:
    return 0 if module.partition(".")[0] in sys.stdlib_module_names else 1


def _member(name: str) -> tuple[int, str]:
    """Give the place of an imported name: constants, classes, then functions."""
    is_constant = len(name) > 1 and name.isupper()
    return (0 if is_constant else 1 if name[:1].isupper() else 2, name)


def variable_names(dag: Dag) -> dict[str, str]:
    """Name the variable of each task: full_id -> a Python name, each one once."""
    taken = {
        *_TAKEN,
        *(function.name for function in dag.functions),
        *(_group_name(group.group_id) for group in dag.groups),
    }
    names: dict[str, str] = {}
    for task in dag.tasks:
        taken.add(task.operator.name)
    for function in dag.functions:
        taken |= set(re.findall(r"^def (\w+)", "\n".join([function.source, *function.sources.values()]), re.MULTILINE))
        taken |= {symbol.name for symbol in function.imports}
    for task in dag.tasks:
        base = re.sub(r"\W+", "_", task.full_id).strip("_").lower() or "task"
        base = base if _PLAIN.match(base) and not base[0].isdigit() else f"task_{base}"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_task" if number == 2 else f"{base}_{number - 1}"
        taken.add(name)
        names[task.full_id] = name
    return names


def _group_name(group_id: str) -> str:
    return re.sub(r"\W+", "_", group_id).strip("_").lower() + "_group"


def _doc(dag: Dag) -> str:
    caveats, raising = _told(dag, "caveat"), _told(dag, "raises")
    text = dag.doc.strip() or dag.dag_id
    text += f"\n\nConverted from `{dag.origin.file}`{f' ({dag.origin.path})' if dag.origin.path else ''}."
    if raising:
        text += "\n\nRaises until somebody completes it:\n\n" + "\n".join(raising)
    if caveats:
        text += "\n\nTo know:\n\n" + "\n".join(caveats)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _told(dag: Dag, outcome: Outcome) -> list[str]:
    """Give a line for each thing to know, with the elements of which it is true."""
    names: dict[str, dict[str, None]] = {}
    for item in dag.accounts:
        if item.outcome == outcome:
            names.setdefault(item.reason, {})[item.name or item.element] = None
    lines = []
    for reason, found in names.items():
        shown = ", ".join(list(found)[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        lines.append(f"- {shown}: {reason}")
    return lines


def _head(dag: Dag, writer: Writer) -> Iterator[str]:
    schedule = dag.schedule
    arguments: list[tuple[str, Expression]] = [("dag_id", dag.dag_id), ("schedule", schedule.expression)]
    if schedule.start is not None:
        arguments.append(("start_date", schedule.start))
    if schedule.end is not None:
        arguments.append(("end_date", schedule.end))
    arguments.append(("catchup", schedule.is_catching_up))
    if dag.max_active_runs is not None:
        arguments.append(("max_active_runs", dag.max_active_runs))
    if dag.max_active_tasks is not None:
        arguments.append(("max_active_tasks", dag.max_active_tasks))
    if dag.default_arguments:
        arguments.append(("default_args", dict(dag.default_arguments)))
    if dag.parameters:
        arguments.append(("params", {item.name: _parameter(item, writer) for item in dag.parameters}))
    arguments += [*dag.arguments, *dag.arguments_by_target.get(writer.target, ())]
    if dag.is_paused is not None:
        arguments.append(("is_paused_upon_creation", dag.is_paused))
    if dag.tags:
        arguments.append(("tags", list(dag.tags)))
    yield "with DAG("
    for name, value in arguments:
        yield f"    {name}={writer.write(value)},"
    yield "    doc_md=__doc__,"
    yield ") as dag:"
    if not dag.tasks:
        yield "    pass"


def _parameter(item: Parameter, writer: Writer) -> Expression:
    if item.has_default and item.default is not None and not item.description:
        return item.default
    parts = [writer.write(item.default)] if item.has_default else []
    if item.has_default and item.default is None:
        parts.append('type=["null", "string"]')
    elif isinstance(item.default, str) or not item.has_default:
        parts.append('type="string"')
    if item.description:
        parts.append(f"description={text_literal(item.description)}")
    return Code(f"Param({', '.join(parts)})", (symbols.PARAM,))


def _tasks(dag: Dag, writer: Writer, names: dict[str, str]) -> Iterator[str]:
    by_group: dict[str, list[Task]] = defaultdict(list)
    for task in dag.tasks:
        by_group[task.group].append(task)
    children: dict[str, list[str]] = defaultdict(list)
    docs = {group.group_id: group.doc for group in dag.groups}
    known = {group: None for group in [*docs, *(task.group for task in dag.tasks)] if group}
    for group in list(known):
        parts = group.split(".")
        for depth in range(1, len(parts)):
            known.setdefault(".".join(parts[:depth]))
    for group in known:
        children[group.rpartition(".")[0]].append(group)

    def block(group: str, indent: str) -> Iterator[str]:
        for task in by_group.get(group, ()):
            yield from _task(task, writer, names[task.full_id], indent)
        for child in children.get(group, ()):
            writer.use(symbols.TASK_GROUP)
            tooltip = f", tooltip={text_literal(docs[child])}" if docs.get(child) else ""
            yield ""
            yield f"{indent}with TaskGroup({text_literal(child.rpartition('.')[2])}{tooltip}):"
            inside = list(block(child, indent + "    "))
            yield from inside or [f"{indent}    pass"]

    yield from block("", "    ")


def _task(task: Task, writer: Writer, name: str, indent: str) -> Iterator[str]:
    arguments: list[tuple[str, Expression]] = [("task_id", task.task_id), *task.arguments]
    if task.trigger_rule != "all_success":
        arguments.append(("trigger_rule", task.trigger_rule))
    if task.retries:
        arguments.append(("retries", task.retries))
    if task.retry_delay is not None:
        arguments.append(("retry_delay", task.retry_delay))
    if task.is_retry_exponential:
        arguments.append(("retry_exponential_backoff", True))
    options: tuple[tuple[str, str | int, str | int], ...] = (
        ("pool", task.pool, ""),
        ("pool_slots", task.pool_slots, 1),
        ("queue", task.queue, ""),
        ("priority_weight", task.priority_weight, 1),
    )
    for key, option, usual in options:
        if option != usual:
            arguments.append((key, option))
    if task.outlets:
        arguments.append(("outlets", list(task.outlets)))
    if task.doc:
        arguments.append(("doc_md", task.doc.rstrip() + "\n"))
    yield ""
    yield from (f"{indent}# {line}" for line in task.comment.splitlines())
    yield f"{indent}{name} = {writer.use(task.operator)}("
    for key, value in arguments:
        yield f"{indent}    {key}={writer.write(value)},"
    yield f"{indent})"


def _edges(dag: Dag, names: dict[str, str]) -> Iterator[str]:
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    for edge in dict.fromkeys(dag.edges):
        after[edge.before].append(edge.after)
        before[edge.after].append(edge.before)

    def is_inside(task: str) -> bool:  # a chain goes through it
        return len(before[task]) == 1 and len(after[before[task][0]]) == 1

    chains: list[tuple[list[str], str]] = []  # what stands before the last arrow, and what behind it
    for task in dag.tasks:
        if not after[task.full_id] or is_inside(task.full_id):
            continue
        chain, here = [names[task.full_id]], task.full_id
        while len(after[here]) == 1 and len(before[after[here][0]]) == 1:
            here = after[here][0]
            chain.append(names[here])
        if after[here]:
            following = [names[item] for item in after[here]]
            chains.append((chain, following[0] if len(following) == 1 else f"[{', '.join(following)}]"))
        else:
            chains.append((chain[:-1], chain[-1]))
    alike: dict[str, list[str]] = defaultdict(list)  # single tasks that go to the same one task
    for chain, end in chains:
        if len(chain) == 1 and not end.startswith("["):
            alike[end].append(chain[0])
    for chain, end in chains:
        together = alike[end] if len(chain) == 1 and not end.startswith("[") else chain
        if len(together) > 1 and len(chain) == 1:
            if chain[0] == together[0]:
                yield f"    [{', '.join(together)}] >> {end}"
        else:
            yield f"    {' >> '.join([*chain, end])}"
