"""Makes one DAG of one workflow: its actions become tasks, its transitions are steered, and everything is accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
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
from aerodrome.migration.convert.oozie import commands, flow
from aerodrome.migration.convert.oozie.actions import Action
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.counters import counters_in
from aerodrome.migration.convert.oozie.mails import mail
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Needs, Unsupported, Words
from aerodrome.migration.convert.oozie.profiles import Command, Profile, operator
from aerodrome.migration.convert.oozie.properties import Scope, configuration
from aerodrome.migration.convert.oozie.sla import watch
from aerodrome.migration.convert.xmlreading import to_text

NOT_CONVERTED: Final = Function(
    "not_converted",
    '''
def not_converted(reason, **_):
    """Stand for something that could not be converted: fail, and say why."""
    raise AirflowFailException(reason)
''',
    (symbols.FAIL,),
)
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


@dataclass
class Body:
    """A workflow that becomes (a part of) a DAG: where its values come from and what is around it."""

    workflow: Workflow
    scope: Scope
    app_name: str
    profile: Profile
    read_job_xml: Callable[[str], Mapping[str, str] | None]
    start_child: Callable[[Body, Compiler, Node], tuple[tuple[tuple[str, Expression], ...], dict[str, str]]]
    zone: str = "UTC"
    events: Mapping[str, str] = field(default_factory=dict)
    outlets: tuple[Expression, ...] = ()  # made when the run ends well
    event_macros: dict[str, Code] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    accounts: list[Account] = field(default_factory=list)

    def account(self, element: str, node: Node, caveats: Mapping[str, str], failure: Unsupported | None = None) -> None:
        """Write down what became of a node; each caveat counts once more."""
        if failure is not None:
            self.accounts.append(Account(element, "raises", node.origin, failure.code, failure.reason, node.name))
        elif caveats:
            codes, reasons = ",".join(caveats), "; ".join(caveats.values())
            self.accounts.append(Account(element, "caveat", node.origin, codes, reasons, node.name))
        else:
            self.accounts.append(Account(element, "converted", node.origin, name=node.name))


def make_body(body: Body, before: tuple[Task, ...] = ()) -> tuple[list[Task], flow.Steering]:
    """Make the tasks and edges of a workflow, after the tasks `before`."""
    workflow = body.workflow
    ids = {name: name for name in workflow.nodes}
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
    routers = tuple(
        flow.router_name(workflow, node.name) for node in workflow.order() if flow.needs_router(workflow, node)
    )
    read = {name: found for name, found in counters_in(workflow.root).items() if _is_counted(workflow, name)}
    words = Words(body.app_name, ids, routers, body.zone, body.events, read, body.profile.probe)
    bodies: dict[str, Task] = {}
    predicates: dict[str, list[tuple[str, str]]] = {}
    for node in workflow.order():
        if node.kind == "action":
            bodies[node.name] = _action(body, words, node)
        elif node.kind == "decision":
            bodies[node.name], predicates[node.name] = _decision(body, words, node)
        elif node.kind == "kill":
            bodies[node.name] = _kill(body, words, node)
        elif node.kind in ("fork", "join", "end"):
            body.account(node.kind, node, {})
            if node.kind == "end" and body.outlets:
                bodies[node.name] = Task(
                    "outputs", symbols.EMPTY, role="control", outlets=body.outlets, origin=node.origin
                )
    body.accounts.append(Account("start", "converted", Origin(workflow.file, "start")))
    body.accounts.extend(_head_accounts(workflow))
    for name in workflow.unreachable:
        node = workflow.node(name)
        body.account(
            node.kind,
            node,
            {"unreachable": "nothing leads to it, so Oozie never runs it"} if node.kind not in ("kill", "end") else {},
        )
    made = flow.steer(workflow, bodies, ids, tuple(item.full_id for item in before))
    for name, cases in predicates.items():
        _write_decision(body, made, bodies[name], cases)
    body.needs.functions |= made.functions
    if any(task.role == "fails" for task in made.tasks):
        body.needs.functions[flow.KILL.name] = flow.KILL
    for place, account in enumerate(body.accounts):
        if account.element == "join" and account.name in made.unmatched:
            reason = "its ways are not the branches of one fork, which Oozie's validation refuses: it waits for those that are taken"
            body.accounts[place] = replace(account, outcome="caveat", code="fork-join-mismatch", reason=reason)
    forks = [node for node in workflow.order() if node.kind == "fork"]
    if forks:
        place = next(at for at, item in enumerate(body.accounts) if item.element == "fork")
        body.accounts[place] = replace(
            body.accounts[place],
            outcome="caveat",
            code="kill-does-not-stop-others",
            reason="when one branch fails, the others go on until the join; Oozie stops them",
        )
    return [*before, *made.tasks], made


_HEAD: Final = {
    "credentials": ("credentials", "credentials are those of the worker: each action that names one says so"),
}


def _deadline(body: Body) -> Mapping[Target, tuple[tuple[str, Expression], ...]]:
    info = body.workflow.root.first("info")
    if info is None or body.workflow.defects:
        return {}
    found = watch(info, body.scope)
    origin = Origin(body.workflow.file, "workflow-app/info", info.line)
    body.accounts.append(Account("workflow/info", "caveat", origin, found.code, found.reason))
    return found.arguments


def _head_accounts(workflow: Workflow) -> Iterator[Account]:
    """Account for what stands beside the nodes."""
    for child in workflow.root.children:
        if child.name in ("parameters", "global") or child.name in _HEAD:
            code, reason = _HEAD.get(child.name, ("", ""))
            origin = Origin(workflow.file, f"workflow-app/{child.name}", child.line)
            yield Account(f"workflow/{child.name}", "caveat" if code else "converted", origin, code, reason)


def raising_arguments(reason: str) -> tuple[tuple[str, Expression], ...]:
    """Give the arguments of a task that raises."""
    return (("python_callable", Code(NOT_CONVERTED.name)), ("op_kwargs", {"reason": flow_text(reason)}))


def _action(body: Body, words: Words, node: Node) -> Task:
    assert node.body is not None  # noqa: S101  (a workflow without defects)
    kind = node.body.name
    snapshot = (
        dict(body.needs.parameters),
        dict(body.needs.functions),
        dict(body.needs.caveats),
        dict(body.needs.macros),
        dict(body.needs.filters),
    )
    body.needs.caveats.clear()
    compiler = Compiler(body.scope, words, body.needs)
    caveats: dict[str, str] = {}
    doc = ""
    try:
        if kind == "sub-workflow":
            arguments, caveats = body.start_child(body, compiler, node)
            task = Task(node.name, symbols.TRIGGER_DAG, arguments)
        elif kind == "email":
            task = mail(body.profile, compiler, node, caveats)
        else:
            action = _prepare(body, compiler, node, kind)
            action.counters = words.counters.get(node.name, ())
            command = commands.translate(action)
            caveats |= action.caveats
            _check_capture(body, kind, command)
            if body.profile.runner_of(kind) in ("livy", "dataproc"):
                _check_engine(action, command)
            chosen, arguments = operator(body.profile, kind, command)
            if kind == "spark" and body.profile.runner_of(kind) in ("livy", "dataproc"):
                caveats["spark-engine"] = (
                    "the flags of spark-opts are given as properties; master and deploy mode are the engine's"
                )
            task = Task(node.name, chosen, arguments)
        caveats |= body.needs.caveats
        task = _retrying(compiler, node, task, caveats)
        failure = None
    except Unsupported as error:
        body.needs.parameters, body.needs.functions, _, body.needs.macros, body.needs.filters = snapshot
        body.needs.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        failure = error
        doc = f"```xml\n{to_text(node.element)}\n```"
        task = Task(
            node.name,
            symbols.PYTHON,
            raising_arguments(f"{node.name} ({kind}) is not converted: {error.reason}"),
            role="raises",
        )
    body.needs.caveats = snapshot[2]
    if node.element.get("cred"):
        caveats["credentials"] = (
            f"the worker needs its own ticket or login in place of the credentials {node.element.get('cred')}"
        )
    if node.element.first("info") is not None or (node.body is not None and node.body.first("sla") is not None):
        caveats["sla"] = "the SLA of an action is not watched"
    body.account(f"action/{kind}", node, caveats, failure)
    return replace(task, origin=node.origin, doc=doc)


def _is_counted(workflow: Workflow, name: str) -> bool:
    node = workflow.nodes.get(name)
    return node is not None and node.body is not None and node.body.name == "map-reduce"


def _check_capture(body: Body, kind: str, command: Command) -> None:
    runner = body.profile.runner_of(kind)
    if command.is_capturing and runner != "local":
        raise Unsupported("capture-elsewhere", f"captured output is only read from the local runner, not {runner}")


def _check_engine(action: Action, command: Command) -> None:
    """Refuse what an engine would not be given: it takes a job, no commands around it."""
    for name in ("prepare", "file", "archive", "job-xml", "query"):
        if action.body.first(name) is not None:
            raise Unsupported(
                "engine-element", f"<{name}> has no place in a job of this engine: run it by another runner"
            )
    if action.unread or (action.kind != "spark" and (action.settings() or action.body.first("argument") is not None)):
        raise Unsupported("engine-settings", "its configuration or arguments have no place in a job of this engine")
    if left := command.engine.get("left"):
        raise Unsupported("engine-flags", f"{', '.join(left)} of spark-opts has no place in a job of this engine")


def _prepare(body: Body, compiler: Compiler, node: Node, kind: str) -> Action:
    assert node.body is not None  # noqa: S101
    root = body.workflow.root.first("global")
    common = configuration(root.first("configuration")) if root is not None else {}
    files = tuple(item.text.strip() for item in root.every("job-xml")) if root is not None else ()
    return Action(kind, node.body, compiler, common, body.read_job_xml, files)


def _retrying(compiler: Compiler, node: Node, task: Task, caveats: dict[str, str]) -> Task:
    most = compiler.scope.text(node.element.get("retry-max", "0")) or ""
    if not most.isdigit():
        raise Unsupported("retry-max", "retry-max is not known")
    if int(most) == 0:
        return task
    interval = compiler.scope.text(node.element.get("retry-interval", "10")) or "10"
    caveats["retry-any-error"] = "Oozie tries again only after certain errors; here after any"
    is_exponential = node.element.get("retry-policy", "periodic").lower() == "exponential"
    delay = timedelta(minutes=int(interval) if interval.isdigit() else 10)
    return replace(task, retries=int(most), retry_delay=delay, is_retry_exponential=is_exponential)


def _kill(body: Body, words: Words, node: Node) -> Task:
    saved = (dict(body.needs.parameters), dict(body.needs.caveats))
    caveats: dict[str, str] = {}
    compiler = Compiler(body.scope, words, body.needs)
    try:
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


def flow_text(text: str) -> str:
    """Write a text so that Jinja leaves it alone."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def _decision(body: Body, words: Words, node: Node) -> tuple[Task, list[tuple[str, str]]]:
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
        (("python_callable", Code(_decider(body.workflow, node.name))),),
        role="control",
        origin=node.origin,
    ), cases


def _unlike(name: str, workflow: Workflow) -> str:
    """Give a name for a task of ours that no node has."""
    while name in workflow.nodes:
        name += "_of_dag"
    return name


def _decider(workflow: Workflow, name: str) -> str:
    """Name the function of a decision; names of nodes may differ in what Python's names do not show."""
    alike = [
        node.name
        for node in workflow.nodes.values()
        if node.kind == "decision" and _identifier(node.name) == _identifier(name)
    ]
    number = alike.index(name)
    return f"decide_{_identifier(name)}" + (f"_{number + 1}" if number else "")


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _write_decision(body: Body, made: flow.Steering, task: Task, cases: list[tuple[str, str]]) -> None:
    """Write the function of a decision: the first case that holds names the tasks that run next."""
    if not cases:
        return
    place = next(at for at, item in enumerate(made.tasks) if item.full_id == task.full_id)
    chosen = {choice.label: list(choice.tasks) for choice in made.tasks[place].choices}
    name = _decider(body.workflow, task.task_id)
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


def make_dag(
    body: Body, dag_id: str, *, schedule: Schedule, before: tuple[Task, ...] = (), origin: Origin, doc: str = ""
) -> Dag:
    """Make the whole DAG; callers add what a coordinator says."""
    tasks, made = make_body(body, before)
    needs = body.needs
    is_scheduled = schedule.expression is not None
    edges = list(made.edges)
    unknown = [name for name, value in needs.parameters.items() if value is None]
    if unknown and is_scheduled:
        check = Task(
            _unlike("check_params", body.workflow),
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
            has_default=value is not None or is_scheduled,
            description="" if value is not None else "No value was found.",
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
    deadline = _deadline(body)
    is_bash = any(task.operator is symbols.BASH for task in tasks)
    return Dag(
        dag_id,
        tuple(tasks),
        tuple(dict.fromkeys(edges)),
        schedule=schedule,
        parameters=parameters,
        functions=functions,
        default_arguments=(("skip_on_exit_code", None),) if is_bash else (),
        arguments=tuple(arguments),
        arguments_by_target=deadline,
        tags=("oozie",),
        doc=doc or f"Workflow {body.app_name}.",
        origin=origin,
        accounts=tuple(body.accounts),
    )


_SHLEX: Final = symbols.SHLEX
