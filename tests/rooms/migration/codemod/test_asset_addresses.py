"""Addresses of datasets: what Airflow 3's providers refuse gets a scheme of its own, the same in every file."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules.asset_addresses import RULE, is_refused


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgres://orders", True),
        ("postgresql://till/shop/orders", True),
        ("postgres://till/shop/public/orders", False),
        ("postgres://till:port/shop/public/orders", True),
        ("snowflake://lake.sales.daily", True),
        ("bigquery://shop/sales/daily", False),
        ("bigquery://shop", True),
        ("BigQuery://shop", True),
        ("mysql://shop", True),
        ("mysql://till/shop/orders/", False),
        ("mssql://till/instance/shop/dbo/orders", False),
        ("s3://barn", False),
        ("s3:///barn", True),
        ("x-postgres://orders", False),
        ("orders", False),
        ("mine://orders", False),
    ],
)
def test_what_airflow_3_refuses(address: str, expected: bool) -> None:
    assert is_refused(address) is expected


def test_producers_and_consumers_of_a_project_meet_under_the_new_address(tmp_path: Path) -> None:
    dags = tmp_path / "in" / "dags"
    dags.mkdir(parents=True)
    (dags / "make.py").write_text(
        "from airflow import DAG\nfrom airflow.datasets import Dataset\nfrom airflow.operators.bash import BashOperator\n"
        "SHELF = 'snowflake://shelf'\n"
        "with DAG('make', schedule=None):\n"
        "    BashOperator(task_id='a', bash_command='true', outlets=[Dataset(SHELF), Dataset(f'mysql://{SHELF}')])\n"
    )
    (dags / "take.py").write_text(
        "from airflow import DAG\nfrom airflow.datasets import Dataset\n"
        "DAG('take', schedule=[Dataset(uri='snowflake://shelf'), Dataset('s3://barn/x')])\n"
    )
    (dags / "look.py").write_text(
        "from airflow.decorators import task\n@task\ndef look(**context):\n"
        "    print('snowflake://shelf')\n"
        "    return context['triggering_dataset_events']['snowflake://shelf']\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    make, take, look = ((tmp_path / "out" / "dags" / f"{name}.py").read_text() for name in ("make", "take", "look"))
    assert "SHELF = 'snowflake://shelf'" in make
    assert 'Asset("x-" + SHELF)' in make
    assert "uri='x-snowflake://shelf'" in take
    assert "'s3://barn/x'" in take
    assert "print('snowflake://shelf')" in look
    assert "['x-snowflake://shelf']" in look
    told = [(item.file, item.line) for item in done.findings if item.rule == "asset-address"]
    assert ("dags/take.py", 2) in told  # its imports are one line now
    assert any("is made here" in item.message for item in done.findings if item.file == "dags/make.py")
    again = upgrade(tmp_path / "out", tmp_path / "again", "3.3.2")
    assert not any(file.diff for file in again.files)


def test_an_address_that_nobody_can_read_is_told_without_its_password() -> None:
    source = b'from airflow.datasets import Dataset\nDataset("postgres://clerk:canary@[till/shop")\n'
    done = rewrite(source, [RULE], Options())
    assert done.text == source
    (message,) = (spot.message for _, spot in done.spots)
    assert message == "Airflow 3 cannot read the address postgres://…."
