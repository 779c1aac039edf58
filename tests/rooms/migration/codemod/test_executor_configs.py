"""Dictionaries for KubernetesExecutor become pods of the Kubernetes client, or are told; so are applications of Spark that only were submitted."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.requirements import providers_of
from aerodrome.migration.codemod.rules import RULES

HEAD = "from airflow.operators.python_operator import PythonOperator as Run\n"


@pytest.mark.parametrize(
    ("settings", "pod"),
    [
        ("{}", "spec=k8s.V1PodSpec(containers=[k8s.V1Container(name='base')])"),
        (
            "{'limit_memory': '1Gi', 'limit_gpu': 1, 'request_cpu': None}",
            "spec=k8s.V1PodSpec(containers=[k8s.V1Container(name='base', resources=k8s.V1ResourceRequirements(limits={'memory': '1Gi', 'nvidia.com/gpu': 1}))])",
        ),
        (
            "{'volumes': disks, 'volume_mounts': [{'name': 'disk', 'mountPath': '/in'}], 'envs': {'A': 'b'}}",
            "spec=k8s.V1PodSpec(containers=[k8s.V1Container(name='base', volume_mounts=[{'name': 'disk', 'mountPath': '/in'}], env=[k8s.V1EnvVar(name='A', value='b')])], volumes=disks)",
        ),
        (
            "{'namespace': 'shop', 'image_pull_secrets': 'a,b', 'node_selectors': {'c': 'd'}}",
            "metadata=k8s.V1ObjectMeta(namespace='shop'), spec=k8s.V1PodSpec(containers=[k8s.V1Container(name='base')], image_pull_secrets=[k8s.V1LocalObjectReference(name='a'), k8s.V1LocalObjectReference(name='b')], node_selector={'c': 'd'})",
        ),
    ],
)
def test_a_dictionary_becomes_a_pod(settings: str, pod: str) -> None:
    source = f"{HEAD}Run(task_id='a', python_callable=print, executor_config={{'KubernetesExecutor': {settings}}})\n"
    done = rewrite(source.encode(), RULES, Options())
    expected = f"executor_config={{'pod_override': k8s.V1Pod({pod})}})"
    assert expected in done.text.decode().replace('"', "'")
    assert not [spot for code, spot in done.spots if code == "pod-override"]
    assert "apache-airflow-providers-cncf-kubernetes" in providers_of(done.text)


@pytest.mark.parametrize(
    "config",
    [
        "{'KubernetesExecutor': {'gcp_service_account_key': 'a'}}",
        "{'KubernetesExecutor': {**more}}",
        "{'KubernetesExecutor': {'image': 'a'}, 'pod_override': pod}",
        "{'KubernetesExecutor': {'request_cpu': 1, 'resources': amounts}}",
        "{'KubernetesExecutor': more}",
    ],
)
def test_what_cannot_be_read_is_told(config: str) -> None:
    source = f"{HEAD}Run(task_id='a', python_callable=print, executor_config={config})\n"
    done = rewrite(source.encode(), RULES, Options())
    assert config in done.text.decode()
    assert [spot.line for code, spot in done.spots if code == "pod-override"] == [2]


def test_what_is_no_pod_stays() -> None:
    source = f"{HEAD}TITLES = {{'KubernetesExecutor': 'pods', 'LocalExecutor': 'processes'}}\n"
    done = rewrite(source.encode(), RULES, Options())
    assert "'KubernetesExecutor': 'pods'" in done.text.decode()
    assert "pod-override" not in {code for code, _ in done.spots}
    assert "apache-airflow-providers-cncf-kubernetes" not in providers_of(done.text)


SPARK = "from airflow.providers.cncf.kubernetes.operators.spark_kubernetes import SparkKubernetesOperator as Spark\n"


@pytest.mark.parametrize(
    ("arguments", "version", "told"),
    [
        ("application_file='a.yaml'", "2.4.3", True),
        ("application_file='a.yaml'", "2.8.1", True),
        ("application_file='a.yaml'", "2.8.2", False),
        ("application_file='a.yaml', do_xcom_push=True", "2.11.2", True),
        ("application_file='a.yaml', do_xcom_push=False", "2.11.2", False),
        ("application_file='a.yaml', delete_on_termination=False", "2.4.3", False),
    ],
)
def test_an_application_that_only_was_submitted_is_told(arguments: str, version: str, told: bool) -> None:
    source = f"{SPARK}Spark(task_id='a', {arguments})\n"
    done = rewrite(source.encode(), RULES, Options(source_version=version))
    assert ["spark-application"] * told == [code for code, _ in done.spots]
