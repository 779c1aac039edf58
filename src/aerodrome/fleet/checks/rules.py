"""What is wrong with a deploy that was read: each rule gives findings. Pure.

What blocks depends on why there is a deploy. A file that cannot be read and a dag_id that is defined twice always block. Missing
objects block a plain deploy, but not the first one (there is no Airflow yet in which they could have been made), not one that
changes nothing about it, and not a rollback or an upgrade. A deploy with the policy `record` is blocked by nothing: a migration
moves connections, variables and pools after the code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from aerodrome.fleet.checks.contract import CheckFinding, Reading, Severity
from aerodrome.parsing.contract import ImportFailure, UsageEntry

_WORDS = {"connection": "connection", "variable": "variable", "pool": "pool", "env": "environment variable"}
_ACTS = {
    "connection": "`aerodrome env set {name} conn_type=… --kind connection --deployment …` makes it",
    "variable": "`aerodrome env set {name}=… --kind variable --deployment …` makes it",
    "pool": "`aerodrome deployment update … --pool {name}=4` makes it",
    "env": "`aerodrome env set {name}=… --deployment …` sets it",
}
_SHOWN = 5
_OBJECTS = ("missing-variable", "missing-connection", "missing-env")


def findings(reading: Reading) -> Iterator[CheckFinding]:
    """Give everything that is wrong, in no order."""
    yield from (_unreadable(reading, failure) for failure in reading.result.failures)
    yield from _vanished(reading)
    yield from _missing(reading)
    if not reading.result.dags and not reading.result.failures:
        message = f"There is no DAG in {reading.result.file_count} files below dags/."
        yield CheckFinding(
            "no-dags", "warning", "dags/", message, "Airflow skips files without the words dag and airflow."
        )


def _unreadable(reading: Reading, failure: ImportFailure) -> CheckFinding:
    severity = reading.rules["plugin" if failure.kind == "plugin-error" else "unreadable"]
    if (failure.kind, failure.file) in reading.before.broken and reading.rules.get("broken-before"):
        severity = reading.rules["broken-before"]
    return CheckFinding(
        code=failure.kind,
        severity=severity,
        subject=failure.name or failure.file,
        message=failure.message,
        hint=failure.hint,
        file=failure.file,
        line=failure.line,
        kind=failure.kind.partition("-")[2] if failure.kind in _OBJECTS else "",
        detail=failure.detail,
    )


def _vanished(reading: Reading) -> Iterator[CheckFinding]:
    there = {dag.dag_id for dag in reading.result.dags}
    broken = {failure.file for failure in reading.result.failures}
    for dag_id in sorted(reading.before.dag_ids - there):
        why = " A file of this deploy cannot be read." if broken else ""
        yield CheckFinding(
            "dag-vanishes",
            "warning",
            dag_id,
            f"The DAG {dag_id} is in deploy {reading.before.number} and not in this one.{why}",
            "Airflow keeps its history and runs it no more. Deploy it again to bring it back.",
            dag_ids=(dag_id,),
        )


def _missing(reading: Reading) -> Iterator[CheckFinding]:
    named: dict[tuple[str, str], list[UsageEntry]] = defaultdict(list)
    told = {(failure.kind, failure.name) for failure in reading.result.failures}  # it is why a file cannot be read
    for entry in reading.usage:
        if not reading.known.has(entry.kind, entry.name) and (f"missing-{entry.kind}", entry.name) not in told:
            named[entry.kind, entry.name].append(entry)
    for (kind, name), entries in sorted(named.items()):
        required = [entry for entry in entries if entry.is_required]
        if kind == "env" and not required:
            continue
        place = (required or entries)[0]
        dag_ids = tuple(sorted({dag_id for entry in entries for dag_id in entry.dag_ids}))
        severity, reason = _severity(reading, kind, name, is_required=bool(required))
        message = f"The {_WORDS[kind]} {name} does not exist{_whose(dag_ids, place.file)}.{reason}"
        hint = f"{_ACTS[kind].format(name=name)}; --force deploys without it."
        hint = f"{hint[0].upper()}{hint[1:]}"
        code = f"missing-{kind}"
        yield CheckFinding(code, severity, name, message, hint, place.file, place.line or None, kind, dag_ids)


def _severity(reading: Reading, kind: str, name: str, *, is_required: bool) -> tuple[Severity, str]:
    if not is_required:
        return "warning", " The code has a default for it, or an operator names it by itself."
    if kind == "env":
        return "warning", ""
    if kind != "pool" and reading.known.unlisted:
        return "warning", f" {reading.known.unlisted}"
    if (kind, name) in reading.before.missing:
        return "warning", " It was missing before this deploy, too."
    return reading.rules["missing"], ""


def _whose(dag_ids: tuple[str, ...], file: str) -> str:
    if not dag_ids:
        return f", and {file} names it"
    more = f" and {len(dag_ids) - _SHOWN} more" if len(dag_ids) > _SHOWN else ""
    return f", and {', '.join(dag_ids[:_SHOWN])}{more} {'needs' if len(dag_ids) == 1 else 'need'} it"
