"""Engines that tasks make: addresses, and what an engine of SQLAlchemy 2 does not do."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)
HEAD = "import sqlalchemy\nfrom sqlalchemy import create_engine\ndef load(host):\n    "


def done(text: str, options: Options = PINNING) -> Rewritten:
    return rewrite((HEAD + text + "\n").encode(), RULES, options)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("create_engine('postgres://a/b')", "create_engine('postgresql://a/b')"),
        ("sqlalchemy.create_engine('postgres+psycopg2://a/b')", "sqlalchemy.create_engine('postgresql+psycopg2://a/b')"),
        ("create_engine('postgres://{}/b'.format(host))", "create_engine('postgresql://{}/b'.format(host))"),
        ("create_engine('postgres://%s' % host + '/b')", "create_engine('postgresql://%s' % host + '/b')"),
        ("at = rf'postgres://{host}'; create_engine(at)", "at = rf'postgresql://{host}'; create_engine(at)"),
        ("create_engine('postgresql://a/b')", "create_engine('postgresql://a/b')"),
        ("create_engine('mysql://a/postgres://')", "create_engine('mysql://a/postgres://')"),
        ("print('postgres://a')", "print('postgres://a')"),
    ],
)  # fmt: skip
def test_an_address_gets_the_name_that_sqlalchemy_knows(before: str, after: str) -> None:
    assert done(before).text.decode() == f"{HEAD}{after}\n"
    assert done(before, Options(target="2.11.2")).text.decode() == f"{HEAD}{after}\n"


def test_an_address_that_others_read_is_told() -> None:
    text = "at = 'postgres://a'; create_engine(at); print(at)"
    found = done(text)
    assert found.text.decode() == f"{HEAD}{text}\n"
    assert "knows no address of postgres://" in str(found.spots)


def test_statements_that_an_engine_runs_are_told_where_it_is_one() -> None:
    text = "a = create_engine('x://'); a.execute('1'); host.execute('2'); host.get_sqlalchemy_engine().execute('3')"
    assert [spot.message for _, spot in done(text).spots] == ["An engine of SQLAlchemy 2 has no execute()."] * 2
    assert not done(text, Options(target="2.11.2")).spots
    assert "autocommit" in str(done("create_engine('x://').execution_options(autocommit=True)").spots)
