"""What a job calls itself: its id, which names in HDFS can hold, and its name, which may hold values of the run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import jinja2
import pytest

from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="job-${day}"><start to="d"/>
  <decision name="d"><switch><case to="go">${wf:id() ne 'x'}</case><default to="end"/></switch></decision>
  <action name="go"><fs><mkdir path="/tmp/x-${wf:id()}"/></fs><ok to="tell"/><error to="k"/></action>
  <action name="tell"><email xmlns="uri:oozie:email-action:0.2"><to>a@example.com</to><subject>${wf:name()}</subject><body>x</body></email>
  <ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_RUN = "scheduled__2024-01-01T00:00:00+00:00"


def test_an_id_is_one_name_in_hdfs(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(_WORKFLOW)
    (dag,) = read(tmp_path, {}).dags
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    command = str(dict(dag.task("go").arguments)["bash_command"])
    name = environment.from_string(command).render(run_id=_RUN).rpartition("/")[2]
    assert name == "x-scheduled__2024-01-01T00-00-00-00-00"
    assert not re.search("[:+]", name)
    decide = next(item for item in dag.functions if item.name.startswith("decide")).source_in("3.3")
    assert 'run_id.replace(":", "-").replace("+", "-")' in decide
    assert {item.name for item in dag.accounts if "job-id" in item.code} == {"d", "go"}


@pytest.mark.parametrize(("properties", "default"), [("", None), ("day=monday\n", "monday")])
def test_a_name_is_put_together_in_the_run(tmp_path: Path, properties: str, default: str | None) -> None:
    (tmp_path / "workflow.xml").write_text(_WORKFLOW)
    (tmp_path / "job.properties").write_text(properties)
    (dag,) = read(tmp_path, {}).dags
    subject = str(dict(dag.task("tell").arguments)["subject"])
    assert jinja2.Environment().from_string(subject).render(params={"day": "friday"}) == "job-friday"
    assert {item.name: item.default for item in dag.parameters} == {"day": default}
