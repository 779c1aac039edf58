"""Airflow's REST API through MWAA's InvokeRestApi (Airflow 2.4.3 and newer), as a transport of the REST reader.

AWS signs in to Airflow and adds /api/v1 or /api/v2 itself. It lets paths of 64 characters pass (API reference of
InvokeRestApi, 2020-07-01), and needs `airflow:InvokeRestApi` on a role of the environment, such as role/NAME/Op.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.secretstores.aws import translated
from aerodrome.secretstores.vendor import Plain

LONGEST_PATH = 64
_API = re.compile(r"^/api/v\d+")
_OF_AIRFLOW = {"RestApiClientException", "RestApiServerException"}


class InvokeTransport(httpx2.BaseTransport):
    """Turns a request to Airflow's REST API into a call of AWS, and its answer back."""

    def __init__(self, client: Any, environment: str, resource: str, plain: Plain) -> None:
        self._client = client
        self._environment = environment
        self._resource = resource  # on which the right is needed
        self._plain = plain

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Give Airflow's own status and body. Denied, Unavailable and others when AWS refuses or fails."""
        path = _API.sub("", request.url.raw_path.decode().partition("?")[0])
        if len(path) > LONGEST_PATH:
            return httpx2.Response(414, request=request)
        wish: dict[str, Any] = {"Name": self._environment, "Path": path, "Method": request.method}
        query = _parameters(request)
        if query:
            wish["QueryParameters"] = query
        if content := request.read():
            wish["Body"] = json.loads(content)
        from botocore.exceptions import ClientError

        with translated("MWAA", "airflow:InvokeRestApi", self._resource, self._plain):
            try:
                answer = self._client.invoke_rest_api(**wish)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _OF_AIRFLOW:
                    raise
                answer = error.response
        found = answer.get("RestApiResponse")
        headers = {"date": _date(answer)} if _date(answer) else {}
        status = int(answer.get("RestApiStatusCode") or 502)
        return httpx2.Response(status, headers=headers, json=found, request=request)


def rest_reader(transport: InvokeTransport, environment: str, version: str) -> RestReader:
    """Give a reader that goes through AWS; it signs nothing itself and knows the version already."""
    reader = RestReader(f"https://{environment}", "", Secret(""), Secret("signed-by-aws"), transport=transport)
    reader.__dict__["version"] = version
    reader.longest_path = LONGEST_PATH
    return reader


def _parameters(request: httpx2.Request) -> dict[str, Any]:
    """Give the query as JSON: a list where a name comes more than once."""
    found: dict[str, Any] = {}
    for name, value in request.url.params.multi_items():
        found[name] = value if name not in found else [*_listed(found[name]), value]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _date(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
