"""Operators that are gone become those that do the same; where nothing does, the finding says what the provider named instead."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.moves import successors, table
from aerodrome.migration.codemod.requirements import providers_of
from aerodrome.migration.codemod.rules import RULES

_RDS = "from airflow.providers.amazon.aws.sensors.rds import RdsSnapshotExistenceSensor as Wait\n"
_SLACK = "from airflow.providers.snowflake.transfers.snowflake_to_slack import SnowflakeToSlackOperator as Tell\n"
_DEFER = "from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunDeferrableOperator as Run\n"
_TABLEAU = "from airflow.providers.tableau.operators.tableau_refresh_workbook import TableauRefreshWorkbookOperator as Refresh\n"


def upgraded(source: str) -> Rewritten:
    """Upgrade without stand-ins (test_gone_classes.py): what is not understood is then what it was."""
    done = rewrite(source.encode(), RULES, Options(is_keeping_gone=True))
    assert rewrite(done.text, RULES, Options(is_keeping_gone=True)).text == done.text
    return done


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f'{_RDS}a = Wait(task_id="a", hook_params={{"config": C, "verify": False}}, db_type="instance")\n',
            'a = Wait(task_id="a", botocore_config=C, verify=False, db_type="instance")\n',
        ),
        (f'{_RDS}a = Wait(task_id="a", hook_params=None)\n', 'a = Wait(task_id="a")\n'),
        (
            f'{_SLACK}a = Tell(task_id="a", sql="s", slack_message="m", slack_token=TOKEN)\n',
            'a = SqlToSlackWebhookOperator(task_id="a", sql="s", slack_message="m", sql_conn_id="snowflake_default", slack_webhook_conn_id="slack_default")\n',
        ),
        (
            f'{_SLACK}a = Tell(task_id="a", sql="s", slack_message="m", slack_conn_id="b", snowflake_conn_id="c", slack_token=TOKEN)\n',
            'a = SqlToSlackWebhookOperator(task_id="a", sql="s", slack_message="m", slack_webhook_conn_id="b", sql_conn_id="c")\n',
        ),
        (
            f'{_DEFER}a = Run.partial(task_id="a", **more).expand(json=[A, B])\n',
            'a = DatabricksSubmitRunOperator.partial(task_id="a", deferrable=True, **more).expand(json=[A, B])\n',
        ),
        (
            f'{_TABLEAU}a = Refresh(task_id="a", workbook_name=BOOK, site_id="s", check_interval=5)\n',
            'a = TableauOperator(task_id="a", resource="workbooks", method="refresh", match_with="name", find=BOOK, site_id="s", check_interval=5)\n',
        ),
    ],
)
def test_what_another_operator_does_exactly(before: str, after: str) -> None:
    assert upgraded(before).text.decode().endswith(f"\n{after}")


@pytest.mark.parametrize(
    "source",
    [
        f'{_RDS}a = Wait(task_id="a", hook_params=PARAMS)\n',
        f'{_RDS}a = Wait(task_id="a", hook_params={{"client_type": "rds"}})\n',
        f'{_RDS}a = Wait(task_id="a", hook_params={{"region_name": "a"}}, region_name="b")\n',
        f'{_SLACK}a = Tell(task_id="a", **more)\n',
        f'{_TABLEAU}a = Refresh(task_id="a", **more)\n',
        f'{_TABLEAU}a = Refresh.partial(task_id="a").expand(workbook_name=BOOKS)\n',
    ],
)
def test_what_may_mean_something_else_stays(source: str) -> None:
    assert upgraded(source).text.decode() == source


def test_hook_params_that_a_sensor_would_ignore_are_found() -> None:
    done = upgraded(f'{_RDS}a = Wait(task_id="a", aws_conn_id="a", hook_params=PARAMS)\n')
    assert [(code, spot.line) for code, spot in done.spots] == [("rds-hook-params", 2)]


def test_the_connection_that_rds_operators_took_of_themselves_is_said() -> None:
    _make = "from airflow.providers.amazon.aws.operators.rds import RdsStartDbOperator\n"
    done = upgraded(f'{_make}a = RdsStartDbOperator(task_id="a", db_identifier="b")\n')
    assert [(code, spot.line) for code, spot in done.spots] == [("rds-hook-params", 2)]
    assert "`aws_conn_id`" in done.spots[0][1].message
    done = upgraded(f'{_make}a = RdsStartDbOperator(task_id="a", db_identifier="b", hook_params=PARAMS)\n')
    assert done.text.decode().endswith('db_identifier="b", hook_params=PARAMS, aws_conn_id="aws_conn_id")\n')
    dag = "from airflow.sdk import DAG\nDAG('d', schedule=None, default_args={'aws_conn_id': 'x'})\n"
    assert not upgraded(f'{_make}{dag}a = RdsStartDbOperator(task_id="a", db_identifier="b")\n').spots


_FLOW = "from airflow.contrib.operators.dataflow_operator import DataFlowPythonOperator, DataFlowJavaOperator\n"


def test_a_pipeline_of_1_10_runs_where_its_options_said() -> None:
    dag = "from airflow import DAG\nargs = {'dataflow_default_options': {'project': 'shop', 'region': R}}\nDAG('d', default_args=args, schedule=None)\n"
    done = upgraded(
        f'{_FLOW}{dag}a = DataFlowJavaOperator(task_id="a", jar="gs://b/c.jar", options={{"region": "x"}})\n'
    )
    text = done.text.decode()
    assert text.endswith(
        'a = BeamRunJavaPipelineOperator(task_id="a", jar="gs://b/c.jar", pipeline_options={"region": "x"}, '
        "default_pipeline_options={'project': 'shop', 'region': R}, runner=\"DataflowRunner\", "
        'dataflow_config={"project_id": \'shop\', "location": "x", "check_if_running": CheckJobRunning.IgnoreJob})\n'
    )
    assert "from airflow.providers.google.cloud.operators.dataflow import CheckJobRunning\n" in text
    done = upgraded(f'{_FLOW}a = DataFlowPythonOperator(task_id="a", py_file="a.py", options={{"project": "p"}})\n')
    assert "python2" in done.notes[0][1].message


@pytest.mark.parametrize("more", ["options=OPTIONS", "options={**A}", "delegate_to='a'", "**more"])
def test_a_pipeline_whose_project_cannot_be_seen_is_found(more: str) -> None:
    source = f'{_FLOW}a = DataFlowJavaOperator(task_id="a", jar="c.jar", {more})\n'
    done = upgraded(source)
    assert done.text.decode() == source
    assert "dataflow-pipeline" in {code for code, _ in done.spots}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("extra_import_options=A", "extra_options=A"),
        ('cmd_type="export", extra_export_options=A', 'cmd_type="export", extra_options=A'),
        ('cmd_type="export", extra_import_options=A', 'cmd_type="export"'),
    ],
)
def test_sqoop_keeps_the_options_of_its_command(given: str, wanted: str) -> None:
    source = "from airflow.contrib.operators.sqoop_operator import SqoopOperator\n"
    done = upgraded(f'{source}a = SqoopOperator(task_id="a", {given})\n')
    assert done.text.decode() == (
        "from airflow.providers.apache.sqoop.operators.sqoop import SqoopOperator\n"
        f'a = SqoopOperator(task_id="a", {wanted})\n'
    )
    assert [code for code, spot in done.spots if "last release" in spot.message] == ["retired-provider"]


def test_sqoop_whose_command_is_not_seen_is_found() -> None:
    source = 'from airflow.providers.apache.sqoop.operators.sqoop import SqoopOperator\na = SqoopOperator(task_id="a", cmd_type=C, extra_import_options=A)\n'
    done = upgraded(source)
    assert done.text.decode() == source
    assert {spot.line for _, spot in done.spots} == {1, 2}


def test_a_retired_provider_is_required_and_one_that_does_not_work_is_found() -> None:
    assert providers_of(b"from airflow.providers.apache.sqoop.operators.sqoop import SqoopOperator\n") == {
        "apache-airflow-providers-apache-sqoop"
    }
    done = upgraded("from airflow.providers.qubole.operators.qubole import QuboleOperator\n")
    assert [code for code, _ in done.spots] == ["retired-provider"]
    done = upgraded("from airflow.contrib.operators.qubole_operator import QuboleOperator\n")
    assert [code for code, spot in done.spots if "so is the service behind it" in spot.message] == ["moved-name"]


def test_tables_that_only_the_running_file_knows_are_divided_there() -> None:
    head = "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n"
    done = upgraded(
        f'{head}BigQueryOperator(task_id="a", sql="s", destination_dataset_table=A)\n'
        'BigQueryOperator(task_id="b", sql="s", destination_dataset_table="%s.%s" % (A, B))\n'
    )
    text = done.text.decode()
    assert text.count("def _bigquery_table(") == 1
    assert text.count('"destinationTable": _bigquery_table(') == 2
    names: dict[str, Callable[[str | None], object]] = {}
    exec(text[text.index("def ") : text.index("BigQueryInsertJobOperator(")], {"re": re}, names)
    divide = names["_bigquery_table"]
    table = {"datasetId": "d", "tableId": "t${{ ds_nodash }}"}
    assert divide("d.t${{ ds_nodash }}") == table
    assert divide("p.d.t${{ ds_nodash }}") == table | {"projectId": "p"}
    assert divide("example.com:p:d.t${{ ds_nodash }}") == table | {"projectId": "example.com:p"}
    assert divide("{{ var.value.p }}.d.t${{ ds_nodash }}") == table | {"projectId": "{{ var.value.p }}"}
    assert divide(None) is None
    assert upgraded(text).text.decode() == text


def test_a_module_that_moved_as_a_whole_is_that_module() -> None:
    source = "from airflow.utils import timezone\n\nstart = timezone.datetime(2024, 1, 1)\n"
    assert upgraded(source).text.decode() == source.replace("airflow.utils", "airflow.sdk")


def test_a_name_that_is_gone_is_told_with_what_its_provider_named() -> None:
    assert successors().keys() <= table().gone
    module = "airflow.providers.google.cloud.operators"
    done = upgraded(f"from {module}.automl import AutoMLPredictOperator\n")
    ((_, spot),) = done.spots
    assert "so is the service behind it" in spot.message
    assert f"`{module}.translate.TranslateTextOperator`" in spot.hint
    done = upgraded(f"from {module}.datapipeline import CreateDataPipelineOperator, RunDataPipelineOperator\n")
    assert all("Its provider named instead" in spot.hint for _, spot in done.spots)
