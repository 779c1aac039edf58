"""Jobs of Hadoop: the command line of its clients where the job runs, with the HDFS commands before and after."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail, items_of
from aerodrome.migration.convert.controlm.plugins.jobs import plugin

_OOZIE: Final = """id=$(oozie job -config {file} -run | sed -n 's/^job: //p')
[ -n "$id" ] || exit 1
while :; do
  status=$(oozie job -info "$id" | sed -n 's/^Status *: *//p' | head -1)
  case "$status" in
    SUCCEEDED) break ;;
    PREP | RUNNING | SUSPENDED) sleep 30 ;;
    *) echo "$id: $status"; exit 1 ;;
  esac
done"""


def hadoop(bench: Workbench) -> None:
    """Make the task of one program, with its commands in the same shell."""
    command = _command(bench.job.kind, bench.job.type_name, bench.job.details)
    if not command:
        bench.fail("job-hadoop", "This Hadoop program is not converted, or it lacks what it runs.")
        return
    before, after = (commands_of(bench.job.details, key) for key in ("PreCommands", "PostCommands"))
    is_one = not before and not after and "\n" not in command
    lines = [command] if is_one else ["set -e", *before, command, *after]
    bench.run(bench.text("\n".join(lines)))


def spark(bench: Workbench) -> None:
    """Make the task of a Spark program, and tasks of its commands before and after."""
    details = bench.job.details
    for key, suffix in (("PreCommands", "_before"), ("PostCommands", "")):
        if key == "PostCommands":
            plugin(bench)
        if lines := commands_of(details, key):
            if key == "PostCommands" and bench.work.steps:
                last = bench.work.steps[-1]
                bench.work.steps[-1] = type(last)("_run", last.operator, last.arguments)
            bench.run(bench.text("\n".join(["set -e", *lines])), suffix=suffix)


def _command(kind: str, type_name: str, details: Mapping[str, str]) -> str:
    arguments = " ".join(_word(item) for item in items_of(details.get("Arguments", "")))
    word = kind if kind in ("hdfs", "distcp") else type_name.rpartition(":")[2].lower()

    def of(name: str, text: str) -> str:
        return text if detail(details, (name,)) else ""

    jar, main = detail(details, ("programjar",)), detail(details, ("mainclass",)).strip()
    match word:
        case "hdfs":
            return "\n".join(_dfs(details.get("Commands", "")))
        case "distcp":
            sources = " ".join(items_of(detail(details, ("sourcepaths", "sourcepath"))))
            return of("targetpath", f"hadoop distcp {sources} {detail(details, ('targetpath',))}") if sources else ""
        case "hdfsfilewatcher":
            limit, path = detail(details, ("maxwaittime",)), detail(details, ("hdfsfilepath",))
            wait = f"until hdfs dfs -test -e '{path}'; do sleep 60; done"
            wait = f'timeout {limit}m bash -c "{wait}"' if limit.isdigit() else wait
            return wait if path else ""
        case "hive":
            values = " ".join(f"--hivevar {pair}" for pair in _pairs_of(details.get("Parameters", "")))
            return of("hivescript", f"hive -f {detail(details, ('hivescript',))} {values}".strip())
        case "pig":
            values = " ".join(f"-param {pair}" for pair in _pairs_of(details.get("Parameters", "")))
            return of("pigscript", " ".join(filter(None, ("pig", values, "-f", detail(details, ("pigscript",))))))
        case "sqoop":
            return of("sqoopcommand", f"sqoop {detail(details, ('sqoopcommand',))}")
        case "mapreduce":
            return " ".join(filter(None, ("hadoop jar", jar, main, arguments))) if jar else ""
        case "oozie":
            return of("jobpropertiesfile", _OOZIE.format(file=detail(details, ("jobpropertiesfile",))))
    return ""


def commands_of(details: Mapping[str, str], key: str) -> list[str]:
    """Give the HDFS commands before or after a program as shell lines.

    Automation API: a command before fails the job unless FailJobOnCommandFailure is false, one after only when it is true.
    """
    try:
        value: Any = json.loads(details.get(key, "") or "{}")
    except json.JSONDecodeError:
        return []
    if not isinstance(value, dict):
        return []
    is_failing = bool(value.get("FailJobOnCommandFailure", key == "PreCommands"))
    return [line if is_failing else f"{line} || true" for line in _dfs(json.dumps(value.get("Commands", [])))]


def _dfs(text: str) -> list[str]:
    try:
        listed: Any = json.loads(text or "[]")
    except json.JSONDecodeError:
        return []
    items = listed if isinstance(listed, list) else []
    return [f"hdfs dfs -{name} {value}" for item in items if isinstance(item, dict) for name, value in item.items()]


def _word(text: str) -> str:
    """Give an argument as one word of the shell; %% variables in it are still compiled."""
    if "%%" in text:
        return text if re.fullmatch(r"[\w./:=@%+,$-]+", text) else f'"{text}"'
    return shlex.quote(text)


def _pairs_of(text: str) -> list[str]:
    """Give `name=value` for a JSON list of names and values."""
    try:
        listed: Any = json.loads(text)
    except json.JSONDecodeError:
        return []
    items = listed if isinstance(listed, list) else []
    return [_word(f"{name}={value}") for item in items if isinstance(item, dict) for name, value in item.items()]
