"""The adapter against metadata databases that a real Airflow 2.11.2 wrote, on SQLite and PostgreSQL."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.assess import assess, report
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.history import COLUMNS, FINAL_RUN_STATES, HISTORY_KINDS, HistoryKind, HistoryWindow
from aerodrome.migration.estate.records import (
    ConfigRecord,
    ConnectionRecord,
    DagRecord,
    ImportErrorRecord,
    PackageRecord,
    PoolRecord,
    VariableRecord,
)
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import (
    KnowsVersions,
    MeasuresConcurrency,
    SourceAdapter,
    SourceConfig,
    StoppedRuns,
    StopsRuns,
)

pytestmark = pytest.mark.airflow

DAGS = ("daily_sales", "implicit_daily", "maintenance", "orders_mapped", "orders_report")
Opener = Callable[[SourceConfig], SourceAdapter]


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


def execute(config: SourceConfig, statement: str, **values: Any) -> None:
    """Change the source behind the adapter's back, as its own Airflow or an administrator would."""
    engine = create_engine(config.database_url.reveal().replace("+psycopg2", "+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def query(config: SourceConfig, statement: str) -> list[Any]:
    engine = create_engine(config.database_url.reveal().replace("+psycopg2", "+psycopg"))
    with engine.connect() as connection:
        rows = list(connection.execute(text(statement)))
    engine.dispose()
    return rows


def rows_of(source: SourceAdapter, kind: HistoryKind, window: HistoryWindow) -> list[dict[str, Any]]:
    return [dict(zip(batch.columns, row, strict=True)) for batch in source.history(kind, window) for row in batch.rows]


@pytest.fixture
def estate(source: SourceAdapter, clock: ManualClock, tmp_path: Path) -> Estate:
    return capture(source, "legacy", tmp_path / "estate", clock, quiet)


def test_probe_tells_what_the_source_is_and_changes_nothing(source: SourceAdapter, database: str) -> None:
    found = source.describe()
    assert found.is_ok, [probe for probe in found.probes if not probe.is_ok]
    assert found.airflow_version == "2.11.2"
    assert found.schema_revision == "5f2621c13b39"
    assert found.database.startswith(database)
    assert {probe.name for probe in found.probes} >= {"database", "version", "reading", "pausing", "fernet key"}


def test_wrong_fernet_key_is_told_before_anything_is_written(
    config: SourceConfig, open_one: Opener, clock: ManualClock, tmp_path: Path
) -> None:
    source = open_one(replace(config, fernet_keys=Secret(Fernet.generate_key().decode())))
    failed = [probe for probe in source.describe().probes if not probe.is_ok]
    assert [probe.name for probe in failed] == ["fernet key"]
    with pytest.raises(Invalid) as error:
        next(iter(source.records(quiet)))
    assert error.value.code == "fernet-key-wrong"
    with pytest.raises(Invalid) as error:
        capture(source, "legacy", tmp_path / "never", clock, quiet)
    assert error.value.code == "fernet-key-wrong"
    assert not (tmp_path / "never").exists()


def test_undecryptable_row_is_named_and_the_rest_is_read(
    config: SourceConfig, source: SourceAdapter, clock: ManualClock, tmp_path: Path
) -> None:
    lost = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    execute(config, "update connection set password = :lost where conn_id = 'warehouse'", lost=lost)
    probes = {probe.name: probe for probe in source.describe().probes}
    assert probes["fernet key"].is_ok
    assert "connection warehouse" in probes["undecryptable"].message
    estate = capture(source, "legacy", tmp_path / "estate", clock, quiet)
    found = {record.conn_id: record for record in estate.all(ConnectionRecord)}
    assert found["warehouse"].error
    assert found["warehouse"].fingerprint is None
    assert found["s3_lake"].error is None
    with pytest.raises(Invalid, match="warehouse"):
        list(source.connection_values(["s3_lake", "warehouse"]))


def test_old_key_behind_the_new_one_opens_rows(config: SourceConfig, open_one: Opener, fernet_key: str) -> None:
    both = Secret(f"{Fernet.generate_key().decode()},{fernet_key}")
    assert open_one(replace(config, fernet_keys=both)).describe().is_ok


def test_dags_come_with_schedule_tasks_and_history(estate: Estate) -> None:
    dags = {dag.dag_id: dag for dag in estate.all(DagRecord)}
    assert tuple(dags) == DAGS
    sales = dags["daily_sales"]
    assert (sales.schedule, sales.schedule_kind, sales.timezone) == ("0 2 * * *", "cron", "UTC")
    assert (sales.catchup, sales.max_active_runs, sales.max_active_tasks) == (False, 2, 4)
    assert (sales.file, sales.owners, sales.tags) == ("daily_sales.py", ("sales",), ("finance", "sales"))
    assert sales.pools == ("default_pool", "warehouse_pool")
    assert sales.connections == ("warehouse",)
    assert sales.variables == ("sales_region",)
    assert sales.run_states == {"failed": 1, "running": 1, "success": 10}
    assert sales.task_states["up_for_retry"] == 1
    count = next(task for task in sales.tasks if task["task_id"] == "count")
    assert (count["operator"], count["module"], count["upstream"]) == (
        "CountRowsOperator", "acme.operators", ["extract"],
    )  # fmt: skip
    assert count["has_sla"]
    assert dags["implicit_daily"].catchup is None
    assert dags["implicit_daily"].schedule == "timedelta:86400"
    assert dags["maintenance"].is_paused
    assert dags["maintenance"].depends_on_dags == ("daily_sales",)
    assert (dags["orders_mapped"].schedule_kind, dags["orders_mapped"].timezone) == ("preset", "Europe/Berlin")
    assert dags["orders_mapped"].datasets_out == dags["orders_report"].datasets_in == ("s3://lake/orders",)
    assert any(task["is_mapped"] for task in dags["orders_mapped"].tasks)
    errors = list(estate.all(ImportErrorRecord))
    assert [error.file for error in errors] == ["broken.py"]
    assert "a_package_nobody_has" in errors[0].message


def test_objects_come_from_database_environment_and_files(estate: Estate) -> None:
    connections = {record.conn_id: record for record in estate.all(ConnectionRecord)}
    assert connections["lake"].origin == "environment"
    assert connections["warehouse"].extra_keys == ("sslmode", "token")
    assert {record.name: record.is_sensitive for record in estate.all(VariableRecord)} == {
        "team": False, "api_token": True, "limits": False, "sales_region": False,
    }  # fmt: skip
    pools = {record.name: record for record in estate.all(PoolRecord)}
    assert (pools["warehouse_pool"].slots, pools["warehouse_pool"].include_deferred) == (3, True)
    options = {record.option: record for record in estate.all(ConfigRecord)}
    assert options["core.parallelism"].value == "16"
    assert options["core.max_active_tasks_per_dag"].origin == "environment"
    assert options["webserver.secret_key"].value is None
    assert "python-dateutil" in {record.name for record in estate.all(PackageRecord)}
    assert estate.header.facts["history"] == {"run": 15, "task_instance": 56, "task_try": 0, "xcom": 55, "rendered": 0}


def test_the_same_source_has_the_same_digest(
    source: SourceAdapter, estate: Estate, clock: ManualClock, tmp_path: Path
) -> None:
    clock.advance(timedelta(minutes=1))
    again = capture(source, "legacy", tmp_path / "again", clock, quiet)
    assert again.header.taken_at != estate.header.taken_at
    assert again.digest == estate.digest


def test_values_are_read_at_the_moment_of_transfer(source: SourceAdapter) -> None:
    warehouse, lake = source.connection_values(["warehouse", "lake"])
    assert warehouse.password is not None
    assert warehouse.password.reveal() == "canary-conn-password-a1"
    assert warehouse.extra is not None
    assert json.loads(warehouse.extra.reveal())["token"] == "canary-conn-extra-b2"
    assert (lake.conn_type, lake.login) == ("aws", "key")
    assert [value.value.reveal() for value in source.variable_values(["limits", "team"])] == [
        '{\n  "rows": 10\n}',
        "data",
    ]
    assert dict(source.env_values(["DATA_DIR"]))["DATA_DIR"].reveal() == "/srv/data"
    assert next(iter(source.pool_values(["warehouse_pool"]))).slots == 3
    with pytest.raises(Invalid, match="nobody"):
        list(source.variable_values(["nobody"]))


def test_history_holds_finished_runs_only(source: SourceAdapter) -> None:
    window = HistoryWindow(DAGS)
    found = {kind: rows_of(source, kind, window) for kind in HISTORY_KINDS}
    assert {kind: len(rows) for kind, rows in found.items()} == source.history_counts(window)
    runs = found["run"]
    assert all(run["state"] in FINAL_RUN_STATES for run in runs)
    assert [(run["dag_id"], run["run_id"]) for run in runs] == sorted((run["dag_id"], run["run_id"]) for run in runs)
    manual = next(run for run in runs if run["run_type"] == "manual")
    assert json.loads(manual["conf"]) == {"full": True, "since": "2026-01-01"}
    assert manual["note"] == "checked by hand"
    assert manual["is_external_trigger"] is True
    scheduled = next(run for run in runs if run["run_type"] == "scheduled")
    assert scheduled["run_after"] == scheduled["data_interval_end"]
    assert scheduled["data_interval_end"].tzinfo is not None
    keys = {(run["dag_id"], run["run_id"]) for run in runs}
    assert {(row["dag_id"], row["run_id"]) for row in found["task_instance"]} == keys
    assert "slow that day" in {row["note"] for row in found["task_instance"]}
    assert json.loads(found["xcom"][0]["value"])["rows"] == 3
    assert tuple(found["xcom"][0]) == COLUMNS["xcom"]


def test_history_since_gives_what_changed(config: SourceConfig, source: SourceAdapter) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert rows_of(source, "run", HistoryWindow(DAGS, since=later)) == []
    run = query(config, "select id, run_id from dag_run where dag_id = 'orders_mapped' order by id limit 1")[0]
    moment = later + timedelta(minutes=1)
    stored: Any = moment.replace(tzinfo=None) if config.database_url.reveal().startswith("sqlite") else moment
    execute(
        config,
        "update task_instance set updated_at = :at where run_id = :run and dag_id = 'orders_mapped'",
        at=stored.isoformat(" ") if isinstance(stored, datetime) and stored.tzinfo is None else stored,
        run=run.run_id,
    )
    assert [row["run_id"] for row in rows_of(source, "run", HistoryWindow(DAGS, since=later))] == [run.run_id]


class Dangerous:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickles_are_never_executed(
    config: SourceConfig, source: SourceAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = pickle.dumps({"x": Dangerous()})
    execute(config, "update dag_run set conf = :evil where run_type = 'manual' and state = 'success'", evil=evil)
    execute(config, "update xcom set value = :evil where dag_id = 'daily_sales' and task_id = 'start'", evil=evil)
    window = HistoryWindow(("daily_sales",))
    rejected = [item for batch in source.history("run", window) for item in batch.rejected]
    assert [item.code for item in rejected] == ["run-conf-pickled"]
    left = [item for batch in source.history("xcom", window) for item in batch.rejected]
    assert {item.code for item in left} == {"xcom-pickled"}
    assert len(left) + len(rows_of(source, "xcom", window)) == source.history_counts(window)["xcom"]
    assert capsys.readouterr().out == ""


def test_pause_leaves_a_mark_and_repeats_without_effect(config: SourceConfig, source: SourceAdapter) -> None:
    source.pause_dag("daily_sales", "mig_1")
    source.pause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (True, "mig_1")
    assert query(config, "select count(*) from log where event = 'aerodrome.pause'")[0][0] == 1
    with pytest.raises(Conflict):
        source.pause_dag("daily_sales", "mig_2")
    with pytest.raises(Conflict):
        source.unpause_dag("daily_sales", "mig_2")
    source.unpause_dag("daily_sales", "mig_1")
    source.unpause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (False, None)
    with pytest.raises(NotFound):
        source.pause_dag("no_such_dag", "mig_1")


def test_a_dag_that_is_let_go_starts_nothing_new_until_it_is_parsed(
    config: SourceConfig, source: SourceAdapter
) -> None:
    source.hold_back("daily_sales", "mig_1")  # nobody let it go: nothing happens
    assert source.dag_states(["daily_sales"])["daily_sales"].next_run_after is not None
    source.pause_dag("daily_sales", "mig_1")
    source.unpause_dag("daily_sales", "mig_1")
    source.hold_back("daily_sales", "mig_2")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.let_go, state.next_run_after is not None) == ("mig_1", True)
    source.hold_back("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.next_run_after, state.next_interval is not None) == (None, True)
    source.pause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.mark, state.let_go) == ("mig_1", None)
    assert query(config, "select count(*) from log where event = 'aerodrome.pause'")[0][0] == 2


def test_a_run_that_ends_while_history_is_read_belongs_to_the_next_pass(
    config: SourceConfig, source: SourceAdapter
) -> None:
    until = source.history_watermark(DAGS)
    assert until is not None
    before = HistoryWindow(DAGS, until=until)
    counts = source.history_counts(before)
    later = until + timedelta(minutes=5)
    is_sqlite = config.database_url.reveal().startswith("sqlite")
    execute(
        config,
        "update dag_run set state = 'success', end_date = :at, updated_at = :at where state = 'running'",
        at=later.replace(tzinfo=None).isoformat(" ") if is_sqlite else later,
    )
    execute(config, "update task_instance set state = 'success' where state in ('running', 'up_for_retry')")
    assert source.history_counts(before) == counts
    newest = source.history_watermark(DAGS)
    assert newest is not None
    assert newest >= later
    everything = source.history_counts(HistoryWindow(DAGS, until=later))
    assert everything["run"] > counts["run"]
    assert everything["task_instance"] > counts["task_instance"]


def test_a_dag_that_was_paused_before_stays_paused_after_roll_back(source: SourceAdapter) -> None:
    source.pause_dag("maintenance", "mig_1")
    source.unpause_dag("maintenance", "mig_1")
    assert source.dag_states(["maintenance"])["maintenance"].is_paused


def test_states_tell_what_is_in_flight_and_what_comes_next(source: SourceAdapter) -> None:
    states = source.dag_states([*DAGS, "no_such_dag"])
    assert set(states) == set(DAGS)
    sales = states["daily_sales"]
    assert sales.in_flight == {"run:running": 1, "running": 1, "up_for_retry": 1}
    assert sales.last_run_state == "success"
    assert sales.last_interval is not None
    assert sales.next_interval is not None
    assert sales.next_interval[0] == sales.last_interval[1]
    assert states["orders_report"].next_interval is None


def test_no_secret_shows_in_estate_or_reports(estate: Estate, fernet_key: str) -> None:
    assessment = assess(estate, "3.3.2")
    stored = "".join(gzip.decompress(path.read_bytes()).decode() for path in estate.folder.glob("*.gz"))
    stored += (estate.folder / "manifest.json").read_text()
    stored += report.to_html(assessment, estate) + json.dumps(report.to_json(assessment, estate))
    assert "canary" not in stored
    assert fernet_key not in stored
    assert {finding.code for finding in assessment.findings} >= {
        "orm-access", "missing-pool", "import-error", "plain-secret", "sla", "catchup-default", "in-flight",
    }  # fmt: skip
    assert assessment.dag_risks["maintenance"].risk == "high"


def test_a_reader_without_rights_to_write_can_do_all_but_pause(
    config: SourceConfig, open_one: Opener, database: str
) -> None:
    if database == "sqlite":
        pytest.skip("SQLite has no roles")
    for statement in (
        "drop role if exists source_reader",
        "create role source_reader login password 'canary-role-password'",
        "grant select on all tables in schema public to source_reader",
    ):
        execute(config, statement)
    url = config.database_url.reveal()
    head, _, tail = url.partition("://")
    reader = f"{head}://source_reader:canary-role-password@{tail.split('@', 1)[1]}"
    source = open_one(replace(config, database_url=Secret(reader)))
    found = source.describe()
    assert found.is_ok
    assert [probe.name for probe in found.probes if not probe.is_ok] == ["pausing"]
    with pytest.raises(AerodromeError) as error:
        source.pause_dag("daily_sales", "m")
    assert error.value.code == "source-right-missing"
    wrong = open_one(replace(config, database_url=Secret(reader.replace("canary-role-password", "canary-wrong"))))
    failed = wrong.describe().probes[0]
    assert not failed.is_ok
    assert "refuses" in failed.message
    assert "canary" not in failed.message
    execute(config, "drop owned by source_reader")
    execute(config, "drop role source_reader")


def test_runs_of_a_held_dag_are_stopped_remembered_and_resumed(
    config: SourceConfig, source: SourceAdapter, clock: ManualClock
) -> None:
    assert isinstance(source, StopsRuns)
    with pytest.raises(Conflict) as error:
        source.stop_runs("daily_sales", "mig_1")
    assert error.value.code == "source-cannot-stop"
    running = query(config, "select run_id from dag_run where dag_id = 'daily_sales' and state = 'running'")[0][0]
    succeeded = "select count(*) from task_instance where dag_id = 'daily_sales' and state = 'success'"
    before = query(config, succeeded)
    execute(
        config,
        "insert into job (id, job_type, state, latest_heartbeat) values (4711, 'LocalTaskJob', 'running', :now)",
        now=clock.now(),
    )
    execute(config, "update task_instance set job_id = 4711 where dag_id = 'daily_sales' and state = 'running'")
    source.pause_dag("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    assert source.dag_states(["daily_sales"])["daily_sales"].in_flight == {}
    assert source.stopped_runs(DAGS, "mig_1") == {"daily_sales": StoppedRuns((running,), alive=1)}
    assert source.stopped_runs(DAGS, "mig_2") == {}
    execute(config, "update job set state = 'failed' where id = 4711")
    assert source.stopped_runs(DAGS, "mig_1") == {"daily_sales": StoppedRuns((running,), alive=0)}
    states = f"select state from task_instance where dag_id = 'daily_sales' and run_id = '{running}'"
    assert "failed" in {row[0] for row in query(config, states)} <= {"success", "failed", "upstream_failed", "skipped"}
    assert query(config, succeeded) == before  # what succeeded is not run again
    assert running in {row["run_id"] for row in rows_of(source, "run", HistoryWindow(("daily_sales",)))}

    source.resume_runs("daily_sales", "mig_1", {})
    source.resume_runs("daily_sales", "mig_1", {})
    assert source.stopped_runs(DAGS, "mig_1")["daily_sales"].run_ids == ()
    state = f"select state from dag_run where dag_id = 'daily_sales' and run_id = '{running}'"
    assert query(config, state)[0][0] == "queued"
    assert None in {row[0] for row in query(config, states)} <= {"success", "skipped", None}


def test_a_stopped_run_that_ended_elsewhere_takes_that_state(config: SourceConfig, source: SourceAdapter) -> None:
    assert isinstance(source, StopsRuns)
    source.pause_dag("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    (run_id,) = source.stopped_runs(DAGS, "mig_1")["daily_sales"].run_ids
    source.resume_runs("daily_sales", "mig_1", {run_id: "success"})
    found = query(
        config,
        f"select state from dag_run where dag_id = 'daily_sales' and run_id = '{run_id}' union all "
        f"select state from task_instance where dag_id = 'daily_sales' and run_id = '{run_id}'",
    )
    assert {row[0] for row in found} <= {"success", "skipped"}


def test_versions_change_with_the_dag(config: SourceConfig, source: SourceAdapter, estate: Estate) -> None:
    assert isinstance(source, KnowsVersions)
    planned = {dag.dag_id: dag.version for dag in estate.all(DagRecord)}
    assert None not in planned.values()
    assert source.dag_versions([*DAGS, "no_such_dag"]) == planned
    table = "from serialized_dag where dag_id = 'daily_sales'"
    form = query(config, f"select data {table}")[0][0]
    data = json.loads(form) if isinstance(form, str | bytes) else form

    def write(**changed: Any) -> None:
        text = json.dumps({**data, "dag": {**data["dag"], **changed}})
        execute(
            config, "update serialized_dag set data = :data, dag_hash = 'x' where dag_id = 'daily_sales'", data=text
        )

    write(start_date=1.0)  # as a computed one, days_ago for example
    assert source.dag_versions(["daily_sales"]) == {"daily_sales": planned["daily_sales"]}
    write(max_active_runs=99)
    assert source.dag_versions(["daily_sales"])["daily_sales"] not in {None, planned["daily_sales"]}


def test_peaks_count_what_ran_at_the_same_time(config: SourceConfig, source: SourceAdapter) -> None:
    assert isinstance(source, MeasuresConcurrency)
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    rows = query(
        config,
        "select start_date, end_date, pool_slots, pool from task_instance where dag_id in "
        "('daily_sales', 'implicit_daily', 'maintenance') and start_date is not null and end_date is not null",
    )
    moments = [row[0] for row in rows]
    together = max(sum(start <= moment < end for start, end, _, _ in rows) for moment in moments)
    peaks = source.concurrency(["daily_sales", "implicit_daily", "maintenance"], long_ago)
    assert peaks.tasks == together > 0
    assert set(peaks.slots_by_pool) == {row[3] for row in rows}
    assert source.concurrency(["no_such_dag"], long_ago).tasks == source.concurrency([], long_ago).tasks == 0


def test_tries_from_before_an_upgrade_to_2_10_are_given(config: SourceConfig, source: SourceAdapter) -> None:
    """Their only trace is `task_fail`; what the table of tries has is not given twice."""
    dag_id, run_id = query(config, "select dag_id, run_id from dag_run where state = 'success' order by id limit 1")[0]
    window = HistoryWindow((dag_id,))
    first, second = sorted(
        row["task_id"]
        for row in rows_of(source, "task_instance", window)
        if row["run_id"] == run_id and row["map_index"] == -1 and row["start_date"]
    )[:2]
    here = {"dag_id": dag_id, "run_id": run_id}
    whose = "dag_id = :dag_id and run_id = :run_id and task_id in (:first, :second)"
    for table in ("task_fail", "task_instance_history"):
        execute(config, f"delete from {table} where dag_id = :dag_id", dag_id=dag_id)
    assert rows_of(source, "task_try", window) == []
    execute(config, f"update task_instance set try_number = 2 where {whose}", **here, first=first, second=second)
    execute(
        config,
        "insert into task_fail (dag_id, run_id, task_id, map_index, start_date, end_date, duration) "
        "select dag_id, run_id, task_id, map_index, '2024-01-01 00:00:00+00:00', '2024-01-01 00:00:05+00:00', 5 "
        f"from task_instance where {whose}",
        **here, first=first, second=second,
    )  # fmt: skip
    execute(
        config,
        "insert into task_instance_history (dag_id, run_id, task_id, map_index, try_number, state, pool, pool_slots) "
        "select dag_id, run_id, task_id, map_index, 1, 'failed', pool, pool_slots "
        "from task_instance where dag_id = :dag_id and run_id = :run_id and task_id = :second",
        **here, second=second,
    )  # fmt: skip

    tries = {row["task_id"]: row for row in rows_of(source, "task_try", window)}

    assert {task_id: (row["try_number"], row["state"]) for task_id, row in tries.items()} == {
        first: (1, "failed"),
        second: (1, "failed"),
    }
    assert tries[first]["start_date"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert tries[second]["start_date"] is None
    assert source.history_counts(window)["task_try"] == 2
    execute(config, f"update task_instance set try_number = 3 where {whose}", **here, first=first, second=second)
    left = [item.code for batch in source.history("task_try", window) for item in batch.rejected]
    assert left == ["try-number-unknown"]


def next_of(config: SourceConfig, source: SourceAdapter, date: Any) -> Any:
    """Give the state after the row names a date as the next, as Airflow 2 leaves it while max_active_runs is reached."""
    execute(
        config,
        "update dag set next_dagrun = :date, next_dagrun_create_after = null, next_dagrun_data_interval_start = :date "
        "where dag_id = 'daily_sales'",
        date=date,
    )
    return source.dag_states(["daily_sales"])["daily_sales"]


def test_a_next_run_that_was_run_already_is_stepped_over_as_the_scheduler_will(
    config: SourceConfig, source: SourceAdapter
) -> None:
    fresh = source.dag_states(["daily_sales"])["daily_sales"]
    assert not fresh.is_next_passed
    newest = "select max(execution_date) from dag_run where dag_id = 'daily_sales' and run_type = 'scheduled'"
    ((last,),) = query(config, newest)
    state = next_of(config, source, last)
    assert (state.next_interval, state.next_logical_date) == (fresh.next_interval, fresh.next_logical_date)
    assert state.next_run_after == fresh.next_interval[1]  # type: ignore[index]
    ((before,),) = query(config, f"{newest} and execution_date < ({newest})")
    assert next_of(config, source, before).next_interval == fresh.next_interval  # runs ended in another order
    ended = "select max(execution_date) from dag_run where dag_id = 'daily_sales'"
    execute(
        config, f"update dag_run set run_type = 'manual' where execution_date = ({ended}) and dag_id = 'daily_sales'"
    )
    manual = next_of(config, source, last)
    assert manual.next_logical_date is not None
    assert not manual.is_next_passed  # a run by hand is none of the schedule's


@pytest.mark.parametrize("bound", ["end_date", "start_date", "timetable"])
def test_where_only_the_scheduler_can_tell_the_next_run_it_is_not_guessed(
    config: SourceConfig, source: SourceAdapter, bound: str
) -> None:
    newest = "select max(execution_date) from dag_run where dag_id = 'daily_sales' and run_type = 'scheduled'"
    ((last,),) = query(config, newest)
    ((stored,),) = query(config, "select data from serialized_dag where dag_id = 'daily_sales'")
    form = json.loads(stored) if isinstance(stored, str) else stored
    if bound == "timetable":
        form["dag"]["timetable"] = {"__type": "plugins.days.WorkDays", "__var": {}}
        form["dag"].pop("schedule_interval", None)
    else:
        form["dag"][bound] = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
    execute(config, "update serialized_dag set data = :data where dag_id = 'daily_sales'", data=json.dumps(form))
    assert next_of(config, source, last).is_next_passed
