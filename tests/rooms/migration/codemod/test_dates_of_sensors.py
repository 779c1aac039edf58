"""The function of execution_date_fn gets the date of its run by place: its parameter is no key of the context. Else people look for a fault that is none."""

from __future__ import annotations

from pathlib import Path

from aerodrome.airflowkit.code import facts
from aerodrome.migration.codemod import Options, upgrade

_EARLIER = "from datetime import timedelta\n\n\ndef earlier(execution_date, next_ds=None, **kwargs):\n    return execution_date - timedelta(hours=1)\n"
_SENSOR = "from airflow.sensors.external_task import ExternalTaskSensor\n{}\nExternalTaskSensor(task_id='w', external_dag_id='x', execution_date_fn=earlier)\n"


def test_only_its_first_parameter_is_given_by_place(tmp_path: Path) -> None:
    assert [fact.message.split()[0] for fact in facts(_SENSOR.format(_EARLIER)) if fact.rule == "context-key"] == [
        "`next_ds`"
    ]
    assert len([fact for fact in facts(_EARLIER) if fact.rule == "context-key"]) == 2
    files = {
        "one.py": _SENSOR.format(_EARLIER),
        "dates.py": _EARLIER.replace("earlier", "earlier_in_another_file") + "\n\nimport airflow\n",
        "two.py": _SENSOR.format("from dates import earlier_in_another_file").replace(
            "=earlier)", "=earlier_in_another_file)"
        ),
    }
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    found = sorted((item.file, item.message.split()[0]) for item in done.findings if item.rule == "context-key")
    assert found == [("dates.py", "`next_ds`"), ("one.py", "`next_ds`")]
    assert "def earlier(execution_date, next_ds=None" in (tmp_path / "out/one.py").read_text()


def test_templates_call_macros_with_what_they_write_there(tmp_path: Path) -> None:
    dags = tmp_path / "in" / "dags"
    dags.mkdir(parents=True)
    (dags / "macros.py").write_text(
        "import airflow\n\ndef table(execution_date):\n    return execution_date\n\n\ndef other(execution_date):\n    return execution_date\n"
    )
    (dags / "a.py").write_text(
        "from airflow import DAG\nfrom macros import table\nDAG('a', schedule=None, user_defined_macros={'t': table})\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    found = [(item.file, item.line) for item in done.findings if item.rule == "context-key"]
    assert found == [("dags/macros.py", 7)]
