"""The kinds of secrets backends: the fields of each, and how it is opened. The one table for API, pages, CLI and settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.aws_parameter_store import AwsParameterStore
from aerodrome.secretstores.aws_secrets_manager import AwsSecretsManager
from aerodrome.secretstores.azure_key_vault import AzureKeyVault
from aerodrome.secretstores.contract import SecretStore
from aerodrome.secretstores.gcp_secret_manager import GcpSecretManager
from aerodrome.secretstores.mapped import MappedSecretStore
from aerodrome.secretstores.names import SPELLINGS
from aerodrome.secretstores.vault import Vault
from aerodrome.secretstores.vendor import Plain, Vendor


@dataclass(frozen=True)
class Field:
    """One field of a kind."""

    name: str
    label: str
    help: str
    is_secret: bool = False
    is_required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    when: str = ""  # "auth=approle": the field means something only then


@dataclass(frozen=True)
class BackendKind:
    """One kind."""

    name: str
    title: str
    extra: str  # of the package: aerodrome[aws]
    fields: tuple[Field, ...]
    open: Callable[[Plain], Vendor]
    separator: str  # between a prefix and a name, unless set

    def field(self, name: str) -> Field | None:
        return next((item for item in self.fields if item.name == name), None)


_CA = Field(
    "ca_file", "CA file", "PEM file of the authority that signed the service's certificate, when it is your own."
)
_SEPARATOR = Field("separator", "Separator", "Between prefix and name, as Airflow's `sep`.")


def _prefixes(connections: str, variables: str, *, has_separator: bool = True) -> tuple[Field, ...]:
    return (
        Field(
            "connections_prefix", "Prefix of connections", "Where Airflow looks for connections.", default=connections
        ),
        Field("variables_prefix", "Prefix of variables", "Where Airflow looks for variables.", default=variables),
        *((_SEPARATOR,) if has_separator else ()),
    )


_AWS: Final = (
    Field("region", "Region", "AWS region, such as eu-west-1.", is_required=True),
    Field("access_key_id", "Access key ID", "Empty: the role or profile of the machine."),
    Field("secret_access_key", "Secret access key", "Belongs to the access key ID.", is_secret=True),
    Field("session_token", "Session token", "Only for temporary keys.", is_secret=True),
    Field("profile", "Profile", "A profile of the machine's AWS configuration."),
    Field("role_arn", "Role to assume", "ARN of a role, assumed with the credentials above."),
    Field("endpoint_url", "Endpoint", "Only for VPC endpoints and test servers."),
    Field("kms_key_id", "KMS key", "Key that encrypts new values. Empty: the account's default key."),
    _CA,
)
KINDS: Final[dict[str, BackendKind]] = {
    kind.name: kind
    for kind in (
        BackendKind(
            "aws-secrets-manager",
            "AWS Secrets Manager",
            "aws",
            (
                *_AWS,
                Field(
                    "recovery_days",
                    "Days to recover",
                    "Days that a deleted secret can be recovered: 7 to 30.",
                    default="7",
                ),
                *_prefixes("airflow/connections", "airflow/variables"),
            ),
            AwsSecretsManager,
            "/",
        ),
        BackendKind(
            "aws-parameter-store",
            "AWS SSM Parameter Store",
            "aws",
            (
                *_AWS,
                Field(
                    "tier",
                    "Tier",
                    "standard holds 4 KB a value, the others 8 KB.",
                    default="standard",
                    choices=("standard", "advanced", "intelligent-tiering"),
                ),
                *_prefixes("/airflow/connections", "/airflow/variables", has_separator=False),
            ),
            AwsParameterStore,
            "/",
        ),
        BackendKind(
            "gcp-secret-manager",
            "GCP Secret Manager",
            "gcp",
            (
                Field("project", "Project", "ID of the Google Cloud project.", is_required=True),
                Field(
                    "service_account_key",
                    "Service account key",
                    "Content of the JSON key file. Empty: the machine's default credentials.",
                    is_secret=True,
                ),
                Field("locations", "Locations", "Regions that hold the values, separated by commas. Empty: automatic."),
                Field("endpoint", "Endpoint", "Only for regional endpoints and test servers."),
                _CA,
                *_prefixes("airflow-connections", "airflow-variables"),
            ),
            GcpSecretManager,
            "-",
        ),
        BackendKind(
            "vault",
            "HashiCorp Vault",
            "vault",
            (
                Field("url", "URL", "Such as https://vault.example.com:8200.", is_required=True),
                Field("mount", "Mount", "Where the KV version 2 engine is mounted.", default="secret"),
                Field("namespace", "Namespace", "Only for Vault Enterprise."),
                Field("auth", "Sign in by", "", default="token", choices=("token", "approle", "kubernetes")),
                Field("token", "Token", "", is_secret=True, is_required=True, when="auth=token"),
                Field("role_id", "Role ID", "", is_required=True, when="auth=approle"),
                Field("secret_id", "Secret ID", "", is_secret=True, is_required=True, when="auth=approle"),
                Field("kubernetes_role", "Kubernetes role", "", is_required=True, when="auth=kubernetes"),
                Field(
                    "kubernetes_jwt_path",
                    "Path of the service account's token",
                    "Empty: where Kubernetes puts it.",
                    when="auth=kubernetes",
                ),
                Field("auth_mount", "Mount of the auth method", "Empty: its usual one."),
                _CA,
                *_prefixes("connections", "variables", has_separator=False),
            ),
            Vault,
            "/",
        ),
        BackendKind(
            "azure-key-vault",
            "Azure Key Vault",
            "azure",
            (
                Field("vault_url", "Vault URL", "Such as https://team.vault.azure.net/.", is_required=True),
                Field("tenant_id", "Tenant ID", "Of the app registration."),
                Field("client_id", "Client ID", "Of the app registration, or of a managed identity."),
                Field("client_secret", "Client secret", "Empty: the managed identity of the machine.", is_secret=True),
                Field("authority", "Authority", "Only for sovereign and private clouds."),
                _CA,
                *_prefixes("airflow-connections", "airflow-variables"),
            ),
            AzureKeyVault,
            "-",
        ),
    )
}
_PREFIX: Final = re.compile(r"[A-Za-z0-9/_+=.@:-]{0,200}")


def kind_of(name: str) -> BackendKind:
    """Give the kind; Invalid names the known ones."""
    if name in KINDS:
        return KINDS[name]
    raise Invalid(
        f"There is no kind of secrets backend called {name[:40]!r}.",
        code="backend-kind-unknown",
        hint=f"Known are {', '.join(KINDS)}.",
        details={"field": "kind"},
    )


def checked(kind: BackendKind, settings: Mapping[str, str], credentials: Mapping[str, Secret]) -> Plain:
    """Give both, empty ones left out; Invalid names the field that is unknown, missing, wrong or in the wrong place."""
    plain = {name: value.strip() for name, value in settings.items() if value.strip()}
    secret = {name: value for name, value in credentials.items() if value}
    for name in (*plain, *secret):
        item = kind.field(name)
        if item is None:
            names = ", ".join(known.name for known in kind.fields)
            raise _wrong(name, f"{kind.title} has no field {name}.", f"Known are {names}.")
        if item.is_secret and name in plain:
            raise _wrong(name, f"{name} is a credential.", "Give it as a credential: it is kept in the secret store.")
        if not item.is_secret and name in secret:
            raise _wrong(name, f"{name} is a setting, not a credential.", "Give it as a setting.")
        if item.choices and plain.get(name) not in item.choices:
            raise _wrong(name, f"{name} must be one of {', '.join(item.choices)}.", "")
    for item in kind.fields:
        if item.is_required and _matters(kind, item, plain) and item.name not in plain and item.name not in secret:
            raise _wrong(item.name, f"{kind.title} needs {item.name}.", item.help)
    for name in ("connections_prefix", "variables_prefix", "separator"):
        if not _PREFIX.fullmatch(plain.get(name, "")):
            raise _wrong(name, f"{name} holds a character that no service takes.", "Use letters, digits and /_+=.@:-.")
    if not plain.get("recovery_days", "7").isdigit() or not 7 <= int(plain.get("recovery_days", "7")) <= 30:
        raise _wrong("recovery_days", "recovery_days must be 7 to 30.", "")
    for name in ("url", "vault_url", "endpoint_url"):
        if name in plain and not re.fullmatch(r"https?://[^\s@?#]+", plain[name]):
            raise _wrong(name, f"{name} must be a URL without credentials.", "Such as https://vault.example.com:8200.")
    return Plain(plain, secret)


def open_vendor(kind_name: str, settings: Mapping[str, str], credentials: Mapping[str, Secret]) -> Vendor:
    """Open a backend under its own names. Broken when its library is not installed; connects at first use."""
    kind = kind_of(kind_name)
    plain = checked(kind, settings, credentials)
    _check_certificates(plain.get("ca_file"))
    return kind.open(plain)


def open_mapped(
    kind_name: str, settings: Mapping[str, str], credentials: Mapping[str, Secret], root: str = "aerodrome"
) -> SecretStore:
    """Open a backend as a store of the platform's own secrets, below `root`."""
    vendor = open_vendor(kind_name, settings, credentials)
    spelling = SPELLINGS[kind_name]
    place = spelling.encode(f"{root}/")
    return MappedSecretStore(vendor, spelling, f"/{place}" if kind_name == "aws-parameter-store" else place)


def _check_certificates(path: str) -> None:
    """Raise Invalid unless the file (on the server's machine) holds certificates; each library fails in its own way."""
    try:
        is_good = not path or b"-----BEGIN CERTIFICATE-----" in Path(path).read_bytes()
    except OSError:
        is_good = False
    if not is_good:
        raise _wrong("ca_file", f"ca_file: {path} holds no certificate.", "Name a PEM file on the server's machine.")


def _matters(kind: BackendKind, item: Field, settings: Mapping[str, str]) -> bool:
    if not item.when:
        return True
    name, _, wanted = item.when.partition("=")
    known = kind.field(name)
    return (settings.get(name) or (known.default if known else "")) == wanted


def _wrong(name: str, message: str, hint: str) -> Invalid:
    return Invalid(message, code="backend-field-invalid", hint=hint, details={"field": name})
