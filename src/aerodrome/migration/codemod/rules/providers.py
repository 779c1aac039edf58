"""Operators whose arguments changed when they left core or their provider."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, drop_item, has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

SQL_MODULE, SQL_CLASS = "airflow.providers.common.sql.operators.sql", "SQLExecuteQueryOperator"
_SQL: dict[str, tuple[str, str, str]] = {}
for _name, _db, _field, _paths in (
    ("PostgresOperator", "postgres", "database", ("providers.postgres.operators.postgres", "operators.postgres_operator", "operators.postgres")),
    ("MySqlOperator", "mysql", "schema", ("providers.mysql.operators.mysql", "operators.mysql_operator", "operators.mysql")),
    ("SqliteOperator", "sqlite", "", ("providers.sqlite.operators.sqlite", "operators.sqlite_operator", "operators.sqlite")),
    ("MsSqlOperator", "mssql", "schema", ("providers.microsoft.mssql.operators.mssql", "operators.mssql_operator", "operators.mssql")),
    ("OracleOperator", "oracle", "schema", ("providers.oracle.operators.oracle", "operators.oracle_operator", "operators.oracle")),
    ("JdbcOperator", "jdbc", "", ("providers.jdbc.operators.jdbc", "operators.jdbc_operator", "operators.jdbc")),
    ("VerticaOperator", "vertica", "", ("providers.vertica.operators.vertica", "contrib.operators.vertica_operator")),
    ("DrillOperator", "drill", "", ("providers.apache.drill.operators.drill",)),
    ("RedshiftSQLOperator", "redshift", "", ("providers.amazon.aws.operators.redshift_sql",)),
):  # fmt: skip
    for _path in (*_paths, "operators"):
        _SQL[f"airflow.{_path}.{_name}"] = (f"{_db}_conn_id", f"{_db}_default", _field)
_SNOWFLAKE = frozenset(
    {
        "airflow.providers.snowflake.operators.snowflake.SnowflakeOperator",
        "airflow.contrib.operators.snowflake_operator.SnowflakeOperator",
    }
)
SQL_NAMES = frozenset(_SQL) | _SNOWFLAKE
_BACKCOMPAT = "airflow.providers.cncf.kubernetes.backcompat."
REPLACED = SQL_NAMES | {
    f"{_BACKCOMPAT}{name}" for name in ("pod.Port", "pod.Resources", "pod_runtime_info_env.PodRuntimeInfoEnv", "volume.Volume", "volume_mount.VolumeMount")
}  # fmt: skip
"""Names that no package has any more and that the table of moves leaves to rules: an import of them fails, used or not."""
SNOWFLAKE_WORDS = ("warehouse", "database", "role", "schema", "authenticator", "session_parameters")
_DOCKER = frozenset(
    {
        "airflow.providers.docker.operators.docker.DockerOperator",
        "airflow.operators.docker_operator.DockerOperator",
        "airflow.providers.docker.operators.docker_swarm.DockerSwarmOperator",
        "airflow.contrib.operators.docker_swarm_operator.DockerSwarmOperator",
    }
)
SILENT = ("2.0.", "2.1.", "2.2.", "2.3.", "2.4.")
"""Airflows that came out with SQL operators that gave no rows back."""
_VENV = frozenset({"airflow.operators.python.is_venv_installed"})
_TRIGGER_RUN = "TriggerDagRunOperator"
_MARKER = "ExternalTaskMarker"
_OLDER = 2  # has execution_date still


def _sql(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(SQL_CLASS, f"{SQL_MODULE}.{SQL_CLASS}"):
        return
    for made in operators.made(source):
        call = made.call
        meaning = next(iter(made.old & SQL_NAMES), None)
        if meaning is None or not _is_a_base_only(source, meaning) or source.is_passed_on(made.node):
            continue  # the file that passes it on gets a class of that name
        settings = keyword(call, "runtime_parameters")
        if has_open_end(call) or (settings and _options_of(settings.value) is None) or _is_doubly_hooked(call, meaning):
            yield Spot(
                call.lineno,
                f"{meaning.rpartition('.')[2]} is gone.",
                f"Use {SQL_CLASS}(conn_id=…, hook_params={{…}}).",
            )
            continue
        if made.node is call.func and operators.is_of_1(made, options) and (edit := _as_1_did(source, call, meaning)):
            yield Change((edit,))
            continue  # the next round goes on
        argument, default, field = _SQL.get(meaning, ("snowflake_conn_id", "snowflake_default", "database"))
        note: Spot | None = None
        edits = [] if made.is_expanding else [replace(source, made.node, SQL_CLASS)]
        edits += [rename_keyword(source, item, "conn_id") for item in call.keywords if item.arg == argument]
        if settings:
            text = f'hook_params={{"options": "{_options_of(settings.value)}"}}'
            edits.append(Edit(source.start(settings), source.end(settings.value), text))
        if meaning in _SNOWFLAKE:
            edits += _hooked(source, call)
        elif (item := keyword(call, field)) and field != "database":
            edits.append(rename_keyword(source, item, "database"))
        if not keyword(call, "conn_id") and not keyword(call, argument) and made.node is call.func:
            given = _of_default_args(source, argument)
            edits.append(add_keyword(source, call, "conn_id", given or f'"{default}"'))
            note = None if given or sees_default_args(source) else _unseen(call.lineno, argument, default)
        if made.node is call.func and options.source_version.startswith(SILENT) and not _is_silent(call):
            note = note or _of_rows(call)
        elif meaning in _SNOWFLAKE and not _is_silent(call) and any(word in source.text for word in _READ):
            note = note or _of_dictionaries(call)
        if edits:
            yield Change(tuple(edits), ((SQL_MODULE, SQL_CLASS),), note)


_READ = (b"xcom_pull", b".output")


def _of_dictionaries(call: ast.Call) -> Spot:
    """What SnowflakeOperator made of rows; providers 2.6 to 5.8."""
    return Spot(
        call.lineno,
        "SnowflakeOperator gave each row to XCom as a dictionary by column; rows are tuples now.",
        "Read them by place, or say output_processor=… here, which gets results and descriptions and gives the rows.",
    )


def sql_arguments(origin: str) -> tuple[str, str, str]:
    """Give the argument of the connection of an operator that is gone, its default, and the argument that says the database."""
    return _SQL.get(origin, ("snowflake_conn_id", "snowflake_default", "database"))


def uses_as_class(source: Source, origin: str) -> list[ast.Name]:
    """Give where a file needs the class itself: not where it makes a task of it."""
    called = {made.node for made in operators.made(source) if origin in made.old}
    return [
        node
        for node in source.each(ast.Name)
        if isinstance(node.ctx, ast.Load) and node not in called and origin in source.meanings(node)
    ]


def _is_a_base_only(source: Source, origin: str) -> bool:
    """Tell whether tasks may be of another class than the file's: nobody looks at it."""
    return all(
        isinstance(parent := source.parents[node], ast.ClassDef) and node in parent.bases
        for node in uses_as_class(source, origin)
    )


def _as_1_did(source: Source, call: ast.Call, meaning: str) -> Edit | None:
    """Say what operators of 1.10.15 did: none of them gave its rows back, whatever do_xcom_push said, and Snowflake's committed each statement."""
    said = keyword(call, "do_xcom_push") or keyword(call, "xcom_push")
    if said is None:
        return add_keyword(source, call, "do_xcom_push", "False")
    if said.arg == "xcom_push" or not (isinstance(said.value, ast.Constant) and said.value.value is False):
        return Edit(source.start(said), source.end(said.value), "do_xcom_push=False")
    if meaning in _SNOWFLAKE and not keyword(call, "autocommit"):
        return add_keyword(source, call, "autocommit", "True")
    return None


def _is_silent(call: ast.Call) -> bool:
    item = keyword(call, "do_xcom_push")
    return item is not None and isinstance(item.value, ast.Constant) and item.value.value is False


def _of_rows(call: ast.Call) -> Spot:
    return Spot(
        call.lineno,
        "The rows of the query go to XCom now; providers of before the end of 2022 pushed none.",
        "If yours was older than its release that is made of SQLExecuteQueryOperator (postgres 5.3, mysql 3.3, …) say do_xcom_push=False.",
    )


def _of_default_args(source: Source, argument: str) -> str | None:
    """Give the connection that default_args had for the operators of before: the new one asks for it by another name."""
    found = {
        source.code(value[1])
        for mapping, way in dags.dictionaries(source, dags.ANY)
        if way == "default_args" and (value := dags.entry(mapping, argument))
    }
    return found.pop() if len(found) == 1 else None


def sees_default_args(source: Source) -> bool:
    """Tell whether the file itself makes its DAGs, with default_args that it spells out or has none of."""
    calls = list(dags.calls(source, dags.ANY))
    for call in calls:
        more, is_seen = dags.spread(source, call)
        item = keyword(call, "default_args")
        value = item.value if item else more.get("default_args")
        mapping = None if value is None else dags.constant(source, value)
        is_spelt = (
            mapping is None
            or (isinstance(mapping, ast.Dict) and None not in mapping.keys)
            or dags.is_dict_call(mapping)
        )
        if not is_seen or not is_spelt:
            return False
    return bool(calls)


def _unseen(line: int, argument: str, default: str) -> Spot:
    return Spot(
        line,
        f"The connection is {default} here, unless default_args that this file does not show say {argument}.",
        f"If they do, write that connection as conn_id=… here: the new operator does not know {argument}.",
    )


def _options_of(value: ast.expr) -> str | None:
    """Write PostgreSQL's settings of a statement as libpq's `options` (postgres provider 5.0, its deprecation note)."""
    if not isinstance(value, ast.Dict):
        return None
    words = []
    for key, item in zip(value.keys, value.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(item, ast.Constant):
            return None
        words.append(f"-c {key.value!s}={item.value!s}")
    return " ".join(words) if not any(mark in "".join(words) for mark in '"\\{') else None


def _is_doubly_hooked(call: ast.Call, meaning: str) -> bool:
    return meaning in _SNOWFLAKE and keyword(call, "hook_params") is not None


def _hooked(source: Source, call: ast.Call) -> Iterator[Edit]:
    """What SnowflakeOperator gave its hook goes into hook_params, in the place of the first."""
    items = [item for item in call.keywords if item.arg in SNOWFLAKE_WORDS]
    if not items:
        return
    inner = ", ".join(f'"{item.arg}": {source.code(item.value)}' for item in items)
    yield Edit(source.start(items[0]), source.end(items[0].value), f"hook_params={{{inner}}}")
    for item in items[1:]:
        yield drop_item(source, item)


def _arguments(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        item = keyword(call, "auto_remove")
        if (
            item
            and source.means(call.func, _DOCKER)
            and isinstance(item.value, ast.Constant)
            and isinstance(item.value.value, bool)
        ):
            yield Change((replace(source, item.value, '"success"' if item.value.value else '"never"'),))
        if source.means(call.func, _DOCKER) and (item := keyword(call, "volumes")):
            yield _mounts(source, call, item)
        if options.major > _OLDER and source.means(call.func, _VENV):
            text = 'bool(shutil.which("virtualenv") or find_spec("virtualenv"))'
            yield Change((replace(source, call, text),), (("shutil", ""), ("importlib.util", "find_spec")))
        names = {meaning.rpartition(".")[2] for meaning in source.meanings(call.func) if meaning.startswith("airflow.")}
        if options.major > _OLDER and names & {_TRIGGER_RUN, _MARKER} and (item := keyword(call, "execution_date")):
            yield Change((rename_keyword(source, item, "logical_date"),))
        if "is_delete_operator_pod" in {item.arg for item in call.keywords} and "KubernetesPodOperator" in names:
            item = keyword(call, "is_delete_operator_pod")
            if item and isinstance(item.value, ast.Constant) and isinstance(item.value.value, bool):
                start = source.start(item)
                word = "delete_pod" if item.value.value else "keep_pod"
                yield Change((Edit(start, source.end(item.value), f'on_finish_action="{word}"'),))
        if names & {"PythonVirtualenvOperator", "ExternalPythonOperator", "virtualenv", "external_python"} and (
            item := keyword(call, "use_dill")
        ):
            if isinstance(item.value, ast.Constant) and item.value.value is True:
                yield Change((Edit(source.start(item), source.end(item.value), 'serializer="dill"'),))
            elif isinstance(item.value, ast.Constant):
                yield Change((drop_item(source, item),))


def _mounts(source: Source, call: ast.Call, item: ast.keyword) -> Change | Spot:
    """`volumes=["/here:/there:ro"]` is a list of bind mounts (docker provider 2.0)."""
    spot = Spot(
        item.value.lineno,
        "DockerOperator does not take `volumes` any more.",
        'Write mounts=[Mount(source=…, target=…, type="bind")], from docker.types.',
    )
    if keyword(call, "mounts") or not source.is_free("Mount", "docker.types.Mount"):
        return spot
    mounts = []
    for value in item.value.elts if isinstance(item.value, ast.List) else [item.value]:
        if not isinstance(value, ast.Constant):  # Docker reads its own spelling
            is_list = isinstance(item.value, ast.List)
            one = "Mount.parse_mount_string({})".format(source.code(value) if is_list else "volume")
            mounts.append(one if is_list else f"{one} for volume in {source.code(value)}")
            continue
        words = value.value.split(":") if isinstance(value, ast.Constant) and isinstance(value.value, str) else []
        if len(words) not in (2, 3) or '"' in "".join(words) or words[2:] not in ([], ["rw"], ["ro"]):
            return spot
        kind = "bind" if words[0].startswith(("/", ".", "~", "{")) else "volume"
        read_only = ", read_only=True" if words[2:] == ["ro"] else ""
        mounts.append(f'Mount(source="{words[0]}", target="{words[1]}", type="{kind}"{read_only})')
    edit = Edit(source.start(item), source.end(item.value), f"mounts=[{', '.join(mounts)}]")
    return Change((edit,), (("docker.types", "Mount"),))


def _apply_defaults(source: Source, _options: Options) -> Iterator[Change | Spot]:
    wanted = {"airflow.utils.decorators.apply_defaults", "airflow.utils.apply_defaults.apply_defaults"}
    for function in source.each(ast.FunctionDef):
        for decorator in function.decorator_list:
            if source.means(decorator, wanted):
                start, end = (
                    source.line_start(decorator.lineno),
                    source.line_end(decorator.end_lineno or decorator.lineno),
                )
                yield Change((Edit(start, end, ""),))


SQL = Rule(
    code="sql-operator",
    title="PostgresOperator and its kin become SQLExecuteQueryOperator(conn_id=…)",
    words=tuple(sorted({name.rpartition(".")[2].encode() for name in SQL_NAMES})),
    before="""
from airflow.providers.postgres.operators.postgres import PostgresOperator

load = PostgresOperator(task_id="load", sql="select 1", postgres_conn_id="warehouse")
""",
    after="""
from airflow.providers.postgres.operators.postgres import PostgresOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

load = SQLExecuteQueryOperator(task_id="load", sql="select 1", conn_id="warehouse")
""",
    find=_sql,
    is_for_2=True,
)
ARGUMENTS = Rule(
    code="operator-argument",
    title="Arguments of operators get their new names and values",
    words=(
        b"auto_remove",
        b"execution_date",
        b"is_delete_operator_pod",
        b"use_dill",
        b"volumes",
        b"is_venv_installed",
    ),
    before="""
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

run = DockerOperator(task_id="run", image="shop", auto_remove=True, volumes=["/data:/in:ro"])
then = TriggerDagRunOperator(task_id="then", trigger_dag_id="report", execution_date="{{ ds }}")
""",
    after="""
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from docker.types import Mount

run = DockerOperator(task_id="run", image="shop", auto_remove="success", mounts=[Mount(source="/data", target="/in", type="bind", read_only=True)])
then = TriggerDagRunOperator(task_id="then", trigger_dag_id="report", logical_date="{{ ds }}")
""",
    find=_arguments,
    is_for_2=True,
)
APPLY_DEFAULTS = Rule(
    code="apply-defaults",
    title="apply_defaults is dropped: BaseOperator does it for every operator since 2.1",
    words=(b"apply_defaults",),
    before="""
from airflow.utils.decorators import apply_defaults


class Load(BaseOperator):
    @apply_defaults
    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
""",
    after="""
from airflow.utils.decorators import apply_defaults


class Load(BaseOperator):
    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
""",
    find=_apply_defaults,
)
