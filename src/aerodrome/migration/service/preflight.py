"""What stands against moving a DAG, looked at before anything of its wave is touched.

What people have yet to say of definitions; blocking findings of the assessment; tasks that raise because their class is gone; pools and connections that the target lacks; connections that do not answer from inside the
target, where the plan wants them tested; and whether the target has room for what the source was measured to run at once. Each
is an error with its reason. What the plan accepts (`accept`, of all or of one DAG) is a remark of the check instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from sqlalchemy import select

from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid
from aerodrome.migration.assess import assess
from aerodrome.migration.cutover.requests import Hindrances
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.folder import read_json
from aerodrome.migration.sources.contract import AsksPeople, MeasuresConcurrency
from aerodrome.migration.transfer.target import TargetDatabase

MEASURED = timedelta(days=7)
"""How far back the source is looked at for what it ran at once."""
TEST_TIMEOUT_S = 30.0
ACCEPTED_BY_DEFAULT = ("capacity",)


@dataclass
class Preflight:
    """Looks for one walk of a wave. A connection is tested once, whatever the number of DAGs that use it."""

    context: StepContext
    _tested: dict[str, str] = field(default_factory=dict)  # conn id -> what is wrong with it, "" when it answered

    def hindrances(self, dag_ids: Collection[str]) -> dict[str, Hindrances]:
        """Give what stands against each of these DAGs; DAGs against which nothing stands are missing."""
        pools, names = slots(self.context.target), connection_names(self.context.target)
        found: dict[str, Hindrances] = {}
        cramped = self._cramped(dag_ids, pools)
        source = self.context.source
        unanswered = source.unanswered(list(dag_ids)) if isinstance(source, AsksPeople) else {}
        for dag_id in dag_ids:
            record = self.context.dags.get(dag_id)
            if record is None:
                continue
            accepted = accepted_of(self.context.settings, dag_id)
            problem, remarks = unanswered.get(dag_id), []
            for kind, error in self._against(record, pools, names, cramped):
                if kind in accepted:
                    remarks.append(f"Accepted by the plan: {error.message}")
                elif problem is None:
                    problem = error
            if problem is not None or remarks:
                found[dag_id] = Hindrances(problem, tuple(remarks))
        return found

    def _against(
        self, record: DagRecord, pools: Mapping[str, int], names: Collection[str], cramped: Mapping[str, str]
    ) -> Iterator[tuple[str, AerodromeError]]:
        """Give (what the plan may accept it as, error), the gravest first; "" cannot be accepted."""
        if reason := self._blockers.get(record.dag_id, ""):
            yield (
                "finding",
                Conflict(
                    f"A blocking finding stands against {record.dag_id}: {reason}",
                    code="finding-open",
                    hint="Mend it and assess again, leave the DAG out of the wave, or accept it in the plan: accept: [finding].",
                    details={"dag_id": record.dag_id},
                ),
            )
        if raising := self._raising.get(f"dags/{record.file.lstrip('/')}"):
            more = f" (and {len(raising) - 1} more)" if len(raising) > 1 else ""
            yield (
                "finding",
                Conflict(
                    f"Tasks of {record.dag_id} raise when they run: {raising[0]}{more}",
                    code="tasks-raise",
                    hint="Replace them in the source and run the code step again, leave the DAG out of the wave, or accept it in the plan: accept: [finding].",
                    details={"dag_id": record.dag_id, "file": record.file},
                ),
            )
        missing_pools = sorted(set(record.pools) - set(pools))
        missing = [] if self._is_elsewhere else sorted((set(record.connections) & self._kept) - set(names))
        if missing_pools or missing:
            lacking = [*(f"the pool {name}" for name in missing_pools), *(f"the connection {n}" for n in missing)]
            yield (
                "",
                Invalid(
                    f"The target lacks {', '.join(lacking)}, which {record.dag_id} needs.",
                    code="target-object-missing",
                    hint="Apply the plan again: it moves what is missing.",
                    details={"dag_id": record.dag_id, "pools": missing_pools, "connections": missing},
                ),
            )
        silent = {name: text for name in record.connections if (text := self._test(name))}
        if silent:
            name, text = next(iter(sorted(silent.items())))
            yield (
                "connection",
                Conflict(
                    f"The connection {name}, which {record.dag_id} uses, does not answer from inside the target: {text}",
                    code="connection-not-answering",
                    hint=f"aerodrome env test {name} tells more. Mend it, or accept it in the plan: accept: [connection].",
                    details={"dag_id": record.dag_id, "connections": sorted(silent)},
                ),
            )
        if reason := cramped.get(record.dag_id, ""):
            yield (
                "capacity",
                Conflict(
                    reason,
                    code="target-too-small",
                    hint="Give the target more slots or processes, move fewer DAGs, or accept it in the plan: accept: [capacity].",
                    details={"dag_id": record.dag_id},
                ),
            )

    # --- connections ---------------------------------------------------------------------------------------------

    @cached_property
    def _kept(self) -> set[str]:
        """The source's connections that it keeps itself; the others come from a secrets backend or the environment."""
        return {record.key for record in self.context.estate.records("connection") if record.origin == "metadata-db"}

    @cached_property
    def _known(self) -> set[str]:
        return {record.key for record in self.context.estate.records("connection")}

    @property
    def _is_elsewhere(self) -> bool:
        secrets = self.context.settings.get("secrets", {})
        return bool(secrets.get("backend")) or secrets.get("place") == "environment"

    def _test(self, conn_id: str) -> str:
        """Let the connection's own hook test it beside the target's tasks; give what is wrong, once per walk."""
        if not self.context.settings["policies"].get("test_connections") or conn_id not in self._known:
            return ""
        if conn_id not in self._tested:
            try:
                test = self.context.fleet.environment.test(
                    self.context.actor, self.context.deployment_id, conn_id, TEST_TIMEOUT_S
                )
                self._tested[conn_id] = "" if test.outcome == "good" else test.message
            except AerodromeError as error:
                self._tested[conn_id] = error.message
        return self._tested[conn_id]

    # --- capacity ------------------------------------------------------------------------------------------------

    def _cramped(self, dag_ids: Collection[str], pools: Mapping[str, int]) -> dict[str, str]:
        """Give per DAG in what it would have to wait: what these DAGs ran at once in the source against the target's room."""
        source = self.context.source
        if not isinstance(source, MeasuresConcurrency):
            return {}
        try:
            peaks = source.concurrency(sorted(dag_ids), self.context.clock.now() - MEASURED)
        except AerodromeError as error:  # a source that is too slow for it must not keep the wave from moving
            return dict.fromkeys(dag_ids, f"What ran at once in the source could not be measured: {error.message}")
        texts: dict[str, str] = {}
        processes = int(self.context.settings["target"]["parallelism"])
        if peaks.tasks > processes:
            text = (
                f"The wave's DAGs ran up to {peaks.tasks} tasks at once in the source within 7 days; "
                f"the target runs {processes} at once (target.parallelism)."
            )
            texts = dict.fromkeys(dag_ids, text)
        for pool, peak in peaks.slots_by_pool.items():
            room = pools.get(pool)
            if room is None or room < 0 or peak <= room:  # -1: without limit
                continue
            users = (dag_id for dag_id in dag_ids if pool in self.context.dags[dag_id].pools)
            text = f"The wave's DAGs used up to {peak} slots of the pool {pool} at once in the source; the target has {room}."
            texts |= {dag_id: f"{texts.get(dag_id, '')} {text}".strip() for dag_id in users}
        return texts

    # --- findings ------------------------------------------------------------------------------------------------

    @cached_property
    def _raising(self) -> Mapping[str, list[str]]:
        """What the code step put in the place of classes that are gone, by file of the project."""
        found: dict[str, list[str]] = read_json(self.context.folder.raising_json) or {}
        return found

    @cached_property
    def _blockers(self) -> dict[str, str]:
        """The blocking findings by DAG that the assessment left open; the code upgrade may have mended code findings."""
        assessment = read_json(self.context.folder.assessment_json) or {}
        findings = [(found["severity"], found["subject"], found["message"]) for found in assessment.get("findings", ())]
        version = str(self.context.settings["target"]["airflow"])
        if str(assessment.get("target_version", version)).partition(".")[0] != version.partition(".")[0]:
            # The plan goes to another major version than the assessment was made for: what blocks there may not block here.
            findings = [
                (found.severity, found.subject, found.message)
                for found in assess(self.context.estate, version).findings
            ]
        return {
            subject.removeprefix("dag:"): message
            for severity, subject, message in findings
            if severity == "blocker" and subject.startswith("dag:")
        }


def accepted_of(settings: Mapping[str, object], dag_id: str) -> Collection[str]:
    """Give what the plan accepts of a DAG; plans from before it could be said accept as the default does."""
    policies, dags = settings.get("policies", {}), settings.get("dags", {})
    assert isinstance(policies, Mapping)  # noqa: S101 - checked by the plan's reader
    assert isinstance(dags, Mapping)  # noqa: S101
    chosen = {**policies, **dags.get(dag_id, {})}.get("accept", ACCEPTED_BY_DEFAULT)
    return tuple(chosen)


def slots(target: TargetDatabase) -> dict[str, int]:
    """Give the target's pools with their slots."""
    pool = target.table("slot_pool")
    with target.reading() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(select(pool.c.pool, pool.c.slots))}


def connection_names(target: TargetDatabase) -> set[str]:
    names = target.table("connection").c.conn_id
    with target.reading() as connection:
        return set(connection.scalars(select(names)))
