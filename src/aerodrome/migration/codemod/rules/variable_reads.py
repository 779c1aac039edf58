"""Ways to read a variable that only the class of Airflow's database has: `Variable.get_variable_from_secrets`, and `default_var` where ruff does not see the class.

airflow.sdk.Variable of 3.3.2 has get, set, keys and delete; its get takes `default`. get of 2.11.2 is get_variable_from_secrets and what follows where that gives None.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword, rename_keyword
from aerodrome.migration.codemod.source import Source

_OLD = ("airflow.models.Variable", "airflow.models.variable.Variable")
_SDK = "airflow.sdk.Variable"
_CLASSES = (*_OLD, _SDK)
_READ, _GET = "get_variable_from_secrets", "get"
_READS = frozenset(f"{name}.{_READ}" for name in _CLASSES)
_GETS = frozenset(f"{name}.{_GET}" for name in _OLD)
_IMPORT = (("airflow.sdk", "Variable"),)


def _find(source: Source, _options: Options) -> Iterator[Change]:
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute):
            continue
        is_passed_on = (
            isinstance(func.value, ast.Name) and func.value.id == "Variable" and source.is_passed_on(func.value)
        )
        if func.attr == _READ and source.means(func, _READS) and not has_open_end(call):
            is_new = is_passed_on or source.means(func.value, (_SDK,))
            edits = [_named(source, func), add_keyword(source, call, "default" if is_new else "default_var", "None")]
            yield Change(tuple(edits), _IMPORT if is_passed_on else ())
        item = keyword(call, "default_var") if func.attr == _GET and is_passed_on else None
        if item and source.means(func, _GETS):  # the file that passes the class on may have either
            yield Change((rename_keyword(source, item, "default"),), _IMPORT)


def _named(source: Source, func: ast.Attribute) -> Edit:
    end = source.end(func)
    return Edit(end - len(_READ), end, _GET)


RULE = Rule(
    code="variable-read",
    title="Variable.get_variable_from_secrets is Variable.get with None for what is not there",
    words=(b"Variable",),
    before="""
from airflow.models import Variable

token = Variable.get_variable_from_secrets("token")
""",
    after="""
from airflow.models import Variable

token = Variable.get("token", default_var=None)
""",
    find=_find,
)
