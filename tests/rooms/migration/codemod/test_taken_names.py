"""Classes that are reached through their module, in a file that has the name for something else: imported once, under another."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade

_HEAD = "from airflow import models\n\n\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            f"{_HEAD}def build():\n    return models.DAG('a', schedule=None)\n\n\nDAG = build()\n",
            "from airflow.sdk import DAG as AirflowDAG\n\n\ndef build():\n    return AirflowDAG('a', schedule=None)\n\n\nDAG = build()\n",
        ),
        (
            f"{_HEAD}def Variable():\n    return models.Variable.get('a')\n\n\nx = models.Variable.get('b')\n",
            None,  # models.Variable still works
        ),
    ],
)
def test_a_name_that_is_taken(tmp_path: Path, old: str, new: str | None) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text(old)
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.3"))
    assert (tmp_path / "out" / "a.py").read_text() == (new or old)
    assert bool(done.rules) == bool(new)
    again = upgrade(tmp_path / "out", tmp_path / "again", "3.3.2", Options(source_version="3.3.2"))
    assert [file.path for file in again.files if file.diff] == []
