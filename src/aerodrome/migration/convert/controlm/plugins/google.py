"""Jobs of Google's services: which operators they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.contract import Expression, Symbol
from aerodrome.migration.convert.controlm.plugins.rows import Argument, Plugin, may, needs, provider


def _gcp(
    name: str,
    module: str,
    *arguments: Argument,
    fixed: tuple[tuple[str, Expression], ...] = (),
    actions: tuple[str, ...] = (),
    waits: Symbol | None = None,
    waits_for: tuple[tuple[str, Expression], ...] = (),
) -> Plugin:
    operator = provider(name, f"google.cloud.operators.{module}", "google")
    return Plugin(operator, arguments, "gcp_conn_id", "google_cloud_platform", fixed, actions, waits, waits_for)


_PROJECT: Final = needs("project_id", "projectid", "project", "projectname")
_REGION: Final = ("location", "region", "accountregion")
_VM: Final = (
    _PROJECT,
    needs("zone", "zone"),
    needs("resource_id", "instancename"),
)

GOOGLE: Final[Mapping[str, tuple[Plugin, ...]]] = {
    "dataproc": (
        _gcp(
            "DataprocInstantiateWorkflowTemplateOperator",
            "dataproc",
            needs("project_id", "projectid", "project", "projectname", is_plain=True),
            needs("region", *_REGION, is_plain=True),
            needs("template_id", "workflowtemplate", "workflowtemplateid"),
            may("parameters", "parametersjsonformat", form="map"),
            actions=("workflowtemplate",),
        ),
        _gcp(
            "DataprocSubmitJobOperator",
            "dataproc",
            _PROJECT,
            needs("region", *_REGION),
            needs("job", "parametersjsonformat", form="map"),
            actions=("job",),
        ),
    ),
    "data-fusion": (
        _gcp(
            "CloudDataFusionStartPipelineOperator",
            "datafusion",
            needs("pipeline_name", "pipelinename"),
            needs("instance_name", "instancename"),
            needs("location", *_REGION, is_plain=True),
            may("namespace", "namespaceid", is_plain=True),
            may("runtime_args", "runtimeparameters", form="map"),
            fixed=(("success_states", ["COMPLETED"]), ("pipeline_timeout", 604_800)),  # its own: RUNNING, five minutes
        ),
    ),
    "gcp-vm": (
        _gcp("ComputeEngineStartInstanceOperator", "compute", *_VM, actions=("start",)),
        _gcp("ComputeEngineStopInstanceOperator", "compute", *_VM, actions=("stop",)),
    ),
    "gcp-function": (
        _gcp(
            "CloudFunctionInvokeFunctionOperator",
            "functions",
            needs("function_id", "functionname", "functionid"),
            needs("location", *_REGION),
            _PROJECT,
            fixed=(("input_data", {}),),
        ),
    ),
    "cloud-run": (
        _gcp(
            "CloudRunExecuteJobOperator",
            "cloud_run",
            needs("job_name", "jobname", "cloudrunjobname"),
            needs("region", *_REGION),
            _PROJECT,
            may("overrides", "overridesspecification", form="map"),
        ),
    ),
    "gcp-workflow": (
        _gcp(
            "WorkflowsCreateExecutionOperator",
            "workflows",
            needs("workflow_id", "workflowname", "workflowid"),
            needs("location", *_REGION),
            Argument("project_id", ("projectid", "project"), True, "text", True),
            fixed=(("execution", {}),),
            waits=provider("WorkflowExecutionSensor", "google.cloud.sensors.workflows", "google"),
            waits_for=(
                ("execution_id", "{{ ti.xcom_pull(task_ids='@first@', key='execution_id') }}"),
                ("mode", "reschedule"),
                ("poke_interval", 60),
            ),
        ),
    ),
}
