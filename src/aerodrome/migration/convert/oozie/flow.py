"""Steers a workflow: the state machine of its transitions becomes edges, trigger rules, branches and routers.

Each transition *arrives* at a node from tasks. A node with one way in runs when that way is taken (`all_success`); with several, when one
was taken and nothing failed (`none_failed_min_one_success`). A way that a branch or a router may not take and that enters a node with
several ways in gets a control task of its own, so that it has a state. See docs/decisions/0009.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Choice, Code, Edge, Function, Rule, Target, Task
from aerodrome.migration.convert.oozie.model import Node, Workflow

_ROUTE_TEXT: Final = '''
def route(ti, dag_run, watched, ok, error, **_):
    """Go on by the outcome of the task `watched`: to the tasks `ok` or `error`. What never ran decides nothing."""
    state = %s
    if state == "upstream_failed":
        raise AirflowFailException(f"{watched} did not run: the run had failed before")
    if state == "skipped":
        raise AirflowSkipException(f"{watched} was skipped")
    if state == "failed":
        ti.xcom_push(key="error_node", value=watched)
        return error
    return ok
'''
_STATES: Final = "ti.get_task_states(dag_id=ti.dag_id, task_ids=[watched], run_ids=[ti.run_id])[ti.run_id][watched]"
_ROUTES: Final[dict[Target, str]] = {
    "2.11": _ROUTE_TEXT % "dag_run.get_task_instance(watched).state",
    "3.3": _ROUTE_TEXT % _STATES,
}
ROUTE: Final = Function("route", "", (symbols.FAIL, symbols.SKIP), _ROUTES)
KILL: Final = Function(
    "kill",
    '''
def kill(message, **_):
    """End the run as failed, as the kill node of the workflow does."""
    raise AirflowFailException(message)
''',
    (symbols.FAIL,),
)


@dataclass(frozen=True)
class Arrival:
    """One way into a node: the tasks that must have succeeded, and the labels under which a branching one goes this way."""

    tasks: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def is_branching(self) -> bool:
        return bool(self.labels)


@dataclass
class Steering:
    """What the walk makes: tasks in order, edges, and what each branching task chooses."""

    tasks: list[Task] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    choices: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    functions: dict[str, Function] = field(default_factory=dict)
    routers: list[str] = field(default_factory=list)
    nodes: frozenset[str] = frozenset()  # names that control tasks must not take
    unmatched: list[str] = field(default_factory=list)  # joins whose ways are not the branches of one fork


def needs_router(workflow: Workflow, node: Node) -> bool:
    """Tell whether an action's failure leads elsewhere than to a kill."""
    return node.kind == "action" and workflow.node(node.error).kind != "kill"


def steer(
    workflow: Workflow, bodies: Mapping[str, Task], ids: Mapping[str, str], after: tuple[str, ...] = ()
) -> Steering:
    """Put the tasks of actions, decisions and kills (`bodies`, by node) into order; `after` are tasks before all of them."""
    made = Steering(nodes=frozenset(workflow.nodes))
    exits: dict[tuple[str, str], Arrival] = {}
    order = workflow.order()
    into: dict[str, list[tuple[str, str]]] = defaultdict(list)
    into[workflow.start].append(("", ""))
    for node in order:
        for to in node.following:
            if not (node.kind == "action" and to == node.error != node.ok and workflow.node(to).kind == "kill"):
                into[to].append((node.name, to))
    exits["", ""] = Arrival(after)
    for node in order:
        if not into[node.name]:
            continue  # a kill that only failures reach: the failed task says it
        ways = [exits[way] for way in into[node.name]]
        _place(workflow, node, ways, into[node.name], bodies, ids, made, exits)
    _finish(made)
    return made


def _place(
    workflow: Workflow,
    node: Node,
    ways: list[Arrival],
    sources: list[tuple[str, str]],
    bodies: Mapping[str, Task],
    ids: Mapping[str, str],
    made: Steering,
    exits: dict[tuple[str, str], Arrival],
) -> None:
    if node.kind == "end":
        _end(made, ways, bodies.get(node.name))
        return
    if node.kind == "fork":
        way = ways[0] if len(ways) == 1 else Arrival((_control(made, ids[node.name], ways, node),))
        for to in node.to:
            exits[node.name, to] = way
        return
    if node.kind == "join":
        exits[node.name, node.to[0]] = _join(workflow, node, ways, sources, ids, made)
        return
    task = bodies[node.name]
    task = replace(task, trigger_rule=_connect(made, task.full_id, ways))
    made.tasks.append(task)
    if node.kind == "decision":
        for to in node.following:
            exits[node.name, to] = Arrival((task.full_id,), (to,))
    elif node.kind == "action":
        if not needs_router(workflow, node):
            exits[node.name, node.ok] = Arrival((task.full_id,))
            return
        router = _router(made, workflow, task, node)
        is_same = node.ok == node.error
        exits[node.name, node.ok] = Arrival((router,), ("ok", "error") if is_same else ("ok",))
        if not is_same:
            exits[node.name, node.error] = Arrival((router,), ("error",))


def _end(made: Steering, ways: list[Arrival], task: Task | None) -> None:
    """End the run: nothing more runs, or the task that stands for the end (it makes the assets of the run)."""
    if task is None:
        for way in ways:
            _note(made, way)
        return
    before = next((item for item in made.tasks if [item.full_id] == list(ways[0].tasks)), None)
    if len(ways) == 1 and not ways[0].is_branching and before is not None and before.role == "real":
        made.tasks[made.tasks.index(before)] = replace(before, outlets=task.outlets)
        return
    made.tasks.append(replace(task, trigger_rule=_connect(made, task.full_id, ways)))


def router_name(workflow: Workflow, action: str) -> str:
    """Name the router of an action."""
    name = f"after_{action}"
    while name in workflow.nodes:
        name += "_outcome"
    return name


def _router(made: Steering, workflow: Workflow, task: Task, node: Node) -> str:
    name = router_name(workflow, node.name)
    made.functions[ROUTE.name] = ROUTE
    router = Task(
        name,
        symbols.BRANCH,
        (),
        trigger_rule="all_done",
        role="control",
        watches=task.full_id,
        choices=(Choice("ok", ()), Choice("error", ())),
        origin=node.origin,
        comment=f"{task.task_id} failed: {node.error}; else: {node.ok}",
    )
    made.tasks.append(router)
    made.edges.append(Edge(task.full_id, name))
    made.routers.append(name)
    made.choices[name].setdefault("ok", [])
    made.choices[name].setdefault("error", [])
    return name


def _join(
    workflow: Workflow,
    node: Node,
    ways: list[Arrival],
    sources: list[tuple[str, str]],
    ids: Mapping[str, str],
    made: Steering,
) -> Arrival:
    """Wait for every branch of the fork. A branch that arrives in several ways is brought together first."""
    branches = _branches(workflow, node, [name for name, _ in sources])
    if branches is None:
        made.unmatched.append(node.name)
        branches = list(range(len(sources)))
    parts: list[str] = []
    by_branch: dict[int, list[Arrival]] = defaultdict(list)
    for way, branch in zip(ways, branches, strict=True):
        by_branch[branch].append(way)
    for number, arrivals in sorted(by_branch.items()):
        if len(arrivals) == 1 and not arrivals[0].is_branching:
            parts += arrivals[0].tasks
        else:
            suffix = f"_{number + 1}" if len(by_branch) > 1 else ""
            parts.append(_control(made, f"{ids[node.name]}{suffix}", arrivals, node))
    following = workflow.node(node.to[0])
    if len(parts) > 1 and following.kind == "fork":  # many to many
        arrival = [Arrival(tuple(dict.fromkeys(parts)))]
        return Arrival((_control(made, ids[node.name], arrival, node),))
    return Arrival(tuple(dict.fromkeys(parts)))


def _branches(workflow: Workflow, join: Node, sources: list[str]) -> list[int] | None:
    """Tell for each way into a join which branch of its fork it belongs to, by number; None when they are not those of one fork."""
    best: list[int] | None = None
    for fork in workflow.nodes.values():
        if fork.kind != "fork" or fork.name in workflow.unreachable:
            continue
        reach = [_inside(workflow, to, join.name) for to in fork.to]
        found = []
        for source in sources:
            owners = [number for number, nodes in enumerate(reach) if source in nodes]
            if source == fork.name:  # a branch that is empty
                owners = [number for number, to in enumerate(fork.to) if to == join.name][:1]
            found.append(owners)
        if all(len(owners) == 1 for owners in found) and {owners[0] for owners in found} == set(range(len(fork.to))):
            best = [owners[0] for owners in found]
    return best


def _inside(workflow: Workflow, start: str, stop: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or name == stop:
            continue
        found.add(name)
        waiting += workflow.node(name).following
    return found


def _connect(made: Steering, task: str, ways: list[Arrival]) -> Rule:
    if len(ways) == 1:
        _arrive(made, ways[0], task)
        return "all_success"
    for way in ways:
        if way.is_branching or len(way.tasks) != 1:
            name = _free(made, f"{way.tasks[0] if way.tasks else 'start'}_to_{task}")
            made.tasks.append(Task(name, symbols.EMPTY, role="control"))
            _arrive(made, way, name)
            made.edges.append(Edge(name, task))
        else:
            made.edges.append(Edge(way.tasks[0], task))
    return "none_failed_min_one_success"


def _arrive(made: Steering, way: Arrival, task: str) -> None:
    made.edges.extend(Edge(before, task) for before in way.tasks)
    if way.is_branching:
        for label in way.labels:
            made.choices[way.tasks[0]].setdefault(label, []).append(task)


def _note(made: Steering, way: Arrival) -> None:
    """Remember a way that leads to the end: nothing runs then."""
    if way.is_branching:
        for label in way.labels:
            made.choices[way.tasks[0]].setdefault(label, [])


def _control(made: Steering, name: str, ways: list[Arrival], node: Node) -> str:
    name = _free(made, name, node.name)
    rule = _connect(made, name, ways)
    made.tasks.append(Task(name, symbols.EMPTY, trigger_rule=rule, role="control", origin=node.origin))
    return name


def _free(made: Steering, name: str, own: str = "") -> str:
    taken = {task.task_id for task in made.tasks} | (made.nodes - {own})
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _finish(made: Steering) -> None:
    """Write down what each branching task chooses."""
    for place, task in enumerate(made.tasks):
        if task.full_id not in made.choices:
            continue
        chosen = {label: tuple(dict.fromkeys(tasks)) for label, tasks in made.choices[task.full_id].items()}
        choices = tuple(Choice(label, tasks) for label, tasks in chosen.items())
        if task.watches:
            arguments = (
                ("python_callable", Code(ROUTE.name)),
                ("op_kwargs", {"watched": task.watches, "ok": list(chosen["ok"]), "error": list(chosen["error"])}),
            )
            made.tasks[place] = replace(task, arguments=arguments, choices=choices)
        else:
            made.tasks[place] = replace(task, choices=choices)
