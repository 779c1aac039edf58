"""Sensors of 1.10 that were tried again when their time was up are told: today nothing waits as long, and no proof shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

HEAD = "from airflow import DAG\nfrom airflow.contrib.sensors.file_sensor import FileSensor\n"


def told(source: str, version: str = "1.10.15") -> list[tuple[int, str]]:
    done = rewrite((HEAD + source).encode(), RULES, Options(source_version=version))
    return [(spot.line, spot.hint) for code, spot in done.spots if code == "sensor-timeout"]


@pytest.mark.parametrize(
    ("source", "total"),
    [
        ("FileSensor(task_id='a', filepath='b', timeout=60 * 60, retries=5)\n", "21600"),
        ("FileSensor(task_id='a', filepath='b', retries=1)\n", "1209600"),
        ("FileSensor(task_id='a', filepath='b', timeout=HOUR, retries=TRIES)\n", "(HOUR) * (TRIES + 1)"),
        ("class Mine(FileSensor):\n    pass\n\nMine(task_id='a', filepath='b', timeout=10, retries=2)\n", "30"),
        (
            "args = {'retries': 2}\nwith DAG('a', default_args=args) as dag:\n    FileSensor(task_id='a', filepath='b', timeout=10)\n",
            "30",
        ),
        (
            "args = dict(retries=2, timeout=5)\ndag = DAG('a', default_args=args)\nFileSensor(task_id='a', filepath='b', dag=dag)\n",
            "15",
        ),
    ],
)
def test_what_would_wait_as_long_is_said(source: str, total: str) -> None:
    assert [hint.rpartition("timeout=")[2] for _, hint in told(source)] == [f"{total}."]
    assert told(source, "2.4.3") == []


@pytest.mark.parametrize(
    "source",
    [
        "FileSensor(task_id='a', filepath='b', timeout=60)\n",
        "FileSensor(task_id='a', filepath='b', timeout=60, retries=0)\n",
        "args = {'retries': 2}\nwith DAG('a', default_args=args) as dag:\n    FileSensor(task_id='a', filepath='b', retries=0)\n",
    ],
)
def test_sensors_without_retries_are_not_told(source: str) -> None:
    assert told(source) == []


def test_sensors_alike_are_told_once() -> None:
    assert (
        len(
            told("FileSensor(task_id='a', filepath='b', retries=1)\nFileSensor(task_id='c', filepath='d', retries=1)\n")
        )
        == 1
    )


def test_retries_of_another_file_count(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "shared.py").write_text("ARGS = {'retries': 3}\n")
    (tmp_path / "in" / "a.py").write_text(
        f"{HEAD}from shared import ARGS\nwith DAG('a', default_args=ARGS) as dag:\n    FileSensor(task_id='a', filepath='b', timeout=10)\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="1.10.15"))
    assert [item.hint for item in done.findings if item.rule == "sensor-timeout"] == [
        "Where it shall wait as long as before, write timeout=40."
    ]
