"""Names that left the task context, replaced where an exact equal exists: in Jinja templates and in Python."""

from __future__ import annotations

import re

import libcst as cst

from aerodrome.airflowkit.code import RENAMED_IN_PYTHON, RENAMED_IN_TEMPLATES
from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import Rewriter, run

_CONTEXTS = ("context", "kwargs", "ctx", "ti_context", "_context")
_BLOCK = re.compile(r"(\{[{%])(.*?)([%}]\})", re.DOTALL)
_NAME = re.compile(rf"(?<![\w.'\"])({'|'.join(sorted(RENAMED_IN_TEMPLATES, key=len, reverse=True))})\b")
_ATTRIBUTES = (
    (re.compile(r"\bdag_run\.execution_date\b"), "dag_run.logical_date"),
    (re.compile(r"\b(?:ti|task_instance)\.execution_date\b"), "logical_date"),
)


def rewrite_template(text: str, quote: str = "'") -> tuple[str, int]:
    """Replace removed names within the Jinja blocks of a text."""
    count = 0

    def block(match: re.Match[str]) -> str:
        nonlocal count
        inner = match[2]
        for pattern, new in _ATTRIBUTES:
            inner, done = pattern.subn(new, inner)
            count += done

        def name(found: re.Match[str]) -> str:
            new = RENAMED_IN_TEMPLATES[found[1]].format(q=quote)
            is_alone = inner.strip() == found[1]
            return new if is_alone or "|" not in new else f"({new})"

        inner, done = _NAME.subn(name, inner)
        count += done
        return match[1] + inner + match[3]

    return _BLOCK.sub(block, text), count


class _Rewriter(Rewriter):
    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.BaseExpression:
        if "{{" not in updated_node.value and "{%" not in updated_node.value:
            return updated_node
        quote = "'" if '"' in updated_node.quote else '"'
        text, count = rewrite_template(updated_node.value, quote)
        self.count += count
        return updated_node.with_changes(value=text) if count else updated_node

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        owner = updated_node.value
        if not (isinstance(owner, cst.Name) and owner.value in _CONTEXTS and len(updated_node.slice) == 1):
            return updated_node
        index = updated_node.slice[0].slice
        if not isinstance(index, cst.Index) or (key := _renamed(index.value)) is None:
            return updated_node
        self.count += 1
        element = updated_node.slice[0].with_changes(slice=index.with_changes(value=key))
        return updated_node.with_changes(slice=[element])

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        func = updated_node.func
        is_get = isinstance(func, cst.Attribute) and func.attr.value in ("get", "pop")
        if not is_get or not updated_node.args or not isinstance(func, cst.Attribute):
            return updated_node
        if not (isinstance(func.value, cst.Name) and func.value.value in _CONTEXTS):
            return updated_node
        key = _renamed(updated_node.args[0].value)
        if key is None:
            return updated_node
        self.count += 1
        return updated_node.with_changes(args=[updated_node.args[0].with_changes(value=key), *updated_node.args[1:]])

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if updated_node.attr.value != "execution_date" or not _is_dag_run(updated_node.value):
            return updated_node
        self.count += 1
        return updated_node.with_changes(attr=cst.Name("logical_date"))


def _renamed(node: cst.BaseExpression) -> cst.SimpleString | None:
    if isinstance(node, cst.SimpleString) and node.evaluated_value in RENAMED_IN_PYTHON:
        return node.with_changes(value=f"{node.quote}{RENAMED_IN_PYTHON[str(node.evaluated_value)]}{node.quote}")
    return None


def _is_dag_run(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Name):
        return node.value == "dag_run"
    if isinstance(node, cst.Subscript) and len(node.slice) == 1:
        index = node.slice[0].slice
        is_text = isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)
        return (
            is_text and isinstance(node.value, cst.Name) and node.value.value in _CONTEXTS and "dag_run" in _text(index)
        )
    return False


def _text(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _apply(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _Rewriter())


RULE = Rule(
    code="context-key",
    title="Names that left the task context are replaced by their equals",
    words=(b"_date", b"_ds"),
    before="""
command = "load {{ execution_date }} {{ next_ds }} {{ macros.ds_add(yesterday_ds, 1) }}"


def load(**context):
    return context["execution_date"], context["dag_run"].execution_date
""",
    after="""
command = "load {{ logical_date }} {{ data_interval_end | ds }} {{ macros.ds_add(macros.ds_add(ds, -1), 1) }}"


def load(**context):
    return context["logical_date"], context["dag_run"].logical_date
""",
    apply=_apply,
)
