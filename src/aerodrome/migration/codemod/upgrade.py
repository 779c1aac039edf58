"""Upgrades a project's code into another folder; the source folder is never touched, no code is ever run.

Our rules first (ruff needs some of them), then ruff's Airflow rules with their unsafe fixes, then the imports that
became unused. A file that does not compile afterwards keeps the state before the step that broke it.
"""

from __future__ import annotations

import difflib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import libcst as cst

from aerodrome.airflowkit import code as code_reader
from aerodrome.airflowkit import lint
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK
from aerodrome.migration.codemod.contract import CodeUpgrade, FileChange, Options, Remaining
from aerodrome.migration.codemod.imports import GONE_MODULES, drop_imports, unused_imports
from aerodrome.migration.codemod.requirements import upgrade_requirements
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.context_keys import rewrite_template

IGNORED = shutil.ignore_patterns("__pycache__", ".git", ".venv", "venv", "node_modules", "*.pyc", ".ipynb_checkpoints")
TEMPLATES = {".sql", ".hql", ".sh", ".bash", ".j2", ".jinja", ".jinja2"}
_TO_LOOK_AT = {
    "orm-access", "subdag", "sla", "context-key", "context-renamed", "xcom-pull-all", "old-cli", "old-rest-api", "plugin", "contrib",
    "star-import", "trigger-callable",
}  # fmt: skip


def upgrade(source_dir: Path, out_dir: Path, target_version: str, options: Options | None = None) -> CodeUpgrade:
    """Copy the project to `out_dir` (new or empty) and upgrade it there.

    The same source gives the same result; upgrading a result again changes nothing. For a target below 3.0 the code is
    copied as it is: 2.11 still understands old imports, and the rules are for 3.x.
    """
    if not source_dir.is_dir():
        raise Invalid(f"{source_dir} is not a folder.", code="project-missing", hint="Give the project's folder.")
    if out_dir.exists() and any(out_dir.iterdir()):
        raise Conflict(f"{out_dir} is not empty.", code="upgrade-target-not-empty", hint="Choose another folder.")
    shutil.copytree(source_dir, out_dir, dirs_exist_ok=True, ignore=IGNORED, symlinks=False)
    python_files = sorted(path for path in out_dir.rglob("*.py") if path.is_file())
    total = len(python_files)
    if int(target_version.split(".", maxsplit=1)[0]) < 3:
        return CodeUpgrade(target_version, (), total)
    before = {path: path.read_bytes() for path in python_files}
    applied: dict[Path, Counter[str]] = {path: Counter() for path in python_files}
    for path in python_files:
        _apply_ours(path, applied[path], options or Options())
    findings = _apply_ruff(out_dir, before, applied)
    changes = [
        FileChange(
            path.relative_to(out_dir).as_posix(),
            _diff(before[path], path.read_bytes(), path.relative_to(out_dir).as_posix()),
            dict(sorted(applied[path].items())),
            tuple(findings.get(path, ())),
        )
        for path in python_files
    ]
    changes += _others(out_dir)
    interesting = [change for change in changes if change.diff or change.findings]
    return CodeUpgrade(target_version, tuple(sorted(interesting, key=lambda change: change.path)), total)


def _apply_ours(path: Path, applied: Counter[str], options: Options) -> None:
    source = path.read_bytes()
    if b"airflow" not in source:
        return
    try:
        module = cst.parse_module(source)
    except (cst.ParserSyntaxError, UnicodeDecodeError, RecursionError):
        return  # ruff says where it does not parse
    for rule in RULES:
        if not any(word in source for word in rule.words):
            continue
        changed, count = rule.apply(module, options)
        if count and _compiles(changed.bytes):
            module = changed
            applied[rule.code] += count
    if applied:
        path.write_bytes(module.bytes)


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
    remaining = lint.diagnose(out_dir)
    last = Counter((item.file, item.rule) for item in remaining)
    for (file, rule), count in first.items():
        done = count - last[file, rule]
        if done > 0 and out_dir / file in applied:
            applied[out_dir / file][rule] += done
    findings: dict[Path, list[Remaining]] = {path: [] for path in files}
    for path in files:
        _drop_unused(path, originals[path], applied[path])
        name = path.relative_to(out_dir).as_posix()
        if path in broken:
            findings[path].append(
                Remaining(
                    "not-fixed",
                    name,
                    1,
                    "ruff's fixes would have broken the file; they were taken back.",
                    "Fix it by hand.",
                )
            )
        source = path.read_text(encoding="utf-8", errors="replace")
        for fact in code_reader.facts(source):
            if fact.rule in _TO_LOOK_AT:
                findings[path].append(Remaining(fact.rule, name, fact.line, fact.message, fact.hint))
    for item in lint.diagnose(out_dir):
        findings.setdefault(out_dir / item.file, []).append(
            Remaining(item.rule, item.file, item.line, item.message, item.hint)
        )
    return {path: sorted(items, key=lambda item: (item.line, item.rule)) for path, items in findings.items()}


def _drop_unused(path: Path, original: bytes, applied: Counter[str]) -> None:
    """Drop imports that were used before and are not now, and unused ones of modules that are gone."""
    source = path.read_bytes()
    known = unused_imports(original.decode("utf-8", errors="replace"))
    unused = unused_imports(source.decode("utf-8", errors="replace"))
    gone = {name for name in unused if name not in known or GONE_MODULES.match(name)}
    if not gone:
        return
    cleaned = drop_imports(source, gone)
    if cleaned != source and _compiles(cleaned):
        path.write_bytes(cleaned)
        applied["unused-import"] += len(gone)


def _others(out_dir: Path) -> Iterator[FileChange]:
    """Templates and requirements."""
    for path in sorted(out_dir.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(out_dir).as_posix()
        is_requirements = path.name == "requirements.txt"
        if not is_requirements and path.suffix not in TEMPLATES:
            continue
        before = path.read_bytes()
        try:
            text = before.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if is_requirements:
            new, rules, findings = upgrade_requirements(text, name)
        else:
            new, count = rewrite_template(text)
            rules, findings = ({"context-key": count} if count else {}), ()
        if new != text:
            path.write_bytes(new.encode("utf-8"))
        yield FileChange(name, _diff(before, new.encode("utf-8"), name), rules, findings)


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
