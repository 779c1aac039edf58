"""Upgrades a project's code into another folder; the source folder is never touched, no code is ever run.

Our rules first (ruff needs some of them), then ruff's Airflow rules with their unsafe fixes, then the imports that
became unused. A file that does not compile afterwards keeps the state before the step that broke it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.trees import LeftOut, copy_tree
from aerodrome.migration.codemod.contract import CodeUpgrade, FileChange, Options, Remaining
from aerodrome.migration.codemod.encodings import Encoded, as_utf8
from aerodrome.migration.codemod.keeping import keep_passed_on
from aerodrome.migration.codemod.origin import (
    default_timezone,
    is_named,
    source_version,
)
from aerodrome.migration.codemod.other_files import is_own_file, other_files, other_files_for_2, templates_of
from aerodrome.migration.codemod.passes import begin, finish
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.ruff_fixes import apply_ruff
from aerodrome.migration.codemod.workers import Held, workers

IGNORED = {"__pycache__", ".git", ".venv", "venv", "node_modules", ".ipynb_checkpoints"}
_TOLD_BETTER = {"orm-access", "subdag", "trigger-callable"}
"""Rules of the same names say more than the facts, which stand at imports."""
_OLDER = 2


def upgrade(
    source_dir: Path,
    out_dir: Path,
    target_version: str,
    options: Options | None = None,
    left_out: Collection[LeftOut] = (),
    *,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda _line: None,
) -> CodeUpgrade:
    """Copy the project to `out_dir` (new or empty) and upgrade it there, in up to `jobs` processes.

    The same source gives the same result; upgrading a result again changes nothing. For a target of 2.x only what that cannot
    understand is changed: it knows most of 1.10, so ruff, templates and what stands around the code are for 3.x.
    `left_out` is what an earlier copy lacked of the project; each becomes a finding.
    """
    if not source_dir.is_dir():
        raise Invalid(f"{source_dir} is not a folder.", code="project-missing", hint="Give the project's folder.")
    if out_dir.exists() and any(out_dir.iterdir()):
        raise Conflict(f"{out_dir} is not empty.", code="upgrade-target-not-empty", hint="Choose another folder.")
    left_out = [*left_out, *copy_tree(source_dir, out_dir, lambda name: name in IGNORED or name.endswith(".pyc"))]
    paths = sorted(path for path in out_dir.rglob("*.py") if is_own_file(path))
    names = [path.relative_to(out_dir).as_posix() for path in paths]
    encoded = _to_utf8(out_dir, names)
    texts = {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}
    project = Project(texts, templates_of(out_dir, texts))
    options = options or Options()
    zone = options.default_timezone or default_timezone(source_dir)
    version = options.source_version or source_version(source_dir)[0]
    is_guessed = options.is_guessed or (not options.source_version and not is_named(source_dir))
    at_target = replace(
        options, target=target_version, default_timezone=zone, source_version=version, is_guessed=is_guessed
    )
    with workers(Held(out_dir, project, at_target), jobs, len(names), progress) as each:
        ours = dict(zip(names, each(begin, names, "rewritten"), strict=True))
        findings: dict[str, list[Remaining]] = {name: [] for name in names}
        if at_target.major > _OLDER:
            findings = apply_ruff(out_dir, project, ours, each)
        keep_passed_on(out_dir, project, ours, at_target)
        finished = dict(zip(names, each(finish, list(ours.items()), "finished"), strict=True))
    for name, done in finished.items():
        ours[name].applied.update(done.applied)
        codes = {code for code, _ in done.spots} & _TOLD_BETTER
        lines = {(code, spot.line) for code, spot in done.spots}
        findings[name] = [
            item
            for item in findings[name]
            if item.rule not in codes and (item.rule, item.line) not in lines and not _is_of_slas(item, lines)
        ]
        findings[name] += [
            Remaining(code, name, spot.line, spot.message, spot.hint) for code, spot in (*done.spots, *done.notes)
        ]
    changes = [
        FileChange(
            name,
            encoded[name].shown(done.diff) if name in encoded else done.diff,
            dict(sorted(ours[name].applied.items())),
            tuple(sorted(set(findings[name]), key=lambda item: (item.line, item.rule, item.message))),
        )
        for name, done in finished.items()
    ]
    for name, item in encoded.items():
        (out_dir / name).write_bytes(item.back((out_dir / name).read_bytes()))
    needed = frozenset().union(*(done.needed for done in finished.values()))
    changes += (
        other_files(out_dir, needed, at_target, project)
        if at_target.major > _OLDER
        else other_files_for_2(out_dir, needed, at_target)
    )
    interesting = [change for change in changes if change.diff or change.findings]
    interesting += [_left_out(item) for item in left_out]
    return CodeUpgrade(target_version, tuple(sorted(interesting, key=lambda change: change.path)), len(changes))


def _is_of_slas(item: Remaining, lines: Collection[tuple[str, int]]) -> bool:
    """Tell ruff's word that an SLA still works, where a rule says that nothing comes of it."""
    return item.message.startswith("`sla") and ("sla", item.line) in lines


def _left_out(item: LeftOut) -> FileChange:
    finding = Remaining("left-out", item.path, 1, f"It is not looked at: {item.reason}.", "Correct or remove the link.")
    return FileChange(item.path, "", {}, (finding,))


def _to_utf8(out_dir: Path, names: Collection[str]) -> dict[str, Encoded]:
    """Let files in other encodings be UTF-8 while they are worked on; give these. What Python cannot read stays as it is."""
    found = {}
    for name in names:
        data = (out_dir / name).read_bytes()
        if not data.isascii() and (item := as_utf8(data)) is not None and item.declared:
            (out_dir / name).write_bytes(item.text)
            found[name] = item
    return found
