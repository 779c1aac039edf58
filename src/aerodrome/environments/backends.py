"""A team's secrets backend: Airflow's own class set up for a deployment, and connections and variables written there.

The commands that people use are in fleet/backends.py. Nothing here runs inside a database transaction, except
`airflow_requirements`, which only reads rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.environments import backends_airflow
from aerodrome.environments.backends_airflow import What, connection_text
from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.checks import Check, run_checks, settled
from aerodrome.secretstores.kinds import open_vendor
from aerodrome.secretstores.vendor import Vendor
from aerodrome.store.engine import Store
from aerodrome.store.tables.secrets_backend import SecretsBackendLinkRow, SecretsBackendRow


class Credentials(Protocol):
    """The platform's secret store, as far as it is needed here."""

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]: ...


@dataclass(frozen=True)
class AirflowBackend:
    """Airflow's own secrets backend class, as a deployment's Airflow must make it: `class_path(**kwargs)`."""

    class_path: str  # "airflow.providers.hashicorp.secrets.vault.VaultBackend"
    kwargs: Mapping[str, Any]  # JSON values; credentials are Secret (top level only)
    requirements: tuple[str, ...]  # provider packages that the virtualenv needs, without versions


@dataclass(frozen=True)
class Outcome:
    """What became of one object."""

    what: What
    name: str
    state: Literal["written", "same", "kept", "refused"]
    code: str = ""
    message: str = ""  # why it was kept or refused; never a value
    source: Secret | None = field(default=None, repr=False)  # what was wanted there
    target: Secret | None = field(default=None, repr=False)  # what was read back afterwards


class OpenBackend:
    """One backend, ready for use: Airflow's connections and variables under the names that Airflow's class asks for."""

    def __init__(self, name: str, kind: str, settings: Mapping[str, str], vendor: Vendor) -> None:
        self.name = name
        self.kind = kind
        self._settings = settings
        self._vendor = vendor

    def place(self, what: What, name: str) -> str:
        """Give the name in the service."""
        return backends_airflow.name_of(self.kind, self._settings, what, name)

    def put(self, what: What, name: str, value: Secret) -> None:
        """Write one; a connection as Airflow's JSON or URI. Invalid when it is neither."""
        if what == "connection" and not _is_fields(what, value):
            if "://" not in value.reveal():
                raise Invalid(
                    f"The connection {name} is neither JSON nor a URI.",
                    code="connection-unreadable",
                    hint="Write a JSON object with conn_type, host, …, or a URI such as postgres://user:password@host/db.",
                )
            if self.kind == "vault":  # VaultBackend reads fields; a URI stands in this one
                value = Secret(json.dumps({"conn_uri": value.reveal()}))
        self._vendor.put(self.place(what, name), value, as_fields=_is_fields(what, value))

    def get(self, what: What, name: str) -> Secret:
        """Read one: a connection in the form of `connection_text` where it is JSON. NotFound when there is none."""
        return _canonical(what, self._vendor.get(self.place(what, name), as_fields=what == "connection"))

    def get_many(self, what: What, names: Sequence[str]) -> dict[str, Secret]:
        """Read those that exist."""
        places = {self.place(what, name): name for name in names}
        found = self._vendor.get_many(list(places), as_fields=what == "connection")
        return {places[place]: _canonical(what, value) for place, value in found.items()}

    def delete(self, what: What, name: str) -> None:
        self._vendor.delete(self.place(what, name))

    def names(self, what: What) -> list[str]:
        """Give the names as the service spells them (Azure: hyphens for underscores)."""
        prefix = backends_airflow.prefix_of(self.kind, self._settings, what)
        return sorted(name[len(prefix) :] for name in self._vendor.names(prefix) if len(name) > len(prefix))

    def probe(self, *, writes: bool = True) -> tuple[Check, ...]:
        """Try every verb for connections and for variables."""
        places = {
            f"{what}s": backends_airflow.prefix_of(self.kind, self._settings, what)
            for what in ("connection", "variable")
        }
        return run_checks(self._vendor, places, writes=writes)

    def __repr__(self) -> str:
        return f"OpenBackend({self.name}, {self.kind})"


def credential_path(backend_id: str, name: str) -> str:
    """Give the path of a backend's credential in the platform's secret store."""
    return f"backend/{backend_id}/{name}"


def open_backend(secrets: Credentials, row: SecretsBackendRow) -> OpenBackend:
    """Open a registered backend with its credentials."""
    return OpenBackend(
        row.name, row.kind, dict(row.settings), open_vendor(row.kind, row.settings, credentials_of(secrets, row))
    )


def credentials_of(secrets: Credentials, row: SecretsBackendRow) -> dict[str, Secret]:
    """Give the credentials by field."""
    paths = {credential_path(row.id, name): name for name in row.credentials}
    return {paths[path]: value for path, value in secrets.get_many(list(paths)).items()}


def attached(session: Session, deployment_id: str) -> SecretsBackendRow | None:
    """Give the backend that the deployment asks first."""
    query = select(SecretsBackendRow).join(
        SecretsBackendLinkRow, SecretsBackendLinkRow.backend_id == SecretsBackendRow.id
    )
    return session.scalars(query.where(SecretsBackendLinkRow.deployment_id == deployment_id)).one_or_none()


def airflow_backend(store: Store, secrets: Credentials, deployment_id: str) -> AirflowBackend | None:
    """Give the backend attached to the deployment; None without one. Opens its own reading session, then the credentials.

    Never call it inside a transaction. For a virtualenv alone, `airflow_requirements` is enough.
    """
    with store.reading() as session:
        row = attached(session, deployment_id)
    if row is None:
        return None
    known = backends_airflow.CLASSES[row.kind]
    kwargs = backends_airflow.arguments(row.kind, row.settings, credentials_of(secrets, row))
    return AirflowBackend(known.class_path, kwargs, (known.requirement,))


def airflow_requirements(session: Session, deployment_id: str) -> tuple[str, ...]:
    """Give the provider packages that the deployment's virtualenv needs for its backend; () without one."""
    row = attached(session, deployment_id)
    return () if row is None else (backends_airflow.CLASSES[row.kind].requirement,)


def write_objects(
    backend: OpenBackend,
    connections: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Secret],
    *,
    overwrite: bool = True,
) -> tuple[Outcome, ...]:
    """Write connections (as Airflow's dictionaries, in the clear) and variables, and read each back.

    Safe to repeat: what stands there already is left alone. One that the service cannot hold is refused with a reason and
    the others go on; a missing permission or a service that does not answer raises, and repeating goes on there.
    """
    wanted: dict[What, dict[str, Secret]] = {
        "connection": {name: connection_text(data) for name, data in connections.items()},
        "variable": dict(variables),
    }
    outcomes: list[Outcome] = []
    for what, values in wanted.items():
        taken: dict[str, str] = {}
        good: dict[str, Secret] = {}
        for name, value in values.items():
            place = backend.place(what, name)
            if (other := taken.setdefault(place.lower() if backend.kind == "azure-key-vault" else place, name)) != name:
                text = f"The service spells it like {other}: {place}. Rename one of the two."
                outcomes.append(Outcome(what, name, "refused", "backend-name-collides", text))
            else:
                good[name] = value
        standing = _standing(backend, what, list(good), outcomes)
        outcomes += [
            _write(backend, what, name, good[name], standing.get(name), overwrite=overwrite)
            for name in good
            if name in standing
        ]
    return tuple(outcomes)


def _standing(backend: OpenBackend, what: What, names: list[str], outcomes: list[Outcome]) -> dict[str, Secret | None]:
    """Give what stands there now, None for nothing; names that the service cannot have are refused."""
    good: dict[str, Secret | None] = {}
    try:
        found = backend.get_many(what, names)
        return {name: found.get(name) for name in names}
    except Invalid:
        for name in names:
            try:
                good[name] = backend.get_many(what, [name]).get(name)
            except Invalid as error:
                outcomes.append(Outcome(what, name, "refused", error.code, f"{error.message} {error.hint}".strip()))
    return good


def _write(
    backend: OpenBackend, what: What, name: str, value: Secret, standing: Secret | None, *, overwrite: bool
) -> Outcome:
    if standing == value:
        return Outcome(what, name, "same", source=value, target=standing)
    if standing is not None and not overwrite:
        return Outcome(what, name, "kept", "target-wins", f"The backend has its own {what} of this name; it was kept.")
    try:
        backend.put(what, name, value)
    except (Denied, Unavailable):
        raise
    except AerodromeError as error:
        return Outcome(what, name, "refused", error.code, f"{error.message} {error.hint}".strip())
    seen: list[Secret] = []

    def read() -> Secret:
        seen.append(backend.get(what, name))
        return seen[-1]

    settled(read, value)
    return Outcome(what, name, "written", source=value, target=seen[-1] if seen else None)


def _is_fields(what: What, value: Secret) -> bool:
    if what != "connection":
        return False
    try:
        return isinstance(json.loads(value.reveal()), dict)
    except ValueError:
        return False


def _canonical(what: What, value: Secret) -> Secret:
    if what == "connection":
        try:
            data = json.loads(value.reveal())
        except ValueError:
            return value
        return connection_text(data) if isinstance(data, dict) else value
    return value
