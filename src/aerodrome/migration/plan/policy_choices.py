"""What becomes of runs under way, and what may stand against a DAG: changed in the plan file's text, for all DAGs or for some.

Everything else of the text stays as it is. Called by migration.service; pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.plan import fields
from aerodrome.migration.plan.writer import scalar

KEYS = ("drain_deadline", "on_deadline", "accept")
"""What can be changed without another list of steps, also while waves are on their way."""


def read_choices(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Read values as the plan file does; None stays (it takes a DAG's own value away). Invalid names the field."""
    read: dict[str, Any] = {}
    for key, value in choices.items():
        try:
            read[key] = None if value is None else fields.DAG_POLICY[key].read(value)
        except fields.Wrong as wrong:
            raise Invalid(f"{key} must be {wrong}.", code="policy-invalid", hint="", details={"field": key}) from None
    return read


def applied(settings: Mapping[str, Any], dag_ids: Sequence[str], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of a plan with choices (as `read_choices` gives them) for these DAGs; for all without any."""
    if not dag_ids:
        return {**settings, "policies": {**settings["policies"], **choices}}
    own = dict(settings["dags"])
    for dag_id in dag_ids:
        merged = {**own.get(dag_id, {}), **choices}
        own[dag_id] = {key: value for key, value in merged.items() if value is not None}
    return {**settings, "dags": {dag_id: policy for dag_id, policy in own.items() if policy}}


def with_choices(text: str, settings: Mapping[str, Any], dag_ids: Sequence[str]) -> str:
    """Give a plan file's text that says what `settings` say of these DAGs, or of all DAGs (`policies`) without any."""
    if not dag_ids:
        values = {key: _written(fields.POLICIES, key, settings["policies"][key]) for key in KEYS}
        return _put(text, "policies", values)
    own = {}
    for dag_id in dag_ids:
        policy = settings["dags"].get(dag_id, {})
        inner = ", ".join(
            f"{key}: {_written(fields.DAG_POLICY, key, policy[key])}" for key in fields.DAG_POLICY if key in policy
        )
        own[dag_id] = f"{{{inner}}}"
    return _put(text, "dags", own)


def _written(table: Mapping[str, fields.Field], key: str, value: Any) -> str:
    write = table[key].write
    return write(value) if write else scalar(value)


def _put(text: str, section: str, values: Mapping[str, str]) -> str:
    """Put values in flow form into a section: over those that stand there, or as new lines of the section."""
    found = _entry(yaml.compose(text, Loader=yaml.SafeLoader), section)
    if found is None:
        end = "" if text.endswith("\n") or not text else "\n"
        return f"{text}{end}{section}:\n{_lines(values, '  ')}"
    name, body = found
    standing = {key.value: (key, value) for key, value in body.value} if isinstance(body, yaml.MappingNode) else {}
    edits = []
    for key, value in values.items():
        if key in standing:
            start, end_at = standing[key][0].end_mark.index, _end(standing[key][1])
            if text[start:end_at].lstrip(": \t") != value:
                edits.append((start, end_at, f": {value}"))
    fresh = {key: value for key, value in values.items() if key not in standing}
    if fresh:
        edits.append(_added(text, name, body, fresh))
    for start, end_at, instead in sorted(edits, reverse=True):
        text = text[:start] + instead + text[end_at:]
    return text


def _added(text: str, name: yaml.Node, body: yaml.Node, fresh: Mapping[str, str]) -> tuple[int, int, str]:
    """Give the edit (start, end, instead) that adds what does not stand in the section."""
    if isinstance(body, yaml.MappingNode) and body.value and not body.flow_style:
        first = body.value[0][0].start_mark
        at = text.rfind("\n", 0, first.index) + 1
        return at, at, _lines(fresh, " " * first.column)
    if isinstance(body, yaml.MappingNode) and body.value:
        end = _end(body.value[-1][1])
        return end, end, "".join(f", {scalar(key)}: {value}" for key, value in fresh.items())
    start = name.end_mark.index  # nothing, null or {}
    end = _end(body) if text[start : _end(body)].strip(": \t\r\n") else text.index(":", start) + 1
    line_end = text.find("\n", end)
    comment = text[end : len(text) if line_end < 0 else line_end].rstrip()
    return start, len(text) if line_end < 0 else line_end + 1, f":{comment}\n{_lines(fresh, '  ')}"


def _lines(values: Mapping[str, str], indent: str) -> str:
    return "".join(f"{indent}{scalar(key)}: {value}\n" for key, value in values.items())


def _entry(node: Any, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _end(node: yaml.Node) -> int:
    """Give where a value ends: a block ends with its last leaf, not with the line after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
