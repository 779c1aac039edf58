"""What a job does, as tasks: real operators, or one task that raises and says why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Expression, Function, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.autoedit import Compiled, Scope, compile_text
from aerodrome.migration.convert.controlm.commands import ExitRule, command_of, is_windows, with_exit_rules
from aerodrome.migration.convert.controlm.model import Job, Profile
from aerodrome.migration.convert.controlm.plugin_jobs import PLUGINS, detail, profile_of
from aerodrome.migration.convert.controlm.site import Site, connection_id
from aerodrome.migration.convert.controlm.transfers import Command, Side, Transfer, transfers_of

SFTP_SENSOR: Final = Symbol(
    "SFTPSensor",
    {"2.11": "airflow.providers.sftp.sensors.sftp", "3.3": "airflow.providers.sftp.sensors.sftp"},
    {"2.11": "apache-airflow-providers-sftp", "3.3": "apache-airflow-providers-sftp"},
)
BIGQUERY: Final = Symbol(
    "BigQueryInsertJobOperator",
    {
        "2.11": "airflow.providers.google.cloud.operators.bigquery",
        "3.3": "airflow.providers.google.cloud.operators.bigquery",
    },
    {"2.11": "apache-airflow-providers-google", "3.3": "apache-airflow-providers-google"},
)
FILE_TRANSFER: Final = Symbol(
    "FileTransferOperator",
    {
        "2.11": "airflow.providers.common.io.operators.file_transfer",
        "3.3": "airflow.providers.common.io.operators.file_transfer",
    },
    {"2.11": "apache-airflow-providers-common-io", "3.3": "apache-airflow-providers-common-io"},
)
_WHY: Final = {
    "sap": "SAP jobs need an RFC client, for which Airflow has no provider.",
    "mainframe": "It is a z/OS job: JCL does not run on Airflow; submit it through your z/OS gateway here.",
    "informatica": "Airflow has no provider for Informatica: start the workflow with pmcmd here.",
    "emr": "The steps of EMR jobs are not converted.",
    "ecs": "Task overrides of ECS jobs are not converted.",
    "azure-batch": "Azure Batch needs the pool and task definitions of the account.",
    "azure-function": "Azure functions are called over HTTP with a key that no export has.",
    "dataproc": "Dataproc jobs are not converted.",
    "kubernetes": "The Kubernetes job specification is not converted.",
    "hadoop": "This Hadoop program type is not converted.",
}
_SHELL_DETAILS: Final = (
    "CMDLINE",
    "PRECMD",
    "POSTCMD",
    "MEMNAME",
    "MEMLIB",
    "FILE_",
    "INSTREAM_JCL",
    "USE_INSTREAM",
    "OVERLIB",
    "OVERRIDE_PATH",
    "MULTY_AGENT",
    "ARGUMENTS",
    "ATTACH_SYSOUT",
)
_WATCHER_DETAILS: Final = (
    "PATH",
    "MODE",
    "FILEWATCH-",
    "TIMELIMIT",
    "MINIMAL",
    "SEARCH",
    "SIZE_",
    "LIMIT_",
    "CMDLINE",
    "MEMNAME",
    "MEMLIB",
)
_TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "command": _SHELL_DETAILS,
    "script": _SHELL_DETAILS,
    "embedded": _SHELL_DETAILS,
    "file-watcher": _WATCHER_DETAILS,
    "file-transfer": (
        "FTP-",
        "CONNECTIONPROFILE",
        "FILETRANSFERS",
        "S3BUCKET",
        "GOOGLEBUCKET",
        "AZURECONTAINER",
        "MEMNAME",
        "MEMLIB",
        "CMDLINE",
    ),
    "database": (
        "DB-",
        "UDJ-",
        "QUERY",
        "SQL",
        "STORED",
        "SCHEMA",
        "PARAMETERS",
        "CONNECTIONPROFILE",
        "MEMNAME",
        "MEMLIB",
        "CMDLINE",
    ),
    "sla": ("SERVICE", "COMPLETE", "JOBRUNS", "AVERAGE"),
    "bigquery": ("SQL", "QUERY", "AI-", "UCM-", "PROJECT", "CONNECTIONPROFILE"),
    "snowflake": ("SNOWFLAKE SQL", "QUERY", "SQL", "CONNECTIONPROFILE"),
    "redshift": ("REDSHIFT SQL", "QUERY", "SQL", "CONNECTIONPROFILE"),
    "hive": ("HIVESCRIPT", "PARAMETERS"),
    "hdfs": ("COMMANDS",),
    "distcp": ("SOURCEPATH", "TARGETPATH"),
    "hadoop": (
        "PIGSCRIPT",
        "SQOOPCOMMAND",
        "PROGRAMJAR",
        "MAINCLASS",
        "ARGUMENTS",
        "JOBPROPERTIES",
        "HDFSFILEPATH",
        "MAXWAITTIME",
    ),
    "airflow": ("AI-DAG_ID", "DAG", "UCM-DAG", "CONNECTIONPROFILE"),
}  # beginnings of details that the kind takes


@dataclass(frozen=True)
class Step:
    """One task of a job. The first step of a job takes its conditions, the last one is its end."""

    suffix: str
    operator: Symbol
    arguments: tuple[tuple[str, Expression], ...]
    is_waiting: bool = False


@dataclass
class Work:
    """The tasks of a job and what they need. `failure` (code, reason) is set when the job was not converted."""

    steps: list[Step] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    connections: list[ConnectionNeed] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # code, sentence
    unknown: list[str] = field(default_factory=list)  # Airflow variables that somebody must create
    macros: set[str] = field(default_factory=set)
    failure: tuple[str, str] | None = None
    queue: str = ""


def work_of(job: Job, scope: Scope, site: Site, profiles: Mapping[str, Profile], rules: list[ExitRule]) -> Work:
    """Say what a job does. `rules` are exit codes that ON blocks give a meaning; only commands can have them."""
    return _Builder(job, scope, site, profiles).build(rules)


class _Builder:
    def __init__(self, job: Job, scope: Scope, site: Site, profiles: Mapping[str, Profile]) -> None:
        self.job, self.scope, self.site, self.profiles = job, scope, site, profiles
        self.work = Work()

    def build(self, rules: list[ExitRule]) -> Work:
        kind = self.job.kind
        makers: dict[str, Callable[[], None]] = {
            "dummy": self._dummy,
            "sla": self._sla,
            "file-watcher": self._file_watcher,
            "file-transfer": self._file_transfer,
            "database": self._database,
            "snowflake": self._database,
            "hive": self._hdfs,
            "bigquery": self._bigquery,
            "airflow": self._airflow,
            "hdfs": self._hdfs,
            "distcp": self._hdfs,
            "hadoop": self._hdfs,
            "redshift": self._database,
        }
        if kind in ("command", "script", "embedded"):
            self._shell(rules)
        elif rules:
            self._fail("exit-codes", "Its ON blocks change the result by exit codes, which only commands have.")
        elif kind in makers:
            makers[kind]()
        elif kind in PLUGINS:
            self._plugin()
        else:
            self._fail(f"job-{kind}", _WHY.get(kind, f"Jobs of the type {self.job.type_name} are not converted."))
        if self.work.failure:
            self._raise()
        else:
            self._leftovers()
        return self.work

    def _leftovers(self) -> None:
        """Name the details of the job that nothing here takes."""
        if self.job.kind in ("dummy", *PLUGINS):
            return
        known = _TAKEN.get(self.job.kind, ("CONNECTIONPROFILE", "MEMNAME", "MEMLIB"))
        left = sorted(
            key
            for key, value in self.job.details.items()
            if value not in ("", "0", "N") and not key.upper().startswith(known)
        )
        if left:
            self._note("detail-unused", f"Details of the job that have no effect: {', '.join(left[:12])}.")

    # ---- kinds

    def _shell(self, rules: list[ExitRule]) -> None:
        job = self.job
        command = command_of(job, self.scope.variables)
        if not command.strip() and job.kind == "command":
            self._note("command-empty", "The command of the job is empty: the task does nothing and succeeds.")
            command = "true"
        elif not command.strip():
            self._fail("command-empty", "The job has no script or script text.")
            return
        if job.kind == "script" and not (
            job.details.get("MEMLIB") or job.details.get("OVERLIB") or job.details.get("FILE_PATH")
        ):
            self._note("script-without-folder", "The script has no folder: it must be on the PATH.")
        if job.details.get("MULTY_AGENT", "N").upper() in ("Y", "1"):
            self._note("multi-agent", "Control-M runs it on every agent of the node group; here it runs once.")
        if is_windows(command):
            self._note("windows", "It is a command of Windows: its host needs an SSH server, or another operator here.")
        if "." in job.details.get("CMDLINE", "") and re.search(r"%%\$?\w+\.", job.details.get("CMDLINE", "")):
            self._note(
                "period-joins",
                "A period right after a variable joins it to what follows and disappears, as in Control-M.",
            )
        text = self._text(with_exit_rules(command, rules))
        text = (
            f"{text} " if re.search(r"\.(sh|bash|csh|zsh|dash|ksh|bat|cmd)$", text) else text
        )  # else Airflow reads a template file
        self._run(text)

    def _run(self, text: str) -> None:
        host = self.site.host(self.job.host)
        self.work.queue = host.queue
        if host.is_worker:
            if not self.job.host:
                self._note(
                    "no-host", "The job names no host (the Control-M server itself): it runs on an Airflow worker."
                )
            if self.job.run_as and not host.queue:
                self._note("run-as", f"It runs as the user of the worker, not as {self.job.run_as}.")
            self._step("", symbols.BASH, ("bash_command", text))
            return
        self._step("", symbols.SSH, ("ssh_conn_id", self._ssh()), ("command", text), ("cmd_timeout", None))

    def _dummy(self) -> None:
        self._step("", symbols.EMPTY)

    def _sla(self) -> None:
        self._note(
            "sla-service",
            f"The service {self.job.details.get('ServiceName', self.job.name)} and its deadline are not watched: add a deadline alert.",
        )
        self._step("", symbols.EMPTY)

    def _file_watcher(self) -> None:
        details = self.job.details
        path = detail(details, ("path", "filewatchfilepath", "filepath")) or details.get("FileWatch-FILE_PATH", "")
        mode = (details.get("mode") or detail(details, ("filewatchmode",)) or "CREATE").upper()
        if not path:
            self._fail("watcher-path", "The file watcher names no file.")
            return
        if mode.startswith("DEL") or self.job.type_name.endswith(":Delete"):
            self._note("watcher-limit", "It waits for the deletion without a limit, in a loop on the host of the job.")
            self._run(self._text(f'while [ -e "{path}" ]; do sleep 60; done'))
            return
        limit = detail(details, ("limitminutes", "timelimit", "filewatchtimelimit", "waittime"))
        minutes = int(limit) if limit.isdigit() else 0
        self._note(
            "watcher-size", "The file is taken when it is there; Control-M also waits until its size stays the same."
        )
        waiting: list[tuple[str, Expression]] = [("poke_interval", 60), ("mode", "reschedule")]
        waiting.append(("timeout", timedelta(minutes=minutes) if minutes else timedelta(days=7)))
        if not minutes:
            self._note("watcher-limit", "It waits at most 7 days.")
        host = self.site.host(self.job.host)
        self.work.queue = host.queue
        if host.is_worker:
            self._connection(ConnectionNeed("fs_default", "fs", why="file watchers on the worker"))
            self._step("", symbols.FILE_SENSOR, ("filepath", self._text(path)), *waiting, is_waiting=True)
            return
        folder, _, name = path.rpartition("/")
        where: list[tuple[str, Expression]] = [("path", self._text(path))]
        if re.search(r"[*?]", name):
            where = [("path", self._text(folder or "/")), ("file_pattern", self._text(name))]
        self._step("", SFTP_SENSOR, ("sftp_conn_id", self._ssh()), *where, *waiting, is_waiting=True)

    def _file_transfer(self) -> None:
        found = transfers_of(self.job.details, {name: item.type_name for name, item in self.profiles.items()})
        if isinstance(found, str):
            self._fail("transfer", found)
            return
        for number, item in enumerate(found, 1):
            self._transfer(item, f"_{number}" if len(found) > 1 else "")

    def _transfer(self, item: Transfer, suffix: str) -> None:
        item = replace(item, source=self._placed(item.source), destination=self._placed(item.destination))
        source, destination = self._account(item.source), self._account(item.destination)
        first, second = (
            self._text(f"{item.source.scheme}://{item.source.path}"),
            self._text(f"{item.destination.scheme}://{item.destination.path}"),
        )
        for note in item.notes:
            self._note("transfer-option", note)
        self._file_commands(item.before, f"{suffix}_before")
        self._copy(item, suffix, source, destination, first, second)
        self._file_commands(item.after, f"{suffix}_after")

    def _file_commands(self, commands: tuple[Command, ...], suffix: str) -> None:
        for number, command in enumerate(commands, 1):
            side = self._placed(command.side)
            given: dict[str, Expression] = {
                "action": command.action,
                "path": self._text(f"{side.scheme}://{side.path}"),
                "conn_id": self._account(side),
            }
            if command.target:
                given["target"] = self._text(f"{side.scheme}://{command.target}")
            self.work.functions.append(snippets.FILE_COMMAND)
            self._step(
                f"{suffix}_{number}", symbols.PYTHON, ("python_callable", Code("file_command")), ("op_kwargs", given)
            )

    def _copy(
        self, item: Transfer, suffix: str, source: str | None, destination: str | None, first: str, second: str
    ) -> None:
        if item.is_watching:
            watched = ("python_callable", Code("is_there"))
            self.work.functions.append(snippets.IS_THERE)
            given: dict[str, Expression] = {"path": first, "conn_id": source}
            limit: tuple[tuple[str, Expression], ...] = (
                ("poke_interval", 60),
                ("mode", "reschedule"),
                ("timeout", timedelta(days=7)),
            )
            self._step(
                f"{suffix}_wait" if item.is_copying else suffix,
                symbols.PYTHON_SENSOR,
                watched,
                ("op_kwargs", given),
                *limit,
                is_waiting=True,
            )
        if not item.is_copying:
            return
        if item.is_plain:
            arguments: list[tuple[str, Expression]] = [
                ("src", first),
                ("dst", second),
                ("source_conn_id", source),
                ("dest_conn_id", destination),
            ]
            self._step(suffix, FILE_TRANSFER, *arguments, ("overwrite", True))
            return
        self.work.functions.append(snippets.TRANSFER)
        values: dict[str, Expression] = {
            "source": first,
            "source_conn_id": source,
            "destination": second,
            "destination_conn_id": destination,
        }
        self._step(
            suffix,
            symbols.PYTHON,
            ("python_callable", Code("transfer")),
            ("op_kwargs", values | {"is_moving": item.is_moving}),
        )

    def _placed(self, side: Side) -> Side:
        """Give a side with the address that a worker sees: files of the job's own host are reached by SFTP."""
        host = self.site.host(self.job.host)
        if side.scheme != "file" or host.is_worker:
            return side
        user = self.job.run_as.split("+")[0]
        return Side(
            "sftp", side.path, host.connection or connection_id("sftp", user, self.job.host), self.job.host, user
        )

    def _account(self, side: Side) -> str | None:
        if side.scheme == "file":
            return None
        conn_id = connection_id(side.profile or side.host or side.scheme)
        kinds = {"s3": "aws", "gs": "google_cloud_platform", "abfs": "wasb", "sftp": "sftp"}
        self._connection(
            ConnectionNeed(
                conn_id, kinds.get(side.scheme, side.scheme), side.host, login=side.user, why="file transfers"
            )
        )
        return conn_id

    def _database(self) -> None:
        details = self.job.details
        query = detail(
            details,
            (
                "query",
                "sqlquery",
                "sqlstatement",
                "statement",
                "embeddedquery",
                "sqlcommand",
                "snowflakesqlstatement",
                "redshiftsqlstatement",
                "loadredshiftsqlstatement",
            ),
        )
        script = detail(details, ("sqlscript", "script", "hivescript", "scriptfile"))
        procedure = detail(details, ("storedprocedure", "stpname", "procedure"))
        if procedure:
            schema = detail(details, ("schema", "stpschem"))
            values = _parameters(details)
            query = f"CALL {f'{schema}.' if schema else ''}{procedure}({', '.join(values)})"
            if values:
                self._note(
                    "procedure-parameters",
                    "The parameters of the stored procedure stand in its CALL as text, in the order of the export.",
                )
        if not query and script:
            self._note(
                "sql-script", f"Copy {script} into dags/sql/ of this project: in Control-M it lies on the agent."
            )
            name = re.split(r"[\\/]", script)[-1]
            query = f"sql/{name}"
            query = query if query.endswith(".sql") else f"{query}.sql"
        if not query:
            self._fail(
                "database-empty", "The database job has no query, script or stored procedure that is understood."
            )
            return
        profile = profile_of(details) or self.job.run_as or "database"
        conn_id = self._profile(
            profile,
            {"hive": "hiveserver2", "snowflake": "snowflake", "redshift": "redshift"}.get(self.job.kind, "generic"),
        )
        self._step("", symbols.SQL, ("conn_id", conn_id), ("sql", self._text(query)))

    def _bigquery(self) -> None:
        details = self.job.details
        query = detail(details, ("sqlstatement", "query", "sqlquery", "runsqlquery"))
        if not query:
            self._fail("bigquery-action", "Only BigQuery jobs that run a query are converted.")
            return
        configuration: dict[str, Expression] = {"query": {"query": self._text(query), "useLegacySql": False}}
        project = detail(details, ("projectname", "projectid", "project"))
        conn_id = self._profile(profile_of(details) or "google_cloud", "google_cloud_platform")
        extra: list[tuple[str, Expression]] = [("project_id", self._text(project))] if project else []
        self._step("", BIGQUERY, ("configuration", configuration), ("gcp_conn_id", conn_id), *extra)

    def _airflow(self) -> None:
        dag_id = detail(self.job.details, ("dagid", "dagname")).strip('"')
        if not dag_id:
            self._fail("airflow-dag", "The job names no DAG.")
            return
        self._note("airflow-dag", f"The DAG {dag_id} must be in the same Airflow as this one.")
        self._step("", symbols.TRIGGER_DAG, ("trigger_dag_id", self._text(dag_id)), ("wait_for_completion", True))

    def _hdfs(self) -> None:
        if self.job.kind in ("hadoop", "hive"):
            self._hadoop()
            return
        if self.job.kind == "distcp":
            source = " ".join(_list_of(detail(self.job.details, ("sourcepaths", "sourcepath"))))
            target = detail(self.job.details, ("targetpath",))
            if not source or not target:
                self._fail("distcp", "The job lacks its source or target path.")
                return
            self._run(self._text(f"hadoop distcp {source} {target}"))
            return
        try:
            commands = json.loads(self.job.details.get("Commands", "[]"))
        except json.JSONDecodeError:
            commands = []
        lines = [
            f"hdfs dfs -{name} {value}" for item in commands if isinstance(item, dict) for name, value in item.items()
        ]
        if not lines:
            self._fail("hdfs", "The job has no HDFS commands.")
            return
        self._run(self._text("set -e\n" + "\n".join(lines)))

    def _hadoop(self) -> None:
        details = self.job.details
        arguments = " ".join(_list_of(details.get("Arguments", "")))
        jar, main = detail(details, ("programjar",)), detail(details, ("mainclass",))
        word = self.job.type_name.rpartition(":")[2].lower()
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
            self._fail("job-hadoop", _WHY["hadoop"])
            return
        self._run(self._text(command))

    def _plugin(self) -> None:
        plugin = PLUGINS[self.job.kind]
        details = self.job.details
        arguments: list[tuple[str, Expression]] = []
        for argument in plugin.arguments:
            value = detail(details, argument.details)
            if not value and argument.is_needed:
                self._fail(
                    "detail-missing",
                    f"{plugin.operator.name} needs {argument.name}, which the definition does not have ({argument.details[0]}).",
                )
                return
            if value and argument.name == "application_args":
                arguments.append((argument.name, [self._text(item) for item in _list_of(value)]))
            elif value:
                arguments.append((argument.name, self._text(value.strip('"') if argument.name != "payload" else value)))
        if self.job.kind == "aws-batch" and (revision := detail(details, ("jobdefinitionrevision",))):
            arguments = [
                (name, f"{value}:{revision}" if name == "job_definition" else value) for name, value in arguments
            ]
        if self.job.kind == "web-service":
            endpoint = str(dict(arguments)["endpoint"])
            if host := re.match(r"(https?://[^/]+)(/.*)?\Z", endpoint):
                arguments = [(name, (host[2] or "/") if name == "endpoint" else value) for name, value in arguments]
                conn_id = connection_id("http", host[1].partition("://")[2])
                self._connection(ConnectionNeed(conn_id, "http", host[1], why="web services"))
                self._step("", plugin.operator, ("http_conn_id", conn_id), *arguments)
                return
        known = {name for argument in plugin.arguments for name in argument.details} | {"connectionprofile", "account"}
        left = [
            key
            for key in details
            if re.sub(r"[^a-z0-9]", "", re.sub(r"^(UCM|AI|WS|HDP)[-.]", "", key, flags=re.IGNORECASE).lower())
            not in known
        ]
        if left:
            self._note(
                "plugin-details", f"Details of the job that the operator does not take: {', '.join(sorted(left)[:12])}."
            )
        conn_id = self._profile(profile_of(details) or plugin.conn_type, plugin.conn_type)
        self._step("", plugin.operator, (plugin.connection, conn_id), *arguments, *plugin.fixed)

    # ---- parts

    def _step(
        self, suffix: str, operator: Symbol, *arguments: tuple[str, Expression], is_waiting: bool = False
    ) -> None:
        self.work.steps.append(Step(suffix, operator, arguments, is_waiting))

    def _raise(self) -> None:
        assert self.work.failure is not None  # noqa: S101
        self.work.steps = [
            Step("", symbols.PYTHON, (("python_callable", Code("not_converted")), ("op_args", [self.work.failure[1]])))
        ]
        self.work.functions = [snippets.RAISE]
        self.work.connections = []

    def _text(self, text: str) -> str:
        done = compile_text(text, self.scope)
        self._take(done)
        return done.text

    def _take(self, done: Compiled) -> None:
        self.work.macros |= done.macros
        self.work.unknown += [name for name in done.unknown if name not in self.work.unknown]
        for note in done.notes:
            self._note("variables", note)
        if done.problems and self.work.failure is None:
            self.work.failure = ("variables", done.problems[0])

    def _note(self, code: str, text: str) -> None:
        if (code, text) not in self.work.notes:
            self.work.notes.append((code, text))

    def _fail(self, code: str, reason: str) -> None:
        self.work.failure = (code, reason)

    def _connection(self, need: ConnectionNeed) -> None:
        self.work.connections.append(need)

    def _ssh(self) -> str:
        host = self.site.host(self.job.host)
        conn_id = host.connection or connection_id("ssh", self.job.run_as, self.job.host)
        self._connection(
            ConnectionNeed(conn_id, "ssh", self.job.host, login=self.job.run_as, why=f"jobs on {self.job.host}")
        )
        return conn_id

    def _profile(self, name: str, conn_type: str) -> str:
        conn_id = connection_id(name)
        known = self.profiles.get(name)
        kinds = {
            "postgres": "postgres",
            "oracle": "oracle",
            "mssql": "mssql",
            "sqlserver": "mssql",
            "mysql": "mysql",
            "db2": "jdbc",
        }
        if known is not None and conn_type == "generic":
            conn_type = next((kind for word, kind in kinds.items() if word in known.type_name.lower()), "jdbc")
        why = f"Control-M connection profile {name}"
        if known is None:
            self._connection(ConnectionNeed(conn_id, conn_type, why=why))
        else:
            self._connection(
                ConnectionNeed(conn_id, conn_type, known.host, known.port, known.login, known.database, why=why)
            )
        return conn_id


def _pairs_of(text: str) -> list[str]:
    """Give `name=value` for a JSON list of names and values."""
    try:
        listed = json.loads(text)
    except json.JSONDecodeError:
        return []
    return [f"{name}={value}" for item in listed if isinstance(item, dict) for name, value in item.items()]


def _list_of(text: str) -> list[str]:
    """Give the items of a JSON list, or the text itself."""
    try:
        listed = json.loads(text)
    except json.JSONDecodeError:
        return [text] if text else []
    items = listed if isinstance(listed, list) else [listed]
    return [" ".join(map(str, item.values())) if isinstance(item, dict) else str(item) for item in items]


def _parameters(details: Mapping[str, str]) -> list[str]:
    """Give the parameters of a stored procedure: JSON lists of name and value, or numbered variables of XML exports."""
    if listed := details.get("Parameters") or details.get("STPParameters"):
        try:
            return [
                str(item.get("Value", item.get("value", ""))) if isinstance(item, dict) else str(item)
                for item in json.loads(listed)
            ]
        except (json.JSONDecodeError, AttributeError):
            return []
    numbered = sorted(
        (key, value) for key, value in details.items() if re.search(r"STP_PARAMS?-?P?\d+.*VALUE", key, re.IGNORECASE)
    )
    return [value for _, value in numbered]
