"""Functions that run in another Python than their task's worker: in a virtualenv, under another interpreter, in a container. Their text is all that gets there.

So nothing of theirs may move to the top of the file, and what they import is that of the Airflow which is there: `runs_under` says which one when it is not
the target's. Read in PythonVirtualenvOperator, ExternalPythonOperator and the decorators of docker and cncf.kubernetes (providers of 3.3.2).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.callables import handed
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.source import Source

_OWNERS = ("airflow.decorators.task", "airflow.sdk.task")
_WAYS = {
    "virtualenv": "virtualenv",
    "branch_virtualenv": "virtualenv",
    "external_python": "interpreter",
    "branch_external_python": "interpreter",
    "docker": "image",
    "kubernetes": "image",
}
_DECORATORS = {f"{owner}.{name}": way for owner in _OWNERS for name, way in _WAYS.items()}
_OPERATORS = {
    "PythonVirtualenvOperator": "virtualenv",
    "BranchPythonVirtualenvOperator": "virtualenv",
    "ExternalPythonOperator": "interpreter",
    "BranchExternalPythonOperator": "interpreter",
}
WORDS = (b"irtualenv", b"xternal_python", b"xternalPython", b".docker", b".kubernetes")
GIVEN_BY = (b"VirtualenvOperator", b"ExternalPythonOperator")
_AIRFLOW = re.compile(
    r"(?i)^\s*apache[-_.]airflow\s*(?:\[[^\]]*\])?\s*(?P<pin>(?:===?|~=|<=?)\s*(?P<version>\d[\w.]*))?"
)
_ALONE = "a virtualenv without Airflow"
_UNSEEN = "a virtualenv whose requirements this file does not show"


@dataclass(frozen=True)
class Isolated:
    """`runs_under` is "" when the function finds the target's own Airflow there."""

    function: ast.FunctionDef
    runs_under: str
    way: str

    @property
    def body(self) -> tuple[int, int]:
        """Give the first and the last line of what runs there."""
        return self.function.body[0].lineno, self.function.end_lineno or self.function.lineno


@lru_cache(maxsize=8)
def isolated(source: Source) -> tuple[Isolated, ...]:
    """Give the functions of a file that run elsewhere, in the order of the file."""
    is_given = source.project is not None and any(source.project.mentioning(word) for word in GIVEN_BY)
    if not is_given and not any(word in source.text for word in WORDS):
        return ()
    found = []
    for function in source.each(ast.FunctionDef):
        places = sorted(set(_places(source, function, is_given=is_given)))
        if places:
            under = [said for said, _ in places]
            found.append(
                Isolated(
                    function,
                    under[0]
                    if len(set(under)) == 1
                    else " and ".join(filter(None, [said or "the target's" for said in under])),
                    places[0][1],
                )
            )
    return tuple(found)


def around(source: Source, line: int) -> Isolated | None:
    """Give the function that a line is inside of."""
    return next((item for item in isolated(source) if item.body[0] <= line <= item.body[1]), None)


def bodies_left(source: Source | None) -> tuple[tuple[int, int], ...]:
    """Give the first and last lines of what runs under another Airflow."""
    return tuple(item.body for item in isolated(source) if item.runs_under) if source else ()


def _places(source: Source, function: ast.FunctionDef, *, is_given: bool) -> Iterator[tuple[str, str]]:
    """Give under what a function runs, and how it gets there, for each of its tasks."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        for name in source.meanings(call.func if call else decorator):
            if way := _DECORATORS.get(name):
                yield _under(source, call, way), way
    for call in handed(source).tasks.get(function.name, ()):
        if way := _way_of(source, call):
            yield _under(source, call, way), way
    project = source.project
    if not is_given or project is None or function.name not in _handed_on(project):
        return
    for call in elsewhere(source, function.name) or ():
        other = _source_of(project, call)
        if other is not None and (way := _way_of(other, call)):
            yield _under(other, call, way), way


def _handed_on(project: Project) -> frozenset[str]:
    """Give the names of what the project's files hand to operators of these kinds, before anybody looks for where they come from."""

    def look() -> frozenset[str]:
        files = {file for word in GIVEN_BY for file in project.mentioning(word)}
        sources = (project.source(file) for file in sorted(files))
        values = (
            item.value
            for source in sources
            if source
            for call in source.each(ast.Call)
            if _way_of(source, call)
            for item in call.keywords
            if item.arg == "python_callable"
        )
        names = (getattr(value, "id", getattr(value, "attr", "")) for value in values)
        origins = {
            alias.name
            for file in sorted(files)
            if (source := project.source(file))
            for node in source.each(ast.ImportFrom)
            for alias in node.names
        }
        return frozenset(names) | origins

    found: frozenset[str] = project.once("handed to another Python", look)
    return found


def _source_of(project: Project, call: ast.Call) -> Source | None:
    files = {file for word in GIVEN_BY for file in project.mentioning(word)}
    found = (project.source(file) for file in sorted(files))
    return next((source for source in found if source is not None and call in source.parents), None)


def _way_of(source: Source, call: ast.Call) -> str:
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr == "partial":
        func = func.value
    names = {name.rpartition(".")[2] for name in source.meanings(func) if name.startswith("airflow.")}
    return next((_OPERATORS[name] for name in names if name in _OPERATORS), "")


def _under(source: Source, call: ast.Call | None, way: str) -> str:
    """Say which Airflow a function finds; "" for the one that runs the task."""
    if way == "interpreter":
        item = keyword(call, "python") if call else None
        return f"the interpreter {source.code(item.value)}" if item else "another interpreter"
    if way == "image":
        item = keyword(call, "image") if call else None
        return f"the image {source.code(item.value)}" if item else "an image"
    if call is None:
        return ""
    more, is_seen = dags.spread(source, call)
    given = {str(item.arg): item.value for item in call.keywords if item.arg} | more
    lines = _requirements(source, given.get("requirements"))
    site = dags.constant(source, given["system_site_packages"]) if "system_site_packages" in given else None
    if lines is None or not is_seen or not (site is None or isinstance(site, ast.Constant)):
        return _UNSEEN
    found = [match for line in lines if (match := _AIRFLOW.match(line)) and not _is_other(line)]
    if not found:
        return _ALONE if isinstance(site, ast.Constant) and not site.value else ""
    return f"the Airflow of its requirements ({found[0]['pin'].strip()})" if found[0]["pin"] else ""


def _is_other(line: str) -> bool:
    """Tell a provider's line from Airflow's own."""
    return re.match(r"(?i)\s*apache[-_.]airflow[-_.](?!core\b)\w", line) is not None


def _requirements(source: Source, node: ast.expr | None) -> list[str] | None:
    """Give the lines of requirements; None when they stand elsewhere."""
    value = dags.constant(source, node) if node is not None else None
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return []
    items = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]
    if not all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in items):
        return None
    lines = [line for item in items for line in str(item.value).splitlines()]  # type: ignore[attr-defined]
    return None if any(line.strip().endswith(".txt") or "{{" in line for line in lines) else lines


def leading(function: ast.FunctionDef) -> tuple[ast.stmt, ast.stmt | None]:
    """Give the first statement of a function behind its docstring, and the last import of those that it begins with."""
    body = function.body
    is_told = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1
    own = body[1:] if is_told else body
    last: ast.stmt | None = None
    for node in own:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            break
        last = node
    return own[0], last


def imports_of_airflow(source: Source, item: Isolated) -> list[str]:
    """Give the modules that a function imports of Airflow, but for those that only Airflow 3 has."""
    first, last = item.body
    found = {
        node.module or "" for node in source.each(ast.ImportFrom) if first <= node.lineno <= last and not node.level
    } | {alias.name for node in source.each(ast.Import) if first <= node.lineno <= last for alias in node.names}
    return sorted(name for name in found if name.split(".")[0] == "airflow" and not name.startswith("airflow.sdk"))


_HINTS = {
    "virtualenv": "Airflow 3 lets only its own SDK reach variables, connections and XComs from there: require the target's version and import what that has, or hand over what the function needs by op_kwargs.",
    "interpreter": "If that Airflow is moved to 3 as well, write the imports of 3. One that is not reaches no variables, connections and XComs any more: hand over what the function needs by op_kwargs.",
    "image": "The container reaches no variables and connections of Airflow 3: hand over what the function needs as arguments, and import what the image has.",
}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for item in isolated(source):
        modules = imports_of_airflow(source, item)
        if item.runs_under in ("", _ALONE) or not modules:
            continue
        yield Spot(
            item.function.lineno,
            f"{item.function.name} runs under {item.runs_under}, so what it imports of Airflow ({', '.join(modules)}) stays as it is.",
            _HINTS[item.way],
        )


RULE = Rule(
    code="isolated-airflow",
    title="What a function imports of Airflow that runs in a virtualenv of another version, under another interpreter or in a container is left, and said",
    words=WORDS,
    before="""
from airflow.decorators import task


@task.virtualenv(requirements=["apache-airflow==2.9.1"], system_site_packages=False)
def count():
    from airflow.models import Variable

    return len(Variable.get("shops"))
""",
    after="""
from airflow.decorators import task


@task.virtualenv(requirements=["apache-airflow==2.9.1"], system_site_packages=False)
def count():
    from airflow.models import Variable

    return len(Variable.get("shops"))
""",
    find=_find,
    finding="runs under the Airflow of its requirements (==2.9.1)",
)
