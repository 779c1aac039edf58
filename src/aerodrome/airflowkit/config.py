"""Airflow's configuration as environment variables: one pure function from a setup to `AIRFLOW__…` and friends.

Called by the runtimes. People reach the UI through the platform's gate at `public_url`, for example
`http://127.0.0.1:8701/dep_…/`, and the gate adds `Authorization: Bearer <token>` to every request.
**The gate must pass the path on unchanged, prefix included, and the Host header too** (2.x builds redirects from Host). Measured on 3.3.2 (`[api] base_url` with a path becomes the ASGI
root path; the API mounted below it answers only with the prefix) and on 2.11.2 (`[webserver] base_url` with a path mounts the
whole application there; everything else is 404). So the loopback address of an Airflow has the same prefix:
`http://127.0.0.1:<port>/<prefix>`, see `local_base_url`.

Rules that come from measurements:
- Cron and timedelta schedules keep their Airflow 2 data intervals (`create_cron_data_intervals`, `create_delta_data_intervals`);
  without it the first run after a migration skips one interval (3.3.2).
- The log servers of scheduler and triggerer listen on all addresses unless started with `-s`.
- LocalExecutor forks `parallelism` workers at start (~25 MB each).
- Nobody has a password: no user is made, and API tokens are Ed25519, signed by the platform or by the deployment itself.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from aerodrome.airflowkit.tokens import AUDIENCE
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

BUNDLE_NAME = "project"
SECRETS_BACKEND = "aerodrome_airflow.secrets.SealedFileBackend"
PASSWORDS = "no-passwords.json"  # of local users, in AIRFLOW_HOME: there are none
NOBODY = "nobody"
HEALTH_PATHS = {2: "/health", 3: "/api/v2/monitor/health"}
_SQLITE_BUSY_S = 60


@dataclass(frozen=True)
class AirflowSetup:
    """All that Airflow's configuration depends on. Paths are absolute."""

    version: AirflowVersion
    home: Path  # AIRFLOW_HOME
    venv: Path
    project: Path  # link to the current release; plugins/ and include/ are imported from there
    pointer: Path  # current.json: names the current release for the DAG bundle
    support: Path  # folder that holds the package aerodrome_airflow
    port: int
    database_url: Secret
    fernet_key: Secret
    private_key_path: Path  # the deployment's own signing key, PEM
    private_key_id: str
    key_set_path: Path  # JWK set with the public keys of the platform and of the deployment
    parallelism: int = 4
    public_url: str | None = None
    environment_path: Path | None = None  # sealed file of the environment manager, read by the secrets backend ...
    environment_key_path: Path | None = None  # ... with the deployment's own key
    extra_bundles: tuple[str, ...] = ()  # names of further DAG bundles (Airflow 3)
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.reveal().startswith("sqlite")


def url_prefix(public_url: str | None) -> str:
    """Give the path below which this Airflow lives, without a trailing slash; empty for the root."""
    return urlsplit(public_url or "").path.rstrip("/")


def local_base_url(port: int, public_url: str | None) -> str:
    """Give the loopback address of this Airflow's web server, prefix included, without a trailing slash."""
    return f"http://127.0.0.1:{port}{url_prefix(public_url)}"


def airflow_database_url(database_url: Secret) -> Secret:
    """Give the SQLAlchemy URL in the form that Airflow's own drivers take, with a patient SQLite."""
    url = database_url.reveal()
    scheme, _, rest = url.partition("://")
    if scheme.startswith("postgresql") or scheme == "postgres":
        return Secret(f"postgresql+psycopg2://{rest}")
    if scheme == "sqlite" and "timeout=" not in rest:
        return Secret(f"{url}{'&' if '?' in rest else '?'}timeout={_SQLITE_BUSY_S}")
    return database_url


def components(version: AirflowVersion, venv: Path, port: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Give (name, command) of every process in starting order; commands hold no secrets."""
    airflow = (str(venv / "bin/python"), str(venv / "bin/airflow"))
    host = "127.0.0.1"
    commands: dict[str, tuple[str, ...]] = {
        "api-server": ("api-server", "--host", host, "--port", str(port), "--proxy-headers"),
        "webserver": ("webserver", "--hostname", host, "--port", str(port)),
        "dag-processor": ("dag-processor",),
        "scheduler": ("scheduler", "--skip-serve-logs"),
        "triggerer": ("triggerer", "--skip-serve-logs"),
    }
    return tuple((name, (*airflow, *commands[name])) for name in version.components)


def environment(setup: AirflowSetup, base: Mapping[str, str]) -> dict[str, Secret]:
    """Give the full environment of every process. Later wins: `base`, our defaults, `setup.config`, `setup.env`, our musts."""
    values: dict[str, str | Secret] = dict(base)
    values |= _as_variables(_defaults(setup))
    values |= _as_variables(_user_config(setup.config))
    values |= setup.env
    values |= _as_variables(_musts(setup))
    values |= _secrets_backend(setup, values)
    values |= _process(setup, str(base.get("PATH", "/usr/local/bin:/usr/bin:/bin")), base)
    return {key: value if isinstance(value, Secret) else Secret(value) for key, value in values.items()}


def passwords(version: AirflowVersion) -> str | None:
    """Give the content of the passwords file that must stand there before the web server starts; None when it needs none.

    A password that is null: Airflow makes none in its place (and prints none), and no text that is sent equals it.
    """
    return None if version.major < 3 or _takes_no_users(version) else json.dumps({NOBODY: None})


def _takes_no_users(version: AirflowVersion) -> bool:
    """Tell whether Airflow starts without local users: 3.0 and 3.1 take an empty list for one user without a name and end.

    Seen in simple_auth_manager.get_users of 3.0.6 and 3.1.8; 3.2.2 and 3.3.2 start.
    """
    return (version.major, version.minor) >= (3, 2)


def _as_variables(options: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
    return {f"AIRFLOW__{name.replace('.', '__', 1).upper()}": value for name, value in options.items()}


def _user_config(config: Mapping[str, str]) -> dict[str, str | Secret]:
    for name in config:
        if "." not in name:
            raise Invalid(
                f"{name!r} is not an Airflow option.",
                code="airflow-option-malformed",
                hint='Write it as "section.option", for example "scheduler.catchup_by_default".',
            )
    return dict(config)


def _process(setup: AirflowSetup, path: str, base: Mapping[str, str]) -> dict[str, str | Secret]:
    local = {"127.0.0.1", "localhost"} | {name for name in base.get("NO_PROXY", "").split(",") if name}
    user_path = setup.env.get("PYTHONPATH", "")
    extra = [user_path.reveal() if isinstance(user_path, Secret) else user_path] if user_path else []
    return {
        "AIRFLOW_HOME": str(setup.home),
        "VIRTUAL_ENV": str(setup.venv),
        "PATH": f"{setup.venv / 'bin'}:{path}",
        "PYTHONPATH": ":".join([str(setup.support), str(setup.project), *extra]),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": ",".join(sorted(local)),
        "no_proxy": ",".join(sorted(local)),
        "AERODROME_POINTER": str(setup.pointer),
        "AERODROME_KEY_SET": str(setup.key_set_path),
        "AERODROME_AUDIENCE": AUDIENCE,
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
    }


def _defaults(setup: AirflowSetup) -> dict[str, str | Secret]:
    """What a person may override."""
    shared: dict[str, str | Secret] = {
        "core.load_examples": "False",
        "core.parallelism": str(setup.parallelism),
        "core.dags_are_paused_at_creation": "True",
        "core.hostname_callable": "socket.gethostname",
        "core.max_active_tasks_per_dag": str(max(setup.parallelism, 16)),
        # Airflow's 30 s would hide the second of two deploys of a DAG until it parses the file again (read in 2.11.2 and 3.3.2)
        "core.min_serialized_dag_update_interval": "0",
        "database.load_default_connections": "False",
        "scheduler.create_cron_data_intervals": "True",
        "usage_data_collection.enabled": "False",
    }
    if setup.version.major >= 3:
        return shared | {
            "core.executor": "LocalExecutor",
            "scheduler.create_delta_data_intervals": "True",
            "dag_processor.parsing_processes": "1",
            "dag_processor.refresh_interval": "1",
            "dag_processor.bundle_refresh_check_interval": "1",
            "dag_processor.print_stats_interval": "0",
            "api.workers": "1",
            "workers.execution_api_timeout": "30",  # its own 5 s fail the first tasks after a start on a busy machine
            "api.expose_config": "non-sensitive-only",
        }
    return shared | {
        "core.executor": "SequentialExecutor" if setup.is_sqlite else "LocalExecutor",
        "core.min_serialized_dag_fetch_interval": "1",
        "scheduler.parsing_processes": "1",
        "scheduler.dag_dir_list_interval": "3",
        "scheduler.print_stats_interval": "0",
        "webserver.workers": "2",
        "webserver.expose_config": "non-sensitive-only",
        "webserver.warn_deployment_exposure": "False",
    }


def _musts(setup: AirflowSetup) -> dict[str, str | Secret]:
    """What the platform needs to reach, protect and feed this Airflow."""
    base_url = local_base_url(setup.port, setup.public_url)
    public_url = (setup.public_url or base_url).rstrip("/")
    shared: dict[str, str | Secret] = {
        "core.fernet_key": setup.fernet_key,
        "core.dags_folder": str(setup.project / "dags"),
        "core.plugins_folder": str(setup.project / "plugins"),
        "database.sql_alchemy_conn": airflow_database_url(setup.database_url),
        "logging.base_log_folder": str(setup.home / "logs"),
    }
    if setup.version.major >= 3:
        bundles = [
            {"name": name, "classpath": "aerodrome_airflow.bundle.DeployBundle", "kwargs": {"refresh_interval": 1}}
            for name in (BUNDLE_NAME, *sorted(setup.extra_bundles))
        ]
        return shared | {
            "core.execution_api_server_url": f"{base_url}/execution/",
            "core.simple_auth_manager_users": "" if _takes_no_users(setup.version) else f"{NOBODY}:viewer",
            "core.simple_auth_manager_passwords_file": str(setup.home / PASSWORDS),
            "api.base_url": f"{public_url}/",
            "api.host": "127.0.0.1",
            "api.port": str(setup.port),
            "api.secret_key": _derive(setup.fernet_key, "api.secret_key"),
            "api_auth.jwt_private_key_path": str(setup.private_key_path),
            "api_auth.jwt_kid": setup.private_key_id,
            "api_auth.trusted_jwks_url": str(setup.key_set_path),
            "api_auth.jwt_algorithm": "EdDSA",
            "api_auth.jwt_audience": AUDIENCE,
            "dag_processor.dag_bundle_config_list": json.dumps(bundles),
            "dag_processor.dag_bundle_storage_path": str(setup.home / "bundles"),
        }
    return shared | {
        "api.auth_backends": "airflow.providers.fab.auth_manager.api.auth.backend.session",
        "webserver.base_url": public_url,
        "webserver.web_server_host": "127.0.0.1",
        "webserver.web_server_port": str(setup.port),
        "webserver.secret_key": _derive(setup.fernet_key, "webserver.secret_key"),
        "webserver.config_file": str(setup.support / "aerodrome_airflow" / "webserver2.py"),
    }


def _secrets_backend(setup: AirflowSetup, values: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
    """Put our secrets backend in front; one that the deployment's own configuration names is asked first by ours.

    Airflow 3 asks `[workers] secrets_backend` in tasks when it is set, else `[secrets] backend` (3.3.2): both become ours.
    """
    if setup.environment_path is None or setup.environment_key_path is None:
        return {}
    ours: dict[str, str | Secret] = {
        "AERODROME_ENVIRONMENT": str(setup.environment_path),
        "AERODROME_ENVIRONMENT_KEY": str(setup.environment_key_path),
        "AIRFLOW__SECRETS__BACKEND": SECRETS_BACKEND,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": "{}",
    }
    for backend, kwargs in (
        ("AIRFLOW__WORKERS__SECRETS_BACKEND", "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"),
        ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS"),
    ):
        if values.get(backend):
            ours["AERODROME_INNER_BACKEND"] = values[backend]
            ours["AERODROME_INNER_BACKEND_KWARGS"] = values.get(kwargs, "")
            ours |= {backend: SECRETS_BACKEND, kwargs: "{}"}
    return ours


def _derive(key: Secret, purpose: str) -> Secret:
    """Give a key for one purpose that stays the same as long as the deployment's own key does."""
    return Secret(hmac.new(key.reveal().encode(), purpose.encode(), sha256).hexdigest())
