"""Upgrades a project's code into another folder; the source folder is never touched, no code is ever run.

Our rules first (ruff needs some of them), then ruff's Airflow rules with their unsafe fixes, then the imports that
became unused. A file that does not compile afterwards keeps the state before the step that broke it.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from aerodrome.airflowkit import code as code_reader
from aerodrome.airflowkit import lint
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK
from aerodrome.kernel.trees import LeftOut, copy_tree
from aerodrome.migration.codemod.contract import Change, CodeUpgrade, FileChange, Options, Remaining, Spot
from aerodrome.migration.codemod.editing import apply
from aerodrome.migration.codemod.engine import follow, rewrite
from aerodrome.migration.codemod.imports import drop, is_gone, unused_imports
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.requirements import needed_findings, pins_1, providers_of, upgrade_requirements
from aerodrome.migration.codemod.resolution import resolve_requirements
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.context_keys import rewrite_template
from aerodrome.migration.codemod.source import read
from aerodrome.migration.codemod.surroundings import commands_of_1, is_concerned, upgrade_surroundings

IGNORED = {"__pycache__", ".git", ".venv", "venv", "node_modules", ".ipynb_checkpoints"}
TEMPLATES = {".sql", ".hql", ".sh", ".bash", ".j2", ".jinja", ".jinja2"}
_TO_LOOK_AT = {
    "orm-access", "subdag", "sla", "context-key", "context-renamed", "xcom-pull-all", "old-cli", "old-rest-api", "plugin",
    "trigger-callable",
}  # fmt: skip
_TOLD_BETTER = {"orm-access", "subdag", "trigger-callable"}
"""Rules of the same names say more than the facts, which stand at imports."""
_OF_OLD_NAMES = {"catchup-default"}
"""Rules that look at DAGs under their names of Airflow 2: ruff renames these, and what was found stays true."""
_OLDER = 2
_BROKEN = "ruff's fixes would have broken the file; they were taken back."


def upgrade(
    source_dir: Path,
    out_dir: Path,
    target_version: str,
    options: Options | None = None,
    left_out: Collection[LeftOut] = (),
) -> CodeUpgrade:
    """Copy the project to `out_dir` (new or empty) and upgrade it there.

    The same source gives the same result; upgrading a result again changes nothing. For a target of 2.x only what that cannot
    understand is changed: it knows most of 1.10, so ruff, templates and what stands around the code are for 3.x.
    `left_out` is what an earlier copy lacked of the project; each becomes a finding.
    """
    if not source_dir.is_dir():
        raise Invalid(f"{source_dir} is not a folder.", code="project-missing", hint="Give the project's folder.")
    if out_dir.exists() and any(out_dir.iterdir()):
        raise Conflict(f"{out_dir} is not empty.", code="upgrade-target-not-empty", hint="Choose another folder.")
    left_out = [*left_out, *copy_tree(source_dir, out_dir, lambda name: name in IGNORED or name.endswith(".pyc"))]
    python_files = sorted(path for path in out_dir.rglob("*.py") if _is_own_file(path))
    total = len(python_files)
    major = int(target_version.split(".", maxsplit=1)[0])
    before = {path: path.read_bytes() for path in python_files}
    applied: dict[Path, Counter[str]] = {path: Counter() for path in python_files}
    at_target = replace(options or Options(), target=target_version)
    names = {path: path.relative_to(out_dir).as_posix() for path in python_files}
    project = Project({names[path]: data for path, data in before.items()})
    options_of = {path: replace(at_target, file=names[path], project=project) for path in python_files}
    notes: dict[Path, list[tuple[str, Spot]]] = {path: [] for path in python_files}
    spots = {path: _apply_ours(path, applied[path], options_of[path], notes[path]) for path in python_files}
    ours = {path: path.read_bytes() for path in python_files}
    findings = _apply_ruff(out_dir, before, applied) if major > _OLDER else {path: [] for path in python_files}
    for path in python_files:
        if major <= _OLDER:
            _drop_unused(path, before[path], applied[path], major)
        if (now := path.read_bytes()) != ours[path]:
            notes[path][:] = follow(ours[path], now, notes[path])
            kept = [item for item in follow(ours[path], now, spots[path]) if item[0] in _OF_OLD_NAMES]
            # lines moved, and more may be seen now
            spots[path] = _apply_ours(path, applied[path], options_of[path], notes[path])
            spots[path] += [item for item in kept if item[0] not in {code for code, _ in spots[path]}]
    for path, found in spots.items():
        name = path.relative_to(out_dir).as_posix()
        told = {code for code, _ in found} & _TOLD_BETTER
        lines = {(code, spot.line) for code, spot in found}
        findings[path] = [
            item for item in findings[path] if item.rule not in told and (item.rule, item.line) not in lines
        ]
        findings[path] += [
            Remaining(code, name, spot.line, spot.message, spot.hint) for code, spot in (*found, *notes[path])
        ]
    changes = [
        FileChange(
            path.relative_to(out_dir).as_posix(),
            _diff(before[path], path.read_bytes(), path.relative_to(out_dir).as_posix()),
            dict(sorted(applied[path].items())),
            tuple(sorted(set(findings.get(path, ())), key=lambda item: (item.line, item.rule, item.message))),
        )
        for path in python_files
    ]
    needed = frozenset().union(
        *(providers_of(path.read_bytes(), major) - providers_of(before[path], major) for path in python_files)
    )
    changes += _others(out_dir, needed, at_target) if major > _OLDER else _others_for_2(out_dir, needed, at_target)
    interesting = [change for change in changes if change.diff or change.findings]
    interesting += [_left_out(item) for item in left_out]
    return CodeUpgrade(target_version, tuple(sorted(interesting, key=lambda change: change.path)), total)


def _is_own_file(path: Path) -> bool:
    """Tell a file from another name of a file that is here as well."""
    return path.is_file() and not path.is_symlink()


def _left_out(item: LeftOut) -> FileChange:
    finding = Remaining("left-out", item.path, 1, f"It is not looked at: {item.reason}.", "Correct or remove the link.")
    return FileChange(item.path, "", {}, (finding,))


def _apply_ours(
    path: Path, applied: Counter[str], options: Options, notes: list[tuple[str, Spot]]
) -> list[tuple[str, Spot]]:
    data = path.read_bytes()
    if b"airflow" not in data:
        return []
    done = rewrite(data, RULES, options)
    applied.update(done.rules)
    notes[:] = [*follow(data, done.text, notes), *done.notes]
    if done.text != data:
        path.write_bytes(done.text)
    return done.spots


def _apply_ruff(
    out_dir: Path, originals: Mapping[Path, bytes], applied: dict[Path, Counter[str]]
) -> dict[Path, list[Remaining]]:
    """Let ruff fix in place, take back what it broke, drop what became unused; give what remains per file."""
    files = list(originals)
    ours = {path: path.read_bytes() for path in files}
    first = Counter((item.file, item.rule) for item in lint.diagnose(out_dir))
    lint.fix(out_dir, lint.AIRFLOW_3_RULES)
    broken: list[Path] = []
    for path in files:
        if path.read_bytes() != ours[path] and not _compiles(path.read_bytes()):
            path.write_bytes(ours[path])
            broken.append(path)
    for path in files:
        _drop_unused(path, originals[path], applied[path], _OLDER + 1)
    remaining = lint.diagnose(out_dir)
    last = Counter((item.file, item.rule) for item in remaining)
    for (file, rule), count in first.items():
        done = count - last[file, rule]
        if done > 0 and out_dir / file in applied:
            applied[out_dir / file][rule] += done
    findings: dict[Path, list[Remaining]] = {path: [] for path in files}
    for path in files:
        name = path.relative_to(out_dir).as_posix()
        if path in broken:
            findings[path].append(Remaining("not-fixed", name, 1, _BROKEN, "Fix it by hand."))
        for fact in code_reader.facts(path.read_text(encoding="utf-8", errors="replace")):
            if fact.rule in _TO_LOOK_AT:
                findings[path].append(Remaining(fact.rule, name, fact.line, fact.message, fact.hint))
    for item in remaining:
        findings.setdefault(out_dir / item.file, []).append(
            Remaining(item.rule, item.file, item.line, item.message, item.hint)
        )
    return findings


def _drop_unused(path: Path, original: bytes, applied: Counter[str], major: int) -> None:
    """Drop imports that were used before and are not now, and unused ones of names that are gone."""
    data = path.read_bytes()
    if b"airflow" not in data:
        return
    source = read(data)
    unused = unused_imports(source)
    if source is None or not unused:
        return
    before = unused_imports(read(original))
    known = {*before, *(table(major).moves.get(origin, origin) for origin in before)}
    names = set(before.values())
    gone = {
        origin
        for origin, name in unused.items()
        if (origin not in known and name not in names) or is_gone(origin, major)
    }
    if not gone:
        return
    cleaned = apply(source, [Change(tuple(drop(source, gone)))])
    if cleaned != data and _compiles(cleaned):
        path.write_bytes(cleaned)
        applied["unused-import"] += len(gone)


def _others(out_dir: Path, needed: frozenset[str], options: Options) -> Iterator[FileChange]:
    """Templates, requirements, and what stands around the code; `needed` are packages that the code did not need before."""
    if needed and not (out_dir / "requirements.txt").exists():
        yield FileChange("requirements.txt", "", {}, tuple(needed_findings(needed, "requirements.txt")))
    for path in sorted(out_dir.rglob("*")):
        if not _is_own_file(path):
            continue
        name = path.relative_to(out_dir).as_posix()
        is_requirements = path.name == "requirements.txt"
        is_around = is_concerned(path)
        if not is_requirements and not is_around and path.suffix not in TEMPLATES:
            continue
        before = path.read_bytes()
        try:
            text = before.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if is_requirements:
            new, rules, findings = _requirements(text, name, needed if path.parent == out_dir else frozenset(), options)
        else:
            new, count = rewrite_template(text) if path.suffix in TEMPLATES else (text, 0)
            rules, findings = ({"context-key": count} if count else {}), ()
            if is_around:
                new, more, findings = upgrade_surroundings(new, name)
                rules |= more
        if new != text:
            path.write_bytes(new.encode("utf-8"))
        yield FileChange(name, _diff(before, new.encode("utf-8"), name), rules, findings)


def _requirements(
    text: str, file: str, needed: frozenset[str], options: Options
) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    new, rules, findings = upgrade_requirements(text, file, needed)
    if options.requirements_as_of is None:
        return new, rules, findings
    new, more, others = resolve_requirements(new, file, options.target, options.python, options.requirements_as_of)
    return new, rules | more, findings + others


def _others_for_2(out_dir: Path, needed: frozenset[str], options: Options) -> Iterator[FileChange]:
    """Requirements that pin Airflow 1.10, and commands of its CLI."""
    path = out_dir / "requirements.txt"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if pins_1(text):
        before = path.read_bytes()
        new, rules, findings = _requirements(text, path.name, needed, options)
        path.write_bytes(new.encode("utf-8"))
        yield FileChange(path.name, _diff(before, new.encode("utf-8"), path.name), rules, findings)
    elif needed:
        yield FileChange(path.name, "", {}, tuple(needed_findings(needed, path.name)))
    for other in sorted(out_dir.rglob("*")):
        if _is_own_file(other) and is_concerned(other):
            name = other.relative_to(out_dir).as_posix()
            yield FileChange(name, "", {}, commands_of_1(other.read_text(encoding="utf-8", errors="replace"), name))


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "<upgraded>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _diff(before: bytes, after: bytes, name: str) -> str:
    if before == after:
        return ""
    old, new = (data.decode("utf-8", errors="replace") for data in (before, after))
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=3
    )
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    redactor = Redactor()
    for source in (old, new):
        tree = code_reader.parse(source) if name.endswith(".py") else None
        for secret in code_reader.plain_secrets(tree) if tree else ():
            text = text.replace(secret.value, MASK)
    return redactor.text(text)
