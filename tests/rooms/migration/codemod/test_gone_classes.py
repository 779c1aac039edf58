"""A class that nothing continues: its DAG stays, its tasks raise, and nobody can overlook it. If these break, DAGs vanish from the target, or tasks seem done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import GONE, Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.gone import Gone, gone_classes
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.moved_names import lost

_PLAIN = Options()
_GOOGLE = "airflow.providers.google.cloud"
_TRAIN = f"from {_GOOGLE}.operators.automl import AutoMLTrainModelOperator\n"
_HOOK = f"from {_GOOGLE}.hooks.automl import CloudAutoMLHook\n"


def upgraded(source: str, options: Options = _PLAIN) -> Rewritten:
    done = rewrite(source.encode(), RULES, options)
    again = rewrite(done.text, RULES, options)
    assert again.text == done.text
    assert [code for code, _ in again.spots] == [code for code, _ in done.spots]
    return done


def standing(done: Rewritten) -> list[str]:
    """Give the first word of what was said of stand-ins."""
    return [spot.message.split()[0] for code, spot in done.spots if code == GONE]


def test_every_stand_in_is_a_finding_in_every_upgrade() -> None:
    source = (
        f'{_TRAIN}{_HOOK}a = AutoMLTrainModelOperator(task_id="a", model=M)\nb = CloudAutoMLHook.extract_object_id\n'
    )
    done = upgraded(source)
    assert standing(done) == ["AutoMLTrainModelOperator", "CloudAutoMLHook"]
    for _, spot in done.spots:
        line = done.text.decode().splitlines()[spot.line - 1]
        assert line.startswith(f"class {spot.message.split()[0]}")
        assert "2024" in spot.hint
    names: dict[str, type] = {}
    text = done.text.decode()
    hook = text[text.index("class CloudAutoMLHook") : text.index("a = AutoML")]
    exec(hook, {"AirflowFailException": RuntimeError}, names)
    assert names["CloudAutoMLHook"].extract_object_id({"name": "projects/p/models/TBL1"}) == "TBL1"  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="AutoML's own service is shut down"):
        names["CloudAutoMLHook"]("google_cloud_default")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (f"{_TRAIN}x = 1\n", "x = 1\n"),  # nobody uses it
        (
            f"try:\n    {_TRAIN}except ImportError:\n    AutoMLTrainModelOperator = None\nx = AutoMLTrainModelOperator\n",
            None,  # somebody looks after its absence
        ),
        (f"def f():\n    {_HOOK}    return CloudAutoMLHook()\n", None),  # only this task fails
        (f"{_TRAIN}AutoMLTrainModelOperator = 1\n", None),
    ],
)
def test_where_no_stand_in_is_needed(source: str, wanted: str | None) -> None:
    done = upgraded(source)
    assert done.text.decode() == (source if wanted is None else wanted)
    assert standing(done) == []


def test_what_can_be_rewritten_is_not_stood_in_for() -> None:
    head = "from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator\n"
    done = upgraded(f'{head}a = DataProcPySparkOperator(task_id="a", main="gs://a.py", cluster_name="c", region="r")\n')
    assert standing(done) == []
    assert "DataprocSubmitJobOperator" in done.text.decode()


def test_a_file_can_be_left_as_it_is() -> None:
    source = f'{_TRAIN}a = AutoMLTrainModelOperator(task_id="a", model=M)\n'
    done = upgraded(source, Options(is_keeping_gone=True))
    assert done.text.decode() == source
    assert [code for code, spot in done.spots if "so is the service behind it" in spot.message] == ["moved-name"]
    assert upgraded(source, Options(target="2.11.2")).text.decode() == source  # its provider is there


def test_names_of_the_file_stay_what_they_are() -> None:
    source = (
        "from airflow.models import BaseOperator\n"
        f"from {_GOOGLE}.operators.automl import AutoMLTrainModelOperator as Train\n"
        "class Own(BaseOperator):\n    pass\n\n\n"
        'a = Train(task_id="a", model=M)\n'
    )
    text = upgraded(source).text.decode()
    assert text.count("import BaseOperator") == 1
    assert text.index("class AutoMLTrainModelOperator(BaseOperator)") < text.index("Train = AutoMLTrainModelOperator")
    text = upgraded(f'{_TRAIN}BaseOperator = 1\na = AutoMLTrainModelOperator(task_id="a")\n').text.decode()
    assert "from airflow.sdk import BaseOperator as _BaseOperator" in text
    assert "class AutoMLTrainModelOperator(_BaseOperator)" in text
    assert "from airflow.sdk.exceptions import AirflowFailException" in text
    older = upgraded(f'{_TRAIN}a = AutoMLTrainModelOperator(task_id="a")\n', Options(target="3.1.8")).text.decode()
    assert "from airflow.exceptions import AirflowFailException" in older
    windows = upgraded(f'{_TRAIN}a = AutoMLTrainModelOperator(task_id="a")\n'.replace("\n", "\r\n")).text
    assert windows.count(b"\n") == windows.count(b"\r\n")


@pytest.mark.parametrize(
    ("head", "owner"),
    [
        (f"import {_GOOGLE}.operators.mlengine as ml", "ml"),
        (f"from {_GOOGLE}.operators import mlengine", "mlengine"),
        ("from airflow.contrib.operators import mlengine_operator", "mlengine_operator"),
    ],
)
def test_classes_that_are_reached_through_their_module(head: str, owner: str, tmp_path: Path) -> None:
    name = "MLEngineTrainingOperator" if "contrib" in head else "MLEngineStartTrainingJobOperator"
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "a.py").write_text(f"{head}\n\na = {owner}.{name}(task_id='dag')\nb = {owner}.{name}\n")
    done = upgrade(tmp_path / "before", tmp_path / "after", "3.3.2")
    text = (tmp_path / "after" / "a.py").read_text()
    assert head not in text
    assert text.endswith(f"a = {name}(task_id='dag')\nb = {name}\n")
    assert [item.rule for item in done.findings if item.file == "a.py"] == [GONE]


@pytest.mark.parametrize(
    "owner", ["airflow.operators.subdag", "airflow.operators.subdag_operator", "airflow.operators"]
)
@pytest.mark.parametrize(
    "use",
    [
        "class Mine(SubDagOperator):\n    pass\n",
        'KINDS = {"part": SubDagOperator}\n',
        "def is_part(task):\n    return isinstance(task, SubDagOperator)\n",
    ],
)
def test_subdags_that_are_more_than_made_are_found_and_making_one_fails(owner: str, use: str) -> None:
    done = upgraded(f"from {owner} import SubDagOperator\n\n\n{use}")
    assert f"Stands in for {owner}.SubDagOperator" in done.text.decode()
    assert "TaskGroup" in done.text.decode()
    assert [code for code, _ in done.spots] == [GONE]


@pytest.mark.parametrize(
    "head",
    [
        "import airflow.operators.subdag_operator as x",
        "from airflow.operators import subdag_operator as x",
        "from airflow.operators import subdag as x",
    ],
)
def test_subdags_that_hide_behind_a_module_are_found(head: str) -> None:
    listed = upgraded(f"{head}\n\nKINDS = [x.SubDagOperator]\n")
    assert [code for code, _ in listed.spots] == [GONE]
    made = upgraded(f'{head}\n\nx.SubDagOperator(task_id="a", subdag=PARTS["a"])\n')
    assert [code for code, _ in made.spots] == ["subdag"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("airflow.triggers.external_task", "TaskStateTrigger"),
        ("airflow.executors.kubernetes_executor", "KubernetesJobWatcher"),
        ("airflow.kubernetes.pod_launcher", "PodLauncher"),
    ],
)
def test_what_is_gone_behind_a_module_is_found(module: str, name: str) -> None:
    done = upgraded(f"import {module} as x\n\nKINDS = [x.{name}]\n")
    assert f"from {module} import {name}\n\nKINDS = [{name}]" in done.text.decode()
    assert [code for code, _ in done.spots] == ["moved-name"]


_BACKCOMPAT = "airflow.providers.cncf.kubernetes.backcompat"


@pytest.mark.parametrize("place", ["airflow.contrib.kubernetes", "airflow.kubernetes", _BACKCOMPAT])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pod", "Port"),
        ("pod", "Resources"),
        ("pod_runtime_info_env", "PodRuntimeInfoEnv"),
        ("volume", "Volume"),
        ("volume_mount", "VolumeMount"),
    ],
)
def test_parts_of_pods_that_are_more_than_made_are_found(place: str, module: str, name: str) -> None:
    head = f"from {place}.{module} import {name}\n\n\n"
    for use in (f"class Mine({name}):\n    pass\n", f"KINDS = [{name}]\n"):
        done = upgraded(f"{head}{use}")
        assert f"class {name}:" in done.text.decode()
        assert [(code, "k8s.V1" in spot.hint) for code, spot in done.spots] == [(GONE, True)]


def test_parts_of_pods_are_those_of_the_kubernetes_client() -> None:
    done = upgraded(
        f"from {_BACKCOMPAT}.pod import Port, Resources\n"
        f"from {_BACKCOMPAT}.pod_runtime_info_env import PodRuntimeInfoEnv\n"
        f"from {_BACKCOMPAT}.volume import Volume\n\n\n"
        "def named(part: Volume) -> str:\n"
        '    return part.name if isinstance(part, (Volume, Port)) else ""\n\n\n'
        'size = Resources("1Gi", limit_gpu=1)\n'
        'address = PodRuntimeInfoEnv("IP", field_path="status.podIP")\n'
    )
    assert done.spots == []
    assert done.text.decode() == (
        "from kubernetes.client import models as k8s\n\n\n"
        "def named(part: k8s.V1Volume) -> str:\n"
        '    return part.name if isinstance(part, (k8s.V1Volume, k8s.V1ContainerPort)) else ""\n\n\n'
        'size = k8s.V1ResourceRequirements(requests={"memory": "1Gi"}, limits={"nvidia.com/gpu": 1})\n'
        'address = k8s.V1EnvVar(name="IP", value_from=k8s.V1EnvVarSource('
        'field_ref=k8s.V1ObjectFieldSelector(field_path="status.podIP")))\n'
    )


def test_the_link_that_only_warned_is_the_one_that_it_was() -> None:
    done = upgraded(
        "from airflow.sensors.external_task import ExternalTaskSensorLink\n\nx = ExternalTaskSensorLink()\n"
    )
    assert "import ExternalDagLink\n\nx = ExternalDagLink()" in done.text.decode()


def test_a_dag_whose_operators_are_defined_elsewhere_is_found_as_well(tmp_path: Path) -> None:
    files = {
        "dags/sales.py": "from airflow import DAG\nfrom shop.training import Quiet, Train\n\nwith DAG('sales', schedule=None):\n    Train(task_id='a')\n",
        "dags/sub/more.py": "from ..own import Train\n\nTrain(task_id='airflow')\n",
        "dags/own.py": f"{_TRAIN}\n\nclass Train(AutoMLTrainModelOperator):\n    pass\n",
        "plugins/shop/__init__.py": "",
        "plugins/shop/training.py": f"{_TRAIN}\n\nclass Base(AutoMLTrainModelOperator):\n    pass\n\n\nclass Train(Base):\n    pass\n\n\nclass Quiet:\n    pass\n",
    }
    for name, text in files.items():
        (place := tmp_path / "before" / name).parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for before, after in (("before", "after"), ("after", "again")):
        done = upgrade(tmp_path / before, tmp_path / after, "3.3.2")
        found = {(item.file, item.line): item.message for item in done.findings if item.rule == GONE}
        assert {file for file, _ in found} == {
            "dags/own.py",
            "dags/sales.py",
            "dags/sub/more.py",
            "plugins/shop/training.py",
        }
        (told,) = (text for (file, _), text in found.items() if file == "dags/sales.py")
        assert told.startswith("Train of plugins/shop/training.py ")
    for name in files:
        assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_table_has_what_the_moves_call_gone() -> None:
    known = gone_classes()
    assert not known.keys() & table().moves.keys()
    assert {name.rpartition(".")[2] for name, item in known.items() if item.tasks} == {"create_evaluate_ops"}
    assert all(set(item.fields) <= set(item.arguments) for item in known.values())
    train = known[f"{_GOOGLE}.operators.automl.AutoMLTrainModelOperator"]
    assert train == Gone(
        "operator",
        "apache-airflow-providers-google 15.1.0",
        fields=("model", "location", "project_id", "impersonation_chain"),
        arguments=(
            "model",
            "location",
            "project_id",
            "metadata",
            "timeout",
            "retry",
            "gcp_conn_id",
            "impersonation_chain",
        ),
    )


def test_no_stand_in_blames_a_plugin_or_says_nothing() -> None:
    for name in gone_classes():
        module, _, word = name.rpartition(".")
        why = lost(1, module, word, 3)
        assert "plugin" not in why.message
        assert why.hint


_TRIED = """
import json, sys, warnings
warnings.simplefilter("ignore")
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization
found = {}
for name, (text, kind, arguments, fields) in json.load(sys.stdin).items():
    names = {}
    exec(text, names)
    made = names[name.rpartition(".")[2]]
    if kind == "hook":
        try:
            made("a", b=1)
            found[name] = "made"
        except AirflowFailException:
            found[name] = "raises"
        continue
    if kind == "function":
        with DAG("dag", schedule=None) as dag:
            tasks = made("p", "TEXT", metric_fn_and_keys=(len, ()))
        DagSerialization.to_dict(dag)
        try:
            tasks[1].execute({})
            found[name] = "ran"
        except AirflowFailException:
            ways = {task.task_id: sorted(task.downstream_task_ids) for task in tasks}
            is_same = ways == {"p-prediction": ["p-summary"], "p-summary": ["p-validation"], "p-validation": []}
            found[name] = "raises" if is_same else str(ways)
        continue
    with DAG("dag", schedule=None, default_args={argument: "d" for argument in arguments[::2]}) as dag:
        task = made(task_id="task", **{argument: "{{ ds }}" for argument in arguments[1::2]})
        made.partial(task_id="mapped").expand(**{fields[0]: ["1", "2"]}) if fields else None
    data = DagSerialization.to_dict(dag)["dag"]["tasks"][0]["__var"]
    wrong = [argument for index, argument in enumerate(arguments) if getattr(task, argument) != ("{{ ds }}" if index % 2 else "d")]
    try:
        task.execute({})
        found[name] = "ran"
    except AirflowFailException as error:
        found[name] = "raises" if not wrong and "is gone" in str(error) and sorted(data["template_fields"]) == sorted(fields) else str(wrong)
sys.__stdout__.write("RESULT" + json.dumps(found))
"""


@pytest.mark.airflow
def test_every_stand_in_is_a_task_that_airflow_stores_and_that_raises(
    airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    given = {}
    for name, known in gone_classes().items():
        module, _, word = name.rpartition(".")
        text = rewrite(f"from {module} import {word}\nx = {word}\n".encode(), RULES, Options()).text.decode()
        given[name] = (text, known.kind, known.arguments, known.fields)
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", _TRIED],
        input=json.dumps(given), capture_output=True, text=True, check=False,
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AIRFLOW__CORE__UNIT_TEST_MODE": "False"},
    )  # fmt: skip
    assert "RESULT" in done.stdout, done.stderr[-2000:]
    found = json.loads(done.stdout.partition("RESULT")[2])
    assert found == dict.fromkeys(gone_classes(), "raises")
