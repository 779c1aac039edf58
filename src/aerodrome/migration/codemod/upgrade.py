"""Upgrades a project's code into another folder; the source folder is never touched, no code is ever run.

Our rules first (ruff needs some of them), then ruff's Airflow rules with their unsafe fixes, then the imports that
became unused. A file that does not compile afterwards keeps the state before the step that broke it.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aerodrome.airflowkit import code as code_reader
from aerodrome.airflowkit import lint
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK
from aerodrome.kernel.trees import LeftOut, copy_tree
from aerodrome.migration.codemod.contract import Change, CodeUpgrade, FileChange, Options, Remaining, Spot
from aerodrome.migration.codemod.editing import apply
from aerodrome.migration.codemod.encodings import Encoded, as_utf8
from aerodrome.migration.codemod.engine import Rewritten, follow, rewrite
from aerodrome.migration.codemod.imports import (
    drop,
    drop_repeated,
    is_gone,
    repeated_imports,
    unused_imports,
)
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.origin import (
    NEWEST,
    default_timezone,
    is_named,
    is_of_1,
    source_version,
    version_of,
)
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.requirements import (
    connections_of,
    needed_findings,
    pins_1,
    providers_of,
    upgrade_requirements,
)
from aerodrome.migration.codemod.resolution import resolve_requirements
from aerodrome.migration.codemod.rules import (
    RULES,
    absent_variables,
    asset_events,
    context_keys,
    pendulum_moments,
    run_types,
    state_texts,
    template_names,
    xcom_pulls,
)
from aerodrome.migration.codemod.rules.callers import is_imported
from aerodrome.migration.codemod.rules.moments import NEWEST_PENDULUM, pendulum_of
from aerodrome.migration.codemod.rules.providers import REPLACED
from aerodrome.migration.codemod.source import read
from aerodrome.migration.codemod.surroundings import commands_of_1, is_concerned, upgrade_surroundings
from aerodrome.migration.codemod.templates import rewrite_text
from aerodrome.migration.codemod.workers import Each, Held, workers

IGNORED = {"__pycache__", ".git", ".venv", "venv", "node_modules", ".ipynb_checkpoints"}
TEMPLATES = {".sql", ".hql", ".sh", ".bash", ".j2", ".jinja", ".jinja2"}
_TO_LOOK_AT = {
    "orm-access", "subdag", "sla", "context-key", "context-renamed", "xcom-pull-all", "old-cli", "old-rest-api", "plugin",
    "trigger-callable",
}  # fmt: skip
_OF_CONTEXT = {"context-key", "context-renamed"}
_TOLD_BETTER = {"orm-access", "subdag", "trigger-callable"}
"""Rules of the same names say more than the facts, which stand at imports."""
_OF_OLD_NAMES = {"catchup-default"}
"""Rules that look at DAGs under their names of Airflow 2: ruff renames these, and what was found stays true."""
_WORDS = (b"airflow", b"xcom_pull(", b"xcom_push(", b"triggering_dataset_events")
"""What tells that a file is about Airflow: a helper that is given a task's context need not import anything of it."""
_OLDER = 2
_LARGEST = 1_000_000  # bytes of a file that somebody wrote as a template
_TEMPLATE_EXT = re.compile(rb"\btemplate_ext\b[^=\n]*=\s*[\[(]([^\])]*)[\])]")
_BROKEN = "ruff's fixes would have broken the file; they were taken back."


@dataclass(frozen=True)
class _Rewritten:
    """What our rules did to a file; `text` is what it was then."""

    text: bytes
    applied: Counter[str]
    notes: list[tuple[str, Spot]]
    spots: list[tuple[str, Spot]]


@dataclass(frozen=True)
class _Cleaned:
    """What became of a file after ruff."""

    is_broken: bool
    applied: Counter[str]
    facts: list[Remaining]


@dataclass(frozen=True)
class _Finished:
    """The end of a file: what our rules did once more, and what they say."""

    applied: Counter[str]
    notes: list[tuple[str, Spot]]
    spots: list[tuple[str, Spot]]
    diff: str
    needed: frozenset[str]


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
    paths = sorted(path for path in out_dir.rglob("*.py") if _is_own_file(path))
    names = [path.relative_to(out_dir).as_posix() for path in paths]
    encoded = _to_utf8(out_dir, names)
    texts = {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}
    project = Project(texts, _templates(out_dir, texts))
    options = options or Options()
    zone = options.default_timezone or default_timezone(source_dir)
    version = options.source_version or source_version(source_dir)[0]
    is_guessed = options.is_guessed or (not options.source_version and not is_named(source_dir))
    at_target = replace(
        options, target=target_version, default_timezone=zone, source_version=version, is_guessed=is_guessed
    )
    with workers(Held(out_dir, project, at_target), jobs, len(names), progress) as each:
        ours = dict(zip(names, each(_rewrite, names, "rewritten"), strict=True))
        findings: dict[str, list[Remaining]] = {name: [] for name in names}
        if at_target.major > _OLDER:
            findings = _apply_ruff(out_dir, ours, each)
        finished = dict(zip(names, each(_finish, list(ours.items()), "finished"), strict=True))
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
        _others(out_dir, needed, at_target, project)
        if at_target.major > _OLDER
        else _others_for_2(out_dir, needed, at_target)
    )
    interesting = [change for change in changes if change.diff or change.findings]
    interesting += [_left_out(item) for item in left_out]
    return CodeUpgrade(target_version, tuple(sorted(interesting, key=lambda change: change.path)), len(changes))


def _is_of_slas(item: Remaining, lines: Collection[tuple[str, int]]) -> bool:
    """Tell ruff's word that an SLA still works, where a rule says that nothing comes of it."""
    return item.message.startswith("`sla") and ("sla", item.line) in lines


def _templates(out_dir: Path, code: Mapping[str, bytes]) -> dict[str, str]:
    """Give the files that tasks may render: those of kinds that only templates have, or that an operator of the project says, and what the code names."""
    found: dict[str, str] = {}
    everything = b"\0".join(code.values())
    kinds = TEMPLATES | _own_kinds(everything)
    for path in sorted(out_dir.rglob("*")):
        if path.suffix == ".py" or not _is_own_file(path) or path.stat().st_size > _LARGEST:
            continue
        if path.suffix not in kinds and (not path.suffix or path.name.encode() not in everything):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        if "{{" in text or "{%" in text:
            found[path.relative_to(out_dir).as_posix()] = text
    return found


def _own_kinds(code: bytes) -> set[str]:
    """Give the endings that operators of the project have as `template_ext`."""
    return {kind.decode() for said in _TEMPLATE_EXT.findall(code) for kind in re.findall(rb"['\"](\.\w+)['\"]", said)}


def _is_own_file(path: Path) -> bool:
    """Tell a file from another name of a file that is here as well."""
    return path.is_file() and not path.is_symlink()


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


def _rewrite(held: Held, name: str) -> _Rewritten:
    applied: Counter[str] = Counter()
    notes: list[tuple[str, Spot]] = []
    spots = _apply_ours(held, name, applied, notes)
    return _Rewritten((held.out_dir / name).read_bytes(), applied, notes, spots)


def _clean(held: Held, item: tuple[str, bytes]) -> _Cleaned:
    """Take back what ruff broke, drop what became unused."""
    name, ours = item
    path = held.out_dir / name
    applied: Counter[str] = Counter()
    is_broken = path.read_bytes() != ours and not _compiles(path.read_bytes())
    if is_broken:
        path.write_bytes(ours)
    _drop_unused(path, held.project.text(name), applied, held.options.major)
    text = path.read_text(encoding="utf-8", errors="replace")
    facts = [
        Remaining(fact.rule, name, fact.line, fact.message, fact.hint)
        for fact in code_reader.facts(text)
        if fact.rule in _TO_LOOK_AT
    ]
    if any(fact.rule in _OF_CONTEXT for fact in facts) and (source := read(text.encode())):
        filled = {(line, f"`{word}`") for line, word in context_keys.filled_names(source)}
        facts = [
            fact
            for fact in facts
            if fact.rule not in _OF_CONTEXT or (fact.line, fact.message.partition(" ")[0]) not in filled
        ]
    return _Cleaned(is_broken, applied, facts)


def _finish(held: Held, item: tuple[str, _Rewritten]) -> _Finished:
    name, done = item
    path, before = held.out_dir / name, held.project.text(name)
    applied: Counter[str] = Counter()
    notes, spots = list(done.notes), list(done.spots)
    if held.options.major <= _OLDER:
        _drop_unused(path, before, applied, held.options.major)
    if (now := path.read_bytes()) != done.text:
        notes = follow(done.text, now, notes)
        kept = [spot for spot in follow(done.text, now, spots) if spot[0] in _OF_OLD_NAMES]
        # lines moved, and more may be seen now
        spots = _apply_ours(held, name, applied, notes)
        spots += [spot for spot in kept if spot[0] not in {code for code, _ in spots}]
    after = path.read_bytes()
    needed = providers_of(after, held.options.major) | connections_of(before, after)
    if held.options.major <= _OLDER:  # what the image of the source brings, that of the target may, too
        needed -= providers_of(before, held.options.major)
    return _Finished(applied, notes, spots, _diff(before, after, name), needed)


def _apply_ours(held: Held, name: str, applied: Counter[str], notes: list[tuple[str, Spot]]) -> list[tuple[str, Spot]]:
    path = held.out_dir / name
    data = path.read_bytes()
    if not any(word in data for word in _WORDS) and (b"jinja2" in data or not is_imported(held.project, name)):
        return []  # nothing of Airflow's, and nothing that its tasks run
    options = replace(held.options, file=name, project=held.project)
    before = held.project.text(name)
    if options.is_guessed:
        options = replace(options, source_version=version_of(before, options.source_version))
    done = rewrite(data, RULES, options)
    applied.update(done.rules)
    notes[:] = [*follow(data, done.text, notes), *done.notes]
    if data == before and (note := _on_1(data, done, options)):
        notes.append(("source-version", note))
    if done.text != data:
        path.write_bytes(done.text)
    return done.spots


def _on_1(data: bytes, done: Rewritten, options: Options) -> Spot | None:
    """Say what the rules would write more, if a file that looks like code of 1.10 ran there; the project was only guessed to be of 2.x."""
    if not options.is_guessed or not options.source_version.startswith("2.") or not is_of_1(data):
        return None
    other = rewrite(data, RULES, replace(options, source_version=NEWEST["1"]))
    more = other.rules - done.rules
    more.update(Counter(code for code, _ in other.spots) - Counter(code for code, _ in done.spots))
    if other.text == done.text and not more:
        return None
    rules = ", ".join(f"{code} ({count})" for code, count in sorted(more.items()))
    return Spot(
        1,
        f"It imports as code of Airflow 1.10 does, and was taken for Airflow {options.source_version}, as most files of the project look. On 1.10 more would be written: {rules or 'texts'}.",
        "If it ran on 1.10, upgrade it with --from 1.10.15. If not, name the source's version by --from or in requirements.txt.",
    )


def _apply_ruff(out_dir: Path, ours: Mapping[str, _Rewritten], each: Each) -> dict[str, list[Remaining]]:
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
        if item.file in findings:
            findings[item.file].append(Remaining(item.rule, item.file, item.line, item.message, item.hint))
    return findings


def _drop_unused(path: Path, original: bytes, applied: Counter[str], major: int) -> None:
    """Drop imports that were used before and are not now, unused ones of names that are gone, and what became one import twice."""
    if b"airflow" not in path.read_bytes():
        return
    _drop_repeated(path, original, applied)
    data = path.read_bytes()
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
        if (origin not in known and name not in names) or origin in REPLACED or is_gone(origin, major)
    }
    if not gone:
        return
    cleaned = apply(source, [Change(tuple(drop(source, gone)))])
    if cleaned != data and _compiles(cleaned):
        path.write_bytes(cleaned)
        applied["unused-import"] += len(gone)


def _drop_repeated(path: Path, original: bytes, applied: Counter[str]) -> None:
    data = path.read_bytes()
    source = read(data)
    repeated = repeated_imports(source)
    if source is None or not repeated or repeated_imports(read(original)):
        return
    cleaned = apply(source, [Change(tuple(drop_repeated(source, repeated)))])
    if _compiles(cleaned):
        path.write_bytes(cleaned)
        applied["repeated-import"] += len(repeated)


def _others(out_dir: Path, needed: frozenset[str], options: Options, project: Project) -> Iterator[FileChange]:
    """Templates, requirements, and what stands around the code; `needed` are packages that the code imports; images of Airflow bring many that no requirements.txt names."""
    if needed and not (out_dir / "requirements.txt").exists():
        yield FileChange("requirements.txt", "", {}, tuple(needed_findings(needed, "requirements.txt")))
    kinds = TEMPLATES | _own_kinds(b"\0".join(project.text(file) for file in project.mentioning(b"template_ext")))
    for path in sorted(out_dir.rglob("*")):
        if not _is_own_file(path):
            continue
        name = path.relative_to(out_dir).as_posix()
        is_requirements = path.name == "requirements.txt"
        is_around = is_concerned(path)
        if not is_requirements and not is_around and path.suffix not in kinds and name not in project.templates:
            continue
        before = path.read_bytes()
        try:
            text = before.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if is_requirements:
            new, rules, findings = _requirements(text, name, needed if path.parent == out_dir else frozenset(), options)
        else:
            new, rules, findings = _template(text, name, options) if path.suffix in kinds else (text, {}, ())
            if is_around:
                new, more, others = upgrade_surroundings(new, name)
                rules, findings = rules | more, findings + others
            if name in project.templates:
                findings += tuple(
                    Remaining(fact.rule, name, fact.line, fact.message, fact.hint)
                    for fact in code_reader.facts_of_template(new)
                )
        if new != text:
            path.write_bytes(new.encode("utf-8"))
        yield FileChange(name, _diff(before, new.encode("utf-8"), name), rules, findings)


def _template(text: str, name: str, options: Options) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Rewrite a file that tasks render; give how often each rule was applied, and what remains."""
    text, keys = rewrite_text(text, context_keys.rewrite_inside)
    found = {context_keys.RULE.code: keys}
    if (pendulum := pendulum_of(b"", options)) < NEWEST_PENDULUM:
        text, found[pendulum_moments.RULE.code] = rewrite_text(text, pendulum_moments.inside(pendulum))
    if absent_variables.is_concerned(options):
        text, found[absent_variables.RULE.code] = rewrite_text(text, absent_variables.rewrite_inside)
    for code, inner in (
        (run_types.RULE.code, run_types.rewrite_inside),
        (asset_events.RULE.code, asset_events.rewrite_inside),
        *([] if options.source_version.startswith("3") else [(state_texts.RULE.code, state_texts.inside())]),
    ):
        text, found[code] = rewrite_text(text, inner)
    text, pulls, findings = xcom_pulls.in_template(text, name, options)
    text, found[template_names.RULE.code], others = template_names.in_template(text, name, options)
    findings += others
    return text, pulls | {code: count for code, count in found.items() if count}, findings


def _requirements(
    text: str, file: str, needed: frozenset[str], options: Options
) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    is_of_3 = options.source_version.startswith("3.")
    new, rules, findings = upgrade_requirements(text, file, needed, is_of_3=is_of_3)
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
