"""Operators that left their providers: the SQL operators of one database each, SimpleHttpOperator, moved modules."""

from __future__ import annotations

import libcst as cst

from aerodrome.migration.codemod.contract import Options, Rule
from aerodrome.migration.codemod.names import Rewriter, has_double_star, is_free, keyword, run, with_keyword

_SQL_MODULE, _SQL_CLASS = "airflow.providers.common.sql.operators.sql", "SQLExecuteQueryOperator"
_SQL: dict[str, tuple[str, str]] = {}
for _name, _db, _paths in (
    ("PostgresOperator", "postgres", ("providers.postgres.operators.postgres", "operators.postgres_operator")),
    ("MySqlOperator", "mysql", ("providers.mysql.operators.mysql", "operators.mysql_operator")),
    ("SqliteOperator", "sqlite", ("providers.sqlite.operators.sqlite", "operators.sqlite_operator")),
    ("MsSqlOperator", "mssql", ("providers.microsoft.mssql.operators.mssql", "operators.mssql_operator")),
    ("SnowflakeOperator", "snowflake", ("providers.snowflake.operators.snowflake",)),
    ("TrinoOperator", "trino_", ("providers.trino.operators.trino",)),
    ("VerticaOperator", "vertica", ("providers.vertica.operators.vertica",)),
):
    for _path in _paths:
        if _db != "trino_":  # TrinoOperator called its argument trino_conn_id in late versions, conn_id before
            _SQL[f"airflow.{_path}.{_name}"] = (f"{_db}_conn_id", f"{_db}_default")

_RENAMED = {
    "airflow.providers.http.operators.http.SimpleHttpOperator": (
        "airflow.providers.http.operators.http",
        "HttpOperator",
    ),
    "airflow.operators.http_operator.SimpleHttpOperator": ("airflow.providers.http.operators.http", "HttpOperator"),
}
_MOVED = {
    "airflow.providers.cncf.kubernetes.operators.kubernetes_pod": "airflow.providers.cncf.kubernetes.operators.pod",
}
_DOCKER = frozenset(
    {"airflow.providers.docker.operators.docker.DockerOperator", "airflow.operators.docker_operator.DockerOperator"}
)


class _Sql(Rewriter):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        known = next((_SQL[name] for name in self.meanings(original_node.func) if name in _SQL), None)
        if known is None or has_double_star(updated_node):
            return updated_node
        argument, default = known
        args = [
            arg.with_changes(keyword=cst.Name("conn_id")) if arg.keyword and arg.keyword.value == argument else arg
            for arg in updated_node.args
        ]
        call = updated_node.with_changes(func=cst.Name(_SQL_CLASS), args=args)
        if not keyword(call, "conn_id"):
            call = with_keyword(call, "conn_id", f'"{default}"')
        self.count += 1
        self.imports.append((_SQL_MODULE, _SQL_CLASS))
        return call


class _Renames(Rewriter):
    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        for meaning in self.meanings(original_node):
            if meaning in _RENAMED:
                module, name = _RENAMED[meaning]
                self.count += 1
                self.imports.append((module, name))
                return updated_node.with_changes(value=name)
        return updated_node

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        if updated_node.module is None:
            return updated_node
        moved = _MOVED.get(cst.Module([]).code_for_node(updated_node.module))
        if moved is None:
            return updated_node
        self.count += 1
        module = cst.parse_expression(moved)
        return updated_node.with_changes(module=module) if isinstance(module, cst.Attribute) else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        arg = keyword(updated_node, "auto_remove")
        if arg is None or not self.means(original_node.func, _DOCKER) or not isinstance(arg.value, cst.Name):
            return updated_node
        word = {"True": '"success"', "False": '"never"'}.get(arg.value.value)
        if word is None:
            return updated_node
        self.count += 1
        new = [item.with_changes(value=cst.SimpleString(word)) if item is arg else item for item in updated_node.args]
        return updated_node.with_changes(args=new)


def _sql(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    is_possible = is_free(module, _SQL_CLASS, f"{_SQL_MODULE}.{_SQL_CLASS}")
    return run(module, _Sql()) if is_possible else (module, 0)


def _renames(module: cst.Module, _options: Options) -> tuple[cst.Module, int]:
    return run(module, _Renames())


SQL = Rule(
    code="sql-operator",
    title="PostgresOperator and its kin become SQLExecuteQueryOperator(conn_id=…)",
    words=(
        b"PostgresOperator",
        b"MySqlOperator",
        b"SqliteOperator",
        b"MsSqlOperator",
        b"SnowflakeOperator",
        b"VerticaOperator",
    ),
    before="""
from airflow.providers.postgres.operators.postgres import PostgresOperator

load = PostgresOperator(task_id="load", sql="select 1", postgres_conn_id="warehouse")
""",
    after="""
from airflow.providers.postgres.operators.postgres import PostgresOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

load = SQLExecuteQueryOperator(task_id="load", sql="select 1", conn_id="warehouse")
""",
    apply=_sql,
)

RENAMES = Rule(
    code="provider-rename",
    title="Classes, modules and values that providers renamed",
    words=(b"SimpleHttpOperator", b"kubernetes_pod", b"auto_remove"),
    before="""
from airflow.providers.http.operators.http import SimpleHttpOperator

ping = SimpleHttpOperator(task_id="ping", endpoint="/")
""",
    after="""
from airflow.providers.http.operators.http import HttpOperator, SimpleHttpOperator

ping = HttpOperator(task_id="ping", endpoint="/")
""",
    apply=_renames,
)
