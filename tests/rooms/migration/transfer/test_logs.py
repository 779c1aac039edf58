"""The logs of old tries stand where the target's Airflow looks. If these break, a person opens an old task and sees nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.rooms.migration.sources.aws_server import REGION, aws_server
from tests.rooms.migration.transfer.conftest import MemorySource, make_run, make_task

from aerodrome.migration.sources.task_logs.place import LogPlace
from aerodrome.migration.sources.task_logs.reading import open_logs
from aerodrome.migration.transfer import TargetDatabase, move_history, move_logs

pytestmark = pytest.mark.airflow
RUN = make_run("daily", 0)
MANUAL = make_run("daily", 1, run_id="manual__x", run_type="manual")


@pytest.fixture
def moved(target: TargetDatabase, add_dags: Callable[..., None]) -> TargetDatabase:
    add_dags("daily", "other")
    tasks = [make_task(RUN, "load"), make_task(RUN, "each", map_index=3, try_number=1), make_task(MANUAL, "load")]
    move_history(MemorySource(rows={"run": [RUN, MANUAL], "task_instance": tasks}), target, ["daily"])
    return target


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_names_of_every_version_become_those_of_the_target(moved: TargetDatabase, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old / "daily/load" / RUN["logical_date"].isoformat() / "1.log", "of 1.10")
    write(old / f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=2.log", "of 2.3")
    write(old / f"dag_id=daily/run_id={RUN['run_id']}/task_id=each/map_index=3/attempt=1.log", "mapped")
    write(old / "dag_id=daily/run_id=never_moved/task_id=load/attempt=1.log", "not ours")
    write(old / "dag_id=other/run_id=r/task_id=t/attempt=1.log", "another DAG")

    outcome = move_logs(moved, ["daily"], old, new)

    assert files(new) == {
        f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=1.log": "of 1.10",
        f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=2.log": "of 2.3",
        f"dag_id=daily/run_id={RUN['run_id']}/task_id=each/map_index=3/attempt=1.log": "mapped",
    }
    assert (outcome.found, outcome.moved, outcome.same, outcome.missing) == (3, 3, 0, 2)
    place = new / f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=2.log"
    assert place.stat().st_mtime == 1_700_000_000


def test_logs_of_a_bucket_stand_where_the_target_looks(moved: TargetDatabase, tmp_path: Path) -> None:
    """They come in streams, once; one that may not be read is refused by name, and the rest goes on."""
    new = tmp_path / "new"
    first = f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=1.log"
    second = f"daily/load/{RUN['logical_date'].isoformat()}/2.log"  # as Airflow before 2.3 named them
    with aws_server() as server:
        server.s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        for key, content in ((first, "one"), (second, "two"), ("dag_id=other/x.log", "not asked for")):
            server.s3.put_object(Bucket="logs", Key=f"prod/{key}", Body=content.encode())
        logs = open_logs(LogPlace("s3", "s3://logs/prod"), server.login)
        assert logs is not None
        with closing(logs):
            outcome = move_logs(moved, ["daily", "other"], logs, new)
            assert (outcome.found, outcome.moved, outcome.failed_by_code.total()) == (2, 2, 0)
            assert files(new) == {first: "one", first.replace("attempt=1", "attempt=2"): "two"}
            assert move_logs(moved, ["daily"], logs, new).same == 2
            server.denied.add("s3:GetObject")
            refused = move_logs(moved, ["daily"], logs, tmp_path / "newer")
            assert dict(refused.failed_by_code) == {"log-unreadable": 2}
            server.denied.add("s3:ListBucket")
            refused = move_logs(moved, ["daily"], logs, tmp_path / "newer")
            assert dict(refused.failed_by_code) == {"logs-unreadable": 1}
            assert "s3:ListBucket" in refused.failed[0].message


def test_a_second_time_copies_what_is_newer_only(moved: TargetDatabase, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    first = old / f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=1.log"
    second = first.with_name("attempt=2.log")
    write(first, "one")
    write(second, "two")
    move_logs(moved, ["daily"], old, new)
    second.write_text("two, and a line more")

    outcome = move_logs(moved, ["daily"], old, new)

    assert (outcome.found, outcome.moved, outcome.same) == (2, 1, 1)
    assert files(new)[str(second.relative_to(old))] == "two, and a line more"
    assert not list(new.rglob("*.aerodrome"))


def test_the_logs_of_the_target_s_own_runs_are_not_touched(moved: TargetDatabase, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    name = "dag_id=daily/run_id=manual__x/task_id=load/attempt=2.log"
    write(old / name, "old")
    write(new / name, "written by the target later on")
    os.utime(new / name)
    with moved.writing() as connection:
        connection.execute(text("update dag_run set state = 'running' where run_id = 'manual__x'"))
    assert move_logs(moved, ["daily"], old, new).found == 0
    with moved.writing() as connection:
        connection.execute(text("update dag_run set state = 'success' where run_id = 'manual__x'"))
    assert move_logs(moved, ["daily"], old, new).same == 1
    assert files(new)[name] == "written by the target later on"


def test_a_run_id_that_leads_out_of_the_folder_is_refused(
    target: TargetDatabase, add_dags: Callable[..., None], tmp_path: Path
) -> None:
    add_dags("daily")
    run = make_run("daily", 0, run_id="x/../../../../outside")
    move_history(MemorySource(rows={"run": [run], "task_instance": [make_task(run, "load")]}), target, ["daily"])
    (tmp_path / "old/dag_id=daily").mkdir(parents=True)

    outcome = move_logs(target, ["daily"], tmp_path / "old", tmp_path / "new")

    assert outcome.failed_by_code == {"log-path-unsafe": 2}
    assert not (tmp_path / "new").exists()


def test_a_file_that_cannot_be_read_is_named(moved: TargetDatabase, tmp_path: Path) -> None:
    old = tmp_path / "old"
    write(old / f"dag_id=daily/run_id={RUN['run_id']}/task_id=load/attempt=1.log", "x")
    (tmp_path / "new").write_text("a file where the folder should be")

    outcome = move_logs(moved, ["daily"], old, tmp_path / "new")

    assert outcome.failed_by_code == {"log-unreadable": 1}
    assert outcome.failed[0].key == f"daily/{RUN['run_id']}/load[-1]/1"
