"""Connections that tasks open: what they write is kept with SQLAlchemy 2, or it is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "sqlalchemy-connection"]
HEAD = "import pandas as pd\nfrom sqlalchemy import create_engine, text, insert, select\n\nengine = create_engine(at)\n"
ALONE = 'engine.connect().execution_options(isolation_level="AUTOCOMMIT")'


def done(text: str, **options: str) -> Rewritten:
    return rewrite((HEAD + text + "\n").encode(), OURS, Options(**{"source_version": "2.9.3", **options}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with engine.connect() as c:\n    c.execute(text('insert into a'))", "with engine.begin() as c:\n    c.execute(text('insert into a'))"),
        ("with engine.connect() as c:\n    c.execute('delete from a')", "with engine.begin() as c:\n    c.exec_driver_sql('delete from a')"),
        ("with engine.connect() as c:\n    c.execute(insert(t))\n    tell()", f"with {ALONE} as c:\n    c.execute(insert(t))\n    tell()"),
        ("with engine.connect() as c:\n    c.execute(t.insert().values(a=1))\n    tell()", f"with {ALONE} as c:\n    c.execute(t.insert().values(a=1))\n    tell()"),
        ("c = engine.connect()\nc.execute(text(f'drop table {a}'))\nc.close()", f"c = {ALONE}\nc.execute(text(f'drop table {{a}}'))\nc.close()"),
        ("engine.connect().execute(text('update a'))", f"{ALONE}.execute(text('update a'))"),
        ("sql = 'truncate a'\nwith engine.connect() as c:\n    c.execute(sql)", "sql = 'truncate a'\nwith engine.begin() as c:\n    c.exec_driver_sql(sql)"),
        ("with engine.begin() as c:\n    c.execute('insert into a values (%s)', (1,))", "with engine.begin() as c:\n    c.exec_driver_sql('insert into a values (%s)', (1,))"),
        ("with engine.connect() as c:\n    a = c.execute('select 1').fetchall()", "with engine.connect() as c:\n    a = c.exec_driver_sql('select 1').fetchall()"),
        ("with engine.connect() as c:\n    with c.begin():\n        c.execute('drop table a')", "with engine.connect() as c:\n    with c.begin():\n        c.exec_driver_sql('drop table a')"),
        ("with engine.connect() as c:\n    c.execute(text('select 1'))\n    df.to_sql('a', con=c)", f"with {ALONE} as c:\n    c.execute(text('select 1'))\n    df.to_sql('a', con=c)"),
        ("if a:\n    engine.execute('drop table a')", "if a:\n    with engine.begin() as connection:\n        connection.exec_driver_sql('drop table a')"),
        ("engine.execute(text('drop table a'), b=1)", "with engine.begin() as connection:\n    connection.execute(text('drop table a'), b=1)"),
    ],
)  # fmt: skip
def test_what_is_written_is_kept(old: str, new: str) -> None:
    found = done(old)
    assert found.text.decode() == f"{HEAD}{new}\n"
    assert not found.spots
    assert rewrite(found.text, OURS, Options(source_version="2.9.3")).text == found.text
    assert done(old, target="2.11.2").text.decode() == f"{HEAD}{old}\n"
    assert done(old, source_version="3.1.0").text.decode() == f"{HEAD}{old}\n"


@pytest.mark.parametrize(
    "text",
    [
        "with engine.connect() as c:\n    c.execute(text('select 1'))",
        "with engine.connect() as c:\n    c.execute(select(t))",
        "with engine.connect() as c:\n    a = pd.read_sql('select 1', c)",
        "with engine.connect() as c:\n    df.to_sql('a', c)",
        "with engine.connect() as c:\n    c.execute(text('insert into a'))\n    c.commit()",
        "with other.connect() as c:\n    c.execute('insert into a')",
        "a = engine.execute('select 1')",
        "new = create_engine(at, future=True)\nwith new.connect() as c:\n    c.execute(text('insert into a'))",
    ],
)
def test_what_stays(text: str) -> None:
    found = done(text)
    assert found.text.decode() == f"{HEAD}{text}\n"
    assert not found.spots


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def load(sql):\n    with engine.connect() as c:\n        c.execute(sql)", "commits nothing"),
        ("with engine.connect() as c:\n    c.execute(text('insert into a'))\n    tell(c)", "commits nothing"),
        ("class Load:\n    def open(self):\n        return engine.connect()", "commits nothing"),
        ("with engine.begin() as c:\n    c.execute('insert into a values (%s)', 1)", "no plain text"),
    ],
)
def test_what_cannot_be_seen_is_told(text: str, told: str) -> None:
    found = done(text)
    assert found.text.decode() == f"{HEAD}{text}\n"
    assert told in str(found.spots)


_SCRIPT = """
from sqlalchemy import create_engine, text

engine = create_engine("sqlite:///till.db")
engine.execute("create table a (b int)")
with engine.connect() as c:
    c.execute("insert into a values (1)")
with engine.connect() as c:
    c.execute(text("insert into a values (:b)"), {"b": 2})
    c.execute("insert into a values (?)", (3,))
c = engine.connect()
c.execute("delete from a where b = 2")
c.close()
try:
    with engine.connect() as c:
        c.execute(text("insert into a values (4)"))
        raise KeyError
except KeyError:
    pass
with engine.connect() as c:
    print("RESULT", [row[0] for row in c.execute("select b from a order by b")])
"""


@pytest.mark.airflow
def test_both_sqlalchemies_keep_the_same(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    upgraded = rewrite(_SCRIPT.encode(), OURS, Options(source_version="2.11.2")).text.decode()
    results = []
    for version, script in (("2.11.2", _SCRIPT), ("3.3.2", upgraded)):
        (tmp_path / version).mkdir()
        done = subprocess.run(
            [str(airflow_venv(version).path / "bin/python"), "-W", "ignore", "-c", script],
            cwd=tmp_path / version, capture_output=True, text=True, check=False,
        )  # fmt: skip
        results.append(done.stdout.strip() or done.stderr[-900:])
    assert results == ["RESULT [1, 3, 4]"] * 2
