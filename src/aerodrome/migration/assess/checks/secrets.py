"""Where credentials live, which of them lie open, and which connections are odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aerodrome.kernel.redaction import SENSITIVE_KEY
from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory

_ORIGINS = {
    "metadata-db": "the metadata database",
    "environment": "the environment",
    "secrets-backend": "a secrets backend",
}
_METADATA_CONNECTIONS = ("airflow_db", "airflow_metadata", "airflow_metadata_db", "metadata_db")
BIG_VARIABLE_BYTES = 32 * 1024
MOST_NAMED = 10
_FERNET = "core.fernet_key"


def _places(inventory: Inventory) -> Iterator[Place]:
    counts: Counter[str] = Counter()
    for connection in inventory.connections:
        if connection.has_password or connection.has_extra or connection.origin == "secrets-backend":
            counts[_ORIGINS.get(connection.origin, connection.origin)] += 1
    for variable in inventory.variables:
        if variable.is_sensitive:
            counts[_ORIGINS.get(variable.origin, variable.origin)] += 1
    counts["the environment"] += sum(item.is_secret and item.purpose == "user" for item in inventory.env_vars)
    counts["the code"] += sum(fact.rule == "plain-secret" for fact in inventory.code_facts)
    shown = [f"{counts[place]} in {place}" for place in sorted(counts) if counts[place]]
    if inventory.option("secrets.backend") and not counts[_ORIGINS["secrets-backend"]]:
        shown.append("an unknown number in a secrets backend")
    if shown:
        yield Place("source", f"Credentials live in several places: {', '.join(shown)}.")


def _unencrypted(inventory: Inventory) -> Iterator[Place]:
    for kind in ("connection", "variable"):
        amount = inventory.measure(f"unencrypted:{kind}")
        if amount:
            what = f"{amount} {kind}s hold their value" if amount > 1 else f"1 {kind} holds its value"
            yield Place("source", f"{what} in plain text in the metadata database.")


def _extra(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        names = [name for name in connection.extra_keys if SENSITIVE_KEY.search(name)]
        if names:
            yield Place(
                f"connection:{connection.conn_id}",
                f"{connection.conn_id} keeps credentials in its extra: {', '.join(names)}.",
            )


def _prefixed(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        names = [name for name in connection.extra_keys if name.startswith("extra__")]
        if names:
            yield Place(
                f"connection:{connection.conn_id}",
                f"{connection.conn_id} has {len(names)} keys of the old form ({names[0]}, …).",
            )


def _no_object(inventory: Inventory) -> Iterator[Place]:
    if _is_3(inventory.target_version):
        for connection in inventory.connections:
            if connection.has_odd_extra:
                yield Place(f"connection:{connection.conn_id}", f"The extra of {connection.conn_id} is no JSON object.")


def _is_3(version: str) -> bool:
    return version.partition(".")[0].isdigit() and int(version.partition(".")[0]) >= 3


def _untyped(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        if not connection.conn_type and not connection.error and connection.origin != "secrets-backend":
            yield Place(f"connection:{connection.conn_id}", f"{connection.conn_id} has no type.")


def _same(inventory: Inventory) -> Iterator[Place]:
    by_content: dict[str, list[str]] = {}
    for connection in inventory.connections:
        if connection.fingerprint and (connection.host or connection.has_password or connection.has_extra):
            by_content.setdefault(connection.fingerprint, []).append(connection.conn_id)
    for names in by_content.values():
        if len(names) > 1:
            yield Place(
                f"connection:{names[0]}", f"{len(names)} connections are the same: {', '.join(sorted(names)[:8])}."
            )


def _big(inventory: Inventory) -> Iterator[Place]:
    for variable in inventory.variables:
        if variable.size_bytes > BIG_VARIABLE_BYTES:
            yield Place(f"variable:{variable.name}", f"{variable.name} holds {variable.size_bytes / 1024:,.0f} KiB.")


def _open_env(inventory: Inventory) -> Iterator[Place]:
    for variable in inventory.env_vars:
        if variable.is_secret and variable.purpose in ("user", "airflow-connection"):
            yield Place(f"env:{variable.name}", f"{variable.name} holds a secret in the plain environment.")


def _sensitive_variable(inventory: Inventory) -> Iterator[Place]:
    for variable in inventory.variables:
        if variable.is_sensitive and not variable.error and variable.origin != "secrets-backend":
            yield Place(f"variable:{variable.name}", f"The variable {variable.name} holds a secret.")


def _undecryptable(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        if connection.error:
            yield Place(f"connection:{connection.conn_id}", f"The connection {connection.conn_id} cannot be decrypted.")
    for variable in inventory.variables:
        if variable.error:
            yield Place(f"variable:{variable.name}", f"The variable {variable.name} cannot be decrypted.")


def _metadata(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        for dag in inventory.active_dags:
            for conn_id in dag.connections:
                if conn_id.lower() in _METADATA_CONNECTIONS:
                    yield Place(
                        f"dag:{dag.dag_id}",
                        f"Queries Airflow's metadata database by the connection {conn_id}.",
                        f"dags/{dag.file}",
                    )


def _backend(inventory: Inventory) -> Iterator[Place]:
    backend = inventory.option("secrets.backend")
    if backend:
        name = backend.rpartition(".")[2]
        named = [
            *(f"connection {each.conn_id}" for each in inventory.connections if each.origin == "secrets-backend"),
            *(f"variable {each.name}" for each in inventory.variables if each.origin == "secrets-backend"),
        ]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        said = f"; DAGs look up {', '.join(named[:MOST_NAMED])}{more} there" if named else ""
        yield Place("source", f"Secrets also come from {name}, which is not read{said}.")


CHECKS = (
    Check(
        "undecryptable", "warning", "Secrets that nobody can read",
        "Enter the value anew in the source or in the target; it cannot move.", _undecryptable, 0.5,
    ),
    Check(
        "secret-places", "info", "Where credentials live",
        "Decide on one place in the target: a secrets backend or the environment manager.", _places,
    ),
    Check(
        "secret-unencrypted", "warning", "Secrets in plain text in the metadata database",
        "They move encrypted; change the values, as every copy of that database holds them.", _unencrypted, 1,
    ),
    Check(
        "secrets-backend", "warning", "A secrets backend", "Give the target access to it, or put the secrets into the platform.",
        _backend, 2,
    ),
    Check(
        "env-secret", "warning", "Secrets in the plain environment",
        "Mark it as a secret in the plan; better a connection.", _open_env, 0.1,
    ),
    Check(
        "secret-variable", "info", "Variables that hold secrets",
        "It moves encrypted; better a connection or a secrets backend.", _sensitive_variable, 0.1,
    ),
    Check(
        "extra-secret", "info", "Credentials in the extra of connections",
        "It moves encrypted and is masked whole; keep it out of exports.", _extra,
    ),
    Check(
        "extra-prefixed", "warning", "Extra keys of the form extra__type__name",
        "Newer providers read the short name: rename the keys in the target.", _prefixed, 0.25,
    ),
    Check(
        "extra-not-object", "warning", "Extras that are no JSON object",
        'Write it as {"name": "value"} before the wave: Airflow 3 refuses any other.', _no_object, 0.25,
    ),
    Check(
        "connection-untyped", "warning", "Connections without a type",
        "Give it a type: the target chooses the hook by it.", _untyped, 0.1,
    ),
    Check(
        "connection-duplicate", "info", "Connections that are the same", "Move one, and let the DAGs name that.", _same,
    ),
    Check(
        "variable-large", "info", "Large variables",
        "Keep it in a file or an object store: every read takes it whole from the database.", _big, 0.25,
    ),
    Check(
        "metadata-connection", "blocker", "DAGs that query Airflow's metadata database",
        "Tasks of Airflow 3 may not reach it: use the REST API.", _metadata, 4,
    ),
)  # fmt: skip
