"""What a plugin put below airflow.operators, hooks, sensors, … is imported from the module that defines it.

Airflow 1.10 made a module of each plugin's name (plugins_manager.py: make_module), and put the same names into the package itself; Airflow 2
stopped. The plugin is looked for in the project; its folder is on Python's path in every version.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import import_text
from aerodrome.migration.codemod.imports import indent_of, is_alone, written
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.source import Source

_KINDS = ("operators", "hooks", "sensors", "executors", "macros")
_BASE = "airflow.plugins_manager.AirflowPlugin"
_MADE = re.compile(rf"airflow\.({'|'.join(_KINDS)})(?:\.(\w+))?")
_ROOT = re.compile(r"^(?:.*/)?(?:plugins|dags)/")
"""Folders on Python's path: what stands behind the last of them names the module."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.project is None:
        return
    project = options.project
    known: dict[tuple[str, str], set[tuple[str, str]]] = project.once("plugins", lambda: _plugins(project))
    for node in source.each(ast.ImportFrom):
        made = _MADE.fullmatch(node.module or "")
        if node.level or made is None or not known:
            continue
        places = {alias: known.get((str(node.module), alias.name), set()) for alias in node.names}
        found = {alias: next(iter(place)) for alias, place in places.items() if len(place) == 1}
        if found and is_alone(source, node):
            yield _change(source, node, found)


def _change(source: Source, node: ast.ImportFrom, found: dict[ast.alias, tuple[str, str]]) -> Change:
    groups: dict[str, list[str]] = {}
    for alias in node.names:
        module, name = found.get(alias, (str(node.module), alias.name))
        bound = alias.asname or alias.name
        text = written(alias) if alias not in found else name if name == bound else f"{name} as {bound}"
        groups.setdefault(module, []).append(text)
    indent, newline = indent_of(source, node), source.newline.decode()
    start, end = source.start(node), source.end(node)
    comments = [source.text[a:b].decode() for a, b in source.comments if start <= a < end]
    lines = [import_text(module, names, indent, newline) for module, names in groups.items()]
    return Change((Edit(start, end, f"{newline}{indent}".join([*comments, *lines])),))


def _plugins(project: Project) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Give (module that Airflow 1.10 made, name) -> the (module, name) that plugins of the project took it from."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for file in project.mentioning(b"AirflowPlugin"):
        source = project.source(file)
        for node in source.each(ast.ClassDef) if source else ():
            if source is None or not any(source.means(base, {_BASE}) for base in node.bases):
                continue
            said = {
                target.id: item.value
                for item in node.body
                if isinstance(item, ast.Assign)
                for target in item.targets
                if isinstance(target, ast.Name)
            }
            title = getattr(said.get("name"), "value", None)
            for kind in _KINDS:
                listed = said.get(kind)
                for value in listed.elts if isinstance(listed, ast.List | ast.Tuple) else ():
                    if isinstance(value, ast.Name | ast.Attribute) and (place := _place(source, value, file)):
                        name = value.attr if isinstance(value, ast.Attribute) else place[1]
                        for module in (f"airflow.{kind}.{title}", f"airflow.{kind}"):
                            found.setdefault((module, name), set()).add(place)
    return found


def _place(source: Source, value: ast.expr, file: str) -> tuple[str, str] | None:
    """Give module and name of what a plugin lists: from its own file, or from where that imports it."""
    own = _module(file)
    if isinstance(value, ast.Attribute):
        owner = value.value.id if isinstance(value.value, ast.Name) else ""
        origins = source.top.bound.get(owner, set())  # in the class, `sensors` is the list
        return (origin, value.attr) if len(origins) == 1 and (origin := next(iter(origins))) else None
    if not isinstance(value, ast.Name) or not own:
        return None
    for node in source.each(ast.ImportFrom):
        for alias in node.names:
            if (alias.asname or alias.name) == value.id:
                module = _absolute(node, own, is_package=file.endswith("/__init__.py"))
                return (module, alias.name) if module else None
    is_here = value.id in {item.name for item in source.each(ast.ClassDef)} | {
        item.name for item in source.each(ast.FunctionDef)
    }
    return (own, value.id) if is_here else None


def _module(file: str) -> str:
    path = _ROOT.sub("", file).removesuffix(".py").removesuffix("/__init__")
    return path.replace("/", ".") if re.fullmatch(r"\w+(/\w+)*", path) else ""


def _absolute(node: ast.ImportFrom, own: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    words = own.split(".")
    kept = words[: len(words) - node.level + is_package]
    return ".".join([*kept, *([node.module] if node.module else [])]) if kept else ""


RULE = Rule(
    code="plugin-import",
    title="What a plugin of the project put below airflow.operators or hooks is imported from the module that defines it",
    words=(b"airflow.operators", b"airflow.hooks", b"airflow.sensors", b"airflow.executors", b"airflow.macros"),
    before="""
from airflow.operators.bash_operator import BashOperator
from airflow.operators.shop_plugin import LoadOperator  # of plugins/shop.py
""",
    after="""
from airflow.operators.bash_operator import BashOperator
from shop import LoadOperator  # of plugins/shop.py
""",
    find=_find,
    is_for_2=True,
    files={
        "plugins/shop.py": """
from airflow.models import BaseOperator
from airflow.plugins_manager import AirflowPlugin


class LoadOperator(BaseOperator):
    pass


class ShopPlugin(AirflowPlugin):
    name = "shop_plugin"
    operators = [LoadOperator]
"""
    },
)
