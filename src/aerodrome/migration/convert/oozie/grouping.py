"""Sub-workflows that a team would write as a task group: used once, local, and known when they are converted.

What such a workflow is given by its parent is no param of the DAG: it is put in where it is used. Everything else is triggered (`subworkflows`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aerodrome.migration.convert.oozie.app_paths import is_own_path, known_path, own_place
from aerodrome.migration.convert.oozie.body import Body
from aerodrome.migration.convert.oozie.estate import Application
from aerodrome.migration.convert.oozie.functions import APP_PATH
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Words
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration
from aerodrome.migration.convert.oozie.subworkflows import Children, names_in, opened
from aerodrome.migration.convert.xmlreading import Element

_PLAIN: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_OF_THE_JOB: Final = re.compile(
    r"wf:(id|run|actionExternalId|actionTrackerUri|callback|transition)\s*\("
)  # each job has its own


def child_body(children: Children, body: Body, words: Words, node: Node) -> Body | None:
    """Give the workflow that stands as a group in place of an action; None when the action triggers it."""
    if body.profile.sub_workflows != "group" or node.body is None or node.body.name != "sub-workflow":
        return None
    if node.name in body.names_above:
        return None  # Airflow 2.11 takes the id of a group in a group for that of an outer one
    folder = body.workflow.file.rpartition("/")[0]
    path = node.body.value("app-path")
    item = None if children.is_assumed(body, path, folder) else children.find(body, path, folder)
    if item is None or item.workflow is None or _uses(children)[item.file] != 1 or not _is_local(children, body, item):
        return None
    own = configuration(node.body.first("configuration"))
    is_propagating = node.body.first("propagate-configuration") is not None
    if not _is_plain(item.workflow, node) or not _is_told_apart(
        children, body, item, own, is_propagating=is_propagating
    ):
        return None
    scope = _scope(children, body, item, {**own, APP_PATH: node.body.value("app-path")}, words, is_propagating)
    return Body(
        item.workflow,
        scope,
        scope.text(item.workflow.name) or item.workflow.name,
        body.profile,
        lambda file: children.estate.read_configuration(item.folder, file),
        body.start_child,
        body.find_child,
        body.task_id(node.name),
        names_above=body.names_above | frozenset(body.workflow.nodes),
        used_above=children.used_by(body) if is_propagating else (),
        handed_down=body.common() if is_propagating else ({}, ()),
        is_given=body.is_given and is_propagating,
        coordinator_name=body.coordinator_name,
        zone=body.zone,
        ending=body.ending,
        defaults=children.estate.hadoop_defaults(item),
        events=body.events,
        needs=body.needs,
        caveats_of_action=opened(body, path, children.known(body, path), item),
    )


def _scope(
    children: Children, body: Body, item: Application, own: dict[str, str], words: Words, is_propagating: bool
) -> Scope:
    """Give what the child knows: what the parent gives it, all that the parent knows or only for those values, its own defaults."""
    given = Layer("sub-workflow configuration", own, is_outward=True, is_fixed=True, words=words)
    around = [
        replace(
            layer,
            is_default=False,
            hidden=layer.hidden + 1 if layer.hidden else int(not is_propagating),
            world=(layer.world or 0) + 1 if layer.is_late else None,
        )
        for layer in body.scope.layers
    ]
    defaults = [replace(layer, is_fixed=not is_propagating) for layer in children.estate.defaults(item)]
    return Scope((given, *around, *defaults))


def _uses(children: Children) -> Counter[str]:
    """Count what runs each workflow: actions of workflows, and coordinators."""
    if children.uses is None:
        children.uses = Counter()
        for item, scope in children.scopes():
            for path in _paths(item):
                own = own_place(scope) if item.kind == "workflow" else ""
                known = path if is_own_path(path) else known_path(scope, path)
                found = children.named(item.file, known, item.folder, own)
                if found is not None:
                    children.uses[found.file] += 1
    return children.uses


def _paths(item: Application) -> Iterator[str]:
    if item.workflow is not None:
        for node in item.workflow.nodes.values():
            if (
                node.body is not None
                and node.body.name == "sub-workflow"
                and node.name not in item.workflow.unreachable
            ):
                yield node.body.value("app-path")
    elif (action := (item.root.first("action") or item.root).first("workflow")) is not None:
        yield action.value("app-path")


def _is_local(children: Children, body: Body, item: Application) -> bool:
    """Tell whether it belongs to its parent: nobody submits it by itself, and it does not lead back."""
    return not children.estate.properties_beside(item) and body.workflow.file not in {
        item.file,
        *children.reached_from(item),
    }


def _is_plain(workflow: Workflow, node: Node) -> bool:
    """Tell whether its run is that of its parent: it can be accepted, ends, and nothing in it is that of a job of its own."""
    if workflow.defects or workflow.root.first("info") is not None or node.element.first("info") is not None:
        return False
    if node.element.get("retry-max", "0") != "0" or node.element.get("cred"):
        return False
    order = workflow.order()
    if workflow.node(workflow.start).kind not in ("action", "decision", "fork") or not any(
        item.kind == "end" for item in order
    ):
        return False
    if not all(_PLAIN.fullmatch(name) for name in (node.name, *workflow.nodes)):
        return False
    return not any(_OF_THE_JOB.search(text) for text in _texts(workflow.root))


def _is_told_apart(
    children: Children, body: Body, item: Application, own: dict[str, str], *, is_propagating: bool
) -> bool:
    """Tell whether every name that it uses has one meaning in the DAG."""
    defaults = {name: value for layer in children.estate.defaults(item) for name, value in layer.values.items()}
    used = {name for text in _texts(item.root) for name in names_in(text)}
    if not is_propagating:
        if any(layer.hidden for layer in body.scope.layers) or any("conf(" in text for text in _texts(item.root)):
            return False
        return used <= {APP_PATH, *own, *defaults}
    parent = " ".join(text for text in _texts(body.workflow.root) if "${" in text)
    for name, value in defaults.items():
        if name in own or body.scope.find(name) is not None:
            continue
        if body.needs.parameters.get(name, value) != value or re.search(
            rf"(?<![\w.]){re.escape(name)}(?![\w.])", parent
        ):
            return False  # the parent means something that has no value
    return True


def _texts(root: Element) -> Iterator[str]:
    for element in root.walk():
        yield element.text
        yield from element.attributes.values()
