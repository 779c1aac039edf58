"""Lets ruff fix what it knows of Airflow 3, takes back what it broke, and gives what remains."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aerodrome.airflowkit import code as code_reader
from aerodrome.airflowkit import lint
from aerodrome.migration.codemod.contract import Remaining
from aerodrome.migration.codemod.passes import Begun
from aerodrome.migration.codemod.pieces import Piece, put_back, take_out
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import context_keys
from aerodrome.migration.codemod.rules.isolated import GIVEN_BY, WORDS, bodies_left
from aerodrome.migration.codemod.source import read
from aerodrome.migration.codemod.tidying import compiles, drop_unused, join_imports
from aerodrome.migration.codemod.workers import Each, Held

_TO_LOOK_AT = {
    "orm-access", "subdag", "sla", "context-key", "context-renamed", "xcom-pull-all", "old-cli", "old-rest-api", "plugin",
    "trigger-callable",
}  # fmt: skip
_OF_CONTEXT = {"context-key", "context-renamed"}
_BROKEN = "ruff's fixes would have broken the file; they were taken back."


@dataclass(frozen=True)
class _Cleaned:
    """What became of a file after ruff."""

    is_broken: bool
    left: tuple[tuple[int, int], ...]  # first and last lines of what runs under another Airflow
    filled: frozenset[tuple[int, str]]  # lines and quoted names of the context that a task gives itself
    applied: Counter[str]
    facts: list[Remaining]

    def is_settled(self, item: lint.Diagnostic) -> bool:
        """Tell whether nothing is to be done about what ruff says."""
        is_left = any(start <= item.line <= end for start, end in self.left)
        return is_left or (item.line, item.message.partition(" ")[0]) in self.filled


def apply_ruff(out_dir: Path, project: Project, ours: Mapping[str, Begun], each: Each) -> dict[str, list[Remaining]]:
    """Let ruff fix in place, take back what it broke, drop what became unused; give what remains per file."""
    first = Counter((item.file, item.rule) for item in lint.diagnose(out_dir))
    with _pieces_apart(out_dir, project, list(ours)):
        lint.fix(out_dir, lint.AIRFLOW_3_RULES)
    texts = [(name, done.text) for name, done in ours.items()]
    cleaned = dict(zip(ours, each(_clean, texts, "looked at after ruff's fixes"), strict=True))
    remaining = lint.diagnose(out_dir)
    last = Counter((item.file, item.rule) for item in remaining)
    findings: dict[str, list[Remaining]] = {}
    for name, done in cleaned.items():
        ours[name].applied.update(done.applied)
        broken = [Remaining("not-fixed", name, 1, _BROKEN, "Fix it by hand.")] if done.is_broken else []
        findings[name] = [*broken, *done.facts]
    for (file, rule), count in first.items():
        fixed = count - last[file, rule]
        if fixed > 0 and file in ours:
            ours[file].applied[rule] += fixed
    for item in remaining:
        if item.file in findings and not cleaned[item.file].is_settled(item):
            findings[item.file].append(Remaining(item.rule, item.file, item.line, item.message, item.hint))
    return findings


def _clean(held: Held, item: tuple[str, bytes]) -> _Cleaned:
    """Take back what ruff broke, drop what became unused."""
    name, ours = item
    path = held.out_dir / name
    applied: Counter[str] = Counter()
    is_broken = path.read_bytes() != ours and not compiles(path.read_bytes())
    if is_broken:
        path.write_bytes(ours)
    drop_unused(path, name, held, applied)
    if path.read_bytes() != held.project.text(name):
        join_imports(path, name, held)
    text = path.read_text(encoding="utf-8", errors="replace")
    facts = [
        Remaining(fact.rule, name, fact.line, fact.message, fact.hint)
        for fact in code_reader.facts(text)
        if fact.rule in _TO_LOOK_AT
    ]
    source = read(path.read_bytes(), name, held.project)
    filled = (
        frozenset((line, f"`{word}`") for line, word in context_keys.filled_names(source)) if source else frozenset()
    )
    facts = [
        fact
        for fact in facts
        if fact.rule not in _OF_CONTEXT or (fact.line, fact.message.partition(" ")[0]) not in filled
    ]
    left = bodies_left(source)
    facts = [fact for fact in facts if not any(start <= fact.line <= end for start, end in left)]
    return _Cleaned(is_broken, left, filled, applied, facts)


@contextmanager
def _pieces_apart(out_dir: Path, project: Project, names: Sequence[str]) -> Iterator[None]:
    """Keep the bodies that run in another Python out of their files meanwhile; those that may change are files of their own."""
    apart: dict[str, list[Piece]] = {}
    is_given = any(project.mentioning(word) for word in GIVEN_BY)
    with tempfile.TemporaryDirectory(prefix="aerodrome-pieces-") as folder:
        for name in names:
            data = (out_dir / name).read_bytes()
            if not is_given and not any(word in data for word in WORDS):
                continue
            source = read(data, name, project)
            masked, pieces = take_out(source) if source else (data, [])
            if not pieces:
                continue
            apart[name] = pieces
            (out_dir / name).write_bytes(masked)
            for number, piece in enumerate(pieces):
                if piece.alone is not None:
                    _place(Path(folder), len(apart), number).write_bytes(piece.alone)
        yield
        if any(piece.alone is not None for pieces in apart.values() for piece in pieces):
            lint.fix(Path(folder), lint.AIRFLOW_3_RULES)
        for count, (name, pieces) in enumerate(apart.items(), 1):
            fixed = [
                b"" if piece.alone is None else _place(Path(folder), count, number).read_bytes()
                for number, piece in enumerate(pieces)
            ]
            (out_dir / name).write_bytes(put_back((out_dir / name).read_bytes(), pieces, fixed))


def _place(folder: Path, count: int, number: int) -> Path:
    return folder / f"piece_{count}_{number}.py"
