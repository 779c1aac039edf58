"""Jobs that start work elsewhere and wait for its end: process chains of SAP, workflows of Informatica, functions of Azure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, unescape

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.migration.convert.contract import Conversion, Task
from aerodrome.migration.convert.controlm.jobs.sap_jobs import PROCESS_CHAIN
from aerodrome.migration.convert.emission import compose

CHAIN = {"Type": "Job:SAP:BW:ProcessChain", "ConnectionProfile": "BW PROD", "Id": "ZSALES_%%ODATE"}
WORKFLOW = {
    "Type": "Job:Informatica",
    "Host": "inf01",
    "RunAs": "inf",
    "RepositoryFolder": "FINANCE",
    "Workflow": "wf load",
}


def made(folder: Path, job: dict[str, Any]) -> Conversion:
    return convert(folder, json.dumps({"F": {"Type": "Folder", "J": job}}), name="jobs.json")


def arguments(task: Task) -> dict[str, Any]:
    return dict(task.arguments)


def codes(conversion: Conversion, outcome: str) -> set[str]:
    return {item.code for item in dag_of(conversion, "F").accounts if item.outcome == outcome}


class Sap(BaseHTTPRequestHandler):
    """Answers as SAP's SOAP service for RFC does: one envelope for each function module."""

    statuses: ClassVar[list[str]] = []
    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = ET.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        call = body[0][0]
        name = call.tag.removeprefix("{urn:sap-com:document:sap:rfc:functions}")
        self.asked.append((name, {item.tag: item.text or "" for item in call}))
        value = "<E_LOGID>LOG1</E_LOGID>"
        if name.endswith("GET_STATUS"):
            status = self.statuses.pop(0)
            value = f"<E_STATUS>{status}</E_STATUS>" if status else "<E_STATUS/>"
        answer = (
            '<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Body>'
            f'<n0:{name}.Response xmlns:n0="urn:sap-com:document:sap:rfc:functions">{value}</n0:{name}.Response>'
            "</soap-env:Body></soap-env:Envelope>"
        ).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words: object) -> None:
        del words


@pytest.fixture
def process_chain() -> Iterator[Any]:
    """The function of the DAG file, with the hook's request made by Python itself against a server of this test."""
    server = HTTPServer(("127.0.0.1", 0), Sap)
    Thread(target=server.serve_forever, daemon=True).start()

    class HttpHook:
        def __init__(self, method: str, conn_id: str) -> None:
            assert (method, conn_id) == ("POST", "sap_bw_prod")

        def run(self, endpoint: str, data: bytes, headers: dict[str, str]) -> Any:
            request = Request(f"http://127.0.0.1:{server.server_port}{endpoint}", data, headers)
            with urlopen(request) as answer:
                return SimpleNamespace(text=answer.read().decode())

    space: dict[str, Any] = {"HttpHook": HttpHook, "re": re, "time": time, "escape": escape, "unescape": unescape}
    exec("class AirflowFailException(Exception): pass\n" + PROCESS_CHAIN.source, space)
    Sap.asked.clear()
    yield space["process_chain"]
    server.shutdown()
    server.server_close()


def test_a_process_chain_is_started_once_and_watched_to_its_end(process_chain: Any) -> None:
    Sap.statuses[:] = ["A", "", "G"]
    process_chain("A&B", "sap_bw_prod", poll_seconds=0)
    assert Sap.asked[0] == ("RSPC_API_CHAIN_START", {"I_CHAIN": "A&B"})
    assert Sap.asked[1:] == [("RSPC_API_CHAIN_GET_STATUS", {"I_CHAIN": "A&B", "I_LOGID": "LOG1"})] * 3


@pytest.mark.parametrize("status", ["R", "X", "J"])
def test_a_process_chain_that_is_not_green_fails(process_chain: Any, status: str) -> None:
    Sap.statuses[:] = ["A", status]
    with pytest.raises(Exception, match="LOG1"):
        process_chain("A", "sap_bw_prod", poll_seconds=0)


def test_a_process_chain_becomes_a_task_and_a_connection(tmp_path: Path) -> None:
    conversion = made(tmp_path, CHAIN)
    given = arguments(dag_of(conversion, "F").task("J"))["op_kwargs"]
    assert given == {"chain": "ZSALES_{{ odate(dag_run).strftime('%y%m%d') }}", "conn_id": "sap_bw_prod"}
    assert [(item.conn_id, item.conn_type) for item in conversion.connections] == [("sap_bw_prod", "http")]
    assert "sap-soap" in codes(conversion, "caveat")
    for target in ("2.11", "3.3"):
        compile(compose(conversion, target)["dags/f_dag.py"], "f_dag.py", "exec")


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"Type": "Job:SAP:R3:CREATE", "SapJobName": "X"}, "job-sap"),
        ({"Type": "Job:SAP:BW:InfoPackage"}, "job-sap"),
        ({"Type": "Job:SAP:BW:ProcessChain"}, "sap-chain"),
        ({"Type": "Job:Informatica CS", "Workflow": "w", "RepositoryFolder": "f"}, "job-informatica"),
        ({"Type": "Job:Informatica", "Workflow": "w"}, "job-informatica"),
        (WORKFLOW | {"WorkflowExecutionMode": "RunOneTask"}, "informatica-mode"),
        ({"Type": "Job:Azure Functions", "Function App": "a"}, "detail-missing"),
    ],
)
def test_what_no_service_can_be_asked_for_raises(tmp_path: Path, job: dict[str, str], code: str) -> None:
    assert codes(made(tmp_path, job), "raises") == {code}


def test_types_that_raise_stand_in_the_profile_to_fill_in(tmp_path: Path) -> None:
    files = {item.path: item.text for item in made(tmp_path, {"Type": "Job:SAP:R3:CREATE", "SapJobName": "X"}).files}
    assert "Job:SAP:R3:CREATE" in files["job_types.yaml"]
    assert made(tmp_path, CHAIN).files == ()


def test_a_workflow_is_started_by_pmcmd_without_a_password_in_the_command(tmp_path: Path) -> None:
    task = dag_of(made(tmp_path, WORKFLOW | {"OsProfile": "prod"}), "F").task("J")
    assert (task.operator.name, arguments(task)["ssh_conn_id"]) == ("SSHOperator", "ssh_inf_inf01")
    assert arguments(task)["command"] == (
        'pmcmd startworkflow -sv "${INFA_SERVICE:?}" -d "${INFA_DOMAIN:?}" -uv INFA_USER -pv INFA_PASSWORD '
        "-f FINANCE -osprofile prod -wait 'wf load'"
    )


def test_a_function_of_azure_is_called_with_its_parameters(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Azure Functions",
        "ConnectionProfile": "AZ",
        "Function App": "books",
        "Function Name": "close",
        "Optional Input Parameters": '{"day": "%%ODAY"}',
    }
    conversion = made(tmp_path, job)
    given = arguments(dag_of(conversion, "F").task("J"))
    assert (given["endpoint"], given["method"], given["http_conn_id"]) == ("/api/close", "POST", "az")
    assert given["data"] == """{"day": "{{ odate(dag_run).strftime('%d') }}"}"""
    assert conversion.connections[0].host == "https://books.azurewebsites.net"
    assert "azure-function-key" in codes(conversion, "caveat")
