"""`days_ago(n)` is gone: midnight UTC n days ago, spelled with pendulum."""

from __future__ import annotations

import libcst as cst

from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import Rewriter, is_free, run

_MEANING = "airflow.utils.dates.days_ago"
_FIELDS = ("n", "hour", "minute", "second", "microsecond")


class _Rewriter(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not self.means(original_node.func, (_MEANING,)) or any(arg.star for arg in updated_node.args):
            return updated_node
        given = {
            (arg.keyword.value if arg.keyword else _FIELDS[position]): arg.value
            for position, arg in enumerate(updated_node.args)
        }
        if "n" not in given or not set(given) <= set(_FIELDS):
            return updated_node
        text = 'pendulum.today("UTC")'
        days = given.pop("n")
        code = _code(days)
        if not (isinstance(days, cst.Integer) and days.evaluated_value == 0):
            text += f".add(days=-{code})" if isinstance(days, cst.Integer | cst.Name) else f".add(days=-({code}))"
        if given:
            text += f".replace({', '.join(f'{name}={_code(value)}' for name, value in given.items())})"
        self.count += 1
        self.imports.append(("pendulum", None))
        return cst.parse_expression(text).with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)


class _Reexports(Rewriter):
    """`from airflow.utils.dates import timedelta` worked by accident."""

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if updated_node.module is None or _code(updated_node.module) != "airflow.utils.dates":
            return updated_node
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        kept = []
        for item in updated_node.names:
            if item.evaluated_name in ("datetime", "timedelta") and item.asname is None:
                self.count += 1
                self.imports.append(("datetime", item.evaluated_name))
            else:
                kept.append(item)
        if len(kept) == len(updated_node.names):
            return updated_node
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _apply(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    module, moved = run(module, _Reexports())
    if not is_free(module, "pendulum", "pendulum"):
        return module, moved
    module, count = run(module, _Rewriter())
    return module, moved + count


RULE = Rule(
    code="days-ago",
    title="days_ago(n) becomes the same moment spelled with pendulum",
    words=(b"airflow.utils.dates", b"days_ago"),
    before="""
from airflow.utils.dates import days_ago

start = days_ago(2, hour=6)
""",
    after="""
from airflow.utils.dates import days_ago
import pendulum

start = pendulum.today("UTC").add(days=-2).replace(hour=6)
""",
    apply=_apply,
)
