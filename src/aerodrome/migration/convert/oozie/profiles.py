"""Where the work of actions runs: turns a shell command into the operator of an execution profile.

The profile file (YAML) names a runner, for all actions and for each type; `local` is the default:

    runner: ssh
    runners: {spark: livy}
    ssh: {conn_id: hadoop_edge}
    kubernetes: {image: registry/hadoop-client:3.3, namespace: jobs}
    emr: {job_flow_id: j-123}
    dataproc: {project_id: p, region: r, cluster: c}
    livy: {conn_id: livy_default}
    properties: {nameNode: "hdfs://cluster"}
    properties_files: [prod/job.properties]
    defaults: {start_time: "2024-01-01T00:00Z"}
    sub_workflows: trigger
    functions:
      "site:fiscal": company.calendar.fiscal
      "site:env": {value: prod}
      "site:shift": {arguments: [day, n], imports: [datetime], python: "datetime.date.fromisoformat(day) + datetime.timedelta(int(n))"}
    processing_timezone: GMT+0900
    max_output_data: 65536

`properties` win over the files beside the definitions, `defaults` stand behind everything. `functions` are EL functions of the
site's own Oozie server, by the Python callables that stand for them (they take and give texts, and the project has to have their module),
by one text, or by an expression over their arguments, which are texts.
`processing_timezone` is that of the server (oozie.processing.timezone); without it the times of a coordinator say which it is.
`max_output_data` is its oozie.action.max.output.data, the bytes of captured output beyond which an action fails.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Expression, Function, Symbol
from aerodrome.migration.convert.oozie.needs import SiteFunction

RUNNERS: Final = ("local", "ssh", "kubernetes", "emr", "dataproc", "livy")
_KEYS: Final = {
    "runner",
    "runners",
    "properties",
    "defaults",
    "properties_files",
    "dag_id_prefix",
    "sub_workflows",
    "functions",
    "processing_timezone",
    "max_output_data",
    *RUNNERS,
}
# Hadoop 3.3, FsShell: 1 is "no", and also any IOException, which it writes down as "test: …"; an IllegalArgumentException is "-test: …"
_ANSWER: Final = """\
    errors = [line for line in said.splitlines() if re.match("(?i)-?test:|error:|exception in thread", line)]
    errors = [line for line in errors if "No such file or directory" not in line]
    if code == 1 and errors:  # "no" has this code, too, and says nothing
        raise ConnectionError(f"hdfs dfs -test {flag} {path} got no answer: {errors[0]}")
    if code not in (0, 1):
        raise RuntimeError(f"hdfs dfs -test {flag} {path} ended with {code}: {said}")
    return code == 0"""
_HDFS_LOCAL: Final = Function(
    "hdfs_test",
    '''
def hdfs_test(flag, path):
    """Ask HDFS about a path, as `hdfs dfs -test` does: -e it exists, -d it is a directory, -z it is empty."""
    done = subprocess.run(["hdfs", "dfs", "-test", flag, path], check=False, stderr=subprocess.PIPE, text=True)
    code, said = done.returncode, done.stderr
{answer}
'''.replace("{answer}", _ANSWER),
    (symbols.SUBPROCESS, symbols.RE),
)
_SSH_TEXT: Final = '''
def on_edge_node(command):
    """Run a command through the SSH connection; give its exit code and output."""
    with SSHHook(ssh_conn_id="{conn_id}").get_conn() as client:
        _, stdout, _ = client.exec_command(command)
        output = stdout.read().decode()
        return stdout.channel.recv_exit_status(), output


def hdfs_test(flag, path):
    """Ask HDFS about a path, as `hdfs dfs -test` does: -e it exists, -d it is a directory, -z it is empty."""
    code, said = on_edge_node(shlex.join(["hdfs", "dfs", "-test", flag, path]) + " 2>&1")
{answer}
'''
_SIZE: Final = '''
def hdfs_size(flag, path):
    """Give bytes as Oozie does: -d of the files right in a directory, -e of a file (0 for a directory), -1 where there is none."""
    if not hdfs_test(flag, path):
        return -1
    command = ["hdfs", "dfs", *(["-ls"] if flag == "-d" else ["-stat", "%b"]), path]
    {ask}
    if flag == "-e":
        return int(answer)
    found = [re.search(r" ([0-9]+) [0-9-]{10} [0-9:]{5} ", line) for line in answer.splitlines() if line.startswith("-")]
    return sum(int(match[1]) for match in found)
'''
_SIZE_LOCAL: Final = Function(
    "hdfs_size",
    _SIZE.replace("{ask}", "answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout"),
    (symbols.SUBPROCESS, symbols.RE),
)
_SIZE_SSH: Final = Function(
    "hdfs_size",
    _SIZE.replace(
        "{ask}",
        """code, answer = on_edge_node(shlex.join(command))
    if code != 0:
        raise RuntimeError(f"{shlex.join(command)} ended with {code}")""",
    ),
    (Symbol("shlex", {"2.11": "", "3.3": ""}), symbols.RE),
)
_PARTITION: Final = '''
def partition_test(uri):
    """Ask Hive whether a partition is there: hcat://HOST:PORT/DATABASE/TABLE/KEY=VALUE;KEY=VALUE."""
    database, table, keys = uri.partition("://")[2].split("/", 3)[1:]
    pairs = [item.partition("=") for item in re.split("[;,&]", keys) if item]
    names = (database, table, *(key for key, _, _ in pairs))
    if not all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names) or "'" in keys or chr(92) in keys:
        raise ValueError(f"{uri} names no partition")
    wanted = ", ".join(f"{key}='{value}'" for key, _, value in pairs)
    question = f"SHOW PARTITIONS {database}.{table} PARTITION ({wanted})"
    {ask}
    if code != 0:  # also where nobody answers; a table that is not there may come
        raise ConnectionError(f"{question} ended with {code}: {said[-500:]}")
    return bool(answer.strip())
'''
_PARTITION_LOCAL: Final = Function(
    "partition_test",
    _PARTITION.replace(
        "{ask}",
        """done = subprocess.run(["hive", "-S", "-e", question], check=False, capture_output=True, text=True)
    code, answer, said = done.returncode, done.stdout, done.stderr""",
    ),
    (symbols.SUBPROCESS, symbols.RE),
)
_PARTITION_SSH: Final = Function(
    "partition_test",
    _PARTITION.replace(
        "{ask}",
        """code, answer = on_edge_node(shlex.join(["hive", "-S", "-e", question]))
    said = answer""",
    ),
    (symbols.RE,),
)


@dataclass(frozen=True)
class Command:
    """What an action does, as a bash script of one or more lines, and the pieces that engines want apart.

    `argv` is the main command as shell words (templates); `lines` all of them in order, the main one included.
    """

    lines: tuple[str, ...]
    argv: tuple[str, ...] = ()
    is_capturing: bool = False
    read: Code = field(default_factory=lambda: Code("json.loads", (symbols.JSON,)))  # what reads the last line, then
    engine: Mapping[str, Any] = field(
        default_factory=dict
    )  # spark: file, class, arguments, conf … for Livy and Dataproc


@dataclass(frozen=True)
class Profile:
    """A profile file, checked."""

    runner: str = "local"
    runners: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    properties_files: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    dag_id_prefix: str = ""
    sub_workflows: str = "group"
    functions: Mapping[str, SiteFunction] = field(default_factory=dict)
    ending: str = ""  # what the times of the server end with, when it is said
    most_output: int = 2048  # bytes that the server takes of <capture-output>

    def runner_of(self, action: str) -> str:
        """Name the runner of an action type; engines that cannot run it leave it to the local client."""
        chosen = self.runners.get(action, self.runner)
        able = {"livy": ("spark",), "dataproc": ("spark", "hive", "pig")}
        return chosen if action in able.get(chosen, (action,)) else "local"

    @property
    def probe(self) -> Function:
        """Give the functions that ask HDFS."""
        if self.runner == "ssh":
            text = _SSH_TEXT.format(conn_id=self.option("ssh", "conn_id", "ssh_default"), answer=_ANSWER)
            return Function("hdfs_test", text, (symbols.SSH_HOOK, symbols.RE, Symbol("shlex", {"2.11": "", "3.3": ""})))
        return _HDFS_LOCAL

    @property
    def size_probe(self) -> Function:
        """Give the function that asks HDFS for sizes; it stands behind those of `probe`."""
        return _SIZE_SSH if self.runner == "ssh" else _SIZE_LOCAL

    @property
    def partition_probe(self) -> Function:
        """Give the function that asks Hive for a partition; it stands behind those of `probe`."""
        return _PARTITION_SSH if self.runner == "ssh" else _PARTITION_LOCAL

    def option(self, runner: str, key: str, default: str = "") -> str:
        """Give one option of a runner as text."""
        return str(self.options.get(runner, {}).get(key, default))

    def connections(self) -> tuple[ConnectionNeed, ...]:
        """Give the connections that its runners use."""
        used = {self.runner, *self.runners.values()}
        needs = []
        if "ssh" in used:
            needs.append(ConnectionNeed(self.option("ssh", "conn_id", "ssh_default"), "ssh", why="commands run there"))
        if "livy" in used:
            needs.append(
                ConnectionNeed(self.option("livy", "conn_id", "livy_default"), "livy", why="Spark jobs run there")
            )
        if "emr" in used:
            needs.append(
                ConnectionNeed(self.option("emr", "aws_conn_id", "aws_default"), "aws", why="EMR steps run there")
            )
        if "dataproc" in used:
            needs.append(
                ConnectionNeed(
                    self.option("dataproc", "gcp_conn_id", "google_cloud_default"),
                    "google_cloud_platform",
                    why="Dataproc jobs run there",
                )
            )
        return tuple(needs)


def read_profile(content: Mapping[str, Any]) -> Profile:
    """Check a profile; Invalid names the key."""
    for key in content:
        if key not in _KEYS:
            raise _invalid(f"{key} is no key of a profile.", f"Keys: {', '.join(sorted(_KEYS))}.")
    runners = content.get("runners") or {}
    for where, name in (
        ("runner", content.get("runner", "local")),
        *((f"runners.{key}", value) for key, value in runners.items()),
    ):
        if name not in RUNNERS:
            raise _invalid(f"{where} is {name!r}.", f"Runners: {', '.join(RUNNERS)}.")
    if (sub_workflows := content.get("sub_workflows", "group")) not in ("group", "trigger"):
        raise _invalid(f"sub_workflows is {sub_workflows!r}.", "group (a task group where it can be one) or trigger.")
    options = {name: content.get(name) or {} for name in RUNNERS}
    mappings = {name: content.get(name) or {} for name in ("properties", "functions")}
    for name, given in (*options.items(), *mappings.items()):
        if not isinstance(given, Mapping):
            raise _invalid(f"{name} is not a mapping.", "docs/guides/convert.md shows one.")
    functions = {str(name): _site_function(str(name), given) for name, given in mappings["functions"].items()}
    processing = str(content.get("processing_timezone") or "")
    if not re.fullmatch(r"(UTC|GMT[+-]([01]\d|2[0-3])[0-5]\d)?", processing):
        raise _invalid(f"processing_timezone is {processing!r}.", "UTC or GMT+0900, as oozie-site.xml has it.")
    most = content.get("max_output_data", 2048)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise _invalid(f"max_output_data is {most!r}.", "A number of bytes, as oozie.action.max.output.data has it.")
    return Profile(
        content.get("runner", "local"),
        dict(runners),
        options,
        {str(key): str(value) for key, value in (content.get("properties") or {}).items()},
        tuple(map(str, content.get("properties_files") or ())),
        {str(key): str(value) for key, value in (content.get("defaults") or {}).items()},
        str(content.get("dag_id_prefix") or ""),
        sub_workflows,
        functions,
        "Z" if processing == "UTC" else processing.removeprefix("GMT"),
        most,
    )


def _site_function(name: str, given: Any) -> SiteFunction:
    hint = "Name a function of a module (company.calendar.fiscal), or give {value: TEXT} or {arguments: [a, b], python: EXPRESSION}."
    wrong = _invalid(f"functions.{name} is {given!r}.", hint)
    if not re.fullmatch(r"([A-Za-z_]\w*:)?[A-Za-z_]\w*", name, re.ASCII):
        raise wrong
    if not isinstance(given, Mapping):
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", str(given), re.ASCII):
            raise wrong
        return SiteFunction(str(given))
    if set(given) == {"value"}:
        return SiteFunction(value=str(given["value"]))
    arguments, imports = (tuple(map(str, given.get(key) or ())) for key in ("arguments", "imports"))
    python = " ".join(str(given.get("python") or "").split())
    names = [*arguments, *(part for module in imports for part in module.split("."))]
    try:
        alone, inside = ast.parse(python, mode="eval").body, ast.parse(f"str({python})", mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise wrong from error
    if not isinstance(inside, ast.Call) or [ast.dump(item) for item in inside.args] != [ast.dump(alone)]:
        raise wrong
    if not set(given) <= {"python", "arguments", "imports"} or not all(
        part.isidentifier() and not keyword.iskeyword(part) for part in names
    ):
        raise wrong
    return SiteFunction(python=python, arguments=arguments, imports=imports)


def _invalid(message: str, hint: str) -> Invalid:
    return Invalid(f"The profile cannot be used: {message}", code="convert-profile-invalid", hint=hint)


def operator(profile: Profile, action: str, command: Command) -> tuple[Symbol, tuple[tuple[str, Expression], ...]]:
    """Give the operator and its arguments for a command of an action type."""
    runner = profile.runner_of(action)
    script = _script(command)
    if runner == "local":
        arguments: list[tuple[str, Expression]] = [("bash_command", script)]
        if command.is_capturing:
            arguments.append(("output_processor", command.read))
        return symbols.BASH, tuple(arguments)
    if runner in ("ssh", "emr") and len(command.lines) > 1:
        script = 'cd "$(mktemp -d)"\n' + script  # files are fetched there, as into the directory of an Oozie action
    if runner == "ssh":
        conn = profile.option("ssh", "conn_id", "ssh_default")
        return symbols.SSH, (("ssh_conn_id", conn), ("command", script), ("cmd_timeout", None))
    if runner == "kubernetes":
        options = profile.options.get("kubernetes", {})
        return symbols.POD, (
            ("name", action),
            ("image", str(options.get("image", ""))),
            ("namespace", str(options.get("namespace", "default"))),
            ("cmds", ["bash", "-ec"]),
            ("arguments", [script]),
        )
    if runner == "emr":
        step: Expression = {
            "Name": action,
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-ec", script]},
        }
        return symbols.EMR_STEPS, (
            ("job_flow_id", profile.option("emr", "job_flow_id")),
            ("aws_conn_id", profile.option("emr", "aws_conn_id", "aws_default")),
            ("steps", [step]),
            ("wait_for_completion", True),
        )
    if runner == "livy":
        return symbols.LIVY, (
            ("livy_conn_id", profile.option("livy", "conn_id", "livy_default")),
            *command.engine["livy"],
            ("polling_interval", 30),
        )
    job = command.engine["dataproc"]
    return symbols.DATAPROC, (
        ("project_id", profile.option("dataproc", "project_id")),
        ("region", profile.option("dataproc", "region")),
        ("gcp_conn_id", profile.option("dataproc", "gcp_conn_id", "google_cloud_default")),
        ("job", {"placement": {"cluster_name": profile.option("dataproc", "cluster")}, **job}),
    )


def _script(command: Command) -> str:
    script = "\n".join(command.lines)
    if len(command.lines) > 1:
        script = "set -e\n" + script
    return (
        script + " " if script.endswith((".sh", ".bash", ".json", ".yaml", ".yml")) else script
    )  # Airflow would read a file of that name
