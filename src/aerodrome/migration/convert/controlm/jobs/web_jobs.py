"""Jobs that call a web service: REST and SOAP, as HTTP requests.

Control-M for Web Services (9.0.21, job parameters): for REST `%%WS-URL` is the address, `%%WS-SERVICE` the method and `%%WS-OPERATION` the
path; for SOAP `%%WS-WSDL` is the description of the service, whose address stands inside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from aerodrome.migration.convert.contract import ConnectionNeed, Expression, Symbol
from aerodrome.migration.convert.controlm.definitions.texts import chunks_of
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail, plain_name, profile_of
from aerodrome.migration.convert.controlm.site import connection_id

_MODULE: Final = "airflow.providers.http.operators.http"
_PACKAGE: Final = "apache-airflow-providers-http"
HTTP: Final = Symbol("HttpOperator", {"2.11": _MODULE, "3.3": _MODULE}, {"2.11": _PACKAGE, "3.3": _PACKAGE})
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")
_URL: Final = ("endpointurl", "overrideurlendpoint", "url", "uri")
_PATH: Final = ("urlrequestpath", "requestpath", "urlpath", "path", "endpoint")
_METHOD: Final = ("method", "httpmethod", "requestmethod", "requesttype")
_BODY: Final = ("wsrestbody", "restbody", "bodyrequest", "body", "requestbody", "payload", "inputmessage")
_SOAP: Final = ("soaprequest", "soaprequestfield")
_WSDL: Final = ("wsdl", "location")
_FILE: Final = ("inputfile", "inputputfile")


def web_service(bench: Workbench) -> None:
    """Make the task that calls the service."""
    details = bench.job.details
    soap = "\n".join(_lines(detail(details, _SOAP))) or chunks_of(details, "soap")
    service = detail(details, ("service",)).upper()
    method = detail(details, _METHOD).upper()
    if soap or (detail(details, _WSDL) and method not in _METHODS and service not in _METHODS):
        _soap(bench, soap)
        return
    method = method if method in _METHODS else service if service in _METHODS else "POST"
    path = detail(details, _PATH) or (detail(details, ("operation",)) if service in _METHODS else "")
    address = detail(details, _URL) or detail(details, _WSDL)
    if not address and not path:
        bench.fail("detail-missing", "HttpOperator needs endpoint, which the definition does not have (url).")
        return
    if detail(details, ("filename",)) and not detail(details, _BODY) and method in ("POST", "PUT", "PATCH"):
        bench.fail("web-body-file", "Its request body is a file of the agent: put its text into `data` here.")
        return
    host, endpoint = _split(address, path)
    headers = _pairs(detail(details, ("httpheaders", "headers")))
    query = _pairs(detail(details, ("urlparameters",)))
    arguments: list[tuple[str, Expression]] = [("method", method)]
    if query:
        words = "&".join(f"{quote(name)}={value if '%%' in value else quote(value)}" for name, value in query.items())
        endpoint = f"{endpoint}{'&' if '?' in endpoint else '?'}{words}"
    if body := detail(details, _BODY) or chunks_of(details, "body"):
        arguments.append(("data", bench.text("\n".join(_lines(body)))))
    if headers:
        arguments.append(("headers", {name: bench.text(value) for name, value in headers.items()}))
    _call(bench, host, endpoint, arguments)
    _left(bench, (*_URL, *_PATH, *_METHOD, *_BODY, *_WSDL, "service", "operation", "httpheaders", "urlparameters"))


def azure_function(bench: Workbench) -> None:
    """Make the task that calls a function of Azure over HTTP; its key is in the connection."""
    details = bench.job.details
    app, name = detail(details, ("functionapp", "functionappname")), detail(details, ("functionname", "function"))
    if not app or not name:
        bench.fail(
            "detail-missing", "A function of Azure needs its app and its name, which the definition does not have."
        )
        return
    arguments: list[tuple[str, Expression]] = [("method", "POST")]
    if body := detail(details, ("optionalinputparameters", "inputparameters", "functionparameters", "parameters")):
        arguments += [
            ("data", bench.text("\n".join(_lines(body)))),
            ("headers", {"Content-Type": "application/json"}),
        ]
    bench.note(
        "azure-function-key",
        "It is called over HTTP at /api/NAME: the key stands in the extra of the connection (x-functions-key), and a function that answers at once and works on is not waited for.",
    )
    _call(bench, f"https://{app}.azurewebsites.net", f"/api/{name}", arguments)
    taken = ("functionapp", "functionappname", "functionname", "function")
    _left(bench, (*taken, "optionalinputparameters", "inputparameters", "functionparameters", "parameters"))


def _soap(bench: Workbench, message: str) -> None:
    details = bench.job.details
    if not message:
        where = "a file of the agent" if detail(details, _FILE) else "made from the parameters of its WSDL"
        bench.fail("soap-message", f"The SOAP message is {where}: put the message into `data` of an HttpOperator here.")
        return
    address = detail(details, ("endpointurl", "overrideurlendpoint"))
    if not address:
        bench.note(
            "soap-address",
            f"The address of the service stands in its WSDL ({detail(details, _WSDL)}): it belongs into the connection.",
        )
    host, endpoint = _split(address, "")
    action = detail(details, ("soapaction",))
    headers: dict[str, Expression] = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    headers |= {name: bench.text(value) for name, value in _pairs(detail(details, ("httpheaders",))).items()}
    _call(bench, host, endpoint, [("method", "POST"), ("data", bench.text(message)), ("headers", headers)])
    _left(bench, (*_SOAP, *_WSDL, *_URL, *_METHOD, "soapaction", "service", "operation", "httpheaders"))


def _call(bench: Workbench, host: str, endpoint: str, arguments: list[tuple[str, Expression]]) -> None:
    profile = profile_of(bench.job.details)
    conn_id = connection_id(profile) if profile else connection_id("http", host.partition("://")[2])
    conn_id = conn_id or connection_id("http", bench.job.name)
    bench.connect(ConnectionNeed(conn_id, "http", host, why="web services"))
    bench.step("", HTTP, ("http_conn_id", conn_id), ("endpoint", bench.text(endpoint)), *arguments)


def _split(address: str, path: str) -> tuple[str, str]:
    """Give the host of an address (with its scheme) and the path below it."""
    found = re.match(r"(https?://[^/]+)(/.*)?\Z", address.strip())
    host, base = (found[1], found[2] or "") if found else ("", address.strip())
    if not path:
        return host, base or "/"
    return host, f"{base.rstrip('/')}/{path.lstrip('/')}"


def _lines(text: str) -> list[str]:
    try:
        listed: Any = json.loads(text)
    except json.JSONDecodeError:
        return [text] if text else []
    return [str(item) for item in listed] if isinstance(listed, list) else [text]


def _pairs(text: str) -> dict[str, str]:
    """Read names and values: a JSON list of `{"name": "value"}`, or an object."""
    try:
        listed: Any = json.loads(text)
    except json.JSONDecodeError:
        return {}
    parts = listed if isinstance(listed, list) else [listed]
    return {str(name): str(value) for part in parts if isinstance(part, Mapping) for name, value in part.items()}


def _left(bench: Workbench, taken: tuple[str, ...]) -> None:
    quiet = re.compile(
        r"^(connectionprofile|account|appname|exclude|include|append|requestdefinition)|timeout|title|banner"
    )
    left = sorted(
        key
        for key, value in bench.job.details.items()
        if value.strip() not in ("", "[]", "unchecked", "N", "0")
        and plain_name(key) not in taken
        and not quiet.search(plain_name(key))
        and "-N0" not in key
    )
    if left:
        bench.note("plugin-details", f"Details of the job that the operator does not take: {', '.join(left[:12])}.")
