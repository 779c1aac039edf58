"""Hands <file>, <archive> and lib/ to the job that an action starts, as Oozie's distributed cache does (5.2, JavaActionExecutor.addToCache)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aerodrome.migration.convert.oozie.actions import Action, library
from aerodrome.migration.convert.oozie.functions import APP_PATH

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
    """Sort what <file> and <archive> name; a file of the name of the job's own jar is that jar (5.2, JarFilter)."""
    made = Handed()
    name = action.compiler.scope.partly(jar).rpartition("/")[2]
    for item in action.every("file"):
        place, _, link = item.text.strip().partition("#")
        target = action.word(link) if link else action.last_name(place)
        source = action.compiler.scope.partly(place).rpartition("/")[2]
        if name and name in (source, link):
            made.own = target
        elif (link or source).endswith(".jar"):
            made.jars.append(target)
        else:
            made.files.append(target)
    for item in action.every("archive"):
        place, _, link = item.text.strip().partition("#")
        made.archives.append(
            f"archives/{action.last_name(place)}#{action.word(link) if link else action.last_name(place)}"
        )
    return made


def fetched_library(action: Action) -> list[str]:
    """Give the lines that fetch lib/ of the application; none, and a caveat, where nobody knows where it is."""
    if action.compiler.scope.find(APP_PATH) is None:
        tell(action)
        return []
    return library(action)


def tell(action: Action) -> None:
    action.caveats["app-library"] = _TOLD


def listed_library(action: Action, but: str = "") -> list[str]:
    """Give the lines that fetch lib/ and list it as `lib_jars` and `lib_files`, without the job's own jar."""
    lines = fetched_library(action)
    left = f" ! -name {action.word(but)}" if but else ""
    return lines and [
        *lines,
        f"lib_jars=$(find lib -maxdepth 1 -name '*.jar'{left} 2>/dev/null | sort | paste -sd, -)",
        "lib_files=$(find lib -maxdepth 1 -type f ! -name '*.jar' 2>/dev/null | sort | paste -sd, -)",
    ]


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
