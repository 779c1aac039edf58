"""Environment variables on their way: renamed where Airflow 3 calls an option otherwise, dropped with a reason.

Called by migration.service, which hands the values to the fleet. Pure apart from reading the source's values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.transfer.config_moves import place_of
from aerodrome.migration.transfer.handoff import CATCHUP_OPTION, SCHEDULER_OPTIONS
from aerodrome.migration.transfer.outcomes import Rejected

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONFIG = re.compile(r"AIRFLOW__(?P<section>.+?)__(?P<option>.+)")
_SUFFIX = re.compile(r"_(CMD|SECRET)$")
_MACHINE = re.compile(
    r"PATH|HOME|USER|LOGNAME|PWD|OLDPWD|SHELL|SHLVL|HOSTNAME|TERM|TMPDIR|TMP|TEMP|MAIL|_|LANG|LC_.*|XDG_.*|SSH_.*"
    r"|VIRTUAL_ENV|PYTHON.*|PIP_.*|LD_.*|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|KUBERNETES_.*|AIRFLOW_HOME"
    r"|AIRFLOW_CONFIG|AIRFLOW_UID|AIRFLOW_GID|AIRFLOW_USER_HOME_DIR|AIRFLOW_VERSION|DEBIAN_FRONTEND|GUNICORN_.*"
)


@dataclass(frozen=True)
class EnvironmentMoved:
    """What to set on the deployment, what has another name there, and what stays behind and why."""

    values: Mapping[str, Secret]
    renamed: Mapping[str, str]  # name in the source -> name in the target
    dropped: tuple[Rejected, ...]

    def as_data(self) -> dict[str, Any]:
        return {
            "moved": sorted(self.values),
            "renamed": dict(self.renamed),
            "dropped": [item.as_data() for item in self.dropped],
        }


def env_values(source: SourceAdapter, names: Sequence[str], *, is_airflow2: bool = False) -> EnvironmentMoved:
    """Read the variables from the source and give them under the names that Airflow 3 reads, or Airflow 2 (`is_airflow2`).

    Variables of the source's machine, options that the platform sets itself and options that Airflow 3 removed are
    dropped, each with a reason. Values are not looked into.
    """
    wanted: dict[str, str] = {}
    dropped: list[Rejected] = []
    for name in dict.fromkeys(names):
        place, reason = _place(name, is_airflow2=is_airflow2)
        if place is None:
            dropped.append(reason)
        elif place in wanted.values():
            dropped.append(Rejected(name, "env-doubled", f"Another variable already becomes {place}."))
        else:
            wanted[name] = place
    found = dict(source.env_values(tuple(wanted)))
    dropped += [Rejected(name, "env-gone", "The source no longer has it.") for name in wanted if name not in found]
    return EnvironmentMoved(
        {wanted[name]: value for name, value in found.items()},
        {name: place for name, place in wanted.items() if name in found and name != place},
        tuple(dropped),
    )


def scheduler_options(source_options: Mapping[str, str | None]) -> dict[str, str]:
    """Give the [scheduler] options that keep Airflow 2's meaning of schedules ("section.option" -> value).

    `source_options` are those that the source sets itself; they win over Airflow 2's defaults.
    """
    wanted = {**SCHEDULER_OPTIONS, CATCHUP_OPTION: "True"}
    return {option: source_options.get(option) or default for option, default in wanted.items()}


def _place(name: str, *, is_airflow2: bool) -> tuple[str, Rejected] | tuple[None, Rejected]:
    """Give the variable's name in the target, or None and why it stays behind."""
    fine = Rejected(name, "", "")
    if not _NAME.fullmatch(name):
        return None, Rejected(name, "env-name-invalid", "It is not a name that a process can set.")
    if _MACHINE.fullmatch(name):
        return None, Rejected(name, "env-of-machine", "It belongs to the source's machine or process.")
    match = _CONFIG.fullmatch(name)
    if match is None:
        return name, fine
    option = match["option"].lower()
    suffix = _SUFFIX.search(name)
    bare = option[: -len(suffix[0])] if suffix else option
    section = match["section"].lower()
    for candidate in (option, bare):
        place, reason = place_of(f"{section}.{candidate}", is_airflow2=is_airflow2)
        if place is None:
            return None, Rejected(name, "option-not-moved", reason)
        if place != f"{section}.{candidate}":
            new_section, new_option = place.split(".", 1)
            tail = suffix[0] if suffix and candidate == bare and bare != option else ""
            return f"AIRFLOW__{new_section.upper()}__{new_option.upper()}{tail}", fine
    return name, fine
