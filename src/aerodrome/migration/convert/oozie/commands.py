"""What each action type does, as commands of the Hadoop clients: every flag, argument and file of the source is kept.

A word of a command is a Jinja template that renders to exactly one shell word. Sources: Oozie 4.x/5.x (SparkArgsExtractor of 5.x, HiveMain, Hive2Main,
PigMain, SqoopMain, ShellMain, FsActionExecutor).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

from aerodrome.migration.convert.oozie.actions import (
    PLACES,
    Action,
    generic,
    in_one,
    including,
    unread_lines,
)
from aerodrome.migration.convert.oozie.credentials import hive_url
from aerodrome.migration.convert.oozie.handing import cache, libraries
from aerodrome.migration.convert.oozie.host_commands import fs, git, shell, ssh
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Command
from aerodrome.migration.convert.oozie.programs import java, map_reduce
from aerodrome.migration.convert.oozie.spark import spark

# Oozie 4.x/5.x splits a <command> once its expressions are evaluated (SqoopActionExecutor)
_PARTS: Final = re.compile(r"""(?:\$\{(?:[^}"']|"[^"]*"|'[^']*')*\}|[^\s])+""")
_PASSWORD: Final = re.compile(r"--password(=|$)|\bpass(word|wd)?=|^-D\S*password\S*=(?!\s*$)", re.IGNORECASE)


# writes a file of Hadoop as Java properties, without the names that are given
_PROPERTIES: Final = (
    "import sys, xml.etree.ElementTree as E; "
    'given = [(p.findtext("name").strip(), p.findtext("value") or "") for p in E.parse(sys.argv[1]).iter("property")]; '
    'print(*(f"{n}=" + v.replace("\\\\", "\\\\" * 2).replace("\\n", "\\\\n") for n, v in given if n not in sys.argv[2:]), sep="\\n")'
)


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
    if action.body.every(*PLACES):
        action.caveats["cluster-of-client"] = "job-tracker and name-node are those of the Hadoop client that runs it"
    if action.unread and action.kind not in ("hive", "hive2", "shell", "spark"):
        action.caveats["job-xml"] = f"{', '.join(action.unread)} is read when the task runs"
    return command


def _hive(action: Action) -> Command:
    settings = action.settings()
    query: list[str] = []
    fetched = _query(action, query)  # which may ask for the path of the application
    handed = cache(action, settings, libraries(action))
    lines = [*action.prepared(), *action.fetched(), *handed.lines]
    if action.unread:
        lines += ["mkdir -p conf", *_site(action), 'export HIVE_CONF_DIR="$PWD/conf"']
        action.caveats["job-xml"] = f"{', '.join(action.unread)} is fetched when the task runs"
    argv = ["hive"]
    for name, value in settings.items():
        argv += ["--hiveconf", action.word(f"{name}={value}")]
    argv += handed.options("--hiveconf ")
    lines += _variables(action, argv)
    variables = [item.text.strip() for item in action.body.every("param")]
    lines += fetched
    argv += [*query, *(action.word(item.text) for item in action.every("argument"))]
    pairs = {key: action.compiler.template(value) for key, _, value in (item.partition("=") for item in variables)}
    script = action.body.value("script")
    job = {"hive_job": {"query_file_uri": action.location(script), "script_variables": pairs}}
    return Command((*lines, " ".join(argv)), tuple(argv), engine={"dataproc": job})


def _site(action: Action) -> list[str]:
    """Give the lines that make conf/hive-site.xml of job-xml files that are only there when the task runs: of several the later ones win."""
    if len(action.unread) == 1:
        return [f"hdfs dfs -get -f {action.path(action.unread[0])} conf/hive-site.xml"]
    names = [f"job-xml-{number}.xml" for number in range(1, len(action.unread) + 1)]
    lines = [
        f"hdfs dfs -get -f {action.path(place)} conf/{name}" for name, place in zip(names, action.unread, strict=True)
    ]
    return [
        *lines,
        "\n".join(["cat > conf/hive-site.xml <<'END_OF_XML'", *including(names), "</configuration>", "END_OF_XML"]),
    ]


def _variables(action: Action, argv: list[str]) -> list[str]:
    """Add <param>s of Hive, and give the lines that fail where one is no NAME=VALUE, as Oozie does (4.x/5.x: HiveMain, Hive2Main)."""
    lines = []
    for item in action.every("param"):
        text, word = item.text.strip(), action.word(item.text)
        said = "".join(piece if isinstance(piece, str) else "$" for piece in action.compiler.pieces(text))
        if said.startswith("=") or not ("=" in said or "$" in said):
            raise Unsupported("hive-param", f"<param>{text}</param> is no NAME=VALUE, with which Oozie fails")
        if "=" not in said:
            lines.append(f"[[ {word} == ?*=* ]] || {{ echo 'a <param> is no NAME=VALUE' >&2; exit 1; }}")
        argv += ["--hivevar", word]
    return lines


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
    argv = ["beeline", "-u", hive_url(action, action.value("jdbc-url"))]
    if action.value("password"):
        action.compiler.needs.is_quoting = True
        argv += ["-p", "{{ conn.hiveserver2.password | quote }}"]
        action.caveats["hive2-password"] = "the password is that of the connection hiveserver2, which is to be created"
    for name, value in settings.items():
        argv += ["--hiveconf", action.word(f"{name}={value}")]
    lines += _variables(action, argv)
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
    lines, name = action.script(action.value("script"))  # which may ask for the path of the application
    handed = cache(action, settings, libraries(action))
    argv = ["pig", *(action.word(f"-D{key}={value}") for key, value in settings.items()), *handed.options("-D")]
    more = []
    if action.unread:  # what -propertyFile names is no XML; it stands behind all -D, and wins over them
        own = " ".join(action.word(name) for name in settings)
        files = [action.word(PurePosixPath(name).name) for name in action.unread]
        more = [
            *unread_lines(action),
            *(f"python3 -c '{_PROPERTIES}' {name} {own} > {name}.properties" for name in files),
        ]
        argv += [word for name in files for word in ("-propertyFile", f"{name}.properties")]
    variables = [item.text.strip() for item in action.every("param")]
    for item in variables:
        argv += ["-param", action.word(item)]
    argv += [action.word(item.text) for item in action.every("argument")]
    argv += ["-file", name]
    pairs = {key: action.compiler.template(value) for key, _, value in (item.partition("=") for item in variables)}
    job = {"pig_job": {"query_file_uri": action.location(action.body.value("script")), "script_variables": pairs}}
    return Command(
        (*action.prepared(), *action.fetched(), *handed.lines, *more, *lines, " ".join(argv)),
        tuple(argv),
        engine={"dataproc": job},
    )


def _distcp(action: Action) -> Command:
    argv = ["hadoop", "distcp", *generic(action)]
    options = action.words(action.value("java-opts"))
    argv += [action.word(item.text) for item in action.every("arg")]
    more = [f'export HADOOP_CLIENT_OPTS="{" ".join(options)} $HADOOP_CLIENT_OPTS"'] if options else []
    return in_one(action, argv, *unread_lines(action), *more)


def _sqoop(action: Action) -> Command:
    settings = action.settings()
    handed = cache(action, settings, libraries(action))
    general = [*generic(action, settings=settings), *handed.options("-D")]
    words = [action.word(item.text) for item in action.every("arg")]
    if (command := action.value("command")) and words:
        action.caveats["sqoop-arguments"] = "its <arg>s are left out: Oozie does not look at them beside a <command>"
    texts = _PARTS.findall(command) if command else [item.text.strip() for item in action.every("arg")]
    if command:
        words = [
            word
            for raw in texts
            for word in ([action.word(raw)] if not re.fullmatch(r"\$\{[\w.]+\}", raw) else action.words(raw))
        ]
        if set("\"'") & set(re.sub(r"\$\{[^}]*\}", "", command)):
            action.caveats["sqoop-quotes"] = (
                "its <command> is split at blanks, quotes are parts of the words, as in Oozie: an <arg> may hold blanks"
            )
    if any(_PASSWORD.search(text) for text in texts):
        action.caveats["sqoop-password"] = (
            "a password stands in the command: whoever reads the DAG, its params or the log of the task sees it, where Oozie masks it in its log."
            " --password-file or --password-alias keep it out"
        )
    argv = ["sqoop", *words[:1], *general, *words[1:]]
    return in_one(action, argv, *handed.lines, *unread_lines(action))


_MAKERS: Final[Mapping[str, Callable[[Action], Command]]] = {
    "spark": spark, "hive": _hive, "hive2": _hive2, "pig": _pig, "java": java, "map-reduce": map_reduce, "distcp": _distcp,
    "sqoop": _sqoop, "shell": shell, "ssh": ssh, "fs": fs, "git": git,
}  # fmt: skip
KINDS: Final = (*_MAKERS, "email", "sub-workflow")
