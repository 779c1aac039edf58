"""Makes one DAG of one workflow: its actions become tasks, its transitions are steered, and everything is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Code,
    Dag,
    Edge,
    Expression,
    Function,
    Origin,
    Parameter,
    Schedule,
    Target,
    Task,
)
from aerodrome.migration.convert.oozie import flow
from aerodrome.migration.convert.oozie.action_tasks import action_task, is_counted
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, Body, flow_text, raising_arguments
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.counters import counters_in
from aerodrome.migration.convert.oozie.datasets import describe_asked
from aerodrome.migration.convert.oozie.decisions import decision_task, write_decision
from aerodrome.migration.convert.oozie.job_settings import tell_settings
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Unsupported, Words
from aerodrome.migration.convert.oozie.sla import Watch, watch

_CHECK: Final = Function(
    "check_params",
    '''
def check_params(params, names, **_):
    """Fail when a value that the workflow needs was never given."""
    missing = [name for name in names if params[name] is None]
    if missing:
        raise AirflowFailException(f"no value for {', '.join(missing)}: set the params of this DAG")
''',
    (symbols.FAIL,),
)


def make_body(body: Body, before: tuple[Task, ...] = ()) -> tuple[list[Task], flow.Steering]:
    """Make the tasks and edges of a workflow, after the tasks `before`."""
    workflow = body.workflow
    if workflow.defects:
        reason = "Oozie refuses this workflow: " + "; ".join(workflow.defects[:3])
        task = Task(
            "workflow",
            symbols.PYTHON,
            raising_arguments(reason),
            role="raises",
            origin=Origin(workflow.file, "workflow-app", workflow.root.line),
        )
        body.needs.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        body.accounts.append(
            Account(
                "workflow",
                "raises",
                Origin(workflow.file, "workflow-app", workflow.root.line),
                "workflow-refused",
                reason,
                body.app_name,
            )
        )
        made = flow.Steering(tasks=[task])
        made.edges = [Edge(item.full_id, "workflow") for item in before]
        return [*before, *made.tasks], made
    bodies, predicates, inner = _make_nodes(body)
    made = flow.steer(workflow, bodies, tuple(item.full_id for item in before), inner)
    for owner, task, cases in predicates:
        write_decision(owner, made, task, cases)
    body.needs.functions |= made.functions
    if any(task.role == "fails" for task in made.tasks):
        body.needs.functions[flow.KILL.name] = flow.KILL
    for place, account in enumerate(body.accounts):
        if account.element == "join" and account.origin in made.unmatched:
            reason = "its ways are not the branches of one fork, which Oozie's validation refuses: it waits for those that are taken"
            body.accounts[place] = replace(account, outcome="caveat", code="fork-join-mismatch", reason=reason)
    for place, account in enumerate(body.accounts):
        if account.element == "fork" and account.code != "unreachable":
            body.accounts[place] = replace(
                account,
                outcome="caveat",
                code="kill-does-not-stop-others",
                reason="when one branch fails, the others go on until the join; Oozie stops them",
            )
            break
    return [*before, *made.tasks], made


def hand_on(body: Body) -> None:
    """Hand what became a param on to workflows that get the configuration of this one."""
    for item in body.needs.propagations:
        for name in item.names:
            if name not in item.conf and name in body.needs.parameters:
                item.conf[name] = item.write(name)


_Predicates = list[tuple[Body, Task, list[tuple[str, str]]]]


def _make_nodes(body: Body) -> tuple[dict[str, Task], _Predicates, dict[str, flow.Inner]]:
    """Make the tasks of nodes, the conditions of decisions, and the workflows that stand in place of actions."""
    workflow = body.workflow
    ids = {name: body.task_id(name) for name in workflow.nodes}
    routers = tuple(
        body.task_id(flow.router_name(workflow, node.name))
        for node in workflow.order()
        if flow.needs_router(workflow, node)
    )
    read = {name: found for name, found in counters_in(workflow.root).items() if is_counted(workflow, name)}
    words = Words(
        workflow.name or body.app_name,
        ids,
        routers,
        body.zone,
        body.events,
        read,
        body.profile.probe,
        size_probe=body.profile.size_probe,
        coordinator_name=body.coordinator_name,
        functions=body.profile.functions,
        ending=body.ending,
        calm=workflow.reached_without_error(),
    )
    bodies: dict[str, Task] = {}
    predicates: _Predicates = []
    inner: dict[str, flow.Inner] = {}
    for node in workflow.order():
        if node.kind == "action" and (child := body.find_child(body, words, node)) is not None:
            tasks, more, deeper = _make_nodes(child)
            inner[node.name] = flow.Inner(child.workflow, child.group, tasks, deeper)
            predicates += more
            body.children.append(child)
            body.account("action/sub-workflow", node, child.caveats_of_action)
            continue
        if node.kind == "action":
            task = action_task(body, words, node)
        elif node.kind == "decision":
            task, cases = decision_task(body, words, node)
            predicates.append((body, replace(task, group=body.group), cases))
        elif node.kind == "kill":
            task = _kill(body, words, node)
        else:
            body.account(node.kind, node, {})
            if node.kind != "end" or not body.outlets:
                continue
            task = Task("outputs", symbols.EMPTY, role="control", outlets=body.outlets, origin=node.origin)
        bodies[node.name] = replace(task, group=body.group)
    body.accounts.append(Account("start", "converted", Origin(workflow.file, "start")))
    body.accounts.extend(_head_accounts(workflow))
    for name in workflow.unreachable:
        node = workflow.node(name)
        body.account(
            node.kind,
            node,
            {"unreachable": "nothing leads to it, so Oozie never runs it"} if node.kind not in ("kill", "end") else {},
        )
    for child in body.children:
        body.accounts.extend(child.accounts)
    return bodies, predicates, inner


_HEAD: Final = {
    "credentials": ("credentials", "credentials are those of the worker: each action that names one says so"),
}


def _watches(body: Body, coordinator: Watch | None) -> list[Watch]:
    """Give the SLAs of the DAG: that of the workflow, then that of the coordinator, whose arguments win."""
    found = [coordinator] if coordinator is not None else []
    info = body.workflow.root.first("info")
    if info is not None and not body.workflow.defects:
        found.insert(0, own := watch(info, body.scope))
        origin = Origin(body.workflow.file, "workflow-app/info", info.line)
        body.accounts.append(Account("workflow/info", "caveat", origin, own.code, own.reason))
    for item in found:
        if item.function is not None:
            body.needs.functions[item.function.name] = item.function
    return found


def _told_at_begin(tasks: list[Task], before: tuple[Task, ...], watches: list[Watch]) -> list[Task]:
    """Let the first task of the workflow tell when it starts late."""
    told = [item.begin for item in watches if item.begin is not None]
    place = len(before)
    if not told or place >= len(tasks):
        return tasks
    first = tasks[place]
    given = [item for key, item in first.arguments if key == "on_execute_callback"]
    callbacks: Expression = [*told, *given] if len(told) + len(given) > 1 else told[0]
    arguments = [item for item in first.arguments if item[0] != "on_execute_callback"]
    return [
        *tasks[:place],
        replace(first, arguments=(*arguments, ("on_execute_callback", callbacks))),
        *tasks[place + 1 :],
    ]


def _head_accounts(workflow: Workflow) -> Iterator[Account]:
    """Account for what stands beside the nodes."""
    for child in workflow.root.children:
        if child.name in ("parameters", "global") or child.name in _HEAD:
            code, reason = _HEAD.get(child.name, ("", ""))
            origin = Origin(workflow.file, f"workflow-app/{child.name}", child.line)
            yield Account(f"workflow/{child.name}", "caveat" if code else "converted", origin, code, reason)


def _kill(body: Body, words: Words, node: Node) -> Task:
    saved = (dict(body.needs.parameters), dict(body.needs.caveats))
    caveats: dict[str, str] = {}
    compiler = Compiler(body.scope, words, body.needs)
    try:
        compiler.is_message, compiler.is_after_error = True, node.name not in words.calm
        message = compiler.template(node.message)
    except Unsupported as error:
        message = flow_text(node.message)
        caveats["kill-message"] = f"the message is given as written: {error.reason}"
    is_reached = any(
        node.name in other.following and not (other.kind == "action" and other.error == node.name != other.ok)
        for other in body.workflow.order()
    )
    if not is_reached:
        body.needs.parameters, body.needs.caveats = saved
        caveats = {
            "kill-message": "only failures lead to it: the failed task fails the run, and its log says why in place of the message"
        }
    else:
        caveats |= {key: value for key, value in body.needs.caveats.items() if key not in saved[1]}
        body.needs.caveats = saved[1]
    body.account("kill", node, caveats)
    arguments = (("python_callable", Code(flow.KILL.name)), ("op_kwargs", {"message": message}))
    return Task(node.name, symbols.PYTHON, arguments, role="fails", origin=node.origin)


LOOKED_UP: Final = "Looked up by wf:conf, and no properties came with the definition: empty unless it is given."


def _describe(body: Body, name: str, value: str | None) -> str:
    """Say what a param takes, where no file tells."""
    if name in body.needs.computed:
        return f"When it is not given: {body.needs.computed[name]}"
    if value is None:
        return describe_asked(name) or "No value was found."
    is_open = name in body.needs.optional and not any(layer.is_job for layer in body.scope.layers)
    return LOOKED_UP if is_open else ""


def unlike(name: str, workflow: Workflow) -> str:
    """Give a name for a task of ours that no node has."""
    while name in workflow.nodes:
        name += "_of_dag"
    return name


def make_dag(
    body: Body,
    dag_id: str,
    *,
    schedule: Schedule,
    before: tuple[Task, ...] = (),
    origin: Origin,
    doc: str = "",
    sla: Watch | None = None,
    gate: Task | None = None,
) -> Dag:
    """Make the whole DAG; callers add what a coordinator says. `sla` is that of the coordinator, `gate` stands between `before` and the workflow."""
    tasks, made = make_body(body, before if gate is None else (gate,))
    edges = list(made.edges)
    if gate is not None:
        tasks = [*before, *tasks]
        edges = [*(Edge(task.full_id, gate.full_id) for task in before), *edges]
        before = (*before, gate)
    hand_on(body)
    tell_settings(body)
    watches = _watches(body, sla)
    tasks = _told_at_begin(tasks, before, watches)
    needs = body.needs
    is_scheduled = schedule.expression is not None
    unknown = [name for name, value in needs.parameters.items() if value is None and name not in needs.computed]
    if unknown and is_scheduled:
        check = Task(
            unlike("check_params", body.workflow),
            symbols.PYTHON,
            (("python_callable", Code(_CHECK.name)), ("op_kwargs", {"names": unknown})),
            role="control",
            comment="Values that the definitions leave open.",
        )
        starts = {task.full_id for task in tasks} - {edge.after for edge in edges}
        edges = [*(Edge(check.full_id, task.full_id) for task in tasks if task.full_id in starts), *edges]
        tasks = [check, *tasks]
        needs.functions[_CHECK.name] = _CHECK
    parameters = tuple(
        Parameter(
            name,
            value,
            has_default=value is not None or is_scheduled or name in needs.computed,
            description=_describe(body, name, value),
            is_computed=name in needs.computed,
        )
        for name, value in needs.parameters.items()
    )
    arguments: list[tuple[str, Expression]] = []
    if needs.is_quoting:
        arguments.append(("user_defined_filters", {"quote": Code("shlex.quote", (_SHLEX,)), **needs.filters}))
    text = str([task.arguments for task in tasks])
    macros = {**needs.macros, **{name: code for name, code in body.event_macros.items() if f"{name}(" in text}}
    if macros:
        arguments.append(("user_defined_macros", dict(macros)))
    functions = tuple(function for function in needs.functions.values() if not function.name.startswith("import "))
    by_target: dict[Target, tuple[tuple[str, Expression], ...]] = {}
    for item in watches:
        by_target |= item.arguments
    is_bash = any(task.operator is symbols.BASH for task in tasks)
    return Dag(
        dag_id,
        tuple(tasks),
        tuple(dict.fromkeys(edges)),
        groups=tuple(body.groups()),
        schedule=schedule,
        parameters=parameters,
        functions=functions,
        default_arguments=(("skip_on_exit_code", None),) if is_bash else (),
        arguments=tuple(arguments),
        arguments_by_target=by_target,
        tags=("oozie",),
        doc=doc or f"Workflow {body.app_name}.",
        origin=origin,
        accounts=tuple(body.accounts),
    )


_SHLEX: Final = symbols.SHLEX
