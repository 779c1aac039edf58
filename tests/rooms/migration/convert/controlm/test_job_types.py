"""No job type that the Automation API documents crashes the converter, and a type that nothing converts raises with its whole definition.

documented_types.txt lists the types of Control-M's Python client (ctm-python-client 2.6.6: aapi/job.py and its integrations). The table in
docs/reference/convert-controlm.md is what this module makes of them: `python -m tests.rooms.migration.convert.controlm.test_job_types` writes it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.kernel.secret import MASK
from aerodrome.migration.convert.contract import TARGETS
from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.kinds import kind_of
from aerodrome.migration.convert.controlm.plugins.table import PLUGINS
from aerodrome.migration.convert.emission import compose

ROOT = Path(__file__).parents[5]
REFERENCE = ROOT / "docs/reference/convert-controlm.md"
TYPES = [line for line in Path(__file__).with_name("documented_types.txt").read_text().splitlines() if line]
MARK = "<!-- job types -->\n"
BECOMES = {
    "command": "`SSHOperator`, `BashOperator`",
    "script": "`SSHOperator`, `BashOperator`",
    "embedded": "`SSHOperator`, `BashOperator`",
    "dummy": "`EmptyOperator`",
    "sla": "`EmptyOperator`, caveat `sla-service`",
    "condition": "a function that changes the Airflow variable of the condition",
    "file-watcher": "`SFTPSensor`, `FileSensor`, or a loop on the host",
    "file-transfer": "`FileTransferOperator`, or functions in the file",
    "database": "`SQLExecuteQueryOperator`",
    "snowflake": "`SQLExecuteQueryOperator`",
    "redshift": "`SQLExecuteQueryOperator`",
    "bigquery": "`BigQueryInsertJobOperator`",
    "airflow": "`TriggerDagRunOperator`, caveat `airflow-dag`",
    "dataflow": "`DataflowTemplatedJobStartOperator`, `DataflowStartFlexTemplateOperator`",
    "blob": "operators of Azure Blob Storage",
    "web-service": "`HttpOperator`",
    "mainframe": "Zowe CLI, caveat `zos-zowe`",
    "ibm-i": "a CL command or a program without parameters by SSH, caveat `ibm-i-session`; others raise",
    "hdfs": "the command line on its host",
    "distcp": "the command line on its host",
    "hadoop": "the command line on its host",
    "hive": "`SQLExecuteQueryOperator`, or the command line on its host",
    "spark": "`SparkSubmitOperator`",
    "azure-function": "`HttpOperator`, caveat `azure-function-key`",
}
EXACT = {
    "Job:SAP:BW:ProcessChain": "a function that calls SAP's SOAP service for RFC, caveat `sap-soap`",
    "Job:Informatica": "`pmcmd` on its host, caveat `informatica-pmcmd`",
}


def kind(name: str) -> str:
    return kind_of(Element("JOB", {"JSON_TYPE": name}), "", False)[0]


def becomes(name: str) -> str:
    found = kind(name)
    if name in EXACT:
        return EXACT[name]
    if found in PLUGINS and found != "spark":
        return ", ".join(dict.fromkeys(f"`{row.operator.name}`" for row in PLUGINS[found]))
    return BECOMES.get(found, f"raises (`job-{found}`) until `job_types` says what it becomes")


def table() -> str:
    rows: dict[str, list[str]] = defaultdict(list)
    for name in TYPES:
        rows[becomes(name)].append(f"`{name}`")
    lines = [f"| {', '.join(names)} | {text} |" for text, names in rows.items()]
    return "\n".join(["| `Type` | becomes |", "| --- | --- |", *lines]) + "\n"


def made(folder: Path, job: dict[str, Any]) -> Any:
    return convert(folder, json.dumps({"F": {"Type": "Folder", "J": job}}), name="jobs.json")


@pytest.mark.parametrize(
    "details",
    [{}, {"ConnectionProfile": "P", "Host": "h", "Parameters": "[1, 2", "Arguments": ["a"], "Name Of It": "%%ODATE"}],
)
def test_every_documented_type_is_told_whatever_its_details_are(tmp_path: Path, details: dict[str, Any]) -> None:
    jobs = {f"J{number}": {"Type": name, **details} for number, name in enumerate(TYPES)}
    conversion = convert(tmp_path, json.dumps({"F": {"Type": "Folder", **jobs}}), name="jobs.json")
    assert conversion.rejected == ()
    dag = dag_of(conversion, "F")
    told = {item.name for item in dag.accounts}
    for number, name in enumerate(TYPES):
        assert f"J{number}" in told, name
        if becomes(name).startswith("raises"):
            assert dag.task(f"J{number}").role == "raises", name
    for target in TARGETS:
        files = compose(conversion, target)
        compile(files["dags/f_dag.py"], "f_dag.py", "exec")


def test_a_type_that_nothing_converts_raises_with_its_whole_definition_but_no_secret(tmp_path: Path) -> None:
    job = {"Type": "Job:Own Thing", "Queue": "q %%ODATE", "Steps": [{"Run": "x"}], "API Password": "hunter2"}
    dag = dag_of(made(tmp_path, job), "F")
    shown = dict(dag.task("J").arguments)["doc_json"]
    assert isinstance(shown, str)
    assert json.loads(shown) == {
        "Type": "Job:Own Thing",
        "Queue": "q %%ODATE",
        "Steps": '[{"Run": "x"}]',
        "API Password": "(left out)",
    }


def test_secrets_inside_of_details_are_left_out_too(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Own Thing",
        "Login": {"User": "ann", "Password": "canary-inner"},
        "Steps": [{"Url": "https://ann:canary-url@host/x", "Api-Token": "canary-token"}],
    }
    conversion = made(tmp_path, job)
    shown = dict(dag_of(conversion, "F").task("J").arguments)["doc_json"]
    assert isinstance(shown, str)
    assert '\\"User\\": \\"ann\\"' in shown
    assert f"ann:{MASK}@host/x" in shown
    assert not any("canary" in text for target in TARGETS for text in compose(conversion, target).values())


def test_the_reference_has_the_table() -> None:
    assert REFERENCE.read_text(encoding="utf-8").partition(MARK)[2] == table()


if __name__ == "__main__":
    head = REFERENCE.read_text(encoding="utf-8").partition(MARK)[0]
    REFERENCE.write_text(head + MARK + table(), encoding="utf-8")
