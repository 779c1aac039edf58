"""The estate and the values of metadata databases that a real Airflow 2.11.2 wrote, on SQLite and PostgreSQL."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tests.rooms.migration.sources.behind import DAGS, execute, query, quiet
from tests.rooms.migration.sources.conformance import keeps_the_contract

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.assess import assess, report
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import (
    ConfigRecord,
    ConnectionRecord,
    DagRecord,
    ImportErrorRecord,
    MeasureRecord,
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
)

pytestmark = pytest.mark.airflow

Opener = Callable[[SourceConfig], SourceAdapter]


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


@pytest.mark.parametrize("place", ["config_file", "env_file"])
def test_without_a_key_that_of_the_files_is_taken(
    place: str, config: SourceConfig, open_one: Opener, fernet_key: str, tmp_path: Path
) -> None:
    lines = {
        "config_file": f"[core]\nfernet_key = {fernet_key}\n",
        "env_file": f"AIRFLOW__CORE__FERNET_KEY={fernet_key}\n",
    }
    (tmp_path / place).write_text(lines[place])
    found = replace(config, fernet_keys=Secret(""), config_file=None, env_file=None)
    assert not open_one(found).describe().is_ok
    known = {"config_file": None, "env_file": None, place: tmp_path / place}
    assert open_one(replace(found, config_file=known["config_file"], env_file=known["env_file"])).describe().is_ok


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


def test_what_a_secrets_backend_is_asked_for_stands_in_the_estate(
    config: SourceConfig, open_one: Opener, clock: ManualClock, tmp_path: Path
) -> None:
    """Names that DAGs look up and neither database nor environment has; without a backend nobody has them."""
    execute(config, "delete from connection where conn_id = 'warehouse'")
    execute(config, "delete from variable where key = 'sales_region'")
    env = tmp_path / "backend.env"
    assert config.env_file is not None
    env.write_text(config.env_file.read_text() + "\nAIRFLOW__SECRETS__BACKEND=airflow.providers.x.VaultBackend\n")
    found = []
    for number, env_file in enumerate((config.env_file, env)):
        estate = capture(open_one(replace(config, env_file=env_file)), "x", tmp_path / f"e{number}", clock, quiet)
        records: list[ConnectionRecord | VariableRecord] = [*estate.all(ConnectionRecord), *estate.all(VariableRecord)]
        found.append([(each.kind, each.key, each.fingerprint) for each in records if each.origin == "secrets-backend"])
    assert found == [[], [("connection", "warehouse", None), ("variable", "sales_region", None)]]


@pytest.mark.parametrize(("extra", "is_odd"), [("[1]", True), ("a=b", True), ('{"a": 1}', False), ("{}", False)])
def test_an_extra_that_is_no_object_is_noticed(
    config: SourceConfig, open_one: Opener, fernet_key: str, extra: str, *, is_odd: bool
) -> None:
    stored = Fernet(fernet_key).encrypt(extra.encode()).decode()
    execute(config, "update connection set extra = :extra where conn_id = 'warehouse'", extra=stored)
    found = [record for record in open_one(config).records(quiet) if record.key == "warehouse"]
    assert [isinstance(record, ConnectionRecord) and record.has_odd_extra for record in found] == [is_odd]


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


def test_task_logs_are_looked_for_where_the_configuration_says(
    config: SourceConfig, open_one: Opener, clock: ManualClock, tmp_path: Path
) -> None:
    for number, (options, is_ok) in enumerate(
        (
            (f"base_log_folder = {tmp_path}", True),
            ("base_log_folder = /no/such/folder", False),
            ("remote_logging = True\nremote_base_log_folder = wasb-logs", False),
        )
    ):
        file = tmp_path / f"{number}.cfg"
        file.write_text(f"[logging]\n{options}\n")
        source = open_one(replace(config, config_file=file))
        described = source.describe()
        assert described.is_ok
        assert {probe.name: probe.is_ok for probe in described.probes}["task logs"] is is_ok
        estate = capture(source, "legacy", tmp_path / f"estate{number}", clock, quiet)
        measures = {record.name: record.amount for record in estate.all(MeasureRecord)}
        assert measures["logs:readable"] == is_ok


def test_a_metadata_database_keeps_the_contract_of_sources(source: SourceAdapter) -> None:
    keeps_the_contract(source, holds="daily_sales")
