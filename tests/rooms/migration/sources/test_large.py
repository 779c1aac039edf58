"""What a large estate needs, shown on a small one of the same make: counted in bulk as one by one, measured, assessed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench.estate import fill
from bench.estate_dags import Size, write_files
from sqlalchemy import Engine, create_engine, event, text

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.assess import assess
from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.estate.records import DagRecord, EndpointRecord, MeasureRecord, RoleRecord
from aerodrome.migration.sources.airflow_db import counting
from aerodrome.migration.sources.airflow_db.counting import whole_counts
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.airflow_db.measures import measures, roles
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.sources.registry import open_source

pytestmark = pytest.mark.airflow

SIZE = Size(dags=60, runs=6, tasks=3, xcom_every=3)


@pytest.fixture
def large(config: SourceConfig, source_url: str, fernet_key: str, tmp_path: Path) -> SourceConfig:
    """The source with the generated DAGs beside its own."""
    url = source_url.replace("+psycopg2:", "+psycopg:")
    fill(url, SIZE, fernet_key)
    write_files(tmp_path / "dags", SIZE)
    return replace(config, dags_folder=tmp_path / "dags")


def test_a_generated_estate_is_read_and_assessed(large: SourceConfig, tmp_path: Path) -> None:
    with closing(open_source(large, b"fingerprints", SystemClock())) as source:
        estate = capture(source, "large", tmp_path / "estate", SystemClock(), lambda _what, _done, _total: None)
    dags = {dag.dag_id: dag for dag in estate.all(DagRecord) if dag.dag_id.startswith("team")}
    assert len(dags) == SIZE.dags
    assert sum(sum(dag.task_states.values()) for dag in dags.values()) == SIZE.task_instances
    own = next(dag for dag in estate.all(DagRecord) if dag.dag_id == "daily_sales")
    assert sum(own.run_states.values()) == 12  # the generator adds nothing to a DAG that it did not make
    busy = dags["team01_flow_00001"]
    assert (busy.runs_1d, busy.runs_7d, busy.runs_30d, busy.runs_365d) == (1, 6, 6, 6)
    assert {"conn_3", "var_1"} <= {*busy.connections, *busy.variables}
    assert any(item.host == "api0.partner.example.com" for item in estate.all(EndpointRecord))
    sizes = {item.name: item.amount for item in estate.all(MeasureRecord)}
    assert sizes["rows:task_instance"] >= SIZE.task_instances * 0.9  # PostgreSQL's is an estimate
    assert sizes["bytes:database"] > 100_000
    assessment = assess(estate, "3.3.2")
    assert {finding.code for finding in assessment.findings} >= {
        "orm-access", "plain-secret", "code-host", "history-size", "dependency-group",
    }  # fmt: skip
    assert assessment.totals["task_instances"] >= SIZE.task_instances


def _statements(config: SourceConfig) -> tuple[int, int]:
    """Give how many DAGs a reading of the estate finds, and how many statements it takes."""
    counted: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with closing(open_source(config, b"fingerprints", SystemClock())) as source:
            records = list(source.records(lambda _what, _done, _total: None))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return sum(record.kind == "dag" for record in records), len(counted)


def test_more_dags_take_no_more_statements(config: SourceConfig, source_url: str, fernet_key: str) -> None:
    """The list of DAGs took two more queries for each DAG: seconds for 4,000, and a gateway's time-out."""
    few, statements = _statements(config)
    fill(source_url.replace("+psycopg2:", "+psycopg:"), SIZE, fernet_key)
    many, then = _statements(config)
    assert many == few + SIZE.dags
    assert then < statements + SIZE.dags // 4


def test_bulk_counts_are_the_counts_one_by_one(large: SourceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    database = MetadataDatabase(large.database_url)
    try:
        with database.reading() as connection:
            dag_ids = tuple(connection.scalars(text("select dag_id from dag order by dag_id")))
            middle = connection.scalar(text("select max(end_date) from dag_run where id % 7 = 0"))
        assert middle is not None
        until = datetime.fromisoformat(str(middle)).replace(tzinfo=UTC)
        for window in (
            HistoryWindow(dag_ids),
            HistoryWindow(dag_ids[::3]),
            HistoryWindow(dag_ids, until=until - timedelta(days=1)),
            HistoryWindow(dag_ids, until=until - timedelta(minutes=1)),
        ):
            wanted = HistoryReader(database).counts(window)
            for most in (2_000, 0):  # what does not move is told one by one, or is too much for that
                monkeypatch.setattr(counting, "MOST_HELD", most)
                assert whole_counts(database, window, least=0) == wanted
        assert whole_counts(database, HistoryWindow(dag_ids)) == HistoryReader(database).counts(HistoryWindow(dag_ids))
        assert whole_counts(database, HistoryWindow(dag_ids[:1])) is None  # few of many: one by one
    finally:
        database.close()


def test_pickles_and_plain_secrets_are_measured(source_url: str) -> None:
    url = source_url.replace("+psycopg2:", "+psycopg:")
    database = MetadataDatabase(Secret(url))
    before = {item.name: item.amount for item in measures(database)}
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("update xcom set value = :value where dag_run_id = (select max(dag_run_id) from xcom)"),
            {"value": b"\x80\x04."},
        )
        connection.execute(
            text(
                "insert into connection (conn_id, conn_type, password, is_encrypted) values ('open', 'http', 'x', :no)"
            ),
            {"no": False},
        )
    engine.dispose()
    after = {item.name: item.amount for item in measures(database)}
    database.close()
    assert after["xcom:pickled"] > before["xcom:pickled"]
    assert after["unencrypted:connection"] == before["unencrypted:connection"] + 1


def test_roles_come_with_their_users_and_permissions(source_url: str) -> None:
    url = source_url.replace("+psycopg2:", "+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "insert into ab_role (id, name) values (901, 'Analysts'), (902, 'Nobody')",
            "insert into ab_permission (id, name) values (901, 'can_dance')",
            "insert into ab_view_menu (id, name) values (901, 'Floor')",
            "insert into ab_permission_view (id, permission_id, view_menu_id) values (901, 901, 901)",
            "insert into ab_permission_view_role (id, permission_view_id, role_id) values (901, 901, 901)",
            "insert into ab_user (id, first_name, last_name, username, email) values (901, 'A', 'B', 'ann2', 'a@x')",
            "insert into ab_user (id, first_name, last_name, username, email) values (902, 'A', 'B', 'bob2', 'b@x')",
            "insert into ab_user_role (id, user_id, role_id) values (901, 901, 901), (902, 902, 901)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    database = MetadataDatabase(Secret(url))
    found = {role.name: role for role in roles(database)}
    database.close()
    assert found["Analysts"] == RoleRecord("Analysts", 1, 2)
    assert found["Nobody"] == RoleRecord("Nobody", 0, 0)
