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
from aerodrome.migration.convert.contract import Choice, Code, Edge, Function, Origin, Rule, Target, Task
from aerodrome.migration.convert.oozie.model import Node, Workflow

_ROUTE_TEXT: Final = '''
def route(ti, dag_run, watched, ok, error, **_):
    """Go on by the outcome of the task `watched`: to the tasks `ok` or `error`. What never ran decides nothing."""
    state = {state}
    if state == "upstream_failed":
        raise AirflowFailException(f"{watched} did not run: the run had failed before")
    if state == "skipped":
        raise AirflowSkipException(f"{watched} was skipped")
    if state == "failed":
        ti.xcom_push(key="error_node", value=watched.rpartition(".")[2])
        return error
    return ok
'''
_ROUTE_GROUP_TEXT: Final = '''
def route_group(ti, dag_run, group, first, last, ok, error, **_):
    """Go on by the outcome of a group: it went well when its last task did; when its first never ran, it decides nothing."""
    begun, ended = ({state} for watched in (first, last))
    if begun == "upstream_failed":
        raise AirflowFailException(f"{group} did not run: the run had failed before")
    if begun == "skipped":
        raise AirflowSkipException(f"{group} was skipped")
    if ended != "success":
        ti.xcom_push(key="error_node", value=group.rpartition(".")[2])
        return error
    return ok
'''
_STATES: Final[dict[Target, str]] = {
    "2.11": "dag_run.get_task_instance(watched).state",
    "3.3": "ti.get_task_states(dag_id=ti.dag_id, task_ids=[watched], run_ids=[ti.run_id])[ti.run_id][watched]",
}


def _for_targets(text: str) -> dict[Target, str]:
    return {target: text.replace("{state}", state) for target, state in _STATES.items()}


ROUTE: Final = Function("route", "", (symbols.FAIL, symbols.SKIP), _for_targets(_ROUTE_TEXT))
ROUTE_GROUP: Final = Function("route_group", "", (symbols.FAIL, symbols.SKIP), _for_targets(_ROUTE_GROUP_TEXT))
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


@dataclass(frozen=True)
class Inner:
    """A workflow that stands in place of an action: its tasks by node, with their group."""

    workflow: Workflow
    group: str  # full id
    bodies: Mapping[str, Task]
    inner: Mapping[str, Inner] = field(default_factory=dict)


@dataclass
class Steering:
    """What the walk makes: tasks in order, edges, and what each branching task chooses. That of a group shares the lists."""

    tasks: list[Task] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    choices: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    functions: dict[str, Function] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()  # names that control tasks must not take
    unmatched: list[Origin] = field(default_factory=list)  # joins whose ways are not the branches of one fork
    group: str = ""
    ends: list[Arrival] = field(default_factory=list)  # of a group: the ways to its end

    def full(self, name: str) -> str:
        return f"{self.group}.{name}" if self.group else name


def needs_router(workflow: Workflow, node: Node) -> bool:
    """Tell whether an action's failure leads elsewhere than to a kill."""
    return node.kind == "action" and workflow.node(node.error).kind != "kill"


def steer(
    workflow: Workflow,
    bodies: Mapping[str, Task],
    after: tuple[str, ...] = (),
    inner: Mapping[str, Inner] | None = None,
) -> Steering:
    """Put the tasks of actions, decisions and kills (`bodies`, by node) into order; `after` are tasks before all of them.

    `inner` are the workflows that stand in place of actions.
    """
    made = Steering(nodes=frozenset(workflow.nodes))
    _walk(workflow, bodies, made, [Arrival(after)], inner or {})
    _finish(made)
    return made


def _walk(
    workflow: Workflow, bodies: Mapping[str, Task], made: Steering, begin: list[Arrival], inner: Mapping[str, Inner]
) -> None:
    exits: dict[tuple[str, str], Arrival] = {}
    order = workflow.order()
    into: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for number, way in enumerate(begin):
        into[workflow.start].append(("", str(number)))
        exits["", str(number)] = way
    for node in order:
        for to in node.following:
            if not (node.kind == "action" and to == node.error != node.ok and workflow.node(to).kind == "kill"):
                into[to].append((node.name, to))
    for node in order:
        if not into[node.name]:
            continue  # a kill that only failures reach: the failed task says it
        ways = [exits[way] for way in into[node.name]]
        _place(workflow, node, ways, into[node.name], bodies, inner, made, exits)


def _place(
    workflow: Workflow,
    node: Node,
    ways: list[Arrival],
    sources: list[tuple[str, str]],
    bodies: Mapping[str, Task],
    inner: Mapping[str, Inner],
    made: Steering,
    exits: dict[tuple[str, str], Arrival],
) -> None:
    if node.kind == "end":
        _end(made, ways, bodies.get(node.name))
        return
    if node.kind == "fork":
        way = ways[0] if len(ways) == 1 else Arrival((_control(made, node.name, ways, node),))
        for to in node.to:
            exits[node.name, to] = way
        return
    if node.kind == "join":
        exits[node.name, node.to[0]] = _join(workflow, node, ways, sources, made)
        return
    if node.name in inner:
        router, last = _place_group(workflow, node, ways, inner[node.name], made)
    else:
        task = bodies[node.name]
        task = replace(task, trigger_rule=_connect(made, task.full_id, ways))
        made.tasks.append(task)
        if node.kind == "decision":
            for to in node.following:
                exits[node.name, to] = Arrival((task.full_id,), (to,))
            return
        if node.kind != "action":
            return
        last = task.full_id
        router = _router(made, workflow, node, (last,), last) if needs_router(workflow, node) else ""
    if not router:
        exits[node.name, node.ok] = Arrival((last,))
        return
    is_same = node.ok == node.error
    exits[node.name, node.ok] = Arrival((router,), ("ok", "error") if is_same else ("ok",))
    if not is_same:
        exits[node.name, node.error] = Arrival((router,), ("error",))


def _place_group(workflow: Workflow, node: Node, ways: list[Arrival], child: Inner, made: Steering) -> tuple[str, str]:
    """Put a workflow in place of an action; give its router, if it needs one, and the task whose success is that of the workflow."""
    part = Steering(
        made.tasks,
        made.edges,
        made.choices,
        made.functions,
        frozenset(child.workflow.nodes),
        made.unmatched,
        child.group,
    )
    first_node = child.workflow.node(child.workflow.start)
    is_routed = needs_router(workflow, node)
    if is_routed and (first_node.kind not in ("action", "decision") or first_node.name in child.inner):
        ways = [Arrival((_control(part, "begin", ways, node),))]
    place = len(made.tasks)
    _walk(child.workflow, child.bodies, part, ways, child.inner)
    first = ways[0].tasks[0] if is_routed and len(ways) == 1 and ways[0].tasks else ""
    if not first.startswith(f"{child.group}."):
        first = part.full(first_node.name)
    if len(part.ends) == 1 and len(part.ends[0].tasks) == 1 and not part.ends[0].is_branching:
        last = part.ends[0].tasks[0]
    else:
        end = next(item for item in child.workflow.order() if item.kind == "end")
        last = _control(part, end.name, part.ends, end)
    if not is_routed:
        return "", last
    before = {edge.before for edge in made.edges}
    leaves = [task.full_id for task in made.tasks[place:] if task.full_id not in before]
    return _router(made, workflow, node, tuple(dict.fromkeys([*leaves, last])), last, first), last


def _end(made: Steering, ways: list[Arrival], task: Task | None) -> None:
    """End the run: nothing more runs, or the task that stands for the end (it makes the assets of the run)."""
    if made.group:
        made.ends += ways
        return
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


def _router(
    made: Steering, workflow: Workflow, node: Node, after: tuple[str, ...], watched: str, begins: str = ""
) -> str:
    """Make the router of an action, or of the workflow that stands in its place (`begins` is its first task)."""
    function = ROUTE_GROUP if begins else ROUTE
    made.functions[function.name] = function
    router = Task(
        router_name(workflow, node.name),
        symbols.BRANCH,
        (),
        trigger_rule="all_done",
        role="control",
        group=made.group,
        watches=watched,
        begins=begins,
        choices=(Choice("ok", ()), Choice("error", ())),
        origin=node.origin,
        comment=f"{node.name} failed: {node.error}; else: {node.ok}",
    )
    made.tasks.append(router)
    made.edges += [Edge(name, router.full_id) for name in after]
    made.choices[router.full_id].setdefault("ok", [])
    made.choices[router.full_id].setdefault("error", [])
    return router.full_id


def _join(
    workflow: Workflow,
    node: Node,
    ways: list[Arrival],
    sources: list[tuple[str, str]],
    made: Steering,
) -> Arrival:
    """Wait for every branch of the fork. A branch that arrives in several ways is brought together first."""
    branches = _branches(workflow, node, [name for name, _ in sources])
    if branches is None:
        made.unmatched.append(node.origin)
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
            parts.append(_control(made, f"{node.name}{suffix}", arrivals, node))
    following = workflow.node(node.to[0])
    if len(parts) > 1 and following.kind == "fork":  # many to many
        arrival = [Arrival(tuple(dict.fromkeys(parts)))]
        return Arrival((_control(made, node.name, arrival, node),))
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
            source = way.tasks[0].rpartition(".")[2] if way.tasks else "start"
            name = _free(made, f"{source}_to_{task.removeprefix(f'{made.group}.')}")
            made.tasks.append(Task(name, symbols.EMPTY, role="control", group=made.group))
            _arrive(made, way, made.full(name))
            made.edges.append(Edge(made.full(name), task))
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
    rule = _connect(made, made.full(name), ways)
    made.tasks.append(
        Task(name, symbols.EMPTY, trigger_rule=rule, role="control", group=made.group, origin=node.origin)
    )
    return made.full(name)


def _free(made: Steering, name: str, own: str = "") -> str:
    taken = {task.task_id for task in made.tasks if task.group == made.group} | (made.nodes - {own})
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
            ways = {"ok": list(chosen["ok"]), "error": list(chosen["error"])}
            watched = (
                {"group": task.begins.rpartition(".")[0], "first": task.begins, "last": task.watches}
                if task.begins
                else {"watched": task.watches}
            )
            function = ROUTE_GROUP if task.begins else ROUTE
            arguments = (("python_callable", Code(function.name)), ("op_kwargs", {**watched, **ways}))
            made.tasks[place] = replace(task, arguments=arguments, choices=choices)
        else:
            made.tasks[place] = replace(task, choices=choices)
