"""What an assessment is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.assess.network import Reach
from aerodrome.migration.assess.waves import Wave

Severity = Literal["blocker", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("blocker", "warning", "info")
Risk = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Place:
    """What a check reports: whom it concerns, where, and a sentence. The rest stands in the Check."""

    subject: str  # "dag:daily_sales", "connection:warehouse", "file:dags/x.py", "source"
    message: str
    file: str | None = None  # "dags/daily_sales.py"
    line: int | None = None
    hint: str = ""  # instead of the check's hint where the place knows better


@dataclass(frozen=True)
class Check:
    """One assessed question: pure, never raises. `hours` is the usual effort per place."""

    code: str
    severity: Severity
    title: str
    hint: str
    find: Callable[[Inventory], Iterator[Place]]
    hours: float = 0.0


@dataclass(frozen=True)
class Finding:
    """One assessed fact."""

    code: str
    severity: Severity
    subject: str
    file: str | None
    line: int | None
    message: str
    hint: str


@dataclass(frozen=True)
class DagRisk:
    """How risky it is to move a DAG, why, and how much work remains for people."""

    risk: Risk
    reasons: tuple[str, ...]
    effort_h: float
    criticality: str = "low"  # a proposal: low | medium | high
    criticality_reasons: tuple[str, ...] = ()
    group: str = ""  # the first of the DAGs that depend on each other; the DAG itself where it stands alone
    wave: str = ""  # a proposal; empty where it is proposed to stay behind
    stays_because: str = ""
    file: str = ""  # "dags/daily_sales.py"
    efforts: tuple[tuple[str, float], ...] = ()  # the finding codes that cost hours, the dearest first


@dataclass(frozen=True)
class Assessment:
    """What follows from an estate for a target version. `totals`: dags, tasks, effort_h, dags by risk."""

    target_version: str
    findings: tuple[Finding, ...]
    dag_risks: Mapping[str, DagRisk]
    totals: Mapping[str, Any]
    waves: tuple[Wave, ...] = ()
    reaches: tuple[Reach, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Give the number of findings per severity, all three named."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def as_data(self) -> dict[str, Any]:
        """Give the assessment as plain JSON data."""
        return {
            "target_version": self.target_version,
            "counts": self.counts,
            "totals": dict(self.totals),
            "dag_risks": {dag_id: vars(risk) for dag_id, risk in sorted(self.dag_risks.items())},
            "waves": [
                {"name": wave.name, "criticality": wave.criticality, "dags": list(wave.dag_ids)} for wave in self.waves
            ],
            "hosts": [
                {
                    "host": reach.host,
                    "port": reach.port,
                    "path": reach.path,
                    "connections": list(reach.connections),
                    "files": list(reach.files),
                    "dags": len(reach.dag_ids),
                }
                for reach in self.reaches
            ],
            "findings": [vars(finding) for finding in self.findings],
        }
