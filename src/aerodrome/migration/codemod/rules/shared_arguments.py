"""Arguments that a dictionary gives to operators by `**`: its entries change as the arguments of the calls would.

What a call would become is asked of the rules about arguments themselves, entry by entry, by a call that has only this one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import apply, drop_item, keyword
from aerodrome.migration.codemod.rules import (
    changed_arguments,
    dag_arguments,
    dags,
    operators,
    providers,
    renamed_arguments,
    ssh_timeouts,
)
from aerodrome.migration.codemod.rules.imported_arguments import users_of
from aerodrome.migration.codemod.source import Source, read

_RULES = (
    providers.ARGUMENTS,
    renamed_arguments.RULE,
    ssh_timeouts.RULE,
    dag_arguments.TASK_ARGUMENTS,
    dag_arguments.PROVIDE_CONTEXT,
    changed_arguments.RULE,
)
_ROUNDS = 3
_NAME = "task_id"
_HINT = "Write the arguments in the calls, or the entries as the operators want them."
_Call = tuple[Source, operators.Made]
_Pairs = tuple[tuple[str, str], ...]
_Imports = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Entry:
    """One entry of `{…}` or `dict(…)`."""

    name: str
    value: ast.expr
    first: ast.AST  # where it begins
    is_word: bool  # of `dict(…)`


@dataclass(frozen=True)
class _Asked:
    """What an entry becomes in calls: name and code of each argument."""

    pairs: _Pairs
    imports: _Imports
    why: str  # it cannot
    note: tuple[str, str] | None = None


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    uses: dict[ast.expr, list[_Call]] = {}
    doubtful: set[ast.expr] = set()
    for name, users in users_of(source).items():
        for value in _dictionaries_named(source, name):
            uses[value] = list(users.calls)
            if users.is_used_elsewhere:
                doubtful.add(value)
    if not uses and b"**" not in source.text:
        return
    for made in operators.made(source):
        is_dag = bool(made.old & dags.ANY)
        for item in made.call.keywords if not is_dag else ():
            if item.arg is None:
                for value in _dictionaries(source, item.value):
                    uses.setdefault(value, []).append((source, made))
    for mapping, calls in uses.items():
        elsewhere = mapping in doubtful or _is_used_elsewhere(source, mapping)
        for entry in _entries(mapping):
            if entry.name == _NAME:  # the call that is asked has one of its own
                continue
            yield from _of_entry(source, options, mapping, entry, calls, elsewhere)


def _of_entry(
    source: Source, options: Options, mapping: ast.expr, entry: _Entry, calls: list[_Call], elsewhere: bool
) -> Iterator[Change | Spot]:
    value = source.code(entry.value)
    asked = {_ask(user, options, made, entry.name, value) for user, made in calls}
    old = ((entry.name, value),)
    if all(item.pairs == old and not item.why for item in asked):
        return
    names = {name for item in asked for name, _ in item.pairs} - {entry.name}
    one = next(iter(asked))
    if len(asked) > 1:
        why = "the operators that get it want different ones"
    elif one.why:
        why = one.why
    elif elsewhere:
        why = "the dictionary is used for something else, too"
    elif any(other.name in names for other in _entries(mapping)) or any(
        keyword(made.call, name) for _, made in calls for name in names
    ):
        why = f"{' and '.join(sorted(names))} is said already"
    elif not all(source.is_free(name, f"{module}.{name}") for module, name in one.imports):
        why = "a name that it needs is taken"
    else:
        note = Spot(entry.value.lineno, *one.note) if one.note else None
        yield Change((_written(source, entry, one.pairs),), one.imports, note)
        return
    classes = ", ".join(sorted({name for _, made in calls for name in made.classes}))
    yield Spot(entry.value.lineno, f"`{entry.name}` goes to {classes} by `**` and is another one today: {why}.", _HINT)


def _ask(source: Source, options: Options, made: operators.Made, name: str, value: str) -> _Asked:
    """Let the rules rewrite a call with the entry alone. What they find on its line is why it stays."""
    imports = "\n".join(ast.unparse(node) for node in source.each(ast.Import, ast.ImportFrom))
    text = f"{imports}\n{source.code(made.node)}({_NAME}='a',\n{name}={value})\n"
    present, needed, why = read(text.encode()), dict[tuple[str, str], None](), ""
    note: tuple[str, str] | None = None
    for _ in range(_ROUNDS):
        if present is None:
            break
        line = present.tree.body[-1].lineno + 1
        found = [item for rule in _RULES for item in rule.find(present, options)]
        changes = [item for item in found if isinstance(item, Change)]
        why = next((item.message.rstrip(".") for item in found if isinstance(item, Spot) and item.line >= line), "")
        if not changes:
            break
        needed |= dict.fromkeys(item for change in changes for item in change.imports)
        note = next(((item.note.message, item.note.hint) for item in changes if item.note), note)
        present = read(apply(present, changes[:1]))
    call = present.tree.body[-1].value if present and isinstance(present.tree.body[-1], ast.Expr) else None
    if present is None or not isinstance(call, ast.Call):
        return _Asked((), (), why or "it cannot be written")
    pairs = [(str(item.arg), present.code(item.value)) for item in call.keywords if item.arg != _NAME]
    if pairs == [(name, value)]:
        needed.clear()
    return _Asked(tuple(pairs), tuple(needed), why, note)


def _written(source: Source, entry: _Entry, pairs: _Pairs) -> Edit:
    start, end = source.start(entry.first), source.end(entry.value)
    if not pairs:
        return drop_item(source, entry.value, first=start)
    quote = source.text[start : start + 1].decode()
    quote = quote if quote in "'\"" else '"'
    words = [f"{name}={code}" if entry.is_word else f"{quote}{name}{quote}: {code}" for name, code in pairs]
    return Edit(start, end, ", ".join(words))


def _entries(mapping: ast.expr) -> list[_Entry]:
    if isinstance(mapping, ast.Dict):
        pairs = zip(mapping.keys, mapping.values, strict=True)
        return [
            _Entry(key.value, value, key, is_word=False)
            for key, value in pairs
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier()
        ]
    words = mapping.keywords if isinstance(mapping, ast.Call) else []
    return [_Entry(item.arg, item.value, item, is_word=True) for item in words if item.arg]


def _dictionaries(source: Source, value: ast.expr) -> list[ast.expr]:
    """Give the dictionaries that a value may be, where the file writes them all."""
    if isinstance(value, ast.Name):
        return _dictionaries_named(source, value.id)
    return [value] if _is_dictionary(value) else []


def _dictionaries_named(source: Source, name: str) -> list[ast.expr]:
    stores = [source.parents[node] for node in source.writes.get(name, ())]
    found = [node.value for node in stores if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    return [item for item in found if _is_dictionary(item)]


def _is_dictionary(value: ast.expr) -> bool:
    return isinstance(value, ast.Dict) or dags.is_dict_call(value)


def _is_used_elsewhere(source: Source, mapping: ast.expr) -> bool:
    """Tell whether a dictionary is asked for but by `**` in calls of Airflow's classes, or its name may be another one."""
    parent = source.parents[mapping]
    if not isinstance(parent, ast.Assign | ast.AnnAssign):
        return not isinstance(parent, ast.keyword)
    targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        return True
    name = targets[0].id
    others = [source.parents[node] for node in source.writes.get(name, ())]
    if not all(
        isinstance(node, ast.Assign | ast.AnnAssign) and node.value and _is_dictionary(node.value) for node in others
    ):
        return True
    given = {
        item.value
        for made in operators.made(source)
        if not made.old & dags.ANY
        for item in made.call.keywords
        if item.arg is None
    }
    return any(
        node.id == name and isinstance(node.ctx, ast.Load) and node not in given for node in source.each(ast.Name)
    )


RULE = Rule(
    code="shared-argument",
    title="Arguments in a dictionary that operators get by `**` change as they would in the calls",
    words=(b"**", b"{", b"dict("),
    before="""
from airflow.providers.docker.operators.docker import DockerOperator

common = {
    "image": "shop",
    "auto_remove": True,
    "volumes": ["/srv/data:/data"],
}
fit = DockerOperator(task_id="fit", command="fit", **common)
tell = DockerOperator(task_id="tell", command="tell", **common)
""",
    after="""
from airflow.providers.docker.operators.docker import DockerOperator
from docker.types import Mount

common = {
    "image": "shop",
    "auto_remove": "success",
    "mounts": [Mount(source="/srv/data", target="/data", type="bind")],
}
fit = DockerOperator(task_id="fit", command="fit", **common)
tell = DockerOperator(task_id="tell", command="tell", **common)
""",
    find=_find,
    is_for_2=True,
)
