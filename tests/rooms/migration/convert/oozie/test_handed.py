"""What a coordinator gives to a workflow that is not here: the values that Oozie would give it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="tide" frequency="${coord:days(1)}" start="2024-03-01T00:00Z" end="2024-06-01T00:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><action><workflow><app-path>/apps/elsewhere</app-path><configuration>
  <property><name>dir</name><value>${dir}/${coord:formatTime(coord:nominalTime(), 'yyyy-MM-dd')}</value></property>
  <property><name>day</name><value>day ${coord:formatTime(coord:nominalTime(), 'dd')}</value></property>
  <property><name>other</name><value>${day}-${dir}</value></property></configuration></workflow></action></coordinator-app>"""


def convert(folder: Path, properties: str) -> Dag:
    (folder / "coordinator.xml").write_text(_COORDINATOR)
    (folder / "job.properties").write_text(properties)
    (dag,) = read(folder, {}).dags
    return dag


def handed(dag: Dag, **params: str) -> dict[str, str]:
    """Render the conf of the run that is triggered."""
    given = {item.name: item.default for item in dag.parameters} | params
    conf = dict(dag.task("workflow").arguments)["conf"]
    assert isinstance(conf, dict)
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    return {key: jinja.from_string(str(text)).render(params=given, logical_date=moment) for key, text in conf.items()}


@pytest.mark.parametrize("given", ["dir=/data/tide\nday=job\n", "root=/data\ndir=${root}/tide\nday=job\n", "day=job\n"])
def test_values_of_a_configuration_are_read_outside_of_it(tmp_path: Path, given: str) -> None:
    """`${dir}` in the value of `dir` is that of the job, and `${day}` in another value, too (Oozie 4.x/5.x: CoordSubmitXCommand.resolveInitial)."""
    found = handed(convert(tmp_path, given), **({} if "dir" in given else {"dir": "/data/tide"}))
    assert found["dir"] == "/data/tide/2024-03-01"
    assert found["day"] == "day 01"
    assert found["other"] == "job-/data/tide"
