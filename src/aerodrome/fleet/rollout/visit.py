"""What a step is and what it is given. A step is a function that may be called again after a kill at any of its lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aerodrome.fleet import steps, ways
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store.tables.deploy import DeployRow, DeployStepRow
from aerodrome.store.tables.deployment import DeploymentRow


@dataclass(frozen=True)
class Visit:
    """One call of a step: the rows as they were read (detached; write through transactions of your own)."""

    context: FleetContext
    deployment: DeploymentRow
    deploy: DeployRow
    step: DeployStepRow
    confirm_timeout_s: float
    unhealthy_s: float

    def say(self, line: str) -> None:
        """Append a line to the step's log."""
        steps.logger(self.context, self.deploy.id, self.step.name)(line)

    @property
    def drain_s(self) -> float:
        """Give how long running tasks may go on when Airflow is to stop."""
        return float(self.deployment.drain_s)

    @property
    def is_asleep(self) -> bool:
        return self.deployment.desired == "hibernated"


@dataclass(frozen=True)
class Step:
    """A step by name. `run` gives 0 when it is done, else the seconds until it is to be called again."""

    name: str
    run: Callable[[Visit], float]
    touches: bool = False  # from the first such step on, the running Airflow is being changed
    is_polled: bool = False  # called again and again as one attempt


def changes_version(deployment: DeploymentRow, deploy: DeployRow) -> bool:
    """Tell whether the deploy wants another Airflow than the deployment has."""
    return deploy.airflow_version is not None and deploy.airflow_version != deployment.airflow_version


def present_spec(visit: Visit) -> RuntimeSpec:
    """Give the spec of what is live now, with its Airflow."""
    with visit.context.store.reading() as session:
        current = ways.current_deploy(session, visit.deployment)
    return runtime_spec(visit.context, visit.deployment, current, visit.say)
