"""Dataproc's operators for each kind of job became one that takes the job in the words of Google's API; so did the cluster's.

The mapping is that of the old operators themselves (apache-airflow-providers-google 10.17: DataProcJobBuilder, ClusterGenerator).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.rules import dags, delegation
from aerodrome.migration.codemod.rules.calls import TASK_ARGUMENTS, rewritten
from aerodrome.migration.codemod.rules.written_for import is_for_1
from aerodrome.migration.codemod.source import Source

_MODULE = "airflow.providers.google.cloud.operators.dataproc"
_OLD = ("airflow.contrib.operators.dataproc_operator", _MODULE)
_SUBMIT, _CREATE = "DataprocSubmitJobOperator", "DataprocCreateClusterOperator"
_QUERIES = {"variables": "script_variables"}
_FILES = {"arguments": "args", "archives": "archive_uris", "files": "file_uris", "pyfiles": "python_file_uris"}
_MAIN = {"main_jar": "main_jar_file_uri", "main_class": "main_class", **_FILES}
_KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "Pig": ("pig", _QUERIES),
    "Hive": ("hive", _QUERIES),
    "SparkSql": ("spark_sql", _QUERIES),
    "Spark": ("spark", _MAIN),
    "Hadoop": ("hadoop", _MAIN),
    "PySpark": ("pyspark", {"main": "main_python_file_uri", **_FILES}),
}
_JOBS = {
    f"{module}.{pattern.format(kind)}": kind
    for module in _OLD
    for kind in _KINDS
    for pattern in ("DataProc{}Operator", "Dataproc{}Operator", "DataprocSubmit{}JobOperator")
}
_CLUSTERS = frozenset(f"{module}.{name}" for module in _OLD for name in ("DataprocClusterCreateOperator", _CREATE))
_OLD_DELETIONS = frozenset({f"{_OLD[0]}.DataprocClusterDeleteOperator"})
_NEEDS_PROJECT = ("zone", "custom_image", "network_uri", "subnetwork_uri")
_GENERATED = frozenset(
    {
        "num_workers", "zone", "network_uri", "subnetwork_uri", "internal_ip_only", "tags", "storage_bucket", "init_actions_uris",
        "init_action_timeout", "metadata", "custom_image", "custom_image_project_id", "image_version", "autoscaling_policy",
        "properties", "optional_components", "num_masters", "master_machine_type", "master_disk_type", "master_disk_size",
        "worker_machine_type", "worker_disk_type", "worker_disk_size", "num_preemptible_workers", "service_account",
        "service_account_scopes", "idle_delete_ttl", "auto_delete_time", "auto_delete_ttl", "customer_managed_key",
    }
)  # fmt: skip
_OLD_CREATIONS = frozenset(f"{_OLD[0]}.{name}" for name in ("DataprocClusterCreateOperator", _CREATE))
_DISKS = {"master_disk_size": "500", "worker_disk_size": "500"}
"""What 1.10.15 took where nothing was said (contrib/operators/dataproc_operator.py), and ClusterGenerator of google 22.7 takes 1024."""
_KEPT = TASK_ARGUMENTS | {
    "gcp_conn_id",
    "project_id",
    "region",
    "impersonation_chain",
    "asynchronous",
    "cluster_name",
    "labels",
}


def _jobs(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        kind = next((_JOBS[name] for name in source.meanings(call.func) if name in _JOBS), None)
        if kind is not None:
            arguments = None if has_open_end(call) or call.args else _job(source, call, kind)
            if arguments is not None and source.is_free(_SUBMIT, f"{_MODULE}.{_SUBMIT}"):
                change = delegation.noted(call, rewritten(source, call, _MODULE, _SUBMIT, arguments))
                named = keyword(call, "job_name")
                yield replace(change, note=_of_name(source, call, named)) if named and not change.note else change
            else:
                yield Spot(
                    call.lineno,
                    f"{source.code(call.func)} is gone: {_SUBMIT} takes every kind of job.",
                    f'Write {_SUBMIT}(job={{"placement": {{…}}, "{_KINDS[kind][0]}_job": {{…}}}}, region=…).',
                )
        elif source.means(call.func, _CLUSTERS) and any(item.arg in _GENERATED for item in call.keywords):
            is_of_1 = source.means(call.func, _OLD_CREATIONS) and is_for_1(source, options)
            yield _cluster(source, call, _DISKS if is_of_1 else {})
        elif source.means(call.func, _OLD_DELETIONS) and not (
            keyword(call, "region") or _is_default(source, "region") or has_open_end(call)
        ):
            yield Change((add_keyword(source, call, "region", '"global"'),))


def _of_name(source: Source, call: ast.Call, item: ast.keyword) -> Spot:
    return Spot(
        call.lineno,
        f"The job was called {source.code(item.value)} with an underscore and a random end; today's operator leaves the whole id to chance.",
        'Where something looks for the name, give job a "reference": {"job_id": "NAME_{{ macros.uuid.uuid4() }}"}.',
    )


def _is_default(source: Source, name: str) -> bool:
    """Tell whether default_args say it, so that the call needs not."""
    return any(
        dags.entry(mapping, name) for mapping, way in dags.dictionaries(source, dags.ANY) if way == "default_args"
    )


def _of_default_args(source: Source, name: str) -> ast.expr | None:
    """Give the value that default_args have for a name, where the file has one only."""
    found = [
        value[1]
        for mapping, way in dags.dictionaries(source, dags.ANY)
        if way == "default_args" and (value := dags.entry(mapping, name))
    ]
    return found[0] if len(found) == 1 else None


def _job(source: Source, call: ast.Call, kind: str) -> list[str] | None:
    name, fields = _KINDS[kind]
    job: dict[str, str] = {}
    rest: list[str] = []
    cluster, labels = '"cluster-1"', None
    region = "" if _is_default(source, "region") else '"global"'
    for item in call.keywords:
        word, code = str(item.arg), source.code(item.value)
        if (isinstance(item.value, ast.Constant) and item.value.value is None) or word in (
            "job_name",
            "job_error_states",
        ):
            continue
        if word == "query":
            job["query_list"] = f'{{"queries": [{code}]}}'
        elif word == "query_uri":
            job["query_file_uri"] = code
        elif word in fields:
            job[fields[word]] = code
        elif word.startswith("dataproc_") and word.endswith("properties"):
            job["properties"] = code
        elif word.startswith("dataproc_") and word.endswith("jars"):
            is_one = isinstance(
                item.value, ast.Constant | ast.JoinedStr
            )  # the old operators took a text for a list of one
            job["jar_file_uris"] = f"[{code}]" if is_one else code
        elif word == "cluster_name":
            cluster = code
        elif word == "labels":
            labels = code
        elif word == "region":
            region = code
        elif word in _KEPT:
            rest.append(f"{word}={code}")
        elif word == delegation.OLD and delegation.is_off(item.value):
            continue
        elif word == delegation.OLD:
            rest.append(f"{delegation.NEW}={code}")
        else:
            return None
    inner = ", ".join(f'"{key}": {code}' for key, code in job.items())
    extra = f', "labels": {labels}' if labels else ""
    return [
        *rest,
        *([f"region={region}"] if region else []),
        f'job={{"placement": {{"cluster_name": {cluster}}}, "{name}_job": {{{inner}}}{extra}}}',
    ]


def _cluster(source: Source, call: ast.Call, old: Mapping[str, str]) -> Change | Spot:
    """Write the cluster by Google's own words; `old` are defaults that nothing has today."""
    spot = Spot(
        call.lineno,
        f"{_CREATE} takes the cluster in the words of Google's API.",
        f"Write {_CREATE}(cluster_config=ClusterGenerator(project_id=…, …).make(), region=…).",
    )
    own = keyword(call, "project_id")
    project = own.value if own else _of_default_args(source, "project_id")
    known = all(item.arg in _GENERATED | _KEPT for item in call.keywords)
    needs = project is None and any(keyword(call, name) for name in _NEEDS_PROJECT)
    shared = {
        name: _of_default_args(source, name)
        for name in sorted(_GENERATED)
        if not keyword(call, name) and _is_default(source, name)
    }
    is_seen = all(isinstance(value, ast.Constant | ast.Name) for value in shared.values())
    if has_open_end(call) or call.args or needs or not known or not is_seen:
        return spot
    inside = [item for item in call.keywords if item.arg in _GENERATED]
    first = source.code(project) if project else "None"  # only what _NEEDS_PROJECT names is spelled with it
    words = {str(item.arg): source.code(item.value) for item in inside}
    words |= {name: source.code(value) for name, value in shared.items() if value is not None}
    words |= {name: code for name, code in old.items() if name not in words}
    text = ", ".join([f"project_id={first}", *(f"{name}={code}" for name, code in words.items())])
    rest = [f"{item.arg}={source.code(item.value)}" for item in call.keywords if item.arg not in _GENERATED]
    region = [] if keyword(call, "region") or _is_default(source, "region") else ['region="global"']
    arguments = [*rest, *region, f"cluster_config=ClusterGenerator({text}).make()"]
    return rewritten(source, call, _MODULE, _CREATE, arguments, "ClusterGenerator")


RULE = Rule(
    code="dataproc-job",
    title="Dataproc's operators become DataprocSubmitJobOperator(job=…) and DataprocCreateClusterOperator(cluster_config=…)",
    words=(b"Dataproc", b"DataProc"),
    before="""
from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator

count = DataProcPySparkOperator(task_id="count", main="gs://shop/count.py", cluster_name="shop", region="europe-west4")
""",
    after="""
from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator
from airflow.providers.google.cloud.operators.dataproc import DataprocSubmitJobOperator

count = DataprocSubmitJobOperator(task_id="count", region="europe-west4", job={"placement": {"cluster_name": "shop"}, "pyspark_job": {"main_python_file_uri": "gs://shop/count.py"}})
""",
    find=_jobs,
    is_for_2=True,
)
