"""The name that only Airflow gives is renamed wherever it is asked for. If this breaks, tasks skip for ever, and their runs are green."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES

_HEAD = "from airflow import DAG\nfrom lib import run\n\n\n"


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("def f(**kw): return kw.get('triggering_dataset_events', {})", "def f(**kw): return kw.get('triggering_asset_events', {})", 0),
        ('x = self.all["triggering_dataset_events"]', 'x = self.all["triggering_asset_events"]', 0),
        ("x = 'triggering_dataset_events' in y", "x = 'triggering_asset_events' in y", 0),
        ("x = 'triggering_dataset_events'", "x = 'triggering_dataset_events'", 0),
        ("@run\ndef f(triggering_dataset_events=None): pass", "@run\ndef f(triggering_dataset_events=None): pass", 1),
        ("f({'triggering_dataset_events': 1})\nx = y['triggering_dataset_events']", "f({'triggering_dataset_events': 1})\nx = y['triggering_dataset_events']", 0),
        ("f(triggering_dataset_events=1)\nx = y['triggering_dataset_events']", "f(triggering_dataset_events=1)\nx = y['triggering_dataset_events']", 0),
    ],
)  # fmt: skip
def test_where_it_is_asked_for(old: str, new: str, count: int) -> None:
    source = f"{_HEAD}{old}\n".encode()
    options = Options(source_version="2.9.3", file="a.py", project=Project({"a.py": source}))
    done = rewrite(source, RULES, options)
    assert done.text.decode() == f"{_HEAD}{new}\n"
    assert [code for code, _ in done.spots].count("asset-event-name") == count


def test_another_file_fills_it() -> None:
    source = f"{_HEAD}x = y['triggering_dataset_events']\n".encode()
    files = {"a.py": source, "b.py": b"import a\na.f(triggering_dataset_events=[])\n"}
    options = Options(source_version="2.9.3", file="a.py", project=Project(files))
    assert rewrite(source, RULES, options).text == source
