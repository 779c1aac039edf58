"""Which expressions of a file are moments of pendulum: what the task context gives, what pendulum makes, and what both lead to."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.origin import is_of_1
from aerodrome.migration.codemod.rules.given import given_to
from aerodrome.migration.codemod.rules.tasks import function_of, is_handed_context, may_be_context
from aerodrome.migration.codemod.source import Source

KEYS = (
    "execution_date",
    "logical_date",
    "next_execution_date",
    "data_interval_start",
    "data_interval_end",
    "prev_execution_date",
    "prev_execution_date_success",
    "prev_start_date_success",
    "prev_data_interval_start_success",
    "prev_data_interval_end_success",
)
"""Names of the task context that are moments of pendulum in 1.10.15 (TaskInstance.get_template_context) and in 2.x and 3.x (Context)."""
METHODS = ("add", "subtract", "start_of", "end_of", "in_timezone", "in_tz", "replace", "next", "previous")
"""What gives a moment from a moment, in pendulum 1, 2 and 3."""
_MADE = ("now", "datetime", "create", "instance", "parse", "today", "tomorrow", "yesterday", "utcnow", "from_timestamp")
_DEEP = 10
NEWEST_PENDULUM = 3
_FIRST_WITH_3 = (2, 8)  # Airflow 2.8 is the first that takes pendulum 3


def pendulum_of(text: bytes, options: Options) -> int:
    """Give the major version of pendulum that the source's Airflow brings: 1.4 (1.10.15), 2.1 (2.0 to 2.7), 3 (since 2.8)."""
    if not options.source_version:
        return 1 if is_of_1(text) else NEWEST_PENDULUM
    words = options.source_version.split(".")
    version = tuple(int(word) for word in words[:2] if word.isdigit())
    return 1 if version < (2,) else 2 if version < _FIRST_WITH_3 else NEWEST_PENDULUM


class Moments:
    """Knows the moments of one file; an index of its assignments makes each question cheap."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._given: dict[ast.FunctionDef | ast.AsyncFunctionDef, set[str] | None] = {}
        self._values: dict[tuple[ast.AST | None, str], list[ast.expr | None]] = {}
        given: dict[ast.AST, ast.expr | None] = {}
        for item in source.each(ast.Assign):
            given |= {to: item.value for to in item.targets if isinstance(to, ast.Name)}
        for annotated in source.each(ast.AnnAssign):
            given |= {annotated.target: annotated.value} if isinstance(annotated.target, ast.Name) else {}
        for name in source.each(ast.Name):
            if isinstance(name.ctx, ast.Store):  # of a loop, a `with` or an unpacking: None, which is no moment
                self._values.setdefault((self._function(name), name.id), []).append(given.get(name))

    def has(self, node: ast.expr | None, depth: int = 0) -> bool:
        """Tell whether an expression surely is a moment of pendulum."""
        if depth > _DEEP:
            return False
        if isinstance(node, ast.Subscript):
            return self._is_kept(node, node.value, node.slice)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            return self.has(node.left, depth + 1) and not self.has(node.right, depth + 1)
        if isinstance(node, ast.IfExp):
            return self.has(node.body, depth + 1) and self.has(node.orelse, depth + 1)
        if isinstance(node, ast.BoolOp):
            return all(self.has(value, depth + 1) for value in node.values)
        if isinstance(node, ast.Call):
            return self._is_made(node, depth)
        return isinstance(node, ast.Name) and self._is_named(node, depth)

    def _is_made(self, call: ast.Call, depth: int) -> bool:
        if self._source.means(call.func, {f"pendulum.{name}" for name in _MADE}):
            return True
        if isinstance(call.func, ast.Name) and call.func.id in ("min", "max") and len(call.args) > 1:
            return all(self.has(item, depth + 1) for item in call.args)
        if not isinstance(call.func, ast.Attribute):
            return False
        if call.func.attr in METHODS:
            return self.has(call.func.value, depth + 1)
        return call.func.attr == "get" and bool(call.args) and self._is_kept(call, call.func.value, call.args[0])

    def _is_kept(self, node: ast.expr, owner: ast.expr, key: ast.expr) -> bool:
        """Tell whether a task's context holds a moment under a key: not what op_kwargs or a caller of the file put there."""
        name = getattr(key, "value", None)
        if name not in KEYS or not isinstance(owner, ast.Name) or not may_be_context(self._source, owner, str(name)):
            return False
        function = self._function(node)
        if function is None or self._is_filled(function, node, str(name), owner.id == "kwargs"):
            return True
        return is_handed_context(self._source, owner, str(name)) and not self._is_in_op_kwargs(str(name))

    def _is_in_op_kwargs(self, name: str) -> bool:
        """Tell whether some task of the file may get a value of this name that is not the context's."""
        given = [
            item.value for call in self._source.each(ast.Call) for item in call.keywords if item.arg == "op_kwargs"
        ]
        return any(
            not isinstance(item, ast.Dict) or any(getattr(key, "value", name) == name for key in item.keys)
            for item in given
        )

    def _is_filled(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, node: ast.AST, name: str, is_ours: bool
    ) -> bool:
        """Tell whether nobody but Airflow gives a function a value of this name; `is_ours`: Airflow must be seen to call it."""
        if is_ours and function_of(self._source, node) is not function:
            return False
        if function not in self._given:
            self._given[function] = given_to(self._source, function.name)
        given = self._given[function]
        return given is not None and name not in given

    def _is_named(self, node: ast.Name, depth: int) -> bool:
        """Follow a name to what it was given in its function: a parameter that Airflow fills, or assignments that all are moments."""
        function = self._function(node)
        if values := self._values.get((function, node.id)):
            return all(self.has(value, depth + 1) for value in values)
        is_parameter = node.id in KEYS and function is not None and node.id in _parameters(function)
        return is_parameter and function is not None and self._is_filled(function, node, node.id, is_ours=True)

    def _function(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        found: ast.AST | None = node
        while found is not None and not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            found = self._source.parents.get(found)
        return found


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
