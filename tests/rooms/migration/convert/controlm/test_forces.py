"""Jobs that others order: they run once, by the force; what waits for them starts behind it; and their DAGs are not asleep."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.rooms.migration.convert.controlm.sample import check_of, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world
from aerodrome.migration.convert.emission.project import compose


def job(name: str, inside: str = "", more: str = "") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{name}" {more}>{inside}</JOB>'


def folder(name: str, *jobs: str, method: str = "SYSTEM") -> str:
    return f'<FOLDER FOLDER_NAME="{name}" FOLDER_ORDER_METHOD="{method}">{"".join(jobs)}</FOLDER>'


def forces(where: str, name: str, code: str = "OK") -> str:
    return f'<ON STMT="*" CODE="{code}"><DOFORCEJOB TABLE_NAME="{where}" NAME="{name}" ODATE="ODAT"/></ON>'


def adds(name: str) -> str:
    return f'<OUTCOND NAME="{name}" ODATE="ODAT" SIGN="+"/>'


def waits(name: str) -> str:
    return f'<INCOND NAME="{name}" ODATE="ODAT" AND_OR="A"/>'


def is_run(dag: Dag, name: str, day: date, **conf: object) -> bool:
    """Say whether the check of a task lets it run on a date."""
    if (check := check_of(dag, name)) is None:
        return True
    space = functions_of(dag)
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        eval(check, space)({"dag_run": SimpleNamespace(conf=conf, logical_date=moment)})
    except space["AirflowSkipException"]:
        return False
    return True


def told(dag: Dag, name: str) -> set[str]:
    return {item.code for item in dag.accounts if item.name == name and item.code}


def differences(path: Path) -> list[object]:
    """Compare every folder below a path with its DAG."""
    world = plan_world(gather(path), read_site({}))
    made = {dag.dag_id: dag for dag in read(path, {}).dags}
    return [found for plan in world.plans for found in compare(world, plan, made[plan.dag_id])]


@pytest.mark.parametrize(
    ("first", "method"),
    [('DAYSCAL="MILLDAYS"', "SYSTEM"), ('DAYS="ALL"', ""), ('DAYS="ALL"', "NIGHTLY")],
    ids=["calendar missing", "ordered by hand", "a user daily without a time"],
)
def test_a_job_that_only_a_force_orders_runs_once(tmp_path: Path, first: str, method: str) -> None:
    jobs = (
        job("GRIND", adds("GROUND") + forces("MILL", "SIFT"), first),
        job("SIFT", waits("GROUND")),
        job("WEIGH", "", 'DAYS="1"'),
    )
    dag = dag_of(convert(tmp_path, folder("MILL", *jobs, method=method)), "MILL")
    first_day, other = date(2026, 3, 1), date(2026, 3, 2)
    assert [is_run(dag, "GRIND", day) for day in (first_day, other)] == [True, True]
    assert [is_run(dag, "SIFT", day) for day in (first_day, other)] == [False, False]
    assert [is_run(dag, "WEIGH", day) for day in (first_day, other)] == [True, False]
    assert all(is_run(dag, name, other, is_forced=True) for name in ("GRIND", "SIFT", "WEIGH"))
    assert "no-criteria" in told(dag, "SIFT")
    assert differences(tmp_path) == []


def test_a_folder_that_nothing_orders_runs_each_job_once_when_somebody_starts_it(tmp_path: Path) -> None:
    jobs = (job("GRIND", forces("MILL", "SIFT")), job("SIFT"), job("WEIGH"))
    dag = dag_of(convert(tmp_path, folder("MILL", *jobs)), "MILL")
    day = date(2026, 3, 2)
    assert [is_run(dag, name, day) for name in ("GRIND", "SIFT", "WEIGH")] == [True, False, True]
    assert is_run(dag, "SIFT", day, is_forced=True)


def changed(dag: Dag) -> dict[str, object]:
    """Give what the tasks of a DAG do to stored conditions: task -> (name, is added)."""
    given = {task.full_id: dict(task.arguments).get("op_kwargs") for task in dag.tasks}
    return {
        name: (found["name"], found["is_added"])
        for name, found in given.items()
        if isinstance(found, dict) and "is_added" in found
    }


def awaited(dag: Dag, name: str) -> dict[str, str]:
    """Give the stored conditions for which a task waits by sensors right before it."""
    above = [dag.task(edge.before) for edge in dag.edges if edge.after == name]
    found = {task.full_id: dict(task.arguments).get("op_kwargs") for task in above if task.is_waiting}
    return {task: str(given["name"]) for task, given in found.items() if isinstance(given, dict)}


@pytest.mark.parametrize("criteria", ["", 'DAYS="1"'], ids=["only forced", "ordered, too"])
def test_what_waits_for_a_forced_job_starts_behind_its_copy(tmp_path: Path, criteria: str) -> None:
    jobs = (
        job("GRIND", forces("MILL", "SIFT"), 'DAYS="ALL"'),
        job("SIFT", adds("SIFTED"), criteria),
        job("PACK", waits("SIFTED"), 'DAYS="ALL"'),
    )
    text = folder("MILL", *jobs) + folder("SHOP", job("SELL", waits("SIFTED"), 'DAYS="ALL"'))
    made = convert(tmp_path, text)
    alone, mill, shop = (dag_of(made, name) for name in ("MILL__SIFT", "MILL", "SHOP"))
    assert changed(alone) == {"SIFT_adds_SIFTED": ("SIFTED", True)}
    assert ("SIFT", "SIFT_adds_SIFTED") in {(edge.before, edge.after) for edge in alone.edges}
    assert changed(mill) == changed(alone)  # a run that forces the whole folder adds it, too
    assert list(awaited(mill, "PACK").values()) == list(awaited(shop, "SELL").values()) == ["SIFTED"]
    assert "force-apart" not in told(mill, "GRIND")
    assert differences(tmp_path) == []


def test_a_folder_waits_for_a_scheduled_one_that_is_forced_at_other_times_too(tmp_path: Path) -> None:
    text = (
        folder("CALL", job("CALLER", forces("MILL", ""), 'DAYS="ALL"'))
        + folder("MILL", job("SIFT", adds("SIFTED"), 'DAYS="1"'), job("REST", "", 'DAYS="1"'))
        + folder("SHOP", job("SELL", waits("SIFTED"), 'DAYS="ALL"'))
    )
    made = convert(tmp_path, text)
    assert changed(dag_of(made, "MILL")) == {"SIFT_adds_SIFTED": ("SIFTED", True)}
    assert list(awaited(dag_of(made, "SHOP"), "SELL").values()) == ["SIFTED"]


def test_a_job_that_is_ordered_alone_waits_for_its_conditions(tmp_path: Path) -> None:
    sift = job("SIFT", waits("GROUND") + waits("SACKS"))
    jobs = (
        job("GRIND", adds("GROUND") + forces("MILL", "SIFT"), 'DAYS="ALL"'),
        job("SEW", adds("SACKS"), 'DAYS="ALL"'),
        sift,
    )
    made = convert(tmp_path, folder("MILL", *jobs))
    alone = dag_of(made, "MILL__SIFT")
    assert set(awaited(alone, "SIFT").values()) == {"GROUND", "SACKS"}
    assert "force-conditions" in told(alone, "SIFT")
    assert {"GRIND_adds_GROUND", "SEW_adds_SACKS"} <= set(changed(dag_of(made, "MILL")))


def test_a_job_does_not_wait_for_what_its_force_has_added(tmp_path: Path) -> None:
    jobs = (job("GRIND", adds("GROUND") + forces("MILL", "SIFT"), 'DAYS="ALL"'), job("SIFT", waits("GROUND")))
    made = convert(tmp_path, folder("MILL", *jobs))
    assert [task.full_id for task in dag_of(made, "MILL__SIFT").tasks] == ["SIFT"]
    assert changed(dag_of(made, "MILL")) == {}


def test_what_others_order_is_not_asleep_unless_it_has_a_schedule(tmp_path: Path) -> None:
    calls = forces("HAND", "") + forces("MILL", "SIFT") + forces("DAILY", "")
    text = (
        folder("CALL", job("CALLER", calls, 'DAYS="ALL"'))
        + folder("HAND", job("A"), job("B"), method="")
        + folder("MILL", job("SIFT", "", 'DAYS="1"'), job("REST", "", 'DAYS="1"'))
        + folder("DAILY", job("C", "", 'DAYS="ALL"'))
        + folder("ALONE", job("D"), method="")
    )
    made = convert(tmp_path, text)
    asleep = {dag.dag_id: dag.is_paused for dag in made.dags}
    assert asleep == {"CALL": None, "HAND": False, "MILL": None, "MILL__SIFT": False, "DAILY": None, "ALONE": None}
    told = {dag.dag_id for dag in made.dags for item in dag.accounts if item.code == "force-paused"}
    assert told == {"DAILY"}
    assert "is_paused_upon_creation=False," in compose(made, "3.3")["dags/hand_dag.py"]


def ordered(tmp_path: Path, action: str, more: str = "") -> tuple[Dag, list[str]]:
    """Convert a job that orders something when it ends OK; give its DAG, and the codes of what was told about the order."""
    cyclic = 'CYCLIC="1" CYCLIC_TYPE="C" INTERVAL="00060M"'
    inner = f'<SUB_FOLDER JOBNAME="SUB">{job("X")}{job("TWICE")}</SUB_FOLDER><SUB_FOLDER JOBNAME="SUB2">{job("TWICE")}</SUB_FOLDER>'
    yard = f'<SMART_FOLDER FOLDER_NAME="YARD" FOLDER_ORDER_METHOD="">{inner}{job("Y")}</SMART_FOLDER>'
    loop = f'<SMART_FOLDER FOLDER_NAME="LOOP" FOLDER_ORDER_METHOD="" DAYS="ALL">{job("POLL", "", cyclic)}{more}</SMART_FOLDER>'
    on = f'<ON STMT="*" CODE="OK">{action}</ON>'
    dag = dag_of(convert(tmp_path, folder("CALL", job("C", on, 'DAYS="ALL"')) + yard + loop), "CALL")
    return dag, [item.code for item in dag.accounts if item.element == "ON/DOFORCEJOB"]


@pytest.mark.parametrize(
    ("where", "name", "dag_id"),
    [
        ("YARD", "", "YARD"),
        ("YARD", "Y", "YARD__Y"),
        ("YARD/SUB", "X", "YARD__X"),
        ("YARD", "SUB/TWICE", "YARD__TWICE"),
    ],
)
def test_an_order_finds_a_job_in_a_sub_folder_by_its_place(tmp_path: Path, where: str, name: str, dag_id: str) -> None:
    dag, codes = ordered(tmp_path, f'<DOFORCEJOB TABLE_NAME="{where}" NAME="{name}" ODATE="ODAT" REMOTE="N"/>')
    assert codes == [""]
    assert [dict(task.arguments)["trigger_dag_id"] for task in dag.tasks if task.full_id.startswith("C_orders")] == [
        dag_id
    ]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ('<DOFORCEJOB TABLE_NAME="YARD" NAME="SUB" ODATE="ODAT"/>', "force-sub-folder"),
        ('<DOFORCEJOB TABLE_NAME="YARD/SUB" NAME="" ODATE="ODAT"/>', "force-sub-folder"),
        ('<DOFORCEJOB TABLE_NAME="YARD" NAME="Y" INTO_TABLE_ORDERID="LAST"/>', "force-into"),
        ('<DOFORCEJOB TABLE_NAME="YARD" NAME="Y" ODATE="ODAT" REMOTE="Y" DATACENTER="east"/>', "force-server"),
        ('<DOFORCEJOB TABLE_NAME="YARD" NAME="Y" ODATE="PREV"/>', "force-date"),
        ('<DOFORCEJOB TABLE_NAME="YARD" NAME="Y"><VARIABLE NAME="%%A" VALUE="1"/></DOFORCEJOB>', "force-variables"),
        ('<DOFORCEJOB TABLE_NAME="LOOP" NAME="" ODATE="ODAT"/>', "force-cyclic"),
    ],
)
def test_what_an_order_cannot_say_raises(tmp_path: Path, action: str, code: str) -> None:
    dag, codes = ordered(tmp_path, action)
    assert codes == [code]
    assert [task.role for task in dag.tasks if task.full_id.startswith("C_action")] == ["raises"]


def test_the_first_of_several_jobs_of_one_name_is_ordered(tmp_path: Path) -> None:
    dag, codes = ordered(tmp_path, '<DOFORCEJOB TABLE_NAME="YARD" NAME="TWICE" INTO_TABLE_ORDERID="ALONE"/>')
    assert codes == ["force-several"]
    assert [dict(task.arguments).get("trigger_dag_id") for task in dag.tasks] == [None, "YARD__TWICE"]


@pytest.mark.parametrize("name", ["POLL", ""])
def test_an_order_of_cyclic_jobs_is_told(tmp_path: Path, name: str) -> None:
    dag, codes = ordered(tmp_path, f'<DOFORCEJOB TABLE_NAME="LOOP" NAME="{name}" ODATE="ODAT"/>', job("ONCE"))
    assert codes == ["force-cyclic"]
    assert not any(task.role == "raises" for task in dag.tasks)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Variables": [{"A": "1"}]}, "force-variables"),
        ({"Variables": []}, ""),
        ({"Date": "OrderDate"}, ""),
        ({"Date": "010120"}, "force-date"),
        ({"ControlMServer": "east"}, "force-server"),
    ],
)
def test_a_run_action_of_the_automation_api(tmp_path: Path, given: dict[str, object], code: str) -> None:
    action = {"Type": "Run", "Folder": "G", "Job": "K", **given}
    first = {
        "Type": "Job:Command",
        "Command": "j",
        "If": {"Type": "If:CompletionStatus", "CompletionStatus": "OK", "R": action},
    }
    text = json.dumps(
        {
            "F": {"Type": "SimpleFolder", "J": first},
            "G": {"Type": "SimpleFolder", "K": {"Type": "Job:Command", "Command": "k"}},
        }
    )
    dag = dag_of(convert(tmp_path, text, name="jobs.json"), "F")
    assert [item.code for item in dag.accounts if item.element == "ON/DOFORCEJOB"] == [code]
    assert any(task.role == "raises" for task in dag.tasks) == bool(code)


def test_a_task_that_stands_for_a_wait_is_skipped_with_its_job(tmp_path: Path) -> None:
    refused = '<INCOND NAME="NEVER" ODATE="0131" AND_OR="A"/>'
    dag = dag_of(convert(tmp_path, folder("F", job("A", "", 'DAYS="ALL"'), job("B", refused, 'DAYS="1"'))), "F")
    stand_in = next(task for task in dag.tasks if task.role == "raises")
    assert [is_run(dag, stand_in.full_id, day) for day in (date(2026, 3, 1), date(2026, 3, 2))] == [True, False]
    assert differences(tmp_path) == []
