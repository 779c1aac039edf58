"""`models.DAG(…)` becomes `DAG(…)`: ruff adds the new import but never rewrites such references, and gives up."""

from __future__ import annotations

import re

import libcst as cst

from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import Rewriter, is_free, run

_MODULES = re.compile(r"airflow(\.(models|operators|sensors|hooks|contrib|datasets|utils\.dates)(\.[a-z_0-9]+)*)?")


class _Rewriter(Rewriter):
    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self._module = module

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        for meaning in self.meanings(original_node):
            owner, _, name = meaning.rpartition(".")
            is_wanted = name[:1].isupper() or name == "days_ago"
            if is_wanted and _MODULES.fullmatch(owner) and is_free(self._module, name, meaning):
                self.count += 1
                self.imports.append((owner, name))
                return cst.Name(name, lpar=updated_node.lpar, rpar=updated_node.rpar)
        return updated_node

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False


def _apply(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _Rewriter(module))


RULE = Rule(
    code="attribute-reference",
    title="Classes that are reached through their module are imported by name",
    words=(b"airflow",),
    before="""
from airflow import models

with models.DAG("sales", catchup=False, schedule="@daily"):
    pass
""",
    after="""
from airflow import models
from airflow.models import DAG

with DAG("sales", catchup=False, schedule="@daily"):
    pass
""",
    apply=_apply,
)
