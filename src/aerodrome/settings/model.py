"""The settings of the platform. Each is an environment variable: AERODROME_ and its name in capitals.

Read once, by `load_settings`, in the command that starts something; nothing below bootstrap reads the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

PREFIX: Final = "AERODROME_"
Port = Annotated[int, Field(ge=1, le=65535)]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class Settings(BaseSettings):
    """Everything that can be set; defaults are right for one machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    home: Folder = Field(
        default=Path("~/.local/share/aerodrome"),
        validate_default=True,
        description="Folder for everything that the platform keeps: database, keys, bundles, virtualenvs, deployments. "
        "One folder, so that one backup holds all.",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy URL of the platform's own database: sqlite:////path/file.db or "
        "postgresql+psycopg://user:password@host/name. Empty: a SQLite file in the home folder, right for one server.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address that the server binds. Loopback, so that nothing is open to the network until told so.",
    )
    port: Port = Field(default=8700, description="Port of the API and the pages.")
    gate_port: Port = Field(
        default=8701,
        description="Port behind which the Airflows' own pages are shown; an origin of its own, so that they cannot "
        "act on the platform's pages.",
    )
    public_url: str | None = Field(
        default=None,
        description="URL under which people reach the pages, when a proxy stands in front. Empty: http://host:port.",
    )
    gate_public_url: str | None = Field(
        default=None,
        description="URL under which people reach the gate, when a proxy stands in front. Empty: http://host:gate_port.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Further Host headers to answer, separated by commas; loopback names and the bound address always "
        "work. Others are refused, against DNS rebinding.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important message that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How messages are written to standard error: for eyes, or one JSON line each."
    )
    session_hours: float = Field(
        default=12, gt=0, description="Hours after which a browser must sign in again; a working day with some margin."
    )
    login_link_minutes: float = Field(
        default=60, gt=0, description="Minutes in which a one-time login link must be used; long enough to pass it on."
    )
    max_upload_mb: int = Field(
        default=256, gt=0, description="Largest request body in MiB (a deploy's archive); bounds disk use per request."
    )
    worker_threads: int = Field(
        default=4, ge=1, description="Jobs that one worker runs at the same time; most of them wait for processes."
    )
    worker_lease_s: float = Field(
        default=15,
        ge=2,
        description="Seconds after which the job of a dead worker is taken over; renewed at a third of it while it runs.",
    )
    worker_poll_s: float = Field(
        default=1, gt=0, description="Seconds between two looks at an empty job table; bounds how late work starts."
    )
    watch_every_s: float = Field(
        default=20,
        gt=0,
        description="Seconds between two looks at the health of all deployments; bounds how late an incident is noticed.",
    )
    database_limit_gb: float = Field(
        default=20,
        gt=0,
        description="Size of a deployment's metadata database in GB above which it is an incident; Airflow gets slow then.",
    )
    queue_wait_minutes: float = Field(
        default=5,
        gt=0,
        description="Minutes that tasks may wait for a slot before it is an incident; short peaks are not worth one.",
    )
    metrics_on_loopback: bool = Field(
        default=False,
        description="Answer /metrics to this machine without a token, for a Prometheus that runs beside it. Not behind a "
        "proxy on the same machine: everybody comes from loopback then.",
    )
    deploy_retention_days: int = Field(
        default=90,
        ge=0,
        description="Days after which the files of superseded deploys go (bundles, releases, virtualenvs that nothing "
        "uses); never what is live, what a task run still needs or what a snapshot refers to. 0 keeps them for ever.",
    )
    git_protocols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("https", "ssh"),
        description="Protocols over which the server fetches deploys from git, of https, ssh and file, separated by "
        "commas. With file, whoever may deploy reads every repository that the server's user can read.",
    )
    git_timeout_s: float = Field(
        default=120, gt=0, description="Seconds that one git command may take; bounds how long a fetch holds a deploy."
    )
    event_retention_days: int = Field(
        default=90, ge=1, description="Days that events are kept; longer than any migration waits for a person."
    )
    audit_retention_days: int = Field(
        default=0, ge=0, description="Days that the audit trail is kept; 0 keeps it for ever, which auditors expect."
    )

    secrets_store: Literal[
        "local", "vault", "aws-secrets-manager", "aws-parameter-store", "gcp-secret-manager", "azure-key-vault"
    ] = Field(
        default="local",
        description="Where the platform keeps its own secrets: encrypted in its database (local), or in a service. Chosen "
        "before the first secret is kept.",
    )
    secrets_settings: dict[str, str] = Field(
        default={},
        description="Fields of that service as a JSON object, without credentials; `aerodrome secrets-backend kinds` "
        "tells them.",
    )
    secrets_credentials: str | None = Field(
        default=None, repr=False, description="Credentials of that service as a JSON object; a file is better."
    )
    secrets_credentials_file: Folder | None = Field(
        default=None, description="JSON file with the credentials of that service, readable by the platform only."
    )
    secrets_root: str = Field(
        default="aerodrome",
        pattern=r"^[A-Za-z0-9]{1,40}$",
        description="First part of all names in that service; another one for each platform that shares it.",
    )

    @field_validator("allowed_hosts", "git_protocols", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def store_url(self) -> Secret:
        """URL of the platform's database, the default filled in."""
        return Secret(self.database_url or f"sqlite:///{self.home / 'aerodrome.db'}")

    @property
    def url(self) -> str:
        """Where people reach the pages, without a slash at the end."""
        return (self.public_url or f"http://{_bracketed(self.host)}:{self.port}").rstrip("/")

    @property
    def gate_url(self) -> str:
        """Where people reach the gate, without a slash at the end."""
        return (self.gate_public_url or f"http://{_bracketed(self.host)}:{self.gate_port}").rstrip("/")

    @property
    def keys_dir(self) -> Path:
        return self.home / "keys"

    @property
    def bundles_dir(self) -> Path:
        return self.home / "bundles"

    @property
    def venvs_dir(self) -> Path:
        return self.home / "venvs"

    @property
    def deployments_dir(self) -> Path:
        return self.home / "deployments"

    @property
    def migrations_dir(self) -> Path:
        return self.home / "migrations"


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; overrides win (command line options). Invalid names the variable, never its value."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Invalid(
            f"The setting {PREFIX}{name.upper()} is wrong: {first['msg']}.",
            code="setting-invalid",
            hint=f"It means: {Settings.model_fields[name].description}" if name in Settings.model_fields else "",
            details={"setting": f"{PREFIX}{name.upper()}"},
        ) from None


def _bracketed(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (bound to all: loopback reaches it)
    return f"[{host}]" if ":" in host else host
