"""What operators and hooks of providers did when nobody said otherwise in the time of Airflow 2, and those of today do not: it is said.

Measured between the constructors of the providers that came out with 2.2.5, 2.4.3, 2.6.3, 2.8.4, 2.10.5 and 2.11.2, and those of 3.3.2 (amazon 9.37, google and
cncf.kubernetes of 2026-11); left out is what ends in the same, and how often a wait asks. It was none of 2.11.2's any more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.derived import derived
from aerodrome.migration.codemod.rules.old_defaults import says
from aerodrome.migration.codemod.source import Source

_MEASURED = (2, 4, 6, 8, 10)


@dataclass(frozen=True)
class _Old:
    argument: str
    code: str
    measured: set[int]  # minor versions of Airflow 2 whose providers had it

    def is_of(self, minor: int) -> bool:
        """Tell whether it was so: between two that were measured, when both had it."""
        if minor < min(_MEASURED):
            return min(_MEASURED) in self.measured
        return all(near in self.measured for near in _MEASURED if abs(near - minor) <= minor % 2)


_OLD = {
    "airflow.providers.amazon.aws.operators.batch.BatchCreateComputeEnvironmentOperator": _Old(
        "aws_conn_id", "None", {4, 6, 8, 10}
    ),
    "airflow.providers.amazon.aws.operators.batch.BatchOperator": _Old("aws_conn_id", "None", {2, 4, 6, 8, 10}),
    "airflow.providers.amazon.aws.operators.ecs.EcsRunTaskOperator": _Old("aws_conn_id", "None", {2}),
    "airflow.providers.amazon.aws.operators.rds.RdsCancelExportTaskOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsCopyDbSnapshotOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsCreateDbInstanceOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsCreateDbSnapshotOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {2, 4, 8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsCreateEventSubscriptionOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsDeleteDbInstanceOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsDeleteDbSnapshotOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsDeleteEventSubscriptionOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsStartDbOperator": _Old("aws_conn_id", '"aws_conn_id"', {8, 10}),
    "airflow.providers.amazon.aws.operators.rds.RdsStartExportTaskOperator": _Old(
        "aws_conn_id", '"aws_conn_id"', {8, 10}
    ),
    "airflow.providers.amazon.aws.operators.rds.RdsStopDbOperator": _Old("aws_conn_id", '"aws_conn_id"', {8, 10}),
    "airflow.providers.amazon.aws.operators.sagemaker.SageMakerProcessingOperator": _Old(
        "action_if_job_exists", '"increment"', {2, 4}
    ),
    "airflow.providers.amazon.aws.operators.sagemaker.SageMakerTrainingOperator": _Old(
        "action_if_job_exists", '"increment"', {2, 4}
    ),
    "airflow.providers.amazon.aws.operators.sagemaker.SageMakerTransformOperator": _Old(
        "action_if_job_exists", '"increment"', {4}
    ),
    "airflow.providers.amazon.aws.sensors.rds.RdsSnapshotExistenceSensor": _Old(
        "aws_conn_id", '"aws_conn_id"', {2, 4, 6, 8, 10}
    ),
    "airflow.providers.cncf.kubernetes.hooks.kubernetes.KubernetesHook": _Old(
        "conn_id", '"kubernetes_default"', {2, 4, 6, 8, 10}
    ),
    "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator": _Old("kubernetes_conn_id", "None", {4}),
    "airflow.providers.google.cloud.operators.kubernetes_engine.GKEStartPodOperator": _Old(
        "kubernetes_conn_id", "None", {4}
    ),
    "airflow.providers.google.cloud.transfers.gcs_to_bigquery.GCSToBigQueryOperator": _Old(
        "skip_leading_rows", "0", {2, 4}
    ),
    "airflow.providers.slack.operators.slack.SlackAPIFileOperator": _Old(
        "initial_comment", '"No message has been set!"', {2}
    ),
}
"""`aws_conn_id` of RDS is a connection of that name; where none is, boto's own way to find credentials, which aws_default may not be."""
_WORDS = tuple(
    sorted({name.rpartition(".")[2].encode() for name in _OLD} | {b"EcsOperator", b"ECSOperator", b"AwsBatchOperator"})
)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    minor = _minor(options)
    if minor is None or minor > max(_MEASURED):
        return
    calls = [
        (made.call, made.names, frozenset[str]()) for made in operators.made(source) if made.node is made.call.func
    ]
    calls += [(item.call, item.names, item.own) for item in derived(source) if not _is_super(item.call)]
    for call, names, own in calls:
        more, is_shown = dags.spread(source, call)
        known = [name for name in sorted(names) if name in _OLD and (options.source_version or ".rds." not in name)]
        old = next((_OLD[name] for name in known if _OLD[name].is_of(minor)), None)
        if old is None or old.argument in own or old.argument in more or not is_shown or call.args:
            continue
        if keyword(call, old.argument) or says(source, (old.argument,)):
            continue
        title = min(names).rpartition(".")[2]
        note = Spot(
            call.lineno,
            f"{old.argument} is {old.code} here, which {title} took by default with Airflow 2.{minor}, and does not any more.",
            f"Take it out if your provider was newer than that, or if default_args of another file say {old.argument}.",
        )
        yield Change((add_keyword(source, call, old.argument, old.code),), note=note)


def _minor(options: Options) -> int | None:
    """Give the minor version of the source, if it is of Airflow 2, or not known (then RDS has its own finding)."""
    words = options.source_version.split(".")
    if words == [""]:
        return max(_MEASURED)
    return int(words[1]) if words[0] == "2" and len(words) > 1 and words[1].isdigit() else None


def _is_super(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"


RULE = Rule(
    code="old-provider-default",
    title="What operators of the time of Airflow 2 did by default and those of today do not is said: connections of RDS, Batch and Kubernetes, names of SageMaker's jobs",
    words=_WORDS,
    before="""
from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

hook = KubernetesHook(cluster_context="shop")
""",
    after="""
from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

hook = KubernetesHook(cluster_context="shop", conn_id="kubernetes_default")
""",
    find=_find,
)
