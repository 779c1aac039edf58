"""Runs the checks of one deploy: reads it, applies the rules, tells the log, and blocks or not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import select

from aerodrome.fleet.checks import rules
from aerodrome.fleet.checks.contract import Before, CheckFinding, Reading, Severity
from aerodrome.fleet.checks.known import known_objects
from aerodrome.fleet.checks.uses import uses_of
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.hiding import Hiding
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict
from aerodrome.parsing.contract import ParseLimits
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store.tables.deploy import DeployRow, DeployUsageRow
from aerodrome.store.tables.deployment import DeploymentRow

_MOST_FINDINGS = 500
_MOST_DETAILS = 50  # findings with a traceback
_MOST_ENTRIES = 5000
_SAID = 12
Result = dict[str, Any]


def run(
    context: FleetContext, deployment: DeploymentRow, deploy: DeployRow, spec: RuntimeSpec, log: Callable[[str], None]
) -> Result:
    """Check a deploy under its exact target and give the result for `DeployRow.checks`; writes nothing, safe to repeat.

    Conflict (deploy-checks-failed; its details hold the result) when something blocks and the deploy is not forced. A deploy
    with the policy `record`, as a migration's, is not blocked: what is missing is only written down.
    """
    result = look(context, deployment, deploy, spec, log)
    blockers = [finding for finding in result["findings"] if finding["severity"] == "blocker"]
    for finding in (blockers or result["findings"])[:_SAID]:
        log(_line(finding))
    if not blockers:
        return result
    if deploy.is_forced:
        log(f"{_count(len(blockers), 'problem')} would block this deploy; it is forced.")
        return {**result, "is_forced": True}
    first = blockers[0]
    where = f"{first['file']}:{first['line']}: " if first["line"] else f"{first['file']}: " if first["file"] else ""
    more = f" And {_count(len(blockers) - 1, 'more problem')}." if len(blockers) > 1 else ""
    raise Conflict(
        f"The checks before the switch found what would break: {where}{first['message']}{more}",
        code="deploy-checks-failed",
        hint=f"Nothing was changed. {first['hint']} `--force` deploys in spite of it.".replace(
            "; --force deploys without it.", "."
        ),
        details=result,
    )


def look(
    context: FleetContext, deployment: DeploymentRow, deploy: DeployRow, spec: RuntimeSpec, log: Callable[[str], None]
) -> Result:
    """Check a deploy and give the result; raises only when it cannot be read at all."""
    started = time.monotonic()
    hiding = Hiding(spec)
    with hiding.errors():
        parsed = hiding.failures(context.runtime.parse(spec, ParseLimits(), log))
    usage = uses_of(spec, parsed)
    before = _before(context, deployment, deploy)
    reading = Reading(parsed, usage, known_objects(context, deployment, spec), before, _rules(deploy, before))
    found = sorted(rules.findings(reading), key=_order)
    names = {(entry.kind, entry.name) for entry in usage}
    severities = Counter(finding.severity for finding in found)
    counts = {
        "files": parsed.file_count,
        "dags": len(parsed.dags),
        "blockers": severities["blocker"],
        "warnings": severities["warning"],
        **{f"{kind}s" if kind != "env" else kind: sum(1 for other, _ in names if other == kind) for kind in _KINDS},
    }
    return {
        "is_blocking": severities["blocker"] > 0,
        "is_forced": False,
        "policy": deploy.check_policy,
        "counts": counts,
        "findings": [_data(finding, index < _MOST_DETAILS) for index, finding in enumerate(found[:_MOST_FINDINGS])],
        "dags": [{"dag_id": dag.dag_id, "file": dag.file} for dag in parsed.dags[:_MOST_ENTRIES]],
        "usage": [asdict(entry) for entry in usage[:_MOST_ENTRIES]],
        "airflow_version": parsed.airflow_version,
        "remembered": parsed.remembered,
        "parse_seconds": parsed.seconds,
        "seconds": round(time.monotonic() - started, 3),
        "at": to_text(context.clock.now()),
    }


_KINDS = ("connection", "variable", "pool", "env")


def _rules(deploy: DeployRow, before: Before) -> Mapping[str, Severity]:
    if deploy.check_policy == "record":
        return {"unreadable": "warning", "plugin": "warning", "missing": "warning"}
    is_plain = deploy.cause == "deploy" and before.number is not None
    chosen: dict[str, Severity] = {
        "unreadable": "blocker",
        "plugin": "warning",
        "missing": "blocker" if is_plain else "warning",
    }
    if deploy.cause == "rollback":
        chosen["broken-before"] = "warning"
    return chosen


def _before(context: FleetContext, deployment: DeploymentRow, deploy: DeployRow) -> Before:
    """Give what was found of the deploy that is live; for a rollback what breaks is held against the one it brings back."""
    with context.store.reading() as session:
        query = select(DeployRow).where(DeployRow.deployment_id == deployment.id, DeployRow.status == "live")
        live = session.scalars(query).one_or_none()
        target = session.get(DeployRow, deploy.rollback_of) if deploy.rollback_of else None
        read = session.get(DeployUsageRow, live.id) if live is not None else None
    if live is None:
        return Before()
    checks, older = live.checks or {}, (target.checks if target is not None else None) or {}
    missing = [item for item in checks.get("findings", ()) if item["code"].startswith("missing-") and item["kind"]]
    return Before(
        number=live.number,
        dag_ids=frozenset(dag["dag_id"] for dag in (read.dags if read is not None else ())),
        missing=frozenset((item["kind"], item["subject"]) for item in missing),
        broken=frozenset((item["code"], item["file"]) for item in older.get("findings", ())),
    )


def _data(finding: CheckFinding, has_detail: bool) -> dict[str, Any]:
    return asdict(finding if has_detail else replace(finding, detail=""))


def _order(finding: CheckFinding) -> tuple[Any, ...]:
    return finding.severity != "blocker", finding.code, finding.file, finding.line or 0, finding.subject


def _line(finding: Mapping[str, Any]) -> str:
    place = finding["file"] + (f":{finding['line']}" if finding["line"] else "")
    return f"{finding['severity']}: {place + ': ' if place else ''}{finding['message']}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
