"""What Airflow 1.10 forgave or took from elsewhere: unknown arguments, tokens in the code, flat imports, names put there by plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.arguments import accepted_arguments, changed_arguments
from aerodrome.migration.codemod.contract import Spot
from aerodrome.migration.codemod.engine import follow, rewrite
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)


def upgraded(source: str) -> str:
    done = rewrite(source.encode(), RULES, PINNING).text
    assert rewrite(done, RULES, PINNING).text == done
    return done.decode()


def test_an_argument_that_no_airflow_knew_is_dropped_where_1_10_ignored_it() -> None:
    source = (
        "from airflow.contrib.operators.s3_to_gcs_transfer_operator import S3ToGoogleCloudStorageTransferOperator\n"
        "S3ToGoogleCloudStorageTransferOperator(task_id='a', s3_bucket='b', gcs_bucket='c', replace=True)\n"
    )
    assert "(task_id='a', s3_bucket='b', gcs_bucket='c')" in upgraded(source)


@pytest.mark.parametrize(
    "source",
    [
        (
            "from airflow.providers.google.cloud.operators.gcs import GCSListObjectsOperator\n"
            "GCSListObjectsOperator(task_id='a', bucket='b', of_my_own=1)\n"
        ),
        (
            "from airflow.contrib.operators.gcs_list_operator import GoogleCloudStorageListOperator\n"
            "GoogleCloudStorageListOperator(task_id='a', bucket='b', **more)\n"
        ),
    ],
)
def test_elsewhere_an_unknown_argument_is_not_ours_to_drop(source: str) -> None:
    arguments = source.splitlines()[1].partition("(")[2]
    assert arguments in upgraded(source)


def test_every_task_of_1_10_takes_what_a_task_takes() -> None:
    known = accepted_arguments()
    assert {"task_id", "retries", "queue", "trigger_rule"} <= known[""]
    assert len(known) > 200
    assert not any(taken & known[""] for name, taken in known.items() if name)


def test_a_query_loses_an_argument_that_was_misspelt() -> None:
    done = upgraded(
        "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n"
        "BigQueryOperator(task_id='a', sql='select 1', use_legacy_sql=False, bigquery_con_id='mine')\n"
    )
    assert "bigquery_con_id" not in done
    assert "BigQueryInsertJobOperator(" in done
    kept = "BigQueryOperator(task_id='a', sql='select 1', udf_config=[1])"
    assert kept in upgraded(f"from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n{kept}\n")


def test_names_of_contrib_itself_are_found() -> None:
    done = upgraded("from airflow.contrib.hooks import VerticaHook\nVerticaHook('v')\n")
    assert "from airflow.providers.vertica.hooks.vertica import VerticaHook" in done


def test_a_dataflow_template_has_an_operator_still() -> None:
    done = rewrite(
        b"from airflow.contrib.operators.dataflow_operator import DataflowTemplateOperator\n"
        b"DataflowTemplateOperator(task_id='a', template='gs://x')\n",
        RULES,
        PINNING,
    )
    assert b"DataflowTemplatedJobStartOperator(task_id='a', template='gs://x')" in done.text
    assert done.spots == []


def test_a_module_of_a_plugin_is_not_called_airflows() -> None:
    done = rewrite(b"from airflow.operators.impala_plugin import ImpalaOperator\nImpalaOperator()\n", RULES, PINNING)
    ((code, spot),) = done.spots
    assert code == "moved-name"
    assert "`airflow.operators.impala_plugin` is no module of Airflow: a plugin put it there" in spot.message
    assert "from impala_plugin import ImpalaOperator" in spot.hint


SLACK = """\
from airflow import DAG
from airflow.operators.slack_operator import SlackAPIPostOperator
from airflow.utils.dates import days_ago
import os

with DAG("tell", start_date=days_ago(1), schedule_interval=None) as dag:
    SlackAPIPostOperator(task_id="own", slack_conn_id="mine", token=os.getenv("TOKEN"), text="x")
    SlackAPIPostOperator(task_id="plain", token="xoxb-canary-1234567890", text="x")
"""


def test_a_token_leaves_the_code_and_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before/tell.py").write_text(SLACK)
    done = upgrade(tmp_path / "before", tmp_path / "after", "3.3.2", PINNING)
    lines = (tmp_path / "after/tell.py").read_text().splitlines()
    told = [item for item in done.findings if item.rule == "slack-token"]
    assert [lines[item.line - 1].strip() for item in told] == [
        'SlackAPIPostOperator(task_id="own", slack_conn_id="mine", text="x")',
        'SlackAPIPostOperator(task_id="plain", slack_conn_id="slack_api_default", text="x")',
    ]
    assert 'had it from os.getenv("TOKEN")' in told[0].message
    assert "canary" not in str(done.as_data())


def test_a_line_is_followed_through_what_changes_around_it() -> None:
    spot = Spot(2, "message", "hint")
    assert follow(b"a\nb\nc\n", b"x\na\ny\nb\n", [("rule", spot)]) == [("rule", Spot(4, "message", "hint"))]
    assert follow(b"a\nb\n", b"a\nB\n", [("rule", spot)]) == [("rule", spot)]


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        ("timeout=60", "conn_timeout=60, cmd_timeout=None", "is not read any more"),
        ("timeout=LIMIT", "conn_timeout=LIMIT, cmd_timeout=None", "is not read any more"),
        ("conn_timeout=5, timeout=60", "conn_timeout=5, cmd_timeout=None", "is not read any more"),
        ("timeout=None", "cmd_timeout=None", "had no time limit"),
    ],
)
@pytest.mark.parametrize("module", ["contrib.operators.ssh_operator", "providers.ssh.operators.ssh"])
def test_a_timeout_over_ssh_never_ended_a_command(given: str, expected: str, told: str, module: str) -> None:
    source = f"from airflow.{module} import SSHOperator\na = SSHOperator(task_id='a', ssh_conn_id='b', command='c', {given})\n"
    done = rewrite(source.encode(), RULES, PINNING)
    quiet = ", do_xcom_push=False" if module.startswith("contrib") else ""  # 1.10 stored nothing
    made = f"a = SSHOperator(task_id='a', ssh_conn_id='b', command='c', {expected}{quiet})"
    assert done.text.decode().splitlines()[-1] == made
    assert [(code, told in spot.message) for code, spot in (*done.notes, *done.spots)] == [("ssh-timeout", True)]
    assert rewrite(done.text, RULES, PINNING).text == done.text


_ALERT = """from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator
from airflow.hooks.base_hook import BaseHook
ALERTS = "alerts"
token = BaseHook.get_connection(ALERTS).password
conn = BaseHook.get_connection("alerts")
"""


@pytest.mark.parametrize(
    ("given", "new", "told"),
    [
        ("http_conn_id='slack', webhook_token=token", "slack_webhook_conn_id=ALERTS", "came from 'slack'"),
        ("webhook_token=token", "slack_webhook_conn_id=ALERTS", ""),
        ("http_conn_id='slack', webhook_token=conn.password", 'slack_webhook_conn_id="alerts"', "came from 'slack'"),
        ("http_conn_id='slack', webhook_token=other", "slack_webhook_conn_id='slack'", "had it from other"),
        (
            "http_conn_id=None, webhook_token=other",
            'slack_webhook_conn_id="slack_default"',
            'here "slack_default"; the',
        ),
        ("http_conn_id=None, webhook_token=token", "slack_webhook_conn_id=ALERTS", ""),
    ],
)
def test_a_webhook_is_called_by_the_connection_that_holds_its_token(given: str, new: str, told: str) -> None:
    done = rewrite(f"{_ALERT}SlackWebhookOperator(task_id='a', {given}, message='m')\n".encode(), RULES, PINNING)
    assert done.text.decode().endswith(f"SlackWebhookOperator(task_id='a', {new}, message='m')\n")
    notes = [spot.message for rule, spot in done.notes if rule == "slack-token"]
    assert [told in note for note in notes] == ([True] if told else [])
    wrong = any("password of the connection 'slack'" in spot.message for _, spot in done.notes)
    assert wrong == ("='slack', webhook_token=other" in given)


@pytest.mark.parametrize(
    ("arguments", "call", "told"),
    [
        ("{'token': TOKEN}", "SlackAPIPostOperator(task_id='a', text='b')", '"slack_api_default"'),
        ("{'token': TOKEN, 'slack_conn_id': 'mine'}", "SlackAPIPostOperator(task_id='a', text='b')", "'mine'"),
        ("{'webhook_token': TOKEN}", "SlackWebhookOperator(task_id='a', message='b')", '"slack_default"'),
        ("{'token': TOKEN}", "SlackWebhookOperator(task_id='a', message='b')", ""),
        ("{'owner': 'me'}", "SlackAPIPostOperator(task_id='a', text='b')", ""),
    ],
)
def test_a_token_of_default_args_is_told(arguments: str, call: str, told: str) -> None:
    head = (
        "from airflow import DAG\nfrom airflow.providers.slack.operators.slack import SlackAPIPostOperator\n"
        "from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator\n"
    )
    code = f"{head}with DAG('a', schedule=None, default_args={arguments}):\n    {call}\n"
    done = rewrite(code.encode(), RULES, PINNING)
    found = [spot for rule, spot in done.spots if rule == "slack-token"]
    assert [f"here {told} where" in spot.message for spot in found] == ([True] if told else [])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("google_cloud_storage_conn_id='files', bigquery_conn_id='bq', schema_object='a'", True),
        ("google_cloud_storage_conn_id='files', schema_object='a'", True),
        ("google_cloud_storage_conn_id='files', bigquery_conn_id='bq'", False),
        ("google_cloud_storage_conn_id='bq', bigquery_conn_id='bq', schema_object='a'", False),
    ],
)
def test_a_schema_that_another_connection_read_is_told(given: str, told: bool) -> None:
    head = "from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator as Load\n"
    done = rewrite(f"{head}Load(task_id='a', bucket='b', {given})\n".encode(), RULES, PINNING)
    assert any("schema_object was read by the connection 'files'" in spot.message for _, spot in done.notes) == told
    assert done.spots == []
    assert ("gcp_conn_id='bq'" in done.text.decode()) == ("bigquery_conn_id" in given)


def test_a_copy_from_mysql_to_google_gets_the_arguments_of_its_sisters() -> None:
    done = upgraded(
        "from airflow.contrib.operators.mysql_to_gcs import MySqlToGoogleCloudStorageOperator\n"
        "MySqlToGoogleCloudStorageOperator(task_id='a', mysql_conn_id='till', google_cloud_storage_conn_id='barn',\n"
        "    delegate_to='x@y.z', sql='SELECT 1', bucket='b', filename='f.json', ensure_utc=True, misspelt=1)\n"
    )
    assert "gcp_conn_id='barn'" in done
    assert "impersonation_chain='x@y.z'" in done
    assert "ensure_utc=True" in done
    assert "misspelt" not in done
    assert "google_cloud_storage_conn_id" not in done


def test_no_class_lacks_what_its_base_gave_up() -> None:
    table = changed_arguments()
    base = table["airflow.providers.google.cloud.transfers.sql_to_gcs.BaseSQLToGCSOperator"]
    module = "airflow.providers.google.cloud.transfers."
    sisters = (
        "mysql_to_gcs.MySQLToGCSOperator",
        "trino_to_gcs.TrinoToGCSOperator",
        "postgres_to_gcs.PostgresToGCSOperator",
    )
    for name in sisters:
        assert base.renamed.items() <= table[module + name].renamed.items()
        assert base.removed <= table[module + name].removed


@pytest.mark.parametrize("value", ["False", "None", "''"])
def test_who_acts_for_nobody_impersonates_nobody(value: str) -> None:
    hook = "from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook as Hook\n"
    job = "from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator as Run\n"
    source = f"{hook}{job}Hook(google_cloud_storage_conn_id='a', delegate_to={value})\nRun(task_id='a', main='b', delegate_to={value})\n"
    done = rewrite(source.encode(), RULES, PINNING)
    assert "delegate_to" not in done.text.decode()
    assert "impersonation_chain" not in done.text.decode()
    assert not any("impersonated" in spot.message for _, spot in (*done.notes, *done.spots))
