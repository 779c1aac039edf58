"""Is a source quiet: each thing that still goes on there is found. If this breaks, somebody's pipeline is switched off."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import Legacy

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import access_log, infrastructure, quiet
from aerodrome.migration.sources.airflow_rest.activity import Activity
from aerodrome.migration.sources.contract import DagState

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
QUIET = """
update dag_run set state = 'success' where state in ('queued', 'running');
update task_instance set state = 'success' where state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed');
update dag set is_paused = 1;
delete from trigger; delete from dataset_dag_run_queue;
"""


def change(legacy: Legacy, sql: str) -> None:
    with closing(sqlite3.connect(legacy.database)) as connection:
        connection.executescript(sql)


def states(legacy: Legacy, since: datetime) -> dict[str, str]:
    with closing(MetadataDatabase(Secret(legacy.url))) as database:
        return {check.key: check.state for check in quiet.look(database, since, 14)}


@pytest.mark.airflow
def test_everything_that_still_goes_on_is_found(legacy: Legacy) -> None:
    now = datetime.now(UTC)
    busy = states(legacy, now - timedelta(days=14))
    assert (busy["running"], busy["scheduled"], busy["runs"]) == ("open", "open", "open")
    change(legacy, QUIET)
    later = now + timedelta(days=15)
    assert set(states(legacy, later).values()) == {"done"}
    row = "insert into log (dttm, event, owner) values ('{:%Y-%m-%d %H:%M:%S}', '{}', '{}');"
    change(legacy, row.format(later, "cli_scheduler", "airflow") + row.format(later, "aerodrome.pause", "x"))
    assert states(legacy, later - timedelta(days=1))["calls"] == "done"  # its own work and our pause are no calls
    change(legacy, row.format(later, "trigger", "nightly-script"))
    assert states(legacy, later - timedelta(days=1))["calls"] == "open"
    change(legacy, "update dag set is_paused = 0 where dag_id = 'daily_sales'")
    assert states(legacy, later)["scheduled"] == "open"
    change(legacy, "update dag set is_active = 0 where dag_id = 'daily_sales'")  # its file is gone
    assert states(legacy, later)["scheduled"] == "done"


@pytest.mark.airflow
def test_hosts_are_those_that_worked(legacy: Legacy) -> None:
    with closing(MetadataDatabase(Secret(legacy.url))) as database:
        hosts = infrastructure.hosts_of(database)
    assert ("old-worker-1", "tasks") in {(host["name"], host["role"]) for host in hosts}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [
        '10.0.0.1 - - [01/Feb/2026:00:00:00 +0000] "GET /home HTTP/1.1" 200 1 "-" "-"',
        '10.0.0.2 - bot [02/Mar/2026:10:00:00 +0100] "POST /api/v1/dags/a/dagRuns?x=secret HTTP/1.1" 200 2 "-" "curl"',
        '10.0.0.2 - bot [03/Mar/2026:10:00:00 +0100] "GET /api/v1/dags/a/dagRuns/manual__2026-03-01T00:00:00 HTTP/1.1" 200 2 "-" "curl"',
        '10.0.0.9 - - [03/Mar/2026:10:00:01 +0100] "GET /health HTTP/1.1" 200 2 "-" "kube-probe"',
        "not a line of it",
    ]
    path = tmp_path / "access.log"
    path.write_text("\n".join(lines))
    return path


def test_an_access_log_names_who_still_calls(log: Path, tmp_path: Path) -> None:
    found = access_log.look(log, SINCE, 14)
    assert (found.state, found.message) == ("open", "2 requests by 2 callers.")
    assert any("10.0.0.2 as bot: POST /api/v1/dags/a/dagRuns, 1 times" in line for line in found.details)
    assert "secret" not in repr(found)
    assert access_log.look(log, datetime(2026, 3, 4, tzinfo=UTC), 14).state == "done"
    assert access_log.look(log, datetime(2026, 1, 1, tzinfo=UTC), 14).state == "open"
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes().splitlines(keepends=True)[3]))
    short = access_log.look(packed, SINCE, 14)
    assert (short.state, "begins only at 2026-03-03" in short.message) == ("attention", True)


def test_what_is_no_access_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    for content in (b"", b"not gzip"):
        path.write_bytes(content)
        with pytest.raises(Invalid) as caught:
            access_log.look(path, SINCE, 14)
        assert caught.value.code == "access-log-unreadable"
    with pytest.raises(Invalid):
        access_log.look(tmp_path / "none", SINCE, 14)


def test_activity_over_rest_is_judged_as_the_database_s() -> None:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    own = {("aerodrome.pause", "aerodrome"): (3, since), ("success", "airflow"): (9, since)}
    runs, calls = quiet.of_activity(Activity(0, dict(own)), since, 14)
    assert (runs.state, calls.state) == ("done", "done")
    runs, calls = quiet.of_activity(Activity(2, {**own, ("trigger", "reports"): (5, since)}), since, 14)
    assert (runs.state, calls.state, calls.message) == ("open", "open", "5 acts of others.")
    assert calls.details == ("trigger by reports: 5, the last 2026-03-01 00:00 UTC",)
    assert quiet.of_activity(Activity(0, None), since, 14)[1].state == "attention"


def state(dag_id: str, *, is_paused: bool = True, **in_flight: int) -> DagState:
    found = {key.replace("run_", "run:"): count for key, count in in_flight.items()}
    return DagState(dag_id, is_paused, None, None, None, None, None, None, in_flight=found)


def test_what_goes_on_over_rest_counts_dags_that_came_after_the_assessment() -> None:
    states = [state("sales"), state("stock", run_running=1, deferred=2)]
    running, scheduled, waiting = quiet.now_over_rest(Activity(0, {}, unpaused=("fresh",), in_flight=3), states)
    assert (running.state, scheduled.state, waiting.state) == ("open", "open", "attention")
    assert running.details == ("stock: {'run:running': 1, 'deferred': 2}", "2 runs of DAGs that were not assessed")
    assert scheduled.details == ("fresh",)
    assert "1 of them came after the assessment" in scheduled.message
    assert waiting.message.startswith("Cannot be read: Triggers of deferred tasks")
    calm = quiet.now_over_rest(Activity(0, {}, unpaused=(), in_flight=0), [state("sales")])
    assert [check.state for check in calm] == ["done", "done", "attention"]
    unasked = quiet.now_over_rest(Activity(None, None), [state("sales", is_paused=False)])
    assert unasked[1].details == ("sales",)


def test_what_cannot_be_read_is_said_and_never_counts_as_quiet() -> None:
    found = quiet.unreadable(14, "Airflow 2.2.2 has no REST API here.")
    assert {check.state for check in found} == {"open"}
    assert all(check.message == "Cannot be read: Airflow 2.2.2 has no REST API here." for check in found)
    runs, calls = quiet.of_activity(Activity(None, None), SINCE, 14)
    assert (runs.state, calls.state) == ("attention", "attention")
    assert runs.message == "Cannot be read: Its runs do not come over its API."
