"""One action of a workflow while it is translated: its words, its files, its settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from aerodrome.migration.convert.contract import Code, Function, Symbol
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.el import Function as Call
from aerodrome.migration.convert.oozie.el import Name, Node
from aerodrome.migration.convert.oozie.functions import APP_PATH
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Command
from aerodrome.migration.convert.oozie.properties import configuration, name_in
from aerodrome.migration.convert.oozie.writing import constant, grouped, literal, shell_word, string
from aerodrome.migration.convert.xmlreading import Element

LAUNCHER: Final = re.compile(
    r"oozie\.(launcher|action|use|libpath|hive\.log|pig\.log)|mapreduce\.job\.queuename$|mapred\.job\.queue\.name$"
)
PLACES: Final = {"job-tracker", "name-node", "resource-manager"}

# Hadoop 3.3, FsShell: 1 is "no", and also any IOException, which it writes down as "test: …"
HOLDS: Final = """holds() {  # asks HDFS: its exit code 1 is "no", or an error that it writes down
  local code=0 said errors
  said=$("$@" 2>&1) || code=$?
  [ -z "$said" ] || echo "$said" >&2
  errors=$(grep -iE '^(-?test:|error:|exception in thread)' <<< "$said" | grep -v 'No such file or directory')
  if [ "$code" -gt 1 ] || [ "$code" -eq 1 -a -n "$errors" ]; then exit 1; fi
  return "$code"
}"""
APP_FOLDER: Final = Function(
    "app_folder",
    '''
def app_folder(path):
    """Give the folder of an application, whose path may name the file in it."""
    return path.rpartition("/")[0] if path.endswith(".xml") else path
''',
)

NAME_NODE: Final = re.compile(r"(?i)name_?node|default_?fs$|^nn$")
IN_APP: Final = Function(
    "in_app",
    '''
def in_app(path, application):
    """Give a path; a relative one stands below the folder of the application, whose path may name the file in it."""
    if re.match("/|[A-Za-z][A-Za-z0-9+.-]*:", path):
        return path
    if not application:
        raise ValueError(f"{path} is relative: the param oozie.wf.application.path has to be set")
    return f"{application.rpartition('/')[0] if application.endswith('.xml') else application}/{path}"
''',
    (Symbol("re", {"2.11": "", "3.3": ""}),),
)
IN_LIB: Final = Function(
    "in_lib",
    '''
def in_lib(path):
    """Give a path; of a relative one the file of that name in lib/."""
    return path if re.match("/|[A-Za-z][A-Za-z0-9+.-]*:", path) else f"lib/{path.rpartition('/')[2]}"
''',
    (Symbol("re", {"2.11": "", "3.3": ""}),),
)

_VARIABLE: Final = re.compile(
    r"""\$\{\s*(?:wf:conf\(\s*(?P<mark>['"]))?(?P<name>[\w.\-]+)(?(mark)(?P=mark)\s*\))\s*\}"""
)


@dataclass(frozen=True)
class Placed:
    """One file or archive of an action, as shell words: where it is, what its path calls it, and what Oozie calls it in the working directory."""

    text: str
    path: str
    name: str
    target: str
    link: str = ""  # behind #, as it is written
    before: tuple[str, ...] = ()  # lines that the words need


@dataclass
class Action:
    """One action to translate: its XML, the compiler, what <global> gives, and the caveats that come up."""

    kind: str
    body: Element
    compiler: Compiler
    common: Mapping[str, str] = field(default_factory=dict)  # configuration of config-default.xml and <global>
    job_xml: Callable[[str], Mapping[str, str] | None] = lambda _: None  # reads a job-xml that is there
    common_job_xml: tuple[str, ...] = ()
    credentials: tuple[Element, ...] = ()  # that it names
    caveats: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=lambda: set(PLACES))
    counters: tuple[tuple[str, str], ...] = ()  # of its job, that others read
    most_output: int = 2048  # bytes that the server takes of it

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

    def places(self, name: str) -> list[str]:
        """Give what <file>s or <archive>s name, each of which may be a list (Oozie 5.x: JavaActionExecutor.setLibFilesArchives)."""
        found = [place for item in self.every(name) for place in self._listed(item.text.strip())]
        return [re.sub("#.*/", "#", place) for place in found] if name == "file" else found  # what is behind the last /

    def _listed(self, text: str) -> list[str]:
        """Split a list; one that a value of the files holds is written out, as is a value that gives a name behind #."""
        written: list[str] = []

        def one(match: re.Match[str]) -> str:
            if not set(known := self.compiler.scope.partly(f"${{{match['name']}}}")) & set(",#"):
                return match[0]
            written.append(match["name"])
            return known

        text = _VARIABLE.sub(one, text)
        if written:
            self.caveats["file-list"] = (
                f"{', '.join(written)} is written out: a run that is given another one does not change it"
            )
        return listed(text)

    def placed(self, tag: str) -> list[Placed]:
        """Give the <file>s or <archive>s. What only the run knows may have a name behind #, too (Oozie 5.x: JavaActionExecutor.addToCache)."""
        found = []
        for number, text in enumerate(self.places(tag), 1):
            place, _, link = text.partition("#")
            if not link and self.compiler.scope.partly(place).endswith("}"):
                key = f"{tag}_{number}"
                where, before = f'"${{{key}%%#*}}"', (f"{key}={self.path(place)}",)
                name = f'"$(basename -- {where})"' if tag == "archive" else f'"${{{key}##*[/#]}}"'
                found.append(Placed(place, where, name, f'"${{{key}##*[/#]}}"', before=before))
                continue
            name = self.last_name(place)
            called = self.last_name(link) if tag == "file" else self.word(link)  # as `places` has it of what is written
            found.append(Placed(place, self.path(place), name, called if link else name, link))
        return found

    def path(self, text: str) -> str:
        """Give a path as a word; a relative one stands below the application's folder."""
        text = text.strip()
        is_relative = self.is_relative(text)
        if is_relative is not None:
            return f"{self.app_folder()}/{self.word(text)}" if is_relative else self.word(text)
        needs = self.compiler.needs
        needs.functions[IN_APP.name] = IN_APP
        needs.filters[IN_APP.name] = Code(IN_APP.name)
        needs.is_quoting = True
        return "{{ " + f"{grouped(self.compiler.named(text))} | {IN_APP.name}({self._application()}) | quote" + " }}"

    def location(self, text: str, *, is_library: bool = False) -> str:
        """Give a path as a text that Airflow renders, for an engine that takes no command; a relative one stands below the application's folder.

        `is_library`: it stands in lib/ there, whatever folder it names.
        """
        text = text.strip()
        if (is_relative := self.is_relative(text)) is False:
            return self.compiler.template(text)
        if is_relative:
            inner = self._folder(self.compiler.name(APP_PATH))
            folder = "{{ " + inner + " }}" if (fixed := constant(inner)) is None else literal(fixed)
            place = f"lib/{text.rpartition('/')[2]}" if is_library and not self._ends_openly(text) else text
            return f"{folder}/{self.compiler.template(place)}"
        needs = self.compiler.needs
        for function in (IN_APP, *([IN_LIB] if is_library else [])):
            needs.functions[function.name] = function
            needs.filters[function.name] = Code(function.name)
        inside = f" | {IN_LIB.name}" if is_library else ""
        return "{{ " + f"{grouped(self.compiler.named(text))}{inside} | {IN_APP.name}({self._application()})" + " }}"

    def last_name(self, text: str) -> str:
        """Give the last name of a path as a word, which is what Oozie calls a file in the working directory, and runs (4.x/5.x, ShellActionExecutor)."""
        text = text.strip()
        if not self._ends_openly(text):
            return self.word(text.rpartition("/")[2])
        known = self.compiler.scope.partly(text)
        return self.word(text) if "$" not in known and "/" not in known else f'"$(basename -- {self.word(text)})"'

    def _ends_openly(self, text: str) -> bool:
        """Tell whether the last name of a path begins with a value that may have folders in it."""
        name = text.rpartition("/")[2]
        return name.count("{") != name.count("}") or name.startswith("${")

    def is_relative(self, text: str) -> bool | None:
        """Tell whether a path stands below the application's folder; None where it begins with a value that only the run knows."""
        first: str | None = ""
        for piece in self.compiler.pieces(text.strip()):
            first = piece if isinstance(piece, str) else self._beginning(piece)
            if first != "":  # what is empty is no beginning
                break
        if first is None:
            return None
        return bool(first) and not first.startswith("/") and not re.match(r"[A-Za-z][\w+.-]*:", first)

    def _beginning(self, node: Node) -> str | None:
        """Give what an expression begins with: its value, `/` for the place of an application or a name node; None when only the run knows."""
        name = name_in(node)
        if name == APP_PATH or node == Call("wf:appPath", ()):
            return "/"
        if name is None:
            return None
        scope = self.compiler.scope
        if (known := scope.constant(name)) is not None:
            return known
        nodes = {self.body.value("name-node"), f"${{{name}}}" if NAME_NODE.search(name) else ""} - {""}
        if f"${{{name}}}" in nodes:
            return "/"
        found = scope.find(name)
        begin = found.pieces[0] if found is not None and found.pieces else None
        if isinstance(begin, str):
            return begin
        return self._beginning(begin) if begin is not None and name_in(begin) not in (name, None) else None

    def _application(self, without: str = "paths that are relative fail") -> str:
        """Give the application's path as an expression; where nobody knows it, a param that a run may leave out."""
        needs = self.compiler.needs
        if self.compiler.scope.find(APP_PATH) is not None or APP_PATH in needs.parameters:
            if APP_PATH not in needs.computed:
                return self.compiler.name(APP_PATH)
            if without not in needs.computed[APP_PATH]:
                needs.computed[APP_PATH] += f", {without}"
            return self.compiler.access(APP_PATH)
        needs.parameters[APP_PATH] = None
        needs.computed[APP_PATH] = without
        return self.compiler.access(APP_PATH)

    def app_folder(self) -> str:
        """Give the application's folder as a word."""
        inner = self._folder(self.compiler.name(APP_PATH))
        if (fixed := constant(inner)) is not None:
            return shell_word(fixed)
        self.compiler.needs.is_quoting = True
        return "{{ " + f"{inner} | quote" + " }}"

    def is_application_asked(self) -> bool:
        """Tell whether the run has to say the application's path."""
        return APP_PATH in self.compiler.needs.parameters and APP_PATH not in self.compiler.needs.computed

    def application_if_given(self) -> str:
        """Give the application's path, where nobody knows it, as a word that is empty where a run does not say it."""
        self.compiler.needs.is_quoting = True
        return "{{ " + f'({self._application("nothing of its lib/ is fetched")} or "") | quote' + " }}"

    def _folder(self, inner: str) -> str:
        known = self.compiler.scope.constant(APP_PATH)
        found = self.compiler.scope.find(APP_PATH)
        tail = found.pieces[-1] if found and found.pieces else ""
        if (fixed := constant(inner)) is not None:
            return string(fixed.rpartition("/")[0] if fixed.endswith(".xml") else fixed)
        if (known or "").endswith(".xml") or (isinstance(tail, str) and tail.endswith(".xml")):
            return f'{inner}.rpartition("/")[0]'
        if (
            known is None and not isinstance(tail, str)
        ) or found is None:  # it comes at run time: the folder, or the file in it
            self.compiler.needs.functions[APP_FOLDER.name] = APP_FOLDER
            self.compiler.needs.filters[APP_FOLDER.name] = Code(APP_FOLDER.name)
            return f"{inner} | {APP_FOLDER.name}"
        return inner

    def settings(self) -> dict[str, str]:
        """Give the configuration: job-xml files, config-default.xml, <global>, its own; the later ones win.

        The files of <global> come behind its own ones, and settings of both win over all files (Oozie 4.x/5.x:
        LiteWorkflowAppParser.handleDefaultsAndGlobal, JavaActionExecutor.parseJobXmlAndConfiguration). What only steers Oozie's launcher is
        left out and said.
        """
        found: dict[str, str] = {}
        unread = []
        own = [item.text.strip() for item in self.every("job-xml")]
        for name in (*own, *(name for name in self.common_job_xml if name not in own)):
            content = self.job_xml(name)
            if content is None:
                unread.append(name)
            else:
                found |= content
        self.unread = tuple(unread)
        self.used.add("configuration")
        found |= self.common
        found |= configuration(self.body.first("configuration"))
        for name in [name for name in found if LAUNCHER.match(name) and not name.startswith("map")]:
            del found[name]
            self.caveats["launcher-settings"] = "there is no launcher job: settings of Oozie's launcher are left out"
        return found

    unread: tuple[str, ...] = ()

    def fetched(self, *, are_programs: bool = False) -> list[str]:
        """Give the lines that fetch <file>s and <archive>s into the working directory, where Oozie puts them."""
        lines = []
        for item in self.placed("file"):
            lines += [*item.before, f"hdfs dfs -get -f {item.path} {item.target}"]
            lines += [f"chmod +x {item.target}"] if are_programs else []
        for item in self.placed("archive"):
            kept = f"archives/{item.name}"  # its ending says to others how it is unpacked
            lines += [  # each alone: bash goes on where one that && follows fails
                *item.before,
                f"mkdir -p archives {item.target}",
                f"hdfs dfs -get -f {item.path} {kept}",
                f"tar -xf {kept} -C {item.target} || unzip -qo {kept} -d {item.target}",
            ]
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


def listed(text: str) -> list[str]:
    """Split a list at the commas outside of expressions."""
    return [part.strip() for part in re.findall(r"(?:\$\{[^}]*\}|[^,])+", text) if part.strip()]


def in_one(action: Action, argv: list[str], *before: str) -> Command:
    return Command((*action.prepared(), *action.fetched(), *before, " ".join(argv)), tuple(argv))


def generic(
    action: Action, names: re.Pattern[str] | None = None, settings: Mapping[str, str] | None = None
) -> list[str]:
    """Give the generic options of Hadoop tools: -conf for files that are read later, -D for settings, all or those of such names."""
    given = action.settings() if settings is None else settings
    settings = {name: value for name, value in given.items() if names is None or names.match(name)}
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


def unread_lines(action: Action) -> list[str]:
    return [f"hdfs dfs -get -f {action.path(name)} {action.word(PurePosixPath(name).name)}" for name in action.unread]


def including(names: Sequence[str]) -> list[str]:
    """Begin a file of Hadoop that has what other files have (Hadoop 2 and 3: Configuration takes xi:include); what comes later wins."""
    root = '<configuration xmlns:xi="http://www.w3.org/2001/XInclude">' if names else "<configuration>"
    return [root, *(f'<xi:include href="{name}"/>' for name in names)]


def rows_of(action: Action, settings: Mapping[str, str]) -> list[str]:
    return [
        f"<property><name>{escaped(action.compiler, key)}</name><value>{escaped(action.compiler, value)}</value></property>"
        for key, value in settings.items()
    ]


def escaped(compiler: Compiler, text: str) -> str:
    """Give a text as XML and HTML have it, values of the run, too."""
    template = ""
    for piece in compiler.pieces(text):
        if isinstance(piece, str):
            plain = piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            template += re.sub(r"\{(?=[{%#])", "{{ '{' }}", plain)
        else:
            template += "{{ (" + compiler.text_of(piece) + ") | e }}"
    return template
