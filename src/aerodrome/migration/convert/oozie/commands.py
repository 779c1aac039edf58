"""What each action type does, as commands of the Hadoop clients: every flag, argument and file of the source is kept.

A word of a command is a Jinja template that renders to exactly one shell word. Sources: Oozie 5.2 (SparkArgsExtractor, HiveMain, Hive2Main,
PigMain, SqoopMain, ShellMain, FsActionExecutor).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from aerodrome.migration.convert.oozie.compiling import APP_PATH, Compiler, Unsupported
from aerodrome.migration.convert.oozie.counters import lines_of
from aerodrome.migration.convert.oozie.el import Name
from aerodrome.migration.convert.oozie.profiles import Command
from aerodrome.migration.convert.oozie.properties import configuration
from aerodrome.migration.convert.xmlreading import Element

_LAUNCHER: Final = re.compile(
    r"oozie\.(launcher|action|use|libpath|hive\.log|pig\.log)|mapreduce\.job\.queuename$|mapred\.job\.queue\.name$"
)
_PLACES: Final = {"job-tracker", "name-node", "resource-manager"}
CAPTURE: Final = 'import json, sys; print(json.dumps(dict(map(str.strip, line.split("=", 1)) for line in open(sys.argv[1]) if "=" in line and line[:1] not in "#!")))'


@dataclass
class Action:
    """One action to translate: its XML, the compiler, what <global> gives, and the caveats that come up."""

    kind: str
    body: Element
    compiler: Compiler
    common: Mapping[str, str] = field(default_factory=dict)  # configuration of <global>
    job_xml: Callable[[str], Mapping[str, str] | None] = lambda _: None  # reads a job-xml that is there
    common_job_xml: tuple[str, ...] = ()
    caveats: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=lambda: set(_PLACES))
    counters: tuple[tuple[str, str], ...] = ()  # of its job, that others read

    def word(self, text: str) -> str:
        return self.compiler.template(text.strip(), is_quoted=True)

    def words(self, text: str) -> list[str]:
        """Split a text at white space as Oozie does after evaluation, double quotes grouping."""
        found: list[str] = []
        for raw in re.findall(r'(?:\$\{(?:[^}"\']|"[^"]*"|\'[^\']*\')*\}|"[^"]*"|[^\s"])+', text):
            word = re.sub(r'"([^"]*)"', r"\1", raw) if "${" not in raw else re.sub(r'(?<!\$\{)"([^"{}]*)"', r"\1", raw)
            pieces = self.compiler.pieces(word)
            if len(pieces) == 1 and isinstance(pieces[0], Name):
                known = self.compiler.scope.constant(pieces[0].name)
                if known is None or re.search(r"\s", known) or not known:
                    inner = self.compiler.text_of(pieces[0])
                    self.compiler.needs.is_quoting = True
                    found.append("{{ " + f'{inner}.split() | map("quote") | join(" ")' + " }}")
                    continue
            found.append(self.word(word))
        return found

    def value(self, name: str) -> str:
        self.used.add(name)
        return self.body.value(name)

    def every(self, name: str) -> list[Element]:
        self.used.add(name)
        return self.body.every(name)

    def path(self, text: str) -> str:
        """Give a path as a word; a relative one stands below the application's folder."""
        text = text.strip()
        return self.word(text) if not self.is_relative(text) else f"{self.app_folder()}/{self.word(text)}"

    def is_relative(self, text: str) -> bool:
        """Tell whether a path stands below the application's folder; one that begins with a value that nobody knows does not."""
        pieces = self.compiler.pieces(text.strip())
        first = pieces[0] if pieces else ""
        if not isinstance(first, str):
            known = self.compiler.scope.constant(first.name) if isinstance(first, Name) else None
            first = known if known and len(pieces) == 1 else "/"
        return bool(first) and not first.startswith("/") and not re.match(r"[A-Za-z][\w+.-]*:", first)

    def app_folder(self) -> str:
        inner = self.compiler.name(APP_PATH)
        known = self.compiler.scope.constant(APP_PATH)
        found = self.compiler.scope.find(APP_PATH)
        tail = found.pieces[-1] if found and found.pieces else ""
        self.compiler.needs.is_quoting = True
        if (known or "").endswith(".xml") or (isinstance(tail, str) and tail.endswith(".xml")):
            return "{{ " + f'{inner}.rpartition("/")[0] | quote' + " }}"
        return "{{ " + f"{inner} | quote" + " }}"

    def settings(self) -> dict[str, str]:
        """Give the configuration: <global>, then job-xml, then its own; what only steers Oozie's launcher is left out and said."""
        found = dict(self.common)
        unread = []
        for name in (*self.common_job_xml, *(item.text.strip() for item in self.every("job-xml"))):
            content = self.job_xml(name)
            if content is None:
                unread.append(name)
            else:
                found |= content
        self.unread = tuple(unread)
        self.used.add("configuration")
        found |= configuration(self.body.first("configuration"))
        for name in [name for name in found if _LAUNCHER.match(name) and not name.startswith("map")]:
            del found[name]
            self.caveats["launcher-settings"] = "there is no launcher job: settings of Oozie's launcher are left out"
        return found

    unread: tuple[str, ...] = ()

    def fetched(self, *, is_path: bool = False) -> list[str]:
        """Give the lines that fetch <file>s and <archive>s into the working directory, where Oozie puts them."""
        lines = []
        for item in (*self.every("file"), *self.every("archive")):
            place, _, link = item.text.strip().partition("#")
            name = link or PurePosixPath(place).name
            target = self.word(name)
            lines.append(f"hdfs dfs -get -f {self.path(place)} {target}")
            if item.name == "archive":
                lines[-1] = (
                    f"hdfs dfs -get -f {self.path(place)} {target}.archive && mkdir -p {target} && (tar -xf {target}.archive -C {target} || unzip -qo {target}.archive -d {target})"
                )
            elif is_path:
                lines.append(f"chmod +x {target}")
        if lines and is_path:
            lines.append('export PATH="$PATH:."')
        return lines

    def prepared(self) -> list[str]:
        """Give the lines of <prepare>."""
        self.used.add("prepare")
        lines = []
        prepare = self.body.first("prepare")
        for item in prepare.children if prepare is not None else ():
            path = self.word(item.get("path"))
            if item.name == "delete":
                lines.append(
                    f"hdfs dfs -rm -r -f -skipTrash {path}"
                    if item.get("skip-trash") != "false"
                    else f"hdfs dfs -rm -r -f {path}"
                )
            elif item.name == "mkdir":
                lines.append(f"hdfs dfs -mkdir -p {path}")
            else:
                raise Unsupported("prepare-unknown", f"<{item.name}> in <prepare> is not known")
        return lines

    def script(self, text: str) -> tuple[list[str], str]:
        """Fetch a script and give the lines and its name in the working directory."""
        place, _, link = text.strip().partition("#")
        name = link or self.compiler.scope.partly(place).rpartition("/")[2]
        name = self.word(name) if "$" not in name and "}" not in name and name else "script"
        return [f"hdfs dfs -get -f {self.path(place)} {name}"], name


def translate(action: Action) -> Command:
    """Give the command of an action; Unsupported says why there is none."""
    made = _MAKERS.get(action.kind)
    if made is None:
        raise Unsupported("action-unknown", f"<{action.kind}> is not an action type that is known")
    command = made(action)
    if action.body.first("launcher") is not None:
        action.used.add("launcher")
        action.caveats["launcher-settings"] = "there is no launcher job: settings of Oozie's launcher are left out"
    left = [child.name for child in action.body.children if child.name not in action.used]
    if left:
        raise Unsupported("element-unknown", f"<{left[0]}> in <{action.kind}> has no equivalent")
    if action.body.every(*_PLACES):
        action.caveats["cluster-of-client"] = "job-tracker and name-node are those of the Hadoop client that runs it"
    if action.unread and action.kind not in ("hive", "hive2", "shell"):
        action.caveats["job-xml"] = f"{', '.join(action.unread)} is read when the task runs"
    return command


def _lines(action: Action, argv: list[str], *before: str) -> Command:
    return Command((*action.prepared(), *action.fetched(), *before, " ".join(argv)), tuple(argv))


def _generic(action: Action) -> list[str]:
    """Give the generic options of Hadoop tools: -conf for files that are read later, -D for settings."""
    settings = action.settings()
    found = []
    for name in action.unread:
        found += ["-conf", action.word(PurePosixPath(name).name)]
    for name, value in settings.items():
        found.append(
            f"-D{action.word(f'{name}={value}')}"
            if re.fullmatch(r"[\w.\-]+", name)
            else action.word(f"-D{name}={value}")
        )
    return found


def _unread_lines(action: Action) -> list[str]:
    return [f"hdfs dfs -get -f {action.path(name)} {action.word(PurePosixPath(name).name)}" for name in action.unread]


def _spark(action: Action) -> Command:
    settings = action.settings()
    argv = ["spark-submit"]
    engine: list[tuple[str, str]] = []
    for flag, name in (("--master", "master"), ("--deploy-mode", "mode"), ("--name", "name"), ("--class", "class")):
        if value := action.value(name):
            argv += [flag, action.word(value)]
            engine.append((name, action.compiler.template(value)))
    for name, value in settings.items():
        if name.startswith("spark."):
            argv += ["--conf", action.word(f"{name}={value}")]
        else:
            argv += ["--conf", action.word(f"spark.hadoop.{name}={value}")]
            action.caveats["spark-configuration"] = "its Hadoop settings are given as spark.hadoop.*"
    argv += action.words(action.value("spark-opts"))
    jar = action.value("jar")
    arguments = [item.text.strip() for item in action.every("arg")]
    argv += [action.path(jar), *map(action.word, arguments)]
    command = _lines(action, argv, *_unread_lines(action))
    fields = dict(engine)
    plain = [action.compiler.template(item) for item in arguments]
    options = _spark_options(action)
    livy = [
        ("file", action.compiler.template(jar)),
        ("class_name", fields.get("class", "")),
        ("args", plain),
        ("name", fields.get("name", "")),
        *options["livy"],
    ]
    main = (
        {"main_class": fields["class"], "jar_file_uris": [action.compiler.template(jar)]}
        if "class" in fields
        else {"main_python_file_uri": action.compiler.template(jar)}
    )
    kind = "spark_job" if "class" in fields else "pyspark_job"
    return Command(
        command.lines,
        command.argv,
        engine={
            "left": options["left"],
            "livy": tuple(item for item in livy if item[1]),
            "dataproc": {kind: {**main, "args": plain, "properties": options["properties"]}},
        },
    )


_SPARK_FLAGS: Final = {
    "--executor-memory": ("executor_memory", "spark.executor.memory"),
    "--driver-memory": ("driver_memory", "spark.driver.memory"),
    "--executor-cores": ("executor_cores", "spark.executor.cores"),
    "--driver-cores": ("driver_cores", "spark.driver.cores"),
    "--num-executors": ("num_executors", "spark.executor.instances"),
    "--queue": ("queue", "spark.yarn.queue"),
    "--jars": ("jars", "spark.jars"),
    "--files": ("files", "spark.files"),
    "--py-files": ("py_files", "spark.submit.pyFiles"),
    "--archives": ("archives", "spark.archives"),
    "--packages": ("", "spark.jars.packages"),
    "--repositories": ("", "spark.jars.repositories"),
    "--principal": ("", "spark.kerberos.principal"),
    "--keytab": ("", "spark.kerberos.keytab"),
    "--driver-class-path": ("", "spark.driver.extraClassPath"),
    "--driver-java-options": ("", "spark.driver.extraJavaOptions"),
    "--driver-library-path": ("", "spark.driver.extraLibraryPath"),
}


def _spark_options(action: Action) -> dict[str, Any]:
    """Give spark-opts as properties, for engines that take no command line; what is none of them is said."""
    words = re.findall(r'(?:"[^"]*"|[^\s"])+', action.body.value("spark-opts"))
    properties: dict[str, str] = {
        name: action.compiler.template(value) for name, value in action.settings().items() if name.startswith("spark.")
    }
    left = []
    place = 0
    while place < len(words):
        flag, _, joined = (
            words[place].partition("=")
            if words[place].startswith("--") and "=" in words[place]
            else (words[place], "", "")
        )
        value = (joined or (words[place + 1] if place + 1 < len(words) else "")).strip('"')
        place += 1 if joined else 2
        if flag == "--conf" and "=" in value:
            key, _, text = value.partition("=")
            properties[key] = action.compiler.template(text)
        elif flag in _SPARK_FLAGS:
            properties[_SPARK_FLAGS[flag][1]] = action.compiler.template(value)
        else:
            left.append(flag)
    return {"livy": (("conf", properties),), "properties": properties, "left": tuple(left)}


def _hive(action: Action) -> Command:
    settings = action.settings()
    lines = action.prepared() + action.fetched()
    if action.unread:
        lines += [
            "mkdir -p conf",
            *(f"hdfs dfs -get -f {action.path(name)} conf/hive-site.xml" for name in action.unread),
            'export HIVE_CONF_DIR="$PWD/conf"',
        ]
        action.caveats["job-xml"] = f"{', '.join(action.unread)} is fetched when the task runs"
    argv = ["hive"]
    for name, value in settings.items():
        argv += ["--hiveconf", action.word(f"{name}={value}")]
    for item in action.every("param"):
        argv += ["--hivevar", action.word(item.text)]
    variables = [item.text.strip() for item in action.body.every("param")]
    lines += _query(action, argv)
    argv += [action.word(item.text) for item in action.every("argument")]
    pairs = {key: action.compiler.template(value) for key, _, value in (item.partition("=") for item in variables)}
    script = action.body.value("script")
    job = {"hive_job": {"query_file_uri": action.compiler.template(script), "script_variables": pairs}}
    return Command((*lines, " ".join(argv)), tuple(argv), engine={"dataproc": job})


def _query(action: Action, argv: list[str]) -> list[str]:
    if query := action.value("query"):
        argv += ["-e", action.word(query)]
        return []
    lines, name = action.script(action.value("script"))
    argv += ["-f", name]
    return lines


def _hive2(action: Action) -> Command:
    settings = action.settings()
    lines = action.prepared() + action.fetched()
    argv = ["beeline", "-u", action.word(action.value("jdbc-url"))]
    if action.value("password"):
        action.compiler.needs.is_quoting = True
        argv += ["-p", "{{ conn.hiveserver2.password | quote }}"]
        action.caveats["hive2-password"] = "the password is that of the connection hiveserver2, which is to be created"
    for name, value in settings.items():
        argv += ["--hiveconf", action.word(f"{name}={value}")]
    for item in action.every("param"):
        argv += ["--hivevar", action.word(item.text)]
    lines += _query(action, argv)
    argv += [action.word(item.text) for item in action.every("argument")]
    if action.unread:
        action.caveats["job-xml"] = (
            f"{', '.join(action.unread)} belongs to the client: beeline takes the settings of the server"
        )
    action.caveats["hive2-user"] = "beeline runs as the user of the worker"
    return Command((*lines, " ".join(argv)), tuple(argv))


def _pig(action: Action) -> Command:
    settings = action.settings()
    lines, name = action.script(action.value("script"))
    argv = ["pig", *(action.word(f"-D{key}={value}") for key, value in settings.items())]
    variables = [item.text.strip() for item in action.every("param")]
    for item in variables:
        argv += ["-param", action.word(item)]
    argv += [action.word(item.text) for item in action.every("argument")]
    argv += ["-file", name]
    more = []
    if action.unread:
        more = [*_unread_lines(action)]
        argv[1:1] = [
            word for item in action.unread for word in ("-propertyFile", action.word(PurePosixPath(item).name))
        ]
    pairs = {key: action.compiler.template(value) for key, _, value in (item.partition("=") for item in variables)}
    job = {
        "pig_job": {"query_file_uri": action.compiler.template(action.body.value("script")), "script_variables": pairs}
    }
    return Command(
        (*action.prepared(), *action.fetched(), *more, *lines, " ".join(argv)), tuple(argv), engine={"dataproc": job}
    )


def _java(action: Action) -> Command:
    settings = action.settings()
    lines = [*action.prepared(), *action.fetched(), *_unread_lines(action), *_library(action)]
    argv = ["java"]
    options = [
        word for item in (*action.every("java-opts"), *action.every("java-opt")) for word in action.words(item.text)
    ]
    if settings or action.unread:
        lines += _job_file(action, settings, "action.xml")
        options.append("-Doozie.action.conf.xml=action.xml")
    is_capturing = action.body.first("capture-output") is not None
    action.used.add("capture-output")
    if is_capturing:
        options.append("-Doozie.action.output.properties=output.properties")
    main = action.word(action.value("main-class"))
    argv += ["-cp", '"$PWD:$PWD/*:$PWD/lib/*:$(hadoop classpath)"', *options, main]
    argv += [action.word(item.text) for item in action.every("arg")]
    lines.append(" ".join(argv))
    if is_capturing:
        lines.append(f"python3 -c '{CAPTURE}' output.properties")
    return Command(tuple(lines), tuple(argv), is_capturing=is_capturing)


def _library(action: Action) -> list[str]:
    folder = action.app_folder()
    action.caveats["app-library"] = (
        "jars of lib/ below the application's path are fetched; Oozie's share library is not"
    )
    return [f"if hdfs dfs -test -d {folder}/lib; then hdfs dfs -get -f {folder}/lib; fi"]


def _job_file(action: Action, settings: Mapping[str, str], name: str) -> list[str]:
    rows = [
        f"<property><name>{_escaped(action, key)}</name><value>{_escaped(action, value)}</value></property>"
        for key, value in settings.items()
    ]
    return [f"cat > {name} <<'END_OF_XML'\n<configuration>\n" + "\n".join(rows) + "\n</configuration>\nEND_OF_XML"]


def _escaped(action: Action, text: str) -> str:
    template = ""
    for piece in action.compiler.pieces(text):
        if isinstance(piece, str):
            plain = piece.replace("&", "&amp;").replace("<", "&lt;")
            template += re.sub(r"\{(?=[{%#])", "{{ '{' }}", plain)
        else:
            template += "{{ (" + action.compiler.text_of(piece) + ") | e }}"
    return template


def _map_reduce(action: Action) -> Command:
    settings = action.settings()
    streaming, pipes = action.body.first("streaming"), action.body.first("pipes")
    action.used |= {"streaming", "pipes", "config-class"}
    if pipes is not None or action.body.first("config-class") is not None:
        raise Unsupported("map-reduce-kind", "pipes and config-class of map-reduce have no equivalent")
    if streaming is not None:
        argv = ["hadoop", "jar", '"${HADOOP_STREAMING_JAR:?set it on the worker}"']
        for name in action.unread:
            argv += ["-conf", action.word(PurePosixPath(name).name)]
        for name, value in settings.items():
            argv += ["-D", action.word(f"{name}={value}")]
        files = [item.text.strip() for item in action.body.every("file")]
        if files:
            argv += [
                "-files",
                ",".join(
                    f"{action.path(item.partition('#')[0])}{'#' + item.partition('#')[2] if '#' in item else ''}"
                    for item in files
                ),
            ]
        for flag in ("mapper", "reducer"):
            if value := streaming.value(flag):
                argv += [f"-{flag}", action.word(value)]
        if value := streaming.value("record-reader"):
            argv += ["-inputreader", action.word(value)]
        for item in streaming.every("env"):
            argv += ["-cmdenv", action.word(item.text)]
        for name, flag in (
            ("mapreduce.input.fileinputformat.inputdir", "-input"),
            ("mapred.input.dir", "-input"),
            ("mapreduce.output.fileoutputformat.outputdir", "-output"),
            ("mapred.output.dir", "-output"),
        ):
            if name in settings:
                argv += [flag, action.word(settings[name])]
        action.used |= {"file", "archive"}
        lines = [*action.prepared(), *_unread_lines(action)]
        if not action.counters:
            return Command((*lines, " ".join(argv)), tuple(argv))
        lines += ["set -o pipefail", f"{' '.join(argv)} 2>&1 | tee job.log"]
        lines += ["job=$(sed -n 's/.*Running job: //p' job.log | tail -1)", *lines_of(action.counters)]
        return Command(tuple(lines), tuple(argv), is_capturing=True)
    lines = [
        *action.prepared(),
        *action.fetched(),
        *_unread_lines(action),
        *_library(action),
        *_job_file(action, settings, "job.xml"),
    ]
    argv = [
        "mapred",
        "job",
        *(word for name in action.unread for word in ("-conf", action.word(PurePosixPath(name).name))),
        "-submit",
        "job.xml",
    ]
    lines += [
        'export HADOOP_CLASSPATH="$PWD/*:$PWD/lib/*:$HADOOP_CLASSPATH"',
        f"job=$({' '.join(argv)} | sed -n 's/^Created job //p')",
        'until [[ "$state" =~ SUCCEEDED|FAILED|KILLED ]]; do',
        "  sleep 15",
        "  state=$(mapred job -status \"$job\" | sed -n 's/^Job state: *//p')",
        "done",
        '[[ "$state" = *SUCCEEDED* ]]',
    ]
    if action.counters:
        lines += lines_of(action.counters)
    return Command(tuple(lines), tuple(argv), is_capturing=bool(action.counters))


def _distcp(action: Action) -> Command:
    argv = ["hadoop", "distcp", *_generic(action)]
    options = action.words(action.value("java-opts"))
    argv += [action.word(item.text) for item in action.every("arg")]
    more = [f'export HADOOP_CLIENT_OPTS="{" ".join(options)} $HADOOP_CLIENT_OPTS"'] if options else []
    return _lines(action, argv, *_unread_lines(action), *more)


def _sqoop(action: Action) -> Command:
    generic = _generic(action)
    words = [action.word(item.text) for item in action.every("arg")]
    if (command := action.value("command")) and words:
        action.caveats["sqoop-arguments"] = "its <arg>s are left out: Oozie does not look at them beside a <command>"
    if command:
        words = [
            word
            for raw in command.split()
            for word in ([action.word(raw)] if not re.fullmatch(r"\$\{[\w.]+\}", raw) else action.words(raw))
        ]
    argv = ["sqoop", *words[:1], *generic, *words[1:]]
    return _lines(action, argv, *_unread_lines(action))


def _shell(action: Action) -> Command:
    action.settings()
    if action.body.first("configuration") is not None or action.unread:
        action.caveats["shell-configuration"] = (
            "the configuration only stands in Oozie's action.xml; the command does not get that file"
        )
    argv = [action.word(action.value("exec")), *(action.word(item.text) for item in action.every("argument"))]
    environment: dict[str, str] = {}
    exports: list[str] = []
    for item in action.every("env-var"):
        key, _, value = item.text.strip().partition("=")
        environment[key] = action.compiler.template(value)
        exports.append(f"{key}={action.word(value)}")
    action.used.add("capture-output")
    is_capturing = action.body.first("capture-output") is not None
    lines = [*action.prepared(), *action.fetched(is_path=True)]
    main = " ".join(argv)
    if is_capturing:
        lines += ["set -o pipefail", f"{main} | tee captured.properties", f"python3 -c '{CAPTURE}' captured.properties"]
    else:
        lines.append(main)
    return Command(tuple(lines), tuple(argv), environment, is_capturing, tuple(exports))


def _ssh(action: Action) -> Command:
    host = action.value("host")
    remote = [action.word(action.value("command"))]
    remote += [word for item in action.every("args") for word in action.words(item.text)]
    remote += [action.word(item.text) for item in action.every("arg")]
    action.used.add("capture-output")
    is_capturing = action.body.first("capture-output") is not None
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", action.word(host), *remote]
    action.caveats["ssh-key"] = "the worker needs a key for the host, as the Oozie server had one"
    main = " ".join(argv)
    if is_capturing:
        return Command(
            ("set -o pipefail", f"{main} | tee captured.properties", f"python3 -c '{CAPTURE}' captured.properties"),
            tuple(argv),
            is_capturing=True,
        )
    return Command((main,), tuple(argv))


def _fs(action: Action) -> Command:
    lines = []
    action.settings()
    for item in action.body.children:
        path = action.word(item.get("path")) if item.get("path") else ""
        match item.name:
            case "delete":
                lines.append(f"hdfs dfs -rm -r -f {'' if item.get('skip-trash') == 'false' else '-skipTrash '}{path}")
            case "mkdir":
                lines.append(f"hdfs dfs -mkdir -p {path}")
            case "move":
                lines.append(f"hdfs dfs -mv {action.word(item.get('source'))} {action.word(item.get('target'))}")
            case "chmod" | "chgrp":
                what = item.get("permissions") if item.name == "chmod" else item.get("group")
                flag = "-R " if item.first("recursive") is not None else ""
                value = _octal(what) if item.name == "chmod" else action.word(what)
                lines.append(f"hdfs dfs -{item.name} {flag}{value} {path}")
                if item.get("dir-files", "true") != "false" and not flag:
                    lines.append(
                        f"if hdfs dfs -test -d {path}; then hdfs dfs -{item.name} {value} {path}/'*' || true; fi"
                    )
            case "touchz":
                lines.append(f"hdfs dfs -touchz {path}")
            case "setrep":
                lines.append(f"hdfs dfs -setrep {action.word(item.get('replication-factor'))} {path}")
            case "name-node" | "configuration" | "job-xml":
                continue
            case _:
                raise Unsupported("fs-unknown", f"<{item.name}> in <fs> is not known")
        action.used.add(item.name)
    return Command(tuple(lines) or ("true",), tuple(lines))


def _octal(text: str) -> str:
    if re.fullmatch(r"[d-]?[rwx-]{9}", text):
        letters = text[-9:]
        return "".join(
            str(sum(4 >> at for at, mark in enumerate(letters[part : part + 3]) if mark != "-")) for part in (0, 3, 6)
        )
    if re.fullmatch(r"[0-7]{3,4}", text):
        return text
    raise Unsupported("fs-permissions", f"the permissions {text!r} cannot be read")


def _git(action: Action) -> Command:
    action.settings()
    key = action.value("key-path")
    lines = (
        [f"hdfs dfs -get -f {action.path(key)} key && chmod 600 key", 'export GIT_SSH_COMMAND="ssh -i $PWD/key"']
        if key
        else []
    )
    branch = action.value("branch")
    argv = [
        "git",
        "clone",
        *(["--branch", action.word(branch)] if branch else []),
        action.word(action.value("git-uri")),
        "repository",
    ]
    target = action.word(action.value("destination-uri"))
    lines += [
        *action.prepared(),
        " ".join(argv),
        f"hdfs dfs -mkdir -p {target}",
        f"hdfs dfs -put -f repository/* {target}",
    ]
    return Command(tuple(lines), tuple(argv))


_MAKERS: Final[Mapping[str, Callable[[Action], Command]]] = {
    "spark": _spark, "hive": _hive, "hive2": _hive2, "pig": _pig, "java": _java, "map-reduce": _map_reduce, "distcp": _distcp,
    "sqoop": _sqoop, "shell": _shell, "ssh": _ssh, "fs": _fs, "git": _git,
}  # fmt: skip
KINDS: Final = (*_MAKERS, "email", "sub-workflow")
