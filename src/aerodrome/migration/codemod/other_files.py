"""Upgrades what is no Python: templates, requirements, and what stands around the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from aerodrome.airflowkit import code as code_reader
from aerodrome.migration.codemod.contract import FileChange, Options, Remaining
from aerodrome.migration.codemod.diffs import diff
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.requirements import needed_findings, pins_1, upgrade_requirements
from aerodrome.migration.codemod.resolution import resolve_requirements
from aerodrome.migration.codemod.rules import (
    absent_variables,
    asset_events,
    context_keys,
    pendulum_moments,
    run_types,
    state_texts,
    template_names,
    xcom_pulls,
)
from aerodrome.migration.codemod.rules.moments import NEWEST_PENDULUM, pendulum_of
from aerodrome.migration.codemod.surroundings import commands_of_1, is_concerned, upgrade_surroundings
from aerodrome.migration.codemod.templates import rewrite_text

TEMPLATES = {".sql", ".hql", ".sh", ".bash", ".j2", ".jinja", ".jinja2"}
_TEMPLATE_EXT = re.compile(rb"\btemplate_ext\b[^=\n]*=\s*[\[(]([^\])]*)[\])]")
_LARGEST = 1_000_000  # bytes of a file that somebody wrote as a template


def templates_of(out_dir: Path, code: Mapping[str, bytes]) -> dict[str, str]:
    """Give the files that tasks may render: those of kinds that only templates have, or that an operator of the project says, and what the code names."""
    found: dict[str, str] = {}
    everything = b"\0".join(code.values())
    kinds = TEMPLATES | _own_kinds(everything)
    for path in sorted(out_dir.rglob("*")):
        if path.suffix == ".py" or not is_own_file(path) or path.stat().st_size > _LARGEST:
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


def other_files(out_dir: Path, needed: frozenset[str], options: Options, project: Project) -> Iterator[FileChange]:
    """Templates, requirements, and what stands around the code; `needed` are packages that the code imports; images of Airflow bring many that no requirements.txt names."""
    if needed and not (out_dir / "requirements.txt").exists():
        yield FileChange("requirements.txt", "", {}, tuple(needed_findings(needed, "requirements.txt")))
    kinds = TEMPLATES | _own_kinds(b"\0".join(project.text(file) for file in project.mentioning(b"template_ext")))
    for path in sorted(out_dir.rglob("*")):
        if not is_own_file(path):
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
        yield FileChange(name, diff(before, new.encode("utf-8"), name), rules, findings)


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


def other_files_for_2(out_dir: Path, needed: frozenset[str], options: Options) -> Iterator[FileChange]:
    """Requirements that pin Airflow 1.10, and commands of its CLI."""
    path = out_dir / "requirements.txt"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if pins_1(text):
        before = path.read_bytes()
        new, rules, findings = _requirements(text, path.name, needed, options)
        path.write_bytes(new.encode("utf-8"))
        yield FileChange(path.name, diff(before, new.encode("utf-8"), path.name), rules, findings)
    elif needed:
        yield FileChange(path.name, "", {}, tuple(needed_findings(needed, path.name)))
    for other in sorted(out_dir.rglob("*")):
        if is_own_file(other) and is_concerned(other):
            name = other.relative_to(out_dir).as_posix()
            yield FileChange(name, "", {}, commands_of_1(other.read_text(encoding="utf-8", errors="replace"), name))


def is_own_file(path: Path) -> bool:
    """Tell a file from another name of a file that is here as well."""
    return path.is_file() and not path.is_symlink()
