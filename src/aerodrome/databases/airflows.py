"""Runs one program of one Airflow against one database: its environment, its output, its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aerodrome.airflowkit.config import airflow_database_url
from aerodrome.databases.contract import AirflowTool
from aerodrome.databases.guards import dies_with_us
from aerodrome.databases.places import place_of
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.kernel.secret import Secret

_CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OTHER_WAYS = (  # to name a database, any of which could win over ours
    *(f"{_CONNECTION}_CMD", f"{_CONNECTION}_SECRET", f"{_CONNECTION}_ASYNC"),
    *(
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN_SECRET",
    ),
)


def environment_of(tool: AirflowTool, url: Secret, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment in which this Airflow uses that database; for `subprocess` only, it holds secrets."""
    given = {key: value.reveal() if isinstance(value, Secret) else value for key, value in tool.environment.items()}
    path = given.get("PATH") or os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    wanted = {
        _CONNECTION: airflow_database_url(place_of(url).url).reveal(),
        "PATH": f"{tool.venv / 'bin'}:{path}",
        "VIRTUAL_ENV": str(tool.venv),
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    dropped = {*_OTHER_WAYS, "PYTHONDONTWRITEBYTECODE"}
    return {key: value for key, value in {**given, **wanted}.items() if key not in dropped}


def run_migration(tool: AirflowTool, url: Secret, home: Path, *, is_guarded: bool) -> None:
    """Run `airflow db migrate`; `is_guarded` keeps SQLite's foreign keys off. Broken `airflow-migrate-failed` with the reason."""
    script = Path(__file__).parent / "inside" / "migrate.py"
    python = str(tool.venv / "bin" / "python")
    airflow = [str(tool.venv / "bin" / "airflow"), "db", "migrate"]
    more = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    environment = environment_of(tool, url, more)
    command = [python, "-P", str(script)] if is_guarded else [python, *airflow]
    try:
        done = subprocess.run(
            dies_with_us(command),
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise Unavailable(
            f"Airflow {tool.version} could not be started.",
            code="airflow-not-startable",
            hint=f"Make the virtualenv {tool.venv} anew.",
        ) from error
    if done.returncode:
        raise Broken(
            f"`airflow db migrate` of Airflow {tool.version} failed: {last_words(done.stdout, url)}",
            code="airflow-migrate-failed",
            hint="The database is as it was. Its own words say why; mend the rows or the configuration that they name.",
            details={"exit_code": done.returncode, "output": masked_lines(done.stdout, url)[-40:]},
        )


def masked_lines(output: str, url: Secret) -> list[str]:
    """Give the lines of an output without the database's password."""
    place = place_of(url)
    password = None if not hasattr(place, "parsed") else place.parsed.password
    text = output.replace(url.reveal(), "•••")
    if password:
        text = text.replace(str(password), "•••")
    return text.splitlines()


def last_words(output: str, url: Secret) -> str:
    """Give the last line that says something, 300 characters at most."""
    lines = [line.strip() for line in masked_lines(output, url) if line.strip()]
    return lines[-1][:300] if lines else "it said nothing."
