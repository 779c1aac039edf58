"""What Airflow 1.10 did when nobody said otherwise is said; what connections said of Data Factory, too; and what only a run would have shown is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)
LOAD = "from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator as Load\n"
POD = "from airflow.contrib.operators.kubernetes_pod_operator import KubernetesPodOperator as Pod\n"
DAG = "from airflow import DAG\ndag = DAG('a', schedule_interval=None)\n"


def rewritten(source: str, options: Options = PINNING) -> Rewritten:
    done = rewrite(source.encode(), RULES, options)
    assert rewrite(done.text, RULES, options).text == done.text
    compile(done.text, "x", "exec")
    return done


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{LOAD}Load(task_id='a', bucket='b')",
            "Load(task_id='a', bucket='b', gcp_conn_id=\"bigquery_default\", skip_leading_rows=0)",
        ),
        (
            f"{LOAD}Load(task_id='a', bigquery_conn_id='c', autodetect=False)",
            "Load(task_id='a', gcp_conn_id='c', autodetect=False)",
        ),
        (
            f"{LOAD}Load(task_id='a', bigquery_conn_id='c', source_format='AVRO')",
            "Load(task_id='a', gcp_conn_id='c', source_format='AVRO')",
        ),
        (
            "from airflow.contrib.operators.emr_create_job_flow_operator import EmrCreateJobFlowOperator\nEmrCreateJobFlowOperator(task_id='a', job_flow_overrides={'aws_conn_id': 'b'})",
            "EmrCreateJobFlowOperator(task_id='a', job_flow_overrides={'aws_conn_id': 'b'}, aws_conn_id=\"s3_default\")",
        ),
        (
            "from airflow.contrib.operators.emr_terminate_job_flow_operator import EmrTerminateJobFlowOperator\nEmrTerminateJobFlowOperator('b', task_id='a')",
            "EmrTerminateJobFlowOperator('b', task_id='a', aws_conn_id=\"s3_default\")",
        ),
        (
            "from airflow.contrib.operators.ecs_operator import ECSOperator\nECSOperator(task_id='a', task_definition='b', cluster='c', overrides={})",
            "EcsRunTaskOperator(task_id='a', task_definition='b', cluster='c', overrides={}, aws_conn_id=None)",
        ),
        (
            "from airflow.contrib.operators.ecs_operator import ECSOperator\nECSOperator('b', 'c', {}, 'mine', task_id='a')",
            "EcsRunTaskOperator('b', 'c', {}, 'mine', task_id='a')",
        ),
        (
            "from airflow.contrib.operators.gcs_to_s3 import GoogleCloudStorageToS3Operator\nGoogleCloudStorageToS3Operator(task_id='a', bucket='b', dest_s3_key='c')",
            "GCSToS3Operator(task_id='a', gcs_bucket='b', dest_s3_key='c', gcp_conn_id=\"google_cloud_storage_default\", dest_aws_conn_id=None)",
        ),
        (
            "from airflow.contrib.operators.spark_sql_operator import SparkSqlOperator\nSparkSqlOperator(task_id='a', sql='b', master='local')",
            "SparkSqlOperator(task_id='a', sql='b', master='local', yarn_queue=\"default\")",
        ),
        (
            "from airflow.contrib.hooks.spark_sql_hook import SparkSqlHook\nSparkSqlHook('select 1')",
            'SparkSqlHook(\'select 1\', master="yarn", yarn_queue="default")',
        ),
        (
            f"{LOAD}Load(task_id='a', google_cloud_storage_conn_id='files', bucket='b')",
            "Load(task_id='a', gcp_conn_id=\"bigquery_default\", bucket='b', skip_leading_rows=0)",
        ),
        (
            f"{LOAD}Load(task_id='a', bigquery_conn_id='mine')",
            "Load(task_id='a', gcp_conn_id='mine', skip_leading_rows=0)",
        ),
        (
            "from airflow.contrib.hooks.bigquery_hook import BigQueryHook\nBigQueryHook()",
            'BigQueryHook(gcp_conn_id="bigquery_default")',
        ),
        (
            "from airflow.contrib.hooks.bigquery_hook import BigQueryHook\nBigQueryHook('mine')",
            "BigQueryHook(gcp_conn_id='mine')",
        ),
        (
            f"{POD}Pod(task_id='a', name='a')",
            "Pod(task_id='a', name='a', on_finish_action=\"keep_pod\", image_pull_policy=\"IfNotPresent\")",
        ),
        (
            f"{POD}Pod(task_id='a', image='host:5000/b', is_delete_operator_pod=True)",
            "Pod(task_id='a', image='host:5000/b', on_finish_action=\"delete_pod\", image_pull_policy=\"IfNotPresent\")",
        ),
        (
            f"{POD}Pod(task_id='a', image='host:5000/b:7', on_finish_action='c')",
            "Pod(task_id='a', image='host:5000/b:7', on_finish_action='c')",
        ),
        (
            f"{POD}Pod(task_id='a', image='b@sha256:7', on_finish_action='c')",
            "Pod(task_id='a', image='b@sha256:7', on_finish_action='c')",
        ),
        (
            f"{POD}Pod(task_id='a', image='b:1', is_delete_operator_pod=True)",
            "Pod(task_id='a', image='b:1', on_finish_action=\"delete_pod\")",
        ),
        (
            "from airflow.contrib.operators.spark_submit_operator import SparkSubmitOperator\nSparkSubmitOperator(task_id='a')",
            "SparkSubmitOperator(task_id='a', name=\"airflow-spark\")",
        ),
        (
            "from airflow.contrib.operators.ssh_operator import SSHOperator\nSSHOperator(task_id='a', command='b')",
            "SSHOperator(task_id='a', command='b', cmd_timeout=None, do_xcom_push=False)",
        ),
        (
            "from airflow.contrib.operators.ssh_operator import SSHOperator\nSSHOperator(task_id='a', command='b', do_xcom_push=True)",
            "SSHOperator(task_id='a', command='b', do_xcom_push=True, cmd_timeout=None)",
        ),
        (
            "from airflow.operators.http_operator import SimpleHttpOperator\nSimpleHttpOperator(task_id='a', endpoint='b')",
            "HttpOperator(task_id='a', endpoint='b', do_xcom_push=False)",
        ),
        (
            "from airflow.operators.docker_operator import DockerOperator\nDockerOperator(task_id='a', image='b', xcom_push=True)",
            "DockerOperator(task_id='a', image='b', do_xcom_push=True)",
        ),
        (
            "from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator as Load\nLoad(task_id='a')",
            "Load(task_id='a')",
        ),
    ],
)
def test_what_1_10_did_by_default_is_said(line: str, expected: str) -> None:
    assert rewritten(f"{DAG}{line}\n").text.decode().splitlines()[-1] == expected


def test_a_project_of_2_had_the_defaults_of_today_already() -> None:
    text = rewritten(f"{DAG}{LOAD}Load(task_id='a')\n", replace(PINNING, source_version="2.5.3")).text.decode()
    assert text.splitlines()[-1] == "Load(task_id='a')"
    query = "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\nBigQueryOperator(task_id='a', sql='b')\n"
    assert "bigquery_default" not in rewritten(DAG + query, replace(PINNING, source_version="2.5.3")).text.decode()
    assert "bigquery_default" in rewritten(DAG + query).text.decode()


def test_default_args_that_say_it_count(tmp_path: Path) -> None:
    source = (
        f"from airflow import DAG\n{LOAD}args = {{'bigquery_conn_id': 'mine'}}\n"
        "with DAG('a', schedule_interval=None, default_args=args):\n    Load(task_id='a')\n"
    )
    text = rewritten(source).text.decode()
    assert "'gcp_conn_id': 'mine'" in text
    assert "bigquery_default" not in text


def test_default_args_of_elsewhere_are_asked_about() -> None:
    source = f"from airflow import DAG\nfrom shop import args\n{LOAD}dag = DAG('a', schedule_interval=None, default_args=args)\nLoad(task_id='a', dag=dag)\n"
    assert [code for code, _ in rewritten(source).notes] == ["old-default"]
    assert not rewritten(f"{DAG}{LOAD}Load(task_id='a', dag=dag)\n").notes


def test_the_projects_version_decides(tmp_path: Path) -> None:
    project = tmp_path / "in"
    (project / "dags").mkdir(parents=True)
    (project / "requirements.txt").write_text("apache-airflow==2.4.3\n")
    (project / "dags" / "a.py").write_text(f"{DAG}{LOAD}Load(task_id='a', dag=dag)\n")
    upgrade(project, tmp_path / "two", "3.3.2", PINNING)
    assert "bigquery_default" not in (tmp_path / "two" / "dags" / "a.py").read_text()
    upgrade(project, tmp_path / "one", "3.3.2", replace(PINNING, source_version="1.10.15"))
    assert "bigquery_default" in (tmp_path / "one" / "dags" / "a.py").read_text()


ADF = (
    "from airflow.providers.microsoft.azure.operators.data_factory import AzureDataFactoryRunPipelineOperator as Run\n"
)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("", {"azure_data_factory_default"}),
        (", azure_data_factory_conn_id='mine'", {"mine"}),
        (", azure_data_factory_conn_id='mine', factory_name='f', resource_group_name='r'", set()),
    ],
)
def test_data_factory_is_told_what_its_connection_says(arguments: str, names: set[str]) -> None:
    done = rewritten(f"{ADF}Run(task_id='a', pipeline_name='b'{arguments})\n")
    text = done.text.decode()
    for name in names:
        for word in ("resource_group_name", "factory_name"):
            assert f"{word}=\"{{{{ conn.{name}.extra_dejson.get('{word}') or " in text
    assert ("extra_dejson" in text) == bool(names)
    assert not done.spots


def test_a_connection_that_templates_cannot_name_is_for_a_person() -> None:
    done = rewritten(f"{ADF}Run(task_id='a', pipeline_name='b', azure_data_factory_conn_id='my-factory')\n")
    assert [code for code, _ in done.spots] == ["azure-data-factory"]


def test_resources_that_are_the_clients_own_keep_their_value() -> None:
    source = (
        "from airflow.providers.cncf.kubernetes.operators.kubernetes_pod import KubernetesPodOperator\n"
        "from kubernetes.client import V1ResourceRequirements\nparts = V1ResourceRequirements(limits={'cpu': 1})\n"
        "KubernetesPodOperator(task_id='a', resources=parts)\n"
    )
    done = rewritten(source)
    assert "container_resources=parts" in done.text.decode()
    assert not done.spots


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"core", "BASE_LOG_FOLDER"', '"logging", "base_log_folder"'),
        ('"core", "remote_base_log_folder"', '"logging", "remote_base_log_folder"'),
        ('"core", "dags_folder"', '"core", "dags_folder"'),
    ],
)
def test_options_of_logs_left_the_section_core(before: str, after: str) -> None:
    source = f"from airflow.configuration import conf\nwhere = conf.get({before})\n"
    assert f"conf.get({after})" in rewritten(source).text.decode()


def test_names_of_the_context_that_are_handed_over_are_told() -> None:
    source = (
        "from airflow.operators.python import PythonOperator\n\ndef log(name, **kwargs):\n    print(kwargs[name])\n\n"
        "PythonOperator(task_id='a', python_callable=log, op_args=['prev_execution_date'])\n"
        "PythonOperator(task_id='b', python_callable=log, op_args=['ds'])\n"
    )
    assert [(code, spot.line) for code, spot in rewritten(source).spots] == [("context-key", 6)]
    assert not rewritten(source.replace("kwargs[name]", "kwargs['ds']")).spots


def test_templates_are_read_in_texts_that_stand_beside_f_strings() -> None:
    source = (
        "from airflow.operators.bash import BashOperator\nplace = 'x'\nBashOperator(task_id='a', bash_command=(\n"
        "    f'mkdir {place} && '\n    'load {{ next_ds }} '  # it's here\n    f'{{{{ next_execution_date }}}} {place}'\n))\n"
    )
    text = rewritten(source).text.decode()
    assert "    'load {{ data_interval_end | ds }} '  # it's here\n" in text
    assert "    f'{{{{ data_interval_end }}}} {place}'\n" in text


@pytest.mark.parametrize("name", ["S3ToRedshiftOperator", "GCSToS3Operator"])
def test_a_plugins_class_is_not_taken_for_the_providers(name: str) -> None:
    source = f"from airflow.operators import {name}\n\n{name}(task_id='a', aws_credentials_id='b')\n"
    done = rewritten(source)
    assert done.text.decode() == source
    assert [code for code, _ in done.spots] == ["moved-name"]


_SQL = "from airflow.operators.postgres_operator import PostgresOperator\n"
_SNOW = "from airflow.contrib.operators.snowflake_operator import SnowflakeOperator\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{_SQL}PostgresOperator(task_id='a', sql='b', postgres_conn_id='c')", "task_id='a', sql='b', conn_id='c', do_xcom_push=False"),
        (f"{_SQL}PostgresOperator(task_id='a', sql='b', postgres_conn_id='c', do_xcom_push=True)", "task_id='a', sql='b', conn_id='c', do_xcom_push=False"),
        (f"{_SNOW}SnowflakeOperator(task_id='a', sql='b', snowflake_conn_id='c')", "task_id='a', sql='b', conn_id='c', do_xcom_push=False, autocommit=True"),
        (f"{_SNOW}SnowflakeOperator(task_id='a', sql='b', snowflake_conn_id='c', autocommit=False)", "task_id='a', sql='b', conn_id='c', autocommit=False, do_xcom_push=False"),
    ],
)  # fmt: skip
def test_rows_that_1_10_gave_nobody_go_to_nobody(line: str, expected: str) -> None:
    done = rewritten(f"{DAG}{line}\n")
    assert done.text.decode().splitlines()[-1] == f"SQLExecuteQueryOperator({expected})"
    assert not [code for code, _ in (*done.spots, *done.notes) if code == "sql-operator"]


def test_sql_operators_of_2_may_have_pushed_rows() -> None:
    line = "from airflow.providers.postgres.operators.postgres import PostgresOperator\nPostgresOperator(task_id='a', sql='b', postgres_conn_id='c')\n"
    for version, codes in (("2.4.3", ["sql-operator"]), ("2.5.3", []), ("", [])):
        done = rewritten(DAG + line, replace(PINNING, source_version=version))
        assert done.text.decode().splitlines()[-1] == "SQLExecuteQueryOperator(task_id='a', sql='b', conn_id='c')"
        assert [code for code, _ in done.notes if code == "sql-operator"] == codes
    silent = line.replace("'c')", "'c', do_xcom_push=False)")
    assert not rewritten(DAG + silent, replace(PINNING, source_version="2.4.3")).notes


@pytest.mark.parametrize(
    ("given", "new"),
    [
        ("", ", success=lambda cell: cell is None or bool(cell)"),
        (", allow_null=True", ", success=lambda cell: cell is None or bool(cell)"),
        (", allow_null=False", ", success=bool"),
        (", success=check", ", success=check"),
        (", success=check, allow_null=False", ", success=check"),
    ],
)
def test_null_is_a_success_as_it_was(given: str, new: str) -> None:
    call = "SqlSensor(task_id='a', conn_id='c', sql='select 1'{})\n"
    old = "from airflow.sensors.sql_sensor import SqlSensor\n" + call.format(given)
    assert rewritten(old).text.decode().endswith(call.format(new))
    later = replace(PINNING, source_version="2.4.3")
    assert (
        "cell is None"
        not in rewritten("from airflow.sensors.sql import SqlSensor\n" + call.format(""), later).text.decode()
    )
    assert (
        "cell is None" not in rewritten("from airflow.sensors.sql import SqlSensor\n" + call.format("")).text.decode()
    )


def test_null_that_default_args_decide_about_stays() -> None:
    old = f"from airflow.sensors.sql_sensor import SqlSensor\n{DAG}args = {{'allow_null': False}}\nSqlSensor(task_id='a', conn_id='c', sql='select 1', dag=dag)\n"
    assert "success=" in rewritten(old).text.decode()
    assert "success=" not in rewritten(old.replace("None)", "None, default_args=args)")).text.decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.xcom_pull(task_ids='wait', key='messages')['Messages'][0]", "ti.xcom_pull(task_ids='wait', key='messages')[0]"),
        ("ti.xcom_pull('wait', key='messages')['Messages']", "ti.xcom_pull('wait', key='messages')"),
        ('f("{{ ti.xcom_pull(task_ids=\'wait\', key=\'messages\')[\'Messages\'] }}")', 'f("{{ ti.xcom_pull(task_ids=\'wait\', key=\'messages\') }}")'),
        ("ti.xcom_pull(task_ids='other', key='messages')['Messages']", None),
        ("ti.xcom_pull(task_ids='wait', key='messages')", None),
        ("ti.xcom_pull(task_ids='wait')['Messages']", None),
    ],
)  # fmt: skip
def test_messages_of_sqs_are_a_list(old: str, new: str | None) -> None:
    head = "from airflow.contrib.sensors.aws_sqs_sensor import SQSSensor\nSQSSensor(task_id='wait', sqs_queue='q')\n"
    done = rewritten(f"{head}def load(ti, f):\n    return {old}\n")
    assert done.text.decode().endswith(f"return {new or old}\n")
    assert "SqsSensor(task_id='wait'" in done.text.decode()
    assert any("list of messages" in spot.message for _, spot in done.notes) == (new is None)


def test_messages_that_a_name_holds() -> None:
    head = "from airflow.contrib.sensors.aws_sqs_sensor import SQSSensor\nSQSSensor(task_id='wait', sqs_queue='q')\n"
    pull = "def load(ti):\n    got = ti.xcom_pull(task_ids='wait', key='messages')\n    return [item['Body'] for item in got{}]\n"
    assert rewritten(head + pull.format("['Messages']")).text.decode().endswith(pull.format(""))


SSH = "from airflow.contrib.operators.ssh_operator import SSHOperator as Run\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("{'timeout': 90}", "{'conn_timeout': 90, 'timeout': 90}"),
        ("{'timeout': seconds()}", "{'conn_timeout': seconds(), 'timeout': seconds()}"),
        ("dict(timeout=90)", "dict(conn_timeout=90, timeout=90)"),
        ("{'timeout': 90, 'conn_timeout': 5}", "{'timeout': 90, 'conn_timeout': 5}"),
        ("{'timeout': None}", "{'timeout': None}"),
    ],
)
def test_a_timeout_of_default_args_was_for_connecting(args: str, expected: str) -> None:
    head = f"from airflow import DAG\nARGS = {args}\ndag = DAG('a', default_args=ARGS, schedule_interval=None)\n"
    text = rewritten(f"{head}{SSH}Run(task_id='a', command='b', dag=dag)\n").text.decode()
    assert f"ARGS = {expected}\n" in text
    assert "Run(task_id='a', command='b', dag=dag, cmd_timeout=None, do_xcom_push=False)" in text


def test_a_timeout_of_default_args_that_no_ssh_of_1_10_reads_stays() -> None:
    head = (
        "from airflow import DAG\nARGS = {'timeout': 90}\ndag = DAG('a', default_args=ARGS, schedule_interval=None)\n"
    )
    sensor = "from airflow.sensors.http_sensor import HttpSensor\nHttpSensor(task_id='a', endpoint='b', dag=dag)\n"
    assert "conn_timeout" not in rewritten(head + sensor).text.decode()
    task = f"{SSH}Run(task_id='a', command='b', dag=dag)\n"
    assert "conn_timeout" not in rewritten(head + task, replace(PINNING, source_version="2.4.3")).text.decode()


_SSH = "from airflow.contrib.operators.ssh_operator import SSHOperator\n"


def test_classes_of_the_project_have_the_old_defaults_as_well() -> None:
    own = f"{DAG}{_SSH}\n\nclass Far(SSHOperator):\n    def execute(self, context):\n        return 1\n\n\n"
    text = rewritten(f"{own}Far(task_id='a', ssh_conn_id='b', command='c', dag=dag)\n").text.decode()
    assert "command='c', dag=dag, cmd_timeout=None, do_xcom_push=False)" in text
    known = own.replace(
        "    def exec",
        "    def __init__(self, cmd_timeout=5, **kwargs):\n        super().__init__(**kwargs)\n\n    def exec",
    )
    text = rewritten(f"{known}Far(task_id='a', ssh_conn_id='b', command='c', dag=dag)\n").text.decode()
    assert "command='c', dag=dag, do_xcom_push=False)" in text
    closed = own.replace(
        "    def exec",
        "    def __init__(self, name):\n        super().__init__(task_id=name, command='c')\n\n    def exec",
    )
    text = rewritten(f"{closed}Far('a')\n").text.decode()
    assert "super().__init__(task_id=name, command='c', cmd_timeout=None, do_xcom_push=False)" in text
    assert "Far('a')\n" in text


def test_classes_of_the_project_give_to_xcom_what_they_gave() -> None:
    head = "from airflow.operators.http_operator import SimpleHttpOperator\n\n\nclass Ask(SimpleHttpOperator):\n    def execute(self, context):\n        return 1\n\n\n"
    assert "do_xcom_push" not in rewritten(f"{DAG}{head}Ask(task_id='a', endpoint='b', dag=dag)\n").text.decode()


def test_what_a_class_of_the_project_gets_by_place_is_told() -> None:
    own = f"{DAG}{_SSH}\n\nclass Far(SSHOperator):\n    def __init__(self, name, **kwargs):\n        super().__init__(task_id=name, **kwargs)\n\n\n"
    done = rewritten(f"{own}Far('a', command='c')\n")
    assert "Far('a', command='c', cmd_timeout=None, do_xcom_push=False)\n" in done.text.decode()
    (note,) = [spot for code, spot in done.notes if code == "old-default"]
    assert "unless the constructor of the class gives it on by place" in note.message


def test_a_class_that_another_file_of_the_project_has(tmp_path: Path) -> None:
    (tmp_path / "in" / "plugins").mkdir(parents=True)
    (tmp_path / "in" / "plugins" / "far.py").write_text(f"{_SSH}\n\nclass Far(SSHOperator):\n    pass\n")
    (tmp_path / "in" / "a.py").write_text(f"{DAG}from far import Far\n\nFar(task_id='a', command='c', dag=dag)\n")
    upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", PINNING)
    text = (tmp_path / "out" / "a.py").read_text()
    assert "command='c', dag=dag, cmd_timeout=None, do_xcom_push=False)" in text
