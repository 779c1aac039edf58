"""The plan file as people meet it: what is proposed, what it looks like, what an error says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.rooms.migration.plan.conftest import MemoryEstate, Opinion, dag

from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.migration.plan import (
    PlanDefaults,
    compile_plan,
    describe,
    explain,
    from_yaml,
    propose,
    split_notes,
    to_yaml,
    with_rejected,
)


@pytest.fixture
def text(estate: MemoryEstate, opinion: Opinion) -> str:
    settings = propose(estate, opinion, PlanDefaults(workspace="sales", deployment="sales-prod"))
    return to_yaml(settings, describe(estate, opinion))


def test_harmless_dags_go_first_and_groups_stay_together(estate: MemoryEstate, opinion: Opinion) -> None:
    plan = propose(estate, opinion, PlanDefaults())
    own = {"canary": 0, "error_budget": 0, "window": "00:02-00:00"}
    assert plan["waves"] == [
        {"name": "wave-1", "criticality": "low", **own, "dags": ["cleanup", "daily_sales", "sales_report"]},
        {"name": "wave-2", "criticality": "high", **own, "dags": ["late_sensor", "ingest"]},
    ]
    assert plan["excluded"] == ["broken", "removed"]
    assert plan["dags"] == {"cleanup": {"cutover": "leave-paused"}}
    assert plan["objects"]["connections"] == {"include": "all", "exclude": ["lost"]}
    assert plan["objects"]["environment"]["include"] == ["AIRFLOW_CONN_FROM_ENV", "REGION"]


def test_the_file_explains_itself(text: str) -> None:
    lines = {line.split("#")[0].strip(): line for line in text.splitlines()}
    assert lines["- daily_sales"].endswith("# @daily; short runs, none failed")
    assert "4000 of 8640 runs failed" in lines["- ingest"]
    assert lines["- broken"].endswith("# its file does not import in the source")
    assert "secret" in lines["- AIRFLOW_CONN_FROM_ENV"]
    assert "drain_deadline: 15m" in text
    assert "  cleanup: {cutover: leave-paused}" in text


@pytest.mark.parametrize(
    ("old", "new", "code", "field", "sentence"),
    [
        ("parallelism: 4", "paralelism: 4", "plan-unknown-field", "target.paralelism", "Did you mean parallelism?"),
        ("parallelism: 4", "parallelism: many", "plan-invalid", "target.parallelism", "a whole number"),
        ('airflow: "3.3.2"', "airflow: 3.3", "plan-invalid", "target.airflow", "a full version in quotes"),
        (
            'airflow: "3.3.2"',
            'airflow: "3.3.9"',
            "plan-invalid",
            "target.airflow",
            "can be hosted (3.3.0, 3.3.1, 3.3.2)",
        ),
        ("drain_deadline: 15m", "drain_deadline: soon", "plan-invalid", "policies.drain_deadline", "not soon"),
        ("      - ingest", "      - ingestion", "plan-unknown-dag", "waves[1].dags[1]", "Did you mean ingest?"),
        ("      - ingest", "      - cleanup", "plan-dag-twice", "waves[1].dags[1]", "in wave wave-1 already"),
        ("      - ingest", "", "plan-dag-missing", "waves", "ingest is in no wave"),
        ("- name: wave-2", "- name: wave-1", "plan-invalid", "waves[1].name", "two waves are called wave-1"),
        ("  - broken", "  - daily_sales", "plan-dag-twice", "excluded[0]", "wave wave-1 as well"),
        ("  cleanup: {", "  cleanap: {", "plan-unknown-dag", "dags.cleanap", "Did you mean cleanup?"),
        ("      - lost", "      - list", "plan-unknown-connection", "objects.connections.exclude[0]", "lost?"),
        ("version: 1", "version: 2", "plan-invalid", "version", "plans of version 1"),
        ("version: 1", "version: 1\nversion: 1", "plan-invalid", "version", "stands twice"),
        ("version: 1", "version: [1", "plan-syntax", "", "not YAML"),
        ("version: 1", "version: &a 1\nwaves: [*a, *a]", "plan-invalid", "waves", "stands twice"),
        ("excluded:", "dags: &x {}\nexcluded:", "plan-invalid", "dags", "stands twice"),
        ("    include: all", "    include: &x []", "plan-invalid", "", ""),
    ],
)
def test_an_error_names_line_and_field(
    estate: MemoryEstate, text: str, old: str, new: str, code: str, field: str, sentence: str
) -> None:
    assert old in text
    edited = text.replace(old, new, 1)
    if not sentence:
        from_yaml(edited, estate)
        return
    with pytest.raises(Invalid) as raised:
        from_yaml(edited, estate)
    error = raised.value
    assert (error.code, error.details["field"]) == (code, field)
    assert sentence in error.message
    assert error.message.startswith(f"Line {error.details['line']}")
    word = new.strip(" -{").split(":", maxsplit=1)[0].split("\n")[0]
    if code in {"plan-unknown-field", "plan-unknown-dag", "plan-dag-twice"}:
        assert word in edited.splitlines()[error.details["line"] - 1]


def test_an_alias_of_itself_is_refused(estate: MemoryEstate) -> None:
    with pytest.raises(Invalid, match="not used in plan files"):
        from_yaml("waves: &a [*a]", estate)


@pytest.mark.parametrize("text", ["", "# nothing\n", "just words", "- a list", "\x00"])
def test_a_file_that_is_no_plan_is_refused(estate: MemoryEstate, text: str) -> None:
    with pytest.raises((Invalid, Conflict)):
        from_yaml(text, estate)


def test_a_plan_of_another_estate_is_stale(estate: MemoryEstate, opinion: Opinion, text: str) -> None:
    changed = MemoryEstate((*estate.items, dag("new_one")))
    with pytest.raises(Conflict) as raised:
        from_yaml(text, changed)
    assert raised.value.code == "plan-stale"
    with pytest.raises(Conflict) as raised:
        compile_plan(propose(estate, opinion, PlanDefaults()), changed)
    assert (raised.value.code, "migrate assess" in raised.value.hint) == ("plan-stale", True)


def test_the_steps_of_a_plan(estate: MemoryEstate, opinion: Opinion) -> None:
    settings = propose(estate, opinion, PlanDefaults(workspace="sales", deployment="sales-prod"))
    settings["history"] |= {"depth": "30d", "dags_per_step": 3}
    plan = compile_plan(settings, estate)
    steps = {step.key: step for step in plan.steps}
    assert list(steps) == [
        "environment.workspace",
        "environment.deployment",
        "environment.variables",
        "code.upgrade",
        "deploy.bundle",
        "transfer.pools",
        "transfer.variables",
        "transfer.connections",
        "transfer.history:0001",
        "transfer.history:0002",
        "validate.dags",
        "validate.objects",
    ]
    assert steps["transfer.connections"].title == "Move 1 connection, re-encrypted under the target's key"
    assert steps["transfer.connections"].params["keys"] == ["warehouse"]
    assert steps["environment.variables"].params["secret_names"] == ["AIRFLOW_CONN_FROM_ENV"]
    assert steps["transfer.history:0001"].params["since"] == "2026-10-21T08:00:00.000000Z"
    assert steps["environment.deployment"].params["config"]["scheduler.create_cron_data_intervals"] == "True"
    assert [step.key for step in plan.waves["wave-2"]] == [
        "cutover.check:late_sensor",
        "cutover.check:ingest",
        "cutover.pause:late_sensor",  # it still needs the runs of ingest while it drains
        "cutover.drain:late_sensor",
        "cutover.pause:ingest",
        "cutover.drain:ingest",
        "cutover.sync:late_sensor",
        "cutover.prove:late_sensor",
        "cutover.sync:ingest",
        "cutover.prove:ingest",
        "cutover.unpause:late_sensor",
        "cutover.unpause:ingest",
        "cutover.watch:late_sensor",
        "cutover.watch:ingest",
    ]
    first = [step.key for step in plan.waves["wave-1"]]
    assert [key for key in first if key.endswith(":cleanup")] == [
        "cutover.check:cleanup",
        "cutover.drain:cleanup",
        "cutover.sync:cleanup",
    ]
    # the producer stops first, the consumer starts first: no dataset event meets a paused DAG
    assert first.index("cutover.pause:daily_sales") < first.index("cutover.pause:sales_report")
    assert first.index("cutover.unpause:sales_report") < first.index("cutover.unpause:daily_sales")
    assert explain(plan)[-1].track == "cutover:wave-2"


def test_what_stays_behind_is_written_in_the_plan_and_reaches_its_steps(estate: MemoryEstate, opinion: Opinion) -> None:
    """Over Starship each XCom is a call and an error in the source's log: people ask for them."""

    def left_out(text: str, of: MemoryEstate) -> list[list[str]]:
        plan = compile_plan(from_yaml(text, of), of)
        return [step.params["leave_out"] for step in plan.steps if step.kind == "transfer.history"]

    over_starship = replace(estate, source_kind="starship")
    written = [
        to_yaml(propose(each, opinion, PlanDefaults()), describe(each, opinion)) for each in (estate, over_starship)
    ]
    assert left_out(written[0], estate) == [[]]
    assert left_out(written[1], over_starship) == [["xcoms"]]
    asked = written[1].replace("leave_out: [xcoms]", "leave_out: [logs]")
    assert left_out(asked, over_starship) == [["logs"]]
    with pytest.raises(Invalid, match="leave_out"):
        from_yaml(written[1].replace("leave_out: [xcoms]", "leave_out: [runs]"), over_starship)


def test_an_own_policy_reaches_the_steps_of_its_dag(estate: MemoryEstate, text: str) -> None:
    edited = text.replace(
        "  cleanup: {cutover: leave-paused}",
        "  cleanup: {cutover: leave-paused}\n  ingest: {drain_deadline: 2h, on_deadline: wait}",
    )
    plan = compile_plan(from_yaml(edited, estate), estate)
    drains = {step.params["dag_id"]: step.params for step in plan.waves["wave-2"] if step.kind == "cutover.drain"}
    assert (drains["ingest"]["deadline_s"], drains["ingest"]["on_deadline"]) == (7200, "wait")
    assert (drains["late_sensor"]["deadline_s"], drains["late_sensor"]["on_deadline"]) == (900, "fail")


def test_dependent_dags_in_different_waves_are_remarked_not_refused() -> None:
    estate = MemoryEstate(
        (dag("load", datasets_out=("s3://orders",)), dag("report", datasets_in=("s3://orders",)), dag("alone"))
    )
    waves = [{"name": "one", "dags": ["load", "alone"]}, {"name": "two", "dags": ["report"]}]
    (note,) = split_notes({"waves": waves}, estate)
    assert note.startswith("load is in one, report is in two: report follows a dataset that load writes; ")
    assert split_notes({"waves": [{"name": "one", "dags": ["load", "report"]}]}, estate) == ()
    assert split_notes({"waves": waves[:1]}, estate)[0].startswith("load is in one, report stays behind")


def test_rejected_files_stand_in_the_plan_and_only_there(text: str, estate: MemoryEstate) -> None:
    before = compile_plan(from_yaml(text, estate), estate)
    edited = with_rejected(text, ["plugins/größe.py", "dags/a b.py"])
    assert [line for line in edited.splitlines() if line not in text.splitlines()] == [
        "  rejected:",
        "    - dags/a b.py",
        '    - "plugins/größe.py"',
    ]
    settings = from_yaml(edited, estate)
    assert settings["code"] == {"rejected": ["dags/a b.py", "plugins/größe.py"]}
    after = compile_plan(settings, estate)
    assert after.digest != before.digest
    assert [step.key for step in after.steps] == [step.key for step in before.steps]
    assert from_yaml(to_yaml(settings), estate) == settings
    assert with_rejected(edited, []) == text
    assert compile_plan(from_yaml(with_rejected(edited, []), estate), estate).digest == before.digest


def test_a_plan_of_before_gets_the_section_at_its_end(text: str, estate: MemoryEstate) -> None:
    old = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("code:", "  rejected:")))
    assert from_yaml(old, estate) == from_yaml(text, estate)
    edited = with_rejected(old.rstrip("\n"), ["dags/sales.py"])
    assert edited == old.rstrip("\n") + "\ncode:\n  rejected:\n    - dags/sales.py\n"
    assert from_yaml(edited, estate)["code"] == {"rejected": ["dags/sales.py"]}


def test_the_day_that_requirements_are_resolved_by_stands_in_the_plan(text: str, estate: MemoryEstate) -> None:
    dated = text.replace("code:\n", "code:\n  requirements_as_of: 2026-09-01\n")
    settings = from_yaml(dated, estate)
    assert settings["code"] == {"requirements_as_of": "2026-09-01"}
    assert from_yaml(to_yaml(settings), estate) == settings
    (step,) = (step for step in compile_plan(settings, estate).steps if step.key == "code.upgrade")
    assert step.params["requirements_as_of"] == "2026-09-01"
    assert step.params["python"] == settings["target"]["python"]
    assert "resolved as of 2026-09-01" in step.title
    both = with_rejected(dated, ["dags/sales.py"])
    assert from_yaml(both, estate)["code"] == {"requirements_as_of": "2026-09-01", "rejected": ["dags/sales.py"]}
    assert with_rejected(both, []) == dated
    for wrong in ("soon", "2026-13-01", "2026-09-01 10:00:00"):
        with pytest.raises(Invalid, match=r"code\.requirements_as_of: must be a day, such as 2026-09-01"):
            from_yaml(dated.replace("2026-09-01", wrong), estate)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "dags/../../x", "", ".", "dags//x.py", 3])
def test_only_files_below_the_project_can_be_rejected(text: str, estate: MemoryEstate, path: object) -> None:
    wrong = text.replace("  rejected: []\n", f"  rejected:\n    - {path!r}\n".replace("'", '"'))
    with pytest.raises(Invalid, match=r"code\.rejected\[0\]: must be the path of a file below the project"):
        from_yaml(wrong, estate)
