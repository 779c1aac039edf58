"""Every rule's example is its test; what a rule does not understand it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerodrome.migration.codemod import Options, Rule
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)


def in_project(rule: Rule) -> Options:
    """Give the options of a rule's example, with the other files of its project."""
    files = {name: text.encode() for name, text in rule.files.items()}
    return replace(PINNING, project=Project(files)) if files else PINNING


def apply(rule: Rule, source: str, options: Options = PINNING) -> str:
    return rewrite(source.encode(), [rule], options).text.decode()


def everything(source: str, options: Options = PINNING) -> str:
    return rewrite(source.encode(), RULES, options).text.decode()


def named(code: str) -> Rule:
    return next(rule for rule in RULES if rule.code == code)


def test_codes_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_example(rule: Rule) -> None:
    done = rewrite(rule.before.encode(), [rule], in_project(rule))
    assert done.text.decode() == rule.after
    assert set(done.rules) <= {rule.code}
    assert apply(rule, rule.after, in_project(rule)) == rule.after
    compile(rule.after, rule.code, "exec")
    if rule.finding:
        assert any(rule.finding in spot.message for _, spot in (*done.spots, *done.notes))
    else:
        assert rule.before != rule.after


@settings(max_examples=150, deadline=None)
@given(
    chosen=st.lists(
        st.sampled_from([text for rule in RULES for text in (rule.before, rule.after)]), min_size=1, max_size=4
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    comment=st.sampled_from(["", "# größer\n", '"""Doc."""\n']),
)
def test_upgrading_an_upgraded_file_changes_nothing(chosen: list[str], ending: str, comment: str) -> None:
    source = (comment + "".join(chosen)).replace("\n", ending)
    once = everything(source)
    compile(once, "once", "exec")
    assert everything(once) == once
    assert once.count("\n") == once.count(ending)
    assert [line for line in source.splitlines() if line.startswith("#")] == [
        line for line in once.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    ("schedule", "is_timed"),
    [
        (
            "DatasetOrTimeSchedule(timetable=CronTriggerTimetable('0 1 * * *', timezone='UTC'), datasets=[Dataset('s')])",
            True,
        ),
        ("SHARED", True),
        ("Dataset('s') & Dataset('t')", False),
        ("(Dataset('s') | DatasetAlias('t')) & ONE", False),
        ("ONE", False),
        ("timedelta(days=1) * 2", True),
    ],
)
def test_catchup_of_schedules_by_datasets_and_time(schedule: str, is_timed: bool) -> None:
    source = (
        "from datetime import timedelta\nfrom airflow import DAG\nfrom airflow.datasets import Dataset, DatasetAlias\n"
        "from airflow.timetables.datasets import DatasetOrTimeSchedule\n"
        "ONE = Dataset('one')\nSHARED = DatasetOrTimeSchedule(timetable=TABLE, datasets=[ONE])\n"
        f"DAG('a', start_date=FIRST, schedule={schedule})\n"
    )
    assert ("catchup=True" in apply(named("catchup-default"), source)) == is_timed


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("catchup-default", "from airflow.sdk import DAG\nDAG('a', schedule='@daily')\n"),
        ("catchup-default", "from airflow import DAG\nDAG('a', schedule=None)\n"),
        ("catchup-default", "from airflow import DAG\nDAG('a', **options)\n"),
        ("catchup-default", "from airflow import DAG, Dataset\nDAG('a', schedule=[Dataset('x')])\n"),
        ("catchup-default", "from mine import DAG\nDAG('a', schedule='@daily')\n"),
        ("implicit-schedule", "from airflow import DAG\nDAG('a', 'text', '@daily')\n"),
        ("implicit-schedule", "from airflow import DAG\ntimedelta = 1\nDAG('a')\n"),
        ("days-ago", "from mine import days_ago\nx = days_ago(1)\n"),
        ("task-comparison", "a = 1\nb = Load(task_id='b')\nb > a\n"),
        ("task-comparison", "b = Load(task_id='b')\nb > File('x')\nc = b > b\n"),
        ("context-key", "x = '{{ params.execution_date }} execution_date'\n"),
        ("context-key", "x = row['execution_date']\n"),
        ("context-key", "def load(execution_date):\n    return execution_date\n"),
        ("attribute-reference", "from airflow import models\nDAG = 1\nmodels.DAG('a')\n"),
        ("attribute-reference", "from airflow.utils.trigger_rule import TriggerRule\nTriggerRule.ALL_DONE\n"),
        ("sql-operator", "from mine import PostgresOperator\nPostgresOperator(postgres_conn_id='a')\n"),
        (
            "sql-operator",
            "from airflow.operators.postgres_operator import PostgresOperator\nPostgresOperator(**options)\n",
        ),
        ("provide-context", "def make(provide_context):\n    pass\n\n\nmake(provide_context=True)\n"),
        ("moved-name", "from .contrib.operators.ssh_operator import SSHOperator\n"),
        (
            "data-interval",
            "from airflow import DAG\nDAG('a', schedule='0 2 * * *', default_args={'start_date': '2020-05-01T10:00:00+02:00'}, catchup=True)\n",
        ),
        ("data-interval", "from airflow import DAG\nDAG('a', schedule='@once', catchup=True)\n"),
        ("operator-argument", "from mine import TriggerDagRunOperator\nTriggerDagRunOperator(execution_date=1)\n"),
        (
            "context-key",
            "def day(execution_date):\n    pass\n\n\nt = PythonOperator(python_callable=day, op_kwargs={'execution_date': '{{ ds }}'})\n",
        ),
        (
            "context-key",
            "def day(execution_date):\n    pass\n\n\nt = PythonOperator(python_callable=day, op_args=[1])\n",
        ),
        ("unknown-argument", "from mine import PythonOperator\nPythonOperator(task_id='a', name='a')\n"),
        (
            "unknown-argument",
            "from airflow.operators.python import PythonOperator\nPythonOperator(task_id='a', python_callable=f, provide_context=True)\n",
        ),
        ("pendulum-name", "from mine import Pendulum\nmine.create(1)\n"),
        (
            "attribute-reference",
            "from airflow.providers.google.cloud.operators.dataflow import CheckJobRunning\nprint(CheckJobRunning.WaitForRun)\n",
        ),
    ],
)
def test_left_alone(code: str, source: str) -> None:
    assert apply(named(code), source) == source


@pytest.mark.parametrize(
    ("code", "source", "expected"),
    [
        (
            "moved-name",
            "from airflow.operators.dummy_operator import DummyOperator\nEmptyOperator = 1\nDummyOperator()\n",
            "from airflow.providers.standard.operators.empty import EmptyOperator as DummyOperator\nEmptyOperator = 1\nDummyOperator()\n",
        ),
        (
            "moved-name",
            "try: from airflow.operators import BashOperator, PythonOperator as P\nexcept ImportError: pass\n",
            (
                "try: from airflow.providers.standard.operators.bash import BashOperator; "
                "from airflow.providers.standard.operators.python import PythonOperator as P\nexcept ImportError: pass\n"
            ),
        ),
        (
            "moved-name",
            "from airflow.operators.bash_operator import *\nBashOperator()\n",
            "from airflow.providers.standard.operators.bash import BashOperator\nBashOperator()\n",
        ),
        (
            "attribute-reference",
            "from airflow import DAG, models\nwith models.DAG('a'):\n    pass\n",
            "from airflow import DAG, models\nwith DAG('a'):\n    pass\n",
        ),
        (
            "sql-operator",
            (
                "from airflow.providers.postgres.operators.postgres import PostgresOperator\n"
                "PostgresOperator.partial(task_id='a', postgres_conn_id='b').expand(parameters=rows)\n"
            ),
            (
                "from airflow.providers.postgres.operators.postgres import PostgresOperator\n"
                "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
                "SQLExecuteQueryOperator.partial(task_id='a', conn_id='b').expand(parameters=rows)\n"
            ),
        ),
        (
            "sql-operator",
            (
                "from airflow import DAG\nfrom airflow.operators import PostgresOperator\n"
                "dag = DAG('a', default_args={'postgres_conn_id': WAREHOUSE})\nPostgresOperator(task_id='a', sql='b')\n"
            ),
            (
                "from airflow import DAG\nfrom airflow.operators import PostgresOperator\n"
                "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
                "dag = DAG('a', default_args={'postgres_conn_id': WAREHOUSE})\n"
                "SQLExecuteQueryOperator(task_id='a', sql='b', do_xcom_push=False, conn_id=WAREHOUSE)\n"
            ),
        ),
        (
            "operator-argument",
            "from airflow.providers.docker.operators.docker import DockerOperator\nDockerOperator(volumes=[VOLUME])\n",
            (
                "from airflow.providers.docker.operators.docker import DockerOperator\nfrom docker.types import Mount\n"
                "DockerOperator(mounts=[Mount.parse_mount_string(VOLUME)])\n"
            ),
        ),
        (
            "bigquery-query",
            (
                "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n"
                "BigQueryOperator(sql='a', use_legacy_sql=False, destination_dataset_table=f'{P}.{D[0]}.sales')\n"
            ),
            (
                "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n"
                "from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator\n"
                'BigQueryInsertJobOperator(gcp_conn_id="bigquery_default", configuration={"query": {"query": \'a\', "useLegacySql": False, '
                '"destinationTable": {"projectId": f\'{P}\', "datasetId": f\'{D[0]}\', "tableId": f\'sales\'}, '
                '"writeDisposition": "WRITE_EMPTY", "createDisposition": "CREATE_IF_NEEDED"}})\n'
            ),
        ),
        (
            "bigquery-query",
            (
                "from airflow.providers.google.cloud.operators.bigquery import BigQueryExecuteQueryOperator\n"
                "BigQueryExecuteQueryOperator(task_id='a', sql=['select 1', f'drop table {T}'], use_legacy_sql=False)\n"
            ),
            (
                "from airflow.providers.google.cloud.operators.bigquery import BigQueryExecuteQueryOperator\n"
                "from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator\n"
                'BigQueryInsertJobOperator(task_id=\'a\', configuration={"query": {"query": '
                "\";\\n\".join(['select 1', f'drop table {T}']), \"useLegacySql\": False}})\n"
            ),
        ),
        (
            "changed-argument",
            (
                "from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator\n"
                "SlackWebhookOperator(task_id='a', link_names=True, message='b')\n"
            ),
            (
                "from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator\n"
                "SlackWebhookOperator(task_id='a', message='b')\n"
            ),
        ),
        (
            "data-interval",
            (
                "from airflow import DAG\nfrom datetime import datetime, timedelta\n"
                "DAG('a', schedule='0 2 * * *', start_date=datetime.now() - timedelta(days=1), catchup=True)\n"
            ),
            (
                "from airflow import DAG\nfrom datetime import datetime, timedelta\n"
                "from airflow.timetables.interval import CronDataIntervalTimetable\n"
                'DAG(\'a\', schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"), '
                "start_date=datetime.now() - timedelta(days=1), catchup=True)\n"
            ),
        ),
        (
            "renamed-argument",
            (
                "from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator as Load\n"
                "Load(task_id='a', google_cloud_storage_conn_id='b', bigquery_conn_id='c')\n"
            ),
            (
                "from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator as Load\n"
                "Load(task_id='a', bigquery_conn_id='c')\n"
            ),
        ),
        (
            "renamed-argument",
            (
                "from airflow.contrib.hooks.ssh_hook import SSHHook\nfrom airflow.contrib.operators.sftp_operator import SFTPOperator\n"
                "hook = SSHHook(ssh_conn_id='box')\nSFTPOperator(task_id='a', ssh_hook=hook)\n"
            ),
            (
                "from airflow.contrib.hooks.ssh_hook import SSHHook\nfrom airflow.contrib.operators.sftp_operator import SFTPOperator\n"
                "hook = SSHHook(ssh_conn_id='box')\nSFTPOperator(task_id='a', ssh_conn_id='box')\n"
            ),
        ),
        (
            "dag-argument",
            "from airflow import DAG\nargs = {'schedule_interval': '@daily', 'orientation': 'LR'}\nDAG('a', **args)\n",
            "from airflow import DAG\nargs = {'schedule': '@daily'}\nDAG('a', **args)\n",
        ),
        (
            "dag-argument",
            "from airflow import DAG\nDAG('a', concurrency=1, max_active_tasks=2)\n",
            "from airflow import DAG\nDAG('a', max_active_tasks=2)\n",
        ),
        ("provide-context", "f(\n    a=(1),\n    provide_context=True)\n", "f(\n    a=(1))\n"),
        (
            "provide-context",
            "f(\n    a='(',  # why\n    provide_context=True,  # kept\n)\n",
            "f(\n    a='(',  # why\n    # kept\n)\n",
        ),
        ("provide-context", "d = {'owner': 'a', 'provide_context': True}\n", "d = {'owner': 'a'}\n"),
        (
            "context-key",
            "def load(execution_date, **kwargs):\n    return execution_date\n\n\nPythonOperator(python_callable=load)\n",
            "def load(logical_date, **kwargs):\n    return logical_date\n\n\nPythonOperator(python_callable=load)\n",
        ),
        (
            "data-interval",
            (
                "from airflow import DAG\nfrom datetime import datetime\nd = {'start_date': datetime(2024, 1, 1)}\n"
                "DAG('a', default_args=d, schedule='@daily')\n"
            ),
            (
                "from airflow import DAG\nfrom datetime import datetime\nfrom airflow.timetables.interval import CronDataIntervalTimetable\n"
                "d = {'start_date': datetime(2024, 1, 1)}\n"
                'DAG(\'a\', default_args=d, schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"))\n'
            ),
        ),
    ],
)
def test_rewritten(code: str, source: str, expected: str) -> None:
    assert apply(named(code), source) == expected


def test_a_name_means_its_import_until_it_is_bound_again() -> None:
    source = "from airflow.decorators import dag\n\n\n@dag(schedule_interval=None)\ndef f():\n    pass\n\n\ndag = f()\n"
    assert "@dag(schedule=None)" in everything(source)


def test_an_import_that_may_fail_is_an_import() -> None:
    source = "DAG = None\ntry:\n    from airflow import DAG\nexcept ImportError:\n    pass\nDAG('a', schedule_interval=None)\n"
    assert "DAG('a', schedule=None)" in everything(source)


def test_catchup_follows_the_source() -> None:
    source = "from airflow import DAG\nDAG('a', schedule='@daily')\n"
    assert apply(named("catchup-default"), source, Options(catchup_by_default=False)) == source


def test_a_star_whose_names_nobody_knows_is_left_to_a_person() -> None:
    stars = "from airflow.operators.bash_operator import *\nfrom airflow.models import *\n"
    done = rewrite((stars + "BashOperator(task_id='a', bash_command='b')\n").encode(), RULES, Options())
    assert "*" not in done.text.decode()
    done = rewrite((stars + "BashOperator(task_id='a', bash_command=Mystery)\n").encode(), RULES, Options())
    assert "from airflow.models import *" in done.text.decode()
    assert ["Mystery" in spot.hint for code, spot in done.spots if code == "moved-name"] == [True]


def test_python_2_becomes_python_3_first() -> None:
    source = "from airflow import DAG\n# größer\nprint 'a'\nfor k in {}.iteritems(): pass\nDAG('a', 'text', '@daily')\n"
    done = rewrite(source.encode(), RULES, Options())
    text = done.text.decode()
    assert "# größer\nprint('a')\nfor k in {}.items(): pass\n" in text
    assert "DAG('a', description='text', schedule='@daily'" in text
    assert [spot.line for code, spot in done.spots if code == "python2"] == [1]
    assert rewrite(done.text, RULES, Options()).text == done.text


def test_an_argument_that_two_old_ones_claim_is_left_to_a_person() -> None:
    head = "from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator\n"
    source = head + "GCSToBigQueryOperator(bigquery_conn_id='a', google_cloud_storage_conn_id='b', delegate_to='c')\n"
    done = rewrite(source.encode(), [named("changed-argument")], Options())
    assert done.text.decode().count("gcp_conn_id") <= 1
    assert [spot.message.split("`")[1] for _, spot in done.spots][-1] == "delegate_to"
    assert any(
        "google_cloud_storage_conn_id" in spot.message or "bigquery_conn_id" in spot.message for _, spot in done.spots
    )


def test_a_query_whose_meaning_is_not_plain_is_left_to_a_person() -> None:
    head = "from airflow.contrib.operators.bigquery_operator import BigQueryOperator\n"
    for call in ("BigQueryOperator(task_id='a', sql=['x', 'y'])", "BigQueryOperator(task_id='a', sql='x', **more)"):
        done = rewrite((head + call).encode(), [named("bigquery-query")], Options())
        assert done.text.decode() == head + call
        assert [spot.line for _, spot in done.spots] == [2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("destination_project_dataset_table='a.b.c', ", 'project_id="a", dataset_id="b", table_id="c"'),
        ("destination_project_dataset_table=f'{D}.c', ", 'dataset_id=D, table_id="c"'),
        ("destination_project_dataset_table=f'{D}_x.c', ", 'dataset_id=f"{D}_x", table_id="c"'),
        ("destination_project_dataset_table=f'{PLACE}.{{{{ ds }}}}', ", None),
        ("destination_project_dataset_table='{{ params.x }}.c', ", None),
        (
            "destination_project_dataset_table='b.c', schema_object='s.json', ",
            """gcs_schema_object="gs://" + 's' + "/" + 's.json', dataset_id="b", table_id="c\"""",
        ),
        (
            "destination_project_dataset_table='b.c', schema_object=D, gcs_schema_bucket='t' or D, google_cloud_storage_conn_id='g', ",
            """gcs_schema_object="gs://" + ('t' or D) + "/" + D, google_cloud_storage_conn_id='g', dataset_id="b", table_id="c\"""",
        ),
        ("destination_project_dataset_table='b.c', schema_object='s.json', schema_fields=D, ", None),
        ("destination_project_dataset_table='b.c', schema_object='s.json', source_format='DATASTORE_BACKUP', ", None),
        ("destination_project_dataset_table='b.c', source_format='GOOGLE_SHEETS', ", None),
    ],
)
def test_external_tables(arguments: str, expected: str | None) -> None:
    head = (
        "import os\nfrom airflow.providers.google.cloud.operators.bigquery import BigQueryCreateExternalTableOperator\n"
        "D = os.environ.get('DATASET', 'shop')\n"
    )
    source = f"{head}BigQueryCreateExternalTableOperator({arguments}bucket='s', source_objects=['o'])\n"
    done = rewrite(source.encode(), [named("bigquery-external-table")], Options())
    if expected is None:
        assert done.text.decode() == source
        assert [spot.line for _, spot in done.spots] == [4]
    else:
        assert f"BigQueryCreateTableOperator({expected}, table_resource=" in done.text.decode()


@pytest.mark.parametrize("name", ["f'{PLACE}.c'", "Variable.get('t')", "SETTINGS['table']"])  # may name a project, too
def test_an_external_table_that_only_the_running_file_names_is_divided_there(name: str) -> None:
    head = "from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateExternalTableOperator\n"
    one = f"BigQueryCreateExternalTableOperator(destination_project_dataset_table={name}, bucket='s', source_objects=['o'])\n"
    text = rewrite((head + one + one).encode(), [named("bigquery-external-table")], Options()).text.decode()
    assert text.count(f", **_bigquery_place({name}))") == 2
    assert text.count("def _bigquery_place") == 1
    space: dict[str, object] = {}
    exec("import re\n" + text[text.index("def ") : text.index("\n\n\n")], space)
    divide = space["_bigquery_place"]
    assert divide("a.b.c") == {"project_id": "a", "dataset_id": "b", "table_id": "c"}  # type: ignore[operator]
    assert divide("a:b.{{ ds.x }}") == {"project_id": "a", "dataset_id": "b", "table_id": "{{ ds.x }}"}  # type: ignore[operator]
    assert divide("b.c") == {"dataset_id": "b", "table_id": "c"}  # type: ignore[operator]
    assert divide("c") == {"dataset_id": "", "table_id": "c"}  # type: ignore[operator]


def test_an_external_table_of_a_resource_names_its_table() -> None:
    head = "from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateExternalTableOperator\n"
    resource = "{'tableReference': {'projectId': P, 'datasetId': D, 'tableId': 't'}, 'externalDataConfiguration': X}"
    source = f"{head}BigQueryCreateExternalTableOperator(task_id='a', bucket='b', source_objects=['o'], schema_object='s', table_resource={resource})\n"
    text = rewrite(source.encode(), [named("bigquery-external-table")], Options()).text.decode()
    assert (
        f"BigQueryCreateTableOperator(task_id='a', project_id=P, dataset_id=D, table_id='t', table_resource={resource})"
        in text
    )


def test_intervals_are_pinned_only_when_asked() -> None:
    rule = named("data-interval")
    assert apply(rule, rule.before, Options()) == rule.before


def test_bare_decorator_gets_its_schedule() -> None:
    source = "from airflow.decorators import dag\n\n@dag\ndef f():\n    pass\n"
    assert "@dag(schedule=timedelta(days=1))" in apply(named("implicit-schedule"), source)


def test_last_argument_keeps_comments_and_commas() -> None:
    source = "from airflow import DAG\ndag = DAG(\n    'a',  # name\n    start_date=FIRST,\n    schedule='@daily',  # nightly\n)\n"
    changed = apply(named("catchup-default"), source)
    assert changed == source.replace("# nightly\n", "# nightly\n    catchup=True,\n")


def test_other_encodings_and_marks_survive() -> None:
    text = "# -*- coding: latin-1 -*-\n# größer\nfrom airflow.utils.dates import days_ago\nx = days_ago(1)\n"
    done = rewrite(text.encode("latin-1"), RULES, PINNING)
    assert "größer" in done.text.decode("latin-1")
    assert done.rules["days-ago"] == 1
    marked = b"\xef\xbb\xbf" + rewrite(text.replace("latin-1", "utf-8").encode(), RULES, PINNING).text
    assert rewrite(marked, RULES, PINNING).text == marked


def test_templates_choose_quotes_that_the_string_does_not_use() -> None:
    source = "a = '{{ yesterday_ds_nodash }}'\nb = \"{{ yesterday_ds_nodash }}\"\n"
    changed = apply(named("context-key"), source)
    compile(changed, "x", "exec")
    assert 'replace("-", "")' in changed.splitlines()[0]
    assert "replace('-', '')" in changed.splitlines()[1]


def test_what_is_gone_is_a_finding_with_its_line() -> None:
    done = rewrite(b"import os\nfrom airflow.operators.subdag_operator import get_none_at_all\n", RULES, PINNING)
    assert [(code, spot.line) for code, spot in done.spots] == [("moved-name", 2)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("schedule=None, schedule_interval='@daily'", "schedule='@daily'"),
        ("schedule_interval='@daily', schedule=None", "schedule='@daily'"),
        ("schedule='@daily', schedule_interval=None", "schedule=None"),
        ("schedule=None, timetable=nights", "schedule=nights"),
        ("schedule='@daily', timetable=None", "schedule='@daily'"),
        ("schedule_interval='@daily', timetable=None", "schedule='@daily'"),
        ("schedule_interval=None, timetable=nights", "schedule=nights"),
    ],
)
def test_one_of_several_schedules_decides_as_2_x_let_it(arguments: str, expected: str) -> None:
    text = apply(named("dag-argument"), f"from airflow import DAG\ndag = DAG('a', {arguments}, tags=[])\n")
    assert text == f"from airflow import DAG\ndag = DAG('a', {expected}, tags=[])\n"
    given = ", ".join(f"'{word.partition('=')[0]}': {word.partition('=')[2]}" for word in arguments.split(", "))
    text = apply(named("dag-argument"), f"from airflow import DAG\nSHARED = {{{given}}}\ndag = DAG('a', **SHARED)\n")
    assert f"SHARED = {{'schedule': {expected.partition('=')[2]}}}" in text
