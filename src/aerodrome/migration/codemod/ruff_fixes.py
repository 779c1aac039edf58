"""Lets ruff fix what it knows of Airflow 3, takes back what it broke, and gives what remains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aerodrome.airflowkit import code as code_reader
from aerodrome.airflowkit import lint
from aerodrome.migration.codemod.contract import Remaining
from aerodrome.migration.codemod.passes import Begun
from aerodrome.migration.codemod.rules import context_keys
from aerodrome.migration.codemod.source import read
from aerodrome.migration.codemod.tidying import compiles, drop_unused
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
    applied: Counter[str]
    facts: list[Remaining]
    filled: frozenset[tuple[int, str]]  # lines and names that look like the context's, and are not


def apply_ruff(out_dir: Path, ours: Mapping[str, Begun], each: Each) -> dict[str, list[Remaining]]:
    """Let ruff fix in place, take back what it broke, drop what became unused; give what remains per file."""
    first = Counter((item.file, item.rule) for item in lint.diagnose(out_dir))
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
        if item.file in findings and not (item.rule == "AIR301" and _is_filled(item, cleaned[item.file].filled)):
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
    drop_unused(path, held.project.text(name), applied, held.options.major)
    text = path.read_text(encoding="utf-8", errors="replace")
    facts = [
        Remaining(fact.rule, name, fact.line, fact.message, fact.hint)
        for fact in code_reader.facts(text)
        if fact.rule in _TO_LOOK_AT
    ]
    source = read(text.encode(), name, held.project)
    filled = (
        frozenset((line, f"`{word}`") for line, word in context_keys.filled_names(source)) if source else frozenset()
    )
    facts = [fact for fact in facts if fact.rule not in _OF_CONTEXT or not _is_filled(fact, filled)]
    return _Cleaned(is_broken, applied, facts, filled)


def _is_filled(item: Remaining | lint.Diagnostic, filled: frozenset[tuple[int, str]]) -> bool:
    """Tell whether a finding is of a name that Airflow does not fill in this place."""
    return (item.line, item.message.partition(" ")[0]) in filled
