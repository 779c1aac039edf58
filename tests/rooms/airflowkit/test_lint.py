"""What ruff finds, and what it cannot read. If this breaks, a file is passed over and nobody hears of it."""

from __future__ import annotations

from pathlib import Path

from aerodrome.airflowkit.lint import diagnose


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("from airflow import DAG\n\nDAG('a', schedule_interval=None)\n")
    (tmp_path / "old.py").write_text("print 'Python 2'\n")
    (tmp_path / "declared.py").write_bytes(b'# coding: latin-1\nname = "caf\xe9"\n')
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder/undeclared.py").write_bytes(b'name = "caf\xe9"\n')
    found = diagnose(tmp_path)
    assert {(item.file, item.rule) for item in found} == {
        ("new.py", "AIR301"),
        ("new.py", "AIR311"),
        ("old.py", "syntax"),
        ("declared.py", "syntax"),
        ("a folder/undeclared.py", "syntax"),
    }
    assert {item.message for item in found if item.file.endswith("declared.py")} == {
        "The file is not UTF-8: what Airflow 3 removed is not found in it."
    }
