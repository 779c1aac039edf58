"""Dataflow's operators for pipelines in Java and Python became those of the Beam provider, with runner="DataflowRunner".

The mapping is that of the old operators (apache-airflow-providers-google 8.4 and contrib of 1.10.15: execute) and of the new ones
(apache-airflow-providers-apache-beam 6.2.4: BeamDataflowMixin): the project and the region of `dataflow_config` win over default options, and
lose to `pipeline_options`, which `options` are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.rules import dags, delegation
from aerodrome.migration.codemod.rules.calls import TASK_ARGUMENTS, rewritten
from aerodrome.migration.codemod.source import Source

_BEAM = "airflow.providers.apache.beam.operators.beam"
_GOOGLE = "airflow.providers.google.cloud.operators.dataflow"
_CONTRIB = "airflow.contrib.operators.dataflow_operator"
_KINDS = {
    f"{_CONTRIB}.DataFlowJavaOperator": "BeamRunJavaPipelineOperator",
    f"{_CONTRIB}.DataFlowPythonOperator": "BeamRunPythonPipelineOperator",
    f"{_GOOGLE}.DataflowCreateJavaJobOperator": "BeamRunJavaPipelineOperator",
    f"{_GOOGLE}.DataflowCreatePythonJobOperator": "BeamRunPythonPipelineOperator",
}
_RENAMED = {"options": "pipeline_options", "dataflow_default_options": "default_pipeline_options"}
_KEPT = TASK_ARGUMENTS | {
    "jar", "job_class", "py_file", "py_options", "py_interpreter", "py_requirements", "py_system_site_packages", "gcp_conn_id",
}  # fmt: skip
_IN_CONFIG = (
    "job_name", "project_id", "location", "gcp_conn_id", "poll_sleep", "drain_pipeline", "cancel_timeout", "wait_until_finished",
    "multiple_jobs", "check_if_running",
)  # fmt: skip
_DEFAULTS = (*_RENAMED, *_IN_CONFIG)
"""What default_args said for the old operators, and the new ones would not see there."""
_PLACES = {"project": "project_id", "region": "location"}
_IGNORE = "CheckJobRunning"


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        old = next((name for name in source.meanings(call.func) if name in _KINDS), None)
        if old is None:
            continue
        new, is_of_1 = _KINDS[old], old.startswith(_CONTRIB)
        is_free = source.is_free(new, f"{_BEAM}.{new}") and source.is_free(_IGNORE, f"{_GOOGLE}.{_IGNORE}")
        arguments = None if has_open_end(call) or call.args or not is_free else _arguments(source, call, new, is_of_1)
        if arguments is None:
            yield Spot(
                call.lineno,
                f"{source.code(call.func)} is gone: Beam's operators run pipelines on Dataflow.",
                f'Write {new}(runner="DataflowRunner", pipeline_options=…, dataflow_config={{…}}) of apache-airflow-providers-apache-beam.',
            )
            continue
        change = rewritten(source, call, _BEAM, new, arguments)
        if any(f"{_IGNORE}." in text for text in arguments):
            change = replace(change, imports=(*change.imports, (_GOOGLE, _IGNORE)))
        yield replace(change, note=_note(call, new, is_of_1))


def _note(call: ast.Call, new: str, is_of_1: bool) -> Spot | None:
    if is_of_1 and new.startswith("BeamRunPython") and not keyword(call, "py_interpreter"):
        return Spot(
            call.lineno,
            "Airflow 1.10 ran the pipeline with python2; it is run with python3 now.",
            "Look at the pipeline's own code, or say py_interpreter=….",
        )
    if is_of_1:
        return None
    return Spot(
        call.lineno,
        'The task returns {"dataflow_job_id": …} where it returned {"job_id": …}.',
        "Change what reads it by xcom_pull.",
    )


def _arguments(source: Source, call: ast.Call, new: str, is_of_1: bool) -> list[str] | None:
    given = {str(item.arg): item.value for item in call.keywords}
    for mapping, _ in dags.dictionaries(source, dags.ANY):
        for name in _DEFAULTS:
            if name not in given and (found := dags.entry(mapping, name)):
                given[name] = found[1]
    if delegation.OLD in given and not _is_none(given.pop(delegation.OLD)):
        return None
    if given.keys() - _KEPT - _RENAMED.keys() - set(_IN_CONFIG):
        return None
    config = {name: source.code(given[name]) for name in _IN_CONFIG if name in given}
    if is_of_1:
        places = _of_options(source, given)
        if places is None:
            return None
        config |= places
        if new.startswith("BeamRunJava"):
            config["check_if_running"] = f"{_IGNORE}.IgnoreJob"  # 1.10 did not look for a job of that name
    else:
        config.setdefault("cancel_timeout", "600")  # its default; Beam's is 300
    rest = [f"{name}={source.code(value)}" for name, value in given.items() if name in _KEPT]
    rest += [f"{_RENAMED[name]}={source.code(value)}" for name, value in given.items() if name in _RENAMED]
    inner = ", ".join(f'"{name}": {value}' for name, value in config.items())
    return [*rest, 'runner="DataflowRunner"', f"dataflow_config={{{inner}}}"]


def _of_options(source: Source, given: dict[str, ast.expr]) -> dict[str, str] | None:
    """Give project and region, which 1.10 read from the options; None when they cannot be seen."""
    found: dict[str, str] = {}
    for name in ("dataflow_default_options", "options"):
        if name not in given or _is_none(given[name]):
            continue
        mapping = dags.constant(source, given[name])
        if not isinstance(mapping, ast.Dict) or None in mapping.keys:
            return None
        for key, word in _PLACES.items():
            if item := dags.entry(mapping, key):
                found[word] = source.code(item[1])
    return found


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


RULE = Rule(
    code="dataflow-pipeline",
    title="Dataflow's operators of pipelines become Beam's with runner=\"DataflowRunner\"",
    words=(b"DataFlowJavaOperator", b"DataFlowPythonOperator", b"DataflowCreateJavaJob", b"DataflowCreatePythonJob"),
    before="""
from airflow.providers.google.cloud.operators.dataflow import DataflowCreatePythonJobOperator

count = DataflowCreatePythonJobOperator(
    task_id="count",
    py_file="gs://shop/count.py",
    options={"output": "gs://shop/counts"},
    job_name="count-{{ ds_nodash }}",
    location="europe-west3",
)
""",
    after="""
from airflow.providers.google.cloud.operators.dataflow import DataflowCreatePythonJobOperator
from airflow.providers.apache.beam.operators.beam import BeamRunPythonPipelineOperator

count = BeamRunPythonPipelineOperator(
    task_id="count",
    py_file="gs://shop/count.py",
    pipeline_options={"output": "gs://shop/counts"},
    runner="DataflowRunner",
    dataflow_config={"job_name": "count-{{ ds_nodash }}", "location": "europe-west3", "cancel_timeout": 600},
)
""",
    find=_find,
)
