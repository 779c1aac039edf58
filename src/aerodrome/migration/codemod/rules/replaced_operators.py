"""Operators of Amazon, Snowflake and Tableau whose work another operator, or another argument, does exactly.

Sources: apache-airflow-providers-amazon 3.2 and 9.36 (RdsBaseOperator, AwsBaseOperator), -snowflake 4.1 (SnowflakeToSlackOperator) with -slack 9.13
(SqlToSlackWebhookOperator), -tableau 2.1 (TableauRefreshWorkbookOperator, which only made a TableauOperator) and 5.7.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, drop_item, has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

_RDS = ("airflow.providers.amazon.aws.operators.rds.", "airflow.providers.amazon.aws.sensors.rds.")
_OLD_RDS = '"aws_conn_id"'
"""The default connection of Rds operators and sensors while they had hook_params (apache-airflow-providers-amazon 2.4 to 8.10), and of most of them up to 9.2."""
_SAY = "Say region_name=…, verify=… and botocore_config=… of the sensor itself."
_OF_THE_HOOK = {"region_name": "region_name", "verify": "verify", "config": "botocore_config"}
_REFRESH = frozenset(
    f"airflow.providers.{module}.TableauRefreshWorkbookOperator"
    for module in ("tableau.operators.tableau_refresh_workbook", "salesforce.operators.tableau_refresh_workbook")
)
_TABLEAU_MODULE, _TABLEAU = "airflow.providers.tableau.operators.tableau", "TableauOperator"
_TO_SLACK = frozenset({"airflow.providers.snowflake.transfers.snowflake_to_slack.SnowflakeToSlackOperator"})
_SLACK_MODULE, _SLACK = "airflow.providers.slack.transfers.sql_to_slack_webhook", "SqlToSlackWebhookOperator"
_OF_SNOWFLAKE = ("schema", "role", "database", "warehouse")


def _rds(source: Source, options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        item = keyword(made.call, "hook_params")
        if not any(name.startswith(_RDS) for name in made.names):
            continue
        if not _says_connection(source, made.call):
            is_old = item and any(name.startswith(_RDS[0]) for name in made.names)  # sensors take hook_params still
            if is_old:
                yield Change((add_keyword(source, made.call, "aws_conn_id", _OLD_RDS),))
                continue  # the next round goes on
            if not options.source_version.startswith("2."):  # else old-provider-default knows
                yield Spot(
                    made.call.lineno,
                    "No connection is said: providers of Amazon up to 9.2 looked for `aws_conn_id` then, today's for `aws_default`.",
                    f"Say aws_conn_id={_OLD_RDS} to keep it, or see that both are the same account.",
                )
        if item:
            given = _entries(item.value)
            if given is None or any(keyword(made.call, _OF_THE_HOOK[name]) for name, _ in given):
                if any(name.startswith(_RDS[1]) for name in made.names):
                    yield Spot(item.value.lineno, "Rds sensors take `hook_params` still, but give it to nobody.", _SAY)
                continue  # of operators, the finding about arguments that are gone names it
            text = ", ".join(f"{_OF_THE_HOOK[name]}={source.code(value)}" for name, value in given)
            edit = Edit(source.start(item), source.end(item.value), text) if given else drop_item(source, item)
            yield Change((edit,))


def _says_connection(source: Source, call: ast.Call) -> bool:
    """Tell whether the call, what cannot be seen of it, or default_args name the connection."""
    return (
        keyword(call, "aws_conn_id") is not None
        or has_open_end(call)
        or any(dags.entry(mapping, "aws_conn_id") for mapping, _ in dags.dictionaries(source, dags.ANY))
    )


def _entries(value: ast.expr) -> list[tuple[str, ast.expr]] | None:
    """Give what hook_params said, when the operator has an argument for all of it."""
    if isinstance(value, ast.Constant) and value.value is None:
        return []
    if not isinstance(value, ast.Dict):
        return None
    names = [key.value for key in value.keys if isinstance(key, ast.Constant) and key.value in _OF_THE_HOOK]
    is_known = len(names) == len(value.keys) == len(set(names))
    return list(zip(map(str, names), value.values, strict=True)) if is_known else None


def _refresh(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(_TABLEAU, f"{_TABLEAU_MODULE}.{_TABLEAU}"):
        return
    for made in operators.made(source):
        call = made.call
        if not made.old & _REFRESH or made.node is not call.func or has_open_end(call):
            continue
        edits = [replace(source, made.node, _TABLEAU)]
        for item in call.keywords:
            if item.arg == "workbook_name":
                text = f'resource="workbooks", method="refresh", match_with="name", find={source.code(item.value)}'
                edits.append(Edit(source.start(item), source.end(item.value), text))
            elif item.arg == "blocking":
                edits.append(rename_keyword(source, item, "blocking_refresh"))
        if keyword(call, "workbook_name"):
            yield Change(tuple(edits), ((_TABLEAU_MODULE, _TABLEAU),))


def _to_slack(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(_SLACK, f"{_SLACK_MODULE}.{_SLACK}"):
        return
    for made in operators.made(source):
        call = made.call
        if not made.old & _TO_SLACK or made.node is not call.func or has_open_end(call):
            continue
        yield Change(tuple(_slack_edits(source, made)), ((_SLACK_MODULE, _SLACK),), _of_the_token(source, call))


def _slack_edits(source: Source, made: operators.Made) -> Iterator[Edit]:
    call = made.call
    yield replace(source, made.node, _SLACK)
    added = []
    for old, new, default in (
        ("snowflake_conn_id", "sql_conn_id", "snowflake_default"),
        ("slack_conn_id", "slack_webhook_conn_id", "slack_default"),
    ):
        if item := keyword(call, old):
            yield rename_keyword(source, item, new)
        else:
            added.append((new, f'"{default}"'))
    token = keyword(call, "slack_token")
    text = ", ".join(f"{name}={value}" for name, value in added)
    if token:
        yield Edit(source.start(token), source.end(token.value), text) if added else drop_item(source, token)
    elif added:
        (name, _), *_ = added
        yield add_keyword(source, call, name, text.removeprefix(f"{name}="))
    hooked = [item for item in call.keywords if item.arg in _OF_SNOWFLAKE]
    if hooked:
        inner = ", ".join(f'"{item.arg}": {source.code(item.value)}' for item in hooked)
        yield Edit(source.start(hooked[0]), source.end(hooked[0].value), f"sql_hook_params={{{inner}}}")
        for item in hooked[1:]:
            yield drop_item(source, item)


def _of_the_token(source: Source, call: ast.Call) -> Spot:
    own = keyword(call, "slack_conn_id")
    where = source.code(own.value) if own else '"slack_default"'
    return Spot(
        call.lineno,
        f"Slack's operator takes the token of its webhook from the password of the connection {where}, and from nowhere else.",
        f"Make {where} a connection of the type slackwebhook with the token as its password; the older operator took it from its extra, or from slack_token, too.",
    )


RDS = Rule(
    code="rds-hook-params",
    title="hook_params of Rds operators become the arguments that they stand for, and their old connection is said",
    words=(b"hook_params", b"Rds"),
    before="""
from airflow.providers.amazon.aws.operators.rds import RdsCreateDbSnapshotOperator

save = RdsCreateDbSnapshotOperator(
    task_id="save",
    db_type="instance",
    db_identifier="shop",
    db_snapshot_identifier="shop-{{ ds_nodash }}",
    hook_params={"region_name": "eu-central-1"},
)
""",
    after="""
from airflow.providers.amazon.aws.operators.rds import RdsCreateDbSnapshotOperator

save = RdsCreateDbSnapshotOperator(
    task_id="save",
    db_type="instance",
    db_identifier="shop",
    db_snapshot_identifier="shop-{{ ds_nodash }}",
    region_name="eu-central-1",
    aws_conn_id="aws_conn_id",
)
""",
    find=_rds,
)
TABLEAU = Rule(
    code="tableau-refresh",
    title="TableauRefreshWorkbookOperator becomes the TableauOperator that it made",
    words=(b"TableauRefreshWorkbookOperator",),
    before="""
from airflow.providers.tableau.operators.tableau_refresh_workbook import TableauRefreshWorkbookOperator

refresh = TableauRefreshWorkbookOperator(task_id="refresh", workbook_name="Sales", blocking=False)
""",
    after="""
from airflow.providers.tableau.operators.tableau_refresh_workbook import TableauRefreshWorkbookOperator
from airflow.providers.tableau.operators.tableau import TableauOperator

refresh = TableauOperator(task_id="refresh", resource="workbooks", method="refresh", match_with="name", find="Sales", blocking_refresh=False)
""",
    find=_refresh,
)
SNOWFLAKE_TO_SLACK = Rule(
    code="snowflake-to-slack",
    title="SnowflakeToSlackOperator becomes SqlToSlackWebhookOperator",
    words=(b"SnowflakeToSlackOperator",),
    before="""
from airflow.providers.snowflake.transfers.snowflake_to_slack import SnowflakeToSlackOperator

tell = SnowflakeToSlackOperator(
    task_id="tell",
    sql="select 1",
    slack_message="{{ results_df }}",
    slack_conn_id="slack_sales",
    warehouse="small",
    role="reader",
    snowflake_conn_id="snow",
)
""",
    after="""
from airflow.providers.snowflake.transfers.snowflake_to_slack import SnowflakeToSlackOperator
from airflow.providers.slack.transfers.sql_to_slack_webhook import SqlToSlackWebhookOperator

tell = SqlToSlackWebhookOperator(
    task_id="tell",
    sql="select 1",
    slack_message="{{ results_df }}",
    slack_webhook_conn_id="slack_sales",
    sql_hook_params={"warehouse": "small", "role": "reader"},
    sql_conn_id="snow",
)
""",
    find=_to_slack,
    finding="Slack's operator takes the token of its webhook",
)
