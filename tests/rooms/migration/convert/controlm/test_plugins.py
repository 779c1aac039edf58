"""Plug-in jobs run the action that they name with all that they say; a different action or an argument that would get lost raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Dag, Task
from aerodrome.migration.convert.emission import compose


def dag(folder: Path, job: Mapping[str, Any], profile: dict[str, Any] | None = None) -> Dag:
    text = json.dumps({"F": {"Type": "Folder", "J": job}})
    return dag_of(convert(folder, text, profile, name="jobs.json"), "F")


def arguments(task: Task) -> dict[str, Any]:
    return dict(task.arguments)


def codes(made: Dag) -> set[str]:
    return {item.code for item in made.accounts if item.outcome == "raises"}


ROWS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"Type": "Job:AWS EC2", "Operations": "Stop Instance", "Instance ID": "i-1"}, "EC2StopInstanceOperator", {"instance_id": "i-1"}),
    ({"Type": "Job:AWS Glue DataBrew", "Job Name": "clean"}, "GlueDataBrewStartJobOperator", {"job_name": "clean"}),
    (
        {"Type": "Job:AWS Glue", "Glue Job Name": "load", "Arguments": "{'--day': '%%ODATE'}"},
        "GlueJobOperator",
        {"script_args": {"--day": "{{ odate(dag_run).strftime('%y%m%d') }}"}},
    ),
    (
        {"Type": "Job:AWS Step Functions", "State Machine ARN": "arn:1"},
        "StepFunctionStartExecutionOperator",
        {"deferrable": True},
    ),
    (
        {"Type": "Job:AWS ECS", "Action": "Run Task", "ECS Cluster Name": "c", "ECS Task Definition": "t:1", "Network Subnets": "s-1, s-2"},
        "EcsRunTaskOperator",
        {"network_configuration": {"awsvpcConfiguration": {"subnets": ["s-1", "s-2"]}}, "overrides": {}},
    ),
    (
        {"Type": "Job:Azure Data Factory", "Pipeline Name": "p", "Resource Group Name": "g", "Data Factory Name": "f", "Parameters": '{"a": 1}'},
        "AzureDataFactoryRunPipelineOperator",
        {"parameters": {"a": 1}},
    ),
    (
        {"Type": "Job:Databricks", "Databricks Job ID": "7", "Parameters": '"notebook_params": {"day": "1"}'},
        "DatabricksRunNowOperator",
        {"json": {"notebook_params": {"day": "1"}}},
    ),
    (
        {"Type": "Job:GCP Dataproc", "Dataproc task type": "Workflow Template", "Project ID": "p", "Account Region": "r", "Workflow Template": "w"},
        "DataprocInstantiateWorkflowTemplateOperator",
        {"template_id": "w", "region": "r"},
    ),
    (
        {"Type": "Job:GCP Dataflow", "Project ID": "p", "Region": "r", "Template Location (gs://)": "gs://t", "Parameters (JSON Format)": '{"jobName": "n", "parameters": {"a": "b"}}'},
        "DataflowTemplatedJobStartOperator",
        {"job_name": "n", "parameters": {"a": "b"}, "wait_until_finished": True},
    ),
    (
        {"Type": "Job:GCP Data Fusion", "Region": "r", "Project Name": "p", "Instance Name": "i", "Pipeline Name": "x"},
        "CloudDataFusionStartPipelineOperator",
        {"success_states": ["COMPLETED"]},
    ),
    ({"Type": "Job:GCP Functions", "Project ID": "p", "Location": "l", "Function Name": "f", "Body": '{"a": "b"}'}, "CloudFunctionInvokeFunctionOperator", {"input_data": {"a": "b"}}),
    (
        {"Type": "Job:ApplicationIntegrator:AI Blob Storage", "AI-Action": "Watch", "AI-BlobWatch Container": "c", "AI-BlobWatch Blob Name": "b"},
        "WasbBlobSensor",
        {"container_name": "c", "blob_name": "b"},
    ),
    (
        {"Type": "Job:ApplicationIntegrator:AI Blob Storage", "AI-Action": "Upload", "AI-Blob name (Up/Download)": "b", "AI-Container (Up/Download)": "c", "AI-File path": "/x"},
        "FileTransferOperator",
        {"src": "file:///x", "dst": "abfs://c/b"},
    ),
    (
        {"Type": "Job:Web Services REST", "Endpoint URL": "https://api.example.com/v1", "URL Request Path": "run", "Method": "PUT", "URL Parameters": '[{"day": "a b"}]', "HTTP Headers": '[{"X": "y"}]'},
        "HttpOperator",
        {"method": "PUT", "endpoint": "/v1/run?day=a%20b", "headers": {"X": "y"}},
    ),
    (
        {"Type": "Job:WebServices", "Location": "http://e/s?wsdl", "Service": "S", "Operation": "o", "SoapRequest": ["<a>", "</a>"], "ConnectionProfile": "CP"},
        "HttpOperator",
        {"method": "POST", "data": "<a>\n</a>", "http_conn_id": "cp"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("job", "operator", "expected"), ROWS, ids=[str(row[0]["Type"]) + row[1] for row in ROWS])
def test_a_plugin_job_becomes_the_operator_of_its_action(
    tmp_path: Path, job: dict[str, Any], operator: str, expected: dict[str, Any]
) -> None:
    task = dag(tmp_path, job).task("J")
    assert (task.operator.name, task.role) == (operator, "real")
    assert {name: arguments(task).get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"Type": "Job:AWS EC2", "Operations": "Hibernate", "Instance ID": "i-1"}, "plugin-action"),
        ({"Type": "Job:AWS Glue", "Glue Job Name": "x", "Arguments": "not an object"}, "detail-unreadable"),
        ({"Type": "Job:Jenkins", "Pipeline Name": "%%ODATE"}, "detail-not-rendered"),
        ({"Type": "Job:Apache Airflow", "Action": "Rerun DAG", "DAG Name": "d"}, "plugin-action"),
        ({"Type": "Job:WebServices", "Location": "http://e/s?wsdl", "Service": "S", "Operation": "o"}, "soap-message"),
        ({"Type": "Job:ApplicationIntegrator:AI Blob Storage", "AI-Action": "Create Container"}, "plugin-action"),
        ({"Type": "Job:Kubernetes", "Job Spec Yaml": "kind: Job\nspec: {}"}, "kubernetes-inline"),
        (
            {"Type": "Job:GCP BigQuery", "SQL Statement": "x", "Run Select Query and Copy to Table": "checked"},
            "bigquery-action",
        ),
    ],
)
def test_what_a_plugin_job_says_and_no_operator_takes_raises(tmp_path: Path, job: dict[str, Any], code: str) -> None:
    made = dag(tmp_path, job)
    assert made.task("J").role == "raises"
    assert code in codes(made)


def test_commands_around_a_job_that_is_none_are_tasks(tmp_path: Path) -> None:
    made = dag(tmp_path, {"Type": "Job:AWS Glue", "Glue Job Name": "g", "PreCommand": "prepare", "PostCommand": "tidy"})
    assert [(task.full_id, task.operator.name) for task in made.tasks] == [
        ("J_before", "BashOperator"),
        ("J_main", "GlueJobOperator"),
        ("J", "BashOperator"),
    ]
    assert "post-command" in {item.code for item in made.accounts}
    assert [(edge.before, edge.after) for edge in made.edges] == [("J_before", "J_main"), ("J_main", "J")]


def test_a_refresh_is_of_its_kind(tmp_path: Path) -> None:
    for text, expected in (("Full Refresh", None), ("Incremental Refresh", "INCREMENTAL_REFRESH")):
        job = {"Type": "Job:AWS QuickSight", "AWS Dataset ID": "d", "Refresh Type": text}
        assert arguments(dag(tmp_path, job).task("J")).get("ingestion_type") == expected


def test_a_workflow_that_is_only_started_is_waited_for(tmp_path: Path) -> None:
    made = dag(tmp_path, {"Type": "Job:GCP Workflows", "Project ID": "p", "Location": "l", "Workflow Name": "w"})
    first, last = made.task("J_start"), made.task("J")
    assert (first.operator.name, last.operator.name) == ("WorkflowsCreateExecutionOperator", "WorkflowExecutionSensor")
    assert "task_ids='J_start'" in arguments(last)["execution_id"]
    assert [(edge.before, edge.after) for edge in made.edges] == [("J_start", "J")]


def test_a_program_of_hadoop_keeps_its_commands_and_its_words(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Hadoop:MapReduce",
        "ProgramJar": "a.jar",
        "MainClass": "M",
        "Arguments": ["x y", "z"],
        "PreCommands": {"Commands": [{"rm": "-r /out"}]},
        "PostCommands": {"Commands": [{"ls": "/out"}]},
    }
    command = arguments(dag(tmp_path, job).task("J"))["bash_command"]
    assert command == "set -e\nhdfs dfs -rm -r /out\nhadoop jar a.jar M 'x y' z\nhdfs dfs -ls /out || true"


def test_a_spark_program_has_its_commands_before_it(tmp_path: Path) -> None:
    made = dag(
        tmp_path,
        {
            "Type": "Job:Hadoop:Spark:Python",
            "SparkScript": "p.py",
            "PreCommands": {"Commands": [{"rm": "-r /out"}], "FailJobOnCommandFailure": False},
        },
    )
    assert arguments(made.task("J_before"))["bash_command"] == "set -e\nhdfs dfs -rm -r /out || true"
    assert made.task("J").operator.name == "SparkSubmitOperator"


def test_the_team_says_what_a_type_becomes(tmp_path: Path) -> None:
    profile = {
        "job_types": {
            "Job:SAP:*": {"command": "/opt/sap/run --name {SapJobName} --class {JobClass}", "host": "sap_edge"},
            "*Kafka*": {
                "operator": "my.operators.ReadTopic",
                "package": "my-operators",
                "arguments": {"topic": "{AI-Topic}", "minutes": 5},
                "connection": "conn_id",
            },
        }
    }
    made = dag(tmp_path, {"Type": "Job:SAP:R3:CREATE", "SapJobName": "Month's end", "JobClass": "A"}, profile)
    task = made.task("J")
    assert (task.operator.name, task.role) == ("SSHOperator", "real")
    assert arguments(task)["ssh_conn_id"] == "sap_edge"
    assert arguments(task)["command"] == "/opt/sap/run --name 'Month'\\''s end' --class A"
    assert "job-mapped" in {item.code for item in made.accounts}
    lacking = dag(tmp_path, {"Type": "Job:SAP:R3:CREATE", "SapJobName": "X"}, profile)
    assert codes(lacking) == {"job-mapped-detail"}
    kafka = {"Type": "Job:ApplicationIntegrator:AI Kafka", "AI-Topic": "t-%%ODATE", "ConnectionProfile": "KAF"}
    conversion = convert(tmp_path, json.dumps({"F": {"Type": "Folder", "J": kafka}}), profile, name="jobs.json")
    text = compose(conversion, "3.3")
    assert "from my.operators import ReadTopic" in text["dags/f_dag.py"]
    assert "my-operators" in text["requirements.txt"]
    assert dict(dag_of(conversion, "F").task("J").arguments)["conn_id"] == "kaf"


@pytest.mark.parametrize(
    "value",
    [{"command": "x", "operator": "a.B"}, {"operator": "nodots"}, {"cmd": "x"}, {"operator": "a.B", "arguments": [1]}],
)
def test_a_wrong_choice_names_its_key(tmp_path: Path, value: object) -> None:
    with pytest.raises(Invalid, match=r"job_types\.sap"):
        dag(tmp_path, {"Type": "Job:Dummy"}, {"job_types": {"sap": value}})


def test_dataflow_asks_for_beam_which_its_module_imports(tmp_path: Path) -> None:
    flow = {"Type": "Job:GCP Dataflow", "Project ID": "p", "Region": "r", "Template Location (gs://)": "gs://t"}
    conversion = convert(tmp_path, json.dumps({"F": {"Type": "Folder", "J": flow}}), name="jobs.json")
    wanted = compose(conversion, "3.3")["requirements.txt"].splitlines()
    assert {"apache-airflow-providers-google", "apache-airflow-providers-apache-beam", "apache-beam>=2.60"} <= set(
        wanted
    )
