"""Makes the task of a decision and the function that chooses."""

from __future__ import annotations

import re

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Code,
    Function,
    Task,
)
from aerodrome.migration.convert.oozie import flow
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, Body, raising_arguments
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.model import Node
from aerodrome.migration.convert.oozie.needs import Unsupported, Words
from aerodrome.migration.convert.xmlreading import to_text


def decision_task(body: Body, words: Words, node: Node) -> tuple[Task, list[tuple[str, str]]]:
    """Make the task of a decision; its cases with their conditions in Python wait for the tasks that they lead to."""
    compiler = Compiler(body.scope, words, body.needs, "python")
    saved, around = dict(body.needs.parameters), body.needs.caveats
    body.needs.caveats = {}
    try:
        cases = [(case.to, compiler.condition(case.predicate) if case.predicate else "True") for case in node.cases]
    except Unsupported as error:
        body.needs.parameters, body.needs.caveats = saved, around
        body.needs.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        body.account("decision", node, {}, error)
        doc = f"```xml\n{to_text(node.element)}\n```"
        return (
            Task(
                node.name,
                symbols.BRANCH,
                raising_arguments(f"the decision {node.name} is not converted: {error.reason}"),
                role="raises",
                origin=node.origin,
                doc=doc,
            ),
            [],
        )
    caveats = (
        {}
        if any(not case.predicate for case in node.cases)
        else {"no-default": "it has no default: the run fails when no case holds"}
    )
    body.account("decision", node, caveats | body.needs.caveats)
    body.needs.caveats = around
    return Task(
        node.name,
        symbols.BRANCH,
        (("python_callable", Code(_decider(body, node.name))),),
        role="control",
        origin=node.origin,
    ), cases


def _decider(body: Body, name: str) -> str:
    """Name the function of a decision; names of nodes may differ in what Python's names do not show."""
    alike = [
        node.name
        for node in body.workflow.nodes.values()
        if node.kind == "decision" and _identifier(node.name) == _identifier(name)
    ]
    number = alike.index(name)
    return f"decide_{_identifier(body.task_id(name))}" + (f"_{number + 1}" if number else "")


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower()


def write_decision(body: Body, made: flow.Steering, task: Task, cases: list[tuple[str, str]]) -> None:
    """Write the function of a decision: the first case that holds names the tasks that run next."""
    if not cases:
        return
    place = next(at for at, item in enumerate(made.tasks) if item.full_id == task.full_id)
    chosen = {choice.label: list(choice.tasks) for choice in made.tasks[place].choices}
    name = _decider(body, task.task_id)
    lines = [
        f"def {name}(params, ti, dag_run, run_id, logical_date=None, **_):",
        f'    """Choose as the decision {task.task_id} does: the first case that holds."""',
    ]
    for to, condition in cases:
        answer = "[" + ", ".join(f'"{item}"' for item in chosen.get(to, [])) + "]"
        if condition == "True":
            lines.append(f"    return {answer}")
            break
        lines += [f"    if {condition}:", f"        return {answer}"]
    else:
        lines.append('    raise AirflowFailException("no case holds, and there is no default")')
    text = "\n".join(lines)
    imports = [symbols.FAIL] if "AirflowFailException" in text else []
    imports += [
        symbol
        for function in body.needs.functions.values()
        if function.name.startswith("import ")
        for symbol in function.imports
    ]
    body.needs.functions[name] = Function(name, text, tuple(imports))
