"""The files of the demo's self-managed Airflow: project, airflow.cfg, environment file, and secrets nobody else has."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from aerodrome.kernel.clock import to_text

PAUSED = ("legacy_import",)


@dataclass(frozen=True)
class SourceSecrets:
    """Random for every start. Kept in a 0600 file, because the story hands some of them to the platform."""

    fernet_key: str
    webserver_key: str
    database_password: str
    admin_password: str
    warehouse_password: str
    partner_password: str
    partner_token: str
    partner_api_key: str
    ledger_password: str
    webhook_token: str

    def __repr__(self) -> str:
        return "SourceSecrets(•••)"

    @classmethod
    def generate(cls) -> SourceSecrets:
        values = {name: secrets.token_urlsafe(24) for name in cls.__dataclass_fields__}
        return cls(**{**values, "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()})

    @classmethod
    def read(cls, path: Path) -> SourceSecrets:
        return cls(**json.loads(path.read_text()))


@dataclass(frozen=True)
class SourceLayout:
    """Where things lie below the source's folder."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def home(self) -> Path:
        return self.root / "airflow"

    @property
    def config_file(self) -> Path:
        return self.home / "airflow.cfg"

    @property
    def env_file(self) -> Path:
        return self.root / "airflow.env"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.json"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state_file(self) -> Path:
        return self.root / "processes.json"

    @property
    def facts_file(self) -> Path:
        return self.root / "source.json"


def project_requirements() -> tuple[str, ...]:
    """Give the sample project's requirement lines."""
    text = (files("aerodrome.demo") / "project" / "requirements.txt").read_text()
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)


def write_files(layout: SourceLayout, hidden: SourceSecrets, database_url: str, port: int, executor: str) -> None:
    """Lay out project, configuration, environment file and secrets; what lay there before is replaced."""
    shutil.rmtree(layout.project, ignore_errors=True)
    with as_file(files("aerodrome.demo") / "project") as project:
        shutil.copytree(project, layout.project, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (layout.home, layout.warehouse, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    write_private(layout.secrets_file, json.dumps(asdict(hidden)))
    write_private(layout.config_file, _config(layout, hidden, database_url, port, executor))
    write_private(layout.env_file, "".join(f"{k}={v}\n" for k, v in _environment(layout, hidden).items()))


def read_env_file(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def wish(layout: SourceLayout, hidden: SourceSecrets, database_wait_s: float) -> dict[str, Any]:
    """Give what inside/prepare_source.py shall put into the metadata database."""
    return {
        "database_wait_s": database_wait_s,
        "dags_folder": str(layout.project / "dags"),
        "paused": list(PAUSED),
        "connections": _connections(layout, hidden),
        "pools": [
            {"pool": "crm_api", "slots": 2, "description": "The CRM allows two calls at a time"},
            {"pool": "reports", "slots": 1, "description": "One report after the other"},
        ],
        "variables": [
            {"key": "shop_name", "value": "The corner shop", "description": "Stands on receipts"},
            {"key": "pricing_regions", "value": json.dumps(_REGIONS)},
            {"key": "partner_api_key", "value": hidden.partner_api_key, "description": "From the partner's portal"},
            {"key": "max_discount_percent", "value": "15"},
        ],
        "user": {
            "username": "admin",
            "first_name": "Ada",
            "last_name": "Shopkeeper",
            "email": "ada@cornershop.example",
            "password": hidden.admin_password,
        },
        "manual_runs": [
            {
                "dag_id": "housekeeping",
                "conf": {"older_than_days": 7, "reason": "spring cleaning"},
                "note": "Started by hand before the move",
            }
        ],
    }


_REGIONS = [{"name": "north", "base": 1.2}, {"name": "south", "base": 1.1}, {"name": "islands", "base": 1.9}]


def _connections(layout: SourceLayout, hidden: SourceSecrets) -> list[Mapping[str, Any]]:
    return [
        {
            "conn_id": "warehouse",
            "conn_type": "sqlite",
            "host": str(layout.warehouse / "warehouse.db"),
            "login": "loader",
            "password": hidden.warehouse_password,
            "extra": json.dumps({"subject_prefix": "shop_"}),
            "description": "The shop's warehouse",
        },
        {
            "conn_id": "landing_zone",
            "conn_type": "fs",
            "extra": json.dumps({"path": str(layout.warehouse / "landing")}),
            "description": "Where suppliers put their files",
        },
        {
            "conn_id": "partner_api",
            "conn_type": "http",
            "host": "partner.example",
            "port": 443,
            "schema": "https",
            "login": "cornershop",
            "password": hidden.partner_password,
            "extra": json.dumps({"token": hidden.partner_token, "timeout": 20, "headers": {"Accept": "text/json"}}),
        },
        {"conn_id": "mail", "conn_type": "smtp", "host": "localhost", "port": 25, "login": "shop@cornershop.example"},
    ]


def _environment(layout: SourceLayout, hidden: SourceSecrets) -> dict[str, str]:
    opening = datetime.now(UTC).replace(second=0, microsecond=0)
    ledger = {
        "conn_type": "postgres",
        "host": "ledger.example",
        "schema": "books",
        "login": "clerk",
        "password": hidden.ledger_password,
    }
    return {
        "SHOP_LIVE_AT": to_text(opening) or "",
        "WAREHOUSE_DIR": str(layout.warehouse),
        "PARTNER_WEBHOOK_TOKEN": hidden.webhook_token,
        "AIRFLOW_CONN_LEDGER": json.dumps(ledger),
        "AIRFLOW_VAR_REPORT_CURRENCY": "EUR",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "0",
    }


def _config(layout: SourceLayout, hidden: SourceSecrets, database_url: str, port: int, executor: str) -> str:
    sections: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": layout.project / "dags",
            "plugins_folder": layout.project / "plugins",
            "executor": executor,
            "fernet_key": hidden.fernet_key,
            "load_examples": False,
            "parallelism": 6,
            "max_active_tasks_per_dag": 8,
        },
        "database": {"sql_alchemy_conn": database_url, "load_default_connections": False},
        "logging": {"base_log_folder": layout.logs / "tasks"},
        "scheduler": {"parsing_processes": 1, "min_file_process_interval": 120, "scheduler_idle_sleep_time": 0.2},
        "triggerer": {"default_capacity": 50},
        "webserver": {
            "secret_key": hidden.webserver_key,
            "web_server_host": "127.0.0.1",
            "web_server_port": port,
            "base_url": f"http://127.0.0.1:{port}",
            "workers": 1,
            "instance_name": "Corner shop (self-managed)",
        },
        "api": {"auth_backends": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"},
        "usage_data_collection": {"enabled": False},
    }
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items()]
        lines.append("")
    return "\n".join(lines)
