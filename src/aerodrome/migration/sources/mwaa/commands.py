"""Airflow's command line in an MWAA environment: a token of 60 seconds, and one command a call to its web server.

For what InvokeRestApi cannot do: Airflow before 2.4.3, and the start of the exporter's DAG. MWAA answers with standard output and
standard error in base64, refuses commands that it does not offer, and asks for one command after the other (user guide of
MWAA, "Creating an Apache Airflow CLI token" and "CLI command reference", 2024). Needs airflow:CreateCliToken on the environment,
and a way to its web server: a private one answers inside its VPC only.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
from collections.abc import Sequence
from typing import Any

import httpx2

from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.secretstores.aws import translated
from aerodrome.secretstores.vendor import Plain

EXPORTER_DAG = "aerodrome_export"
RIGHT = "airflow:CreateCliToken"
TIMEOUT_S = 120.0
"""Most commands load Airflow anew, which takes seconds; the gateway in front ends a call after a minute or so."""
_LONGEST_REASON = 300
_UNKNOWN_DAG = ("does not exist", "could not be found", "not found in")


class CommandLine:
    """Sends commands to one environment. Nothing connects before the first one."""

    def __init__(
        self, client: Any, environment: str, login: CloudLogin, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Take a client of MWAA. An `endpoint_url` of the login stands for the web server, too."""
        self._client = client
        self._environment = environment
        self._endpoint = login.get("endpoint_url")
        self._plain = Plain(login.settings, login.credentials)
        self._http = httpx2.Client(timeout=TIMEOUT_S, transport=transport)

    def token(self) -> tuple[str, Secret]:
        """Make a token; give the name of the web server and it. Denied names the right."""
        with translated("MWAA", RIGHT, f"environment/{self._environment}", self._plain):
            answer = self._client.create_cli_token(Name=self._environment)
        return str(answer["WebServerHostname"]), Secret(answer["CliToken"])

    def run(self, *words: str) -> str:
        """Run one command of Airflow and give what it writes to standard output.

        Denied when the token or the command is refused; Unavailable when the web server cannot be reached; Invalid
        `source-command-failed` with what the command says.
        """
        host, token = self.token()
        shown = " ".join(words[:2])
        try:
            answer = self._http.post(
                f"{self._endpoint or f'https://{host}'}/aws_mwaa/cli",
                content=shlex.join(words),
                headers={"Authorization": f"Bearer {token.reveal()}", "Content-Type": "text/plain"},
            )
        except httpx2.TransportError as error:
            raise Unavailable(
                f"The web server of {self._environment} does not answer ({type(error).__name__}).",
                code="source-unreachable",
                hint="A private web server answers inside its VPC only: run this from there.",
            ) from None
        out, said = _texts(answer)
        if answer.status_code == 200:
            return out
        if answer.status_code in (401, 403) and not said:
            raise Denied(
                f"{self._environment} refuses the command `airflow {shown}` ({answer.status_code}).",
                code="source-command-refused",
                hint=f"Check that the role with {RIGHT} may use the web server, and that MWAA offers the command.",
            )
        raise Invalid(
            f"`airflow {shown}` failed in {self._environment} ({answer.status_code}){_reason(said or out)}",
            code="source-command-failed",
            hint="Look at the web server's log of the environment in CloudWatch.",
            details={"command": shown},
        )

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command that lists, and give its rows: Airflow may write warnings before them."""
        text = self.run(*words, "-o", "json")
        for line in reversed(text.splitlines()):
            if line.startswith("["):
                try:
                    return list(json.loads(line))
                except ValueError:
                    break
        if text.strip().endswith("No data found"):
            return []
        raise Invalid(
            f"`airflow {' '.join(words)}` in {self._environment} gives no list.",
            code="source-command-failed",
            hint="Files of DAGs that fail in the web server hinder it; use an archive.",
        )

    def start_exporter(self, out: str) -> str:
        """Start the DAG of the exporter with a place for the archive; give what Airflow says of the new run.

        NotFound `source-exporter-missing` when the environment does not know the DAG.
        """
        try:
            self.run("dags", "unpause", EXPORTER_DAG)
            return self.run("dags", "trigger", EXPORTER_DAG, "--conf", json.dumps({"out": out})).strip()
        except AerodromeError as error:
            if not any(words in error.message for words in _UNKNOWN_DAG):
                raise
            raise NotFound(
                f"{self._environment} has no DAG {EXPORTER_DAG} yet.",
                code="source-exporter-missing",
                hint="Put the script of `aerodrome export` into the environment's DAGs folder, and wait until it is parsed.",
            ) from None

    def close(self) -> None:
        self._http.close()


def _texts(answer: httpx2.Response) -> tuple[str, str]:
    """Give standard output and standard error of an answer; empty where it is none of MWAA's."""
    try:
        found = answer.json()
        return _decoded(found.get("stdout")), _decoded(found.get("stderr"))
    except (ValueError, AttributeError):
        return "", ""


def _decoded(text: Any) -> str:
    try:
        return base64.b64decode(str(text or ""), validate=True).decode(errors="replace")
    except binascii.Error:
        return ""


def _reason(text: str) -> str:
    """Give the last line that a failed command wrote: the words of its exception."""
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:_LONGEST_REASON]}" if lines else "."
