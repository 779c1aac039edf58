"""Java and map-reduce actions, as programs of the Hadoop clients (Oozie 5.2, JavaMain, MapReduceMain)."""

from __future__ import annotations

from pathlib import PurePosixPath

from aerodrome.migration.convert.oozie.actions import (
    CAPTURE,
    Action,
    job_file,
    library,
    unread_lines,
)
from aerodrome.migration.convert.oozie.counters import lines_of
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Command


def java(action: Action) -> Command:
    settings = action.settings()
    lines = [*action.prepared(), *action.fetched(), *unread_lines(action), *library(action)]
    argv = ["java"]
    options = [
        word for item in (*action.every("java-opts"), *action.every("java-opt")) for word in action.words(item.text)
    ]
    if settings or action.unread:
        lines += job_file(action, settings, "action.xml")
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


def map_reduce(action: Action) -> Command:
    settings = action.settings()
    streaming, pipes = action.body.first("streaming"), action.body.first("pipes")
    action.used |= {"streaming", "pipes", "config-class"}
    if pipes is not None or action.body.first("config-class") is not None:
        raise Unsupported("map-reduce-kind", "pipes and config-class of map-reduce have no equivalent")
    if lost := action.body.every("archive") if streaming is not None else action.body.every("file", "archive"):
        action.caveats["job-files"] = (
            f"{', '.join(item.text.strip() for item in lost)}: not in the distributed cache of the job, its tasks do not see it;"
            " set mapreduce.job.cache.files or mapreduce.job.cache.archives in its configuration"
        )
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
        lines = [*action.prepared(), *unread_lines(action)]
        if not action.counters:
            return Command((*lines, " ".join(argv)), tuple(argv))
        lines += ["set -o pipefail", f"{' '.join(argv)} 2>&1 | tee job.log"]
        lines += ["job=$(sed -n 's/.*Running job: //p' job.log | tail -1)", *lines_of(action.counters)]
        return Command(tuple(lines), tuple(argv), is_capturing=True)
    lines = [
        *action.prepared(),
        *action.fetched(),
        *unread_lines(action),
        *library(action),
        *job_file(action, settings, "job.xml"),
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
