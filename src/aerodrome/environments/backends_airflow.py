"""How Airflow's own secrets backend classes find things: names, prefixes, separators and constructor arguments of each.

Measured on the provider packages that belong to Airflow 2.11.2 (amazon 9.23.0, google 20.0.0, hashicorp 4.5.0,
microsoft-azure 13.0.1) and 3.3.2 (amazon 9.36.0, google 22.5.0, hashicorp 4.8.1, microsoft-azure 15.1.0). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.kinds import KINDS

What = Literal["connection", "variable"]
_PREFIX: Final = {"connection": "connections_prefix", "variable": "variables_prefix"}


@dataclass(frozen=True)
class AirflowClass:
    """One of Airflow's backend classes."""

    class_path: str
    requirement: str


CLASSES: Final = {
    "aws-secrets-manager": AirflowClass(
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "apache-airflow-providers-amazon",
    ),
    "aws-parameter-store": AirflowClass(
        "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend",
        "apache-airflow-providers-amazon",
    ),
    "gcp-secret-manager": AirflowClass(
        "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend",
        "apache-airflow-providers-google",
    ),
    "vault": AirflowClass(
        "airflow.providers.hashicorp.secrets.vault.VaultBackend", "apache-airflow-providers-hashicorp"
    ),
    "azure-key-vault": AirflowClass(
        "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend",
        "apache-airflow-providers-microsoft-azure",
    ),
}


def prefix_of(kind: str, settings: Mapping[str, str], what: What) -> str:
    """Give what stands before every name of this sort, the separator included."""
    name = _PREFIX[what]
    known = KINDS[kind].field(name)
    separator = settings.get("separator") or KINDS[kind].separator
    prefix = (settings.get(name) or (known.default if known else "")).rstrip(separator)
    if kind == "aws-parameter-store" and not prefix.startswith("/"):
        prefix = f"/{prefix}"
    return _spelled(kind, f"{prefix}{separator}", separator)


def name_of(kind: str, settings: Mapping[str, str], what: What, name: str) -> str:
    """Give the name in the service under which Airflow's class looks for this connection or variable."""
    separator = settings.get("separator") or KINDS[kind].separator
    return prefix_of(kind, settings, what) + _spelled(kind, name, separator)


def arguments(kind: str, settings: Mapping[str, str], credentials: Mapping[str, Secret]) -> dict[str, Any]:
    """Give the arguments of the class: JSON values, credentials as Secret."""
    separator = settings.get("separator") or KINDS[kind].separator
    prefixes = {what: prefix_of(kind, settings, what).removesuffix(separator) for what in ("connection", "variable")}
    if kind == "vault":
        return _vault(settings, credentials, prefixes)
    wanted: dict[str, Any] = {
        "connections_prefix": prefixes["connection"],
        "variables_prefix": prefixes["variable"],
        "config_prefix": None,  # options of Airflow are the platform's matter
    }
    if kind != "aws-parameter-store":
        wanted["sep"] = separator
    if kind.startswith("aws-"):
        return wanted | _aws(settings, credentials)
    if kind == "gcp-secret-manager":
        wanted["project_id"] = settings["project"]
        if "service_account_key" in credentials:
            wanted["gcp_credential_config_file"] = credentials["service_account_key"]
        return wanted
    wanted["vault_url"] = settings["vault_url"]
    if "client_secret" in credentials:
        names = {"tenant_id": settings.get("tenant_id", ""), "client_id": settings.get("client_id", "")}
        wanted |= {**names, "client_secret": credentials["client_secret"]}
    elif settings.get("client_id"):
        wanted["managed_identity_client_id"] = settings["client_id"]
        wanted["workload_identity_tenant_id"] = settings.get("tenant_id", "")
    if settings.get("ca_file"):
        wanted["connection_verify"] = settings["ca_file"]
    return wanted


def connection_text(data: Mapping[str, Any]) -> Secret:
    """Write a connection as the JSON that all classes read, `extra` as the text that it is; equal ones give equal texts."""
    kept = {name: value for name, value in data.items() if value not in (None, "")}
    if "extra" in kept and not isinstance(kept["extra"], str):
        kept["extra"] = json.dumps(kept["extra"], sort_keys=True)
    return Secret(json.dumps(kept, sort_keys=True, ensure_ascii=False))


def _spelled(kind: str, text: str, separator: str) -> str:
    # AzureKeyVaultBackend.build_path: an underscore becomes the separator, so a_b and a-b are one name there
    return text.replace("_", separator) if kind == "azure-key-vault" else text


def _aws(settings: Mapping[str, str], credentials: Mapping[str, Secret]) -> dict[str, Any]:
    plain = {
        "region_name": "region",
        "aws_access_key_id": "access_key_id",
        "profile_name": "profile",
        "role_arn": "role_arn",
        "endpoint_url": "endpoint_url",
        "verify": "ca_file",
    }
    wanted: dict[str, Any] = {ours: settings[name] for ours, name in plain.items() if settings.get(name)}
    secret = {"aws_secret_access_key": "secret_access_key", "aws_session_token": "session_token"}
    return wanted | {ours: credentials[name] for ours, name in secret.items() if name in credentials}


def _vault(
    settings: Mapping[str, str], credentials: Mapping[str, Secret], prefixes: Mapping[str, str]
) -> dict[str, Any]:
    auth = settings.get("auth") or "token"
    wanted: dict[str, Any] = {
        "url": settings["url"],
        "mount_point": settings.get("mount") or "secret",
        "kv_engine_version": 2,
        "auth_type": auth,
        "connections_path": prefixes["connection"],
        "variables_path": prefixes["variable"],
        "config_path": None,
    }
    if settings.get("auth_mount"):
        wanted["auth_mount_point"] = settings["auth_mount"]
    if settings.get("namespace"):
        wanted["namespace"] = settings["namespace"]
    if settings.get("ca_file"):
        wanted["verify"] = settings["ca_file"]
    for name in ("role_id",) if auth == "approle" else ("kubernetes_role", "kubernetes_jwt_path"):
        if auth != "token" and settings.get(name):
            wanted[name] = settings[name]
    needed = {"token": "token", "approle": "secret_id"}.get(auth)
    return wanted | ({needed: credentials[needed]} if needed else {})
