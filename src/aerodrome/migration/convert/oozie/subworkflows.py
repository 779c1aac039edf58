"""Sub-workflows: the parent triggers the DAG of the child, waits for it and gives it its configuration."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import contract
from aerodrome.migration.convert.contract import Code, Expression
from aerodrome.migration.convert.oozie.actions import LAUNCHER
from aerodrome.migration.convert.oozie.app_paths import (
    is_open,
    is_own_path,
    is_whole,
    known_path,
    lies_elsewhere,
    names_of,
    own_place,
    placed,
)
from aerodrome.migration.convert.oozie.body import Body
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.el import Binary, Conditional, Function, Index, Literal, Name, Node, Unary, parse
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.functions import APP_PATH
from aerodrome.migration.convert.oozie.model import Node as WorkflowNode
from aerodrome.migration.convert.oozie.needs import Propagation, Unsupported
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration
from aerodrome.migration.convert.xmlreading import Element

_LOOKED_UP: Final = re.compile(r"\bwf:conf\(\s*['\"]([\w.\-]+)['\"]\s*\)")


_HAND_ON: Final = contract.Function(
    "hand_on",
    '''
def hand_on(context):
    """Hand on what this run was given, as propagate-configuration does; what the task says itself comes first."""
    task = context["ti"].task
    given = {name: value for name, value in (context["dag_run"].conf or {}).items() if not name.startswith(("dag_id.", "dataset."))}
    task.conf = given | task.conf
''',
)


@dataclass
class Children:
    """Knows the DAG of every workflow, and what each needs from its parent."""

    estate: Estate
    dag_ids: Mapping[str, str]  # file of a workflow -> dag_id of its own DAG
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    triggered: set[str] = field(default_factory=set)  # files of workflows that others start
    taken: set[str] | None = None  # ids of the DAGs of these definitions, in small letters, once they were looked for
    absent: dict[str, list[str]] = field(
        default_factory=dict
    )  # ids of DAGs that are not made here -> names in their paths
    by_itself: dict[str, Scope] | None = None  # the values of a workflow that is submitted by itself, by its file
    uses: Counter[str] | None = None  # how often each workflow is run, by its file, once it was counted

    def start(
        self, body: Body, compiler: Compiler, node: WorkflowNode
    ) -> tuple[tuple[tuple[str, Expression], ...], dict[str, str]]:
        """Give the arguments of the operator that triggers a child, and the caveats."""
        assert node.body is not None  # noqa: S101
        path = node.body.value("app-path")
        folder = body.workflow.file.rpartition("/")[0]
        known = self.known(body, path)
        child, is_assumed = self.search(body.workflow.file, known, folder, own_place(body.scope))
        if child is not None and is_assumed and body.workflow.file in self.reached_from(child):
            child = None  # what waits for this workflow is only called as the one that it starts
        if child is not None and body.workflow.file in self.reached_from(child, is_sure=True):
            text = "it starts a workflow that waits for it: Oozie ends that at a depth (50), Airflow never. Write the repetition in one DAG"
            raise Unsupported("sub-workflow-recursion", text)
        caveats: dict[str, str] = {}
        own = configuration(node.body.first("configuration"))
        is_propagating = node.body.first("propagate-configuration") is not None
        target: str
        wanted: tuple[str, ...] = ()
        if child is not None:
            target = self.dag_ids[child.file]
            if is_assumed:
                caveats["app-path-assumed"] = (
                    f"{path} leads to no file: {child.file} is taken, whose folder is called so"
                )
            caveats |= opened(body, path, known, child)
            self.triggered.add(child.file)
            wanted = self.needs_of(child)
        else:
            name = re.sub(r"/workflow\.xml$|\.xml$|/$", "", body.scope.partly(path)).rpartition("/")[2]
            if "$" in name or "}" in name or name in ("", ".."):
                target = "{{ " + compiler.parameter(f"dag_id.{node.name}", None) + " }}"
                caveats["sub-workflow-unknown"] = (
                    f"which workflow {path} is comes only at run time: the param dag_id.{node.name} names its DAG"
                )
            else:
                target, other = self.elsewhere(re.sub(r"[^\w.-]+", "_", name), names_of(placed(known, folder)))
                caveats["sub-workflow-missing"] = (
                    f"its definition is not among those given: the DAG {target} has to exist{other}"
                )
        conf: dict[str, Expression] = {APP_PATH: compiler.template(path)}
        hook: tuple[tuple[str, Expression], ...] = ()
        if is_propagating and body.is_given:
            body.needs.functions[_HAND_ON.name] = _HAND_ON
            hook = (("pre_execute", Code(_HAND_ON.name)),)
        unsaid: list[str] = []
        if is_propagating:
            for name in wanted if child is not None else self.all_names(body):
                if name not in own and name != APP_PATH and self.is_known(body, child, name):
                    try:
                        conf[name] = looked_up(compiler, name)
                    except Unsupported:
                        if child is not None:
                            raise
                        unsaid.append(name)
            late = tuple(
                name
                for name in self.used_by(body)
                if (child is None or name in wanted) and name not in own and name != APP_PATH and name not in unsaid
            )
            body.needs.propagations.append(Propagation(conf, late, partial(looked_up, compiler)))
            if unsaid:
                caveats["sub-workflow-unsaid"] = (
                    f"values that mean nothing outside of this job are not handed on: {', '.join(unsaid[:8])}"
                )
            if child is None:
                more = ", and what the run was given" if body.is_given else ""
                caveats["sub-workflow-propagation"] = (
                    f"it gets everything that this job knows{more}, for its definition is not there"
                )
            settings, files = body.common()
            if lost := [*(name for name in settings if not LAUNCHER.match(name) or name.startswith("map")), *files]:
                text = f"Oozie hands <global> down to it, its own DAG does not get it: {', '.join(lost[:8])}"
                caveats["sub-workflow-global"] = text
            for name in self.looked_up(child) if child is not None else ():
                is_known = body.scope.find(name) is not None or name in body.needs.parameters
                if name not in conf and is_known and not name.startswith("oozie."):
                    conf[name] = looked_up(compiler, name)
        for name, value in own.items():
            conf[name] = compiler.template(value)
        if child is not None:
            given = {*conf}
            left = [name for name in wanted if name not in given and not self.has_default(child, name)]
            if left:
                caveats["sub-workflow-values"] = f"it gets no value for {', '.join(left[:8])}, neither did it in Oozie"
        return (
            ("trigger_dag_id", target),
            ("conf", conf),
            ("wait_for_completion", True),
            ("poke_interval", 30),
            ("allowed_states", ["success"]),
            ("failed_states", ["failed"]),
            *hook,
        ), caveats

    def elsewhere(self, name: str, path: list[str]) -> tuple[str, str]:
        """Give the id of a DAG that is not made here, and why it is not called as its workflow is.

        It is never that of a DAG of these definitions: a coordinator's would wait for itself, and a workflow's is another one. Nor is it that
        of a workflow at another path.
        """
        if self.taken is None:
            self.taken = {name.lower() for name in (*self._scheduled(), *self.dag_ids.values())}
        other = ""
        for wanted in _candidates(name, path):
            free = wanted
            while free.lower() in self.taken:
                free += "_workflow"
                other = f" ({wanted} is a DAG of these definitions that is another)"
            is_at = self.absent.setdefault(free.lower(), path)
            if is_at == path:
                return free, other
            other = f" ({free} is another one, at {'/'.join(is_at)})"
        raise AssertionError

    def _scheduled(self) -> Iterator[str]:
        """Name the DAGs of coordinators, by themselves and as bundles call them."""
        for item in self.estate.of_kind("coordinator"):
            yield self.dag_ids[item.file]
        for item in self.estate.of_kind("bundle"):
            yield self.dag_ids[item.file]
            scope = Scope(self.estate.job(item))
            for entry in item.root.every("coordinator"):
                own = Layer("bundle configuration", configuration(entry.first("configuration")), is_outward=True)
                inner = Scope((own, *scope.layers))
                names = [scope.text(entry.get("name")) or entry.get("name")]
                names += [inner.text(other.root.get("name")) or "" for other in self.estate.of_kind("coordinator")]
                yield from (re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_.-") for name in names)

    def scopes(self) -> Iterator[tuple[Application, Scope]]:
        """Give every workflow and coordinator with the values that it has when it is submitted by itself."""
        for item in self.estate.applications.values():
            if item.kind != "bundle":
                yield item, Scope().with_layers(*self.estate.job(item), *self.estate.defaults(item))

    def find(self, body: Body, path: str, folder: str) -> Application | None:
        """Find the workflow that an app-path names."""
        return self.search(body.workflow.file, self.known(body, path), folder, own_place(body.scope))[0]

    def known(self, body: Body, path: str) -> str:
        """Write an app-path with what a job knows of its values."""
        return path if is_own_path(path) else known_path(body.scope, path)

    def named(self, file: str, path: str, folder: str, own: str) -> Application | None:
        """Find the workflow that an app-path in a file names: its own path, which may end with its file, names itself."""
        return self.search(file, path, folder, own)[0]

    def search(self, file: str, path: str, folder: str, own: str) -> tuple[Application | None, bool]:
        """Find the workflow, and tell whether it is only called like the one that is named. `own` is the path of what names it.

        A path that is known from its beginning is not that of another file, nor is a workflow the one that its own path contradicts.
        """
        if is_own_path(path):
            return self.estate.applications.get(file), False
        found, is_assumed = self.estate.search("workflow", path, folder)
        if is_assumed and (is_whole(path) or found is None or found.file == file):
            return None, False
        if found is not None and not is_assumed and lies_elsewhere(own, folder, path, found.folder):
            is_alike = len(names_of(path)) > 1 and names_of(path)[-2:] == names_of(found.folder)[-2:]
            return (found, True) if is_alike else (None, False)
        return found, is_assumed

    def is_assumed(self, body: Body, path: str, folder: str) -> bool:
        """Tell whether the workflow found is only called like the one that is named."""
        return self.search(body.workflow.file, self.known(body, path), folder, own_place(body.scope))[1]

    def reached_from(self, child: Application, *, is_sure: bool = False) -> set[str]:
        """Name the files of a workflow and of all those that it starts, as far as they are known, or sure."""
        reached: set[str] = set()
        open_now = [child]
        while open_now:
            item = open_now.pop()
            if item.file in reached or item.workflow is None:
                continue
            reached.add(item.file)
            for node in item.workflow.nodes.values():
                if node.kind == "action" and node.body is not None and node.body.name == "sub-workflow":
                    found, is_assumed = self.inner(item, node.body.value("app-path"))
                    open_now += [] if found is None or (is_sure and is_assumed) else [found]
        return reached

    def inner(self, application: Application, path: str) -> tuple[Application | None, bool]:
        """Find the workflow that an app-path in a workflow names, with the values that this has by itself."""
        if self.by_itself is None:
            self.by_itself = {item.file: scope for item, scope in self.scopes()}
        scope = self.by_itself[application.file]
        known = path if is_own_path(path) else known_path(scope, path)
        return self.search(application.file, known, application.folder, own_place(scope))

    def all_names(self, body: Body) -> list[str]:
        """Name everything that a job knows: its configuration, and what else its actions use, also those behind this one."""
        layers = [name for layer in body.scope.layers if not layer.hidden for name in layer.values]
        names = dict.fromkeys([*layers, *(name for name in body.needs.parameters if self._is_of(body, name))])
        return [
            name
            for name in names
            if re.fullmatch(r"[\w.\-]+", name) and not name.startswith(("oozie.", "dag_id.", "dataset."))
        ]

    def _is_of(self, body: Body, name: str) -> bool:
        """Tell whether a param is of this job, and not only a default of a workflow that stands in its DAG."""
        return name not in _defaults_of(body.children) or name in self.used_by(body)

    def used_by(self, body: Body) -> tuple[str, ...]:
        """Name what the actions of a job use, and those of the workflows that hand their configuration down to it."""
        own = self.estate.applications.get(body.workflow.file)
        return (*(self.needs_of(own) if own is not None and own.workflow is not None else ()), *body.used_above)

    def has_default(self, child: Application, name: str) -> bool:
        return any(name in layer.values for layer in self.estate.defaults(child))

    def is_known(self, body: Body, child: Application | None, name: str) -> bool:
        """Tell whether the parent passes a name on: it knows a value, or the child has none of its own."""
        return (
            body.scope.find(name) is not None
            or (name in body.needs.parameters and self._is_of(body, name))
            or child is None
            or not self.has_default(child, name)
        )

    def needs_of(self, application: Application, open_now: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Name the variables that a workflow uses, with those of children that it passes its configuration to."""
        if application.file in self.wanted:
            return self.wanted[application.file]
        assert application.workflow is not None  # noqa: S101
        names: dict[str, None] = {}
        reached = set(application.workflow.nodes) - set(application.workflow.unreachable)
        for element in application.root.children:
            if element.get("name") in reached or element.name == "global":
                for item in element.walk():
                    for text in (item.text, *item.attributes.values()):
                        names |= dict.fromkeys(names_in(text))
        for layer in self.estate.defaults(application):
            for value in layer.values.values():
                names |= dict.fromkeys(names_in(value))
        if application.file not in open_now:
            for node in application.workflow.nodes.values():
                if node.kind == "action" and node.body is not None and node.body.name == "sub-workflow":
                    names |= dict.fromkeys(self._passed(application, node.body, open_now))
        found = tuple(name for name in names if not name.startswith("dag_id."))
        if not open_now:
            self.wanted[application.file] = found
        return found

    def looked_up(self, application: Application, open_now: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Name what a workflow looks up by wf:conf, with those of children that it passes its configuration to: it may be absent."""
        assert application.workflow is not None  # noqa: S101
        texts = (text for element in application.root.walk() for text in (element.text, *element.attributes.values()))
        names = dict.fromkeys(name for text in texts for name in _LOOKED_UP.findall(text))
        for node in application.workflow.nodes.values():
            if node.kind == "action" and node.body is not None and node.body.name == "sub-workflow":
                child = self.inner(application, node.body.value("app-path"))[0]
                is_passing = node.body.first("propagate-configuration") is not None
                if child is not None and is_passing and child.file not in (*open_now, application.file):
                    own = configuration(node.body.first("configuration"))
                    inner = self.looked_up(child, (*open_now, application.file))
                    names |= dict.fromkeys(name for name in inner if name not in own)
        return tuple(names)

    def _passed(self, application: Application, body: Element, open_now: tuple[str, ...]) -> tuple[str, ...]:
        if body.first("propagate-configuration") is None:
            return ()
        child = self.inner(application, body.value("app-path"))[0]
        if child is None or child.file == application.file:
            return ()
        own = configuration(body.first("configuration"))
        inner = self.needs_of(child, (*open_now, application.file))
        return tuple(name for name in inner if name not in own and not self.has_default(child, name))


def _defaults_of(bodies: Sequence[Body]) -> set[str]:
    """Name the defaults of workflows that stand in a DAG, and of those in them."""
    own = {name for body in bodies for layer in body.scope.layers if layer.is_default for name in layer.values}
    return own.union(*(_defaults_of(body.children) for body in bodies))


def looked_up(compiler: Compiler, name: str) -> str:
    """Write the value of a name that a job has."""
    return compiler.template("${wf:conf('" + name + "')}")


def _candidates(name: str, path: list[str]) -> Iterator[str]:
    """Give ids for the DAG of a workflow at a path: its name, with those of the folders around it, with a number."""
    yield name
    plain = [re.sub(r"[^\w-]+", "_", part).strip("_") for part in path[:-1]]
    yield from (".".join([*plain[at:], name]) for at in range(len(plain) - 1, -1, -1) if plain[at])
    yield from (f"{name}_{number}" for number in count(2))


def opened(body: Body, path: str, known: str, child: Application) -> dict[str, str]:
    """Say that a workflow is found by the end of a path alone: what that begins with comes with the run."""
    folder = body.workflow.file.rpartition("/")[0]
    if not is_open(known) or lies_elsewhere(own_place(body.scope), folder, known, child.folder) is False:
        return {}
    text = f"{path} has values that only the run knows: {child.file} is taken, to which its end leads"
    return {"app-path-open": text}


def names_in(text: str) -> list[str]:
    """Name the variables that a text uses."""
    if "${" not in text:
        return []
    try:
        pieces = parse(text)
    except Invalid:
        return []
    found: list[str] = []
    for piece in pieces:
        if not isinstance(piece, str):
            _gather(piece, found)
    return found


def _gather(node: Node, found: list[str]) -> None:
    match node:
        case Name(name):
            found.append(name)
        case Function("wf:conf" | "coord:conf" | "bundle:conf", (Literal(value),)):
            del value  # may be absent: the child takes it as it comes
        case Function(_, arguments):
            for item in arguments:
                _gather(item, found)
        case Index(value, key):
            _gather(value, found)
            _gather(key, found)
        case Unary(_, value):
            _gather(value, found)
        case Binary(_, left, right):
            _gather(left, found)
            _gather(right, found)
        case Conditional(test, yes, no):
            for item in (test, yes, no):
                _gather(item, found)
