"""Runs in a deployment's virtualenv: says what its Airflow thinks of some options. Standard library and Airflow only.

Reads {"home", "variables": {AIRFLOW__…: value}, "options": [[section, option]]} from its input; the last line of its output is
{"version", "told": [[section, option, message, is only another default]], "known": [section.option], "renamed": {old: new}}.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, Dict, List

_REAL = os.dup(1)
os.dup2(2, 1)  # whatever Airflow prints is not our answer


def main() -> None:
    given = json.loads(sys.stdin.read())
    os.environ.update(given["variables"])
    os.environ["AIRFLOW_HOME"] = given["home"]
    airflow: Any = importlib.import_module("airflow")
    conf: Any = importlib.import_module("airflow.configuration").conf
    try:
        conf.load_providers_configuration()
    except Exception:
        pass
    described = getattr(conf, "configuration_description", None) or {}
    known = {
        ("%s.%s" % (section, option)).lower()
        for section, entry in described.items()
        for option in entry.get("options", {})
    }
    renamed = {
        "%s.%s" % (old[0], old[1]): "%s.%s" % (new[0], new[1])
        for new, old in getattr(conf, "deprecated_options", {}).items()
    }
    answer: Dict[str, Any] = {"version": airflow.__version__, "known": sorted(known), "renamed": renamed}
    answer["told"] = _told(conf, {(section, option) for section, option in given["options"]})
    os.write(_REAL, json.dumps(answer).encode() + b"\n")


def _told(conf: Any, options: Any) -> List[List[Any]]:
    """Give what `airflow config lint` says about the options that were given; nothing where there is no such command."""
    try:
        changes = importlib.import_module("airflow.cli.commands.config_command").CONFIGS_CHANGES
    except (ImportError, AttributeError):
        return []
    found = []
    for change in changes:
        place = (change.config.section, change.config.option)
        if place in options and conf.has_option(*place, lookup_from_deprecated=False) and change.message is not None:
            found.append([*place, str(change.message), bool(getattr(change, "default_change", False))])
    return found


main()
