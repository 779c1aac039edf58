"""Arguments that Airflow 3 refuses and that had no effect on what runs."""

from __future__ import annotations

import libcst as cst

from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import DAG_CLASSES, DAG_DECORATORS, Rewriter, keyword, run, without

_DAG_ARGUMENTS = ("default_view", "orientation", "full_filepath")
_SDK_DAG = frozenset({"airflow.sdk.DAG", "airflow.sdk.dag"})


class _Context(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        call, dropped = without(updated_node, ("provide_context",))
        self.count += dropped
        return call

    def leave_Dict(self, original_node: cst.Dict, updated_node: cst.Dict) -> cst.BaseExpression:
        kept = [item for item in updated_node.elements if not _is_key(item, "provide_context")]
        dropped = len(updated_node.elements) - len(kept)
        if not dropped:
            return updated_node
        self.count += dropped
        if kept and updated_node.elements[-1] not in kept:
            kept[-1] = kept[-1].with_changes(comma=updated_node.elements[-1].comma)
        return updated_node.with_changes(elements=kept)


def _is_key(item: cst.BaseDictElement, name: str) -> bool:
    return (
        isinstance(item, cst.DictElement)
        and isinstance(item.key, cst.SimpleString)
        and item.key.evaluated_value == name
    )


class _View(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not self.means(original_node.func, DAG_CLASSES | DAG_DECORATORS | _SDK_DAG):
            return updated_node
        call, dropped = without(updated_node, _DAG_ARGUMENTS)
        if keyword(call, "concurrency") and keyword(call, "max_active_tasks"):
            call, more = without(call, ("concurrency",))  # 2.x took max_active_tasks; ruff would write it twice
            dropped += more
        self.count += dropped
        return call


def _drop_context(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _Context())


def _drop_view(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _View())


PROVIDE_CONTEXT = Rule(
    code="provide-context",
    title="provide_context is dropped: the context is always given",
    words=(b"provide_context",),
    before="""
task = PythonOperator(
    task_id="load",
    python_callable=load,
    provide_context=True,
)
""",
    after="""
task = PythonOperator(
    task_id="load",
    python_callable=load,
)
""",
    apply=_drop_context,
)

DAG_VIEW = Rule(
    code="dag-view",
    title="default_view, orientation and full_filepath are dropped: Airflow 3's pages do not know them",
    words=(b"default_view", b"orientation", b"full_filepath", b"concurrency"),
    before="""
from airflow import DAG

dag = DAG("sales", schedule=None, default_view="graph", orientation="LR", tags=["a"])
""",
    after="""
from airflow import DAG

dag = DAG("sales", schedule=None, tags=["a"])
""",
    apply=_drop_view,
)
