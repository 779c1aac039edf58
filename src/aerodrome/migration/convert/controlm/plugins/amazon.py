"""Jobs of Amazon's services: which operators they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.contract import Expression
from aerodrome.migration.convert.controlm.plugins.rows import Argument, Plugin, may, needs, provider


def _aws(
    name: str,
    module: str,
    *arguments: Argument,
    fixed: tuple[tuple[str, Expression], ...] = (),
    actions: tuple[str, ...] = (),
    note: tuple[str, str] | None = None,
) -> Plugin:
    operator = provider(name, f"amazon.aws.operators.{module}", "amazon")
    return Plugin(operator, arguments, "aws_conn_id", "aws", fixed, actions, note=note)


_WAIT: Final = (("wait_for_completion", True),)
_INGESTION: Final = "{{ ti.task_id }}-{{ ts_nodash }}-{{ ti.try_number }}"
_INSTANCE: Final = ("instanceid", "instanceids")

AMAZON: Final[Mapping[str, tuple[Plugin, ...]]] = {
    "glue": (
        _aws(
            "GlueJobOperator",
            "glue",
            needs("job_name", "gluejobname", "jobname", "awsgluejobname"),
            may("script_args", "arguments", "gluejobarguments", form="map"),
            may("region_name", "region", "awsregion"),
            fixed=_WAIT,
        ),
    ),
    "databrew": (_aws("GlueDataBrewStartJobOperator", "glue_databrew", needs("job_name", "jobname"), fixed=_WAIT),),
    "lambda": (
        _aws(
            "LambdaInvokeFunctionOperator",
            "lambda_function",
            needs("function_name", "functionname", "lambdafunctionname"),
            may("payload", "payload", "parameters", "body", "payloadjson"),
            may("qualifier", "functionversion", "version"),
        ),
    ),
    "step-functions": (
        _aws(
            "StepFunctionStartExecutionOperator",
            "step_function",
            needs("state_machine_arn", "statemachinearn", "statemachine", "statemachinename"),
            may("state_machine_input", "parameters", "arguments", "input"),
            may("name", "executionname"),
            fixed=(("deferrable", True),),  # without it the operator only starts the execution
        ),
    ),
    "aws-batch": (
        _aws(
            "BatchOperator",
            "batch",
            needs("job_name", "jobname"),
            needs("job_definition", "jobdefinition", "jobdefinitionandrevision"),
            needs("job_queue", "jobqueue"),
        ),
    ),
    "athena": (
        _aws(
            "AthenaOperator",
            "athena",
            needs("query", "query", "sqlquery"),
            may("database", "database", "dbname", "databasename"),
            needs("output_location", "outputlocation", "outputbucket"),
            may("workgroup", "workgroup"),
        ),
    ),
    "ecs": (
        _aws(
            "EcsRunTaskOperator",
            "ecs",
            needs("cluster", "ecsclustername", "cluster"),
            needs("task_definition", "ecstaskdefinition", "taskdefinition"),
            may("launch_type", "launchtype"),
            fixed=(("overrides", {}),),
            actions=("run",),
        ),
    ),
    "emr": (
        _aws(
            "EmrStartNotebookExecutionOperator",
            "emr",
            needs("editor_id", "notebookid"),
            needs("relative_path", "relativepath"),
            needs("cluster_id", "clusterid"),
            needs("service_role", "servicerole"),
            may("notebook_execution_name", "notebookexecutionname"),
            fixed=_WAIT,
        ),
    ),
    "sagemaker": (
        _aws(
            "SageMakerStartPipelineOperator",
            "sagemaker",
            needs("pipeline_name", "pipelinename"),
            may("pipeline_params", "parameters", form="map"),
            fixed=_WAIT,
        ),
    ),
    "sns": (
        _aws(
            "SnsPublishOperator",
            "sns",
            needs("target_arn", "targetarn", "topicarn"),
            needs("message", "message"),
            may("subject", "subject"),
        ),
    ),
    "sqs": (
        _aws(
            "SqsPublishOperator",
            "sqs",
            needs("sqs_queue", "queueurl"),
            needs("message_content", "messagebody"),
            may("message_group_id", "messagegroupid"),
        ),
    ),
    "ec2": (
        _aws("EC2StartInstanceOperator", "ec2", needs("instance_id", *_INSTANCE), actions=("start",)),
        _aws("EC2StopInstanceOperator", "ec2", needs("instance_id", *_INSTANCE), actions=("stop",)),
        _aws("EC2RebootInstanceOperator", "ec2", needs("instance_ids", *_INSTANCE), fixed=_WAIT, actions=("reboot",)),
        _aws(
            "EC2TerminateInstanceOperator",
            "ec2",
            needs("instance_ids", *_INSTANCE),
            fixed=_WAIT,
            actions=("terminate",),
        ),
    ),
    "cloudformation": (
        _aws(
            "CloudFormationDeleteStackOperator",
            "cloud_formation",
            needs("stack_name", "stackname"),
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
            needs("task_arn", "taskarn"),
            fixed=(("wait_for_completion", True), ("max_iterations", 5760)),
            actions=("start", "execute", "run"),
        ),
    ),
    "quicksight": (
        _aws(
            "QuickSightCreateIngestionOperator",
            "quicksight",
            needs("data_set_id", "awsdatasetid", "datasetid"),
            fixed=(("ingestion_id", _INGESTION), *_WAIT),
            actions=("full",),
        ),
        _aws(
            "QuickSightCreateIngestionOperator",
            "quicksight",
            needs("data_set_id", "awsdatasetid", "datasetid"),
            fixed=(("ingestion_id", _INGESTION), ("ingestion_type", "INCREMENTAL_REFRESH"), *_WAIT),
            actions=("incremental",),
        ),
    ),
    "mwaa": (
        _aws(
            "MwaaTriggerDagRunOperator",
            "mwaa",
            needs("env_name", "mwaaenvironmentname", "environmentname"),
            needs("trigger_dag_id", "dagname", "dagid"),
            may("conf", "parameters", form="map"),
            fixed=(("wait_for_completion", True), ("waiter_max_attempts", 1440)),
            actions=("run", "trigger"),
        ),
    ),
    "appflow": (
        _aws(
            "AppflowRunOperator",
            "appflow",
            needs("flow_name", "flowname", is_plain=True),
            actions=("trigger", "start", "run"),
        ),
    ),
}
