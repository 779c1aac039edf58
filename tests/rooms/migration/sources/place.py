"""The machine of a source, with the exporter on it, run by that source's own Airflow."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rooms.migration.sources.conftest import PROJECT

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import public_half


@dataclass
class Place:
    """The machine of a source, with the exporter on it."""

    python: Path
    folder: Path
    key: Secret
    url: str
    fernet_key: str
    public_key: str = ""  # instead of the public half of `key`
    more: dict[str, str] = field(default_factory=dict)  # further variables of its environment

    @property
    def archive(self) -> Path:
        return self.folder / "estate.aerodrome"

    @property
    def part(self) -> Path:
        return self.folder / "estate.aerodrome.part"

    def command(self, *words: str) -> dict[str, Any]:
        script = self.folder / "exporter.py"
        script.write_text(exporter(self.public_key or public_half(self.key)))
        env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        env |= {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__FERNET_KEY": self.fernet_key,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url,
            "AIRFLOW_CONN_FROM_ENV": "postgres://u:canary-env-d4@h:5432/db",
            "SHOP_PEM": "-----BEGIN-----\nseveral\nlines\n",
        }
        env |= self.more
        more = ("--include", str(PROJECT / "include"), "--requirements", str(PROJECT / "requirements.txt"))
        return {"args": [self.python, "-W", "ignore", script, *words, *more], "env": env}

    def export(self) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(**self.command("--out", str(self.archive)), capture_output=True, check=False)
