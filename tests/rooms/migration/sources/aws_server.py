"""Amazon MWAA and S3: MWAA's control plane and InvokeRestApi as botocore's model has them, S3 by moto behind the same address.

InvokeRestApi asks whatever `rest` is: a real Airflow, or a function. Every call can be refused by its IAM action.
"""

from __future__ import annotations

import base64
import http.client
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import boto3
import httpx2
from botocore.config import Config

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin

ACCESS_KEY, SECRET_KEY, REGION = "AKIAIOSFODNN7EXAMPLE", "canary-secret-access-key", "eu-west-1"
BUCKET, ENVIRONMENT = "mwaa-bucket", "etl"
ARN = f"arn:aws:airflow:{REGION}:123456789012:environment/{ENVIRONMENT}"
Rest = Callable[[str, str, dict[str, Any], Any], tuple[int, Any]]
"""Takes method, path (without /api/vN), query and body; gives status and JSON."""


Cli = Callable[[list[str]], tuple[int, str, str]]
"""Takes the words of a command of Airflow; gives status, standard output and standard error."""

LISTS = {
    "/dags": "dags", "/connections": "connections", "/variables": "variables", "/pools": "pools", "/users": "users",
    "/importErrors": "import_errors", "/datasets": "datasets", "/dags/~/dagRuns/list": "dag_runs",
    "/dags/~/dagRuns/~/taskInstances/list": "task_instances",
}  # fmt: skip


def nothing_there(method: str, path: str, query: dict[str, Any], body: Any) -> tuple[int, Any]:
    """An Airflow without anything in it."""
    del method, query, body
    return (200, {LISTS[path]: [], "total_entries": 0}) if path in LISTS else (404, {"title": "Not Found"})


def no_commands(words: list[str]) -> tuple[int, str, str]:
    """An Airflow that takes no command."""
    return 400, "", f"airflow: no such command {words[0]}"


def through_cli(python: Path, env: dict[str, str]) -> Cli:
    """Run commands of a real Airflow, as MWAA's web server does; it answers 400 when one fails."""

    def run(words: list[str]) -> tuple[int, str, str]:
        program = [str(python.parent / "airflow"), *words]
        done = subprocess.run(program, env=env, capture_output=True, text=True, check=False, timeout=120)
        return 200 if done.returncode == 0 else 400, done.stdout, done.stderr

    return run


def through(url: str, user: str, password: str, api: str = "/api/v1") -> Rest:
    """Ask a real Airflow, as AWS does."""
    client = httpx2.Client(base_url=url + api, auth=(user, password), trust_env=False, timeout=60)

    def ask(method: str, path: str, query: dict[str, Any], body: Any) -> tuple[int, Any]:
        answer = client.request(method, path, params=urlencode(query, doseq=True), json=body)
        return answer.status_code, answer.json() if answer.content else None

    return ask


@dataclass
class AwsServer:
    url: str = ""
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)  # "airflow:GetEnvironment", "s3:GetObject"
    rest: Rest = nothing_there
    cli: Cli = no_commands
    tokens: int = 0
    is_private: bool = False  # its web server is in a VPC: what comes from elsewhere is cut
    asked: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # the objects whose content was asked for, by bucket and key

    @property
    def login(self) -> CloudLogin:
        settings = {"region": REGION, "endpoint_url": self.url, "access_key_id": ACCESS_KEY}
        return CloudLogin(settings, {"secret_access_key": Secret(SECRET_KEY)})

    @property
    def s3(self) -> Any:
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        config = Config(request_checksum_calculation="when_required")
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, config=config, **keys)


def an_environment(**changes: Any) -> dict[str, Any]:
    return {
        "Name": ENVIRONMENT, "Status": "AVAILABLE", "Arn": ARN, "AirflowVersion": "2.11.2", "DagS3Path": "dags",
        "SourceBucketArn": f"arn:aws:s3:::{BUCKET}", "EnvironmentClass": "mw1.medium", "MinWorkers": 1,
        "MaxWorkers": 10, "Schedulers": 2, "AirflowConfigurationOptions": {}, "CreatedAt": 1764000000.0,
    } | changes  # fmt: skip


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    with _moto() as port, _front(port) as server:
        yield server


@contextmanager
def _moto() -> Iterator[int]:
    program = (
        "from werkzeug.serving import make_server\n"
        "from moto.server import DomainDispatcherApplication, create_backend_app\n"
        "app = DomainDispatcherApplication(create_backend_app)\n"
        "server = make_server('127.0.0.1', 0, app, threaded=True)\n"
        "print(server.port, flush=True)\n"
        "server.serve_forever()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _s3_action(method: str, path: str, query: dict[str, list[str]]) -> str:
    has_key = bool(path.strip("/").partition("/")[2])
    if method in ("GET", "HEAD"):
        if not has_key:
            return "s3:ListBucket"
        return "s3:GetObjectVersion" if "versionId" in query else "s3:GetObject"
    return "s3:PutObject" if method in ("PUT", "POST") else "s3:AbortMultipartUpload"


@contextmanager
def _front(moto: int) -> Iterator[AwsServer]:
    state = AwsServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def handle_expect_100(self) -> bool:
            found = super().handle_expect_100()
            self.wfile.flush()
            return found

        def _act(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            if parts.path == "/aws_mwaa/cli":
                self._command_line(body.decode())
                return
            kind, _, name = unquote(parts.path).strip("/").partition("/")
            actions = {
                ("GET", "environments"): "airflow:GetEnvironment" if name else "airflow:ListEnvironments",
                ("POST", "restapi"): "airflow:InvokeRestApi",
                ("POST", "clitoken"): "airflow:CreateCliToken",
            }
            action = actions.get((self.command, kind))
            if action is None:
                action = _s3_action(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True))
                state.asked.append(action)
                if self.command == "GET" and action.startswith("s3:GetObject"):
                    state.read.append(unquote(parts.path).strip("/"))
                if action in state.denied:
                    text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
                    self._send(
                        403, {"Content-Type": "application/xml"}, b"" if self.command == "HEAD" else text.encode()
                    )
                else:
                    self._pass_on(body)
                return
            state.asked.append(action)
            if action in state.denied:
                who = "User: arn:aws:iam::123456789012:user/aerodrome is not authorized to perform"
                self._refuse(403, "AccessDeniedException", f"{who}: {action}")
            elif action == "airflow:ListEnvironments":
                names = sorted(state.environments)
                start = int(parse_qs(parts.query).get("NextToken", ["0"])[0])
                more = {"NextToken": str(start + 2)} if len(names) > start + 2 else {}
                self._json(200, {"Environments": names[start : start + 2], **more})
            elif name not in state.environments:
                self._refuse(404, "ResourceNotFoundException", f"Environment {name} not found")
            elif action == "airflow:GetEnvironment":
                self._json(200, {"Environment": state.environments[name]})
            elif action == "airflow:CreateCliToken":
                state.tokens += 1
                token = f"canary-cli-token-{state.tokens}"
                self._json(200, {"CliToken": token, "WebServerHostname": "web.example"})
            else:
                self._invoke(json.loads(body))

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _act  # noqa: N815

        def _command_line(self, text: str) -> None:
            state.asked.append("aws_mwaa/cli")
            if state.is_private:
                self.close_connection = True
                return
            tokens = {f"Bearer canary-cli-token-{number + 1}" for number in range(state.tokens)}
            if self.headers.get("Authorization") not in tokens or self.headers.get("Content-Type") != "text/plain":
                self._send(403, {"Content-Type": "text/html"}, b"Forbidden")
                return
            status, out, said = state.cli(shlex.split(text))
            texts = {"stdout": base64.b64encode(out.encode()), "stderr": base64.b64encode(said.encode())}
            self._json(status, {name: data.decode() for name, data in texts.items()})

        def _invoke(self, wish: dict[str, Any]) -> None:
            if len(wish["Path"]) > 64:
                self._refuse(400, "ValidationException", "Member must have length less than or equal to 64")
                return
            status, found = state.rest(
                wish["Method"], wish["Path"], wish.get("QueryParameters") or {}, wish.get("Body")
            )
            answer = {"RestApiStatusCode": status, "RestApiResponse": found}
            if status < 400:
                self._json(200, answer)
            else:
                kind = "RestApiClientException" if status < 500 else "RestApiServerException"
                self._json(400 if status < 500 else 500, answer, {"x-amzn-ErrorType": kind})

        def _refuse(self, status: int, code: str, text: str) -> None:
            self._json(status, {"message": text}, {"x-amzn-ErrorType": code})

        def _json(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
            self._send(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(data).encode())

        def _pass_on(self, body: bytes) -> None:
            upstream = http.client.HTTPConnection("127.0.0.1", moto, timeout=30)
            kept = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            upstream.request(self.command, self.path, body, kept)
            answer = upstream.getresponse()
            data = answer.read()
            passed = {n: v for n, v in answer.getheaders() if n.lower() not in ("connection", "date", "server")}
            if self.command != "HEAD":
                passed = {n: v for n, v in passed.items() if n.lower() not in ("content-length", "transfer-encoding")}
            upstream.close()
            self._send(answer.status, passed, data)

        def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not any(name.lower() == "content-length" for name in headers):
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
