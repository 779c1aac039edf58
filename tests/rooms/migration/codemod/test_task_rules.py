"""Rules about what tasks do: only what means the same is rewritten; the rest stays, with what takes its place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

_MODELS = "from airflow.decorators import task\nfrom airflow.models import Connection, DagRun, Variable\n"


def apply(code: str, source: str, target: str = "3.3.2") -> Rewritten:
    return rewrite(source.encode(), [rule for rule in RULES if rule.code == code], Options(target=target))


def in_task(line: str, arguments: str = "**context") -> str:
    return f"{_MODELS}\n\n@task\ndef run({arguments}):\n    return {line}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("len(DagRun.find(dag_id='a'))", "context[\"ti\"].get_dr_count(dag_id='a')"),
        ("len(DagRun.find(dag_id='a', state='running'))", "context[\"ti\"].get_dr_count(dag_id='a', states=['running'])"),
        ("len(DagRun.find(dag_id='a', execution_date=context['logical_date']))", "context[\"ti\"].get_dr_count(dag_id='a', logical_dates=[context['logical_date']])"),
        ("len(DagRun.find(dag_id=names, state='running'))", None),
        ("len(DagRun.find('a'))", None),
        ("DagRun.find(dag_id='a', run_id='b')[0].state", "context[\"ti\"].get_dagrun_state(dag_id='a', run_id='b')"),
        ("DagRun.find(dag_id='a', run_id='b')[0].conf", None),
        ("context['dag_run'].get_task_instance('a').current_state()", "context[\"ti\"].get_task_states(dag_id=context[\"ti\"].dag_id, task_ids=['a'], run_ids=[context[\"ti\"].run_id])[context[\"ti\"].run_id]['a']"),
        ("context['dag_run'].get_task_instance(name).state", None),
        ("other.get_task_instance('a').state", None),
        ("session.query(Variable).filter(Variable.key == 'a').first().val", "Variable.get('a')"),
        ("session.query(Variable).filter_by(key=name).one().get_val()", "Variable.get(name)"),
        ("session.query(Variable).filter(Variable.key == 'a').first()", None),
        ("session.query(Variable).filter(Variable.key != 'a').first().val", None),
        ("session.query(Connection).filter(Connection.conn_id == 'a').one().host", "BaseHook.get_connection('a').host"),
        ("session.query(Connection).filter(Connection.conn_id == 'a').first().is_encrypted", None),
        ("f\"{len(DagRun.find(dag_id='a', state='b'))}\"", "f\"{context['ti'].get_dr_count(dag_id='a', states=['b'])}\""),
    ],
)  # fmt: skip
def test_reads_of_the_database(old: str, new: str | None) -> None:
    source = in_task(old)
    done = apply("orm-access", source)
    text = done.text.decode()
    compile(text, "x", "exec")
    assert f"    return {new or old}\n" in text
    if new and "BaseHook" in new:
        assert "from airflow.sdk import BaseHook\n" in text


def test_states_are_values_of_their_enum() -> None:
    source = "from airflow.utils.state import DagRunState\n" + in_task(
        "len(DagRun.find(dag_id='a', state=DagRunState.RUNNING))", "ti"
    )
    assert (
        "ti.get_dr_count(dag_id='a', states=[DagRunState.RUNNING.value])" in apply("orm-access", source).text.decode()
    )


def test_where_no_context_is_nothing_is_rewritten() -> None:
    source = f"{_MODELS}\n\ndef count():\n    return len(DagRun.find(dag_id='a', state='b'))\n"
    done = apply("orm-access", source)
    assert done.text.decode() == source
    assert [spot.line for _, spot in done.spots] == [6]
    assert "get_dr_count" in done.spots[0][1].hint


def test_a_session_that_is_used_is_a_finding_with_the_ways_of_its_models() -> None:
    head = "from airflow.utils.session import provide_session\n" + _MODELS
    used = f"{head}\n\n@provide_session\ndef f(session=None):\n    session.query(Connection).delete()\n"
    done = apply("orm-access", used)
    assert done.text.decode() == used
    assert "BaseHook.get_connection" in done.spots[0][1].hint
    needed = f"{head}\n\n@provide_session\ndef f(session):\n    pass\n"
    assert apply("orm-access", needed).text.decode() == needed
    unused = f"{head}\n\n@provide_session\ndef f(*, session=None):\n    pass\n"
    assert "@provide_session" not in apply("orm-access", unused).text.decode()


_FILL = "from airflow.operators.dagrun_operator import TriggerDagRunOperator\n\n\ndef fill(context, run):\n"
_TRIGGER = "\n\nthen = TriggerDagRunOperator(task_id='a', trigger_dag_id='b', python_callable=fill)\n"


@pytest.mark.parametrize(
    "body",
    [
        "    if context['params']['x']:\n        run.payload = {}\n        return run\n",
        "    run.payload = {'day': context['ds']}\n    return run\n",
        "    run.payload = {'name': '{{ ds }}'}\n    return run\n",
        "    run.payload = load()\n    return run\n",
    ],
)
def test_functions_of_triggers_that_do_more_are_asked(body: str) -> None:
    source = _FILL + body + _TRIGGER + _TRIGGER.replace("'a'", "'c'").lstrip()
    done = apply("trigger-callable", source)
    text = done.text.decode()
    assert done.spots == []
    assert body in text
    assert text.count("class AskingTriggerDagRunOperator(TriggerDagRunOperator):") == 1
    assert "then = AskingTriggerDagRunOperator(task_id='c', trigger_dag_id='b', python_callable=fill)" in text
    assert apply("trigger-callable", text).text.decode() == text
    windows = apply("trigger-callable", source.replace("\n", "\r\n")).text
    assert windows == text.replace("\n", "\r\n").encode()


def test_triggers_that_are_given_more_stay() -> None:
    source = _FILL + "    return load(run)\n" + _TRIGGER.replace("python_callable", "conf={}, python_callable")
    done = apply("trigger-callable", source)
    assert done.text.decode() == source
    assert "more than fill" in done.spots[0][1].message


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("context['ti'].previous_ti", "get_previous_ti"),
        ("context['dag_run'].get_task_instances()", "get_task_states"),
        ("context['dag'].get_last_dagrun()", "dagRuns"),
        ("context['dag'].schedule_interval", "dag.schedule"),
        ("Variable.setdefault('a', 'b')", "Variable.set"),
        ("mine.previous_ti", ""),
        ("context['params'].duration", ""),
    ],
)
def test_what_tasks_cannot_ask_any_more_is_found(line: str, word: str) -> None:
    source = in_task(line)
    done = apply("runtime-api", source)
    assert done.text.decode() == source
    assert [word in spot.hint for _, spot in done.spots] == ([True] if word else [])


def test_callbacks_are_looked_at_as_well() -> None:
    body = "def tell(context):\n    print(context['ti'].duration, context.get('task_instance').previous_ti)\n\n\n"
    known = f"{body}default_args = {{'on_failure_callback': [tell]}}\n"
    assert [spot.line for _, spot in apply("runtime-api", known).spots] == [2, 2]
    assert [spot.line for _, spot in apply("runtime-api", body).spots] == [2, 2]


def test_a_dag_of_the_file_is_known() -> None:
    source = "from airflow import DAG\n\nwith DAG('a') as dag:\n    pass\nprint(dag.concurrency, dag.full_filepath)\nif dag.is_paused:\n    dag.clear()\n"
    done = apply("runtime-api", source)
    assert "print(dag.max_active_tasks, dag.fileloc)" in done.text.decode()
    assert [spot.line for _, spot in done.spots] == [6, 7]


_ASK = """
import sys
from airflow.sdk.exceptions import DagRunTriggerException
source = sys.stdin.read()
found = []
for wanted in (True, False):
    names = {"WANTED": wanted}
    exec(compile(source, "dag.py", "exec"), names)
    try:
        found.append(names["then"].execute({"params": {}}))
    except DagRunTriggerException as run:
        found.append([run.conf, run.dag_run_id[:6]])
print("RESULT", found)
"""


@pytest.mark.airflow
def test_an_asked_function_decides_in_the_real_airflow(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    body = "    if WANTED:\n        run.payload = {'full': len(context)}\n        return run\n"
    text = apply("trigger-callable", _FILL + body + _TRIGGER).text.decode()
    text = text.replace("airflow.operators.dagrun_operator", "airflow.providers.standard.operators.trigger_dagrun")
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-W", "ignore", "-c", _ASK]
    env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.rpartition("RESULT ")[2].strip() == "[[{'full': 1}, 'trig__'], None]"


def test_a_function_without_payload_goes() -> None:
    head = "from airflow.operators.dagrun_operator import TriggerDagRunOperator\n\n\ndef fill(context, run):\n    return run\n\n\n"
    source = head + "TriggerDagRunOperator(task_id='a', trigger_dag_id='b', python_callable=fill)\n"
    assert (
        apply("trigger-callable", source).text.decode()
        == head + "TriggerDagRunOperator(task_id='a', trigger_dag_id='b')\n"
    )


def test_slas_are_proposed_as_deadlines_from_3_1_on() -> None:
    source = (
        "from airflow import DAG\nDAG('a', schedule='@daily', default_args={'sla': HOUR}, sla_miss_callback=tell)\n"
    )
    newer, older = apply("sla", source), apply("sla", source, "3.0.6")
    assert newer.text.decode() == older.text.decode() == source
    hints = [spot.hint for _, spot in newer.spots]
    assert any(
        "DeadlineAlert(reference=DeadlineReference.DAGRUN_LOGICAL_DATE, interval=HOUR, callback=AsyncCallback(tell))"
        in hint
        for hint in hints
    )
    assert not any("AsyncCallback" in spot.hint for _, spot in older.spots)


def test_slas_of_decorated_tasks_are_found() -> None:
    source = "from airflow.decorators import task\n\n\n@task(sla=HOUR)\ndef load():\n    pass\n"
    assert ["SLA of task load" in spot.message for _, spot in apply("sla", source).spots] == [True]


def test_slas_of_nothing_go() -> None:
    source = "from airflow import DAG\nDAG('a', schedule='@daily', default_args={'owner': 'me', 'sla': None}, sla_miss_callback=None)\n"
    assert (
        apply("sla", source).text.decode()
        == "from airflow import DAG\nDAG('a', schedule='@daily', default_args={'owner': 'me'})\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('f"{{{{ execution_date }}}} {x}"', 'f"{{{{ logical_date }}}} {x}"'),
        ("f'{{% if next_ds %}}{execution_date}'", "f'{{% if (data_interval_end | ds) %}}{execution_date}'"),
        ('f"{{{{ macros.ds_add(yesterday_ds, {execution_date}) }}}}"', 'f"{{{{ macros.ds_add(macros.ds_add(ds, -1), {execution_date}) }}}}"'),
        ('f"{{ execution_date }} {x}"', 'f"{{ execution_date }} {x}"'),
        ("f\"{context['execution_date']}\"", "f\"{context['logical_date']}\""),
        ("f\"{context['ti'].execution_date}\"", "f\"{context['logical_date']}\""),
        ('f"""\n{context[\'execution_date\']}\n {{{{ tomorrow_ds }}}}"""', 'f"""\n{context[\'logical_date\']}\n {{{{ macros.ds_add(ds, 1) }}}}"""'),
    ],
)  # fmt: skip
def test_names_within_f_strings(old: str, new: str) -> None:
    done = apply("context-key", f"a = {old}\n")
    assert done.text.decode() == f"a = {new}\n"
    compile(done.text, "x", "exec")


def test_names_that_moved_follow_into_f_strings() -> None:
    source = 'from airflow.operators.dummy_operator import DummyOperator\nprint(f"é {DummyOperator.__name__!r:>{w}} {DummyOperator}")\n'
    text = apply("moved-name", source).text.decode()
    assert 'print(f"é {EmptyOperator.__name__!r:>{w}} {EmptyOperator}")' in text


@pytest.mark.parametrize("schedule", ["[Asset('a')]", "Asset('a')"])
def test_dates_of_dags_that_assets_trigger(schedule: str) -> None:
    head = "from airflow.sdk import DAG, Asset\n"
    found = apply(
        "no-logical-date", f"{head}with DAG('a', schedule={schedule}):\n    f('{{{{ data_interval_start }}}}')\n"
    )
    assert [spot.line for _, spot in found.spots] == [3]
    mixed = apply(
        "no-logical-date", f"{head}DAG('a', schedule={schedule})\nDAG('b', schedule='@daily')\nf('{{{{ ds }}}}')\n"
    )
    assert mixed.spots == []
    among = f"{head}DAG('b', schedule='@daily')\nwith DAG('a', schedule={schedule}):\n    f('{{{{ ds }}}}')\n"
    assert [spot.line for _, spot in apply("no-logical-date", among).spots] == [4]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (
            "    f('{{ ds }} {{ ts_nodash }}')\n    f('{{ data_interval_start }}')\n",
            "data_interval_start, ds, ts_nodash",
        ),
        ("    @task\n    def g(ds, **c):\n        print(ds, c['logical_date'])\n    g()\n", "ds, logical_date"),
        ("    f('{{ dag_run.run_after | ds }} {{ x.ts }} {{ g(ds=1) }}')\n", ""),
    ],
)
def test_dates_of_dags_that_nothing_schedules(body: str, names: str) -> None:
    head = "from airflow import DAG\nfrom airflow.decorators import task\n"
    code = f"{head}with DAG('a', schedule=None):\n{body}"
    found = [spot.message for _, spot in apply("no-logical-date", code).spots]
    assert [message.partition(" have no ")[2].partition(":")[0] for message in found] == ([names] if names else [])
    assert apply("no-logical-date", code.replace("None", "'@daily'")).spots == []


def test_filters_with_the_name_of_a_date_are_no_dates() -> None:
    head = "from airflow.sdk import DAG, Asset\n"
    block = "{{ (triggering_asset_events.values() | first | first).source_dag_run.data_interval_start | ds }}"
    assert apply("no-logical-date", f"{head}with DAG('a', schedule=[Asset('a')]):\n    f('{block}')\n").spots == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from airflow import conf\nx = conf.get('a', 'b')\n", "from airflow.configuration import conf\nx = conf.get('a', 'b')\n"),
        ("from airflow import DAG, conf as c\nx = c.get\n", "from airflow import DAG\nfrom airflow.configuration import conf as c\nx = c.get\n"),
        ("from airflow import configuration as conf\nx = conf.getint('a', 'b'), conf.conf.get('a', 'b')\n", "from airflow import configuration as conf\nx = conf.conf.getint('a', 'b'), conf.conf.get('a', 'b')\n"),
        ("from airflow.configuration import conf\nx = conf.get('a', 'b')\n", "from airflow.configuration import conf\nx = conf.get('a', 'b')\n"),
    ],
)  # fmt: skip
def test_functions_of_the_configuration(old: str, new: str) -> None:
    done = apply("configuration-function", old)
    assert done.text.decode() == new
    assert apply("configuration-function", new).text.decode() == new


@pytest.mark.parametrize(
    ("handler", "new"),
    [
        ("KeyError", "(KeyError, AirflowRuntimeError)"),
        ("(KeyError, ValueError)", "(KeyError, ValueError, AirflowRuntimeError)"),
        ("ValueError", "ValueError"),
        ("Exception", "Exception"),
    ],
)
def test_errors_of_variables_that_are_not_there(handler: str, new: str) -> None:
    source = "from airflow.models import Variable\ntry:\n    x = Variable.get({})\nexcept {}:\n    x = 1\n"
    assert f"\nexcept {new}:\n" in apply("variable-error", source.format("'a'", handler)).text.decode()
    has_default = source.format("'a', default_var=None", handler)
    assert apply("variable-error", has_default).text.decode() == has_default


_ARROWS = """from airflow import DAG
from airflow.operators.bash_operator import BashOperator
dag = DAG('sales', default_args={'retries': 2})
with DAG('stock') as stock:
    kept = BashOperator(task_id='kept', bash_command='date')
own = BashOperator(task_id='own', bash_command='date', dag=dag)
bare = BashOperator(task_id='bare', bash_command='date')
last = BashOperator(task_id='last', bash_command='date')
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dag >> own >> last", "own >> last"),
        ("dag << own", "own.dag = dag"),
        ("dag >> bare >> last", "bare.dag = dag\nbare >> last"),
        ("if own:\n    dag >> bare >> [last]", "if own:\n    bare.dag = dag\n    bare >> [last]"),
        ("own >> last >> dag", "own >> last"),
        ("last >> dag", "last.dag = dag"),
        ("stock >> kept", "kept.dag = stock"),
        ("dag >> BashOperator(task_id='new', bash_command='date')", "dag.add_task(BashOperator(task_id='new', bash_command='date'))"),
        ("dag >> BashOperator(task_id='new', bash_command='date', dag=dag)", "BashOperator(task_id='new', bash_command='date', dag=dag)"),
        ("dag >> BashOperator(task_id='new', bash_command='date') >> last", None),
        ("last << dag >> own", None),
        ("x = dag >> bare", None),
    ],
)  # fmt: skip
def test_arrows_between_a_dag_and_a_task(old: str, new: str | None) -> None:
    done = apply("dag-arrow", f"{_ARROWS}{old}\n")
    assert done.text.decode() == f"{_ARROWS}{new or old}\n"
    assert bool(done.spots) == (new is None)


def test_arrows_between_things_that_may_be_no_dag_stay() -> None:
    for text in ("def link(dag, own):\n    dag >> own\n", "dag = own\ndag >> last\n"):
        done = apply("dag-arrow", _ARROWS + text)
        assert done.text.decode() == _ARROWS + text
        assert done.spots == []


@pytest.mark.airflow
def test_a_task_that_is_added_is_what_the_arrow_made(airflow_venv: Callable[..., Venv]) -> None:
    code = _ARROWS.replace("operators.bash_operator", "providers.standard.operators.bash").replace(
        "airflow import DAG", "airflow.sdk import DAG"
    )
    code += "bare.dag = dag\nbare >> last\nbare.dag = dag\nprint(sorted(dag.task_ids), bare.downstream_task_ids, bare.retries, sorted(dag.task_group.children))\n"
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "['bare', 'last', 'own'] {'last'} 0 ['bare', 'last', 'own']", done.stderr[
        -900:
    ]


_SHARED = """from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator
common = {}
DockerOperator(task_id='fit', **common)
"""


@pytest.mark.parametrize(
    ("given", "more", "new"),
    [
        ("{'auto_remove': True, 'image': 'a'}", "", "{'auto_remove': \"success\", 'image': 'a'}"),
        ("{'auto_remove': True, 'image': 'a'}", "DockerOperator(task_id='b', **common)", "{'auto_remove': \"success\", 'image': 'a'}"),
        ("dict(auto_remove=False)", "", 'dict(auto_remove="never")'),
        ("{'volumes': VOLUMES}", "", "{'mounts': [Mount.parse_mount_string(volume) for volume in VOLUMES]}"),
        ("{'volumes': ['/a:/b'], 'mounts': []}", "", None),
        ("{'volumes': ['/a:/b:z']}", "", None),
        ("{'volumes': ['/a:/b']}", "def Mount(): pass", None),
        ("{'auto_remove': True}", "common['image'] = 'a'", None),
        ("{'auto_remove': True}", "run(**common)", None),
        ("{'auto_remove': True}", "BashOperator(task_id='b', **common)", None),
        ("{'provide_context': True, 'image': 'a'}", "", "{'image': 'a'}"),
        ("{'image': 'a'}", "run(**common)", "{'image': 'a'}"),
    ],
)  # fmt: skip
def test_arguments_of_a_dictionary_change_as_those_of_calls(given: str, more: str, new: str | None) -> None:
    done = apply("shared-argument", _SHARED.format(given) + f"{more}\n")
    assert f"common = {new or given}\n" in done.text.decode()
    assert bool(done.spots) == (new is None)
    assert ("import Mount" in done.text.decode()) == ("Mount" in (new or ""))


def test_a_dictionary_in_the_call_and_one_that_another_operator_shares() -> None:
    head = "from airflow.contrib.operators.s3_to_sftp_operator import S3ToSFTPOperator as A\nfrom airflow.contrib.operators.sftp_to_s3_operator import SFTPToS3Operator as B\n"
    text = f"{head}both = {{'s3_conn_id': 'lake'}}\nA(task_id='a', **both)\nB(task_id='b', **both)\nA(task_id='c', **{{'s3_conn_id': x}})\n"
    done = apply("shared-argument", text)
    assert done.text.decode() == text.replace("s3_conn_id", "aws_conn_id")
    assert done.spots == []


def test_a_dictionary_that_names_its_task_keeps_the_name() -> None:
    text = "from airflow.contrib.operators.ecs_operator import ECSOperator\nall_of_it = {'task_id': 'a', 'cluster': 'b', 'overrides': {}}\nECSOperator(**all_of_it)\n"
    done = apply("shared-argument", text)
    assert done.text.decode() == text
    assert done.spots == []


_SLA = """from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("nightly", schedule_interval="@daily", sla_miss_callback=tell):
    BashOperator(task_id="load", bash_command="date", sla=HOUR)
with DAG("by_hand", schedule_interval=None):
    BashOperator(task_id="never", bash_command="date", sla=HOUR)
"""


@pytest.mark.parametrize(("version", "is_told"), [("1.10.15", True), ("2.3.0", False), ("2.11.2", False)])
def test_slas_go_on_in_2_and_are_counted_otherwise_than_in_1(version: str, is_told: bool) -> None:
    rules = [rule for rule in RULES if rule.code == "sla"]
    done = rewrite(_SLA.encode(), rules, Options(target="2.11.2", source_version=version))
    assert done.text.decode() == _SLA
    assert [spot.line for _, spot in done.spots] == ([5] if is_told else [])
    if is_told:
        assert "one interval earlier" in done.spots[0][1].message
        assert "Add the length of the interval" in done.spots[0][1].hint


def test_before_deadlines_a_run_is_watched_from_outside() -> None:
    older = apply("sla", _SLA, "3.0.6").spots
    assert [spot.line for _, spot in older] == [4, 5]
    for _, spot in older:
        assert "DeadlineAlert" not in spot.hint
        assert "see the SLAs of this file" not in spot.hint
        assert "3.1" in spot.hint
        assert "dagrun_timeout" in spot.hint
