"""What default_args and dictionaries said of operators of 1.10, and what classes did by default that another one replaces."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.rooms.migration.codemod.test_old_defaults import DAG, LOAD, PINNING, SSH, rewritten

OLD = replace(PINNING, source_version="1.10.15")


def with_args(args: str, task: str) -> str:
    return (
        f"from airflow import DAG\nARGS = {args}\ndag = DAG('a', default_args=ARGS, schedule_interval=None)\n{task}\n"
    )


QUERY = "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\nBigQueryOperator(task_id='a', sql='b', use_legacy_sql=False, dag=dag)"


def test_default_args_that_1_10_did_not_read_are_kept_away() -> None:
    text = rewritten(with_args("{'project_id': 'shop'}", QUERY), OLD).text.decode()
    assert "project_id=None" in text.splitlines()[-1]
    task = (
        "from airflow.operators.bash_operator import BashOperator\nBashOperator(task_id='a', bash_command='b', dag=dag)"
    )
    assert (
        rewritten(with_args("dict(cwd='/a')", task), OLD).text.decode().splitlines()[-1].endswith("dag=dag, cwd=None)")
    )
    assert "project_id=None" not in rewritten(with_args("{'owner': 'shop'}", QUERY), OLD).text.decode()


def test_default_args_that_1_10_read_by_another_name_reach_the_operator() -> None:
    topic = "from airflow.contrib.operators.pubsub_operator import PubSubTopicCreateOperator\nPubSubTopicCreateOperator(task_id='a', topic='b', dag=dag)"
    text = rewritten(with_args("{'project': 'shop'}", topic), OLD).text.decode()
    assert "'project_id': 'shop'" in text
    assert "project_id=" not in text
    done = rewritten(with_args("{'timeout': 90}", f"{SSH}Run(task_id='a', command='b', dag=dag)"), OLD)
    assert "conn_timeout=" not in done.text.decode()
    assert "unread-default" not in {code for code, _ in done.spots}


def test_default_args_whose_default_of_before_has_no_name_are_told() -> None:
    load = f"{LOAD}Load(task_id='a', bucket='b', dag=dag)"
    done = rewritten(with_args("{'gcp_conn_id': 'files'}", load), OLD)
    assert "unread-default" in {code for code, _ in done.spots}


def test_a_project_of_2_read_them() -> None:
    task = "from airflow.operators.bash import BashOperator\nBashOperator(task_id='a', bash_command='b', dag=dag)"
    assert (
        "cwd=None"
        not in rewritten(with_args("{'cwd': '/a'}", task), replace(PINNING, source_version="2.4.3")).text.decode()
    )


def test_what_a_dictionary_gives_is_looked_at() -> None:
    head = "from airflow.contrib.operators.ecs_operator import ECSOperator as Run\n"
    text = rewritten(f"{DAG}{head}MORE = {{'cluster': 'b'}}\nRun(task_id='a', **MORE)\n").text.decode()
    assert text.splitlines()[-1] == "Run(task_id='a', aws_conn_id=None, **MORE)"
    text = rewritten(f"{DAG}{head}MORE = {{'aws_conn_id': 'b'}}\nRun(task_id='a', **MORE)\n").text.decode()
    assert text.splitlines()[-1] == "Run(task_id='a', **MORE)"
    text = rewritten(f"{DAG}{head}Run(task_id='a', **more())\n").text.decode()
    assert text.splitlines()[-1] == "Run(task_id='a', **more())"


PROC = "airflow.contrib.operators.dataproc_operator"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"from {PROC} import DataprocClusterCreateOperator as Make\nMake(task_id='a', cluster_name='b', project_id='c', num_workers=2)\n",
            "ClusterGenerator(project_id='c', num_workers=2, master_disk_size=500, worker_disk_size=500)",
        ),
        (
            f"from {PROC} import DataprocClusterCreateOperator as Make\nMake(task_id='a', cluster_name='b', project_id='c', num_workers=2, worker_disk_size=90)\n",
            "ClusterGenerator(project_id='c', num_workers=2, worker_disk_size=90, master_disk_size=500)",
        ),
        (
            f"from {PROC} import DataprocWorkflowTemplateInstantiateOperator as Start\nStart(task_id='a', template_id='b', project_id='c')\n",
            "project_id='c', region=\"global\")",
        ),
        (
            f"from {PROC} import DataprocWorkflowTemplateInstantiateInlineOperator as Start\nStart(task_id='a', template={{}}, project_id='c', region='x')\n",
            "template={}, project_id='c', region='x')",
        ),
        (
            "from airflow.operators.presto_check_operator import PrestoCheckOperator\nPrestoCheckOperator(task_id='a', sql='b')\n",
            "SQLCheckOperator(task_id='a', sql='b', conn_id=\"presto_default\")",
        ),
        (
            "from airflow.operators.presto_check_operator import PrestoValueCheckOperator as Check\nCheck(task_id='a', sql='b', pass_value=1, presto_conn_id='c')\n",
            "pass_value=1, conn_id='c')",
        ),
        (
            "from airflow.operators.druid_check_operator import DruidCheckOperator\nDruidCheckOperator(task_id='a', sql='b')\n",
            "SQLCheckOperator(task_id='a', sql='b', conn_id=\"druid_broker_default\")",
        ),
        (
            "from airflow.contrib.operators.datastore_export_operator import DatastoreExportOperator as Export\nExport(task_id='a', bucket='b')\n",
            "bucket='b', do_xcom_push=False",
        ),
    ],
)
def test_defaults_of_classes_that_another_one_replaces_are_said(line: str, expected: str) -> None:
    assert expected in rewritten(line, OLD).text.decode()


def test_disks_of_clusters_of_airflow_2_stay_as_they_were() -> None:
    line = f"from {PROC} import DataprocClusterCreateOperator as Make\nMake(task_id='a', cluster_name='b', project_id='c', num_workers=2)\n"
    assert "disk_size" not in rewritten(line, replace(PINNING, source_version="2.1.4")).text.decode()


def test_what_default_args_said_of_clusters_goes_on_being_said() -> None:
    task = f"from {PROC} import DataprocClusterCreateOperator as Make\nMake(task_id='a', cluster_name='b', project_id='c', num_workers=2, dag=dag)"
    text = rewritten(with_args("{'worker_disk_size': 90, 'master_machine_type': KIND}", task), OLD).text.decode()
    assert "num_workers=2, master_machine_type=KIND, worker_disk_size=90, master_disk_size=500)" in text
    done = rewritten(with_args("{'worker_disk_size': size()}", task), OLD)
    assert "dataproc-job" in {code for code, _ in done.spots}


def test_the_name_of_a_job_of_dataproc_is_told() -> None:
    head = f"from {PROC} import DataProcPySparkOperator as Run\n"
    done = rewritten(f"{head}Run(task_id='a', main='b', job_name='loan')\n", OLD)
    assert ["called 'loan'" in spot.message for code, spot in done.notes if code == "dataproc-job"] == [True]
    assert rewritten(f"{head}Run(task_id='a', main='b')\n", OLD).notes == []
