"""Everything Oozie that stands below a path: applications, their properties, and how they refer to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from pathlib import Path, PurePosixPath
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Rejected
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.profiles import Profile
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration, read_properties
from aerodrome.migration.convert.xmlreading import Element, read_file

ROOTS: Final = {"workflow-app": "workflow", "coordinator-app": "coordinator", "bundle-app": "bundle"}
_HADOOP: Final = re.compile(
    r"(mapred|mapreduce|yarn|dfs|fs|io|ipc|hadoop|hive|hcat|tez|pig|sqoop|hbase|parquet|orc|avro)\.(?!launcher)"
)
_SKIPPED: Final = {".git", ".svn", ".hg", "node_modules", "target"}
_NAMES: Final = {
    "workflow": ("job.properties", "workflow.properties", "coordinator.properties", "bundle.properties"),
    "coordinator": ("coordinator.properties", "job.properties", "bundle.properties"),
    "bundle": ("bundle.properties", "job.properties", "coordinator.properties"),
}
_PATHS: Final = {
    "workflow": "oozie.wf.application.path",
    "coordinator": "oozie.coord.application.path",
    "bundle": "oozie.bundle.application.path",
}


@dataclass(frozen=True)
class Application:
    """One definition file."""

    kind: str
    file: str  # below the converted path
    root: Element
    workflow: Workflow | None = None

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.file).parent)


@dataclass
class Estate:
    """The files, read once. Names are paths below `root`, with `/`."""

    root: Path
    profile: Profile
    applications: dict[str, Application] = field(default_factory=dict)
    datasets: dict[str, Element] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # XML files that Oozie has no use for
    properties: dict[str, list[str]] = field(default_factory=dict)  # folder -> names of properties files
    configurations: dict[str, Element] = field(default_factory=dict)
    _submitted: dict[str, list[tuple[str, bool]]] | None = None
    _index: dict[tuple[str, str, str], list[tuple[tuple[str, ...], str]]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Application]:
        return [item for item in self.applications.values() if item.kind == kind]

    def defaults(self, application: Application) -> tuple[Layer, ...]:
        """Give config-default.xml and the defaults of <parameters>."""
        beside = self.configurations.get(str(PurePosixPath(application.folder) / "config-default.xml"))
        layers = [Layer("config-default.xml", configuration(beside), is_default=True)] if beside is not None else []
        formal = configuration(application.root.first("parameters"))
        return (*layers, Layer("parameters", formal, is_default=True)) if formal else tuple(layers)

    def submitted_defaults(self, application: Application) -> dict[str, str]:
        """Give what a coordinator or a bundle is submitted with where nothing else is given: its <parameters>, and before them the file of defaults beside it.

        Oozie 4.x/5.x: CoordSubmitXCommand and BundleSubmitXCommand, mergeDefaultConfig and then ParameterVerifier.verifyParameters.
        """
        name = {"coordinator": "coord-config-default.xml", "bundle": "bundle-config-default.xml"}[application.kind]
        beside = self.configurations.get(str(PurePosixPath(application.folder) / name))
        return {**configuration(application.root.first("parameters")), **configuration(beside)}

    def hadoop_defaults(self, application: Application) -> dict[str, str]:
        """Give the settings of Hadoop in config-default.xml, which Oozie puts into the configuration of every action."""
        beside = self.configurations.get(str(PurePosixPath(application.folder) / "config-default.xml"))
        return {name: value for name, value in configuration(beside).items() if _HADOOP.match(name)}

    def job(self, application: Application) -> tuple[Layer, ...]:
        """Give the properties that the job is submitted with: of the profile, then of the file beside the definition."""
        layers = [Layer("profile", self.profile.properties, is_job=True)] if self.profile.properties else []
        layers += [self._layer(name) for name in self.profile.properties_files]
        if not self.profile.properties_files and (name := self.properties_beside(application)):
            layers.append(self._layer(name))
        if self.profile.defaults:
            layers.append(Layer("defaults", self.profile.defaults))
        return tuple(layers)

    def properties_beside(self, application: Application) -> str:
        """Name the properties file of an application: of its folder, by usual names, or the only one there is.

        Else the only one, there or elsewhere, whose `oozie.…application.path` leads to it.
        """
        stem = PurePosixPath(application.file).stem
        there = self.properties.get(application.folder, [])
        for name in (f"{stem}.properties", *_NAMES[application.kind]):
            if name in there:
                return str(PurePosixPath(application.folder) / name)
        if len(there) == 1:
            return str(PurePosixPath(application.folder) / there[0])
        found = self._submitting().get(application.file, [])
        near = [name for name, _ in found if str(PurePosixPath(name).parent) == application.folder]
        sure = [name for name, is_assumed in found if not is_assumed]
        return next((names[0] for names in (near, sure, [name for name, _ in found]) if len(names) == 1), "")

    def properties_assumed(self, application: Application) -> str:
        """Say that its properties only seem to be its own: their application path ends with its folder, the one above is not called so."""
        name = "" if self.profile.properties_files else self.properties_beside(application)
        if (name, True) not in self._submitting().get(application.file, []) or name in self._usual(application):
            return ""
        return f"{name} is taken for its properties: the application path in it ends with its folder"

    def _usual(self, application: Application) -> list[str]:
        folder = PurePosixPath(application.folder)
        return [str(folder / name) for name in self.properties.get(application.folder, [])]

    def _submitting(self) -> Mapping[str, list[tuple[str, bool]]]:
        """Give the properties files that submit an application, by its file, and whether that is assumed."""
        if self._submitted is None:
            self._submitted = {}
            for folder, names in self.properties.items():
                for name in names:
                    path = str(PurePosixPath(folder) / name)
                    try:
                        scope = Scope((self._layer(path),))
                    except Invalid:
                        continue
                    for kind, key in _PATHS.items():
                        text = scope.partly(scope.layers[0].values.get(key, ""))
                        found, is_assumed = self.search(kind, text, folder) if text else (None, False)
                        if found is not None and (not is_assumed or _is_near(found, folder)):
                            self._submitted.setdefault(found.file, []).append((path, is_assumed))
        return self._submitted

    def _layer(self, name: str) -> Layer:
        path = self.root / name
        try:
            return Layer(name, read_properties(path), is_job=True)
        except OSError as error:
            raise Invalid(
                f"{path} cannot be read ({error.strerror}).",
                code="convert-properties",
                hint="Correct properties_files in the profile.",
            ) from error

    def read_configuration(self, folder: str, name: str) -> Mapping[str, str] | None:
        """Give the configuration that a job-xml names, when it is a file that is here."""
        path = str(PurePosixPath(folder) / name)
        if "$" in name or name.startswith("/") or ".." in name:
            return None
        if path not in self.configurations:
            target = self.root / path
            if not target.is_file():
                return None
            try:
                self.configurations[path] = read_file(target, path)
            except Invalid:
                return None
        return configuration(self.configurations[path])

    def locate(self, kind: str, text: str, folder: str) -> Application | None:
        """Find the definition that an application path names; None when none fits, or several fit alike."""
        return self.search(kind, text, folder)[0]

    def search(self, kind: str, text: str, folder: str) -> tuple[Application | None, bool]:
        """Find the definition, and tell whether it is assumed: its folder is called so, the one above it is not.

        What is assumed lies below the same first folder as what names it. A path from `wf:appPath()` on that stays here is the file that it
        says, or none.
        """
        text = text.strip()
        if match := re.match(r"\$\{\s*wf:appPath\(\)\s*\}(?=/|$)", text):
            text = f"//{folder}{text[match.end() :]}"
            if "${" not in text and (place := _inside(text)) is not None:
                found = self.applications.get(place) or self.applications.get(str(PurePosixPath(place) / f"{kind}.xml"))
                return (found if found is not None and found.kind == kind else None), False
        segments = [part for part in re.sub(r"^[A-Za-z][\w+.-]*:/*", "", text).split("/") if part not in ("", ".")]
        known: list[str] = []
        for part in reversed(segments):
            if "$" in part or "{" in part or "}" in part:
                break
            known.append(part)
        known.reverse()
        while ".." in known[1:]:
            at = known.index("..", 1)
            del known[at - 1 : at + 1]
        if len(known) < len(segments):  # the last name of a value that nobody knows
            known = [*dropwhile(lambda part: part == "..", known)]
        if not known:
            return None, False
        file = known.pop() if known[-1].endswith(".xml") else f"{kind}.xml"
        if not known:
            beside = self.applications.get(str(PurePosixPath(folder) / file))
            return (beside if beside is not None and beside.kind == kind else None), False
        near_to = PurePosixPath(folder).parts
        best: list[tuple[bool, int, int, str]] = []
        for parts, name in self._named(kind, file, known[-1]):
            near, tail = common_names((*parts, file), near_to), common_names(parts[::-1], known[::-1])
            is_whole = tail == min(len(parts), len(known))
            if is_whole or near or not near_to:
                best.append((is_whole, tail, near, name))
        if not best:
            return None, False
        best.sort(reverse=True)
        if len(best) > 1 and best[0][:3] == best[1][:3]:
            return None, False
        return self.applications[best[0][3]], not best[0][0]

    def _named(self, kind: str, file: str, folder: str) -> list[tuple[tuple[str, ...], str]]:
        """Give the folders and names of the definitions in a file of that name, in a folder of that name."""
        if not self._index:
            for name, item in self.applications.items():
                path = PurePosixPath(name)
                parts = path.parts[:-1]
                if parts:
                    self._index.setdefault((item.kind, path.name, parts[-1]), []).append((parts, name))
        return self._index.get((kind, file, folder), [])


def _is_near(application: Application, folder: str) -> bool:
    """Tell whether a definition lies below the same first folder as a properties file."""
    return bool(common_names(PurePosixPath(application.folder).parts, PurePosixPath(folder).parts))


def _inside(text: str) -> str | None:
    """Give a path with its `..` taken (Hadoop's Path normalises it so); None when it leads above the first folder."""
    parts: list[str] = []
    for part in text.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def common_names(parts: Sequence[str], others: Sequence[str]) -> int:
    """Count the first names that both have."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts, others, strict=False)))


def read_estate(path: Path, profile: Profile) -> Estate:
    """Read every definition below a folder, or one file with what stands beside it."""
    only = path.name if path.is_file() else None
    root = path.parent if only else path
    estate = Estate(root, profile)
    for file in sorted(root.glob("*") if only else root.rglob("*")):
        if _SKIPPED & set(file.relative_to(root).parts[:-1]) or not file.is_file():
            continue
        name = file.relative_to(root).as_posix()
        if file.suffix == ".properties":
            estate.properties.setdefault(str(PurePosixPath(name).parent), []).append(file.name)
        elif file.suffix == ".xml":
            _take(estate, file, name, is_definition=only is None or file.name == only)
    return estate


def _take(estate: Estate, file: Path, name: str, *, is_definition: bool) -> None:
    try:
        root = read_file(file, name)
    except Invalid as error:
        if is_definition and _looks_like_oozie(file):
            estate.rejected.append(
                Rejected(name, error.code, error.message, error.hint, int(error.details.get("line", 0)))
            )
        elif is_definition:
            estate.others.append(name)
        return
    if root.name in ROOTS and is_definition:
        kind = ROOTS[root.name]
        workflow = read_workflow(root, name) if kind == "workflow" else None
        estate.applications[name] = Application(kind, name, root, workflow)
    elif root.name == "datasets":
        estate.datasets[name] = root
    elif root.name == "configuration":
        estate.configurations[name] = root
    elif is_definition:
        estate.others.append(name)


def _looks_like_oozie(file: Path) -> bool:
    """Tell whether a file that cannot be read was meant as a definition."""
    try:
        with file.open("rb") as stream:
            head = stream.read(1 << 16)
    except OSError:
        return False
    return any(
        word in head or word in head.replace(b"\0", b"")
        for word in (b"workflow-app", b"coordinator-app", b"bundle-app", b"uri:oozie")
    ) or (file.name in {"workflow.xml", "coordinator.xml", "bundle.xml"})
