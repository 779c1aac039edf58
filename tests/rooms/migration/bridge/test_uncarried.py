"""What the bridge does not carry is said before the cutover, by DAG and asset. If these break, a chain is cut and nobody was told."""

from __future__ import annotations

from typing import Any

from tests.rooms.migration.plan.conftest import dag

from aerodrome.migration.bridge import uncarried
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db import serialized

TRIGGER = {"task_id": "go", "class": "TriggerDagRunOperator", "operator": "TriggerDagRunOperator"}


def estate() -> list[DagRecord]:
    return [
        dag("orders", depends_on_dags=("invoices",), tasks=(TRIGGER,), datasets_out=("s3://orders",), aliases_out=("daily",)),
        dag("invoices"),
        dag("reports", schedule="dataset", schedule_kind="dataset", datasets_in=("s3://orders",)),
        dag(
            "days", schedule="dataset", schedule_kind="dataset", datasets_in=("s3://orders",),
            timetable="airflow.timetables.simple.PartitionedAssetTimetable",
        ),
        dag("latest", schedule="dataset", schedule_kind="dataset", aliases_in=("daily",)),
    ]  # fmt: skip


def told(place: dict[str, str], moved: set[str] | None = None, *, is_bridged: bool = True) -> set[tuple[str, str]]:
    return {(item.kind, item.subject) for item in uncarried(estate(), place, moved or set(), is_bridged=is_bridged)}


APART = {"orders": "one", "invoices": "two", "reports": "two", "days": "two", "latest": "two"}
CUT = {
    ("trigger", "orders → invoices"),
    ("partition", "orders → days (s3://orders)"),
    ("alias", "orders → latest (daily)"),
}


def test_what_is_not_carried_is_named_with_dag_and_asset() -> None:
    assert told(APART) == CUT
    assert told({**APART, "invoices": "one"}) == CUT - {("trigger", "orders → invoices")}
    assert told({"orders": "one"}) == CUT  # the others stay behind
    assert told(dict.fromkeys(APART, "one")) == set()
    assert told(APART, {"orders", "invoices", "latest"}) == {("partition", "orders → days (s3://orders)")}
    assert told(APART, set(APART)) == set()


def test_without_a_bridge_plain_assets_are_cut_as_well() -> None:
    assert told(APART, is_bridged=False) == {*CUT, ("asset", "orders → reports (s3://orders)")}
    (plain,) = (item for item in uncarried(estate(), APART, (), is_bridged=False) if item.kind == "asset")
    assert (
        plain.message
        == "reports waits for s3://orders, which orders writes; over this kind of source no event is carried."
    )


def test_aliases_are_read_from_what_airflow_stores() -> None:
    """As 2.11.2 serializes them, an alias that stood for an asset already and one that did not."""

    def facts(dag_id: str, *rows: tuple[str, str, str, str]) -> Any:
        names = ("source", "target", "dependency_type", "dependency_id")
        rows_ = [dict(zip(names, row, strict=True)) for row in rows]
        return serialized.facts_of({"_dag_id": dag_id, "dag_dependencies": rows_})

    reader = facts(
        "latest",
        ("dataset", "dataset-alias:daily", "dataset", "s3://a"),
        ("dataset:s3://a", "latest", "dataset-alias", "daily"),
        ("dataset-alias", "latest", "dataset-alias", "other"),
        ("dataset", "latest", "dataset", "s3://b"),
    )
    assert (reader.aliases_in, reader.aliases_out) == (("daily", "other"), ())
    assert (reader.datasets_in, reader.datasets_out) == (("s3://a", "s3://b"), ())
    writer = facts(
        "orders",
        ("dataset-alias:daily", "dataset", "dataset", "s3://a"),
        ("orders", "dataset:s3://a", "dataset-alias", "daily"),
    )
    assert (writer.aliases_in, writer.aliases_out) == ((), ("daily",))
    assert (writer.datasets_in, writer.datasets_out) == ((), ("s3://a",))
