"""What a task's Python calls at run time: variables that are no text, runs that it triggers, kinds of runs, events, what opens the database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES


def apply(code: str, source: str, version: str = "2.9.3") -> Rewritten:
    options = Options(source_version=version, file="a.py", project=Project({"a.py": source.encode()}))
    return rewrite(source.encode(), [rule for rule in RULES if rule.code == code], options)


_VARIABLES = "import json\nfrom airflow.models import Variable\nfrom airflow.decorators import task\n\n\n@task\ndef save(x, ds=None, **context):\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Variable.set('a', 17)", "Variable.set('a', str(17))"),
        ("Variable.set('a', None)", "Variable.set('a', str(None))"),
        ("Variable.set('a', (x\n        + 1))", "Variable.set('a', (str(x\n        + 1)))"),
        ("Variable.set(key='a', value=x, description='b')", "Variable.set(key='a', value=str(x), description='b')"),
        ("Variable.set('a', x, serialize_json=False)", "Variable.set('a', str(x), serialize_json=False)"),
        ("Variable.set('a', x, serialize_json=True)", None),
        ("Variable.set('a', 'b' + x)", None),
        ("Variable.set('a', '%s' % x)", None),
        ("Variable.set('a', f'{x}')", None),
        ("Variable.set('a', str(x))", None),
        ("Variable.set('a', json.dumps(x))", None),
        ("Variable.set('a', x.isoformat())", None),
        ("Variable.set('a', '{}'.format(x))", None),
        ("Variable.set('a', ds)", None),
        ("Variable.set('a', context['ts'])", None),
        ("Variable.set('a', Variable.get('b'))", None),
        ("Variable.set('a', Variable.get('b', deserialize_json=True))", "Variable.set('a', str(Variable.get('b', deserialize_json=True)))"),
        ("y = ','.join(x)\n    Variable.set('a', y)", None),
        ("y = 'b' if x else 1\n    Variable.set('a', y)", "y = 'b' if x else 1\n    Variable.set('a', str(y))"),
        ("Other.set('a', 17)", None),
        ("Variable.set('a', **x)", None),
    ],
)  # fmt: skip
def test_variables_are_texts(old: str, new: str | None) -> None:
    source = f"{_VARIABLES}    {old}\n"
    done = apply("variable-text", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert done.spots == []
    assert apply("variable-text", done.text.decode()).text == done.text


def test_whether_a_variable_is_json_may_not_be_seen() -> None:
    source = f"{_VARIABLES}    Variable.set('a', x, serialize_json=x)\n"
    assert [spot.line for _, spot in apply("variable-text", source).spots] == [8]
    source = f"{_VARIABLES}    Variable.set('a', x, True)\n"
    assert "('a', x, serialize_json=True)" in apply("variable-text", source, "1.10.15").text.decode()
    shadowed = f"str = repr\n{_VARIABLES}    Variable.set('a', 1)\n"
    assert [spot.line for _, spot in apply("variable-text", shadowed).spots] == [9]


_TRIGGERS = """from airflow.decorators import task
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.operators.bash import BashOperator


class Report(TriggerDagRunOperator):
    def execute(self, context):
        super().execute(context)
        tell()


@task
def start(days, **context):
"""


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("for day in days:\n        TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)", True),
        ("run = TriggerDagRunOperator(task_id='a', trigger_dag_id='b')\n    run.execute(context=context)\n    tell()", True),
        ("try:\n        Report(task_id='a', trigger_dag_id='b').execute(context)\n    except Exception:\n        pass", True),
        ("x = TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)", True),
        ("if days:\n        TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)\n    tell()", True),
        ("if days:\n        return TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)\n    tell()", False),
        ("tell()\n    TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)", False),
        ("for day in days:\n        BashOperator(task_id='a', bash_command='b').execute(context)", False),
        ("for day in days:\n        day.execute(context)", False),
    ],
)  # fmt: skip
def test_runs_that_a_task_triggers_by_hand(body: str, is_found: bool) -> None:
    source = f"{_TRIGGERS}    {body}\n"
    done = apply("trigger-execute", source)
    assert done.text.decode() == source
    assert [spot.line for _, spot in done.spots][:1] == [8]
    assert len(done.spots) == 1 + is_found


def test_a_helper_that_triggers_may_be_called_anywhere() -> None:
    source = "from airflow.operators.trigger_dagrun import TriggerDagRunOperator\n\n\ndef go(context):\n    TriggerDagRunOperator(task_id='a', trigger_dag_id='b').execute(context)\n"
    assert [spot.line for _, spot in apply("trigger-execute", source).spots] == [5]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('dag_run.run_type in ("manual", "dataset_triggered")', 'dag_run.run_type in ("manual", "asset_triggered")'),
        ("run_type != 'dataset_triggered'", "run_type != 'asset_triggered'"),
        ("context['run_id'].startswith('dataset_triggered')", "context['run_id'].startswith('asset_triggered')"),
        ("DagRunType.DATASET_TRIGGERED", "DagRunType.ASSET_TRIGGERED"),
        (
            "'{% if run_id.startswith(\"dataset_triggered__\") %}'",
            "'{% if run_id.startswith(\"asset_triggered__\") %}'",
        ),
        ("'{{ dag_run.run_type == \\'dataset_triggered\\' }}'", "'{{ dag_run.run_type == \\'asset_triggered\\' }}'"),
        ("KINDS['dataset_triggered']", None),
        ("run_type in ('asset_triggered', 'dataset_triggered')", ""),
        ("{'asset_triggered': 1, 'dataset_triggered': 1}", ""),
        ("mine.DATASET_TRIGGERED", ""),
        ("'was dataset_triggered'", ""),
    ],
)
def test_kinds_of_runs(old: str, new: str | None) -> None:
    source = f"from airflow.utils.types import DagRunType\nx = {old}\n"
    done = apply("run-type", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([2] if new is None else [])


def test_a_word_of_other_code_is_none_of_a_run() -> None:
    assert apply("run-type", "record = {'dataset_triggered': True}\n").spots == []


def test_a_kind_that_is_matched() -> None:
    source = "match dag_run.run_type:\n    case 'manual' | 'dataset_triggered':\n        pass\n"
    assert "case 'manual' | 'asset_triggered'" in apply("run-type", source).text.decode()


_CLEAN = "((key.uri, events) for key, events in triggering_dataset_events.items() if hasattr(key, 'uri'))"
_NAMED = "events = context['triggering_dataset_events'] or {}\n    for uri, _ in ((key.uri, events) for key, events in events.items() if hasattr(key, 'uri')):\n        print(uri)"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("for uri, events in triggering_dataset_events.items():\n        print(uri)", f"for uri, events in {_CLEAN}:\n        print(uri)", 0),
        ("for uri, events in sorted(triggering_dataset_events.items()):\n        print(uri)", f"for uri, events in sorted({_CLEAN}):\n        print(uri)", 0),
        ("for uri in triggering_dataset_events:\n        print(uri)", "for uri in (key.uri for key in triggering_dataset_events if hasattr(key, 'uri')):\n        print(uri)", 0),
        ("x = [u for u, _ in triggering_dataset_events.items()]", f"x = [u for u, _ in {_CLEAN}]", 0),
        ("for _, events in triggering_dataset_events.items():\n        print(events[0].dataset.uri)", "for _, events in triggering_dataset_events.items():\n        print(events[0].asset.uri)", 0),
        ("for events in triggering_dataset_events.values():\n        print([e.uri for e in events])", "for events in triggering_dataset_events.values():\n        print([e.asset.uri for e in events])", 0),
        ("for events in triggering_dataset_events.values():\n        for e in sorted(events[:2]):\n            print(e.id)", "", 1),
        ("for e in dag_run.consumed_dataset_events:\n        print(e.dataset, e.created_dagruns)", "for e in dag_run.consumed_asset_events:\n        print(e.asset, e.created_dagruns)", 1),
        ("triggering_dataset_events.get('s3://a/b')", "", 1),
        ("'s3://a/b' in triggering_dataset_events", "", 1),
        ("events = context.get('triggering_dataset_events', {})\n    events.get(ONE.uri)", "", 1),
        ("events = context['triggering_dataset_events'] or {}\n    for uri, _ in events.items():\n        print(uri)", _NAMED, 0),
        ("x = set(triggering_dataset_events.keys())", "", 1),
        ("x = triggering_dataset_events[ONE]", "", 1),
        ("x = triggering_dataset_events['s3://a/b']", "", 0),  # of asset-event-key
        ("events = context['triggering_dataset_events']\n    x = events['s3://a/b'][0].uri", "events = context['triggering_dataset_events']\n    x = events['s3://a/b'][0].asset.uri", 0),
        ("for e in others:\n        print(e.dataset, e.id)", "", 0),
        ("others.get('s3://a/b')", "", 0),
    ],
)  # fmt: skip
def test_events_of_datasets(old: str, new: str, found: int) -> None:
    head = "from airflow.decorators import task\n\n\n@task\ndef run(others, triggering_dataset_events=None, dag_run=None, **context):\n"
    source = f"{head}    {old}\n"
    done = apply("asset-event", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert len(done.spots) == found


def test_keys_of_code_for_airflow_3_stay() -> None:
    source = "from airflow.sdk import task\n\n\n@task\ndef run(triggering_asset_events=None):\n    for asset, events in triggering_asset_events.items():\n        print(asset)\n"
    assert apply("asset-event", source, "").text.decode() == source


def test_events_in_templates() -> None:
    loop = "{% for address, events in triggering_dataset_events.items() %}"
    source = f"a = '{loop}{{{{ address }}}} {{{{ (events | first).dataset.uri }}}}'\nb = '{loop}{{{{ events }}}}'\nc = '{{{{ table.dataset }}}}'\n"
    done = apply("asset-event", source)
    assert done.text.decode() == source.replace("first).dataset", "first).asset")
    assert [spot.line for _, spot in done.spots] == [1]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("orm-access", "trigger_dag('b', conf={})"),
        ("orm-access", "Client(None, None).trigger_dag(dag_id='b')"),
        ("orm-access", "Pool.create_or_update_pool('a', 3, '', False)"),
        ("xcom-model", "XCom.set('a', 1, day, 'b', 'c')"),
        ("orm-access", "XCom.delete(rows)"),
        ("orm-access", "TaskInstance(one, day).state"),
        ("runtime-api", "DagBag().get_dag('b').clear()"),
        ("runtime-api", "bag.get_dag('b').get_last_dagrun()"),
        ("", "XCom.set('a', 1, dag_id='b', task_id='c', run_id='d')"),
        ("", "XCom.delete(key='a', dag_id='b', task_id='c', run_id='d')"),
        ("", "DagBag().import_errors"),
        ("", "helper.trigger_dag('b')"),
        ("", "mine.create_or_update_pool('b')"),
    ],
)
def test_what_opens_the_database(code: str, line: str) -> None:
    head = (
        "from airflow.api.client.local_client import Client\nfrom airflow.api.common.trigger_dag import trigger_dag\n"
        "from airflow.models import DagBag, Pool, TaskInstance, XCom\nbag = DagBag('dags')\n\n\ndef run(helper, mine):\n"
    )
    source = f"{head}    {line}\n"
    for rule in ("orm-access", "runtime-api"):
        done = apply(rule, source)
        assert done.text.decode() == source
        assert [spot.line for _, spot in done.spots] == ([8] if rule == code else [])


_FACTS = """
import inspect
from airflow.api.common.trigger_dag import trigger_dag
from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.api.datamodels._generated import AssetEventDagRunReference, DagRunType, PreviousTIResponse
from airflow.sdk.execution_time.comms import GetXCom, GetXComSequenceSlice, PutVariable
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

def refuses(make, **given):
    try:
        make(**given)
    except ValueError:
        return True
    return False

print("RESULT", [
    refuses(PutVariable, key="a", value=17, description=None),
    refuses(GetXCom, key=None, dag_id="a", run_id="b", task_id="c"),
    refuses(GetXComSequenceSlice, key=None, dag_id="a", run_id="b", task_id="c", start=None, stop=None, step=None),
    not hasattr(BaseOperator, "xcom_push") and not hasattr(BaseOperator, "xcom_pull"),
    list(inspect.signature(RuntimeTaskInstance.xcom_push).parameters) == ["self", "key", "value"],
    [name in inspect.signature(RuntimeTaskInstance.xcom_pull).parameters for name in ("run_id", "map_indexes", "session")] == [True, True, False],
    "asset_triggered" in [item.value for item in DagRunType] and "dataset_triggered" not in [item.value for item in DagRunType],
    hasattr(Asset("s3://a/b"), "uri") and not hasattr(AssetAlias("a"), "uri"),
    {"asset", "source_run_id", "timestamp"} <= set(AssetEventDagRunReference.model_fields) and not {"dataset", "id", "uri"} & set(AssetEventDagRunReference.model_fields),
    not hasattr(PreviousTIResponse, "xcom_pull") and "run_id" in PreviousTIResponse.model_fields,
    inspect.signature(trigger_dag).parameters["triggered_by"].default is inspect.Parameter.empty,
])
"""


@pytest.mark.airflow
def test_the_real_airflow_is_as_the_rules_say(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-W", "ignore", "-c", _FACTS]
    env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.rpartition("RESULT ")[2].strip() == str([True] * 11), done.stderr[-900:]


def test_the_run_that_made_an_event_has_a_logical_date() -> None:
    source = (
        "a = '{{ (triggering_dataset_events.values() | first | first).source_dag_run.execution_date | ds }} execution_date'\n"
        "def b(event):\n    return event.source_dag_run.execution_date, event.execution_date\n"
    )
    text = apply("asset-event", source).text.decode()
    assert "source_dag_run.logical_date | ds }} execution_date'" in text
    assert "return event.source_dag_run.logical_date, event.execution_date" in text
