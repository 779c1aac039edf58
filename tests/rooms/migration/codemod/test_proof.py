"""A proof tells equal, explained, different and broken DAGs apart, under the real Airflow 2.11.2 and 3.3.2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Interpreter, Options, prove, source_version, upgrade
from aerodrome.migration.codemod.proof import _masked, _prove_file
from aerodrome.migration.codemod.raising import REASON, Raising
from aerodrome.parsing import DagDifference, ImportFailure, ParsedDag, ParseResult
from aerodrome.parsing.contract import StandIn

_HEAD = "import pendulum\nfrom airflow import DAG\nfrom airflow.operators.bash import BashOperator\n"
_START = "start_date=pendulum.datetime(2025, 1, 1, tz='Europe/Amsterdam')"
_BODY = (
    "    BashOperator(task_id='a', bash_command='{{ ds }}', retries=2) >> BashOperator(task_id='b', bash_command='x')\n"
)
_DAGS = {
    "cron": f"{_HEAD}with DAG('cron', schedule_interval='30 2 * * *', {_START}):\n{_BODY}",
    "implicit": f"{_HEAD}with DAG('implicit', {_START}):\n{_BODY}",
    "computed": f"{_HEAD}with DAG('computed', schedule=None, **{{'start_date': pendulum.now()}}):\n{_BODY}",
    "missing": (
        "import pandas_of_ours\nfrom airflow.models import Variable\n"
        f"{_HEAD}rate = Variable.get('rate')\nwith DAG('missing', schedule=None, {_START}):\n{_BODY}"
    ),
    "argument": f"{_HEAD}with DAG('argument', schedule=None, {_START}):\n    BashOperator(task_id='a', bash_command='x', sla=1, mine=2)\n",
    "gone": f"from airflow.utils.dates import round_time\n{_HEAD}rounded = round_time\nwith DAG('gone', schedule=None, {_START}):\n{_BODY}",
    "raising": (
        "from airflow.providers.google.cloud.operators.life_sciences import LifeSciencesRunPipelineOperator\n"
        f"{_HEAD}with DAG('raising', schedule=None, catchup=False, {_START}):\n"
        "    LifeSciencesRunPipelineOperator(task_id='align', body={}, location='l') >> BashOperator(task_id='b', bash_command='x')\n"
    ),
    "hooked": (
        "from airflow.providers.google.cloud.hooks.life_sciences import LifeSciencesHook\n"
        f"from airflow.decorators import task\n{_HEAD}\n"
        "@task\ndef align():\n    LifeSciencesHook().run_pipeline({})\n\n"
        f"with DAG('hooked', schedule=None, catchup=False, {_START}):\n    align()\n"
    ),
    "grouped": (
        "from airflow.operators.subdag import SubDagOperator\n"
        f"{_HEAD}args = {{'retries': 3}}\n"
        "def part(parent, child, given):\n"
        "    made = DAG(f'{parent}.{child}', default_args=given, start_date=pendulum.datetime(2025, 1, 1), schedule='@daily')\n"
        "    BashOperator(task_id='c', bash_command='x', dag=made) >> BashOperator(task_id='d', bash_command='x', dag=made)\n"
        "    return made\n"
        f"dag = DAG('grouped', schedule='@daily', default_args=args, {_START})\n"
        "first = BashOperator(task_id='a', bash_command='x', dag=dag)\n"
        "sub = SubDagOperator(task_id='sub', subdag=part('grouped', 'sub', args), dag=dag)\n"
        "first >> sub >> BashOperator(task_id='b', bash_command='x', dag=dag)\n"
    ),
    "anew": (
        "import os\nimport random\nimport secrets\nimport time\nfrom uuid import uuid4\n"
        f"{_HEAD}made = {{'run': str(uuid4()), 'part': random.randint(0, 10**9), 'key': secrets.token_hex(8), 'at': time.time(), 'more': os.urandom(4).hex()}}\n"
        "began = time.time()\nwhile time.time() < began + 3:\n    pass\n"
        f"with DAG('anew', schedule=None, catchup=False, params=made, {_START}):\n{_BODY}"
    ),
    "below": (
        f"from dags.shop.tasks import LoadOperator\n{_HEAD}"
        f"with DAG('below', schedule=None, catchup=False, {_START}):\n{_BODY}    LoadOperator(task_id='c')\n"
    ),
    "addressed": (
        f"from airflow.datasets import Dataset\n{_HEAD}"
        f"with DAG('addressed', schedule=None, catchup=False, {_START}):\n"
        "    BashOperator(task_id='a', bash_command='x', inlets=[Dataset('ftp:///x')], outlets=[Dataset('ftp:///shelf'), Dataset('s3://b/c')])\n"
    ),
    "never": "from airflow import DAG\nimport os\nraise ValueError('dag')\n",
}


def _write(folder: Path) -> Path:
    folder.mkdir()
    for name, text in _DAGS.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.airflow
def test_every_verdict(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    before, after = _write(tmp_path / "before"), tmp_path / "after"
    upgrade(before, after, "3.3.2", Options(is_pinning_intervals=True))
    source = Interpreter("2.11.2", airflow_venv("2.11.2").path)
    target = Interpreter("3.3.2", airflow_venv("3.3.2").path)
    proof = prove(before, after, source, target, is_pinned=True, home=tmp_path / "warm")
    assert (proof.source_python, proof.target_python) == ("3.11", "3.11")
    found = {Path(item.file).stem: item for item in proof.files}
    assert {name: item.verdict for name, item in found.items()} == {
        "cron": "equal",
        "implicit": "equal",
        "computed": "equal-but-for",
        "missing": "equal-but-for",  # catchup without a schedule means nothing
        "argument": "not-comparable",
        "gone": "broken",
        "raising": "equal-but-for",
        "hooked": "equal-but-for",
        "grouped": "equal-but-for",
        "anew": "equal",
        "below": "equal",
        "addressed": "equal-but-for",
        "never": "not-comparable",
    }
    assert found["below"].stand_ins == ("module dags.shop",)
    assert [(item.path, item.after) for item in found["grouped"].differences] == [("tasks.sub", "TaskGroup")]
    addressed = found["addressed"].differences
    assert {item.path for item in addressed} == {"tasks.a.inlets", "tasks.a.outlets"}
    assert all("put x- before it" in item.reason for item in addressed)
    assert found["raising"].raising == ("raising.align",)
    first = found["raising"].differences[0]
    assert (first.path, first.after, first.reason) == ("tasks.align.outcome", "raises", REASON)
    assert found["hooked"].raising == ("hooked.LifeSciencesHook",)
    assert {name for name, item in found.items() if item.raising} == {"raising", "hooked"}
    assert found["missing"].stand_ins == ("module pandas_of_ours", "variable rate")
    assert "round_time" in found["gone"].reason
    source_error, _, target_error = found["never"].reason.partition(" | ")
    assert source_error.startswith("Airflow 2.11.2: ")
    assert target_error.startswith("Airflow 3.3.2: ")
    # without the upgrade the same files parse, and run otherwise: that is what the comparison is for
    for name in ("cron", "implicit"):
        text = _DAGS[name].replace("schedule_interval", "schedule")
        (before / f"{name}.py").write_text(
            text.replace("airflow.operators.bash", "airflow.providers.standard.operators.bash")
        )
    plain = prove(_write(tmp_path / "again"), before, source, target, is_pinned=True, home=tmp_path / "warm")
    assert {
        Path(item.file).stem: item.verdict for item in plain.files if "cron" in item.file or "implicit" in item.file
    } == {
        "cron": "different",
        "implicit": "different",
    }
    cron = next(item for item in plain.files if "cron" in item.file)
    assert {"catchup", "next_runs[0]", "schedule.timetable"} <= {item.path for item in cron.differences}


def _read(version: str, message: str) -> ParseResult:
    failure = ImportFailure("dags/a.py", 1, "import-error", message)
    return ParseResult((), (failure,) if message else (), 0.0, version)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "reason"),
    [
        ("no pandas", "no module", "not-comparable", "Airflow 2.11.2: no pandas | Airflow 3.3.2: no module"),
        ("no pandas", "", "not-comparable", "Airflow 2.11.2: no pandas"),
        ("", "no module", "broken", "Airflow 3.3.2: no module"),
        ("", "", "not-comparable", "Airflow 2.11.2: It holds no DAG."),
    ],
)
def test_where_both_fail_both_are_told_the_source_first(
    old: str, new: str, verdict: str, reason: str, tmp_path: Path
) -> None:
    proof = _prove_file("dags/a.py", _read("2.11.2", old), _read("3.3.2", new), Raising(tmp_path))
    assert (proof.verdict, proof.reason) == (verdict, reason)


def _with_task(version: str, *lacking: str, retries: int = 0, fields: tuple[str, ...] = ()) -> ParseResult:
    task = {"retries": retries, "downstream": [], "template_fields": list(fields)}
    dag = ParsedDag("a", "dags/a.py", {}, "", (), {"tasks": {"t": task}})
    return ParseResult(
        (dag,), (), 0.0, version, stand_ins={"dags/a.py": tuple(StandIn("module", name) for name in lacking)}
    )


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (_with_task("2.11.2"), _with_task("3.3.2"), "equal"),
        (_with_task("2.11.2", fields=("sql",)), _with_task("3.3.2", "airflow.providers.shop"), "not-comparable"),
        (_with_task("2.11.2", "airflow.providers.shop"), _with_task("3.3.2", "airflow.providers.shop"), "not-comparable"),
        (_with_task("2.11.2", "airflow.providers.shop"), _with_task("3.3.2", fields=("sql",)), "equal-but-for"),
        (_with_task("2.11.2", "pandas"), _with_task("3.3.2", "pandas"), "equal"),
    ],
)  # fmt: skip
def test_operators_that_the_target_cannot_make_are_compared_with_nothing(
    old: ParseResult, new: ParseResult, verdict: str, tmp_path: Path
) -> None:
    proof = _prove_file("dags/a.py", old, new, Raising(tmp_path))
    assert proof.verdict == verdict
    assert ("lacks airflow.providers.shop" in proof.reason) == (verdict == "not-comparable")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (["snowflake://lake.sales"], ["x-snowflake://lake.sales"], "equal-but-for"),
        (["s3://b/c", "snowflake://lake.sales"], ["s3://b/c", "x-snowflake://lake.sales"], "equal-but-for"),
        (["snowflake://lake.sales"], ["x-snowflake://lake.stock"], "different"),
        (["s3://b/c"], ["x-s3://b/c"], "different"),
        (["snowflake://lake.sales"], [], "different"),
    ],
)
def test_addresses_that_the_upgrade_wrote_anew_are_explained(
    before: list[str], after: list[str], verdict: str, tmp_path: Path
) -> None:
    old, new = (
        ParseResult((ParsedDag("a", "dags/a.py", {}, "", (), {"tasks": {"t": {"outlets": uris}}}),), (), 0.0, version)
        for version, uris in (("2.11.2", before), ("3.3.2", after))
    )
    assert _prove_file("dags/a.py", old, new, Raising(tmp_path)).verdict == verdict


@pytest.mark.parametrize(
    ("path", "before", "shown"),
    [
        ("params.password", "canary-1", "•••"),
        ("params.url", "postgresql://me:canary-2@box/db", "postgresql://me:•••@box/db"),
        ("tasks.a.retries", 3, 3),
    ],
)
def test_a_proof_shows_no_secrets(path: str, before: object, shown: object) -> None:
    assert _masked(DagDifference("a", path, before, "x", "warning")).before == shown


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"requirements.txt": "apache-airflow==2.4.3\n"}, "2.4.3"),
        ({"Dockerfile": "FROM apache/airflow:2.10.5-python3.11\n"}, "2.10.5"),
        ({"d.py": "from airflow.contrib.hooks.ssh_hook import SSHHook\n"}, "1.10.15"),
        ({"d.py": "from airflow.decorators import dag\n"}, "2.11.2"),
        ({"d.py": "from airflow.sdk import dag\n"}, "3.3.2"),
        ({"d.py": "x = 1\n"}, "2.11.2"),
    ],
)
def test_the_source_is_found_out(files: dict[str, str], version: str, tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    for name, text in files.items():
        (project / name).write_text(text)
    assert source_version(project)[0] == version
