"""Names and imports of a module under rewriting: what a name means, adding and dropping imports."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import libcst as cst
from libcst import metadata as meta
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor

DAG_CLASSES = frozenset({"airflow.DAG", "airflow.models.DAG", "airflow.models.dag.DAG"})
DAG_DECORATORS = frozenset({"airflow.decorators.dag", "airflow.decorators.dag.dag", "airflow.models.dag.dag"})
"""2.x spellings only: what imports from airflow.sdk was written for 3.x and means what it says."""


class Rewriter(cst.CSTTransformer):
    """Base of our transformers: knows what names mean by the imports of the module, and counts its changes."""

    METADATA_DEPENDENCIES = (meta.QualifiedNameProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.imports: list[tuple[str, str | None]] = []

    def meanings(self, node: cst.CSTNode) -> set[str]:
        """Give the qualified names that an expression may have by imports."""
        names: Collection[meta.QualifiedName] = self.get_metadata(meta.QualifiedNameProvider, node, set())
        return {name.name for name in names if name.source is meta.QualifiedNameSource.IMPORT}

    def means(self, node: cst.CSTNode, wanted: Collection[str]) -> bool:
        return not self.meanings(node).isdisjoint(wanted)


def run(module: cst.Module, rewriter: Rewriter) -> tuple[cst.Module, int]:
    """Apply a rewriter, then add the imports that it asked for."""
    wrapper = meta.MetadataWrapper(module)
    changed = wrapper.visit(rewriter)
    if not rewriter.count:
        return module, 0
    for name, item in rewriter.imports:
        changed = add_import(changed, name, item)
    return changed, rewriter.count


def add_import(module: cst.Module, name: str, item: str | None) -> cst.Module:
    """Add `import name` or `from name import item`; nothing when it is there."""
    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, name, item)
    return AddImportsVisitor(context).transform_module(module)


def bound_names(module: cst.Module) -> set[str]:
    """Give every name that the module's top level binds."""
    wrapper = meta.MetadataWrapper(module)
    scope = wrapper.resolve(meta.ScopeProvider).get(wrapper.module)
    return {assignment.name for assignment in scope.assignments} if scope else set()


def is_free(module: cst.Module, name: str, origin: str) -> bool:
    """Tell whether a name is unbound at the top level, or bound to `origin` by an import already."""
    return name not in bound_names(module) or origin in _import_origins(module, name)


def _import_origins(module: cst.Module, name: str) -> set[str]:
    found: set[str] = set()

    class Visitor(cst.CSTVisitor):
        def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
            if isinstance(node.names, cst.ImportStar) or node.module is None:
                return
            origin = cst.Module([]).code_for_node(node.module)
            found.update(f"{origin}.{item.evaluated_name}" for item in node.names if _bound(item) == name)

        def visit_Import(self, node: cst.Import) -> None:
            found.update(item.evaluated_name for item in node.names if _bound(item) == name)

    module.visit(Visitor())
    return found


def _bound(item: cst.ImportAlias) -> str:
    return item.evaluated_alias or item.evaluated_name


def keyword(call: cst.Call, name: str) -> cst.Arg | None:
    """Give the argument passed under this name."""
    return next((arg for arg in call.args if arg.keyword is not None and arg.keyword.value == name), None)


def has_double_star(call: cst.Call) -> bool:
    return any(arg.star == "**" for arg in call.args)


def without(call: cst.Call, names: Iterable[str]) -> tuple[cst.Call, int]:
    """Drop keyword arguments; layout and comments of the others stay."""
    gone = set(names)
    kept = [arg for arg in call.args if arg.keyword is None or arg.keyword.value not in gone]
    dropped = len(call.args) - len(kept)
    if dropped and kept and call.args[-1] not in kept:
        kept[-1] = kept[-1].with_changes(
            comma=call.args[-1].comma, whitespace_after_arg=call.args[-1].whitespace_after_arg
        )
    return (call.with_changes(args=kept), dropped) if dropped else (call, 0)


def with_keyword(call: cst.Call, name: str, value: str) -> cst.Call:
    """Append `name=value` in the layout of the last argument: one per line stays one per line."""
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    added = cst.Arg(cst.parse_expression(value), keyword=cst.Name(name), equal=plain)
    if not call.args:
        return call.with_changes(args=[added])
    last = call.args[-1]
    is_multiline = isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace)
    between = (
        cst.ParenthesizedWhitespace(indent=True, last_line=call.whitespace_before_args.last_line)
        if is_multiline and isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace)
        else cst.SimpleWhitespace(" ")
    )
    position = next((n for n, arg in enumerate(call.args) if arg.star == "**"), len(call.args))
    if position < len(call.args):  # keep **kwargs last
        added = added.with_changes(comma=cst.Comma(whitespace_after=between))
        return call.with_changes(args=[*call.args[:position], added, *call.args[position:]])
    tail = last.comma
    if isinstance(tail, cst.Comma):
        added = added.with_changes(comma=tail)
        last = last.with_changes(comma=cst.Comma(whitespace_after=between))
    else:
        added = added.with_changes(whitespace_after_arg=last.whitespace_after_arg)
        last = last.with_changes(
            comma=cst.Comma(whitespace_after=between), whitespace_after_arg=cst.SimpleWhitespace("")
        )
    return call.with_changes(args=[*call.args[:-1], last, added])
