"""The text of a class that stands in for one that is gone: it takes what the old one took, and raises. Used by the rule gone-class."""

from __future__ import annotations

import ast
import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.gone import Gone, gone_classes
from aerodrome.migration.codemod.moves import successors
from aerodrome.migration.codemod.rules.moved_names import SAID, lost
from aerodrome.migration.codemod.source import Source

BASES = {"operator": "BaseOperator", "sensor": "BaseSensorOperator", "function": "BaseOperator"}
_WIDTH = 100
_SIGNATURE = ("inspect", "signature")
FAILURE = "AirflowFailException"
_SDK = (3, 2)  # has it in airflow.sdk, too, and from 3.3 on warns of the other place


def split(origin: str) -> tuple[str, str]:
    """Give the module and the name."""
    module, _, name = origin.rpartition(".")
    return module, name


def imported(source: Source) -> Iterator[tuple[str, ast.alias]]:
    """Give what the imports at the top of a file name, as "module.name" and the name with its alias."""
    for node in source.each(ast.ImportFrom):
        if node.module and not node.level and isinstance(source.parents[node], ast.Module):
            yield from ((f"{node.module}.{alias.name}", alias) for alias in node.names)


def failure_place(options: Options) -> str:
    """Give the module that has the exception in the target."""
    version = tuple(int(word) for word in options.target.split(".")[:2])
    return "airflow.sdk.exceptions" if version >= _SDK else "airflow.exceptions"


def needed_of(origins: Iterable[str], options: Options) -> Iterator[tuple[str, str]]:
    """Give what stand-ins need, as (module, name)."""
    yield failure_place(options), FAILURE
    for origin in origins:
        known = gone_classes()[origin]
        yield from (("airflow.sdk", base) for base in _bases(known))
        if known.is_open:
            yield _SIGNATURE


def _bases(known: Gone) -> list[str]:
    """Give the classes whose constructors a stand-in asks for what they take; what it derives from is the last."""
    if known.kind not in BASES:
        return []
    return list(dict.fromkeys([*([BASES["operator"]] if known.is_open else []), BASES[known.kind]]))


def written(origin: str, alias: ast.alias, names: dict[str, str], options: Options) -> str:
    """Write the class, and the name that the file calls it by."""
    known = gone_classes()[origin]
    raises = f"raise {names[FAILURE]}({_reason(origin, known, options)})"
    if known.kind == "function":
        parts = _function(alias.name, origin, known, raises, names)
    elif known.kind == "hook":
        parts = _hook(alias.name, origin, known, raises)
    else:
        parts = _task(alias.name, origin, known, raises, names)
    text = "\n".join(parts)
    return f"{text}\n\n\n{alias.asname} = {alias.name}" if alias.asname and alias.asname != alias.name else text


def _task(name: str, origin: str, known: Gone, raises: str, names: dict[str, str]) -> Iterator[str]:
    yield f"class {name}({names[BASES[known.kind]]}):"
    yield f'    """Stands in for {origin}, which is gone: its tasks fail when they run."""'
    yield ""
    if known.fields:
        yield from (*_tuple("template_fields", known.fields), "")
    if known.arguments or known.is_open:
        yield from _folded(
            "    def __init__(",
            ["self", *("*" for _ in known.arguments[:1]), *(f"{one}=None" for one in known.arguments), "**kwargs"],
            "):",
        )
        if known.is_open:
            words = [f"*{names[_SIGNATURE[1]]}({names[base]}).parameters" for base in _bases(known)]
            yield f"        taken = {{{', '.join(words)}}}  # others were ignored"
            yield "        super().__init__(**{name: value for name, value in kwargs.items() if name in taken})"
        else:
            yield "        super().__init__(**kwargs)"
        for some in _chunks(known.arguments):
            yield f"        {', '.join(f'self.{one}' for one in some)} = {', '.join(some)}"
        yield ""
    yield "    def execute(self, context):"
    yield f"        {raises}"


def _function(name: str, origin: str, known: Gone, raises: str, names: dict[str, str]) -> Iterator[str]:
    """Write the function, and a class for its tasks."""
    maker, (first, *_) = name.title().replace("_", ""), known.arguments
    yield from _task(maker, origin, replace(known, arguments=()), raises, names)
    parts = ", ".join(json.dumps(task) for task in known.tasks)
    yield from ("", "", f"def {name}({first}, *args, dag=None, **kwargs):", f"    {', '.join(known.tasks)} = (")
    yield f'        {maker}(task_id=f"{{{first}}}-{{part}}", dag=dag) for part in ({parts})'
    yield from ("    )", f"    {' >> '.join(known.tasks)}", f"    return {', '.join(known.tasks)}")


def _hook(name: str, origin: str, known: Gone, raises: str) -> Iterator[str]:
    yield f"class {name}:"
    yield f'    """Stands in for {origin}, which is gone: making one fails."""'
    yield ""
    yield "    def __init__(self, *args, **kwargs):"
    yield f"        {raises}"
    for method, (arguments, code) in known.static.items():
        yield from ("", "    @staticmethod", f"    def {method}({', '.join(arguments)}):", f"        return {code}")


def _tuple(name: str, items: tuple[str, ...]) -> Iterator[str]:
    words = [json.dumps(item) for item in items]
    yield from _folded(f"    {name} = (", [*words[:-1], f"{words[-1]}{',' * (len(words) == 1)}"], ")")


def _folded(head: str, items: list[str], tail: str) -> Iterator[str]:
    """Write items on one line, or filled into as many as they need."""
    line = f"{head}{', '.join(items)}{tail}"
    if len(line) <= _WIDTH:
        yield line
        return
    indent = " " * (len(head) - len(head.lstrip()) + 4)
    yield head
    yield from textwrap.wrap(
        f"{', '.join(items)}{'' if items[-1].startswith('**') else ','}",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield f"{indent[:-4]}{tail}"


def _chunks(names: tuple[str, ...]) -> Iterator[list[str]]:
    some: list[str] = []
    for name in names:
        if some and sum(2 * len(one) + 9 for one in (*some, name)) > _WIDTH:
            yield some
            some = []
        some.append(name)
    yield some


def _reason(origin: str, known: Gone, options: Options) -> str:
    """Write what the task says: strings that Python puts together. The finding has the successors' modules, too."""
    why = lost(0, *split(origin), options.major).hint.partition(SAID)[0]
    instead = ", ".join(name.rpartition(".")[2] for name in successors().get(origin, ()))
    text = f"{origin.rpartition('.')[2]} is gone (seen last in {known.package}). {why}{f' See {instead}.' if instead else ''}"
    *more, last = textwrap.wrap(text, _WIDTH - 16, break_long_words=False, break_on_hyphens=False)
    lines = [json.dumps(line, ensure_ascii=False) for line in (*(f"{line} " for line in more), last)]
    return "\n" + "\n".join(f"            {line}" for line in lines) + "\n        "
