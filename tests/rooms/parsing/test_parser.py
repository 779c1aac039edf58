"""What one file does wrong is a failure of that file alone; a deploy learns it before anything is switched."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.rooms.parsing.conftest import LIMITS, Reader, dag_text

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.parsing import ParseLimits, parse, warm

pytestmark = pytest.mark.airflow
WORSE = {
    "hangs": "import time; time.sleep(600)",
    "exits": "import os; os._exit(0)",
    "raises_exit": "import sys; sys.exit(3)",
    "kills_itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "forks": "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(600)",
    "chatters": "import os\nblock = b'x' * (4 << 20)\nfor _ in range(256):\n    os.write(1, block)",
    "eats": "hoard = [bytearray(1 << 20) for _ in range(4096)]",
}


def test_every_way_to_fail_is_a_failure_of_its_file_alone(reader: Reader) -> None:
    for name, text in WORSE.items():
        reader.write({f"dags/{name}.py": dag_text(reader.version, name, more=text)})
    reader.write({"dags/unfinished.py": "from airflow import DAG\n\ndag = DAG(\n"})
    reader.write({"dags/needs.py": "import airflow\nimport sklearn.dag\n"})
    reader.add("fine")
    result = reader.read(ParseLimits(file_s=8, memory_mb=512))
    kinds = {failure.file: failure.kind for failure in result.failures}
    assert {dag.dag_id for dag in result.dags} == {"fine", "forks", "chatters"}
    assert kinds == {
        "dags/hangs.py": "timeout",
        "dags/exits.py": "crashed",
        "dags/raises_exit.py": kinds["dags/raises_exit.py"],  # Airflow 2 stops at SystemExit, Airflow 3 tells it
        "dags/kills_itself.py": "crashed",
        "dags/eats.py": "crashed",
        "dags/unfinished.py": "syntax-error",
        "dags/needs.py": "missing-module",
    }
    found = {failure.file: failure for failure in result.failures}
    assert found["dags/unfinished.py"].line == 3
    assert "scikit-learn" in found["dags/needs.py"].hint
    pid = json.loads(warm.interpreter_of(reader.setting).identity.read_text())["pid"]
    _wait(lambda: _below(pid) == [])  # also what a file forked away


def test_what_is_missing_is_named(reader: Reader) -> None:
    reader.add("asks_variable", "from airflow.models import Variable\nVariable.get('region')")
    hook = "from airflow.hooks.base import BaseHook" if reader.version[0] == "2" else "from airflow.sdk import BaseHook"
    reader.add("opens_connection", f"{hook}\nBaseHook.get_connection('warehouse')")
    reader.add("reads_env", "import os\nos.environ['REGION']")
    reader.add("asks_with_default", "from airflow.models import Variable\nVariable.get('region', 'eu')")
    result = reader.read()
    assert {(failure.kind, failure.name) for failure in result.failures} == {
        ("missing-variable", "region"),
        ("missing-connection", "warehouse"),
        ("missing-env", "REGION"),
    }
    assert {dag.dag_id for dag in result.dags} == {"asks_with_default"}


def test_what_the_deployment_has_is_found(reader: Reader) -> None:
    """Environment variables, secret ones too, and the metadata database answer as they do in the deployment."""
    reader.database = f"sqlite:///{reader.folder / 'airflow.db'}"
    with sqlite3.connect(reader.folder / "airflow.db") as database:
        database.execute(
            "create table variable (id integer primary key, key text, val text, description text, is_encrypted bool, team_name text)"
        )
        database.execute("insert into variable values (1, 'from_database', 'kept', null, 0, null)")
    reader.environment = {"AIRFLOW_VAR_FROM_ENV": Secret("hidden-value"), "REGION": "eu"}
    asked = "from airflow.models import Variable\nimport os\n"
    check = "assert Variable.get('from_env') == 'hidden-value' and os.environ['REGION'] == 'eu'\n"
    reader.add("asks", f"{asked}{check}assert Variable.get('from_database') == 'kept'")
    reader.add("writes", f"{asked}try:\n    Variable.set('from_database', 'changed')\nexcept Exception:\n    pass")
    result = reader.read()
    assert not result.failures
    with sqlite3.connect(reader.folder / "airflow.db") as database:
        assert database.execute("select val from variable").fetchall() == [("kept",)]
        assert database.execute("pragma journal_mode").fetchone() == ("delete",)
    for path in (reader.home / "deployment", reader.project / "dags" / "__pycache__"):
        assert not path.exists()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"hidden-value" not in process.read_bytes()
        except OSError:
            continue


def test_plugins_and_includes_are_there_and_a_broken_plugin_is_told(reader: Reader) -> None:
    reader.write(
        {
            "plugins/acme/__init__.py": "NAME = 'acme'\n",
            "include/lib.py": "def start():\n    return 'included'\n",
            "dags/lib_here.py": "HERE = True\n",
            "plugins/broken.py": "raise RuntimeError('plugin is broken')\n",
        }
    )
    reader.add(
        "imports", "from acme import NAME\nfrom include.lib import start\nfrom lib_here import HERE\nassert start()"
    )
    result = reader.read()
    assert [dag.dag_id for dag in result.dags] == ["imports"]
    assert [(failure.kind, failure.file) for failure in result.failures] == [("plugin-error", "plugins/broken.py")]


def test_a_plugin_that_ends_its_process_does_not_end_the_reading(reader: Reader) -> None:
    reader.write({"plugins/worse.py": "import os\nos._exit(7)\n"})
    reader.add("fine")
    result = reader.read()
    assert [dag.dag_id for dag in result.dags] == ["fine"]
    assert [failure.kind for failure in result.failures] == ["plugin-error"]


_LEAK = """
import os
import airflow.models
import requests.adapters
import sys
places = (airflow.models, requests, requests.Session, EmptyOperator, DAG)
assert not any(hasattr(place, "leak") for place in places) and "LEAK" not in os.environ and "/leak" not in sys.path
assert EmptyOperator.ui_color != "leak" and requests.adapters.DEFAULT_POOLSIZE != "leaks"
for place in places:
    place.leak = True
EmptyOperator.ui_color = "leak"
requests.adapters.DEFAULT_POOLSIZE = "leaks"
sys.path.append("/leak")
os.environ["LEAK"] = "1"
"""


def test_what_a_file_changes_no_other_sees(reader: Reader) -> None:
    for number in range(8):  # so many that what they import is imported once, ahead of them
        reader.add(f"leaks_{number}", _LEAK)
    result = reader.read()
    assert result.failures == ()
    assert len(result.dags) == 8
    assert 0 < result.cpu_s < 600


_RAISES = "raise RuntimeError('no such luck')\n"


@pytest.mark.parametrize("body", ["import os\nos._exit(3)\n", _RAISES], ids=["ends-its-process", "raises"])
def test_a_library_that_fails_ahead_fails_in_its_own_file_only(reader: Reader, tmp_path: Path, body: str) -> None:
    """Libraries of the virtualenv are imported ahead of the files; what one does then must be no other file's failure."""
    reader.venv = _with_library(reader.venv, tmp_path / "venv", "pymongo", body)
    for number in range(6):
        reader.add(f"fine_{number}")
    reader.add("broken", "import pymongo")
    reader.add("tolerant", "try:\n    import pymongo\nexcept RuntimeError:\n    pass")
    result = reader.read()
    warm.end(warm.interpreter_of(reader.setting))
    failed = {failure.file: failure.kind for failure in result.failures}
    if body == _RAISES:
        assert failed == {"dags/broken.py": "import-error"}
    else:
        assert failed == {"dags/broken.py": "crashed", "dags/tolerant.py": "crashed"}
    assert len(result.dags) == 8 - len(failed)


def test_what_stays_for_the_next_reading_is_no_file_s_doing_and_hides_nothing(reader: Reader, tmp_path: Path) -> None:
    """The process that has libraries imported reads again; not when the project has a module of a library's name by then."""
    reader.venv = _with_library(reader.venv, tmp_path / "venv", "pymongo", "mine = False\nseen = []\n")
    limits = replace(LIMITS, is_staying=True, is_remembering=False)
    for number in range(6):
        reader.add(
            f"uses_{number}", "import pymongo\nassert not pymongo.mine and not pymongo.seen\npymongo.seen.append(1)"
        )
    first = reader.read(limits)
    pid = json.loads(warm.interpreter_of(reader.setting).identity.read_text())["pid"]
    stayed = _below(pid)
    again = reader.read(limits)
    assert first.failures == again.failures == ()
    assert first.dags == again.dags
    assert len(first.dags) == 6
    assert len(stayed) == 1
    assert _below(pid) == stayed
    reader.write({"pymongo.py": "mine = True\nseen = []\n"})
    for number in range(6):
        reader.add(f"uses_{number}", "import pymongo\nassert pymongo.mine")
    hidden = reader.read(limits)
    assert hidden.failures == ()
    assert len(hidden.dags) == 6
    _wait(lambda: stayed[0] not in _below(pid))
    reader.read(replace(limits, is_staying=False))
    warm.end(warm.interpreter_of(reader.setting))
    _wait(lambda: _below(pid) == [])


def _with_library(venv: Path, place: Path, name: str, body: str) -> Path:
    """Make a virtualenv that has all of another one, and one library more."""
    (place / "bin").mkdir(parents=True)
    (place / "bin/python").symlink_to((venv / "bin/python").resolve())
    (place / "pyvenv.cfg").write_text((venv / "pyvenv.cfg").read_text())
    site = next(venv.glob("lib/python*/site-packages"))
    own = place / site.relative_to(venv)
    own.mkdir(parents=True)
    (own / "all.pth").write_text(f"{site}\n")
    (own / f"{name}.py").write_text(body)
    return place


_SHARED = """
import airflow.models
import requests
seen = []
"""
_SHARES = """
import shared
assert shared.seen == []
shared.seen.append(1)
"""
_CHANGES_TIMETABLES = """
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
def never(self, *, last_automated_data_interval, restriction):
    return None
CronDataIntervalTimetable.next_dagrun_info = CronTriggerTimetable.next_dagrun_info = never
"""


def test_neither_modules_of_the_project_nor_changed_timetables_are_shared(reader: Reader) -> None:
    """What is done once for all files is no file's doing: not its imports, and not fire times that it changed."""
    reader.write({"dags/shared.py": _SHARED, "dags/ends.py": "import airflow\nimport os\nos._exit(5)\n"})
    reader.add("changes", _CHANGES_TIMETABLES)  # the first to be read
    for number in range(6):
        reader.add(f"shares_{number}", _SHARES)
    reader.add("tries", "try:\n    from ends import gone\nexcept ImportError:\n    pass")
    limits = replace(LIMITS, next_runs=3, next_runs_from=datetime(2026, 3, 27, tzinfo=UTC))
    result = reader.read(limits)
    assert {(failure.file, failure.kind) for failure in result.failures} == {("dags/tries.py", "crashed")}
    runs = {dag.dag_id: tuple(run.run_after[:10] for run in dag.next_runs) for dag in result.dags}
    assert runs.pop("changes") == ()
    assert len(runs) == 6
    first = 28  # at the end of its data interval
    assert runs == dict.fromkeys(runs, tuple(f"2026-03-{day}" for day in range(first, first + 3)))


def test_the_same_dag_id_in_two_files_is_told(reader: Reader) -> None:
    for name in ("one", "two"):
        reader.write({f"dags/{name}.py": dag_text(reader.version, "same")})
    failures = reader.read().failures
    assert [(failure.kind, failure.file, failure.name) for failure in failures] == [
        ("duplicate-dag", "dags/two.py", "same")
    ]


def test_only_what_changed_is_read_again(reader: Reader) -> None:
    """Correct before quick: a changed import, a new file and a variable that was asked for all have the file read again."""
    reader.write({"include/lib.py": "NAME = 'first'\n"})
    reader.add("alone")
    reader.add("imports", "from include.lib import NAME", "EmptyOperator(task_id=NAME)")
    reader.add("asks", "from airflow.models import Variable\nVariable.get('x', 'y')")
    first = reader.read()
    again = reader.read()
    assert (first.remembered, again.remembered) == (0, 2)
    assert again.dags == first.dags
    reader.write({"include/lib.py": "NAME = 'second'\n"})
    changed = reader.read()
    assert changed.remembered == 1
    assert {name for dag in changed.dags for name in dag.shape["tasks"]} == {"only", "second"}
    reader.write({"include/more.py": ""})
    assert reader.read().remembered == 0
    assert reader.read(replace(LIMITS, is_remembering=False)).remembered == 0


def test_an_interpreter_that_is_killed_is_started_anew(reader: Reader) -> None:
    reader.add("fine")
    reader.read()
    interpreter = warm.interpreter_of(reader.setting)
    pid = json.loads(interpreter.identity.read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    assert [dag.dag_id for dag in reader.read().dags] == ["fine"]
    assert json.loads(interpreter.identity.read_text())["pid"] != pid


def test_nothing_goes_on_when_who_asked_is_killed(reader: Reader) -> None:
    """kill -9 of the server in the middle of a reading: the file's process ends, the interpreter stays for the next."""
    reader.add("fine")
    reader.read()
    reader.write({"dags/hangs.py": dag_text(reader.version, "hangs", "import time; time.sleep(600)")})
    pid = json.loads(warm.interpreter_of(reader.setting).identity.read_text())["pid"]
    asking = os.fork()
    if not asking:
        try:
            reader.read(replace(LIMITS, file_s=300))
        finally:
            os._exit(0)
    _wait(lambda: len(_below(pid)) >= 2)  # the request's process and the file's
    os.kill(asking, signal.SIGKILL)
    os.waitpid(asking, 0)
    _wait(lambda: _below(pid) == [])
    (reader.project / "dags/hangs.py").unlink()
    assert [dag.dag_id for dag in reader.read().dags] == ["fine"]
    assert json.loads(warm.interpreter_of(reader.setting).identity.read_text())["pid"] == pid


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _below(pid: int) -> list[int]:
    """Name the living processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            parents[int(entry.name)] = int(fields[1])
    found, layer = [], [pid]
    while layer := [child for child, parent in parents.items() if parent in layer]:
        found += layer
    return found


def test_settings_under_which_airflow_cannot_start_are_told(reader: Reader) -> None:
    reader.environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "",
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "no.such.thing",
    }
    reader.add("fine")
    with pytest.raises(Broken) as told:
        reader.read()
    assert told.value.code == "airflow-not-importable"
    assert "no" in told.value.message


def test_an_airflow_that_fails_before_the_first_file_is_not_blamed_on_the_files(reader: Reader) -> None:
    reader.environment = {"AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX": "nonsense"}
    reader.add("fine")
    with pytest.raises(Broken, match="nonsense") as told:
        reader.read()
    assert told.value.code == "airflow-not-importable"


def test_a_named_bundle_is_read_with_the_imports_of_the_project(reader: Reader) -> None:
    reader.write({"include/lib.py": "NAME = 'shared'\n"})
    other = reader.folder / "other"
    (other / "dags").mkdir(parents=True)
    (other / "dags" / "more.py").write_text(dag_text(reader.version, "more", "from include.lib import NAME"))
    result = parse(reader.project, reader.setting, limits=LIMITS, bundle=("extra", other))
    assert [(dag.dag_id, dag.file) for dag in result.dags] == [("more", "extra:dags/more.py")]
