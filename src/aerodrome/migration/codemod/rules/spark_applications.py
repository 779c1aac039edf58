"""SparkKubernetesOperator waits for its application and deletes it; once it only made one, gave it to XCom, and a sensor waited.

Read: SparkKubernetesOperator of apache-airflow-providers-cncf-kubernetes 5.0 (made the custom object and returned it) and 10.25 (a KubernetesPodOperator:
waits for the driver, random_name_suffix, delete_on_termination, do_xcom_push by a container that drivers do not have). Changed in 7.14, which came with Airflow 2.8.2.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_OPERATOR, _SENSOR = "SparkKubernetesOperator", "SparkKubernetesSensor"
_WAITING = (2, 8, 2)
_WHAT = "SparkKubernetesOperator waits for the application's end itself, gives no application to XCom, puts a suffix to its name and deletes it."
_HINT = (
    "Take do_xcom_push and the SparkKubernetesSensor behind it out; to keep both say delete_on_termination=False, "
    "random_name_suffix=False here, and in the sensor the name that the application has."
)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    made = [item for item in operators.made(source) if not item.is_expanding]
    submitting = [item for item in made if _OPERATOR in item.classes]
    watching = [item for item in made if _SENSOR in item.classes]
    is_old = _is_old(options.source_version)
    for item in submitting:
        if (is_old or watching) and not _is_said(item.call):
            yield Spot(item.call.lineno, _WHAT, _HINT)
        elif _pushes(item.call):
            yield Spot(
                item.call.lineno,
                "do_xcom_push lets SparkKubernetesOperator look for a container in the driver's pod that is not there.",
                "Take do_xcom_push out.",
            )
    for item in watching:
        name = keyword(item.call, "application_name")
        if submitting and name and "xcom_pull" in source.code(name.value):
            yield Spot(
                name.value.lineno,
                "The sensor asks XCom for the application of a SparkKubernetesOperator, which gives none any more.",
                "Take the sensor out: the operator waits itself.",
            )


def _is_old(version: str) -> bool:
    words = version.split(".")
    return all(word.isdigit() for word in words) and tuple(map(int, words)) < _WAITING


def _is_said(call: ast.Call) -> bool:
    """Tell whether somebody wrote it for the operator that waits."""
    return any(keyword(call, name) for name in ("delete_on_termination", "random_name_suffix", "template_spec"))


def _pushes(call: ast.Call) -> bool:
    item = keyword(call, "do_xcom_push")
    return item is not None and not (isinstance(item.value, ast.Constant) and not item.value.value)


RULE = Rule(
    code="spark-application",
    title="SparkKubernetesOperator with a sensor behind it is found: it waits itself now, and deletes the application",
    words=(_OPERATOR.encode(),),
    before="""
from airflow.providers.cncf.kubernetes.operators.spark_kubernetes import SparkKubernetesOperator
from airflow.providers.cncf.kubernetes.sensors.spark_kubernetes import SparkKubernetesSensor

submit = SparkKubernetesOperator(task_id="submit", application_file="sales.yaml", do_xcom_push=True)
watch = SparkKubernetesSensor(
    task_id="watch",
    application_name="{{ task_instance.xcom_pull(task_ids='submit')['metadata']['name'] }}",
)
submit >> watch
""",
    after="""
from airflow.providers.cncf.kubernetes.operators.spark_kubernetes import SparkKubernetesOperator
from airflow.providers.cncf.kubernetes.sensors.spark_kubernetes import SparkKubernetesSensor

submit = SparkKubernetesOperator(task_id="submit", application_file="sales.yaml", do_xcom_push=True)
watch = SparkKubernetesSensor(
    task_id="watch",
    application_name="{{ task_instance.xcom_pull(task_ids='submit')['metadata']['name'] }}",
)
submit >> watch
""",
    find=_find,
    finding="SparkKubernetesOperator waits for the application's end itself",
    is_for_2=True,
)
