"""Reads what the classes of a target take where they cannot be imported, because something they import could not be installed: as text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

Read = tuple[list[str], list[str], list[str], bool]
"""As the imported classes are told: the names of the bases, what is taken, what is required, whether anything is taken."""


def read(roots: Sequence[Path], name: str) -> Read | None:
    """Give what the class "module.Class" takes; None when its text is not there."""
    tree = _tree(tuple(roots), name.rpartition(".")[0])
    if tree is None or _class(tree, name.rpartition(".")[2]) is None:
        return None
    chain = list(_chain(tuple(roots), name))
    taken: list[str] = []
    required: list[str] = []
    is_open = True
    for at in chain:
        init = _init(tuple(roots), at)
        if init is None:
            continue
        args = [*init.args.args[1:], *init.args.kwonlyargs]
        taken += [arg.arg for arg in args]
        if at == name:
            with_default = len(init.args.defaults)
            plain = init.args.args[1 : len(init.args.args) - with_default]
            keywords = zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
            required = [arg.arg for arg in (*plain, *(arg for arg, default in keywords if default is None))]
        is_open = init.args.kwarg is not None
        if not is_open:
            break
    is_task = any(at.rpartition(".")[2].endswith(("BaseOperator", "BaseSensorOperator")) for at in chain)
    return chain[1:], taken, required, is_open and not is_task


def _chain(roots: tuple[Path, ...], name: str) -> Iterator[str]:
    """Give a class and its bases, the nearest first; those of other packages by name only."""
    yield name
    module, _, own = name.rpartition(".")
    tree = _tree(roots, module)
    found = _class(tree, own) if tree else None
    if tree is None or found is None:
        return
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }
    for base in found.bases:
        base = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(base, ast.Name):
            yield from _chain(roots, imported.get(base.id, f"{module}.{base.id}"))


def _init(roots: tuple[Path, ...], name: str) -> ast.FunctionDef | None:
    module, _, own = name.rpartition(".")
    tree = _tree(roots, module)
    found = _class(tree, own) if tree else None
    inits = [item for item in found.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"] if found else []
    return inits[0] if inits else None


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


@cache
def _tree(roots: tuple[Path, ...], module: str) -> ast.Module | None:
    for root in roots:
        for path in (root / f"{module.replace('.', '/')}.py", root / module.replace(".", "/") / "__init__.py"):
            if path.is_file():
                return ast.parse(path.read_text(encoding="utf-8"))
    return None


UNSEEN = object()
"""A default that only a run knows."""


def defaults(roots: Sequence[Path], name: str) -> dict[str, tuple[object, int]]:
    """Give what a class takes, by name: the default (UNSEEN where there is none, too) and the place among the arguments by position, -1 for none."""
    chain = list(_chain(tuple(roots), name))
    found: dict[str, tuple[object, int]] = {}
    is_first = True
    for at in chain:
        if at.rpartition(".")[2] in ("BaseOperator", "BaseSensorOperator", "BaseHook", "LoggingMixin", "object"):
            break
        init = _init(tuple(roots), at)
        if init is None:
            continue
        args = init.args.args[1:]
        values: list[ast.expr | None] = [*[None] * (len(args) - len(init.args.defaults)), *init.args.defaults][-len(args) :] if args else []
        pairs = [*zip(args, values, range(len(args)), strict=True), *zip(init.args.kwonlyargs, init.args.kw_defaults, [-1] * len(init.args.kwonlyargs), strict=True)]
        for arg, value, place in pairs:
            seen = UNSEEN if value is None else _constant(tuple(roots), chain, at, value)
            found.setdefault(arg.arg, (seen, place if is_first else -1))
        is_first = False
        if init.args.kwarg is None:
            break
    return found


def _constant(roots: tuple[Path, ...], chain: Sequence[str], name: str, value: ast.expr, depth: int = 4) -> object:
    """Give the value of a default, UNSEEN when it is none of: a literal, a product of numbers, a constant of the module, of a class."""
    try:
        return ast.literal_eval(value)
    except ValueError:
        pass
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        left, right = (_constant(roots, chain, name, side, depth) for side in (value.left, value.right))
        return left * right if isinstance(left, int) and isinstance(right, int) else UNSEEN
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "cast" and len(value.args) == 2:
        return _constant(roots, chain, name, value.args[1], depth)
    if isinstance(value, ast.Call) and ast.unparse(value) in ("tuple()", "list()", "dict()"):
        return {"tuple": (), "list": [], "dict": {}}[ast.unparse(value)[:-2]]
    module = name.rpartition(".")[0]
    if isinstance(value, ast.Name):
        if depth and (found := _assigned(_tree(roots, module), value.id)) is not None:
            return _constant(roots, chain, name, found, depth - 1)
        origin = _imported(_tree(roots, module)).get(value.id, "")
        tree = _tree(roots, origin.rpartition(".")[0]) if origin else None
        if depth and (found := _assigned(tree, origin.rpartition(".")[2])) is not None:
            return _constant(roots, chain, origin, found, depth - 1)
        value = ast.Attribute(ast.Name(name.rpartition(".")[2]), value.id)
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and depth:
        imported = _imported(_tree(roots, module))
        for base in _chain(roots, imported.get(value.value.id, f"{module}.{value.value.id}")):
            tree = _tree(roots, base.rpartition(".")[0])
            found = _assigned(_class(tree, base.rpartition(".")[2]) if tree else None, value.attr)
            if found is not None:
                return _constant(roots, chain, base, found, depth - 1)
    return UNSEEN


def _imported(tree: ast.Module | None) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in (ast.walk(tree) if tree else ()) if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _assigned(owner: ast.Module | ast.ClassDef | None, name: str) -> ast.expr | None:
    for node in owner.body if owner else ():
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None
