"""Counters of a map-reduce job reach whoever reads them: the job gives exactly those, and a decision compares their numbers."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_TASKS = "org.apache.hadoop.mapreduce.TaskCounter"
_OWN = "eu.example.Job$Own"


def dag(folder: Path, action: str, test: str) -> Dag:
    (folder / "workflow.xml").write_text(
        f'<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="mr"/><action name="mr">{action}<ok to="d"/><error to="k"/></action>'
        f'<decision name="d"><switch><case to="end">{test}</case><default to="k"/></switch></decision>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    return read(folder, {}).dags[0]


def job(streaming: str = "") -> str:
    return f"<map-reduce>{streaming}<configuration><property><name>mapred.output.dir</name><value>/o</value></property></configuration></map-reduce>"


TEST = f"${{hadoop:counters('mr')[RECORDS][MAP_OUT] gt 0 and hadoop:counters(\"mr\")['{_OWN}']['TOTAL'] eq 7}}"


@pytest.mark.parametrize(
    "streaming",
    ["", "<streaming><mapper>cat</mapper><reducer>wc</reducer></streaming>"],
    ids=["submitted", "streaming"],
)
def test_a_job_gives_the_counters_that_are_read(tmp_path: Path, streaming: str) -> None:
    made = dag(tmp_path, job(streaming), TEST)
    task = made.task("mr")
    assert task.role == "real"
    command = re.sub(
        r"\{\{.*?\}\}", "''", str(dict(task.arguments)["bash_command"])
    )  # of an application that nobody names
    tools = tmp_path / "bin"
    tools.mkdir()
    answers = {
        "mapred": 'case "$2" in -submit) echo "Created job job_1_2";; -status) echo "Job state: SUCCEEDED";;'
        f' -counter) [ "$3 $4" = "job_1_2 {_OWN}" ] && echo 7 || echo 3;; esac'.replace("$Own", "\\$Own"),
        "hadoop": 'echo "INFO mapreduce.Job: Running job: job_1_2" >&2',
        "hdfs": "exit 1",
        "sleep": "exit 0",
    }
    for name, text in answers.items():
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "HADOOP_STREAMING_JAR": "s.jar"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert last == {_TASKS: {"MAP_OUTPUT_RECORDS": 3}, _OWN: {"TOTAL": 7}}


def test_a_decision_compares_numbers(tmp_path: Path) -> None:
    made = dag(tmp_path, job(), TEST)
    assert made.task("d").role == "control"
    text = "\n".join(function.source for function in made.functions)
    assert f'ti.xcom_pull(task_ids="mr")["{_TASKS}"]["MAP_OUTPUT_RECORDS"] > 0' in text
    assert "hadoop-counters" in {code for item in made.accounts for code in item.code.split(",")}


@pytest.mark.parametrize("action", ["<shell><exec>x</exec></shell>", "<pig><script>x.pig</script></pig>"])
def test_counters_of_another_kind_of_action_raise(tmp_path: Path, action: str) -> None:
    assert dag(tmp_path, action, TEST).task("d").role == "raises"


def test_a_name_that_is_put_together_is_evaluated_by_the_job(tmp_path: Path) -> None:
    (tmp_path / "job.properties").write_text("out=meta\nrun.group=G\noozie.wf.application.path=/apps/w\n")
    test = "${hadoop:counters('mr')[wf:conf('run.group')][concat(out, '/it\\'s')] gt 0}"
    made = dag(tmp_path, job(), test)
    command = str(dict(made.task("mr").arguments)["bash_command"])
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    done = environment.from_string(command.splitlines()[-1]).render(params={"out": "meta", "run.group": "a group"})
    tools = 'mapred() { [ "$4|$5" = "a group|meta/it\'s" ] && echo 9; }; job=j\n'
    found = subprocess.run(["bash", "-c", tools + done], capture_output=True, text=True, check=True)
    given = json.loads(found.stdout)
    space: dict[str, Any] = {}
    exec("\n".join(item.source for item in made.functions if item.name in ("decide_d", "number")), space)
    ti = SimpleNamespace(xcom_pull=lambda task_ids: given)
    assert (
        space["decide_d"]({}, ti, None, "r") == []
    )  # to the end: the counter that it reads is the one that the job gave
    assert made.task("d").role == "control"


def test_a_name_that_only_another_action_gives_raises(tmp_path: Path) -> None:
    assert (
        dag(tmp_path, job(), "${hadoop:counters('mr')['g'][wf:actionData('mr')['n']] gt 0}").task("d").role == "raises"
    )
    made = dag(tmp_path, job(), "${hadoop:counters('mr') eq 'x'}")
    assert "el-counters" in {item.code for item in made.accounts}
