"""Jobs that are a command line: commands, scripts, embedded scripts, and the clients of Hadoop."""

from __future__ import annotations

import json
import re

from aerodrome.migration.convert.controlm.commands import ExitRule, command_of, is_windows, with_exit_rules
from aerodrome.migration.convert.controlm.plugins import detail, items_of
from aerodrome.migration.convert.controlm.workbench import Workbench


def shell(bench: Workbench, rules: list[ExitRule]) -> None:
    job = bench.job
    command = command_of(job, bench.scope.variables)
    if not command.strip() and job.kind == "command":
        bench.note("command-empty", "The command of the job is empty: the task does nothing and succeeds.")
        command = "true"
    elif not command.strip():
        bench.fail("command-empty", "The job has no script or script text.")
        return
    if job.kind == "script" and not (
        job.details.get("MEMLIB") or job.details.get("OVERLIB") or job.details.get("FILE_PATH")
    ):
        bench.note("script-without-folder", "The script has no folder: it must be on the PATH.")
    if job.details.get("MULTY_AGENT", "N").upper() in ("Y", "1"):
        bench.note("multi-agent", "Control-M runs it on every agent of the node group; here it runs once.")
    if is_windows(command):
        bench.note("windows", "It is a command of Windows: its host needs an SSH server, or another operator here.")
    if "." in job.details.get("CMDLINE", "") and re.search(r"%%\$?\w+\.", job.details.get("CMDLINE", "")):
        bench.note(
            "period-joins",
            "A period right after a variable joins it to what follows and disappears, as in Control-M.",
        )
    text = bench.text(with_exit_rules(command, rules))
    text = (
        f"{text} " if re.search(r"\.(sh|bash|csh|zsh|dash|ksh|bat|cmd)$", text) else text
    )  # else Airflow reads a template file
    bench.run(text)


def hdfs(bench: Workbench) -> None:
    if bench.job.kind == "distcp":
        source = " ".join(items_of(detail(bench.job.details, ("sourcepaths", "sourcepath"))))
        target = detail(bench.job.details, ("targetpath",))
        if not source or not target:
            bench.fail("distcp", "The job lacks its source or target path.")
            return
        bench.run(bench.text(f"hadoop distcp {source} {target}"))
        return
    try:
        commands = json.loads(bench.job.details.get("Commands", "[]"))
    except json.JSONDecodeError:
        commands = []
    lines = [f"hdfs dfs -{name} {value}" for item in commands if isinstance(item, dict) for name, value in item.items()]
    if not lines:
        bench.fail("hdfs", "The job has no HDFS commands.")
        return
    bench.run(bench.text("set -e\n" + "\n".join(lines)))


def hadoop(bench: Workbench) -> None:
    details = bench.job.details
    arguments = " ".join(items_of(details.get("Arguments", "")))
    jar, main = detail(details, ("programjar",)), detail(details, ("mainclass",))
    word = bench.job.type_name.rpartition(":")[2].lower()
    limit, watched = detail(details, ("maxwaittime",)), detail(details, ("hdfsfilepath",))
    wait = f"until hdfs dfs -test -e '{watched}'; do sleep 60; done"
    hive_values = " ".join(f"--hivevar {pair}" for pair in _pairs_of(details.get("Parameters", "")))
    command = {
        "hdfsfilewatcher": f'timeout {limit}m bash -c "{wait}"'
        if limit.isdigit() and watched
        else wait
        if watched
        else "",
        "hive": f"hive -f {detail(details, ('hivescript',))} {hive_values}".strip()
        if detail(details, ("hivescript",))
        else "",
        "pig": f"pig -f {detail(details, ('pigscript',))}" if detail(details, ("pigscript",)) else "",
        "sqoop": f"sqoop {detail(details, ('sqoopcommand',))}" if detail(details, ("sqoopcommand",)) else "",
        "mapreduce": f"hadoop jar {jar} {main} {arguments}".strip() if jar else "",
        "oozie": f"oozie job -run -config {detail(details, ('jobpropertiesfile',))}"
        if detail(details, ("jobpropertiesfile",))
        else "",
    }.get(word, "")
    if not command:
        bench.fail("job-hadoop", "This Hadoop program type is not converted.")
        return
    bench.run(bench.text(command))


def _pairs_of(text: str) -> list[str]:
    """Give `name=value` for a JSON list of names and values."""
    try:
        listed = json.loads(text)
    except json.JSONDecodeError:
        return []
    return [f"{name}={value}" for item in listed if isinstance(item, dict) for name, value in item.items()]
