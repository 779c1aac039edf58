"""An upgrade tells which DAGs would be other DAGs, and does not cry wolf over Airflow's own spelling."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.rooms.parsing.conftest import LIMITS, Reader

from aerodrome.parsing import NextRun, ParsedDag, ParseResult, compare

TASK = {"retries": 1, "pool": "default_pool", "trigger_rule": "all_success", "downstream": ["b"], "operator": "Bash"}
SHAPE = {"catchup": True, "schedule": {"summary": "@daily"}, "tasks": {"a": TASK, "b": {**TASK, "downstream": []}}}

LOAD = """
class Load(EmptyOperator):
    template_fields = ("job",)

    def __init__(self, job="{{ ds }}", **more):
        super().__init__(**more)
        self.job = job
"""


def result(version: str, *dags: ParsedDag) -> ParseResult:
    return ParseResult(dags, (), 0.0, version)


def dag(dag_id: str = "x", runs: tuple[NextRun, ...] = (), **changes: Any) -> ParsedDag:
    return ParsedDag(dag_id, "dags/x.py", {}, "", runs, {**SHAPE, **changes})


def test_equal_dags_differ_in_nothing() -> None:
    assert compare(result("2.11.2", dag()), result("3.3.2", dag())) == ()


def test_each_difference_is_named_with_its_path_severity_and_reason() -> None:
    run = NextRun("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    later = replace(run, interval_start="2026-01-02T00:00:00+00:00")
    tasks = {"a": {**TASK, "retries": 2, "downstream": []}}
    before = result("2.11.2", dag(runs=(run,)), dag("gone"))
    after = result("3.3.2", dag(runs=(later,), catchup=False, tasks=tasks), dag("new"))
    found = {(item.dag_id, item.path): item for item in compare(before, after)}
    assert {key: item.severity for key, item in found.items()} == {
        ("gone", ""): "blocker",
        ("new", ""): "info",
        ("x", "catchup"): "warning",
        ("x", "tasks.a.retries"): "warning",
        ("x", "tasks.a.downstream"): "blocker",
        ("x", "tasks.b"): "blocker",
        ("x", "next_runs[0]"): "blocker",
    }
    assert "catchup_by_default" in found["x", "catchup"].reason
    assert "create_cron_data_intervals" in found["x", "next_runs[0]"].reason


def _task(*downstream: str, **changes: Any) -> dict[str, Any]:
    return {**TASK, "downstream": list(downstream), **changes}


@pytest.mark.parametrize(
    ("fields", "templates", "severity"),
    [
        (["query"], {"query": [7]}, "info"),  # another name
        (["sql", "query"], {"sql": [8]}, "info"),
        (["query"], {}, "blocker"),
        (["sql"], {"sql": [7]}, "info"),  # what went held no template
    ],
)
def test_a_template_that_is_not_rendered_any_more(
    fields: list[str], templates: dict[str, list[int]], severity: str
) -> None:
    before = {"a": _task(template_fields=["env", "sql"], **{"template texts": {"sql": [1]}})}
    after = {"a": _task(template_fields=fields, **{"template texts": templates})}
    (found,) = compare(result("2.11.2", dag(tasks=before)), result("3.3.2", dag(tasks=after)))
    assert (found.path, found.severity) == ("tasks.a.template_fields", severity)
    assert ("template in sql" in found.reason) == (severity == "blocker")


def test_only_fields_whose_templates_are_lost_are_named() -> None:
    held = {"arguments": [1], "name": [2], "query": [3]}
    before = {"a": _task(template_fields=["arguments", "name", "query"], **{"template texts": held})}
    after = {"a": _task(template_fields=["job"], **{"template texts": {"job": [1, 3]}})}
    (found,) = compare(result("1.10.15", dag(tasks=before)), result("3.3.2", dag(tasks=after)))
    assert (found.severity, found.reason) == ("blocker", "A template in name is not rendered any more.")


@pytest.mark.parametrize(
    ("timetable", "is_compared"), [("ContinuousTimetable", False), ("CronDataIntervalTimetable", True)]
)
def test_runs_that_follow_upon_each_other_have_the_time_of_the_reading(timetable: str, is_compared: bool) -> None:
    first = NextRun("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    later = replace(first, interval_end="2026-01-02T00:00:01+00:00", run_after="2026-01-02T00:00:01+00:00")
    schedule = {"summary": "x", "timetable": timetable}
    before, after = dag(runs=(first,), schedule=schedule), dag(runs=(later,), schedule=schedule)
    found = compare(result("2.11.2", before), result("3.3.2", after))
    assert [item.path for item in found] == ["next_runs[0]"] * is_compared


def test_a_subdag_that_became_a_group_is_explained() -> None:
    before = {"a": _task("sub"), "sub": _task("b", operator="SubDagOperator"), "b": _task()}
    inner = {"one": _task("two"), "two": _task(), "alone": _task()}
    after = {
        "a": _task("sub.alone", "sub.one"),
        "sub.one": _task("sub.two"),
        "sub.two": _task("b"),
        "sub.alone": _task("b"),
        "b": _task(),
    }
    old = result("2.11.2", dag(tasks=before), dag("x.sub", tasks=inner))
    (found,) = compare(old, result("3.3.2", dag(tasks=after)))
    assert (found.path, found.before, found.after, found.severity) == (
        "tasks.sub",
        "SubDagOperator",
        "TaskGroup",
        "info",
    )
    assert "task group" in found.reason
    wrong = {**after, "sub.two": _task(), "sub.one": _task("sub.two", retries=3)}
    assert {(item.path, item.severity) for item in compare(old, result("3.3.2", dag(tasks=wrong)))} == {
        ("tasks.sub", "info"),
        ("tasks.sub.two.downstream", "blocker"),
        ("tasks.sub.one.retries", "warning"),
    }


def test_a_subdag_within_a_subdag_is_a_group_within_a_group() -> None:
    before = {"sub": _task("b", operator="SubDagOperator"), "b": _task()}
    inner = {"one": _task("deep"), "deep": _task(operator="SubDagOperator")}
    after = {"sub.one": _task("sub.deep.two"), "sub.deep.two": _task("b"), "b": _task()}
    old = result("2.11.2", dag(tasks=before), dag("x.sub", tasks=inner), dag("x.sub.deep", tasks={"two": _task()}))
    found = compare(old, result("3.3.2", dag(tasks=after)))
    assert {(item.path, item.severity) for item in found} == {("tasks.sub", "info"), ("tasks.sub.deep", "info")}
    flat = {"sub.one": _task("sub.two"), "sub.two": _task("b"), "b": _task()}
    assert "blocker" in {item.severity for item in compare(old, result("3.3.2", dag(tasks=flat)))}


def test_a_subdag_that_stays_is_compared_as_it_is() -> None:
    before = {"sub": _task(operator="SubDagOperator")}
    old = result("2.10.5", dag(tasks=before), dag("x.sub"))
    assert compare(old, result("2.11.2", dag(tasks=before), dag("x.sub"))) == ()
    gone = compare(old, result("3.3.2", dag(tasks={"other": _task()})))
    assert {("x.sub", ""), ("x", "tasks.sub")} <= {
        (item.dag_id, item.path) for item in gone if item.severity == "blocker"
    }


@pytest.mark.airflow
def test_a_dag_reads_the_same_and_its_runs_are_computed(reader: Reader) -> None:
    """The shape is what both majors must agree upon; both are held against the same words here."""
    reader.add(
        "plain",
        task="EmptyOperator(task_id='a', retries=3, pool='p', weight_rule='upstream') >> EmptyOperator(task_id='b')",
    )
    limits = replace(LIMITS, next_runs=3, next_runs_from=datetime(2026, 3, 1, 12, tzinfo=UTC))
    (found,) = reader.read(limits).dags
    assert found.next_runs[0] == NextRun(
        "2026-03-03T00:00:00+00:00", "2026-03-02T00:00:00+00:00", "2026-03-03T00:00:00+00:00"
    )
    assert [run.run_after[8:10] for run in found.next_runs] == ["03", "04", "05"]
    task = found.shape["tasks"]["a"]
    wanted = {"retries": 3, "pool": "p", "weight_rule": "upstream", "downstream": ["b"], "trigger_rule": "all_success"}
    assert {name: task[name] for name in wanted} == wanted
    assert found.shape["schedule"] == {
        "timetable": "CronDataIntervalTimetable",
        "summary": "0 0 * * *",
        "timezone": "UTC",
    }
    assert [(use.kind, use.name, use.is_chosen) for use in found.uses if use.task_id == "a"] == [("pool", "p", True)]


@pytest.mark.airflow
def test_templates_of_real_tasks_are_known_by_their_fields(reader: Reader) -> None:
    place = "airflow.operators.bash" if reader.version.startswith("2") else "airflow.providers.standard.operators.bash"
    reader.add(
        "sales",
        more=f"from {place} import BashOperator\n{LOAD}",
        task="BashOperator(task_id='a', bash_command='x {{ ds }}', env={'A': 'plain', 'B': '{{ ds }}', 'C': ['{% if x %}']}),"
        " BashOperator.partial(task_id='b', env={'B': '{{ ds }}'}).expand(bash_command=['x']), Load(task_id='c'), Load(task_id='d', job='{{ run_id }}')",
    )
    (found,) = reader.read().dags
    first, mapped, silent, said = (found.shape["tasks"][name]["template texts"] for name in ("a", "b", "c", "d"))
    assert silent == {}  # what the class says itself
    assert len(said["job"]) == 1
    assert {name: len(texts) for name, texts in first.items()} == {"bash_command": 1, "env": 2}
    assert mapped["env"][0] in first["env"]
