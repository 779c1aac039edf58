"""Functions of a file that it hands on by their names: to tasks, as callbacks, or from a list or a table. Shared by rules about what tasks do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.source import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_ANSWERING = ("response_check", "response_filter", "execution_date_fn", "logical_date_fn")
"""Arguments of operators of HTTP and of ExternalTaskSensor (2.11.2) whose functions get the context's values by name."""
_AROUND = ("pre_execute", "post_execute")
"""Arguments of every operator since 2.1 whose functions get the context first, as callbacks do."""
_DEPTH = 5


def named_functions(source: Source, node: ast.expr | None, depth: int = _DEPTH) -> Iterator[ast.expr]:
    """Give the names and lambdas that an expression may hand on: itself, what a loop takes from a list or a table, what `partial` fills."""
    if node is None or depth == 0:
        return
    if isinstance(node, ast.Lambda):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from named_functions(source, node.body, depth - 1)
        yield from named_functions(source, node.orelse, depth - 1)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            yield from named_functions(source, item, depth - 1)
    elif isinstance(node, ast.Dict):
        for item in node.values:
            yield from named_functions(source, item, depth - 1)
    elif isinstance(node, ast.Subscript):
        yield from named_functions(source, node.value, depth - 1)
    elif isinstance(node, ast.Call):
        if source.means(node.func, {"functools.partial"}) and node.args:
            yield from named_functions(source, node.args[0], depth - 1)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "values", "get"):
            yield from named_functions(source, node.func.value, depth - 1)
    elif isinstance(node, ast.Name):
        yield node
        for value in values_of_name(source, node):
            yield from named_functions(source, value, depth - 1)
        yield from _of_loops(source, node, depth)


def _of_loops(source: Source, name: ast.Name, depth: int) -> Iterator[ast.expr]:
    """Follow `for name in (first, second)` and `for a, name in …` to what the loop goes over."""
    around: ast.AST = name
    while around in source.parents:
        around = source.parents[around]
        targets = [(around.target, around.iter)] if isinstance(around, ast.For) else []
        if isinstance(around, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
            targets = [(item.target, item.iter) for item in around.generators]
        for target, over in targets:
            if any(isinstance(item, ast.Name) and item.id == name.id for item in ast.walk(target)):
                yield from named_functions(source, over, depth - 1)


class Handed:
    """What a file hands on: `tasks` by the name of the function, callbacks as `lambdas` or `callback_values`, `calls` by what is called.

    `resumed`: methods that a deferred task goes on with; `answering`: functions that get an answer or a date first, and the context as `**context`.
    """

    def __init__(self, source: Source) -> None:
        self.tasks: dict[str, list[ast.Call]] = {}
        self.lambdas: set[ast.Lambda] = set()
        self.task_lambdas: set[ast.Lambda] = set()
        self.resumed: set[str] = set()
        self.answering: set[str] = set()
        self.calls: dict[str, list[ast.Call]] = {}
        named: list[tuple[str, ast.expr]] = []
        for call in source.each(ast.Call):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            self.calls.setdefault(name, []).append(call)
            for item in call.keywords:
                named.append((str(item.arg), item.value))
                if item.arg == "python_callable":
                    for found in named_functions(source, item.value):
                        if isinstance(found, ast.Name):
                            self.tasks.setdefault(found.id, []).append(call)
                        elif isinstance(found, ast.Lambda):
                            self.task_lambdas.add(found)
                elif item.arg in _ANSWERING:
                    for found in named_functions(source, item.value):
                        if isinstance(found, ast.Name):
                            self.answering.add(found.id)
                        elif isinstance(found, ast.Lambda):
                            self.task_lambdas.add(found)
                elif item.arg == "method_name" and isinstance(item.value, ast.Constant):
                    self.resumed.add(str(item.value.value))
        for mapping in source.each(ast.Dict):
            named += [
                (str(getattr(key, "value", "")), value) for key, value in zip(mapping.keys, mapping.values, strict=True)
            ]
        named += _assigned(source)
        self.callback_values: list[tuple[str, ast.expr]] = []
        for name, value in named:
            if (name.startswith("on_") and name.endswith("_callback")) or name in _AROUND:
                self.callback_values.append((name, value))
                self.lambdas |= {found for found in named_functions(source, value) if isinstance(found, ast.Lambda)}


def _assigned(source: Source) -> Iterator[tuple[str, ast.expr]]:
    """Give what is put into an attribute or under a key: `dag.on_failure_callback = f`, `args["on_failure_callback"] = f`."""
    for item in source.each(ast.Assign):
        for target in item.targets:
            if isinstance(target, ast.Attribute):
                yield target.attr, item.value
            elif isinstance(target, ast.Subscript):
                yield str(getattr(target.slice, "value", "")), item.value


@lru_cache(maxsize=8)
def handed(source: Source) -> Handed:
    """Look a file through, once."""
    return Handed(source)
