"""Reads every Oozie definition below a path into a conversion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from aerodrome.migration.convert.contract import Account, Conversion, Dag, ExtraFile, Origin, Question, Schedule
from aerodrome.migration.convert.oozie.body import Body
from aerodrome.migration.convert.oozie.building import LOOKED_UP, make_dag
from aerodrome.migration.convert.oozie.bundles import bundle_dags
from aerodrome.migration.convert.oozie.coordinators import coordinator_dag
from aerodrome.migration.convert.oozie.estate import Application, Estate, read_estate
from aerodrome.migration.convert.oozie.grouping import child_body
from aerodrome.migration.convert.oozie.profiles import read_profile
from aerodrome.migration.convert.oozie.properties import Scope
from aerodrome.migration.convert.oozie.subworkflows import Children

_INSIDE = Path(__file__).parent / "inside"


def read(path: Path, profile: Mapping[str, Any]) -> Conversion:
    """Read definitions. Files that cannot be read are rejected; everything else becomes DAGs.

    A workflow that only coordinators run has no DAG of its own; a coordinator of a bundle has the values of the bundle.
    """
    estate = read_estate(path, read_profile(profile))
    ids = name_dags(estate)
    children = Children(estate, ids)
    dags: list[Dag] = []
    questions: list[Question] = []
    taken: set[str] = {ids[item.file].lower() for item in estate.of_kind("workflow")}
    bundled: set[str] = set()
    for item in estate.of_kind("bundle"):
        made, asked, used = bundle_dags(estate, children, item, taken)
        dags += made
        questions += asked
        bundled |= used
    for item in estate.of_kind("coordinator"):
        if item.file not in bundled:
            dag, answers = coordinator_dag(estate, children, item, ids[item.file])
            dags.append(dag)
            questions += answers
    scheduled = {account.origin.file for dag in dags for account in dag.accounts if account.element == "start"}
    for item in estate.of_kind("workflow"):
        if item.file not in scheduled or item.file in children.triggered:
            dags.append(workflow_dag(estate, children, item))
    for item in estate.of_kind("workflow"):  # a workflow that another one triggers, found late
        if item.file in children.triggered and not any(dag.dag_id == ids[item.file] for dag in dags):
            dags.append(workflow_dag(estate, children, item))
    grouped = {group.origin.file for dag in dags for group in dag.groups if group.origin is not None}
    dags = [dag for dag in dags if dag.origin.file not in grouped - children.triggered]
    dags = [
        replace(dag, is_paused=False) if dag.dag_id in {ids[file] for file in children.triggered} else dag
        for dag in dags
    ]
    questions += [question for dag in dags for question in questions_of(dag)]
    return Conversion(
        "oozie",
        tuple(dags),
        definitions=len(estate.applications) + len(estate.rejected),
        files=extra_files(dags),
        connections=estate.profile.connections(),
        rejected=tuple(estate.rejected),
        others=tuple(estate.others),
        questions=tuple(questions),
    )


def extra_files(dags: list[Dag]) -> tuple[ExtraFile, ...]:
    """Give the plugins that DAGs use: the arithmetic of instances, the timetable."""
    if not any(dag.schedule.expression is not None for dag in dags):
        return ()
    return tuple(
        ExtraFile(f"plugins/{name}", (_INSIDE / name).read_text(encoding="utf-8"))
        for name in ("oozie_cron.py", "oozie_instances.py", "oozie_timetable.py")
    )


def name_dags(estate: Estate) -> dict[str, str]:
    """Name the DAG of every definition: its own name, with its folder when several have that name or it is not known."""
    wanted: dict[str, str] = {}
    is_placed: set[str] = set()  # files whose DAGs are called as their folders are
    for file, item in estate.applications.items():
        scope = scope_of(estate, item)
        name = scope.text(item.root.get("name"))
        plain = clean(name) if name else clean(re.sub(r"\$\{[^}]*\}", "", item.root.get("name")))
        if not plain or name is None:
            plain = clean(f"{item.folder}/{plain}".strip("./")) or "dag"
            is_placed.add(file)
        wanted[file] = estate.profile.dag_id_prefix + plain
    counts = Counter(name.lower() for name in wanted.values())
    taken: set[str] = set()
    for file, name in wanted.items():
        item = estate.applications[file]
        if counts[name.lower()] > 1 and file not in is_placed:
            name = clean(f"{item.folder}/{name}".strip("./").replace("/", "."))  # noqa: PLW2901
        stem = PurePosixPath(file).stem
        number, free = 1, name if name.lower() not in taken else f"{name}.{stem if stem != item.kind else item.kind}"
        while free.lower() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.lower())
        wanted[file] = free
    return wanted


def clean(text: str) -> str:
    """Give a text as a dag_id: letters, digits, dash, dot, underscore; at most 200."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")[-200:]


def scope_of(estate: Estate, item: Application) -> Scope:
    """Give where the values of a definition come from when it is submitted by itself."""
    return Scope().with_layers(*estate.job(item), *estate.defaults(item))


def workflow_dag(estate: Estate, children: Children, item: Application) -> Dag:
    """Make the DAG of a workflow that people or other DAGs start."""
    assert item.workflow is not None  # noqa: S101
    scope = scope_of(estate, item)
    name = scope.text(item.root.get("name")) or children.dag_ids[item.file]
    body = Body(
        item.workflow,
        scope,
        name,
        estate.profile,
        lambda file: estate.read_configuration(item.folder, file),
        children.start,
        partial(child_body, children),
        ending=estate.profile.ending or "Z",
        defaults=estate.hadoop_defaults(item),
    )
    if reason := estate.properties_assumed(item):
        origin = Origin(item.file, "workflow-app", item.root.line)
        body.accounts.append(
            Account("workflow/properties", "caveat", origin, "properties-assumed", reason, body.app_name)
        )
    return make_dag(
        body, children.dag_ids[item.file], schedule=Schedule(), origin=Origin(item.file, "workflow-app", item.root.line)
    )


def questions_of(dag: Dag) -> list[Question]:
    """Ask for the values that nobody gave."""
    names = [
        item.name
        for item in dag.parameters
        if (item.default is None and not item.is_computed) or item.description == LOOKED_UP
    ]
    if not names:
        return []
    text = f"{dag.dag_id} needs values that no file gives: {', '.join(names)}."
    return [Question("unknown-values", text, dag.origin, dag.dag_id)]
