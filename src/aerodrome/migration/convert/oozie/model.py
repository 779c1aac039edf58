"""A workflow as it is written: its nodes and transitions, read from XML of any schema version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from aerodrome.migration.convert.contract import Origin
from aerodrome.migration.convert.oozie.properties import incomplete
from aerodrome.migration.convert.xmlreading import Element

NAMES = {"start", "end", "kill", "fork", "join", "decision", "action"}
IGNORED = {"ok", "error", "info"}
_ONCE = {
    "job-tracker", "name-node", "resource-manager", "prepare", "configuration", "script", "query", "jdbc-url", "password", "master", "mode", "name", "class",
    "jar", "spark-opts", "main-class", "java-opts", "exec", "command", "host", "capture-output", "streaming", "pipes", "app-path", "propagate-configuration",
}  # fmt: skip
_ANY = {"fs", "email"}  # their elements are operations, or are looked at where they are made


@dataclass(frozen=True)
class Case:
    to: str
    predicate: str  # as written; "" is the default


@dataclass(frozen=True)
class Node:
    """One node. Transitions by kind: start, fork, join: `to`; decision: `cases`; action: `ok` and `error`."""

    kind: str  # action decision fork join kill end start
    name: str
    element: Element
    origin: Origin
    to: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    ok: str = ""
    error: str = ""
    body: Element | None = None  # of an action: <spark>, <shell> …
    message: str = ""  # of a kill

    @property
    def following(self) -> tuple[str, ...]:
        """Name every node that may come next, each once."""
        return tuple(
            dict.fromkeys(name for name in (*self.to, *(case.to for case in self.cases), self.ok, self.error) if name)
        )


@dataclass(frozen=True)
class Workflow:
    name: str  # as written, may hold EL
    file: str
    root: Element
    nodes: dict[str, Node]
    start: str
    defects: tuple[str, ...] = ()  # why Oozie would refuse it
    unreachable: tuple[str, ...] = field(default=())

    def node(self, name: str) -> Node:
        return self.nodes[name]

    def reached_without_error(self) -> frozenset[str]:
        """Name the nodes that a run may come to with no action that failed before."""
        found: set[str] = set()
        left = [self.start]
        while left:
            node = self.nodes[left.pop()]
            if node.name not in found:
                found.add(node.name)
                left += [node.ok] if node.kind == "action" else node.following
        return frozenset(found)

    def order(self) -> list[Node]:
        """Give the reachable nodes so that each comes after those that lead to it; only for a workflow without defects."""
        done: set[str] = set()
        found: list[Node] = []
        stack: list[tuple[str, Iterator[str]]] = [(self.start, iter(self.nodes[self.start].following))]
        done.add(self.start)
        while stack:
            name, rest = stack[-1]
            child = next((item for item in rest if item not in done), None)
            if child is None:
                stack.pop()
                found.append(self.nodes[name])
            else:
                done.add(child)
                stack.append((child, iter(reversed(self.nodes[child].following))))
        return found[::-1]


def read_workflow(root: Element, file: str) -> Workflow:
    """Read <workflow-app>; what Oozie would refuse becomes `defects`, never an exception."""
    nodes: dict[str, Node] = {}
    defects: list[str] = []
    start = ""
    for element in root.children:
        if element.name not in NAMES:
            continue
        node = _node(element, file)
        if node.kind == "start":
            start = node.to[0]
            continue
        if node.name in nodes:
            defects.append(f"two nodes are called {node.name!r}")
        nodes[node.name] = node
    if not start:
        defects.append("it has no start")
    for node in nodes.values():
        defects += [f"{node.name!r} goes to {to!r}, which does not exist" for to in node.following if to not in nodes]
        if node.kind == "action" and node.body is None:
            defects.append(f"the action {node.name!r} is empty")
        if node.kind == "action" and not (node.ok and node.error):
            defects.append(f"the action {node.name!r} lacks its ok or error transition")
        if twice := _twice(node.body):
            defects.append(f"<{twice}> stands more than once in the action {node.name!r}")
        if not node.name:
            defects.append(f"a {node.kind} has no name")
        if "" in node.to or any(not case.to for case in node.cases):
            defects.append(f"a way of {node.name!r} leads nowhere")
        if node.kind in ("fork", "join", "decision") and not node.following:
            defects.append(f"{node.name!r} leads nowhere")
    if start and start not in nodes:
        defects.append(f"the start goes to {start!r}, which does not exist")
    if not any(node.kind == "end" for node in nodes.values()):
        defects.append("it has no end")
    if lacking := incomplete(root):
        defects.append(lacking)
    reached = _reached(nodes, start) if start in nodes else set()
    if not defects and (loop := _cycle(nodes, start)):
        defects.append(f"{loop!r} leads back to itself")
    unreachable = tuple(name for name in nodes if name not in reached)
    return Workflow(root.get("name"), file, root, nodes, start, tuple(defects), unreachable)


def _twice(body: Element | None) -> str:
    """Name an element that an action has twice and that the schemas of Oozie (its xsd files of actions) allow once, or nothing."""
    names = [child.name for child in body.children] if body is not None and body.name not in _ANY else []
    return next((name for name in names if name in _ONCE and names.count(name) > 1), "")


def _node(element: Element, file: str) -> Node:
    name = element.get("name")
    origin = Origin(file, f"{element.name}[@name='{name}']" if name else element.name, element.line)
    match element.name:
        case "fork":
            return Node("fork", name, element, origin, to=tuple(item.get("start") for item in element.every("path")))
        case "decision":
            switch = element.first("switch") or element
            cases = [Case(item.get("to"), item.text.strip()) for item in switch.every("case")]
            default = switch.first("default")
            cases += [Case(default.get("to"), "")] if default is not None else []
            return Node("decision", name, element, origin, cases=tuple(cases))
        case "action":
            body = next((child for child in element.children if child.name not in IGNORED), None)
            ok, error = element.first("ok"), element.first("error")
            targets = [item.get("to") if item is not None else "" for item in (ok, error)]
            return Node("action", name, element, origin, ok=targets[0], error=targets[1], body=body)
        case "kill":
            return Node("kill", name, element, origin, message=element.value("message"))
        case _:
            to = element.get("to")
            return Node(element.name, name, element, origin, to=(to,) if to or element.name == "start" else ())


def _reached(nodes: dict[str, Node], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for name in nodes[waiting.pop()].following:
            if name in nodes and name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _cycle(nodes: dict[str, Node], start: str) -> str:
    """Name a node that leads back to itself, or nothing."""
    open_now: set[str] = {start}
    done: set[str] = set()
    stack: list[tuple[str, Iterator[str]]] = [(start, iter(nodes[start].following))]
    while stack:
        name, rest = stack[-1]
        child = next(rest, None)
        if child is None:
            stack.pop()
            open_now.discard(name)
            done.add(name)
        elif child in open_now:
            return child
        elif child not in done:
            open_now.add(child)
            stack.append((child, iter(nodes[child].following)))
    return ""
