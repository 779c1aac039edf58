"""Imports and exports environment objects in Airflow's own formats. An import is one transaction, however long the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.environments import content as contents
from aerodrome.environments import files, rules, writing
from aerodrome.environments.contract import Kind, Wish
from aerodrome.environments.files import Format, Line
from aerodrome.fleet import names, objects
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid
from aerodrome.kernel.redaction import SENSITIVE_KEY, Redactor
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.store.tables.environment import EnvironmentObjectRow

Policy = Literal["skip", "overwrite", "fail"]
POLICIES = ("skip", "overwrite", "fail")
FORMATS = ("json", "yaml", "env")
_REDACTOR = Redactor()  # knows shapes, no values


@dataclass(frozen=True)
class ImportLine:
    """What an import does, or would do, with one object of the file."""

    name: str
    outcome: Literal["new", "changed", "same", "skipped", "invalid"]
    message: str = ""


@dataclass(frozen=True)
class ImportReport:
    """What an import did; with `is_dry_run` nothing was written."""

    kind: Kind
    lines: tuple[ImportLine, ...]
    is_dry_run: bool

    @property
    def counts(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.outcome] = found.get(line.outcome, 0) + 1
        return found


@dataclass(frozen=True)
class ImportWish:
    """A file to be imported into one scope."""

    kind: str
    format: str
    text: Secret
    policy: str = "fail"
    is_dry_run: bool = False
    is_secret: bool | None = None  # None: values with telling names become secret


def import_file(
    context: FleetContext, actor: Actor, wish: ImportWish, *, workspace: str | None, deployment: str | None
) -> ImportReport:
    """Import a file, all or nothing: with an invalid line, or one that is there and `fail`, nothing is written.

    A dry run says what would happen to each line and raises neither.
    """
    kind, format_, policy = objects.check_kind(wish.kind), _format(wish.format), _policy(wish.policy)
    with context.store.reading() as session:
        found = objects.place(session, actor, workspace, deployment, "environment.update")
    lines = files.read(kind, format_, wish.text.reveal())
    wanted, problems = _checked(kind, lines, wish.is_secret)
    with context.store.reading() as session:
        rows = writing.rows_of(session, found.scope, [(item.kind, item.name) for item in wanted])
    drafts = writing.prepare(context.store, context.secrets, found.scope, wanted)
    report = [
        problems.get(line.name) or _line(line, rows.get((kind, line.name)), next_, policy)
        for line, next_ in _beside(lines, {draft.name: draft for draft in drafts}, problems)
    ]
    result = ImportReport(kind, tuple(report), wish.is_dry_run)
    if wish.is_dry_run:
        return result
    _refuse(result, policy)
    todo = {line.name for line in report if line.outcome in ("new", "changed")}
    if todo:
        chosen = [item for item in wanted if item.name in todo]
        objects.put(context, actor, chosen, workspace=workspace, deployment=deployment, note=f"imported ({format_})")
    return result


def export(
    context: FleetContext,
    actor: Actor,
    kind: str,
    format_: str,
    *,
    workspace: str | None,
    deployment: str | None,
    with_secrets: bool = False,
) -> Secret:
    """Write the objects of one scope as a file. Secret values only when asked for, with the right to, and audited."""
    checked, chosen = objects.check_kind(kind), _format(format_)
    with context.store.reading() as session:
        found = objects.place(session, actor, workspace, deployment, "environment.read")
        if with_secrets:
            permissions.require(actor, "environment.reveal", found.path)
        rows = objects.rows_of_kind(session, found.scope, checked)
    paths = sorted({path for row in rows for path in contents.read(row.content).secrets.values()})
    opened = context.secrets.get_many(paths) if paths and with_secrets else {}
    if with_secrets and paths:
        with context.store.writing() as session:
            told = {"kind": checked, "how": "exported", "names": [row.name for row in rows][:50], "count": len(rows)}
            audit.record(session, actor, "environment.reveal", found.path, told)
    return Secret(files.write(checked, chosen, [_exported(row, opened, with_secrets) for row in rows]))


def _exported(row: EnvironmentObjectRow, opened: Mapping[str, Secret], with_secrets: bool) -> Line:
    content = contents.read(row.content)
    fields: dict[str, Any] = dict(content.fields)
    for name, path in content.secrets.items():
        if with_secrets:
            fields[name] = opened[path]
        elif row.kind != "connection":
            fields[name] = MASK
        else:
            fields[name] = Secret(f'"{MASK}"') if name.startswith("extra.") else MASK
    return Line(row.name, fields, content.description or None)


def _checked(kind: Kind, lines: Sequence[Line], is_secret: bool | None) -> tuple[list[Wish], dict[str, ImportLine]]:
    wanted: list[Wish] = []
    problems: dict[str, ImportLine] = {}
    for line in lines:
        problem = line.problem
        if problem is None:
            item = Wish(kind, line.name, line.fields, _secrecy(kind, line, is_secret), line.description, replaces=True)
            try:
                checked = rules.check(item)
                names.check_env({item.name: ""} if kind == "env" else {})
                rules.check_complete(kind, line.name, checked.fields)
                _refuse_masked(item)
                wanted.append(item)
            except AerodromeError as error:
                problem = f"{error.message} {error.hint}".strip()
        if problem is not None:
            problems[line.name] = ImportLine(line.name, "invalid", problem)
    return wanted, problems


def _secrecy(kind: Kind, line: Line, is_secret: bool | None) -> bool | None:
    if is_secret is not None or kind == "connection":
        return is_secret
    text = str(line.fields.get("value", ""))
    is_telling = SENSITIVE_KEY.search(line.name) or line.name.startswith("AIRFLOW_CONN_")
    return True if is_telling or _REDACTOR.text(text) != text else None  # a URL with a password in it, a token of ours


def _refuse_masked(item: Wish) -> None:
    if any(value == MASK for value in item.fields.values()):
        raise Invalid(
            f"{item.name!r} holds a masked value.",
            code="environment-value-masked",
            hint="Export with --with-secrets, or write the real value.",
        )


def _beside(
    lines: Sequence[Line], drafts: Mapping[str, Any], problems: Mapping[str, ImportLine]
) -> list[tuple[Line, Any]]:
    return [(line, None if line.name in problems else drafts[line.name]) for line in lines]


def _line(line: Line, row: EnvironmentObjectRow | None, draft: Any, policy: Policy) -> ImportLine:
    if row is None or row.is_deleted:
        return ImportLine(line.name, "new")
    changed = contents.differences(contents.read(row.content), draft.content)
    if not changed:
        return ImportLine(line.name, "same")
    what = f"Changes {', '.join(changed)}."
    return ImportLine(line.name, "skipped" if policy == "skip" else "changed", what)


def _refuse(report: ImportReport, policy: Policy) -> None:
    invalid = [line for line in report.lines if line.outcome == "invalid"]
    if invalid:
        raise Invalid(
            f"{len(invalid)} of {len(report.lines)} lines cannot be imported. {invalid[0].name}: {invalid[0].message}",
            code="environment-import-invalid",
            hint="Nothing was written. A dry run lists all of them.",
            details={"invalid": [line.name for line in invalid[:20]]},
        )
    present = [line.name for line in report.lines if line.outcome in ("changed", "same")]
    if policy == "fail" and present:
        raise Conflict(
            f"{len(present)} of {len(report.lines)} names are there already, for example {present[0]!r}.",
            code="environment-import-conflict",
            hint="Nothing was written. Choose to skip or to overwrite them.",
            details={"names": present[:20]},
        )


def _format(format_: str) -> Format:
    if format_ in FORMATS:
        return cast("Format", format_)
    raise _choice("format", format_, FORMATS)


def _policy(policy: str) -> Policy:
    if policy in POLICIES:
        return cast("Policy", policy)
    raise _choice("policy", policy, POLICIES)


def _choice(field: str, value: str, choices: Sequence[str]) -> Invalid:
    return Invalid(
        f"{value[:40]!r} is no {field}.",
        code=f"environment-{field}-unknown",
        hint=f"Use {', '.join(choices)}.",
        details={"field": field},
    )
