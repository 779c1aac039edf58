"""Reads an edited plan file into checked, complete settings. Every error names its line and field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from aerodrome.kernel.errors import Conflict
from aerodrome.migration.plan import document as documents
from aerodrome.migration.plan import fields
from aerodrome.migration.plan.code_choices import read_code
from aerodrome.migration.plan.document import Document, Path
from aerodrome.migration.plan.inventory import Inventory

TOP = (
    "version", "estate", "target", "policies", "lanes", "history", "secrets", "objects", "waves", "code", "excluded", "dags",
)  # fmt: skip


def from_yaml(text: str, estate: Inventory) -> dict[str, Any]:
    """Give the settings of a plan file: defaults filled in, durations in seconds, lists as written.

    Invalid (line and field in the sentence and in `details`) for anything that cannot be meant; Conflict `plan-stale`
    when the file was written for another estate.
    """
    document = documents.parse(text)
    data = _mapping(document, document.data, ())
    _known(document, data, (), TOP)
    if data.get("version", fields.VERSION) != fields.VERSION:
        raise document.wrong(("version",), f"this version of Aerodrome reads plans of version {fields.VERSION}.")
    if data.get("estate") != estate.digest:
        raise stale(str(data.get("estate")), estate.digest)
    settings: dict[str, Any] = {"version": fields.VERSION, "estate": estate.digest}
    for section, table in fields.SECTIONS.items():
        settings[section] = _section(document, data.get(section), (section,), table)
    settings["objects"] = _objects(document, data.get("objects"), estate)
    dag_ids = {dag.dag_id for dag in estate.records("dag")}
    settings |= _waves(document, data, dag_ids)
    if code := read_code(document, data.get("code")):
        settings["code"] = code
    settings["dags"] = _policies(document, data.get("dags"), dag_ids, set(settings["excluded"]))
    return settings


def stale(planned: str, found: str) -> Conflict:
    """Make the error for a plan of another estate."""
    return Conflict(
        "The source has changed since this plan was made.",
        code="plan-stale",
        hint="Run `aerodrome migrate assess NAME` again: it scans the source afresh and proposes a new plan.",
        details={"planned_estate": planned, "present_estate": found},
    )


def _mapping(document: Document, value: Any, path: Path) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise document.wrong(path, "must hold fields, one per line.")
    return value


def _listing(document: Document, value: Any, path: Path) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise document.wrong(path, "must be a list.")
    return value


def _known(document: Document, data: Mapping[str, Any], path: Path, allowed: Collection[str]) -> None:
    for key in data:
        if key not in allowed:
            raise document.wrong(
                (*path, key), f"there is no field {key}.{_suggest(key, allowed)}", code="plan-unknown-field"
            )


def _suggest(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def _section(
    document: Document, value: Any, path: Path, table: Mapping[str, fields.Field], *, fill: bool = True
) -> dict[str, Any]:
    data = _mapping(document, value, path)
    _known(document, data, path, table)
    read: dict[str, Any] = {}
    for key, field in table.items():
        if key in data:
            try:
                read[key] = field.read(data[key])
            except fields.Wrong as wrong:
                raise document.wrong((*path, key), f"must be {wrong}, not {_shown(data[key])}.") from None
        elif fill:
            read[key] = dict(field.default) if isinstance(field.default, dict) else field.default
    return read


def _shown(value: Any) -> str:
    text = "empty" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _names(document: Document, value: Any, path: Path, known: Collection[str], word: str) -> list[str]:
    """Read a list of known names, each once."""
    names: list[str] = []
    for index, item in enumerate(_listing(document, value, path)):
        if not isinstance(item, str):
            raise document.wrong((*path, index), f"must be the name of a {word}; put {_shown(item)} in quotes.")
        if item not in known:
            raise document.wrong(
                (*path, index),
                f"the source has no {word} {item}.{_suggest(item, known)}",
                code=f"plan-unknown-{word.replace(' ', '-').lower()}",
            )
        if item in names:
            raise document.wrong((*path, index), f"{item} stands twice.")
        names.append(item)
    return names


def _objects(document: Document, value: Any, estate: Inventory) -> dict[str, Any]:
    path: Path = ("objects",)
    data = _mapping(document, value, path)
    _known(document, data, path, fields.OBJECT_KINDS)
    chosen: dict[str, Any] = {}
    for section, kind in fields.OBJECT_KINDS.items():
        at = (*path, section)
        entry = _mapping(document, data.get(section), at)
        _known(document, entry, at, ("include", "exclude"))
        known = {record.key for record in estate.records(kind)}
        word = kind.replace("env_var", "environment variable")
        include = entry.get("include", "all")
        if isinstance(include, str) and include != "all":
            raise document.wrong((*at, "include"), "must be all or a list of names.")
        chosen[section] = {
            "include": "all" if include == "all" else _names(document, include, (*at, "include"), known, word),
            "exclude": _names(document, entry.get("exclude"), (*at, "exclude"), known, word),
        }
    return chosen


def _waves(document: Document, data: Mapping[str, Any], dag_ids: Collection[str]) -> dict[str, Any]:
    waves: list[dict[str, Any]] = []
    place: dict[str, str] = {}
    for index, item in enumerate(_listing(document, data.get("waves"), ("waves",))):
        path: Path = ("waves", index)
        wave = _mapping(document, item, path)
        _known(document, wave, path, ("name", "criticality", *fields.WAVE, "dags"))
        try:
            name = fields.name(wave.get("name"))
        except fields.Wrong as wrong:
            raise document.wrong((*path, "name"), f"must be {wrong}.") from None
        if any(name == other["name"] for other in waves):
            raise document.wrong((*path, "name"), f"two waves are called {name}.")
        criticality = wave.get("criticality", "medium")
        if criticality not in fields.CRITICALITIES:
            raise document.wrong((*path, "criticality"), f"must be one of {', '.join(fields.CRITICALITIES)}.")
        members = _names(document, wave.get("dags"), (*path, "dags"), dag_ids, "DAG")
        for position, dag_id in enumerate(members):
            if dag_id in place:
                raise document.wrong(
                    (*path, "dags", position), f"{dag_id} is in {place[dag_id]} already.", code="plan-dag-twice"
                )
            place[dag_id] = f"wave {name}"
        own = _section(document, {key: wave[key] for key in fields.WAVE if key in wave}, path, fields.WAVE)
        waves.append({"name": name, "criticality": criticality, **own, "dags": members})
    excluded = _names(document, data.get("excluded"), ("excluded",), dag_ids, "DAG")
    for position, dag_id in enumerate(excluded):
        if dag_id in place:
            raise document.wrong(
                ("excluded", position), f"{dag_id} is in {place[dag_id]} as well.", code="plan-dag-twice"
            )
    missing = sorted(set(dag_ids) - set(place) - set(excluded))
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise document.wrong(
            ("waves",),
            f"{len(missing)} DAGs are in no wave: {shown}." if len(missing) > 1 else f"{shown} is in no wave.",
            code="plan-dag-missing",
            hint="Put every DAG into a wave or into the list `excluded`.",
        )
    return {"waves": waves, "excluded": excluded}


def _policies(
    document: Document, value: Any, dag_ids: Collection[str], excluded: Collection[str]
) -> dict[str, dict[str, Any]]:
    data = _mapping(document, value, ("dags",))
    policies: dict[str, dict[str, Any]] = {}
    for dag_id in data:
        path: Path = ("dags", dag_id)
        if dag_id not in dag_ids:
            raise document.wrong(
                path, f"the source has no DAG {dag_id}.{_suggest(dag_id, dag_ids)}", code="plan-unknown-dag"
            )
        if dag_id in excluded:
            raise document.wrong(path, f"{dag_id} is excluded, so a policy for it means nothing.")
        if own := _section(document, data[dag_id], path, fields.DAG_POLICY, fill=False):
            policies[dag_id] = own
    return policies
