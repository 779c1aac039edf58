"""Reads Control-M Automation API JSON into the same elements as XML exports have, defaults and inheritance resolved.

Automation API Code Reference (Helix, monthly 2025): objects are a name and a `Type`; properties of a folder that jobs inherit are
Application, SubApplication, Host and RunAs; `Defaults` holds properties by type. Keys that no rule here knows keep their name as an
attribute, so that they are listed as unread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.json_parts import (
    add_part,
    add_repetition,
    add_when,
    scalar,
    variables_of,
)

_INHERITED: Final[tuple[str, ...]] = ("Application", "SubApplication", "Host", "RunAs")
_FOLDERS: Final = {"Folder": "SMART_FOLDER", "SimpleFolder": "FOLDER", "SubFolder": "SUB_FOLDER"}
_NAMES: Final = {
    "ControlmServer": "DATACENTER",
    "Application": "APPLICATION",
    "SubApplication": "SUB_APPLICATION",
    "Host": "NODEID",
    "RunAs": "RUN_AS",
    "Description": "DESCRIPTION",
    "CreatedBy": "CREATED_BY",
    "Priority": "PRIORITY",
    "Confirm": "CONFIRM",
    "Critical": "CRITICAL",
    "TimeZone": "TIMEZONE",
    "DaysKeepActive": "MAXWAIT",
    "Command": "CMDLINE",
    "PreCommand": "PRECMD",
    "PostCommand": "POSTCMD",
    "FileName": "MEMNAME",
    "FilePath": "MEMLIB",
    "Script": "INSTREAM_JCL",
    "OrderMethod": "FOLDER_ORDER_METHOD",
    "RunAsDummy": "RUN_AS_DUMMY",
    "EndFolder": "END_FOLDER",
    "SiteStandard": "SITE_STANDARD_NAME",
    "AdjustEvents": "ADJUST_COND",
    "ActiveRetentionPolicy": "REMOVEATONCE",
    "DaysKeepActiveIfNotOk": "DAYSKEEPINNOTOK",
    "BusinessFields": "BUSINESS_FIELDS",
    "RunOnAllAgentsInGroup": "MULTY_AGENT",
    "Documentation": "DOCMEM",
    "RetroactiveOrder": "RETRO",
}
_OF_FOLDERS: Final = ("When", "Variables", "Defaults", "Jobs", "Rerun", "RerunLimit", "RerunIntervals")
_OF_JOBS: Final = frozenset(
    (
        "Command",
        "Script",
        "FileName",
        "FilePath",
        "Query",
        "FileTransfers",
        "RunAs",
        "Host",
        "ConnectionProfile",
        "When",
    )
)  # what says in an object without a type that it is a job
_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA: Final = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)
_LOOKS_LIKE: Final = ('"Folder"', '"SimpleFolder"', '"Calendar:', '"ConnectionProfile:', '"SubFolder"', '"Job:')


def looks_like_definitions(text: str) -> bool:
    """Say whether a JSON text can hold Automation API objects."""
    return '"Type"' in text and any(mark in text for mark in _LOOKS_LIKE)


def read_definitions(path: Path) -> Iterator[Element]:
    """Give folders, calendars and profiles of one file. Invalid (file, line) when it is not JSON."""
    twice: list[tuple[str, str]] = []
    is_repaired = False
    try:
        text = path.read_text(encoding="utf-8-sig")
        try:
            tree = json.loads(text, object_pairs_hook=partial(_object, twice))
        except json.JSONDecodeError:
            twice.clear()
            tree, is_repaired = json.loads(_repaired(text), object_pairs_hook=partial(_object, twice)), True
    except UnicodeDecodeError as error:
        raise Invalid(f"{path.name} is not UTF-8.", code="json-encoding", hint="Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise Invalid(
            f"{path.name} is not JSON: {error.msg}, line {error.lineno}.",
            code="json-malformed",
            hint="Repair the line, or export it again.",
            details={"line": error.lineno},
        ) from error
    except RecursionError as error:
        raise Invalid(
            f"{path.name} nests too deep.", code="json-too-deep", hint="No definition does; check the file."
        ) from error
    lines = _lines_of_names(text)
    if is_repaired:
        yield Element("JSON.Comments", {"NAME": path.name})
    for name, lost in dict.fromkeys(twice):
        yield Element("JSON.Twice", {"NAME": name, "LOST": lost}, line=lines.get(name, 0))
    for part in tree if isinstance(tree, list) else [tree]:
        if isinstance(part, dict):
            yield from _objects(part, lines)


def _object(twice: list[tuple[str, str]], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; names that stand in it more than once are kept in `twice`, with the names of what is lost: values may be secret."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            other = found[name]
            is_object = isinstance(other, dict) and isinstance(value, dict)
            twice.append((name, ", ".join(key for key in other if key not in value) if is_object else ""))
        found[name] = value
    return found


def _repaired(text: str) -> str:
    """Leave out comments and commas before a closing bracket, which people write and JSON does not have; lines stay the same."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else "\n" * found[0].count("\n")

    return _COMMA.sub(kept, _COMMENT.sub(kept, text))


def _lines_of_names(text: str) -> dict[str, int]:
    """Give the first line on which each `"name": {` stands: JSON parsers keep no positions."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith('"') and (end := stripped.find('"', 1)) > 0:
            lines.setdefault(stripped[1:end], number)
    return lines


def _objects(tree: Mapping[str, Any], lines: Mapping[str, int]) -> Iterator[Element]:
    defaults = tree.get("Defaults")
    layers = [defaults] if isinstance(defaults, dict) else []
    if isinstance(tree.get("Type"), str) and isinstance(tree.get("Name"), str):
        tree = {tree["Name"]: tree}
    is_around = all(isinstance(value, dict | list) or name.startswith("$") for name, value in tree.items())
    for name, value in tree.items():
        if name == "Defaults" or not isinstance(value, dict | list):
            continue
        if isinstance(value, list) or "Type" not in value:
            yield from _below(name, value, defaults, lines, is_around=is_around)
            continue
        kind = str(value.get("Type", ""))
        if kind in _FOLDERS:
            yield _folder(name, value, layers, {}, lines)
        elif kind.startswith("Calendar:"):
            yield _calendar(name, value, lines)
        elif kind.startswith("ConnectionProfile"):
            yield _profile(name, value, kind, lines)
        elif kind.startswith("Job"):
            folder = Element("FOLDER", {"FOLDER_NAME": name}, line=lines.get(name, 0))
            folder.children.append(_job(name, value, layers, {}, lines))
            yield folder
        else:
            yield Element(kind, {"NAME": name}, line=lines.get(name, 0))


def _below(name: str, value: Any, defaults: Any, lines: Mapping[str, int], *, is_around: bool) -> Iterator[Element]:
    """Give the objects below a key that is none of the Automation API, which people write around them.

    What has values of its own besides them (an alert, a report) only tells of definitions; a deploy descriptor says how to change them.
    """
    found: list[Element] = []
    if is_around and name != "DeployDescriptor":
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                found += _objects({**_only(defaults), **part}, lines)
    yield from found or [Element(name, line=lines.get(name, 0))]


def _only(defaults: Any) -> dict[str, Any]:
    return {"Defaults": defaults} if isinstance(defaults, dict) else {}


def _with_defaults(
    value: Mapping[str, Any], layers: list[Mapping[str, Any]], families: tuple[str, ...]
) -> dict[str, Any]:
    """Lay an object over the defaults of its type: outer files first, the more exact type over the less exact one."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {key: item for key, item in layer.items() if key in _NAMES or key in ("When", "Variables")}
        for family in families:
            part = layer.get(family)
            if isinstance(part, dict):
                merged |= part
    return merged | dict(value)


def _folder(
    name: str, value: Mapping[str, Any], layers: list[Any], inherited: Mapping[str, Any], lines: Mapping[str, int]
) -> Element:
    kind = str(value["Type"])
    whole = {**inherited, **_with_defaults(value, layers, ("Folder", kind))}
    own = value.get("Defaults")
    layers = [*layers, own] if isinstance(own, dict) else layers
    element = Element(_FOLDERS[kind], line=lines.get(name, 0))
    element.attributes |= {"FOLDER_NAME" if kind != "SubFolder" else "JOBNAME": name}
    if kind != "SubFolder":
        element.attributes["FOLDER_ORDER_METHOD"] = "SYSTEM"
    _add_common(element, whole, is_folder=True)
    if kind == "SubFolder":  # ordered with its folder, whatever it inherits
        element.attributes.pop("FOLDER_ORDER_METHOD", None)
    elif str(whole.get("OrderMethod", "")) in ("Automatic", ""):
        element.attributes["FOLDER_ORDER_METHOD"] = "SYSTEM"
    elif str(whole["OrderMethod"]).lower().startswith("manual"):
        element.attributes["FOLDER_ORDER_METHOD"] = "Manual"
    if "When" not in whole and kind == "Folder":
        element.attributes["DAYS"] = "ALL"  # Automation API: a folder without When is ordered every day
    passed_on = {key: whole[key] for key in _INHERITED if key in whole}
    for key, item in whole.items():
        if isinstance(item, dict) and "Type" in item:
            _add_member(element, key, item, layers, passed_on, lines)
        elif _is_untyped_job(key, item, whole):
            element.children.append(_job(key, {**item, "Type": "Job:(no type)"}, layers, passed_on, lines))
        elif _holds_jobs(key, item):
            for job_name, job in _listed(item):
                _add_member(element, job_name, job, layers, passed_on, lines)
    return element


def _listed(jobs: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the jobs of a list, or of an object by name: the Automation API has neither, people write both."""
    if isinstance(jobs, dict) and "Type" in jobs:
        jobs = [jobs]
    pairs = jobs.items() if isinstance(jobs, dict) else [("", job) for job in jobs] if isinstance(jobs, list) else []
    for name, job in pairs:
        entry = job if isinstance(job, dict) else {"Value": job}
        yield name or str(entry.get("Name", "job")), {"Type": "Job:(no type)"} | entry


def _holds_jobs(key: str, item: Any) -> bool:
    """Say whether something in a folder that is no part of the Automation API holds its jobs: `Jobs`, or what has them by their types."""
    if key in _NAMES or (key in _OF_FOLDERS and key != "Jobs"):
        return False
    inside = item.values() if isinstance(item, dict) and "Type" not in item else item if isinstance(item, list) else ()
    types = [str(entry["Type"]) for entry in inside if isinstance(entry, dict) and "Type" in entry]
    return key == "Jobs" or any(kind in _FOLDERS or kind.startswith("Job") for kind in types)


def _is_untyped_job(name: str, item: Any, folder: Mapping[str, Any]) -> bool:
    """Say whether something in a folder is a job whose `Type` is missing: a flow names it, or it says what only jobs say."""
    if not isinstance(item, dict) or "Type" in item or name in _NAMES or name in _OF_FOLDERS:
        return False
    flows = (part for part in folder.values() if isinstance(part, dict) and part.get("Type") == "Flow")
    return bool(_OF_JOBS & item.keys()) or any(name in part.get("Sequence", []) for part in flows)


def _add_member(
    element: Element,
    name: str,
    item: Mapping[str, Any],
    layers: list[Any],
    inherited: Mapping[str, Any],
    lines: Mapping[str, int],
) -> None:
    kind = str(item["Type"])
    if kind in _FOLDERS:
        element.children.append(_folder(name, item, layers, inherited, lines))
    elif kind == "Job" or kind.startswith("Job:"):
        element.children.append(_job(name, item, layers, inherited, lines))
    elif kind == "Flow":
        steps = [str(step) for step in item.get("Sequence", [])]
        element.children.append(Element("FLOW", {"NAME": name, "SEQUENCE": json.dumps(steps)}, line=lines.get(name, 0)))
    else:
        add_part(element, name, item, lines.get(name, 0))


def _job(
    name: str, value: Mapping[str, Any], layers: list[Any], inherited: Mapping[str, Any], lines: Mapping[str, int]
) -> Element:
    kind = str(value["Type"])
    pieces = kind.split(":")
    families = tuple(":".join(pieces[:end]) for end in range(1, len(pieces) + 1))
    whole = {**inherited, **_with_defaults(value, layers, families)}
    whole.pop("OrderMethod", None)  # of folders; defaults give it to jobs, too
    element = Element("JOB", {"JOBNAME": name, "JSON_TYPE": kind}, line=lines.get(name, 0))
    _add_common(element, whole)
    for key, item in whole.items():
        if isinstance(item, dict) and "Type" in item:
            add_part(element, key, item, lines.get(key, 0))
    return element


def _add_common(element: Element, whole: Mapping[str, Any], *, is_folder: bool = False) -> None:
    """Copy what folders and jobs share. What is not known keeps its name behind `JSON.`, nested values as JSON."""
    when = whole.get("When")
    if isinstance(when, dict):
        add_when(element, when)
    add_repetition(element, whole)
    element.children.extend(variables_of(whole.get("Variables")))
    done = (
        "Type",
        "Name",
        "When",
        "Variables",
        "Rerun",
        "RerunIntervals",
        "RerunSpecificTimes",
        "RerunLimit",
        "Defaults",
        "Jobs",
    )
    jobs = [
        key
        for key, item in whole.items()
        if is_folder and (_holds_jobs(key, item) or _is_untyped_job(key, item, whole))
    ]
    for key, item in whole.items():
        if key in done or (isinstance(item, dict) and "Type" in item) or key in jobs:
            continue
        element.attributes[_NAMES.get(key, f"JSON.{key}")] = scalar(item)


def _calendar(name: str, value: Mapping[str, Any], lines: Mapping[str, int]) -> Element:
    kind = str(value["Type"]).partition(":")[2]
    when = value.get("When") if isinstance(value.get("When"), dict) else {}
    element = Element("CALENDAR", {"NAME": name, "TYPE": kind}, line=lines.get(name, 0))
    if kind.startswith("RuleBased"):
        rule = Element("RULE_BASED_CALENDAR", {"NAME": name}, line=element.line)
        add_when(rule, when or {})
        element.children.append(rule)
        return element
    for year in (when or {}).get("Years", []):
        if isinstance(year, dict):
            months = {
                month: [str(day) for day in days]
                for month, days in year.items()
                if month != "Year" and isinstance(days, list)
            }
            element.children.append(Element("YEAR", {"NAME": str(year.get("Year", "")), "MONTHS": json.dumps(months)}))
    known = ("Type", "When", "Description", "Server", "Alias")
    element.attributes |= {f"JSON.{key}": scalar(item) for key, item in value.items() if key not in known}
    return element


def _profile(name: str, value: Mapping[str, Any], kind: str, lines: Mapping[str, int]) -> Element:
    """A connection profile: names and addresses only; passwords and keys are not even copied."""
    element = Element("CONNECTION_PROFILE", {"NAME": name, "TYPE": kind}, line=lines.get(name, 0))
    for key in (
        "Host",
        "HostName",
        "Port",
        "User",
        "UserName",
        "DatabaseName",
        "Database",
        "URL",
        "Endpoint",
        "SID",
        "ServiceName",
    ):
        if key in value:
            element.attributes[key.upper()] = scalar(value[key])
    return element
