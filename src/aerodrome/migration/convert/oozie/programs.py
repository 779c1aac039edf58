"""Java and map-reduce actions, as programs of the Hadoop clients (Oozie 4.x/5.x, JavaMain, MapReduceMain)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from aerodrome.migration.convert.oozie.actions import (
    Action,
    including,
    rows_of,
    unread_lines,
)
from aerodrome.migration.convert.oozie.captured import READ, capturing
from aerodrome.migration.convert.oozie.counters import lines_of
from aerodrome.migration.convert.oozie.handing import Cache, cache, class_path, libraries
from aerodrome.migration.convert.oozie.host_commands import refuse_client
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Command


def java(action: Action) -> Command:
    settings = action.settings()
    folders = libraries(action, is_asked=True)
    handed = cache(action, settings, folders, has_jars=False)
    lines = [*action.prepared(), *action.fetched(), *handed.lines, *_written(action, settings, handed, "action.xml")]
    argv = ["java"]
    options = [
        word for item in (*action.every("java-opts"), *action.every("java-opt")) for word in action.words(item.text)
    ]
    options.append("-Doozie.action.conf.xml=action.xml")
    is_capturing = action.body.first("capture-output") is not None
    action.used.add("capture-output")
    if is_capturing:
        options.append("-Doozie.action.output.properties=output.properties")
    if action.value("main-class").strip() == "org.apache.oozie.cli.OozieCLI":
        refuse_client("oozie")
    main = action.word(action.value("main-class"))
    argv += ["-cp", f'"$PWD:{class_path(folders)}:$(hadoop classpath)"', *options, main]
    argv += [action.word(item.text) for item in action.every("arg")]
    lines.append(" ".join(argv))
    if is_capturing:
        lines.append(capturing(action, "output.properties"))
    return Command(tuple(lines), tuple(argv), is_capturing=is_capturing, read=READ)


def map_reduce(action: Action) -> Command:
    settings = action.settings()
    streaming, pipes = action.body.first("streaming"), action.body.first("pipes")
    action.used |= {"streaming", "pipes", "config-class"}
    if pipes is not None or action.body.first("config-class") is not None:
        raise Unsupported("map-reduce-kind", "pipes and config-class of map-reduce have no equivalent")
    if streaming is not None:
        argv = ["hadoop", "jar", '"${HADOOP_STREAMING_JAR:?set it on the worker}"']
        for name in action.unread:
            argv += ["-conf", action.word(PurePosixPath(name).name)]
        handed = cache(action, settings, libraries(action))
        places = _taken(settings)
        if action.unread and "-input" in places:
            text = f"what {', '.join(action.unread)} says of mapreduce.input.fileinputformat.inputdir is read as well: leave it out there"
            action.caveats["streaming-input"] = text
        for item in streaming.every(
            "record-reader-mapping"
        ):  # its settings come first: those of the action win (StreamingMain)
            argv += ["-D", action.word(f"stream.recordreader.{item.text.strip()}")]
        for name, value in settings.items():
            argv += ["-D", action.word(f"{name}={value}")]
        argv += handed.options("-D ")
        for flag in ("mapper", "reducer"):
            if value := streaming.value(flag):
                argv += [f"-{flag}", action.word(value)]
        if value := streaming.value("record-reader"):
            argv += ["-inputreader", action.word(value)]
        for item in streaming.every("env"):
            argv += ["-cmdenv", action.word(item.text)]
        for flag, place in places.items():
            argv += [flag, action.word(place)]
        lines = [*action.prepared(), *unread_lines(action), *handed.lines]
        if not action.counters:
            return Command((*lines, " ".join(argv)), tuple(argv))
        lines += ["set -o pipefail", f"{' '.join(argv)} 2>&1 | tee job.log"]
        lines += ["job=$(sed -n 's/.*Running job: //p' job.log | tail -1)", *lines_of(action.counters, action.word)]
        return Command(tuple(lines), tuple(argv), is_capturing=True)
    handed = cache(action, settings, libraries(action, is_asked=True))
    argv = ["mapred", "job", "-submit", "job.xml"]
    lines = [
        *action.prepared(),
        *action.fetched(),
        *handed.lines,
        *_written(action, settings, handed, "job.xml"),
        "set -o pipefail",
        f"job=$({' '.join(argv)} | sed -n 's/^Created job //p')",
        "set +o pipefail",
        '[ -n "$job" ] || (echo "no job was created" >&2; exit 1)',
        *_ENDED,
        '[[ "$state" = *SUCCEEDED* ]]',
    ]
    if action.counters:
        lines += lines_of(action.counters, action.word)
    return Command(tuple(lines), tuple(argv), is_capturing=bool(action.counters))


_ENDED: Final = (  # a job that has just ended may be unknown until its history is there; then Oozie fails (JA017)
    'until [[ "$state" =~ SUCCEEDED|FAILED|KILLED ]]; do',
    "  sleep 15",
    '  said=$(mapred job -status "$job" 2>&1) || echo "$said" >&2',
    "  state=$(sed -n 's/^Job state: *//p' <<< \"$said\")",
    '  case "$said" in *"Could not find job"*|*"Unknown "[Jj]"ob"*) missing=$((missing + 1));; *) missing=0;; esac',
    '  [ "$missing" -lt 4 ] || { echo "the cluster does not know $job" >&2; exit 1; }',
    "done",
)

_PLACES: Final = {
    "-input": ("mapred.input.dir", "mapreduce.input.fileinputformat.inputdir"),
    "-output": ("mapred.output.dir", "mapreduce.output.fileoutputformat.outputdir"),
}


def _taken(settings: dict[str, str]) -> dict[str, str]:
    """Take the places of a streaming job out of its settings, by the options that give them.

    -input adds to what a setting says (Hadoop 3.3, StreamJob.setJobConf: FileInputFormat.addInputPaths), so both would read it twice.
    """
    found: dict[str, str] = {}
    for flag, names in _PLACES.items():
        for name in names:
            if name in settings:
                found[flag] = settings.pop(name)
    return found


def _written(action: Action, settings: Mapping[str, str], handed: Cache, file: str) -> list[str]:
    """Give the lines that write a file of Hadoop; files that are only there when the task runs are included, what comes later wins.

    `mapred job -submit` makes the job of its file alone, and a Java program reads that of -Doozie.action.conf.xml.
    """
    names = [f"job-xml-{number}.xml" for number in range(1, len(action.unread) + 1)]
    lines = [f"hdfs dfs -get -f {action.path(place)} {name}" for name, place in zip(names, action.unread, strict=True)]
    rows = [*including(names), *rows_of(action, settings)]
    end = [] if handed.names else ["</configuration>"]
    lines.append("\n".join([f"cat > {file} <<'END_OF_XML'", *rows, *end, "END_OF_XML"]))
    if handed.names:
        lines += [f"{name}=${{{name}//&/&amp;}}" for name in handed.names]
        lines.append("\n".join([f"cat >> {file} <<END_OF_XML", *handed.properties(), "</configuration>", "END_OF_XML"]))
    return lines
