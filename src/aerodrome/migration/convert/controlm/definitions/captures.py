"""Variables that a job fills from its output (`Action:CaptureOutput` of the Automation API)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.model import Action, Reaction
from aerodrome.migration.convert.controlm.variables.autoedit import variable_key


def captures(element: Element, folder: str) -> Iterator[Reaction]:
    """Give the variables that a job fills, as actions behind it."""
    for child in element.take_children("JSON.Action:CaptureOutput"):
        child.take("NAME")
        given = json.loads(child.take("VALUE") or "{}")
        shown = {key: str(value) for key, value in given.items() if key != "Type"}
        name = str(given.get("VariableName", ""))
        values = {"VARIABLE": name, "KEY": variable_key(name, folder), "RULE": json.dumps(shown, ensure_ascii=False)}
        yield Reaction("*", "OK", (Action("capture", {**values, "TAG": "CaptureOutput"}, child.line),), child.line)
