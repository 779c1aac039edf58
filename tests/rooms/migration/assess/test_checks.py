"""Checks are pure and survive any estate; each useful one finds what it is for."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerodrome.migration.assess import report
from aerodrome.migration.assess.assessment import assess_inventory
from aerodrome.migration.assess.checks import ALL
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.archive import EstateHeader, EstateWriter
from aerodrome.migration.estate.records import (
    KINDS,
    CodeFactRecord,
    ConnectionRecord,
    DagRecord,
    MeasureRecord,
    PoolRecord,
)

DAG = DagRecord(
    dag_id="d", file="d.py", is_paused=False, is_active=True, schedule="0 2 * * *", schedule_kind="cron",
    timetable=None, timezone="UTC", catchup=None, start_date=None, end_date=None, max_active_runs=16,
    max_active_tasks=16, owners=(), tags=(), description=None, task_count=1, tasks=(), depends_on_dags=(),
    datasets_in=(), datasets_out=(), pools=("p",), queues=(), connections=("c",), variables=(), next_logical_date=None,
    next_interval_start=None, next_interval_end=None, next_run_after=None,
)  # fmt: skip
CONNECTION = ConnectionRecord("c", "postgres", "10.1.2.3", 5432, None, None, None, (), True, False, "f", "metadata-db")


def codes(inventory: Inventory) -> set[str]:
    return {finding.code for finding in assess_inventory(inventory).findings}


def test_useful_findings() -> None:
    inventory = Inventory("2.11.2", "3.3.2", dags=(DAG,), connections=(CONNECTION,))
    assert codes(inventory) >= {
        "cron-data-interval",
        "catchup-default",
        "missing-pool",
        "private-host",
        "dag-never-ran",
    }
    fixed = replace(
        inventory, pools=(PoolRecord("p", 1, None, False),), connections=(replace(CONNECTION, host="8.8.8.8"),)
    )
    assert not codes(fixed) & {"missing-pool", "private-host"}
    assert not codes(replace(inventory, target_version="2.11.2")) & {"cron-data-interval", "catchup-default"}


def test_calls_for_single_items_are_told_with_their_time() -> None:
    """They are what takes long, so a person must know before the transfer begins."""
    calls = (MeasureRecord("calls:log", 400), MeasureRecord("calls:xcom", 400_000))
    inventory = Inventory("2.11.2", "3.3.2", dags=(replace(DAG, run_states={"success": 10}),), measures=calls)
    found: dict[str, list[str]] = {}
    for finding in assess_inventory(inventory).findings:
        found.setdefault(finding.code, []).append(finding.message)
    assert found["history-calls"] == [
        "Task logs come with a call for each try: about 400 calls, about 57 s at 7 a second.",
        "XComs come with a call for each task instance: about 400,000 calls, about 15.9 h at 7 a second.",
    ]
    assert "400,400 calls" in found["transfer-long"][0]
    assert "10 rows" in found["transfer-time"][0]
    assert "move in 1 s" in found["transfer-time"][0]


def test_risk_grows_with_what_is_found() -> None:
    quiet = replace(DAG, pools=(), connections=(), catchup=False)
    assert assess_inventory(Inventory("2.11.2", "3.3.2", dags=(quiet,))).dag_risks["d"].risk == "low"
    fact = CodeFactRecord("dags", "d.py", 3, "orm-access", "`x` opens the database.", "h", False, 1)
    judged = assess_inventory(Inventory("2.11.2", "3.3.2", dags=(quiet,), code_facts=(fact,))).dag_risks["d"]
    assert judged.risk == "high"
    assert judged.reasons == ("`x` opens the database.",)
    assert judged.effort_h > 4


def test_codes_are_unique_and_explained() -> None:
    assert len({check.code for check in ALL}) == len(ALL) >= 40
    assert all(check.title and check.hint.endswith(".") for check in ALL)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "d", "c", "d.py", "{{ x }}", "@daily", "timedelta:86400", "True", "10.0.0.1", "http://[::1", "core.executor", "2.11.2",
     "0 2 * * *", "*/0 * * * *", "99 99 * * *", "Europe/Berlin", "../x", "timedelta:", "timedelta:1e5", "2026-01-01T00:00:00Z",
     "xcom:pickled", "rows:xcom", "state:running", "extra__a__b", "[::1", "s3", "http", "a,b:c@d", "core.parallelism", "@once"]
)  # fmt: skip


def _value(annotation: str) -> st.SearchStrategy[Any]:
    optional = st.none() if "None" in annotation else st.nothing()
    head = annotation.split(" |", maxsplit=1)[0]
    plain: dict[str, st.SearchStrategy[Any]] = {
        "str": _TEXT,
        "int": st.integers(0, 10**6),
        "bool": st.booleans(),
        "float": st.floats(0, 1e6),
        "tuple[str, ...]": st.lists(_TEXT, max_size=3).map(tuple),
        "dict[str, int]": st.dictionaries(st.sampled_from(["running", "failed", "none"]), st.integers(0, 99)),
        "tuple[dict[str, Any], ...]": st.lists(
            st.dictionaries(
                st.sampled_from(["task_id", "pool", "depends_on_past", "class", "trigger_rule", "has_callbacks"]),
                _TEXT | st.booleans(),
            ),
            max_size=3,
        ).map(tuple),
    }
    return plain[head] | optional


def _records(kind: str) -> st.SearchStrategy[Any]:
    record = KINDS[kind]
    values = {field.name: _value(str(field.type)) for field in fields(record)}
    return st.lists(st.builds(record, **values), max_size=3, unique_by=lambda item: item.key).map(tuple)


_NAMES = {
    "dag": "dags", "connection": "connections", "variable": "variables", "pool": "pools", "env_var": "env_vars",
    "config": "config", "package": "packages", "file": "files", "user": "users", "import_error": "import_errors",
    "code_fact": "code_facts", "endpoint": "endpoints", "role": "roles", "measure": "measures",
    "conversion": "conversions", "asset": "assets",
}  # fmt: skip


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    parts = {name: draw(_records(kind)) for kind, name in _NAMES.items()}
    version = draw(st.sampled_from(["2.11.2", "1.10.15", "3.0.0", "", "x", "1."]))
    addresses = draw(st.dictionaries(_TEXT, st.lists(_TEXT, max_size=2), max_size=2))
    return Inventory(version, "3.3.2", **parts, taken_at=draw(_TEXT), addresses=addresses)


def test_every_kind_is_drawn() -> None:
    assert set(_NAMES) == set(KINDS)


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(inventories())
def test_no_estate_makes_a_check_raise(tmp_path_factory: Any, inventory: Inventory) -> None:
    assessment = assess_inventory(inventory)
    assert set(assessment.dag_risks) == {dag.dag_id for dag in inventory.dags}
    assert sum(assessment.counts.values()) == len(assessment.findings)
    json.dumps(assessment.as_data())


@pytest.mark.parametrize(
    ("kind", "product", "seconds"),
    [
        ("airflow-db", "postgresql 15.18", 200),
        ("airflow-db", "mysql 8.0", 375),
        ("airflow-rest", "", 3000),
        ("", "", 600),
    ],
)
def test_size_and_time_of_the_transfer_are_told(tmp_path: Path, kind: str, product: str, seconds: int) -> None:
    """By what the source counted, though it told no states of tasks, and by how fast such a source is; on a page that asks no network."""
    history = {"run": 100_000, "task_instance": 2_900_000, "task_try": 0, "xcom": 0}
    facts = {"history": history}
    writer = EstateWriter(tmp_path / "e", EstateHeader(kind, "x", "2.11.2", product, "r", "t", facts))
    writer.add(replace(DAG, run_states={"success": 90_000}))
    for name, size in (("dag_run", 400_000_000), ("task_instance", 2_600_000_000), ("log", 9_000_000_000)):
        writer.add(MeasureRecord(f"bytes:{name}", size, is_estimate=True))
    estate = writer.freeze()
    assessment = assess_inventory(Inventory.of(estate, "3.3.2"))
    transfer = assessment.as_data()["totals"]["transfer"]
    assert (transfer["rows"], transfer["bytes"], transfer["seconds"]) == (3_000_000, 3_000_000_000, seconds)
    page = report.to_html(assessment, estate)
    assert "3,000,000 rows (3.0 GB), moves in about" in page
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_report_shows_hostile_names_as_text(tmp_path: Path) -> None:
    writer = EstateWriter(tmp_path / "e", EstateHeader("airflow-db", "<i>x", "2.11.2", "s", "r", "t", {}))
    writer.add(replace(DAG, dag_id="<script>alert(1)</script>"))
    estate = writer.freeze()
    assessment = assess_inventory(Inventory.of(estate, "3.3.2"))
    page = report.to_html(assessment, estate)
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script>") == 2
    held = page.partition("id=data>")[2].partition("</script>")[0]
    assert "<script>alert(1)</script>" in [row[0] for row in json.loads(held)["dags"]]
    assert "&lt;i&gt;x" in page
    assert "http://" not in page.replace("http-equiv", "")
    assert report.to_json(assessment, estate)["found"]["dag"] == 1
