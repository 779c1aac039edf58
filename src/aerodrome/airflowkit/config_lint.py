"""Holds a deployment's Airflow options against another Airflow version: what that version no longer knows, renamed or refuses.

Asks the target itself: the facts behind its own `airflow config lint` (3.x), its list of known options and of old names; our own
table adds what these miss. Measured on 3.3.2: its lint says nothing about [webserver] rbac and executor = SequentialExecutor's kin.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret

_SCRIPT = Path(__file__).parent / "inside" / "config_facts.py"
_TIMEOUT_S = 120.0
_PREFIX = "AIRFLOW__"
_ENDINGS = ("_cmd", "_secret")  # Airflow takes the option's value from a command or from the secrets backend
_EXECUTORS_GONE = {
    "SequentialExecutor": "Leave it out: Airflow 3 runs LocalExecutor on every database.",
    "DebugExecutor": "Use `airflow dags test`.",
    "CeleryKubernetesExecutor": "Give both executors, separated by a comma: CeleryExecutor,KubernetesExecutor.",
    "LocalKubernetesExecutor": "Give both executors, separated by a comma: LocalExecutor,KubernetesExecutor.",
}
_OTHER_DEFAULTS_IN_3 = {
    "core.dag_ignore_file_syntax": (
        "Files .airflowignore are read as glob patterns, not as regular expressions.",
        "Set core.dag_ignore_file_syntax to regexp to keep their meaning.",
    ),
    "scheduler.catchup_by_default": (
        "DAGs that do not say whether they catch up no longer do.",
        "Set scheduler.catchup_by_default to True to keep it, or say catchup= in each DAG.",
    ),
}


@dataclass(frozen=True)
class ConfigFinding:
    """One option that means something else, or nothing, in the other version. Never shows a value."""

    option: str  # section.option
    severity: Literal["info", "warning", "blocker"]
    message: str
    hint: str
    source: Literal["airflow", "aerodrome"]  # who says so


def lint_config(
    config: Mapping[str, str], env: Mapping[str, str | Secret], before: str, after: str, venv: Path
) -> tuple[ConfigFinding, ...]:
    """Give what differs for these options when Airflow `before` becomes `after`, whose virtualenv is `venv`.

    `config` is "section.option" -> value; of `env` only AIRFLOW__… counts. Unavailable when the target cannot be asked.
    """
    values: dict[str, str | Secret] = {name.lower(): value for name, value in config.items()}
    values |= {
        _option(name): value for name, value in env.items() if name.startswith(_PREFIX) and name.count("__") >= 2
    }
    facts = _ask(values, venv)
    redactor = Redactor()
    for value in (value for value in env.values() if isinstance(value, Secret)):
        redactor.register(value.reveal())
    found = {**_unknown(values, facts), **_told(facts, redactor)}
    crosses = before.startswith("2.") and after.startswith("3.")
    if crosses:
        found |= dict(_ours(values))
    return tuple(sorted(found.values(), key=lambda finding: finding.option))


def _option(name: str) -> str:
    """Give section.option of AIRFLOW__SECTION__OPTION."""
    section, _, option = name.removeprefix(_PREFIX).partition("__")
    return f"{section}.{option}".lower()


def _ask(values: Mapping[str, str | Secret], venv: Path) -> dict[str, Any]:
    variables = {
        f"{_PREFIX}{name.replace('.', '__', 1).upper()}": value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
        if not name.endswith(_ENDINGS)  # nothing is run and nobody is asked for a value here
    }
    with tempfile.TemporaryDirectory(prefix="aerodrome-lint-") as home:
        question = {"home": home, "variables": variables, "options": [name.split(".", 1) for name in values]}
        try:
            done = subprocess.run(
                [str(venv / "bin/python"), str(_SCRIPT)],
                input=json.dumps(question).encode(),  # a pipe: values may be secret
                capture_output=True,
                env={name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ},
                cwd=home,
                check=True,
                timeout=_TIMEOUT_S,
            )
            answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            raise Unavailable(
                "The other Airflow could not be asked about the options.",
                code="config-lint-failed",
                hint="Perhaps an option keeps it from starting at all: the rehearsal's log tells more.",
            ) from error
    return answer


def _told(facts: Mapping[str, Any], redactor: Redactor) -> dict[str, ConfigFinding]:
    found = {}
    for section, option, message, is_default in facts["told"]:
        name = f"{section}.{option}"
        text = redactor.text(" ".join(message.replace("`", "").split()))
        hint = f"Airflow {facts['version']} says so itself (airflow config lint)."
        found[name] = ConfigFinding(name, "info" if is_default else "warning", text, hint, "airflow")
    return found


def _unknown(values: Mapping[str, str | Secret], facts: Mapping[str, Any]) -> dict[str, ConfigFinding]:
    """Give the options that the target does not know: it ignores them in silence."""
    known, renamed, version = set(facts["known"]), facts["renamed"], facts["version"]
    found = {}
    for name in values:
        plain = name
        for ending in _ENDINGS:
            plain = plain.removesuffix(ending) if plain.removesuffix(ending) in known else plain
        if plain in known or (new := renamed.get(plain)) == plain:
            continue
        if new:
            message, hint = f"The option is called {new} in Airflow {version}.", f"Set {new} instead."
        else:
            message, hint = f"Airflow {version} does not know the option and ignores it.", "Remove it."
        found[name] = ConfigFinding(name, "warning", message, hint, "aerodrome")
    return found


def _ours(values: Mapping[str, str | Secret]) -> Iterator[tuple[str, ConfigFinding]]:
    executor = values.get("core.executor")
    for part in str(executor).split(",") if isinstance(executor, str) else ():
        if hint := _EXECUTORS_GONE.get(part.strip().rpartition(".")[2]):
            message = f"{part.strip()} is gone in Airflow 3: it would not start."
            yield "core.executor", ConfigFinding("core.executor", "blocker", message, hint, "aerodrome")
    for name, (message, hint) in _OTHER_DEFAULTS_IN_3.items():
        if name not in values:
            yield name, ConfigFinding(name, "info", f"Another default holds. {message}", hint, "aerodrome")
