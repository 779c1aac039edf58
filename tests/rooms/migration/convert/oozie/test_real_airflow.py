"""Both real Airflows read what was converted, and run it at Oozie's nominal times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from tests.rooms.migration.convert.oozie.crammed import write_crammed
from tests.rooms.migration.convert.oozie.estates import write_estate

from aerodrome.builds.contract import Venv
from aerodrome.migration.convert.contract import Target
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.oozie.oracle import nominal_times
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.parsing import ParseLimits, ParseSetting, parse
from aerodrome.parsing.warm import end_all

_VERSIONS = {"2.11": "2.11.2", "3.3": "3.3.2"}
_TIMES = (
    ("${coord:months(1)}", "2015-01-31T05:00Z", "UTC"),
    ("${coord:endOfMonths(1)}", "2015-01-10T05:00Z", "America/Los_Angeles"),
    ("${coord:days(2)}", "2015-03-25T01:30Z", "Europe/Paris"),
    ("0/20 3 ? * 2-6", "2015-01-01T00:00Z", "Europe/Paris"),
    ("${coord:hours(24)}", "2015-03-25T01:30Z", "Europe/Paris"),
    ("45", "2015-03-25T01:30Z", "UTC"),
    ("0 6 15W * ?", "2015-01-01T00:00Z", "UTC"),
    ("${coord:days(1)}", "2015-01-01T00:00Z", "UTC", "NONE"),
    ("0 5 * * ?", "2015-01-01T00:00Z", "UTC", "NONE"),
    ("${coord:days(1)}", "2015-01-01T00:00Z", "UTC", "LAST_ONLY"),
)


def write_coordinators(folder: Path) -> None:
    for number, (frequency, start, zone, *execution) in enumerate(_TIMES):
        controls = f"<controls><execution>{execution[0]}</execution></controls>" if execution else ""
        path = folder / f"c{number}" / "coordinator.xml"
        path.parent.mkdir()
        path.write_text(
            f'<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c{number}" frequency="{frequency}" start="{start}" end="2030-01-01T00:00Z"'
            f' timezone="{zone}">{controls}<action><workflow><app-path>/elsewhere/w{number}</app-path></workflow></action></coordinator-app>'
        )


@pytest.mark.airflow
@pytest.mark.parametrize("target", get_args(Target))
def test_airflow_reads_it_and_runs_it_when_oozie_would(
    target: Target, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    write_coordinators(write_estate(tmp_path / "source"))
    write_crammed(tmp_path / "source" / "crammed")
    conversion = read(tmp_path / "source", {})
    project = tmp_path / "project"
    emit(compose(conversion, target), project)
    place = airflow_venv(_VERSIONS[target]).path
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "PYTHONPATH": f"{project}:{project / 'plugins'}",
        "TZ": "UTC",
    }
    setting = ParseSetting(place, _VERSIONS[target], environment, tmp_path / "warm")
    limits = ParseLimits(is_remembering=False, next_runs=50, next_runs_from=datetime(1980, 1, 1, tzinfo=UTC))
    try:
        done = parse(project, setting, limits=limits)
    finally:
        end_all(tmp_path / "warm")
    assert done.failures == ()
    found = {dag.dag_id: dag for dag in done.dags}
    assert set(found) == {dag.dag_id for dag in conversion.dags}
    for dag in conversion.dags:
        if dag.schedule.oracle:
            wanted = [moment.isoformat() for moment in nominal_times(dag.schedule.oracle, 50)]
            assert [run.run_after for run in found[dag.dag_id].next_runs] == wanted, dag.dag_id
