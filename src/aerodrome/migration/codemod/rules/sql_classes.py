"""SQL operators that are gone and that a file needs as classes: as a base, in a table, for isinstance. A class of that name, made of today's operator, takes what the old one took.

As the providers had it themselves before they dropped it (PostgresOperator of postgres 5.14, SnowflakeOperator of snowflake 5.8), with the attribute of the connection that older ones had.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import after_imports
from aerodrome.migration.codemod.imports import drop
from aerodrome.migration.codemod.rules import providers
from aerodrome.migration.codemod.source import Source

MARK = "As it was in Airflow 2"


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    module, base = providers.SQL_MODULE, providers.SQL_CLASS
    if not source.is_free(base, f"{module}.{base}"):
        return
    for node in source.each(ast.ImportFrom):
        for alias in node.names:
            origin = f"{node.module}.{alias.name}"
            if node.level or origin not in providers.SQL_NAMES:
                continue
            name = alias.asname or alias.name
            uses = providers.uses_as_class(source, origin)
            if not uses and not _is_taken(options, name):
                continue
            if not isinstance(source.parents[node], ast.Module) or not source.is_free(name, origin):
                yield Spot(
                    node.lineno,
                    f"{name} is gone, and is needed here as a class.",
                    f"Derive a class of that name from {base} ({module}) that takes what it took.",
                )
                continue
            text = _text(source, name, origin, options)
            at = after_imports(source)
            rest = source.text[at:].replace(b"\r\n", b"\n")
            blank = len(rest) - len(rest.lstrip(b"\n"))
            text = f"\n\n{text}\n" + "\n" * max(0, 2 - blank if rest.strip() else 0)
            edit = Edit(at, at, text.replace("\n", source.newline.decode()))
            yield Change((*drop(source, {origin}), edit), ((module, base),), _note(source, name, uses, options))


def _is_taken(options: Options, name: str) -> bool:
    """Tell whether another file of the project takes the name from this one."""
    return options.project is not None and name in options.project.passed_on.takers(options.file)


def _note(source: Source, name: str, uses: list[ast.Name], options: Options) -> Spot | None:
    """Say what the class cannot do."""
    asked = [node for node in uses if _is_asked(source, node)]
    project = options.project
    others = project.mentioning(name.encode()) if project else ()
    if asked and any(file != options.file for file in others):
        return Spot(
            asked[0].lineno,
            f"{name} is a class of this file now: what other files make of theirs is none of it.",
            f"Import {name} from one file in all of them, or compare with {providers.SQL_CLASS}.",
        )
    hooks = [node for node in source.each(ast.Attribute) if node.attr == "hook" and _is_within(source, node, name)]
    if hooks:
        return Spot(
            hooks[0].lineno,
            f"{name} of today has no `hook`.",
            "Write self.get_db_hook().",
        )
    if options.source_version.startswith(providers.SILENT):
        return Spot(
            uses[0].lineno if uses else 1,
            f"{name} gives the rows of the query to XCom now; providers of before the end of 2022 gave none.",
            "If yours was older than its release that is made of SQLExecuteQueryOperator (postgres 5.3, mysql 3.3, …) say do_xcom_push=False.",
        )
    return None


def _is_asked(source: Source, node: ast.Name) -> bool:
    """Tell whether somebody asks for the class of a task."""
    around: ast.AST = node
    while around in source.parents and not isinstance(around, ast.stmt):
        around = source.parents[around]
        if isinstance(around, ast.Compare) or getattr(getattr(around, "func", None), "id", "") in (
            "isinstance",
            "issubclass",
        ):
            return True
    return False


def _is_within(source: Source, node: ast.Attribute, name: str) -> bool:
    """Tell whether `self.…` stands in a class that is derived from one."""
    if getattr(node.value, "id", "") != "self" or not isinstance(node.ctx, ast.Load):
        return False
    around: ast.AST = node
    while around in source.parents:
        around = source.parents[around]
        if isinstance(around, ast.ClassDef):
            return any(isinstance(base, ast.Name) and base.id == name for base in around.bases)
    return False


def _text(source: Source, name: str, origin: str, options: Options) -> str:
    is_of_1 = not origin.startswith("airflow.providers.") and options.source_version.partition(".")[0] in ("", "1")
    connection, default, _ = providers.sql_arguments(origin)
    is_snowflake = connection == "snowflake_conn_id"
    lines = [f"class {name}({providers.SQL_CLASS}):", f'    """{MARK}: {origin}."""', ""]
    if is_snowflake:
        words = providers.SNOWFLAKE_WORDS
        given = ", ".join(f"{word}=None" for word in words)
        lines += [
            f'    def __init__(self, *, {connection}="{default}", {given}, **kwargs):',
            f"        said = dict({', '.join(f'{word}={word}' for word in words)})",
            "        if any(said.values()):",
            '            kwargs["hook_params"] = {**said, **kwargs.pop("hook_params", {})}',
            f"        super().__init__(conn_id={connection}, **kwargs)",
        ]
    else:
        more = ", runtime_parameters=None" if connection == "postgres_conn_id" and _is_tuned(source, options) else ""
        lines.append(f'    def __init__(self, *, {connection}="{default}", database=None{more}, **kwargs):')
        if more:
            lines += [
                "        if runtime_parameters:",
                '            settings = " ".join(f"-c {name}={value}" for name, value in runtime_parameters.items())',
                '            kwargs["hook_params"] = {"options": settings, **kwargs.pop("hook_params", {})}',
            ]
        lines.append(f"        super().__init__(conn_id={connection}, database=database, **kwargs)")
    lines += [
        "",
        "    @property",
        f"    def {connection}(self):",
        "        return self.conn_id",
        "",
        f"    @{connection}.setter",
        f"    def {connection}(self, value):",
        "        self.conn_id = value",
    ]
    if is_of_1:
        lines += ["", "    def execute(self, context):", "        super().execute(context)  # it gave no rows"]
    elif is_snowflake:
        lines += [
            "",
            "    def _process_output(self, results, descriptions):",
            "        columns = [[column[0] for column in description] for description in descriptions]",
            "        return [[dict(zip(names, row)) for row in rows] for names, rows in zip(columns, results)]",
        ]
    return "\n".join(lines)


def _is_tuned(source: Source, options: Options) -> bool:
    word = b"runtime_parameters"
    return word in source.text or (options.project is not None and bool(options.project.mentioning(word)))


RULE = Rule(
    code="sql-operator-class",
    title="PostgresOperator and its kin that a file needs as classes, as a base or in a table, become classes of the file made of SQLExecuteQueryOperator",
    words=providers.SQL.words,
    before='''
from airflow.providers.postgres.operators.postgres import PostgresOperator


class CountOperator(PostgresOperator):
    """Count the rows of a table."""

    def __init__(self, *, table, postgres_conn_id="warehouse", **kwargs):
        super().__init__(sql=f"select count(*) from {table}", postgres_conn_id=postgres_conn_id, **kwargs)
''',
    after='''
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator


class PostgresOperator(SQLExecuteQueryOperator):
    """As it was in Airflow 2: airflow.providers.postgres.operators.postgres.PostgresOperator."""

    def __init__(self, *, postgres_conn_id="postgres_default", database=None, **kwargs):
        super().__init__(conn_id=postgres_conn_id, database=database, **kwargs)

    @property
    def postgres_conn_id(self):
        return self.conn_id

    @postgres_conn_id.setter
    def postgres_conn_id(self, value):
        self.conn_id = value


class CountOperator(PostgresOperator):
    """Count the rows of a table."""

    def __init__(self, *, table, postgres_conn_id="warehouse", **kwargs):
        super().__init__(sql=f"select count(*) from {table}", postgres_conn_id=postgres_conn_id, **kwargs)
''',
    find=_find,
    is_for_2=True,
)
