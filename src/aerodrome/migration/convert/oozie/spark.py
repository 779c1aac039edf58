"""Spark actions: the command of spark-submit, and the pieces that other engines take (Oozie 5.x, SparkArgsExtractor)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from aerodrome.migration.convert.oozie.actions import (
    Action,
    in_one,
)
from aerodrome.migration.convert.oozie.handing import Handed, Libraries, handed, libraries, listed_library, option, tell
from aerodrome.migration.convert.oozie.profiles import Command
from aerodrome.migration.convert.oozie.writing import grouped

_HELD: Final = 0xE000  # private characters that stand for expressions
_EXPRESSION: Final = re.compile(r"""\$\{(?:[^}"']|"[^"]*"|'[^']*')*\}""")
_KEY: Final = re.compile(r"\s*--[a-zA-Z0-9.]+[\-a-zA-Z0-9.]*=?")
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


def spark(action: Action) -> Command:
    settings = action.settings()
    argv = ["spark-submit"]
    if action.body.name == "spark3":  # of Cloudera's CDP: the same elements
        argv = ["spark3-submit"]
        action.caveats["spark3"] = "spark3 is an action of Cloudera: its client spark3-submit is called"
    given = _of_files(action, settings) if action.unread else []
    engine: list[tuple[str, str]] = []
    for flag, name in (("--master", "master"), ("--deploy-mode", "mode"), ("--name", "name"), ("--class", "class")):
        if value := action.value(name):
            argv += [flag, action.word(value)]
            engine.append((name, action.compiler.template(value)))
    argv += ['"${job_xml[@]}"'] if given else []
    for name, value in settings.items():
        if name.startswith("spark."):
            argv += ["--conf", action.word(f"{name}={value}")]
        else:
            argv += ["--conf", action.word(f"spark.hadoop.{name}={value}")]
            action.caveats["spark-configuration"] = "its Hadoop settings are given as spark.hadoop.*"
    jar = action.value("jar")
    files = handed(action, jar)
    options_words = _option_words(action)
    is_yarn, is_named = _is_yarn(action), not files.own and action.is_relative(jar) is not False
    folders = (
        libraries(action, is_asked=is_named and action.is_relative(jar) is True) if is_yarn or is_named else Libraries()
    )
    found, own = _jar(action, jar, files, folders) if is_named else ([], files.own or action.path(jar))
    lines = [*folders.lines(), *found]
    if is_yarn:
        lines += listed_library(folders, '"${jar##*/}"' if found else action.last_name(jar))
        option(options_words, "--files", files.files, "lib_files")
        option(options_words, "--archives", files.archives)
        option(options_words, "--jars", files.jars, "lib_jars")
        if any(".split()" in word for word in options_words):
            action.caveats["spark-files"] = (
                "options that come with the run are not looked into: of --files, --archives and --jars in them and those for <file>, <archive> and lib/ the last counts"
            )
    else:
        tell(action)
    argv += options_words
    arguments = [item.text.strip() for item in action.every("arg")]
    argv += [own, *map(action.word, arguments)]
    command = in_one(action, argv, *given, *lines)
    fields = dict(engine)
    plain = [action.compiler.template(item) for item in arguments]
    options = _spark_options(action)
    livy = [
        ("file", action.location(jar, is_library=True)),
        ("class_name", fields.get("class", "")),
        ("args", plain),
        ("name", fields.get("name", "")),
        *options["livy"],
    ]
    main = (
        {"main_class": fields["class"], "jar_file_uris": [action.location(jar, is_library=True)]}
        if "class" in fields
        else {"main_python_file_uri": action.location(jar, is_library=True)}
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


def _jar(action: Action, jar: str, files: Handed, folders: Libraries) -> tuple[list[str], str]:
    """Find the job's own jar among what the action has, by its name alone (Oozie 5.x: JarFilter.isApplicationJar); nothing else is relative to."""
    if action.is_relative(jar) and not (files.files or files.jars) and list(folders.places) == ["lib"]:
        return [], f"lib/{action.last_name(jar)}"
    places = " ".join([".", *folders.places])
    look = 'if [ -f "$place/${jar##*/}" ]; then jar=$place/${jar##*/}; break; fi'
    return [f"jar={action.word(jar)}", f"for place in {places}; do {look}; done"], '"$jar"'


# writes settings of files of Hadoop as words of spark-submit, without those names that stand behind --
_WORDS: Final = (
    "import shlex, sys, xml.etree.ElementTree as E; "
    'at = sys.argv.index("--"); '
    'given = {p.findtext("name").strip(): p.findtext("value") or "" for f in sys.argv[1:at] for p in E.parse(f).iter("property")}; '
    'names = {n: n if n.startswith("spark.") else "spark.hadoop." + n for n in given if n not in sys.argv[at:] and not n.startswith("oozie.")}; '
    'print(*("--conf " + shlex.quote(names[n] + "=" + given[n]) for n in names))'
)


def _of_files(action: Action, settings: Mapping[str, str]) -> list[str]:
    """Give the lines that read job-xml files which are only there when the task runs into the list `job_xml`; settings of the action win."""
    names = [f"job-xml-{number}.xml" for number in range(1, len(action.unread) + 1)]
    own = "".join(f" {action.word(name)}" for name in settings)
    action.caveats["job-xml"] = (
        f"{', '.join(action.unread)} is read when the task runs, its Hadoop settings are given as spark.hadoop.*"
    )
    return [
        *(f"hdfs dfs -get -f {action.path(place)} {name}" for name, place in zip(names, action.unread, strict=True)),
        f"python3 -c '{_WORDS}' {' '.join(names)} --{own} > job-xml.words",
        'eval "job_xml=($(cat job-xml.words))"',
    ]


def _is_yarn(action: Action) -> bool:
    """Tell whether Oozie hands files on: on YARN with a mode that is said (5.x, SparkArgsExtractor); what nobody knows may be that."""
    master, mode = (action.compiler.scope.text(action.body.value(name)) for name in ("master", "mode"))
    return (master is None or master in ("yarn", "yarn-cluster", "yarn-client")) and (
        master in ("yarn-cluster", "yarn-client") or mode is None or mode in ("cluster", "client")
    )


def split_options(text: str) -> list[str]:
    """Split spark-opts as Oozie 5.x does (SparkOptionsSplitter): at option keys; quotes around a whole value are taken away.

    `${…}` stands for text without white space; what stands before the first key is left out.
    """
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return chr(_HELD + len(held) - 1)

    masked = _EXPRESSION.sub(hold, text)
    found: list[str] = []
    keys = list(_KEY.finditer(masked))
    for number, key in enumerate(keys):
        value = masked[key.end() : keys[number + 1].start() if number + 1 < len(keys) else None].strip()
        if re.fullmatch(r'([a-zA-Z0-9.]+=)?".+"', value) and not re.fullmatch(r'([a-zA-Z0-9.]+=)?".*".*"', value):
            value = value.replace('"', "")
        found += [key[0].strip().removesuffix("="), *([value] if value else [])]
    return [
        "".join(held[ord(mark) - _HELD] if _HELD <= ord(mark) < _HELD + len(held) else mark for mark in word)
        for word in found
    ]


def _options(action: Action) -> str:
    """Give spark-opts with those values put in that hold several words."""

    def one(match: re.Match[str]) -> str:
        known = action.compiler.scope.constant(match[1])
        return match[0] if known is None or not re.search(r'[\s"]|--', known) else known

    return re.sub(r"\$\{([\w.\-]+)\}", one, action.value("spark-opts"))


def _option_words(action: Action) -> list[str]:
    """Write spark-opts as shell words; a value that nobody knows and that stands alone may hold several."""
    text = _options(action)
    words: list[str] = []
    place = 0
    for alone in re.finditer(r"(?:(?<=\s)|^)\$\{[\w.\-]+\}(?=\s|$)", text):
        before = text[place : alone.start()]
        if re.search(r"(^|\s)--[a-zA-Z0-9.][\-a-zA-Z0-9.]*\s*$", before):
            continue  # it is the value of an option
        words += _split(action, before)
        words += _split(action, alone[0])
        place = alone.end()
    return [*words, *_split(action, text[place:])]


def _split(action: Action, text: str) -> list[str]:
    """Write options as words; an expression before the first key may hold options itself, which are split when the task runs."""
    head = re.match(rf"(?:{_EXPRESSION.pattern}|(?!{_KEY.pattern}).)*", text, re.DOTALL)
    first = head[0] if head and "${" in head[0] else ""
    words = [f'{{{{ {grouped(action.compiler.text_of(piece))}.split() | map("quote") | join(" ") }}}}' for piece in action.compiler.pieces(first) if not isinstance(piece, str)]  # fmt: skip
    action.compiler.needs.is_quoting |= bool(words)
    return [*words, *map(action.word, split_options(text[len(first) :]))]


def _spark_options(action: Action) -> dict[str, Any]:
    """Give spark-opts as properties, for engines that take no command line; what is none of them is said."""
    words = split_options(_options(action))
    properties: dict[str, str] = {
        name: action.compiler.template(value) for name, value in action.settings().items() if name.startswith("spark.")
    }
    left = []
    place = 0
    while place < len(words):
        flag = words[place]
        value = words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("--") else ""
        place += 2 if value else 1
        if flag == "--conf" and "=" in value:
            key, _, text = value.partition("=")
            properties[key] = action.compiler.template(text)
        elif flag in _SPARK_FLAGS:
            properties[_SPARK_FLAGS[flag][1]] = action.compiler.template(value)
        else:
            left.append(flag)
    return {"livy": (("conf", properties),), "properties": properties, "left": tuple(left)}
