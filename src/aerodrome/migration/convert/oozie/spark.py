"""Spark actions: the command of spark-submit, and the pieces that other engines take (Oozie 5.2, SparkArgsExtractor)."""

from __future__ import annotations

import re
from typing import Any, Final

from aerodrome.migration.convert.oozie.actions import (
    Action,
    in_one,
    unread_lines,
)
from aerodrome.migration.convert.oozie.profiles import Command

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
    command = in_one(action, argv, *unread_lines(action))
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
