"""What a job's properties ask of Oozie itself is told where a DAG cannot do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="load"/><action name="load"><fs><mkdir path="/x"/></fs><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_COORDINATOR = """<coordinator-app name="c" frequency="${coord:days(1)}" start="2024-03-01T05:00Z" end="2024-06-01T05:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><action><workflow><app-path>/apps/w</app-path></workflow></action></coordinator-app>"""


@pytest.mark.parametrize("is_scheduled", [False, True])
@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ("oozie.suspend.on.nodes=other, load", {"suspend-on-nodes": "before load until"}),
        ("oozie.suspend.on.nodes=*", {"suspend-on-nodes": "before every node"}),
        ("oozie.suspend.on.nodes=${stop}", {"suspend-on-nodes": "only the run knows"}),
        ("oozie.suspend.on.nodes=other", {}),
        ("oozie.wf.action.notification.url=http://host/$jobId", {"notification-url": "action.notification.url"}),
        ("oozie.coord.action.notification.url=http://host/$actionId", {"notification-url": "coord.action"}),
        ("oozie.use.system.libpath=true", {}),
    ],
)
def test_what_is_asked_of_oozie_is_told(
    tmp_path: Path, properties: str, said: dict[str, str], is_scheduled: bool
) -> None:
    (tmp_path / "workflow.xml").write_text(_WORKFLOW)
    (tmp_path / "job.properties").write_text(properties + "\n")
    if is_scheduled:
        (tmp_path / "coordinator.xml").write_text(_COORDINATOR)
    (dag,) = read(tmp_path, {}).dags
    found = {item.code: item.reason for item in dag.accounts if item.element == "workflow/properties"}
    assert set(found) == set(said)
    assert all(text in found[code] for code, text in said.items())
