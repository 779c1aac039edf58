"""Functions of `airflow.configuration` (deprecated since 1.10, gone in 3): those of its object `conf`.

Ruff 0.14's AIR301 writes `conf(...)` for `configuration.get(...)`, which cannot be called; this is written before it looks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

_MODULE = "airflow.configuration"
_NAMES = ("get", "getboolean", "getfloat", "getint", "getsection", "has_option", "remove_option", "as_dict", "set")
_FUNCTIONS = {f"{_MODULE}.{name}" for name in _NAMES}


def _find(source: Source, _options: Options) -> Iterator[Change]:
    for node in source.each(ast.ImportFrom):
        if node.module == "airflow" and not node.level and any(alias.name == "conf" for alias in node.names):
            yield _moved(source, node)
    for attribute in source.each(ast.Attribute):
        if attribute.attr in _NAMES and source.means(attribute, _FUNCTIONS):
            end = source.end(attribute.value)
            yield Change((Edit(end, end, ".conf"),))
    for name in source.each(ast.Name):
        found = source.meanings(name) & _FUNCTIONS
        if not found or not isinstance(name.ctx, ast.Load):
            continue
        function = next(iter(found)).rpartition(".")[2]
        conf = "conf" if source.is_free("conf", f"{_MODULE}.conf") else "airflow_conf"
        wanted = conf if conf == "conf" else f"conf as {conf}"
        yield Change((replace(source, name, f"{conf}.{function}"),), imports=((_MODULE, wanted),))


def _moved(source: Source, node: ast.ImportFrom) -> Change:
    """Take `conf` out of an import from airflow itself, which has it no longer."""
    taken = [_text(alias) for alias in node.names if alias.name == "conf"]
    left = [_text(alias) for alias in node.names if alias.name != "conf"]
    if not left:
        return Change((replace(source, node, f"from {_MODULE} import {', '.join(taken)}"),))
    kept = replace(source, node, f"from airflow import {', '.join(left)}")
    return Change((kept,), imports=tuple((_MODULE, name) for name in taken))


def _text(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


RULE = Rule(
    code="configuration-function",
    title="Functions of airflow.configuration are those of its object conf",
    words=(b"configuration", b"conf"),
    before="""
from airflow import configuration
from airflow.configuration import getboolean

folder = configuration.get("core", "dags_folder")
is_paused = getboolean("core", "dags_are_paused_at_creation")
""",
    after="""
from airflow import configuration
from airflow.configuration import getboolean
from airflow.configuration import conf

folder = configuration.conf.get("core", "dags_folder")
is_paused = conf.getboolean("core", "dags_are_paused_at_creation")
""",
    find=_find,
)
