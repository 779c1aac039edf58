"""Jobs of cloud and other plug-ins: which operator they become and which of their details it needs.

Names of details differ between plug-in versions, XML (`%%UCM-PIPELINE_NAME`) and JSON (`Pipeline Name`): they are compared without
prefix, case and marks. A job that lacks what its operator needs, or asks for another action, becomes a task that raises, never a guess.
Arguments were read from amazon 9.39, google 22.8, microsoft-azure 15.2, databricks 7.23, airbyte 6.2, jenkins 4.2, tableau 5.7,
cncf-kubernetes 10.25 and dbt-cloud 4.11; a test of the matrix constructs every operator under both Airflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aerodrome.migration.convert.contract import Expression, Symbol
from aerodrome.migration.convert.controlm.plugin_details import ACTIONS, WITHOUT_EFFECT, action_of, plain_name

Form = Literal["text", "map", "list", "json"]


def _provider(name: str, module: str, package: str) -> Symbol:
    path, distribution = f"airflow.providers.{module}", f"apache-airflow-providers-{package}"
    return Symbol(name, {"2.11": path, "3.3": path}, {"2.11": distribution, "3.3": distribution})


@dataclass(frozen=True)
class Argument:
    """One argument of an operator and the details that can give it, best first.

    A *map* is a JSON object (or a list of small ones), a *list* one of texts, *json* either. `is_plain`: Airflow does not render it.
    """

    name: str
    details: tuple[str, ...]
    is_needed: bool = True
    form: Form = "text"
    is_plain: bool = False


@dataclass(frozen=True)
class Plugin:
    """How one action of a kind of job becomes an operator. `connection` is the argument that takes the connection profile.

    `actions`: words of the action, without blanks and marks, for which the row is; empty: the kind has one action. `waits`: the sensor that
    ends the job where the operator only starts it; `@first@` in its arguments is the task that started it.
    """

    operator: Symbol
    arguments: tuple[Argument, ...]
    connection: str
    conn_type: str
    fixed: tuple[tuple[str, Expression], ...] = ()
    actions: tuple[str, ...] = ()
    waits: Symbol | None = None
    waits_for: tuple[tuple[str, Expression], ...] = ()
    note: tuple[str, str] | None = None  # a caveat that always holds: code, sentence


def _needs(name: str, *details: str, form: Form = "text", is_plain: bool = False) -> Argument:
    return Argument(name, details, True, form, is_plain)


def _may(name: str, *details: str, form: Form = "text", is_plain: bool = False) -> Argument:
    return Argument(name, details, False, form, is_plain)


def _aws(
    name: str,
    module: str,
    *arguments: Argument,
    fixed: tuple[tuple[str, Expression], ...] = (),
    actions: tuple[str, ...] = (),
    note: tuple[str, str] | None = None,
) -> Plugin:
    operator = _provider(name, f"amazon.aws.operators.{module}", "amazon")
    return Plugin(operator, arguments, "aws_conn_id", "aws", fixed, actions, note=note)


def _gcp(
    name: str,
    module: str,
    *arguments: Argument,
    fixed: tuple[tuple[str, Expression], ...] = (),
    actions: tuple[str, ...] = (),
    waits: Symbol | None = None,
    waits_for: tuple[tuple[str, Expression], ...] = (),
) -> Plugin:
    operator = _provider(name, f"google.cloud.operators.{module}", "google")
    return Plugin(operator, arguments, "gcp_conn_id", "google_cloud_platform", fixed, actions, waits, waits_for)


_PROJECT: Final = _needs("project_id", "projectid", "project", "projectname")
_REGION: Final = ("location", "region", "accountregion")
_WAIT: Final = (("wait_for_completion", True),)
_INGESTION: Final = "{{ ti.task_id }}-{{ ts_nodash }}-{{ ti.try_number }}"
_INSTANCE: Final = ("instanceid", "instanceids")
_VM: Final = (
    _PROJECT,
    _needs("zone", "zone"),
    _needs("resource_id", "instancename"),
)

PLUGINS: Final[Mapping[str, tuple[Plugin, ...]]] = {
    "glue": (
        _aws(
            "GlueJobOperator",
            "glue",
            _needs("job_name", "gluejobname", "jobname", "awsgluejobname"),
            _may("script_args", "arguments", "gluejobarguments", form="map"),
            _may("region_name", "region", "awsregion"),
            fixed=_WAIT,
        ),
    ),
    "databrew": (_aws("GlueDataBrewStartJobOperator", "glue_databrew", _needs("job_name", "jobname"), fixed=_WAIT),),
    "lambda": (
        _aws(
            "LambdaInvokeFunctionOperator",
            "lambda_function",
            _needs("function_name", "functionname", "lambdafunctionname"),
            _may("payload", "payload", "parameters", "body", "payloadjson"),
            _may("qualifier", "functionversion", "version"),
        ),
    ),
    "step-functions": (
        _aws(
            "StepFunctionStartExecutionOperator",
            "step_function",
            _needs("state_machine_arn", "statemachinearn"),
            _may("state_machine_input", "parameters", "arguments", "input"),
            _may("name", "executionname"),
            fixed=(("deferrable", True),),  # without it the operator only starts the execution
        ),
    ),
    "aws-batch": (
        _aws(
            "BatchOperator",
            "batch",
            _needs("job_name", "jobname"),
            _needs("job_definition", "jobdefinition", "jobdefinitionandrevision"),
            _needs("job_queue", "jobqueue"),
        ),
    ),
    "athena": (
        _aws(
            "AthenaOperator",
            "athena",
            _needs("query", "query", "sqlquery"),
            _may("database", "database", "dbname", "databasename"),
            _needs("output_location", "outputlocation", "outputbucket"),
            _may("workgroup", "workgroup"),
        ),
    ),
    "ecs": (
        _aws(
            "EcsRunTaskOperator",
            "ecs",
            _needs("cluster", "ecsclustername", "cluster"),
            _needs("task_definition", "ecstaskdefinition", "taskdefinition"),
            _may("launch_type", "launchtype"),
            fixed=(("overrides", {}),),
            actions=("run",),
        ),
    ),
    "emr": (
        _aws(
            "EmrStartNotebookExecutionOperator",
            "emr",
            _needs("editor_id", "notebookid"),
            _needs("relative_path", "relativepath"),
            _needs("cluster_id", "clusterid"),
            _needs("service_role", "servicerole"),
            _may("notebook_execution_name", "notebookexecutionname"),
            fixed=_WAIT,
        ),
    ),
    "sagemaker": (
        _aws(
            "SageMakerStartPipelineOperator",
            "sagemaker",
            _needs("pipeline_name", "pipelinename"),
            _may("pipeline_params", "parameters", form="map"),
            fixed=_WAIT,
        ),
    ),
    "sns": (
        _aws(
            "SnsPublishOperator",
            "sns",
            _needs("target_arn", "targetarn", "topicarn"),
            _needs("message", "message"),
            _may("subject", "subject"),
        ),
    ),
    "sqs": (
        _aws(
            "SqsPublishOperator",
            "sqs",
            _needs("sqs_queue", "queueurl"),
            _needs("message_content", "messagebody"),
            _may("message_group_id", "messagegroupid"),
        ),
    ),
    "ec2": (
        _aws("EC2StartInstanceOperator", "ec2", _needs("instance_id", *_INSTANCE), actions=("start",)),
        _aws("EC2StopInstanceOperator", "ec2", _needs("instance_id", *_INSTANCE), actions=("stop",)),
        _aws("EC2RebootInstanceOperator", "ec2", _needs("instance_ids", *_INSTANCE), fixed=_WAIT, actions=("reboot",)),
        _aws(
            "EC2TerminateInstanceOperator",
            "ec2",
            _needs("instance_ids", *_INSTANCE),
            fixed=_WAIT,
            actions=("terminate",),
        ),
    ),
    "cloudformation": (
        _aws(
            "CloudFormationDeleteStackOperator",
            "cloud_formation",
            _needs("stack_name", "stackname"),
            actions=("delete",),
            note=(
                "cloudformation-start",
                "The operator starts the deletion of the stack; Control-M also waits for its end.",
            ),
        ),
    ),
    "datasync": (
        _aws(
            "DataSyncOperator",
            "datasync",
            _needs("task_arn", "taskarn"),
            fixed=(("wait_for_completion", True), ("max_iterations", 5760)),
            actions=("start", "execute", "run"),
        ),
    ),
    "quicksight": (
        _aws(
            "QuickSightCreateIngestionOperator",
            "quicksight",
            _needs("data_set_id", "awsdatasetid", "datasetid"),
            fixed=(("ingestion_id", _INGESTION), *_WAIT),
            actions=("full",),
        ),
        _aws(
            "QuickSightCreateIngestionOperator",
            "quicksight",
            _needs("data_set_id", "awsdatasetid", "datasetid"),
            fixed=(("ingestion_id", _INGESTION), ("ingestion_type", "INCREMENTAL_REFRESH"), *_WAIT),
            actions=("incremental",),
        ),
    ),
    "mwaa": (
        _aws(
            "MwaaTriggerDagRunOperator",
            "mwaa",
            _needs("env_name", "mwaaenvironmentname", "environmentname"),
            _needs("trigger_dag_id", "dagname", "dagid"),
            _may("conf", "parameters", form="map"),
            fixed=(("wait_for_completion", True), ("waiter_max_attempts", 1440)),
            actions=("run", "trigger"),
        ),
    ),
    "appflow": (
        _aws(
            "AppflowRunOperator",
            "appflow",
            _needs("flow_name", "flowname", is_plain=True),
            actions=("trigger", "start", "run"),
        ),
    ),
    "adf": (
        Plugin(
            _provider(
                "AzureDataFactoryRunPipelineOperator", "microsoft.azure.operators.data_factory", "microsoft-azure"
            ),
            (
                _needs("pipeline_name", "pipelinename", "pipeline", "azdfpipeline"),
                _needs(
                    "resource_group_name", "resourcegroupname", "resourcegroup", "azresourcegroup", "azrecourcegroup"
                ),
                _needs(
                    "factory_name", "datafactoryname", "factoryname", "datafactory", "azuredatafactory", "azdatafactory"
                ),
                _may("parameters", "parameters", form="map"),
            ),
            "azure_data_factory_conn_id",
            "azure_data_factory",
        ),
    ),
    "synapse": (
        Plugin(
            _provider("AzureSynapseRunPipelineOperator", "microsoft.azure.operators.synapse", "microsoft-azure"),
            (
                _needs("pipeline_name", "pipelinename", "pipeline", is_plain=True),
                _needs(
                    "azure_synapse_workspace_dev_endpoint",
                    "workspacedevendpoint",
                    "synapseurl",
                    "workspaceurl",
                    is_plain=True,
                ),
                _may("parameters", "parameters", form="map", is_plain=True),
            ),
            "azure_synapse_conn_id",
            "azure_synapse",
        ),
    ),
    "power-bi": (
        Plugin(
            _provider("PowerBIDatasetRefreshOperator", "microsoft.azure.operators.powerbi", "microsoft-azure"),
            (
                _needs("dataset_id", "datasetid", "datasetidsp"),
                _needs("group_id", "workspaceid", "workspaceidsp"),
            ),
            "conn_id",
            "powerbi",
            actions=("datasetrefresh", "refreshdataset", "refresh"),
        ),
    ),
    "service-bus": (
        Plugin(
            _provider("AzureServiceBusSendMessageOperator", "microsoft.azure.operators.asb", "microsoft-azure"),
            (
                _needs("queue_name", "queuetopicname", "queuename"),
                _needs("message", "messagebody", "messagepayload", is_plain=True),
            ),
            "azure_service_bus_conn_id",
            "azure_service_bus",
        ),
    ),
    "databricks": (
        Plugin(
            _provider("DatabricksRunNowOperator", "databricks.operators.databricks", "databricks"),
            (
                _needs("job_id", "databricksjobid", "jobid", "databricksjobidoauthoidc"),
                _may("json", "parameters", form="map"),
            ),
            "databricks_conn_id",
            "databricks",
        ),
    ),
    "dataproc": (
        _gcp(
            "DataprocInstantiateWorkflowTemplateOperator",
            "dataproc",
            _needs("project_id", "projectid", "project", "projectname", is_plain=True),
            _needs("region", *_REGION, is_plain=True),
            _needs("template_id", "workflowtemplate", "workflowtemplateid"),
            _may("parameters", "parametersjsonformat", form="map"),
            actions=("workflowtemplate",),
        ),
        _gcp(
            "DataprocSubmitJobOperator",
            "dataproc",
            _PROJECT,
            _needs("region", *_REGION),
            _needs("job", "parametersjsonformat", form="map"),
            actions=("job",),
        ),
    ),
    "data-fusion": (
        _gcp(
            "CloudDataFusionStartPipelineOperator",
            "datafusion",
            _needs("pipeline_name", "pipelinename"),
            _needs("instance_name", "instancename"),
            _needs("location", *_REGION, is_plain=True),
            _may("namespace", "namespaceid", is_plain=True),
            _may("runtime_args", "runtimeparameters", form="map"),
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
            _needs("function_id", "functionname", "functionid"),
            _needs("location", *_REGION),
            _PROJECT,
            fixed=(("input_data", {}),),
        ),
    ),
    "cloud-run": (
        _gcp(
            "CloudRunExecuteJobOperator",
            "cloud_run",
            _needs("job_name", "jobname", "cloudrunjobname"),
            _needs("region", *_REGION),
            _PROJECT,
            _may("overrides", "overridesspecification", form="map"),
        ),
    ),
    "gcp-workflow": (
        _gcp(
            "WorkflowsCreateExecutionOperator",
            "workflows",
            _needs("workflow_id", "workflowname", "workflowid"),
            _needs("location", *_REGION),
            Argument("project_id", ("projectid", "project"), True, "text", True),
            fixed=(("execution", {}),),
            waits=_provider("WorkflowExecutionSensor", "google.cloud.sensors.workflows", "google"),
            waits_for=(
                ("execution_id", "{{ ti.xcom_pull(task_ids='@first@', key='execution_id') }}"),
                ("mode", "reschedule"),
                ("poke_interval", 60),
            ),
        ),
    ),
    "dbt": (
        Plugin(
            _provider("DbtCloudRunJobOperator", "dbt.cloud.operators.dbt", "dbt-cloud"),
            (_needs("job_id", "dbtjobid", "jobid"),),
            "dbt_cloud_conn_id",
            "dbt_cloud",
        ),
    ),
    "airbyte": (
        Plugin(
            _provider("AirbyteTriggerSyncOperator", "airbyte.operators.airbyte", "airbyte"),
            (_needs("connection_id", "connectionid"),),
            "airbyte_conn_id",
            "airbyte",
            (("timeout", 604_800),),
            ("sync",),
        ),
    ),
    "jenkins": (
        Plugin(
            _provider("JenkinsJobTriggerOperator", "jenkins.operators.jenkins_job_trigger", "jenkins"),
            (
                _needs("job_name", "pipelinename", "jobname", is_plain=True),
                _may("parameters", "parameters", form="map"),
            ),
            "jenkins_connection_id",
            "jenkins",
        ),
    ),
    "tableau": (
        Plugin(
            _provider("TableauOperator", "tableau.operators.tableau", "tableau"),
            (_needs("find", "datasourcename"),),
            "tableau_conn_id",
            "tableau",
            (("resource", "datasources"), ("method", "refresh"), ("match_with", "name")),
            ("datasource",),
        ),
    ),
    "kubernetes": (
        Plugin(
            _provider("KubernetesJobOperator", "cncf.kubernetes.operators.job", "cncf-kubernetes"),
            (_needs("job_template_file", "jobspecyaml", "yamlfile"),),
            "kubernetes_conn_id",
            "kubernetes",
            (("wait_until_job_complete", True),),
            ("apply", "run", "local"),
            note=(
                "kubernetes-file",
                "The file with the specification lies on the agent in Control-M: give it to the workers. It must be of the kind Job.",
            ),
        ),
    ),
    "spark": (
        Plugin(
            _provider("SparkSubmitOperator", "apache.spark.operators.spark_submit", "apache-spark"),
            (
                _needs("application", "sparkscript", "programjar", "applicationjar", "script", "sparkapplicationpath"),
                _may("java_class", "mainclass", is_plain=True),
                _may("application_args", "arguments", form="list"),
            ),
            "conn_id",
            "spark",
        ),
    ),
}


def row_of(kind: str, details: Mapping[str, str]) -> Plugin | None:
    """Give the row for the action of a job; None when no row has it. A job that names no action takes the first row."""
    action = action_of(details)
    return next((row for row in PLUGINS[kind] if not row.actions or not action or _is_for(row, action)), None)


def _is_for(row: Plugin, action: str) -> bool:
    return any(word in action for word in row.actions)


def untaken(plugin: Plugin, details: Mapping[str, str], also: tuple[str, ...] = ()) -> list[str]:
    """Name the details that say something and that the operator does not take."""
    known = {name for argument in plugin.arguments for name in argument.details} | set(also)
    known |= set(ACTIONS) if plugin.actions else set()
    return sorted(
        key
        for key, value in details.items()
        if value.strip() not in ("", "unchecked", "N", "0")
        and plain_name(key) not in known
        and not WITHOUT_EFFECT.search(plain_name(key))
    )
