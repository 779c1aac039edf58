"""Gives imported runs a version of their DAG in Airflow 3, so that old runs are not shown with new code.

Used by writer.py, sql_lane.py and history.py. A DAG gets at most one such version: number 1, older than all others, whose
numbers go up by one. It carries the tasks that the source had, and those that only its history knows. Facts were read in
Airflow 3.0.6 and 3.3.2 (models/dag_version.py, serialized_dag.py, dagbag.py): the newest version is the one with the highest
number (3.3) or the last `created_at` (3.0); number 0 would be read as "the newest". Imported runs keep an empty
`bundle_version`, so a scheduler that has to run one again takes the newest code for it; that is also why the version names
the DAG's own bundle.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Connection, func, insert, select, update

from aerodrome.migration.transfer.mapping import stable_uuid7
from aerodrome.migration.transfer.ownership import LEGACY
from aerodrome.migration.transfer.target import TargetDatabase

DAGS_AT_ONCE = 200
_OLDER = timedelta(seconds=1)
_NO_CODE = "# This is how the DAG ran before it was migrated. Its code of that time is not kept here.\n"


@dataclass(frozen=True)
class OldDag:
    """A DAG as the source had it: `tasks` as in `DagRecord`, and the text of its file where it is at hand."""

    tasks: Sequence[Mapping[str, Any]]
    source_code: str | None = None


@dataclass(frozen=True)
class Seen:
    """What history tells of a task."""

    operator: str
    is_mapped: bool


FindOldDag = Callable[[str], OldDag | None]


class LegacyVersions:
    """Finds and makes these versions. Remembers the ids that it gave."""

    def __init__(self, target: TargetDatabase) -> None:
        self._target = target
        self._version = target.table("dag_version")
        self._known: dict[str, str] = {}

    def of(self, connection: Connection, dag_ids: Iterable[str]) -> Mapping[str, str]:
        """Give the version's id (32 hex digits) of each DAG; missing ones are made in the connection's transaction."""
        wanted = sorted(set(dag_ids) - self._known.keys())
        for start in range(0, len(wanted), DAGS_AT_ONCE):
            self._find_or_make(connection, wanted[start : start + DAGS_AT_ONCE])
        return self._known

    def _find_or_make(self, connection: Connection, dag_ids: Sequence[str]) -> None:
        self._find(connection, dag_ids)
        new = [dag_id for dag_id in dag_ids if dag_id not in self._known]
        if not new:
            return
        dag = self._target.table("dag")  # whoever comes second waits here, and finds what the first one made
        connection.execute(select(dag.c.dag_id).where(dag.c.dag_id.in_(new)).order_by(dag.c.dag_id).with_for_update())
        self._find(connection, new)
        if new := [dag_id for dag_id in new if dag_id not in self._known]:
            self._make(connection, new)

    def _find(self, connection: Connection, dag_ids: Sequence[str]) -> None:
        version = self._version
        there = select(version.c.dag_id, version.c.id).where(
            version.c.dag_id.in_(dag_ids), version.c.bundle_version == LEGACY
        )
        self._known |= {row.dag_id: _hex(row.id) for row in connection.execute(there)}

    def _make(self, connection: Connection, new: Sequence[str]) -> None:
        version = self._version
        oldest = func.min(version.c.created_at)
        query = select(version.c.dag_id, oldest.label("oldest"), func.max(version.c.bundle_name).label("bundle"))
        standing = {
            row.dag_id: (_aware(row.oldest), row.bundle)
            for row in connection.execute(query.where(version.c.dag_id.in_(new)).group_by(version.c.dag_id))
        }
        # In two steps: the numbers of a DAG are unique at every moment.
        mine = version.c.dag_id.in_(new)
        number = version.c.version_number
        connection.execute(update(version).where(mine).values(version_number=-1 - number))
        connection.execute(update(version).where(mine).values(version_number=-number))
        rows = []
        for dag_id in new:
            oldest_at, bundle = standing.get(dag_id, (datetime.now(UTC), None))
            moment = oldest_at - _OLDER
            self._known[dag_id] = stable_uuid7((LEGACY, dag_id), None)  # older than any
            rows.append(
                {
                    "id": _stored_id(self._version, self._known[dag_id]),
                    "version_number": 1,
                    "dag_id": dag_id,
                    "bundle_name": bundle,
                    "bundle_version": LEGACY,
                    "created_at": _stored(self._target, moment),
                    "last_updated": _stored(self._target, moment),
                }
            )
        connection.execute(insert(version), rows)


def describe(target: TargetDatabase, dag_ids: Sequence[str], find: FindOldDag | None = None) -> int:
    """Write what the versions of these DAGs consist of, where that is not written yet; give how many were.

    The tasks are those of the source (`find`) and those that stand in imported history only.
    """
    described = 0
    for start in range(0, len(dag_ids), DAGS_AT_ONCE):
        page = dag_ids[start : start + DAGS_AT_ONCE]
        with target.reading() as connection:
            bare = _bare(target, connection, page)
            if not bare:
                continue
            seen = _seen(target, connection, bare)
            newest = _newest(target, connection, bare)
        codes, forms = [], []
        for dag_id, (version_id, moment) in bare.items():
            if dag_id not in newest:
                continue
            template, place = newest[dag_id]
            old = find(dag_id) if find is not None else None
            common = {"dag_id": dag_id, "created_at": moment, "last_updated": moment, "dag_version_id": version_id}
            data = serialized(template, old.tasks if old else (), seen.get(dag_id, {}))
            text = json.dumps(data, sort_keys=True)
            code = (old.source_code if old else None) or _NO_CODE
            forms.append(common | {"data": data, "dag_hash": _md5(text)})
            codes.append(common | {"fileloc": place, "source_code": code, "source_code_hash": _md5(code)})
        with target.writing() as connection:
            _insert(target, connection, "serialized_dag", forms)
            _insert(target, connection, "dag_code", codes)
        described += len(forms)
    return described


def serialized(
    template: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], seen: Mapping[str, Seen]
) -> dict[str, Any]:
    """Give the serialized form of a DAG with other tasks, from the form that the target's own Airflow wrote.

    `seen` are tasks of history, by id. They stand without connections, for history has none.
    """
    data = deepcopy(dict(template))
    dag = data["dag"]
    known = {str(task["task_id"]): task for task in tasks}
    for task_id, old in seen.items():
        known.setdefault(task_id, {"task_id": task_id, "operator": old.operator, "is_mapped": old.is_mapped})
    names = sorted(known)
    dag["tasks"] = [{"__type": "operator", "__var": _task(known[name], known.keys())} for name in names]
    root = dag.get("task_group") or {}
    empty = ("upstream_group_ids", "downstream_group_ids", "upstream_task_ids", "downstream_task_ids")
    dag["task_group"] = {
        **root,
        "children": {task_id: ["operator", task_id] for task_id in names},
        **{name: [] for name in empty if name in root},
    }
    dag["edge_info"], dag["dag_dependencies"] = {}, []
    dag.pop("deadline", None)
    return data


def _task(task: Mapping[str, Any], others: Collection[str]) -> dict[str, Any]:
    """Give one task as Airflow serializes it: what a page shows, nothing that could run."""
    mapped = {
        "_is_mapped": True,
        "_needs_expansion": True,
        "_disallow_kwargs_override": False,
        "_expand_input_attr": "expand_input",
        "expand_input": {"type": "dict-of-lists", "value": {"__type": "dict", "__var": {}}},
        "partial_kwargs": {},
    }
    return {
        "task_id": str(task["task_id"]),
        "task_type": str(task.get("operator") or "BaseOperator"),
        "_task_module": str(task.get("module") or "airflow.models.baseoperator"),
        "downstream_task_ids": sorted({str(item) for item in task.get("downstream") or ()} & set(others)),
        "template_fields": [],
        "template_ext": [],
        "template_fields_renderers": {},
        "ui_color": "#fff",
        "ui_fgcolor": "#000",
        **(mapped if task.get("is_mapped") else {}),
    }


def _bare(target: TargetDatabase, connection: Connection, dag_ids: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Give id and moment of the versions of these DAGs that have no serialized form yet."""
    version, form = target.table("dag_version"), target.table("serialized_dag")
    query = (
        select(version.c.dag_id, version.c.id, version.c.created_at)
        .select_from(version.outerjoin(form, form.c.dag_version_id == version.c.id))
        .where(version.c.dag_id.in_(dag_ids), version.c.bundle_version == LEGACY, form.c.id.is_(None))
    )
    return {row.dag_id: (row.id, row.created_at) for row in connection.execute(query)}


def _seen(target: TargetDatabase, connection: Connection, dag_ids: Iterable[str]) -> dict[str, dict[str, Seen]]:
    """Give the tasks of imported history with their operators. The index of the table gives the ids, one row the operator."""
    task = target.table("task_instance")
    ids = select(task.c.dag_id, task.c.task_id).where(task.c.dag_id.in_(list(dag_ids))).distinct().subquery()
    one = task.alias()
    operator, place = (
        select(column)
        .where(one.c.dag_id == ids.c.dag_id, one.c.task_id == ids.c.task_id)
        .limit(1)
        .correlate(ids)
        .scalar_subquery()
        for column in (one.c.operator, one.c.map_index)
    )
    query = select(ids.c.dag_id, ids.c.task_id, operator, place)
    found: dict[str, dict[str, Seen]] = {}
    for dag_id, task_id, name, map_index in connection.execute(query):
        found.setdefault(dag_id, {})[task_id] = Seen(name or "", map_index is not None and map_index >= 0)
    return found


def _newest(
    target: TargetDatabase, connection: Connection, dag_ids: Iterable[str]
) -> dict[str, tuple[dict[str, Any], str]]:
    """Give the serialized form that the target wrote last of each DAG, and where its file lies."""
    version, form, dag = (target.table(name) for name in ("dag_version", "serialized_dag", "dag"))
    query = (
        select(form.c.dag_id, form.c.data, form.c.data_compressed, dag.c.fileloc)
        .select_from(form.join(version, form.c.dag_version_id == version.c.id).join(dag, dag.c.dag_id == form.c.dag_id))
        .where(form.c.dag_id.in_(list(dag_ids)))
        .order_by(version.c.version_number)
    )
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for row in connection.execute(query):
        data = json.loads(zlib.decompress(row.data_compressed)) if row.data_compressed else row.data
        data = json.loads(data) if isinstance(data, str) else data
        if isinstance(data, dict) and isinstance(data.get("dag"), dict):
            found[row.dag_id] = data, row.fileloc or ""
    return found


def _insert(target: TargetDatabase, connection: Connection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    table = target.table(name)
    if not rows:
        return
    is_json = name == "serialized_dag" and isinstance(table.c.data.type, JSON)
    values = []
    for row in rows:
        made = dict(row)
        made["id"] = _stored_id(table, stable_uuid7((LEGACY, name, row["dag_id"]), None))
        if "data" in made and not is_json:
            made["data"] = json.dumps(made["data"])
        values.append(made)
    connection.execute(insert(table), values)


def _stored_id(table: Any, digits: str) -> Any:
    """Give an id as the column takes it: UUID in PostgreSQL, 32 hex digits in SQLite."""
    return UUID(digits) if table.c.id.type.__class__.__name__ == "UUID" else digits


def _hex(stored: Any) -> str:
    return str(stored).replace("-", "")


def _md5(text: str) -> str:
    return md5(text.encode(errors="backslashreplace"), usedforsecurity=False).hexdigest()


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _stored(target: TargetDatabase, moment: datetime) -> datetime:
    return moment.replace(tzinfo=None) if target.dialect == "sqlite" else moment
