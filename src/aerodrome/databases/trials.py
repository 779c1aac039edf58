"""Starts an Airflow on a copy of a database, to see whether it lives there. Nothing of the user's runs.

The project is parsed once; then every DAG is paused but our probe (one EmptyOperator, which Airflow's
scheduler carries out by itself: neither a task process nor, on 3.x, an API server is needed), and the scheduler starts.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from aerodrome.airflowkit.config import BUNDLE_NAME
from aerodrome.databases.airflows import environment_of, masked_lines
from aerodrome.databases.contract import AirflowTool, Progress, TryResult
from aerodrome.databases.places import Place, SqlitePlace, place_of
from aerodrome.kernel.secret import Secret

_KEEPER = Path(__file__).parent / "inside" / "keeper.py"
_PARSER = Path(__file__).parent / "inside" / "parse.py"
_ERRORS = "import-errors.json"
_PROBE = """\
import datetime
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.empty import EmptyOperator

with DAG(
    "{name}",
    schedule="@once",
    start_date=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
):
    EmptyOperator(task_id="nothing")
"""
_FORGET = (  # tables whose rows make Airflow call back, warn or wait for somebody
    *("callback_request", "callback", "deadline", "dag_priority_parsing_request", "asset_dag_run_queue"),
    "dataset_dag_run_queue",
)
_UNFINISHED = "('running', 'queued', 'scheduled', 'restarting', 'deferred', 'up_for_reschedule')"
_TAIL = 30


def try_scheduling(
    url: Secret, tool: AirflowTool, project: Path, progress: Progress, *, timeout_s: float = 150
) -> TryResult:
    """Start this Airflow on a copy of a database: parse the project, schedule one run of a probe DAG, stop everything.

    `url` must be a copy: its DAGs are paused and its unfinished tasks forgotten. `project` holds dags/, plugins/, include/.
    """
    started, place, probe = time.monotonic(), place_of(url), f"aerodrome_probe_{secrets.token_hex(4)}"
    deadline = started + timeout_s
    with tempfile.TemporaryDirectory(prefix="aerodrome-try-") as folder:
        home = Path(folder)
        environment = _environment(tool, url, project, home, probe)
        _quieten(place)
        reasons: list[str] = []
        code, parsed = _parse(tool, environment, home, deadline)
        if code != 0:
            reasons.append(f"The parser of Airflow {tool.version} " + _ending(code))
        progress(f"Airflow {tool.version} parsed the project on the copy ({time.monotonic() - started:.1f} s).")
        errors, count = _import_errors(place, home / _ERRORS), _dag_count(place, probe)
        state, log = "", parsed
        if not reasons:
            state, code, log = _schedule(tool, environment, home, place, probe, deadline)
            if state != "success":
                reasons.append(f"The scheduler of Airflow {tool.version} " + _ending(code, state or "not made"))
        progress(f"The probe's run came to: {state or 'nothing'} ({time.monotonic() - started:.1f} s).")
        return TryResult(
            is_ok=not reasons,
            seconds=round(time.monotonic() - started, 3),
            probe_state=state,
            dag_count=count,
            import_errors=errors,
            reasons=tuple(reasons),
            log_tail=() if not reasons else tuple(masked_lines(log, url)[-_TAIL:]),
        )


def _ending(code: int | None, state: str = "") -> str:
    if code is None:
        return f"did not finish in time{f'; the run of the probe is {state}' if state else ''}."
    return f"ended with exit code {code}."


def _environment(tool: AirflowTool, url: Secret, project: Path, home: Path, probe: str) -> dict[str, str]:
    dags = home / "dags"
    dags.mkdir()
    (dags / "probe").mkdir()
    (dags / "probe" / f"{probe}.py").write_text(_PROBE.format(name=probe))
    user_dags = project / "dags"
    if user_dags.is_dir():
        (dags / "project").symlink_to(user_dags.resolve())
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in ((BUNDLE_NAME, user_dags), ("aerodrome_probe", dags / "probe"))
        if path.is_dir()
    ]
    given = environment_of(tool, url)
    is_sqlite = isinstance(place_of(url), SqlitePlace)
    python_path = [str(user_dags), str(project), given.get("PYTHONPATH", "")]
    options = {
        "core.dags_folder": str(dags),
        "core.plugins_folder": str(project / "plugins"),
        "core.load_examples": "False",
        "core.dags_are_paused_at_creation": "True",
        "core.executor": "SequentialExecutor" if _is_two(tool) and is_sqlite else "LocalExecutor",
        "core.parallelism": "1",
        "core.check_slas": "False",
        "logging.base_log_folder": str(home / "logs"),
        "logging.remote_logging": "False",
        "logging.dag_processor_child_process_log_directory": str(home / "logs" / "dags"),
        "scheduler.child_process_log_directory": str(home / "logs" / "dags"),
        "scheduler.standalone_dag_processor": "True",
        "scheduler.parsing_processes": "1",
        "scheduler.scheduler_idle_sleep_time": "0.2",
        "scheduler.enable_health_check": "False",
        "scheduler.catchup_by_default": "False",
        "dag_processor.dag_bundle_config_list": json.dumps(bundles),
        "dag_processor.parsing_processes": "1",
        # 3.3.2: only its statistics tell the processor which files there are; without them `--num-runs 1` ends at once
        "dag_processor.print_stats_interval": "1",
        "smtp.smtp_host": "127.0.0.1",
        "smtp.smtp_port": "9",  # discard: nobody listens
        "metrics.statsd_on": "False",
        "metrics.otel_on": "False",
        "traces.otel_on": "False",
        "sentry.sentry_on": "False",
    }
    return {
        **given,
        **{f"AIRFLOW__{name.replace('.', '__', 1).upper()}": value for name, value in options.items()},
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": ":".join(part for part in python_path if part),
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
    }


def _parse(tool: AirflowTool, environment: Mapping[str, str], home: Path, deadline: float) -> tuple[int | None, str]:
    log = home / "dag-processor.log"
    command: tuple[str, ...] = ("-P", str(_PARSER), str(home / _ERRORS))
    if not _is_two(tool):
        command = (str(tool.venv / "bin" / "airflow"), "dag-processor", "--num-runs", "1")
    with _kept(tool, command, environment, log) as process:
        try:
            code: int | None = process.wait(timeout=max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
    return code, log.read_text(errors="replace")


def _schedule(
    tool: AirflowTool, environment: Mapping[str, str], home: Path, place: Place, probe: str, deadline: float
) -> tuple[str, int | None, str]:
    _execute(place, f"update dag set is_paused = (dag_id <> '{probe}')")
    log, state = home / "scheduler.log", ""
    command = (str(tool.venv / "bin" / "airflow"), "scheduler", "--skip-serve-logs")
    with _kept(tool, command, environment, log) as process:
        while time.monotonic() < deadline and process.poll() is None:
            found = _rows(place, f"select state from dag_run where dag_id = '{probe}'")
            state = str(found[0][0]) if found else ""
            if state in ("success", "failed"):
                break
            time.sleep(0.2)
        code = process.poll()
    return state, code, log.read_text(errors="replace")


@contextmanager
def _kept(
    tool: AirflowTool, command: tuple[str, ...], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run something by the Airflow's Python; at the end, or when we die, no process of it is left."""
    python = str(tool.venv / "bin" / "python")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-S", "-E", str(_KEEPER), python, *command],
            env=dict(environment),
            cwd=log.parent,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield process
        finally:
            assert process.stdin is not None  # noqa: S101
            process.stdin.close()  # the keeper kills everything
            process.wait()


def _quieten(place: Place) -> None:
    """Pause all DAGs of the copy and take away whatever could make its Airflow act for the user."""
    tables = _tables(place)
    _execute(place, "update dag set is_paused = (1 = 1)")
    _execute(place, f"update task_instance set state = null, trigger_id = null where state in {_UNFINISHED}")
    for table in _FORGET:
        if table in tables:
            _execute(place, f'delete from "{table}"')
    _execute(place, "update job set state = 'failed' where state = 'running'")
    _execute(place, "delete from import_error")


def _is_two(tool: AirflowTool) -> bool:
    return tool.version.startswith("2.")


def _import_errors(place: Place, file: Path) -> dict[str, str]:
    if file.exists():
        rows: list[Any] = sorted(json.loads(file.read_text()).items())
    else:
        rows = _rows(place, "select filename, stacktrace from import_error order by filename")
    return {_short_name(str(name)): _last_line(str(trace)) for name, trace in rows}


def _short_name(filename: str) -> str:
    _, found, rest = filename.partition("/dags/project/")
    return rest if found else filename


def _dag_count(place: Place, probe: str) -> int:
    active = "is_active" if _has_column(place, "dag", "is_active") else "not is_stale"
    return int(_rows(place, f"select count(*) from dag where {active} and dag_id <> '{probe}'")[0][0])


def _last_line(trace: str) -> str:
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _execute(place: Place, statement: str) -> None:
    if isinstance(place, SqlitePlace):
        with closing(place.connect()) as connection:
            connection.execute(statement)
    else:
        with place.connect() as session:
            session.execute(statement.encode())


def _rows(place: Place, statement: str) -> list[Any]:
    if isinstance(place, SqlitePlace):
        with closing(place.connect(is_read_only=True)) as connection:
            return connection.execute(statement).fetchall()
    with place.connect() as session:
        return session.execute(statement.encode()).fetchall()


def _tables(place: Place) -> set[str]:
    if isinstance(place, SqlitePlace):
        return {row[0] for row in _rows(place, "select name from sqlite_master where type = 'table'")}
    return {row[0] for row in _rows(place, "select tablename from pg_tables where schemaname = current_schema()")}


def _has_column(place: Place, table: str, column: str) -> bool:
    if isinstance(place, SqlitePlace):
        return any(row[1] == column for row in _rows(place, f"pragma table_info({table})"))
    return bool(
        _rows(
            place,
            "select 1 from information_schema.columns where table_schema = current_schema() "
            f"and table_name = '{table}' and column_name = '{column}'",
        )
    )
