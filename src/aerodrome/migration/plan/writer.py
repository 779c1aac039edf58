"""Writes settings as the plan file that people edit: stable order, a comment where one helps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from aerodrome.migration.plan import fields

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*")
_SAFE = re.compile(r"[\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_COMMENT_COLUMN = 42

_HEAD = """\
# Migration plan. Edit it, commit it, then:
#   aerodrome migrate plan NAME --file FILE       checks and keeps it
#   aerodrome migrate apply NAME --dry-run        prints the very steps that apply runs
#   aerodrome migrate apply NAME                  moves everything up to the cutover
#   aerodrome migrate cutover NAME --wave WAVE    hands one wave over
"""

_CODE_COMMENT = (
    "Files whose upgrade was rejected: they are deployed as the source has them (`aerodrome migrate code NAME`)."
)
_SECTION_COMMENTS = {
    "target": "Where it goes.",
    "policies": "How careful the move is. A DAG can have its own under `dags`.",
    "lanes": "How many DAGs are handed over at the same time, and how fast.",
    "history": "Which run history moves.",
    "secrets": "Where connections and variables go; the deployment asks a backend named here first.",
    "objects": "What moves beside the DAGs: include is all or a list of names, exclude wins. Values never stand here.",
}


def to_yaml(settings: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Write settings as commented YAML; `from_yaml` gives the same settings back.

    `notes` (from `describe`) adds a comment to a DAG or an object; keys are "dag:<id>", "connection:<id>", ….
    """
    return "\n".join(_lines(settings, notes or {})) + "\n"


def _lines(settings: Mapping[str, Any], notes: Mapping[str, str]) -> Iterator[str]:
    yield _HEAD
    yield f"version: {settings['version']}"
    yield _with(f"estate: {scalar(settings['estate'])}", "the scan that this plan was made for")
    for section, table in fields.SECTIONS.items():
        yield f"\n# {_SECTION_COMMENTS[section]}"
        yield f"{section}:"
        for key, field in table.items():
            yield from _field(key, settings[section][key], field)
    yield f"\n# {_SECTION_COMMENTS['objects']}"
    yield "objects:"
    for section, kind in fields.OBJECT_KINDS.items():
        chosen = settings["objects"][section]
        yield f"  {section}:"
        for key in ("include", "exclude"):
            yield from _names(key, chosen[key], "    ", kind, notes)
    yield "\n# DAGs that move together, in this order. Keep DAGs that depend on each other in one wave, or the needed ones first."
    yield "waves:" if settings["waves"] else "waves: []"
    for wave in settings["waves"]:
        yield f"  - name: {scalar(wave['name'])}"
        yield f"    criticality: {wave['criticality']}"
        for key, field in fields.WAVE.items():
            yield _with(f"    {key}: {_value(wave.get(key, field.default), field)}", field.comment)
        yield from _names("dags", wave["dags"], "    ", "dag", notes)
    yield f"\n# {_CODE_COMMENT}"
    code = settings.get("code", {})
    yield from code_lines(code.get("rejected", ()), code.get("requirements_as_of"))
    yield "\n# DAGs that stay in the source."
    yield from _names("excluded", settings["excluded"], "", "dag", notes)
    yield f"\n# Own policies: {'; '.join(field.comment for field in fields.DAG_POLICY.values() if field.comment)}."
    yield "dags:" if settings["dags"] else "dags: {}"
    for dag_id, policy in settings["dags"].items():
        inner = ", ".join(
            f"{key}: {_value(policy[key], field)}" for key, field in fields.DAG_POLICY.items() if key in policy
        )
        yield f"  {scalar(dag_id)}: {{{inner}}}"


def code_lines(rejected: Sequence[str], requirements_as_of: str | None = None) -> Iterator[str]:
    """Write the section about the code; the day (ISO) only when there is one."""
    yield "code:"
    if requirements_as_of:
        yield f"  requirements_as_of: {requirements_as_of}"
    yield from _names("rejected", list(rejected), "  ", "file", {})


def _field(key: str, value: Any, field: fields.Field) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _with(f"  {key}: {_value(value, field)}", field.comment)
        return
    yield _with(f"  {key}:" if value else f"  {key}: {{}}", field.comment)
    for option, text in value.items():
        yield f"    {scalar(option)}: {scalar(text)}"


def _names(key: str, names: Any, indent: str, kind: str, notes: Mapping[str, str]) -> Iterator[str]:
    if isinstance(names, str):
        yield f"{indent}{key}: {names}"
    elif not names:
        yield f"{indent}{key}: []"
    else:
        yield f"{indent}{key}:"
        for name in names:
            yield _with(f"{indent}  - {scalar(name)}", notes.get(f"{kind}:{name}", ""))


def _value(value: Any, field: fields.Field) -> str:
    if field.write:
        return field.write(value)
    return scalar(value)


def _with(line: str, comment: str) -> str:
    comment = "".join(char if _SAFE.fullmatch(char) else " " for char in " ".join(comment.split()))
    return f"{line:<{_COMMENT_COLUMN}}  # {comment}" if comment else line


def scalar(value: Any) -> str:
    """Write one value so that YAML 1.1 and 1.2 readers both give it back; texts that look like numbers are quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if _SAFE.fullmatch(char):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
