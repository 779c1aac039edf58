"""The workflow that a coordinator runs: found among the files, or one that stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Final

from aerodrome.migration.convert.oozie.app_paths import is_open, lies_elsewhere, names_of
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.plan import Plan
from aerodrome.migration.convert.xmlreading import Element

OWN_PATH: Final = "oozie.coord.application.path"


def find_workflow(estate: Estate, plan: Plan, path: str, folder: str) -> Application | None:
    known = plan.scope.partly(path)
    found, is_assumed = estate.search("workflow", known, folder)
    own = plan.scope.partly(f"${{{OWN_PATH}}}")
    if found is not None and not is_assumed and lies_elsewhere(own, folder, known, found.folder):
        is_assumed = True
        found = found if names_of(known)[-2:] == names_of(found.folder)[-2:] else None
    if found is not None and not is_assumed:
        if is_open(known) and not f"{found.folder}/".startswith(f"{folder}/".removeprefix("./")):
            reason = f"{path} has values that only the run knows: {found.file} is taken, to which its end leads"
            plan.note("app-path", "caveat", "app-path-open", reason)
        return found
    if (placed := _by_own_path(estate, plan, known)) is not None:
        reason = f"{known} leads to no file: {placed.file} is taken, which lies to this file as that path to the coordinator's own"
        plan.note("app-path", "caveat", "app-path-assumed", reason)
        return placed
    beside = [item for item in estate.of_kind("workflow") if item.folder == folder]
    is_unknown = "$" in known.rpartition("/")[2]
    alone = sum(item.folder == folder for item in estate.of_kind("coordinator")) == 1
    if len(beside) == 1 and (is_unknown or is_assumed or (alone and _is_named(known, beside[0]))):
        reason = f"{known} leads to no file: the workflow beside the coordinator is taken"
        found = beside[0]
    elif found is not None:
        reason = f"{known} leads to no file: {found.file} is taken, whose folder is called so"
    elif named := [item for item in beside if _is_file(known, item)]:
        found = named[0]
        reason = f"{known} leads to no file: {found.file} is taken, which lies beside the coordinator and is called so"
    else:
        return None
    plan.note("app-path", "caveat", "app-path-assumed", reason)
    return found


def _by_own_path(estate: Estate, plan: Plan, path: str) -> Application | None:
    """Find a workflow by where its path lies to that of the coordinator, which ends as the coordinator's own file does."""
    own = plan.scope.partly(f"${{{OWN_PATH}}}").rstrip("/").split("/")
    here = PurePosixPath(plan.item.file if own[-1].endswith(".xml") else plan.item.folder).parts
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(own[::-1], here[::-1], strict=False)))
    above = own[: len(own) - tail]
    wanted = path.rstrip("/").split("/")
    if not tail or not above or wanted[: len(above)] != above:
        return None
    place = PurePosixPath(*here[: len(here) - tail], *wanted[len(above) :])
    found = estate.applications.get(str(place)) or estate.applications.get(str(place / "workflow.xml"))
    return found if found is not None and found.kind == "workflow" else None


def _is_file(path: str, workflow: Application) -> bool:
    """Tell whether a path ends with the name of a workflow's file, which is not the name that all have."""
    last = path.rpartition("/")[2]
    return last == workflow.file.rpartition("/")[2] != "workflow.xml"


def _is_named(path: str, workflow: Application) -> bool:
    """Tell whether a path whose folder is not here may name a workflow: by the name of its file, or as the folder that holds it."""
    last = path.rstrip("/").rpartition("/")[2]
    return not last.endswith(".xml") or last == workflow.file.rpartition("/")[2]


def stand_in(item: Application, name: str, path: str, own: Mapping[str, str]) -> Workflow:
    """Give a workflow that only runs the one that is not there."""
    line = item.root.line
    settings = Element("configuration", {}, line)
    for key, value in own.items():
        settings.children.append(
            Element(
                "property",
                {},
                line,
                children=[Element("name", {}, line, text=key), Element("value", {}, line, text=value)],
            )
        )
    child = Element(
        "sub-workflow",
        {},
        line,
        children=[Element("app-path", {}, line, text=path), Element("propagate-configuration", {}, line), settings],
    )
    action = Element(
        "action",
        {"name": "workflow"},
        line,
        children=[child, Element("ok", {"to": "end"}, line), Element("error", {"to": "kill"}, line)],
    )
    nodes = [
        Element("start", {"to": "workflow"}, line),
        action,
        Element("kill", {"name": "kill"}, line),
        Element("end", {"name": "end"}, line),
    ]
    return read_workflow(Element("workflow-app", {"name": name}, line, children=nodes), item.file)
