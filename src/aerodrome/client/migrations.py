"""Migrations over the API. Answers are the API's JSON as mappings where their content is a document, else a dataclass."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aerodrome.client.transport import Params, Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Denied, Invalid, NotFound, Stale, Unavailable
from aerodrome.kernel.secret import Secret

BUSY = ("assessing", "applying", "cutting-over", "rolling-back")
_KINDS: dict[str, type[AerodromeError]] = {
    cls.kind: cls for cls in (Invalid, NotFound, Denied, Conflict, Stale, Unavailable, Broken)
}

_ENDED = {"done", "failed"}


@dataclass(frozen=True)
class Migration:
    """A migration as the API shows it; `data` is the whole answer."""

    id: str
    name: str
    status: str
    source_version: str | None
    target_version: str | None
    waves: tuple[str, ...]
    data: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Migration:
        return cls(
            data["id"],
            data["name"],
            data["status"],
            data["source_version"],
            data["target_version"],
            tuple(data["waves"]),
            data,
        )

    @property
    def is_busy(self) -> bool:
        return self.status in BUSY

    @property
    def steps(self) -> list[Mapping[str, Any]]:
        """All steps of all tracks, in order, each with its track's name."""
        return [{"track": track["name"], **step} for track in self.data["tracks"] for step in track["steps"]]


@dataclass(frozen=True)
class NewSource:
    """A source to register; paths are on the server's machine."""

    database_url: Secret
    dags_folder: str
    fernet_keys: Secret
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: str | None = None
    env_file: str | None = None

    def body(self) -> dict[str, Any]:
        return {**vars(self), "database_url": self.database_url.reveal(), "fernet_keys": self.fernet_keys.reveal()}


@dataclass(frozen=True)
class CloudAccount:
    """An account of a cloud; all empty: what the server's machine has."""

    region: str = ""
    profile: str = ""
    role_arn: str = ""
    endpoint_url: str = ""
    access_key_id: str = ""
    secret_access_key: Secret = field(default_factory=lambda: Secret(""))
    session_token: Secret = field(default_factory=lambda: Secret(""))
    service_account_key: Secret = field(default_factory=lambda: Secret(""))

    def body(self) -> dict[str, str]:
        values = {name: value.reveal() if isinstance(value, Secret) else value for name, value in vars(self).items()}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class NewArchive:
    """An archive to register as a source: a path on the server's machine, or an address in S3 or Google Cloud Storage.

    The key is sent; none is needed for an archive that was sealed to the platform.
    """

    archive: str
    key: Secret = field(default_factory=lambda: Secret(""))
    account: CloudAccount = field(default_factory=CloudAccount)

    def body(self) -> dict[str, Any]:
        own = {"kind": "airflow-archive", "archive": self.archive, "archive_key": self.key.reveal()}
        return {**own, **self.account.body()}


@dataclass(frozen=True)
class NewManaged:
    """An MWAA or Composer environment to register as a source, with an archive of it where the exporter ran there."""

    kind: str  # "mwaa" | "composer"
    environment: str
    account: CloudAccount = field(default_factory=CloudAccount)
    archive: str | None = None
    key: Secret = field(default_factory=lambda: Secret(""))

    def body(self) -> dict[str, Any]:
        own = {"kind": self.kind, "environment": self.environment, "archive": self.archive}
        return {**own, "archive_key": self.key.reveal(), **self.account.body()}


@dataclass(frozen=True)
class NewRest:
    """An Airflow's REST API, or its Starship plugin, to register as a source: a user with a password, or a token.

    Paths are on the server's machine.
    """

    base_url: str
    dags_folder: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    token: Secret = field(default_factory=lambda: Secret(""))
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: str | None = None
    env_file: str | None = None
    kind: str = "airflow-rest"  # or "starship"

    def body(self) -> dict[str, Any]:
        return {**vars(self), "password": self.password.reveal(), "token": self.token.reveal()}


@dataclass(frozen=True)
class NewDefinitions:
    """Oozie or Control-M definitions to register as a source; paths are on the server's machine."""

    kind: str  # "oozie" | "controlm"
    definitions: str
    profile_file: str | None = None
    server_url: str | None = None  # Oozie: where it may be asked
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))

    def body(self) -> dict[str, Any]:
        return {**vars(self), "password": self.password.reveal()}


AnyNewSource = NewSource | NewArchive | NewRest | NewManaged | NewDefinitions


class Migrations:
    """The noun `migration`."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self) -> Iterator[Migration]:
        """Give all migrations, newest first."""
        return (Migration.of(item) for item in self._http.pages("/migrations"))

    def get(self, ref: str) -> Migration:
        return Migration.of(self._http.get(_path(ref)))

    def connect(self, name: str, workspace: str, source: AnyNewSource) -> Migration:
        """Register a source; Invalid with the failed checks when it cannot be used."""
        return Migration.of(self._http.post("/migrations", {"name": name, "workspace": workspace, **source.body()}))

    def environments(self, kind: str, location: str, account: CloudAccount) -> builtins.list[dict[str, str]]:
        """List managed environments: `environment`, `status`, `airflow_version`. `location`: of Composer only."""
        body = {"kind": kind, "location": location, **account.body()}
        found: builtins.list[dict[str, str]] = self._http.post("/managed-environments", body)
        return found

    def archive_key(self) -> dict[str, str]:
        """Give the platform's public key for exporters: `key_id`, `public_key` (PEM)."""
        found: dict[str, str] = self._http.get("/archive-key")
        return found

    def assess(self, ref: str) -> Migration:
        return Migration.of(self._http.post(f"{_path(ref)}/assess"))

    def assessment(self, ref: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/assessment"))

    def assessment_html(self, ref: str) -> str:
        return self._http.get_text(f"{_path(ref)}/assessment.html")

    def plan(self, ref: str) -> Mapping[str, Any]:
        """Give the plan: text, digest, estate_digest, steps, waves, notes."""
        return dict(self._http.get(f"{_path(ref)}/plan"))

    def save_plan(self, ref: str, text: str) -> Mapping[str, Any]:
        return dict(self._http.put(f"{_path(ref)}/plan", {"text": text}))

    def policies(self, ref: str) -> Iterator[Mapping[str, Any]]:
        """Give what becomes of each DAG's runs at its cutover."""
        yield from self._http.get(f"{_path(ref)}/policies")

    def choose_policies(
        self, ref: str, choices: Mapping[str, Any], *, dag_ids: Sequence[str] = (), waves: Sequence[str] = ()
    ) -> Sequence[Mapping[str, Any]]:
        """Choose it for DAGs, for waves, or (without both) for all; None takes a DAG's own choice away."""
        body = {**choices, "dag_ids": list(dag_ids), "waves": list(waves)}
        return tuple(self._http.patch(f"{_path(ref)}/policies", body))

    def people(self, ref: str) -> Iterator[Mapping[str, Any]]:
        """Give the active users of the source, the role of each here, and whether they have it."""
        yield from self._http.get(f"{_path(ref)}/people")

    def invite(
        self, ref: str, roles: Mapping[str, str] | None = None, *, only: Sequence[str] = ()
    ) -> Sequence[Mapping[str, Any]]:
        """Make the accounts and give the roles that are missing, of all or of those named."""
        return tuple(self._http.post(f"{_path(ref)}/people", {"roles": dict(roles or {}), "only": list(only)}))

    def dry_run(self, ref: str) -> Iterator[Mapping[str, Any]]:
        """Give the very steps that apply and cutover run, in order: number, track, phase, key, title."""
        yield from self._http.get(f"{_path(ref)}/dry-run")

    def apply(self, ref: str, plan_digest: str | None = None) -> Migration:
        return Migration.of(self._http.post(f"{_path(ref)}/apply", {"plan_digest": plan_digest}))

    def cutover(self, ref: str, wave: str) -> Migration:
        return Migration.of(self._http.post(f"{_path(ref)}/cutover", {"wave": wave}))

    def waves(self, ref: str) -> Iterator[Mapping[str, Any]]:
        """Give how far each wave is, in the order of the plan."""
        yield from self._http.get(f"{_path(ref)}/waves")

    def timeline(self, ref: str, wave: str) -> Iterator[Mapping[str, Any]]:
        """Give how far each DAG of a wave is."""
        yield from self._http.get(f"{_path(ref)}/waves/{quote(wave, safe='')}")

    def halt_wave(self, ref: str, wave: str, reason: str = "") -> Migration:
        """Let no more DAGs of a wave in."""
        return Migration.of(self._http.post(f"{_path(ref)}/waves/{quote(wave, safe='')}/halt", {"reason": reason}))

    def split_brains(self, ref: str) -> Iterator[Mapping[str, Any]]:
        """Give the times in which a DAG was active on both sides, the newest first."""
        yield from self._http.get(f"{_path(ref)}/split-brains")

    def roll_back(self, ref: str, wave: str, dag_ids: Sequence[str] | None = None) -> Migration:
        """Give the DAGs of a wave, or some of them, back to the source."""
        body = {"wave": wave, "dag_ids": list(dag_ids) if dag_ids else None}
        return Migration.of(self._http.post(f"{_path(ref)}/rollback", body))

    def roll_back_steps(self, ref: str, wave: str, dag_ids: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
        """Give the very steps that a rollback would run now, in order."""
        params: Params = {"wave": wave, "dag_id": list(dag_ids or ())}
        yield from self._http.get(f"{_path(ref)}/rollback", params)

    def code(self, ref: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/code"))

    def review_code(self, ref: str) -> Mapping[str, Any]:
        """Ask for what the code step would change; `code_review` tells how far it is."""
        return dict(self._http.post(f"{_path(ref)}/code/review", {}))

    def code_review(self, ref: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/code/review"))

    def decide_code(self, ref: str, rejected: Collection[str]) -> Mapping[str, Any]:
        """Reject the upgrade of these files and accept all others; gives the plan that says so."""
        return dict(self._http.put(f"{_path(ref)}/code/decisions", {"rejected": sorted(rejected)}))

    def bridge(self, ref: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/bridge"))

    def ask_difference(self, ref: str, dag_ids: Sequence[str] | None = None) -> Mapping[str, Any]:
        """Ask for a comparison of source and target."""
        return dict(self._http.post(f"{_path(ref)}/diff", {"dag_ids": list(dag_ids) if dag_ids else None}))

    def difference(self, ref: str) -> Mapping[str, Any]:
        """Give the newest comparison, or how far it is (`status`)."""
        return dict(self._http.get(f"{_path(ref)}/diff"))

    def wait_difference(
        self,
        ref: str,
        progress: Callable[[str], None],
        *,
        timeout_s: float = 3600.0,
        every_s: float = 0.5,
    ) -> Mapping[str, Any]:
        """Wait until the comparison that was asked for is there, and give it; raises its error when it failed."""
        told = [""]

        def tell(seen: Mapping[str, Any]) -> None:
            if seen["status"] not in _ENDED and seen["progress"] and seen["progress"] != told[-1]:
                told[-1] = seen["progress"]
                progress(told[-1])

        found = wait(
            lambda: self.difference(ref),
            lambda seen: seen["status"] in _ENDED,
            timeout_s=timeout_s,
            what=f"The comparison of {ref}",
            progress=tell,
            every_s=every_s,
            is_server_awaited=True,
            code="migration-slow",
            hint=f"It goes on: aerodrome migrate history diff {ref} --last",
        )
        if found["status"] == "failed":
            raise error_of(found["error"])
        return found

    def holds(self, ref: str) -> builtins.list[Mapping[str, Any]]:
        """Give where each DAG of an Oozie or Control-M source stands, and what people still have to say."""
        found: builtins.list[Mapping[str, Any]] = self._http.get(f"{_path(ref)}/holds")
        return found

    def hold(self, ref: str, holds: Sequence[Mapping[str, Any]]) -> builtins.list[Mapping[str, Any]]:
        """Confirm that DAGs are held: `dag_id`, and `last_done` (ISO 8601) or `has_never_run`; also `job`, `is_held`."""
        found: builtins.list[Mapping[str, Any]] = self._http.post(f"{_path(ref)}/holds", {"holds": list(holds)})
        return found

    def report(self, ref: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/report"))

    def report_html(self, ref: str) -> str:
        return self._http.get_text(f"{_path(ref)}/report.html")

    def watch(
        self,
        ref: str,
        progress: Callable[[Migration], None],
        *,
        timeout_s: float = 3600.0,
        every_s: float = 0.5,
    ) -> Migration:
        """Wait until nothing is going on any more, telling each look; raises the migration's own error when it failed.

        A server that goes away meanwhile is waited for: the work goes on when it is back.
        """
        seen = wait(
            lambda: self.get(ref),
            lambda item: not item.is_busy,
            timeout_s=timeout_s,
            what=ref,
            progress=progress,
            every_s=every_s,
            is_server_awaited=True,
            code="migration-slow",
            hint=f"It goes on: aerodrome migrate watch {ref}",
        )
        if seen.status == "failed":
            raise error_of(seen.data["error"])
        return seen


def error_of(data: Mapping[str, Any]) -> AerodromeError:
    """Give the error that a migration or a step carries as data."""
    kind = _KINDS.get(str(data.get("kind")), Broken)
    return kind(data["message"], code=data["code"], hint=data.get("hint", ""), details=dict(data.get("details") or {}))


def _path(ref: str) -> str:
    return f"/migrations/{segment(ref)}"
