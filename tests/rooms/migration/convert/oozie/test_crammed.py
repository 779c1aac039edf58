"""Definitions that cram in all that Oozie has of one kind become tasks that do it, and what cannot be done is said."""

from __future__ import annotations

from pathlib import Path

from tests.rooms.migration.convert.oozie.crammed import write_crammed

from aerodrome.migration.convert.oozie.model import read_workflow
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read_file


def test_only_what_has_no_equivalent_raises(tmp_path: Path) -> None:
    write_crammed(tmp_path)
    conversion = read(tmp_path, {})
    raising = {(item.name, item.code) for dag in conversion.dags for item in dag.accounts if item.outcome == "raises"}
    assert raising == {("c", "el-external")}
    assert all("suspend-on-nodes" in {item.code for item in dag.accounts} for dag in conversion.dags)


def test_their_runs_are_those_of_oozie(tmp_path: Path) -> None:
    write_crammed(tmp_path)
    flows = {
        str(path.relative_to(tmp_path)): read_workflow(read_file(path), str(path.relative_to(tmp_path)))
        for path in tmp_path.rglob("workflow.xml")
    }
    proven = [
        prove_flow(flows[dag.origin.file], dag, flows=flows)
        for dag in read(tmp_path, {}).dags
        if dag.origin.file in flows
    ]
    assert proven == [()] * 4
