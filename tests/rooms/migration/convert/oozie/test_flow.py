"""The steering of a DAG does what the workflow does: the same actions, in order, with the same end, for every outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.migration.convert.oozie.graphs import Maker

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read as read_xml


def converted(text: str, folder: Path) -> tuple[Workflow, Dag]:
    (folder / "workflow.xml").write_text(text)
    return read_workflow(read_xml(text.encode(), "workflow.xml"), "workflow.xml"), read(folder, {}).dags[0]


@pytest.mark.parametrize("seed", range(60))
def test_random_workflows_behave_as_in_oozie(seed: int, tmp_path: Path) -> None:
    workflow, dag = converted(Maker(seed).workflow(seed % 5 + 2), tmp_path)
    assert workflow.defects == ()
    assert prove_flow(workflow, dag) == ()
