"""Options of Airflow that code reads by names which Airflow 3 does not know.

The names are those of `airflow config lint` of 3.3.2 (airflowkit.config_changes), and sections that providers took over under another name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.airflowkit.config_changes import REMOVED, RENAMED
from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword, replace
from aerodrome.migration.codemod.source import Source

_READERS = ("get", "getboolean", "getint", "getfloat", "getlist", "getenum", "getjson", "getimport", "has_option")
_OWNERS = ("airflow.configuration.conf", "airflow.configuration", "airflow.sdk.configuration.conf")
_SECTIONS = {"kubernetes": "kubernetes_executor"}
"""Airflow 2.5 renamed the section, and 3.x has no way back (apache-airflow-providers-cncf-kubernetes, config of kubernetes_executor)."""
_LOGGING = {
    f"core.{name}": f"logging.{name}"
    for name in (
        "base_log_folder", "colored_console_log", "colored_formatter_class", "colored_log_format", "encrypt_s3_logs", "fab_logging_level",
        "interleave_timestamp_parser", "log_filename_template", "log_format", "logging_config_class", "logging_level",
        "remote_base_log_folder", "remote_log_conn_id", "remote_logging", "simple_log_format", "task_log_prefix_template", "task_log_reader",
        "use_historical_filename_templates",
    )
} | {"celery.worker_log_server_port": "logging.worker_log_server_port"}  # fmt: skip
"""Moved by Airflow 2.0, which still answered to the old names; 3.x does not, and its lint does not say so (configuration.py of 2.11.2: deprecated_options)."""
_MEANINGS = frozenset(f"{owner}.{reader}" for owner in _OWNERS for reader in _READERS)
_UNSAID = {"api.base_url": "http://localhost:8080"}
"""Options without a default in 3.3.2, where reading them raises, and the one that they had in 2.11.2: compared over all options of both."""
_OTHER_MEANING = {"api.page_size"}
"""The name is one of 2.x, and another option of 3.x."""


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        given = [*call.args[:2], *(item.value for item in call.keywords if item.arg in ("section", "key"))]
        if len(given) != 2 or not source.means(call.func, _MEANINGS):
            continue
        section, key = (getattr(item, "value", None) for item in given)
        if not isinstance(section, str) or not isinstance(key, str):
            continue
        old = f"{section}.{key}".lower()
        new = _new(old)
        if new != old:
            names = new.partition(".")
            edits = [
                replace(source, item, f'"{text}"')
                for item, text in zip(given, (names[0], names[2]), strict=True)
                if getattr(item, "value", None) != text
            ]
            if new in _UNSAID and call.func.attr != "has_option" and not keyword(call, "fallback"):  # type: ignore[attr-defined]
                edits.append(add_keyword(source, call, "fallback", f'"{_UNSAID[new]}"'))
            yield Change(tuple(edits))
        elif old in REMOVED and not keyword(call, "fallback"):
            yield Spot(
                call.lineno, f"[{section}] {key} is gone in Airflow 3.", "Take it out, or give a value with fallback=."
            )


def _new(option: str) -> str:
    """Follow an option through its names."""
    seen = set(_OTHER_MEANING)
    while option in (names := _LOGGING | RENAMED) and option not in seen:
        seen.add(option)
        option = names[option]
    section, _, name = option.partition(".")
    return f"{_SECTIONS.get(section, section)}.{name}"


RULE = Rule(
    code="config-option-read",
    title="Options that code reads have the names of Airflow 3",
    words=(b"conf",),
    before="""
from airflow.configuration import conf

image = conf.get("kubernetes", "worker_container_repository")
most = conf.getint("core", "dag_concurrency", fallback=16)
logs = conf.get("core", "BASE_LOG_FOLDER")
url = conf.get("webserver", "base_url")
""",
    after="""
from airflow.configuration import conf

image = conf.get("kubernetes_executor", "worker_container_repository")
most = conf.getint("core", "max_active_tasks_per_dag", fallback=16)
logs = conf.get("logging", "base_log_folder")
url = conf.get("api", "base_url", fallback="http://localhost:8080")
""",
    find=_find,
)
