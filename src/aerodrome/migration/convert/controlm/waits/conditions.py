"""In-conditions as a boolean tree, and the index of who adds which condition in all exports that were read together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Union

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Wait

ANY_DATE = ("****", "$$$$", "ANY")


@dataclass(frozen=True)
class All:
    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Tree, ...]


Tree = Union[Wait, "All", "Any"]


def tree_of(waits: Sequence[Wait]) -> Tree | None:
    """Give the tree of a list of in-conditions: parentheses first, then AND, then OR. None when there are none."""
    if not waits:
        return None
    tokens: list[Wait | str] = []
    for place, wait in enumerate(waits):
        if place:
            tokens.append("OR" if wait.joins == "O" else "AND")
        tokens += ["("] * wait.opens + [wait] + [")"] * wait.closes
    return _Parser(tokens).whole()


def is_ambiguous(waits: Sequence[Wait]) -> bool:
    """Say whether AND and OR are mixed without parentheses, or the first condition is marked OR: exports differ in what that means."""
    joins = {wait.joins for wait in waits[1:]}
    has_marks = any(wait.opens or wait.closes for wait in waits)
    return len(waits) > 1 and not has_marks and (len(joins) > 1 or (waits[0].joins == "O" and joins != {"O"}))


class _Parser:
    def __init__(self, tokens: list[Wait | str]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Tree:
        tree = self._any()
        while self._at < len(self._tokens):  # a parenthesis too many
            self._at += 1
            if self._at < len(self._tokens):
                tree = All((tree, self._any()))
        return tree

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._peek() == "OR":
            self._at += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._peek() == "AND":
            self._at += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Tree:
        token = self._tokens[self._at]
        self._at += 1
        if isinstance(token, Wait):
            return token
        tree = self._any()
        if self._peek() == ")":
            self._at += 1
        return tree

    def _peek(self) -> Wait | str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None


def holds(tree: Tree | None, is_added: Mapping[tuple[str, str], bool]) -> bool:
    """Say whether a tree is true; conditions are named by (name, date word)."""
    match tree:
        case None:
            return True
        case Wait():
            return is_added.get((tree.name, tree.odate), False)
        case All():
            return all(holds(part, is_added) for part in tree.parts)
        case Any():
            return any(holds(part, is_added) for part in tree.parts)


@dataclass(frozen=True)
class Producer:
    """Who adds a condition: a job or folder, when it ends OK or NOTOK. `folder` is the place of its folder in the export."""

    folder: int
    path: tuple[str, ...]
    event: Literal["ok", "notok"]
    odate: str
    is_job: bool


@dataclass
class Index:
    """Who adds each condition. Folders of the same name in several files are versions of one folder: they do not see each other."""

    names: list[str] = field(default_factory=list)
    producers: dict[str, list[Producer]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )  # the folders of the jobs that wait for each
    deleted: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)  # names that only the converter gives

    @property
    def conditions(self) -> frozenset[str]:
        """Give every condition that anybody adds, deletes or waits for."""
        return frozenset((*self.producers, *self.waiting, *self.deleted))

    def of(self, name: str, folder: int) -> list[Producer]:
        """Give who adds a condition, as a job of a folder sees it, in the order of the exports."""
        return [
            item
            for item in self.producers.get(name, [])
            if item.folder == folder or self.names[item.folder] != self.names[folder]
        ]

    def waiters(self, name: str, folder: int) -> int:
        """Count the jobs and folders that wait for a condition, as a job of a folder sees them."""
        return sum(at == folder or self.names[at] != self.names[folder] for at in self.waiting.get(name, ()))


def index_of(folders: Iterable[Folder]) -> Index:
    """Index every condition that is added anywhere."""
    index = Index()
    for number, folder in enumerate(folders):
        index.names.append(folder.name)
        _add(index, number, folder)
        for inner in folder.folders():
            _add(index, number, inner)
        for job in folder.jobs():
            _add(index, number, job)
    return index


def _add(index: Index, number: int, node: Node) -> None:
    for name in {wait.name for wait in node.waits}:
        index.waiting[name].append(number)
    index.deleted.update(out.name for out in node.outs if out.sign == "-")
    index.aliases.update(out.name for out in node.outs if out.is_alias)
    for out in node.outs:
        if out.sign == "+":
            index.producers[out.name].append(Producer(number, node.path, "ok", out.odate, isinstance(node, Job)))
    for name, odate, event in added_by_reactions(node):
        index.producers[name].append(Producer(number, node.path, event, odate, isinstance(node, Job)))


def added_by_reactions(node: Node) -> list[tuple[str, str, Literal["ok", "notok"]]]:
    """Give the conditions that ON blocks for OK and NOTOK add: (name, date word, event). Other codes are not known to happen."""
    found: list[tuple[str, str, Literal["ok", "notok"]]] = []
    for reaction in node.reactions:
        event = event_of(reaction.statement, reaction.code)
        for action in reaction.actions:
            sign = action.values.get("SIGN", "+").strip() or "+"
            if event is not None and action.kind == "cond" and sign in ("+", "ADD"):
                found.append(
                    (action.values.get("NAME", ""), action.values.get("ODATE", "ODAT").strip().upper() or "ODAT", event)
                )
    return found


def event_of(statement: str, code: str) -> Literal["ok", "notok"] | None:
    """Give the event of an ON block that listens to the end of the whole job: ok, notok, or None for anything finer."""
    if statement.strip() not in ("*", "", "**", "****"):
        return None
    word = code.strip().upper().replace(" ", "")
    if word in ("OK", "ENDEDOK", "COMPSTATEQ0", "COMPSTAT=0"):
        return "ok"
    return (
        "notok" if word in ("NOTOK", "ENDEDNOTOK", "COMPSTATNE0", "COMPSTATGT0", "COMPSTAT>0", "COMPSTAT<>0") else None
    )
