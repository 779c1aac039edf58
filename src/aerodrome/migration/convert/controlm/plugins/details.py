"""Read the details of plug-in jobs: by their plain name, as texts, lists and maps."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final

ACTIONS: Final = (
    "action",
    "actions",
    "operation",
    "operations",
    "actiontype",
    "genaction",
    "jobtype",
    "dataproctasktype",
    "datasetrefreshpipelinedeployment",
    "jobspectype",
    "refreshtype",
)
_PREFIX: Final = re.compile(r"^(UCM|AI|WS|HDP|DB|UDJ|JSON|AWS|OS400)[-.]", re.IGNORECASE)
WITHOUT_EFFECT: Final = re.compile(  # how the plug-in looks for the end, and what it writes into the output of the job
    r"poll|tolerance|tolarance|log|^show|^fetch|^append|^bring|^output(s|details|$)|^appname|^(pre|post)commands$|^(account|connectionprofile)"
)


def plain_name(key: str) -> str:
    """Give the name of a detail as it is compared: without prefix, case and marks."""
    return re.sub(r"[^a-z0-9]", "", _PREFIX.sub("", key).lower())


def detail(details: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Give the first of these details that a job has. A box that is not ticked is not there."""
    found = {plain_name(key): value for key, value in details.items()}
    return next((found[name] for name in names if found.get(name, "").strip() not in ("", "unchecked")), "")


def profile_of(details: Mapping[str, str]) -> str:
    """Give the name of the connection profile (account) of a plug-in job."""
    return detail(details, ("connectionprofile", "account", "connectionprofilename"))


def action_of(details: Mapping[str, str]) -> str:
    """Give the action of a plug-in job, as it is compared; empty when it has none."""
    return re.sub(r"[^a-z0-9]", "", detail(details, ACTIONS).lower())


def items_of(text: str) -> list[str]:
    """Give the items of a JSON list, or the text itself."""
    try:
        listed = json.loads(text)
    except json.JSONDecodeError:
        return [text] if text else []
    items = listed if isinstance(listed, list) else [listed]
    return [" ".join(map(str, item.values())) if isinstance(item, dict) else str(item) for item in items]


def map_of(text: str) -> dict[str, Any] | None:
    """Read an object: JSON, Python's form of it, or a list of small ones (`[{"a": "1"}, {"b": "2"}]`); None when it is none."""
    value: Any = None
    bare = text.strip()
    for parse, form in (
        (json.loads, bare),
        (ast.literal_eval, bare),
        (json.loads, f"{{{bare}}}"),
    ):  # also without braces
        try:
            value = parse(form)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {key: item for part in value for key, item in part.items()}
    return value if isinstance(value, dict) and all(isinstance(key, str) for key in value) else None
