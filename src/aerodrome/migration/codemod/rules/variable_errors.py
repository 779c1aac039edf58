"""A variable that is not there: KeyError in 1.10 and 2, AirflowRuntimeError in 3 (airflow.sdk, Variable.get and _get_variable, 3.3.2)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

_ERROR = "AirflowRuntimeError"
_MODULE = "airflow.sdk.exceptions"
_GET = {
    f"{name}.get" for name in ("airflow.models.Variable", "airflow.models.variable.Variable", "airflow.sdk.Variable")
}


def _find(source: Source, options: Options) -> Iterator[Change]:
    if options.source_version.startswith("3"):
        return
    for attempt in source.each(ast.Try):
        if not any(_may_miss(source, node) for statement in attempt.body for node in ast.walk(statement)):
            continue
        for handler in attempt.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            names = [kind.id for kind in kinds if isinstance(kind, ast.Name)]
            if handler.type is None or not {"KeyError", "LookupError"} & set(names):
                continue
            if {_ERROR, "Exception", "BaseException"} & set(names) or not source.is_free(_ERROR, f"{_MODULE}.{_ERROR}"):
                continue
            code = ", ".join([*(source.code(kind) for kind in kinds if kind is not None), _ERROR])
            yield Change((replace(source, handler.type, f"({code})"),), imports=((_MODULE, _ERROR),))


def _may_miss(source: Source, node: ast.AST) -> bool:
    """Tell whether a call reads a variable and says nothing for the case that there is none."""
    if not isinstance(node, ast.Call) or not source.means(node.func, _GET):
        return False
    return len(node.args) == 1 and not any(item.arg in ("default_var", "default", None) for item in node.keywords)


RULE = Rule(
    code="variable-error",
    title="What catches the KeyError of a variable that is not there catches Airflow 3's error, too",
    words=(b"Variable",),
    before="""
from airflow.models import Variable

try:
    size = Variable.get("size")
except KeyError:
    size = "small"
""",
    after="""
from airflow.models import Variable
from airflow.sdk.exceptions import AirflowRuntimeError

try:
    size = Variable.get("size")
except (KeyError, AirflowRuntimeError):
    size = "small"
""",
    find=_find,
)
