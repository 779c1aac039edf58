"""What stands around DAG code: airflow.cfg, Dockerfiles, compose files, .env files, shell scripts, Makefiles. Pure.

Environment variables of options that only got another name are renamed; everything else is a finding with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from aerodrome.airflowkit.code import calls_old_api
from aerodrome.airflowkit.config_changes import REMOVED, RENAMED
from aerodrome.migration.codemod.contract import Remaining

_ENDINGS = {".sh", ".bash", ".zsh", ".env", ".yaml", ".yml", ".mk", ".cfg"}
_IGNORE = ".airflowignore"
_PATTERN = re.compile(r"^[\w./-]+$")
_NAMES = re.compile(
    r"(?i)^(\.airflowignore|dockerfile.*|.*\.dockerfile|makefile|\.env.*|airflow\.cfg|procfile|crontab)$"
)
_VARIABLE = re.compile(r"\bAIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+?)(_CMD|_SECRET)?\b")
_SECTION = re.compile(r"^\s*\[([\w-]+)\]\s*$")
_OPTION = re.compile(r"^([a-z]\w*)\s*=")
_IMAGE = re.compile(
    r"(?i)^\s*(?:FROM|image:)\s+[\"']?(\S*(?:apache/airflow|puckel/docker-airflow|ap-airflow|astro-runtime|airflow)[:@]\S+)"
)
_OTHER_VALUES = {
    "api.auth_backend", "api.auth_backends", "webserver.session_lifetime_days", "webserver.force_log_out_after",
    "celery.stalled_task_timeout", "celery.task_adoption_timeout", "kubernetes_executor.worker_pods_pending_timeout",
    "policy.airflow_local_settings", "api.page_size", "scheduler.max_threads",
}  # fmt: skip
"""Renamed options whose value means something else under the new name, or that several old ones share."""
_COMMANDS: tuple[tuple[str, str], ...] = (
    (r"initdb|upgradedb|resetdb|db\s+init|db\s+upgrade", "airflow db migrate"),
    (r"webserver", "airflow api-server"),
    (r"trigger_dag", "airflow dags trigger"),
    (r"list_dags", "airflow dags list"),
    (r"list_tasks", "airflow tasks list"),
    (r"(?:un)?pause", "airflow dags pause or unpause"),
    (r"backfill|dags\s+backfill", "airflow backfill create"),
    (r"test|run", "airflow tasks test"),
    (r"tasks\s+run", "airflow tasks test; workers run tasks by themselves"),
    (r"worker|flower|kerberos_renewer", "airflow celery worker, airflow celery flower"),
    (r"create_user|delete_user|list_users", "airflow users create, with the FAB auth manager"),
    (r"variables\s+-+\w+", "airflow variables get, set, import or export"),
    (r"connections\s+list\s+--conn-id", "airflow connections get"),
    (r"connections\s+-+\w+", "airflow connections get, add, import or export"),
    (r"pool\s+-+\w+|pools\s+-+\w+", "airflow pools get, set, import or export"),
    (r"clear|dag_state|task_state|next_execution|delete_dag|show_dag|render|list_dag_runs|task_failed_deps", "airflow dags … or airflow tasks …"),
)  # fmt: skip
_CALL = re.compile(
    r"(?<![\w./-])airflow\s+(?:"
    + "|".join(f"(?P<c{at}>{pattern})" for at, (pattern, _) in enumerate(_COMMANDS))
    + r")(?![\w-])"
)


def is_concerned(path: PurePath) -> bool:
    return path.suffix in _ENDINGS or _NAMES.match(path.name) is not None


def upgrade_surroundings(text: str, file: str) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Give the new text, how often a rule was applied, and what a person must look at."""
    if PurePath(file).name == _IGNORE:
        return text, {}, _ignored(text, file)
    count = 0
    findings: list[Remaining] = []

    def variable(match: re.Match[str]) -> str:
        nonlocal count
        old = f"{match[1]}.{match[2]}".lower()
        if old not in RENAMED or old in _OTHER_VALUES:
            return match[0]
        count += 1
        return f"AIRFLOW__{_last(old).upper().replace('.', '__', 1)}{match[3] or ''}"

    lines = text.splitlines(keepends=True)
    is_config = PurePath(file).suffix == ".cfg"
    section = ""
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        lines[number - 1] = _VARIABLE.sub(variable, line)
        findings += [Remaining(code, file, number, message, hint) for code, message, hint in _look(lines[number - 1])]
        if is_config and (head := _SECTION.match(line)):
            section = head[1].lower()
        elif is_config and section and (item := _OPTION.match(line)):
            findings += [
                Remaining(code, file, number, message, hint) for code, message, hint in _option(f"{section}.{item[1]}")
            ]
    return "".join(lines), ({"config-variable": count} if count else {}), tuple(findings)


def _ignored(text: str, file: str) -> tuple[Remaining, ...]:
    """Airflow 3 reads these patterns as globs ([core] dag_ignore_file_syntax); before they were regular expressions."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    patterns = [(number, line) for number, line in lines if line and not line.startswith("#")]
    number = next((number for number, line in patterns if not _PATTERN.match(line)), patterns[0][0] if patterns else 0)
    if not number:
        return ()
    message = "Airflow 3 reads these patterns as globs; before, they were regular expressions that matched anywhere in a path."
    hint = "Write globs (**/name_*.py), or set AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX=regexp."
    return (Remaining("airflowignore", file, number, message, hint),)


_OF_2 = re.compile(r"airflow\s+(?:webserver|db|dags|tasks)\b")


def commands_of_1(text: str, file: str) -> tuple[Remaining, ...]:
    """Give the calls of the CLI and the API that Airflow 2 does not have either."""
    found: list[Remaining] = []
    for number, line in enumerate(text.splitlines(), 1):
        call = None if line.lstrip().startswith(("#", ";")) else _CALL.search(line)
        if call and not _OF_2.match(call[0]):
            message = f"`{' '.join(call[0].split())}` is a command of the CLI of Airflow 1.10."
            found.append(Remaining("old-cli", file, number, message, "See `airflow --help` of the target."))
    return tuple(found)


def _last(option: str) -> str:
    seen = {option}
    while option != "api.page_size" and (after := RENAMED.get(option)) is not None and after not in seen:
        seen.add(after)
        option = after
    return option


def _look(line: str) -> Iterator[tuple[str, str, str]]:
    for match in _VARIABLE.finditer(line):
        yield from _option(f"{match[1]}.{match[2]}".lower())
    if call := _CALL.search(line):
        place = next(int(name[1:]) for name, found in call.groupdict().items() if found)
        yield (
            "old-cli",
            f"`{' '.join(call[0].split())}` is a command of Airflow's old CLI.",
            f"Now: {_COMMANDS[place][1]}.",
        )
    if calls_old_api(line):
        yield "old-rest-api", "Airflow's REST API v1 is called, which is gone.", "Call /api/v2 with a token."
    if image := _IMAGE.match(line):
        yield (
            "airflow-image",
            f"The image {image[1]} brings the old Airflow.",
            "Build on an image of the target's Airflow and Python.",
        )


def _option(option: str) -> Iterator[tuple[str, str, str]]:
    section, _, name = option.partition(".")
    if option == "api.page_size":  # one of 2.x, and another of 3.x: the text does not tell
        return
    if option in REMOVED and option not in RENAMED:
        yield "config-option", f"[{section}] {name} is gone in Airflow 3.", "Take it out."
    elif option in RENAMED:
        new = _last(option)
        place = f"[{new.partition('.')[0]}] {new.partition('.')[2]}"
        more = " Its value is written otherwise there." if option in _OTHER_VALUES else ""
        yield "config-option", f"[{section}] {name} became {place} in Airflow 3.{more}", f"Write {place}."
