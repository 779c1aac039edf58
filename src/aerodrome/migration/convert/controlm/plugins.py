"""Jobs of cloud and database plug-ins: which operator they become and which of their details it needs.

Names of details differ between plug-in versions, XML (`%%UCM-PIPELINE_NAME`) and JSON (`Pipeline Name`): they are compared without
prefix, case and marks. A job that lacks what its operator needs becomes a task that raises, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome.migration.convert.contract import Symbol


def _provider(name: str, module: str, package: str) -> Symbol:
    path, distribution = f"airflow.providers.{module}", f"apache-airflow-providers-{package}"
    return Symbol(name, {"2.11": path, "3.3": path}, {"2.11": distribution, "3.3": distribution})


@dataclass(frozen=True)
class Argument:
    """One argument of an operator and the details that can give it, best first."""

    name: str
    details: tuple[str, ...]
    is_needed: bool = True


@dataclass(frozen=True)
class Plugin:
    """How a kind of job becomes an operator. `connection` is the argument that takes the connection profile."""

    operator: Symbol
    arguments: tuple[Argument, ...]
    connection: str
    conn_type: str
    fixed: tuple[tuple[str, str | bool], ...] = ()


def _needs(name: str, *details: str) -> Argument:
    return Argument(name, details)


def _may(name: str, *details: str) -> Argument:
    return Argument(name, details, False)


_AWS, _AZURE, _GCP = "amazon", "microsoft-azure", "google"
PLUGINS: Final[Mapping[str, Plugin]] = {
    "glue": Plugin(
        _provider("GlueJobOperator", "amazon.aws.operators.glue", _AWS),
        (_needs("job_name", "gluejobname", "jobname", "awsgluejobname"), _may("region_name", "region", "awsregion")),
        "aws_conn_id",
        "aws",
        (("wait_for_completion", True),),
    ),
    "lambda": Plugin(
        _provider("LambdaInvokeFunctionOperator", "amazon.aws.operators.lambda_function", _AWS),
        (
            _needs("function_name", "functionname", "lambdafunctionname"),
            _may("payload", "payload", "parameters", "body", "payloadjson"),
            _may("qualifier", "version"),
        ),
        "aws_conn_id",
        "aws",
    ),
    "step-functions": Plugin(
        _provider("StepFunctionStartExecutionOperator", "amazon.aws.operators.step_function", _AWS),
        (
            _needs("state_machine_arn", "statemachinearn"),
            _may("state_machine_input", "parameters", "arguments", "input"),
            _may("name", "executionname"),
        ),
        "aws_conn_id",
        "aws",
    ),
    "aws-batch": Plugin(
        _provider("BatchOperator", "amazon.aws.operators.batch", _AWS),
        (
            _needs("job_name", "jobname"),
            _needs("job_definition", "jobdefinition", "jobdefinitionandrevision"),
            _needs("job_queue", "jobqueue"),
        ),
        "aws_conn_id",
        "aws",
    ),
    "athena": Plugin(
        _provider("AthenaOperator", "amazon.aws.operators.athena", _AWS),
        (
            _needs("query", "query", "sqlquery"),
            _needs("database", "database", "dbname", "databasename"),
            _needs("output_location", "outputlocation", "outputbucket"),
        ),
        "aws_conn_id",
        "aws",
    ),
    "adf": Plugin(
        _provider("AzureDataFactoryRunPipelineOperator", "microsoft.azure.operators.data_factory", _AZURE),
        (
            _needs("pipeline_name", "pipelinename", "pipeline"),
            _needs("resource_group_name", "resourcegroupname", "resourcegroup"),
            _needs("factory_name", "datafactoryname", "factoryname", "datafactory"),
        ),
        "azure_data_factory_conn_id",
        "azure_data_factory",
    ),
    "synapse": Plugin(
        _provider("AzureSynapseRunPipelineOperator", "microsoft.azure.operators.synapse", _AZURE),
        (
            _needs("pipeline_name", "pipelinename", "pipeline"),
            _needs("azure_synapse_workspace_dev_endpoint", "workspacedevendpoint", "synapseurl", "workspaceurl"),
        ),
        "azure_synapse_conn_id",
        "azure_synapse",
    ),
    "databricks": Plugin(
        _provider("DatabricksRunNowOperator", "databricks.operators.databricks", "databricks"),
        (_needs("job_id", "databricksjobid", "jobid"),),
        "databricks_conn_id",
        "databricks",
    ),
    "dataflow": Plugin(
        _provider("DataflowTemplatedJobStartOperator", "google.cloud.operators.dataflow", _GCP),
        (
            _needs("template", "templatelocationgs", "templatelocation", "template", "templatetypepath"),
            _needs("project_id", "projectid", "project"),
            _needs("location", "location", "region"),
            _may("job_name", "jobname"),
        ),
        "gcp_conn_id",
        "google_cloud_platform",
    ),
    "gcp-function": Plugin(
        _provider("CloudFunctionInvokeFunctionOperator", "google.cloud.operators.functions", _GCP),
        (
            _needs("function_id", "functionname", "functionid"),
            _needs("location", "location", "region"),
            _may("project_id", "projectid", "project"),
        ),
        "gcp_conn_id",
        "google_cloud_platform",
        (("input_data", "{}"),),
    ),
    "cloud-run": Plugin(
        _provider("CloudRunExecuteJobOperator", "google.cloud.operators.cloud_run", _GCP),
        (
            _needs("job_name", "jobname", "cloudrunjobname"),
            _needs("region", "location", "region"),
            _needs("project_id", "projectid", "project"),
        ),
        "gcp_conn_id",
        "google_cloud_platform",
    ),
    "gcp-workflow": Plugin(
        _provider("WorkflowsCreateExecutionOperator", "google.cloud.operators.workflows", _GCP),
        (
            _needs("workflow_id", "workflowname", "workflowid"),
            _needs("location", "location", "region"),
            _needs("project_id", "projectid", "project"),
        ),
        "gcp_conn_id",
        "google_cloud_platform",
    ),
    "dbt": Plugin(
        _provider("DbtCloudRunJobOperator", "dbt.cloud.operators.dbt", "dbt-cloud"),
        (_needs("job_id", "dbtjobid", "jobid"),),
        "dbt_cloud_conn_id",
        "dbt_cloud",
    ),
    "web-service": Plugin(
        _provider("HttpOperator", "http.operators.http", "http"),
        (
            _needs(
                "endpoint", "endpointurl", "urlrequestpath", "requestpath", "url", "urlpath", "location", "path", "uri"
            ),
            _may("method", "httpmethod", "method", "requestmethod", "operation"),
            _may("data", "body", "requestbody", "payload", "inputmessage", "bodyrequest"),
        ),
        "http_conn_id",
        "http",
    ),
    "spark": Plugin(
        _provider("SparkSubmitOperator", "apache.spark.operators.spark_submit", "apache-spark"),
        (
            _needs("application", "sparkscript", "programjar", "applicationjar", "script", "sparkapplicationpath"),
            _may("java_class", "mainclass"),
            _may("application_args", "arguments"),
        ),
        "conn_id",
        "spark",
    ),
}


def detail(details: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Give the first of these details that a job has; names are compared without prefix, case and marks."""
    found = {
        re.sub(
            r"[^a-z0-9]", "", re.sub(r"^(UCM|AI|WS|HDP|DB|UDJ|JSON)[-.]", "", key, flags=re.IGNORECASE).lower()
        ): value
        for key, value in details.items()
    }
    return next((found[name] for name in names if found.get(name, "").strip()), "")


def profile_of(details: Mapping[str, str]) -> str:
    """Give the name of the connection profile (account) of a plug-in job."""
    return detail(details, ("connectionprofile", "account", "connectionprofilename"))


def items_of(text: str) -> list[str]:
    """Give the items of a JSON list, or the text itself."""
    try:
        listed = json.loads(text)
    except json.JSONDecodeError:
        return [text] if text else []
    items = listed if isinstance(listed, list) else [listed]
    return [" ".join(map(str, item.values())) if isinstance(item, dict) else str(item) for item in items]
