"""Jobs that become several tasks: what they do when they end NOTOK sees the failure of any of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world

PROFILE = {"connection_profiles": {"HERE": "LOCAL", "THERE": "SFTP"}, "default_host": "worker"}
TRANSFER = """
<VARIABLE NAME="%%FTP-LPATH1" VALUE="/in/a.txt"/><VARIABLE NAME="%%FTP-RPATH1" VALUE="/out/a.txt"/>
<VARIABLE NAME="%%FTP-UPLOAD1" VALUE="1"/>
<VARIABLE NAME="%%FTP-LPATH2" VALUE="/in/b.txt"/><VARIABLE NAME="%%FTP-RPATH2" VALUE="/out/b.txt"/>
<VARIABLE NAME="%%FTP-UPLOAD2" VALUE="1"/>
<VARIABLE NAME="%%FTP-LHOST" VALUE="here"/><VARIABLE NAME="%%FTP-RHOST" VALUE="there"/>
<VARIABLE NAME="%%FTP-CONNTYPE1" VALUE="LOCAL"/><VARIABLE NAME="%%FTP-CONNTYPE2" VALUE="SFTP"/>
"""
TOLD = (
    '<ON STMT="*" CODE="NOTOK"><DOCOND NAME="BROKEN" ODATE="ODAT" SIGN="+"/>'
    '<DOMAIL DEST="ops@example.com" SUBJECT="broken" MESSAGE="see"/></ON><SHOUT WHEN="NOTOK" DEST="OPS" MESSAGE="broken"/>'
)


def text_of(inside: str) -> str:
    send = f'<JOB JOBNAME="SEND" APPL_TYPE="FILE_TRANS" TASKTYPE="Job" DAYS="ALL">{TRANSFER}{inside}</JOB>'
    mend = '<JOB JOBNAME="MEND" TASKTYPE="Command" CMDLINE="mend" DAYS="ALL"><INCOND NAME="BROKEN" ODATE="ODAT" AND_OR="A"/></JOB>'
    return f'<FOLDER FOLDER_NAME="YARD" FOLDER_ORDER_METHOD="SYSTEM">{mend}{send}</FOLDER>'


def tasks_of(dag: Dag) -> list[str]:
    return [task.full_id for task in dag.tasks if task.full_id.startswith("SEND") and task.role == "real"]


def test_handlers_see_the_failure_of_any_task(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, text_of(TOLD), PROFILE), "YARD")
    names = [name for name in tasks_of(dag) if "on_failure_callback" in arguments(dag.task(name))]
    assert len(names) > 1
    assert names[-1] == "SEND"
    router = next(task for task in dag.tasks if task.watches)
    assert arguments(router)["op_kwargs"] == {"task_ids": names, "notok": router.choices[1].tasks[0]}
    for failed in names:
        assert chosen(dag, names, failed) == router.choices[1].tasks[0]
    assert chosen(dag, names, "") is None


@pytest.mark.parametrize("is_new", [True, False], ids=["3.3", "2.11"])
def test_the_router_reads_states_as_each_airflow_gives_them(tmp_path: Path, is_new: bool) -> None:
    dag = dag_of(convert(tmp_path, text_of(TOLD), PROFILE), "YARD")
    assert chosen(dag, ["A", "B"], "A", is_new=is_new)
    assert not chosen(dag, ["A", "B"], "", is_new=is_new)


def chosen(dag: Dag, names: list[str], failed: str, *, is_new: bool = True) -> object:
    states = {name: "failed" if name == failed else "upstream_failed" for name in names}
    ti = SimpleNamespace(get_task_states=lambda dag_id, task_ids, run_ids: {"r": states}) if is_new else object()
    run = SimpleNamespace(dag_id="YARD", run_id="r", get_task_instance=lambda name: SimpleNamespace(state=states[name]))
    return functions_of(dag)["after"](names, "SEND_notok" if failed else "x", ti, run)


def test_the_run_is_that_of_control_m(tmp_path: Path) -> None:
    made = convert(tmp_path, text_of(TOLD), PROFILE)
    world = plan_world(gather(tmp_path), read_site(PROFILE))
    assert list(compare(world, world.plans[0], dag_of(made, "YARD"))) == []
    assert read(tmp_path, PROFILE).dags == made.dags
