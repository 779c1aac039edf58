"""One Composer environment: what Google's API says of it, what lies in its bucket, its Airflow behind a token.

Rights: composer.environments.get, storage.objects.list and storage.objects.get on its bucket, and in Airflow itself the role
Op of the account that signs in. composer.environments.list only lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.cloud.contract import CloudLogin, parts_of
from aerodrome.migration.sources.cloud.files import copy_folder
from aerodrome.migration.sources.cloud.gcs import GcsStore
from aerodrome.migration.sources.cloud.google import GoogleApi
from aerodrome.migration.sources.contract import Probe
from aerodrome.migration.sources.managed.contract import DAGS, PLUGINS, REQUIREMENTS

ROOT = "https://composer.googleapis.com"
USABLE = ("RUNNING", "UPDATING")
_VERSION = re.compile(r"-airflow-(\d+\.\d+\.\d+)")
_PLACE = re.compile(r"projects/[^/]+/locations/[^/]+")


class ComposerEnvironment:
    """Implements ManagedEnvironment."""

    def __init__(self, name: str, login: CloudLogin) -> None:
        self.name = name
        self._login = login
        self._api = GoogleApi("Composer", ROOT, login)

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """Give the environment as the API has it. NotFound `source-environment-missing`, Denied."""
        try:
            found: Mapping[str, Any] = self._api.get(f"/v1/{self.name}", "composer.environments.get", self.name)
        except NotFound:
            raise NotFound(
                f"There is no Composer environment {self.name}.",
                code="source-environment-missing",
                hint="`aerodrome migrate environments --kind composer --location projects/P/locations/L` lists them.",
            ) from None
        return found

    @property
    def _config(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.details.get("config") or {}
        return found

    @property
    def _software(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._config.get("softwareConfig") or {}
        return found

    @property
    def airflow_version(self) -> str:
        """Give the Airflow version that its image is named after."""
        image = str(self._software.get("imageVersion", ""))
        found = _VERSION.search(image)
        if found is None:
            raise Invalid(
                f"The image of {self.name} names no Airflow version: {image[:80]}.",
                code="source-version-unknown",
                hint="Connect its metadata database or an archive instead.",
            )
        return found[1]

    @property
    def has_rest(self) -> bool:
        """Composer 1 keeps its web server behind a proxy that takes no tokens of ours; 2 and 3 take them."""
        return bool(self._config.get("airflowUri")) and not str(self._software.get("imageVersion")).startswith(
            "composer-1"
        )

    @cached_property
    def _bucket(self) -> GcsStore:
        return GcsStore(self._bucket_and_prefix[0], self._login)

    @property
    def _bucket_and_prefix(self) -> tuple[str, str]:
        _, bucket, prefix = parts_of(str(self._config["dagGcsPrefix"]))
        return bucket, prefix.strip("/")

    def probes(self) -> Iterator[Probe]:
        """Check right by right; a missing one is named with the resource it is needed on."""
        state, image = str(self.details.get("state", "")), str(self._software.get("imageVersion", ""))
        size = str(self._config.get("environmentSize", "")).removeprefix("ENVIRONMENT_SIZE_").lower()
        yield Probe(
            "environment",
            state in USABLE,
            f"{self.name} is {state} with the image {image}{f' ({size})' if size else ''}.",
            "" if state in USABLE else "Wait until it is RUNNING.",
        )
        try:
            yield self._dags_there()
        except AerodromeError as error:
            yield Probe("DAGs in the bucket", False, error.message, error.hint)
        yield from self._snapshots()
        if str(self.options().get("secrets.backend") or ""):
            yield Probe(
                "secrets backend",
                False,
                f"Connections and variables may lie in {self.options()['secrets.backend']}: they are not read.",
                "Attach the same backend to the target (`aerodrome secrets-backend`).",
                is_required=False,
            )

    def _dags_there(self) -> Probe:
        bucket, prefix = self._bucket_and_prefix
        first = next(iter(self._bucket.list(f"{prefix}/")), None)
        if first is None:
            return Probe("DAGs in the bucket", False, f"gs://{bucket}/{prefix} is empty.", "Check its DAGs folder.")
        self._bucket.open(first.key).close()
        return Probe("DAGs in the bucket", True, f"gs://{bucket}/{prefix} can be listed and read.")

    def _snapshots(self) -> Iterator[Probe]:
        """Tell of snapshots that stand: when and where they are taken; they hold secrets, and are not read."""
        plan = (self._config.get("recoveryConfig") or {}).get("scheduledSnapshotsConfig") or {}
        place = str(plan.get("snapshotLocation") or f"gs://{self._bucket_and_prefix[0]}/snapshots")
        try:
            found = snapshots(place, self._login)
        except AerodromeError as error:
            yield Probe("snapshots", False, error.message, error.hint, is_required=False)
            return
        when = f"taken by the schedule {plan.get('snapshotCreationSchedule')}" if plan.get("enabled") else "no schedule"
        newest = f", the newest {found[-1]}" if found else ""
        yield Probe("snapshots", True, f"{len(found)} in {place}{newest}; {when}.", is_required=False)

    def copy(self, folder: Path, progress: Callable[[int], None]) -> None:
        """Copy DAGs and plugins; the list of packages becomes a requirements.txt."""
        _, prefix = self._bucket_and_prefix
        copy_folder(self._bucket, prefix, folder / DAGS, progress)
        copy_folder(self._bucket, "plugins", folder / PLUGINS, progress)
        packages: Mapping[str, str] = self._software.get("pypiPackages") or {}
        if packages:
            lines = [_requirement(name, spec) for name, spec in sorted(packages.items())]
            (folder / REQUIREMENTS).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def options(self) -> Mapping[str, str]:
        """Give the overrides; Composer writes "section-option" (sections have no dash)."""
        found: Mapping[str, str] = self._software.get("airflowConfigOverrides") or {}
        return {name.replace("-", ".", 1): value for name, value in found.items()}

    def env(self) -> Mapping[str, Secret]:
        return {name: Secret(value) for name, value in (self._software.get("envVariables") or {}).items()}

    def reader(self) -> RestReader:
        return ComposerReader(str(self._config.get("airflowUri", "")), self._api, self.airflow_version)

    def close(self) -> None:
        self._api.close()
        bucket = self.__dict__.pop("_bucket", None)
        if bucket is not None:
            bucket.close()


class ComposerReader(RestReader):
    """Airflow's REST API behind a Composer web server, which takes access tokens of Google."""

    def __init__(self, url: str, api: GoogleApi, version: str) -> None:
        super().__init__(url, "", Secret(""), Secret("of-google"))
        self._api_of_google = api
        self.__dict__["version"] = version

    def _headers(self, *, is_signed: bool) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_of_google.token().reveal()}"} if is_signed else {}

    def _login_refused(self) -> Denied:
        return Denied(
            f"{self.url} refuses the account.",
            code="source-login-refused",
            hint="Give it the role composer.user, and in Airflow the role Op (`gcloud composer environments run … users`).",
        )


def snapshots(place: str, login: CloudLogin) -> list[str]:
    """Name the snapshots below a location, by name (Composer puts the time into it)."""
    _, bucket, prefix = parts_of(place)
    prefix = prefix.strip("/") + "/"
    with closing(GcsStore(bucket, login)) as store:
        found = {each.key[len(prefix) :].partition("/")[0] for each in store.list(prefix)}
    return sorted(name for name in found if name)


def environments(location: str, login: CloudLogin) -> list[dict[str, str]]:
    """List the environments of a location (`projects/P/locations/L`): name, status, Airflow version."""
    if not _PLACE.fullmatch(location):
        raise Invalid(
            "location: it must be projects/PROJECT/locations/REGION.",
            code="field-malformed",
            details={"field": "location"},
        )
    with closing(GoogleApi("Composer", ROOT, login)) as api:
        return sorted(_listed(api, location), key=lambda each: each["environment"])


def _listed(api: GoogleApi, location: str) -> Iterator[dict[str, str]]:
    more: dict[str, str] = {}
    while True:
        answer = api.get(f"/v1/{location}/environments", "composer.environments.list", location, **more)
        for each in answer.get("environments", ()):
            image = str(((each.get("config") or {}).get("softwareConfig") or {}).get("imageVersion", ""))
            version = _VERSION.search(image)
            yield {
                "environment": each["name"],
                "status": str(each.get("state", "")),
                "airflow_version": version[1] if version else "",
            }
        if not answer.get("nextPageToken"):
            return
        more = {"pageToken": answer["nextPageToken"]}


def _requirement(name: str, spec: str) -> str:
    """Write an entry of the package list: {"pandas": ">=2"}, {"pkg": "[extra]==1.0"} or {"pkg": ""}."""
    return f"{name}{spec}".strip()
