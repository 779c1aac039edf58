"""Defaults of a DAG that changed silently: catchup (2.x: True) and the schedule (2.x: daily), written out."""

from __future__ import annotations

import libcst as cst

from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import (
    DAG_CLASSES,
    DAG_DECORATORS,
    Rewriter,
    has_double_star,
    is_free,
    keyword,
    run,
    with_keyword,
)

_SCHEDULES = ("schedule", "schedule_interval", "timetable")
_POSITIONAL = 2  # dag_id and description; a third would be the schedule


def _has_open_end(call: cst.Call) -> bool:
    """Tell whether arguments stand there that cannot be seen."""
    positional = [arg for arg in call.args if arg.keyword is None and not arg.star]
    return has_double_star(call) or any(arg.star == "*" for arg in call.args) or len(positional) > _POSITIONAL


class _Catchup(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not self.means(original_node.func, DAG_CLASSES | DAG_DECORATORS):
            return updated_node
        if keyword(updated_node, "catchup") or _has_open_end(updated_node) or self._is_unscheduled(original_node):
            return updated_node
        self.count += 1
        return with_keyword(updated_node, "catchup", "True")

    def _is_unscheduled(self, call: cst.Call) -> bool:
        """Tell whether catchup has no meaning: triggered by hand or by datasets."""
        for name in _SCHEDULES:
            arg = keyword(call, name)
            if arg is None:
                continue
            value = arg.value
            if isinstance(value, cst.List | cst.Tuple) or (isinstance(value, cst.Name) and value.value == "None"):
                return True
            if isinstance(value, cst.Call) and any("Dataset" in name for name in self.meanings(value.func)):
                return True
        return False


class _Schedule(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not self.means(original_node.func, DAG_CLASSES | DAG_DECORATORS):
            return updated_node
        if any(keyword(updated_node, name) for name in _SCHEDULES) or _has_open_end(updated_node):
            return updated_node
        return self._scheduled(updated_node)

    def leave_Decorator(self, original_node: cst.Decorator, updated_node: cst.Decorator) -> cst.Decorator:
        bare = updated_node.decorator
        if isinstance(bare, cst.Name) and self.means(original_node.decorator, DAG_DECORATORS):
            return updated_node.with_changes(decorator=self._scheduled(cst.Call(bare)))
        return updated_node

    def _scheduled(self, call: cst.Call) -> cst.Call:
        self.count += 1
        self.imports.append(("datetime", "timedelta"))
        return with_keyword(call, "schedule", "timedelta(days=1)")


def _pin_catchup(module: cst.Module, options: Options) -> tuple[cst.Module, int]:
    return run(module, _Catchup()) if options.catchup_by_default else (module, 0)


def _pin_schedule(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _Schedule()) if is_free(module, "timedelta", "datetime.timedelta") else (module, 0)


CATCHUP = Rule(
    code="catchup-default",
    title="catchup is written out where the source's default was True; Airflow 3 has False",
    words=(b"DAG", b"dag"),
    before="""
from airflow import DAG

dag = DAG("sales", schedule="@daily")  # nightly
""",
    after="""
from airflow import DAG

dag = DAG("sales", schedule="@daily", catchup=True)  # nightly
""",
    apply=_pin_catchup,
)

SCHEDULE = Rule(
    code="implicit-schedule",
    title="The daily schedule of 2.x is written out; without a schedule Airflow 3 never runs a DAG by itself",
    words=(b"DAG", b"dag"),
    before="""
from airflow import DAG

dag = DAG(
    "sales",
    catchup=False,
)
""",
    after="""
from airflow import DAG
from datetime import timedelta

dag = DAG(
    "sales",
    catchup=False,
    schedule=timedelta(days=1),
)
""",
    apply=_pin_schedule,
)
