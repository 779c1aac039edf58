"""SAP jobs: a process chain of SAP BW is started and watched over HTTP; the others need an RFC client and raise.

RSPC_API_CHAIN_START and RSPC_API_CHAIN_GET_STATUS keep nothing between two calls, so SAP's SOAP service for RFC (`/sap/bc/soap/rfc`, transaction SICF) can
call them. Background jobs (XBP) are bound to a logon that stays open: there is no such way for them.
"""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Function, Symbol
from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail, profile_of
from aerodrome.migration.convert.controlm.site import connection_id

_HTTP: Final = "apache-airflow-providers-http"
HTTP_HOOK: Final = Symbol(
    "HttpHook",
    {"2.11": "airflow.providers.http.hooks.http", "3.3": "airflow.providers.http.hooks.http"},
    {"2.11": _HTTP, "3.3": _HTTP},
)
_ESCAPE: Final = Symbol("escape", {"2.11": "xml.sax.saxutils", "3.3": "xml.sax.saxutils"})
_UNESCAPE: Final = Symbol("unescape", {"2.11": "xml.sax.saxutils", "3.3": "xml.sax.saxutils"})
_TIME: Final = Symbol("time", {"2.11": "", "3.3": ""})
PROCESS_CHAIN: Final = Function(
    "process_chain",
    '''
def process_chain(chain, conn_id, poll_seconds=60):
    """Run a process chain of SAP BW through SAP's SOAP service for RFC, and wait for its end; an end that is not green fails."""

    def call(function, **values):
        fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
        message = (
            '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
            f'<rfc:{function} xmlns:rfc="urn:sap-com:document:sap:rfc:functions">{fields}</rfc:{function}>'
            "</soap:Body></soap:Envelope>"
        )
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        answer = HttpHook("POST", conn_id).run("/sap/bc/soap/rfc", data=message.encode(), headers=headers)
        found = re.findall(r"<(?:\\w+:)?(E_\\w+)>([^<]*)</", answer.text)
        return {name: unescape(value).strip() for name, value in found}

    log_id = call("RSPC_API_CHAIN_START", I_CHAIN=chain).get("E_LOGID")
    if not log_id:
        raise AirflowFailException(f"SAP has given no log id for {chain}: the chain has not started.")
    print(f"{chain} has started, its log id is {log_id}")
    while True:
        answer = call("RSPC_API_CHAIN_GET_STATUS", I_CHAIN=chain, I_LOGID=log_id)
        status = answer.get("E_STATUS", "")
        if status in ("G", "F"):  # green, completed
            return
        if status in ("R", "X", "J"):  # red, cancelled, an error of the framework
            raise AirflowFailException(f"{chain} ({log_id}) has ended {answer}")
        time.sleep(poll_seconds)
''',
    (HTTP_HOOK, symbols.FAIL, symbols.RE, _ESCAPE, _UNESCAPE, _TIME),
)


def is_chain(job: Job) -> bool:
    """Say whether a SAP job runs a process chain of SAP BW."""
    is_named = detail(job.details, ("sapr3processtype",)).lower() == "processchain"
    return is_named or job.type_name.endswith(":ProcessChain")


def sap(bench: Workbench, why: str) -> None:
    """Make the task of a process chain; other jobs raise and say why."""
    details = bench.job.details
    if not is_chain(bench.job):
        bench.fail("job-sap", why)
        return
    chain = detail(details, ("sapr3processchainid", "id", "processchainid"))
    mode = detail(details, ("sapr3jobmode",)).upper()
    if not chain or mode not in ("", "PC_RUN_ORG"):
        bench.fail("sap-chain", f"The process chain has no name, or another mode than to run ({mode}).")
        return
    conn_id = connection_id(
        "sap", detail(details, ("sapr3account",)) or profile_of(details) or bench.job.run_as or bench.job.host
    )
    bench.connect(ConnectionNeed(conn_id, "http", why="SAP's SOAP service for RFC; header sap-client in its extra"))
    bench.note(
        "sap-soap",
        "It runs through SAP's SOAP service for RFC (/sap/bc/soap/rfc), which must be active and which the connection names with its user and client. "
        "The logs of its processes are not brought, and a rerun starts the whole chain.",
    )
    bench.work.functions.append(PROCESS_CHAIN)
    bench.step(
        "",
        symbols.PYTHON,
        ("python_callable", Code("process_chain")),
        ("op_kwargs", {"chain": bench.text(chain), "conn_id": conn_id}),
    )
