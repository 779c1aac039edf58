"""Jobs of plug-ins: the operator that their row in the table names, Dataflow, and DAGs of another Airflow job."""

from __future__ import annotations

import json
from typing import Any, Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Expression, Function, Symbol
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import action_of, detail, items_of, map_of, profile_of
from aerodrome.migration.convert.controlm.plugins.rows import Argument, Plugin
from aerodrome.migration.convert.controlm.plugins.spark_options import spark_options
from aerodrome.migration.convert.controlm.plugins.table import PLUGINS, row_of, untaken

_GOOGLE: Final = "apache-airflow-providers-google"
# Dataflow's operators import Beam. Google's extra for it is not in every release; without a floor uv goes back to one that it cannot build.
_BEAM: Final = {"apache-airflow-providers-apache-beam", "apache-beam>=2.60"}
_DATAFLOW: Final = "airflow.providers.google.cloud.operators.dataflow"
DATAFLOW: Final = Symbol(
    "DataflowTemplatedJobStartOperator", {"2.11": _DATAFLOW, "3.3": _DATAFLOW}, {"2.11": _GOOGLE, "3.3": _GOOGLE}
)
DATAFLOW_FLEX: Final = Symbol(
    "DataflowStartFlexTemplateOperator", {"2.11": _DATAFLOW, "3.3": _DATAFLOW}, {"2.11": _GOOGLE, "3.3": _GOOGLE}
)
_STEPS: Final = "airflow.providers.amazon.aws.hooks.step_function"
_AMAZON: Final = "apache-airflow-providers-amazon"
STATE_MACHINE: Final = Function(
    "state_machine_arn",
    '''
def state_machine_arn(name, conn_id):
    """Give the ARN of the state machine that has a name in the account and region of a connection."""
    pages = StepFunctionHook(aws_conn_id=conn_id).get_conn().get_paginator("list_state_machines").paginate()
    found = [item["stateMachineArn"] for page in pages for item in page["stateMachines"] if item["name"] == name]
    if not found:
        raise AirflowFailException(f"There is no state machine {name} in the account of {conn_id}.")
    return found[0]
''',
    (
        Symbol("StepFunctionHook", {"2.11": _STEPS, "3.3": _STEPS}, {"2.11": _AMAZON, "3.3": _AMAZON}),
        symbols.FAIL,
    ),
)
_NETWORK: Final = ("networksubnets", "networksecuritygroups", "assignpublicip")
_TASK_OVERRIDES: Final = ("overrides", "overridecontainer", "overridecommand", "environmentvariables", "parameters")


def plugin(bench: Workbench) -> None:
    """Make the task of a job whose kind stands in the table."""
    details = bench.job.details
    row = row_of(bench.job.kind, details)
    if row is None:
        rows = PLUGINS[bench.job.kind]
        known = ", ".join(sorted({word for item in rows for word in item.actions}))
        bench.fail("plugin-action", f"The action {action_of(details)} is not converted (there are: {known}).")
        return
    arguments: list[tuple[str, Expression]] = []
    for argument in row.arguments:
        value = detail(details, argument.details)
        if not value and argument.is_needed:
            bench.fail(
                "detail-missing",
                f"{row.operator.name} needs {argument.name}, which the definition does not have ({argument.details[0]}).",
            )
            return
        if value:
            arguments.append((argument.name, _value(bench, argument, value)))
    fixed = dict(row.fixed)
    also: tuple[str, ...] = ()
    if bench.job.kind == "aws-batch" and (revision := detail(details, ("jobdefinitionrevision",))):
        arguments = [(name, f"{value}:{revision}" if name == "job_definition" else value) for name, value in arguments]
        also = ("jobdefinitionrevision",)
    if bench.job.kind == "step-functions":
        arguments = _state_machine(bench, row, arguments)
    if bench.job.kind == "gcp-function":
        also = ("body", "functionparameters", "urlparameters")
        if body := detail(details, ("body",)):
            fixed["input_data"] = mapped(bench, "input_data", body)
        if detail(details, ("urlparameters",)):
            bench.fail("plugin-details", "The operator calls a function with a body, and this one has URL parameters.")
    if bench.job.kind == "kubernetes" and "\n" in detail(details, ("jobspecyaml",)):
        bench.fail(
            "kubernetes-inline",
            "Its specification stands in the job: save it as a file for the workers, and give the file to KubernetesJobOperator here.",
        )
        return
    if bench.job.kind == "gcp-workflow" and (body := detail(details, ("parametersjsoninput",))):
        fixed["execution"] = {"argument": bench.text(body)}
        also = ("parametersjsoninput",)
    if bench.job.kind == "ecs":
        also = _ecs(bench, fixed)
    if bench.job.kind == "spark":
        also = spark_options(bench, fixed)
    if left := untaken(row, details, also):
        bench.note("plugin-details", f"Details of the job that the operator does not take: {', '.join(left[:12])}.")
    if row.note:
        bench.note(*row.note)
    _steps(bench, row, arguments, fixed)


def _steps(
    bench: Workbench, row: Plugin, arguments: list[tuple[str, Expression]], fixed: dict[str, Expression]
) -> None:
    conn_id = bench.profile(profile_of(bench.job.details) or row.conn_type, row.conn_type)
    first = [(row.connection, conn_id), *arguments, *fixed.items()]
    if row.waits is None:
        bench.step("", row.operator, *first)
        return
    bench.step("_start", row.operator, *first)
    bench.step("", row.waits, (row.connection, conn_id), *arguments, *row.waits_for, is_waiting=True)


def _state_machine(
    bench: Workbench, row: Plugin, arguments: list[tuple[str, Expression]]
) -> list[tuple[str, Expression]]:
    """Let a state machine that is named be found in the account of the connection, and an execution have a name that AWS takes again."""
    values = dict(arguments)
    machine, name = str(values["state_machine_arn"]), values.get("name")
    if not machine.startswith("arn:"):
        conn_id = bench.profile(profile_of(bench.job.details) or row.conn_type, row.conn_type)
        bench.plain("state_machine_arn", detail(bench.job.details, ("statemachine", "statemachinename")))
        bench.work.functions.append(STATE_MACHINE)
        bench.work.macros.add("state_machine_arn")
        values["state_machine_arn"] = f"{{{{ state_machine_arn({machine!r}, {conn_id!r}) }}}}"
    if isinstance(name, str) and "{{" not in name:
        values["name"] = f"{name}-{{{{ ts_nodash }}}}-{{{{ ti.try_number }}}}"
        bench.note(
            "execution-name", "AWS takes the name of an execution once in 90 days: its date and try stand behind it."
        )
    return list(values.items())


def _value(bench: Workbench, argument: Argument, value: str) -> Expression:
    if argument.form == "map":
        return mapped(bench, argument.name, value, is_plain=argument.is_plain)
    if argument.form == "list":
        return [bench.text(item) for item in items_of(value)]
    if argument.name != "payload":
        value = value.strip('"')
    return bench.plain(argument.name, value) if argument.is_plain else bench.text(value)


def mapped(bench: Workbench, name: str, text: str, *, is_plain: bool = False) -> Expression:
    """Read an object whose texts may hold %% variables; the job fails when it is none."""
    found = map_of(text)
    if found is None:
        bench.fail("detail-unreadable", f"Its {name} are not an object in JSON: {text[:80]}")
        return None

    def compiled(value: Any) -> Expression:
        if isinstance(value, str):
            return bench.plain(name, value) if is_plain else bench.text(value)
        if isinstance(value, dict):
            return {str(key): compiled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [compiled(item) for item in value]
        return value if value is None or isinstance(value, int | float | bool) else str(value)

    return compiled(found)


def _ecs(bench: Workbench, fixed: dict[str, Expression]) -> tuple[str, ...]:
    """Add the network and the overrides of an ECS task."""
    details = bench.job.details
    if subnets := detail(details, ("networksubnets",)):
        inside: dict[str, Expression] = {"subnets": [bench.text(item.strip()) for item in subnets.split(",")]}
        if groups := detail(details, ("networksecuritygroups",)):
            inside["securityGroups"] = [bench.text(item.strip()) for item in groups.split(",")]
        if public := detail(details, ("assignpublicip",)):
            inside["assignPublicIp"] = (
                "ENABLED" if public.upper() in ("TRUE", "ENABLED", "CHECKED", "Y") else "DISABLED"
            )
        fixed["network_configuration"] = {"awsvpcConfiguration": inside}
    if container := detail(details, ("overridecontainer",)):
        override: dict[str, Expression] = {"name": bench.text(container)}
        if command := detail(details, ("overridecommand",)):
            override["command"] = [bench.text(item) for item in items_of(command)]
        if values := detail(details, ("environmentvariables",)):
            read = map_of(values)
            if read is None:
                bench.fail("detail-unreadable", f"Its environment variables are not an object in JSON: {values[:80]}")
                return ()
            override["environment"] = [{"name": key, "value": bench.text(str(item))} for key, item in read.items()]
        fixed["overrides"] = {"containerOverrides": [override]}
    elif body := detail(details, ("parameters",)):
        fixed["overrides"] = mapped(bench, "overrides", body)
    return (*_NETWORK, *_TASK_OVERRIDES)


def dataflow(bench: Workbench) -> None:
    """Make the task of a Dataflow template: a classic one, or a flex template with its launch parameters."""
    details = bench.job.details
    template = detail(details, ("templatelocationgs", "templatelocation", "template", "templatetypepath"))
    project = detail(details, ("projectid", "project"))
    location = detail(details, ("location", "region"))
    for name, value in (("template", template), ("project_id", project), ("location", location)):
        if not value:
            bench.fail("detail-missing", f"Dataflow needs {name}, which the definition does not have.")
            return
    text = detail(details, ("parametersjsonformat", "parameters"))
    given = map_of(text) if text else {}
    if given is None:
        bench.fail("detail-unreadable", f"Its parameters are not an object in JSON: {text[:80]}")
        return
    bench.work.packages |= _BEAM
    conn_id = bench.profile(profile_of(details) or "google_cloud_platform", "google_cloud_platform")
    where: list[tuple[str, Expression]] = [
        ("gcp_conn_id", conn_id),
        ("project_id", bench.text(project)),
        ("location", bench.text(location)),
    ]
    if "flex" in detail(details, ("templatetype",)).lower():
        launch = dict(given.get("launch_parameter") or given.get("launchParameter") or given)
        launch.setdefault("containerSpecGcsPath", template)
        bench.step(
            "",
            DATAFLOW_FLEX,
            *where,
            ("body", mapped(bench, "body", json.dumps({"launchParameter": launch}))),
            ("wait_until_finished", True),
        )
        return
    arguments: list[tuple[str, Expression]] = [("template", bench.text(template))]
    if name := str(given.pop("jobName", "") or detail(details, ("jobname",))):
        arguments.append(("job_name", bench.text(name)))
    inner = [key for key in ("parameters", "environment") if given.get(key)]
    arguments += [(key, mapped(bench, key, json.dumps(given.pop(key)))) for key in inner]
    if left := sorted(key for key, value in given.items() if value):
        bench.note("plugin-details", f"Parameters of the job that the operator does not take: {', '.join(left)}.")
    bench.step("", DATAFLOW, *where, *arguments, ("wait_until_finished", True))


def airflow(bench: Workbench) -> None:
    """Make the task that triggers a DAG of another Airflow job, and waits for it."""
    details = bench.job.details
    dag_id = detail(details, ("dagid", "dagname")).strip('"')
    if not dag_id:
        bench.fail("airflow-dag", "The job names no DAG.")
        return
    action = action_of(details)
    if action.startswith("rerundag") or (action and not any(word in action for word in ("run", "trigger"))):
        bench.fail("plugin-action", f"The action {action} of an Airflow job is not converted.")
        return
    bench.note("airflow-dag", f"The DAG {dag_id} must be in the same Airflow as this one.")
    arguments: list[tuple[str, Expression]] = [("trigger_dag_id", bench.text(dag_id)), ("wait_for_completion", True)]
    if text := detail(details, ("configurationjson", "parameters", "conf")):
        arguments.append(("conf", mapped(bench, "conf", text)))
    bench.step("", symbols.TRIGGER_DAG, *arguments)


def sla(bench: Workbench) -> None:
    """Make the mark of a service; its deadline is not watched."""
    details = bench.job.details
    service = detail(details, ("servicename",)) or details.get("BIM-SERVICE_NAME") or bench.job.name
    due = details.get("BIM-DUE_TIME", "")
    until = f" ({due[:2]}:{due[2:]})" if len(due) == 4 and due.isdigit() else ""
    bench.note("sla-service", f"The service {service} and its deadline{until} are not watched: add a deadline alert.")
    bench.step("", symbols.EMPTY)
