"""`aerodrome deployment usage` and `aerodrome deploy check`: what DAGs need, and whether a project could be deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from aerodrome.cli import exits
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_table
from aerodrome.client.usage import CheckResult, UsedObject
from aerodrome.kernel.errors import Conflict

KindOption = Annotated[
    Literal["connection", "variable", "pool", "env"] | None, Parameter(help="Only objects of this kind.")
]
_SHOWN = 4


def usage(
    deployment: Annotated[str, Parameter(help="The deployment, id or name.")],
    /,
    *,
    kind: KindOption = None,
    name: Annotated[str | None, Parameter(help="Only this object; shows every place.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show which DAGs need which connections, variables, pools and environment variables."""
    with common.connect() as client:
        found = client.usage.of_deployment(deployment, kind)
    objects = [item for item in found.objects if name in (None, item.name)]
    if common.output == "json":
        write_json({**_plain(found), "objects": objects})
    elif not objects:
        say("Nothing is deployed yet." if found.deploy_number is None else "The DAGs name nothing of the kind.")
    elif name is None:
        write_table(("Kind", "Name", "When checked", "Needed by"), [_row(item) for item in objects])
    else:
        rows = [
            (item.kind, f"{place.file}:{place.line}" if place.line else place.file, place.via, _some(place.dag_ids))
            for item in objects
            for place in item.places
        ]
        write_table(("Kind", "Where", "How", "Needed by"), rows)


def check(
    path: Annotated[Path, Parameter(help="The project folder.")],
    /,
    *,
    deployment: Annotated[str, Parameter(help="The deployment, id or name.")],
    dags: Annotated[bool, Parameter(help="Take dags/ only; all else stays as it is.", negative=())] = False,
    bundle: Annotated[str | None, Parameter(help="Its dags/ becomes the DAG bundle of this name (Airflow 3).")] = None,
    common: Common = COMMON_DEFAULTS,
) -> int:
    """Check a project as a deploy of it would be, without deploying; the exit code is 5 when it would be refused."""
    with common.connect() as client:
        found = client.usage.check(deployment, path, kind="dags" if dags else "full", bundle=bundle)
    if common.output == "json":
        write_json(found)
    else:
        show(found)
    return exits.OF_ERROR[Conflict] if found.is_blocking else exits.OK


def show(found: CheckResult) -> None:
    """Write what checks found for eyes."""
    rows = [
        (item.severity, f"{item.file}:{item.line}" if item.line else item.file, item.message, item.hint)
        for item in found.findings
    ]
    if rows:
        write_table(("Severity", "Where", "What", "What to do"), rows)
    counts = found.counts
    say(
        f"{_count(counts['dags'], 'DAG')} in {_count(counts['files'], 'file')} under Airflow {found.airflow_version}: "
        f"{_count(counts['blockers'], 'blocker')}, {_count(counts['warnings'], 'warning')}, {found.seconds:.1f} s."
    )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _row(item: UsedObject) -> tuple[str, str, str, str]:
    state = "missing" if item.is_missing else "there"
    return item.kind, item.name, state if item.is_required or not item.is_missing else "not there", _some(item.dag_ids)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _plain(found: object) -> dict[str, object]:
    return dict(vars(found))
