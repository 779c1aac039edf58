"""What an action captures is read as Java properties, which is how Oozie reads it: a Java program escapes what it stores."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.rooms.migration.convert.oozie.test_host_commands import convert, script

from aerodrome.migration.convert.contract import Target
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.captured import captured
from aerodrome.migration.convert.oozie.reading import read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rows=7\nday=2026-01-01", {"rows": "7", "day": "2026-01-01"}),
        ("#Tue Dec 01\n! no\nuri=hdfs\\://nn\\:8020/a\\=b", {"uri": "hdfs://nn:8020/a=b"}),
        ("date: 2026\nspace separated value", {"date": "2026", "space": "separated value"}),
        ("long=a\\\n   b\nback=C\\:\\\\x\\\\\nnext=\\u00e4\\t", {"long": "ab", "back": "C:\\x\\", "next": "ä\t"}),
        ("  lead = 1\nempty=\nalone\nlast=a=b:c", {"lead": "1", "empty": "", "alone": "", "last": "a=b:c"}),
        ("", {}),
    ],
)
def test_captured_output_is_read_as_properties(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    (said := tmp_path / "said").write_text(text)
    dag = convert(tmp_path / "app", f"<shell><exec>cat</exec><argument>{said}</argument><capture-output/></shell>")
    done = subprocess.run(
        ["bash", "-c", script(dag)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    last = done.stdout.splitlines()[-1]  # which BashOperator hands to its output_processor
    assert captured(last) == found
    for target in get_args(Target):  # as the file of the DAG has it
        made = next(
            text for name, text in compose(read(tmp_path / "app", {}), target).items() if name == "dags/w_dag.py"
        )
        assert "output_processor=captured" in made
        space: dict[str, Any] = {"re": re, "json": json}
        exec(made[made.index("def captured") : made.index("with DAG(")], space)
        assert space["captured"](last) == found
