"""One MWAA environment: what its control plane says of it, and what lies in its bucket.

Rights: airflow:GetEnvironment, airflow:InvokeRestApi (on a role of the environment), s3:ListBucket, s3:GetObject and,
where versions of plugins.zip or requirements.txt are pinned, s3:GetObjectVersion. airflow:ListEnvironments only lists.
airflow:CreateCliToken, where Airflow has no REST API there (before 2.4.3), and to start the exporter's DAG.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.cloud.files import copy_file, copy_folder, unzip
from aerodrome.migration.sources.cloud.s3 import S3Store
from aerodrome.migration.sources.contract import Probe
from aerodrome.migration.sources.managed.contract import DAGS, PLUGINS, REQUIREMENTS
from aerodrome.migration.sources.mwaa.commands import EXPORTER_DAG, CommandLine
from aerodrome.migration.sources.mwaa.invoke import InvokeTransport, rest_reader
from aerodrome.secretstores.aws import make_client, translated
from aerodrome.secretstores.vendor import Plain

FIRST_WITH_REST = (2, 4)
USABLE = ("AVAILABLE", "UPDATING", "MAINTENANCE", "UPDATE_FAILED", "PENDING")
MOST_SCRIPT_BYTES = 1 << 20
_EXPORT = re.compile(r"^\s*export\s+([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


class MwaaEnvironment:
    """Implements ManagedEnvironment."""

    def __init__(self, name: str, login: CloudLogin, client: Any = None) -> None:
        self.name = name
        self._login = login
        self._plain = Plain(login.settings, login.credentials)
        self._given = client

    @cached_property
    def _client(self) -> Any:
        return self._given or make_client("mwaa", self._plain)

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """Give what GetEnvironment says. NotFound `source-environment-missing`, Denied."""
        from botocore.exceptions import ClientError

        with translated("MWAA", "airflow:GetEnvironment", f"environment/{self.name}", self._plain):
            try:
                found: Mapping[str, Any] = self._client.get_environment(Name=self.name)["Environment"]
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                    raise NotFound(
                        f"There is no MWAA environment {self.name} in {self._login.get('region')}.",
                        code="source-environment-missing",
                        hint="`aerodrome migrate environments --kind mwaa --region REGION` lists them.",
                    ) from None
                raise
        return found

    @property
    def airflow_version(self) -> str:
        return str(self.details.get("AirflowVersion", ""))

    @property
    def has_rest(self) -> bool:
        return tuple(int(part) for part in self.airflow_version.split(".")[:2]) >= FIRST_WITH_REST

    @cached_property
    def _bucket(self) -> S3Store:
        return S3Store(str(self.details["SourceBucketArn"]).rpartition(":")[2], self._login)

    def probes(self) -> Iterator[Probe]:
        """Check right by right; a missing one is named with the resource it is needed on."""
        found = self.details
        status = str(found.get("Status", ""))
        workers = f"{found.get('MinWorkers', '?')} to {found.get('MaxWorkers', '?')} workers"
        said = f"{found.get('EnvironmentClass', '')}, {workers}, {found.get('Schedulers', '?')} schedulers"
        yield Probe(
            "environment",
            status in USABLE,
            f"{self.name} is {status} with Airflow {self.airflow_version} ({said}).",
            "" if status in USABLE else "Wait until it is AVAILABLE.",
        )
        for name, check in (
            ("DAGs in the bucket", self._dags_there),
            ("plugins", lambda: self._pinned("Plugins")),
            ("requirements", lambda: self._pinned("Requirements")),
            ("startup script", lambda: self._pinned("StartupScript")),
        ):
            try:
                yield check()
            except AerodromeError as error:
                yield Probe(name, False, error.message, error.hint)
        yield from self._cli_probes()
        left = [name for name, secret in self.env_left.items() if secret]
        if left:
            yield Probe(
                "environment variables",
                False,
                f"The startup script computes {', '.join(left[:5])}: not read, since scripts are never run here.",
                "Set them in the target.",
                is_required=False,
            )
        if str(self.options().get("secrets.backend") or ""):
            yield Probe(
                "secrets backend",
                False,
                f"Connections and variables may lie in {self.options()['secrets.backend']}: they are not read.",
                "Attach the same backend to the target (`aerodrome secrets-backend`).",
                is_required=False,
            )

    def _dags_there(self) -> Probe:
        prefix = self._dags_prefix
        first = next(iter(self._bucket.list(prefix)), None)
        place = f"s3://{self._bucket.bucket}/{prefix}"
        if first is None:
            return Probe("DAGs in the bucket", False, f"{place} is empty.", "Check the environment's DAGs folder.")
        self._bucket.open(first.key).close()
        return Probe("DAGs in the bucket", True, f"{place} can be listed and read.")

    def _pinned(self, what: str) -> Probe:
        name = {"Plugins": "plugins", "Requirements": "requirements", "StartupScript": "startup script"}[what]
        key, version = self._place_of(what)
        if not key:
            return Probe(name, True, "None.", is_required=False)
        self._bucket.open(key, version).close()
        return Probe(name, True, f"s3://{self._bucket.bucket}/{key} can be read.")

    @cached_property
    def commands(self) -> CommandLine:
        """Give Airflow's command line in the environment."""
        return CommandLine(self._client, self.name, self._login)

    def _cli_probes(self) -> Iterator[Probe]:
        """Look through the command line at what is there: only environments without REST need it, and an archive tells the rest."""
        if self.has_rest:
            return
        try:
            self.commands.token()
            yield Probe("CLI token", True, "Commands can be sent.", is_required=False)
            dags = self.commands.rows("dags", "list")
        except AerodromeError as error:
            yield Probe("commands", False, error.message, error.hint, is_required=False)
            return
        running = sum(str(row.get("paused")) == "False" for row in dags)
        has_exporter = any(row.get("dag_id") == EXPORTER_DAG for row in dags)
        variables = len(self.commands.rows("variables", "list"))
        yield Probe(
            "commands",
            True,
            f"{len(dags)} DAGs, {running} of them not paused, and {variables} variables are listed"
            + ("; the exporter's DAG is there." if has_exporter else "."),
            "`aerodrome export start` starts it."
            if has_exporter
            else "Put the exporter's script into the DAGs folder.",
            is_required=False,
        )

    def start_exporter(self, out: str) -> str:
        """Start the exporter's DAG, whatever the version; give what Airflow says. The errors of CommandLine.start_exporter.

        Conflict `source-task-without-database` for Airflow 3, whose tasks may not read the database that the exporter copies.
        """
        if self.airflow_version.partition(".")[0] not in {"1", "2"}:
            raise Conflict(
                f"Tasks of Airflow {self.airflow_version} may not read its database: the exporter cannot run in {self.name}.",
                code="source-task-without-database",
                hint="Connect the environment without an archive; what REST hides is named by probes.",
            )
        return self.commands.start_exporter(out)

    def copy(self, folder: Path, progress: Callable[[int], None]) -> None:
        """Copy DAGs, plugins.zip (unpacked) and requirements.txt, in the versions that the environment runs."""
        copy_folder(self._bucket, self._dags_prefix, folder / DAGS, progress)
        key, version = self._place_of("Plugins")
        if key:
            packed = copy_file(self._bucket, key, folder / "plugins.zip", version)
            unzip(packed, folder / PLUGINS)
            packed.unlink()
        key, version = self._place_of("Requirements")
        if key:
            copy_file(self._bucket, key, folder / REQUIREMENTS, version)

    @property
    def _dags_prefix(self) -> str:
        return str(self.details["DagS3Path"]).strip("/") + "/"

    def _place_of(self, what: str) -> tuple[str, str]:
        return str(self.details.get(f"{what}S3Path") or ""), str(self.details.get(f"{what}S3ObjectVersion") or "")

    def options(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.details.get("AirflowConfigurationOptions") or {}
        return found

    def env(self) -> Mapping[str, Secret]:
        """Give what the startup script exports as plain values; it is read, never run."""
        return {name: value for name, value in sorted(self._script.items()) if value is not None}

    @property
    def env_left(self) -> Mapping[str, bool]:
        """Tell of every exported name whether its value is computed, so that it was left out."""
        try:
            return {name: value is None for name, value in self._script.items()}
        except AerodromeError:
            return {}  # its own probe says why

    @cached_property
    def _script(self) -> dict[str, Secret | None]:
        key, version = self._place_of("StartupScript")
        if not key:
            return {}
        with self._bucket.open(key, version) as stream:
            text = stream.read(MOST_SCRIPT_BYTES).decode(errors="replace")
        return dict(_exports(text))

    def reader(self) -> RestReader:
        arn = str(self.details.get("Arn", ""))
        resource = arn.replace(":environment/", ":role/") + "/Op" if arn else f"role/{self.name}/Op"
        return rest_reader(
            InvokeTransport(self._client, self.name, resource, self._plain), self.name, self.airflow_version
        )

    def close(self) -> None:
        for name in ("commands", "_client", "_bucket"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()


def _exports(text: str) -> Iterator[tuple[str, Secret | None]]:
    """Give the plain `export NAME=value` lines of a shell script; None where a shell would have to work it out."""
    for line in text.splitlines():
        found = _EXPORT.match(line)
        if not found:
            continue
        name, value = found.groups()
        try:
            words = shlex.split(value, comments=True)
        except ValueError:
            words = ["", ""]
        is_plain = len(words) <= 1 and ("$" not in value or value.lstrip().startswith("'")) and "`" not in value
        yield name, Secret("".join(words)) if is_plain else None


def environments(login: CloudLogin) -> list[dict[str, str]]:
    """List the environments of a region: name, status, Airflow version; the last two empty where they may not be read."""
    if not login.get("region"):
        raise Invalid(
            "region is missing.", code="field-missing", hint="Give an AWS region.", details={"field": "region"}
        )
    plain = Plain(login.settings, login.credentials)
    client = make_client("mwaa", plain)
    names: list[str] = []
    more: dict[str, str] = {}
    while True:
        with translated("MWAA", "airflow:ListEnvironments", "*", plain):
            answer = client.list_environments(**more)
        names += answer["Environments"]
        if not answer.get("NextToken"):
            break
        more = {"NextToken": answer["NextToken"]}
    found = []
    for name in sorted(names):
        try:
            details = MwaaEnvironment(name, login, client).details
        except AerodromeError:
            details = {}
        version, status = str(details.get("AirflowVersion", "")), str(details.get("Status", ""))
        found.append({"environment": name, "status": status, "airflow_version": version})
    return found
