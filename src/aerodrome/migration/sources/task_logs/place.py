"""Tells from a source's options where its task logs lie, and from its connection who may read them.

Follows airflow_local_settings.py of Airflow (2.11.2, 3.3.2): with `remote_logging` the beginning of `remote_base_log_folder` chooses the
store; without a match, `[elasticsearch] host` or `[opensearch] host` does. Before 2.0 the options stood in `[core]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.contract import AnySourceConfig, CloudConfig, ConnectionValue, SourceAdapter

STORES = {
    "s3": "Amazon S3",
    "gs": "Google Cloud Storage",
    "wasb": "Azure Blob Storage",
    "cloudwatch": "Amazon CloudWatch",
    "stackdriver": "Google Cloud Logging",
    "oss": "Alibaba OSS",
    "hdfs": "HDFS",
    "elasticsearch": "Elasticsearch",
    "opensearch": "OpenSearch",
    "local": "files of the source's machines",
    "other": "another remote store",
}
READ = ("local", "s3", "gs")
"""The kinds that are read and copied."""
_GOOGLE_EXTRA = ("keyfile_dict", "extra__google_cloud_platform__keyfile_dict")


@dataclass(frozen=True)
class LogPlace:
    """Where task logs lie. `address`: a folder, s3://BUCKET/PREFIX, a host; empty where the options do not say."""

    kind: str  # of STORES
    address: str
    conn_id: str = ""

    @property
    def is_read(self) -> bool:
        """Tell whether this product reads such a store."""
        return self.kind in READ

    @property
    def label(self) -> str:
        where = f" ({self.address})" if self.address else ""
        return f"{STORES[self.kind]}{where}"


def place_of(options: Mapping[str, str]) -> LogPlace:
    """Tell it from "section.option" -> value, with every option that is not the default."""

    def option(name: str) -> str:
        return (options.get(f"logging.{name}") or options.get(f"core.{name}") or "").strip()

    if option("remote_logging").lower() not in {"true", "t", "1", "yes", "on"}:
        return LogPlace("local", option("base_log_folder"))
    folder, conn_id = option("remote_base_log_folder"), option("remote_log_conn_id")
    scheme = folder.partition("://")[0].lower() if "://" in folder else ""
    if folder.startswith("wasb"):
        return LogPlace("wasb", folder, conn_id)
    if scheme in STORES:
        return LogPlace(scheme, folder.rstrip("/"), conn_id)
    for name in ("elasticsearch", "opensearch"):
        if host := options.get(f"{name}.host", "").strip():
            return LogPlace(name, host.rpartition("@")[2], conn_id)
    return LogPlace("other", folder, conn_id)


def login_from(place: LogPlace, source: SourceAdapter, config: AnySourceConfig | None = None) -> CloudLogin:
    """Give the login of a managed environment, else of the source's own connection for logs; an empty one is this machine's."""
    if isinstance(config, CloudConfig):
        return config.login
    if place.kind not in ("s3", "gs") or not place.conn_id:
        return CloudLogin()
    try:
        return login_of(place, next(iter(source.connection_values([place.conn_id])), None))
    except AerodromeError:  # the connection has a record of its own, which says why
        return CloudLogin()


def login_of(place: LogPlace, connection: ConnectionValue | None) -> CloudLogin:
    """Give the login that the connection of the logs holds, as Airflow's hooks read it; an empty one without any.

    Amazon: login and password are the key, or the extra's; its extra names region, role and endpoint. Google: the extra holds
    the key file of a service account. What names files or profiles of the source's machine says nothing here.
    """
    if connection is None:
        return CloudLogin()
    extra = _extra(connection)
    if place.kind == "s3":
        settings = {
            "access_key_id": connection.login or extra.get("aws_access_key_id"),
            "region": extra.get("region_name"),
            "role_arn": extra.get("role_arn"),
            "endpoint_url": extra.get("endpoint_url") or extra.get("host"),
        }
        secret = connection.password or _secret(extra.get("aws_secret_access_key"))
        credentials = {"secret_access_key": secret, "session_token": _secret(extra.get("aws_session_token"))}
        if not secret:
            settings.pop("access_key_id")
        return CloudLogin(
            {name: str(value) for name, value in settings.items() if value},
            {name: value for name, value in credentials.items() if value},
        )
    key = next((extra[name] for name in _GOOGLE_EXTRA if extra.get(name)), None)
    if key is None:
        return CloudLogin()
    text = key if isinstance(key, str) else json.dumps(key)
    return CloudLogin({}, {"service_account_key": Secret(text)})


def _extra(connection: ConnectionValue) -> dict[str, Any]:
    try:
        found = json.loads(connection.extra.reveal()) if connection.extra else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None
