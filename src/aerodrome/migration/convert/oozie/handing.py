"""Hands <file>, <archive> and lib/ to the job that an action starts, as Oozie's distributed cache does (4.x/5.x, JavaActionExecutor.addToCache)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aerodrome.migration.convert.oozie.actions import HOLDS, Action, listed
from aerodrome.migration.convert.oozie.functions import APP_PATH

FETCHED: Final = "jars of lib/ below the application's path are fetched; Oozie's share library, and lib/ of a workflow that runs this one, are not"
_LIBPATH: Final = "oozie.libpath"
_PROPERTIES: Final = {"cache_files": "mapreduce.job.cache.files", "cache_archives": "mapreduce.job.cache.archives"}
_FETCHED_IF: Final = (
    f"when {APP_PATH} is given, {FETCHED.replace(' are not', ' are never')}; without it nothing of lib/ is there"
)
_TO_FOLDER: Final = 'application="${application%/*.xml}"'  # the path may name the file in it
_TOLD: Final = (
    "jars of lib/ below the application's path are not given to it, Oozie's launcher has them on its class path"
)


@dataclass
class Handed:
    """What an action has in its working directory, as shell words: files, jars, archives (`archives/NAME#link`)."""

    files: list[str] = field(default_factory=list)
    jars: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    own: str = ""  # the file that is the job's own jar


def handed(action: Action, jar: str = "") -> Handed:
    """Sort what <file> and <archive> name; a file of the name of the job's own jar is that jar (5.x, JarFilter)."""
    made = Handed()
    name = action.compiler.scope.partly(jar).rpartition("/")[2]
    for item in action.placed("file"):
        source = action.compiler.scope.partly(item.text).rpartition("/")[2]
        if name and name in (source, item.link):
            made.own = item.target
        elif (item.link or source).endswith(".jar"):
            made.jars.append(item.target)
        else:
            made.files.append(item.target)
    made.archives = [f"archives/{item.name}#{item.target}" for item in action.placed("archive")]
    return made


@dataclass(frozen=True)
class Libraries:
    """Folders whose files every action has: names in the working directory, and their places as words."""

    places: Mapping[str, str] = field(default_factory=dict)
    application: str = ""  # a word for the path of the application, empty where no run has to say it

    def lines(self) -> list[str]:
        """Give the lines that fetch them, where they are; of those of oozie.libpath, which may be a whole share library, the files right in them."""
        lines = [HOLDS] if self.places else []
        for name, place in self.places.items():
            if name == "lib":
                given = '[ -n "$application" ] && ' if self.application else ""
                if self.application:
                    lines += [f"application={self.application}", _TO_FOLDER]
                lines.append(f"if {given}holds hdfs dfs -test -d {place}; then hdfs dfs -get -f {place}; fi")
            else:
                listing = f"mkdir {name}; hdfs dfs -ls {place} > {name}.list"
                lines.append(f"if holds hdfs dfs -test -d {place}; then {listing}; else : > {name}.list; fi")
                get = f"xargs -r sh -c 'hdfs dfs -get -f \"$@\" {name}' get"
                lines.append(f"sed -n 's/^-.* //p' {name}.list | {get}")
        return lines


def libraries(action: Action, *, is_asked: bool = False) -> Libraries:
    """Give lib/ of the application and the folders of oozie.libpath (Oozie 4.x/5.x: WorkflowAppService.createProtoActionConf).

    Where nobody knows the path of the application, the run has to say it (`is_asked`), or may say it.
    """
    found: dict[str, str] = {}
    scope = action.compiler.scope
    application = ""
    if is_asked or scope.find(APP_PATH) is not None or action.is_application_asked():
        found["lib"] = f"{action.app_folder()}/lib"
        action.caveats["app-library"] = FETCHED
    else:
        application = action.application_if_given()
        found["lib"] = '"$application"/lib'
        action.caveats["app-library"] = _FETCHED_IF
    if scope.find(_LIBPATH) is not None:
        places = listed(scope.partly(f"${{{_LIBPATH}}}"))
        found |= {f"libpath_{number}": action.word(place) for number, place in enumerate(places, 1)}
    return Libraries(found, application)


def class_path(folders: Libraries) -> str:
    """Give the jars of the working directory and of these folders as a class path."""
    return ":".join(["$PWD/*", *(f"$PWD/{name}/*" for name in folders.places)])


def tell(action: Action) -> None:
    action.caveats["app-library"] = _TOLD


def listed_library(folders: Libraries, but: str) -> list[str]:
    """Give the lines that list the libraries as `lib_jars` and `lib_files`, without the job's own jar, whose name is the word `but`."""
    left = f" ! -name {but}" if but else ""
    where = f"find {' '.join(folders.places)} -maxdepth 1"
    return [
        f"lib_jars=$({where} -name '*.jar'{left} 2>/dev/null | sort | paste -sd, -)",
        f"lib_files=$({where} -type f ! -name '*.jar' 2>/dev/null | sort | paste -sd, -)",
    ]


@dataclass(frozen=True)
class Cache:
    """What the tasks of a job get: the lines that fetch and list it, and the lists as `cache_files` and `cache_archives`."""

    lines: tuple[str, ...]
    names: tuple[str, ...]  # of the lists that there may be

    def options(self, before: str) -> list[str]:
        """Give the options of a client that hand the lists on; `before` is all of one before its name."""
        return [f'${{{name}:+{before}"{_PROPERTIES[name]}=${name}"}}' for name in self.names]

    def properties(self) -> list[str]:
        """Give the lists as elements of a file of Hadoop, in a text in which the shell puts variables."""
        return [
            f"${{{name}:+<property><name>{_PROPERTIES[name]}</name><value>${name}</value></property>}}"
            for name in self.names
        ]


def cache(action: Action, settings: dict[str, str], folders: Libraries, *, has_jars: bool = True) -> Cache:
    """Put <file>s, <archive>s and libraries into the distributed cache of the job that a client submits; `settings` lose what they say of it.

    Oozie writes them into mapreduce.job.cache.files and .archives of the action's configuration, which Hive, Pig, Sqoop and map-reduce
    jobs submit; jars in it are on the class path of the tasks.
    """
    lines, names = folders.lines(), []
    for name, tag, old in (
        ("cache_files", "file", "mapred.cache.files"),
        ("cache_archives", "archive", "mapred.cache.archives"),
    ):
        said = [action.word(settings.pop(key)) for key in (old, _PROPERTIES[name]) if key in settings]
        words = [*said, *(_entry(action, text) for text in action.places(tag))]
        if tag == "file" and folders.places:
            before = ",".join(words)
            for folder, place in folders.places.items():
                each = f"while read -r file; do printf ',%s/%s' {place} \"${{file##*/}}\"; done"
                lines.append(f"{name}={before}$(find {folder} -maxdepth 1 -type f 2>/dev/null | sort | {each})")
                before = f"${name}"
            lines.append(f"{name}=${{{name}#,}}")
            names.append(name)
        elif words:
            lines.append(f"{name}={','.join(words)}")
            names.append(name)
    is_jar = any(
        action.compiler.scope.partly(text).rpartition("#")[0 if "#" in text else 2].endswith(".jar")
        for text in action.places("file")
    )
    if has_jars and (folders.places or is_jar):
        lines.append(f'export HADOOP_CLASSPATH="{class_path(folders)}:$HADOOP_CLASSPATH"')
    return Cache(tuple(lines), tuple(names))


def _entry(action: Action, text: str) -> str:
    """Give a file of the distributed cache as a word: its place and, behind #, its name in the working directory."""
    place, _, link = text.partition("#")
    return f"{action.path(place)}#{action.word(link)}" if link else action.path(place)


def option(argv: list[str], flag: str, words: Sequence[str], variable: str = "") -> None:
    """Put words into the list that an option of a command has, or add the option; `variable` holds a list that may be empty."""
    more = f'"${{{variable}:+,${variable}}}"' if variable else ""
    if flag in argv[:-1]:
        at = argv.index(flag) + 1
        argv[at] = ",".join([argv[at], *words]) + more
    elif words:
        argv += [flag, ",".join(words) + more]
    elif variable:
        argv.append(f'${{{variable}:+{flag} "${variable}"}}')
