"""Which running coordinator job is which DAG, and what is done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath

from aerodrome.kernel.errors import Conflict
from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import clean
from aerodrome.migration.sources.definitions.boundaries import BoundaryFile
from aerodrome.migration.sources.definitions.nominal import is_scheduled
from aerodrome.migration.sources.definitions.oozie_server import Job, OozieServer, Standing

LANES = 8


class OozieJobs:
    """The coordinators of one estate in one running Oozie."""

    def __init__(self, server: OozieServer, dags: Mapping[str, Dag], boundaries: BoundaryFile) -> None:
        self._server = server
        self._dags = dags
        self._boundaries = boundaries
        self._found: tuple[Mapping[str, str], dict[str, Job]] | None = None  # for these named jobs

    @cached_property
    def _there(self) -> list[Job]:
        return self._server.jobs()

    def found(self) -> dict[str, Job]:
        """Give the job of each scheduled DAG that runs there; Conflict `oozie-job-ambiguous` where several may be meant."""
        named = {dag_id: item.job for dag_id, item in self._boundaries.read().items() if item.job}
        if self._found is None or self._found[0] != named:
            self._found = named, self._find(named)
        return self._found[1]

    def _find(self, named: Mapping[str, str]) -> dict[str, Job]:
        by_name: dict[str, list[Job]] = {}
        for job in self._there:
            by_name.setdefault(clean(job.name).lower(), []).append(job)
        found: dict[str, Job] = {}
        for dag_id, dag in self._dags.items():
            if not is_scheduled(dag):
                continue
            wanted = named.get(dag_id)
            if wanted:
                jobs = [job for job in self._there if job.job_id == wanted]
            else:
                tails = (
                    dag_id.lower()[at:] for at in range(len(dag_id))
                )  # the profile may set something before the name
                jobs = _nearest(dag, next((by_name[tail] for tail in tails if tail in by_name), []))
            if len(jobs) > 1:
                raise Conflict(
                    f"{dag_id} may be any of the Oozie jobs {', '.join(job.job_id for job in jobs)}.",
                    code="oozie-job-ambiguous",
                    hint=f"Say which: aerodrome migrate hold NAME --dag {dag_id} --job ID. Or kill those that nobody needs.",
                )
            if jobs:
                found[dag_id] = jobs[0]
        return found

    def standings(self, dag_ids: Sequence[str]) -> dict[str, Standing]:
        """Read how far the jobs of these DAGs are."""
        jobs = self.found()
        wanted = {dag_id: jobs[dag_id].job_id for dag_id in dag_ids if dag_id in jobs}
        if len(wanted) < 2:
            return {dag_id: self._server.standing(job_id) for dag_id, job_id in wanted.items()}
        with ThreadPoolExecutor(LANES, thread_name_prefix="oozie") as pool:  # Oozie tells actions of one job at a time
            return dict(zip(wanted, pool.map(self._server.standing, wanted.values()), strict=True))

    def suspend(self, dag_id: str) -> None:
        """Suspend; a job that stands still already is left as it is."""
        job = self.found().get(dag_id)
        if job is not None and not self._server.standing(job.job_id).job.is_suspended:
            self._server.suspend(job.job_id)

    def resume(self, dag_id: str, *, is_pause_time_set: bool) -> None:
        """Resume, and let it materialize again if we had stopped that."""
        job = self.found().get(dag_id)
        if job is None:
            return
        if is_pause_time_set:
            self._server.clear_pause(job.job_id)
        if self._server.standing(job.job_id).job.is_suspended:
            self._server.resume(job.job_id)

    def hold_back(self, dag_id: str, now: datetime) -> None:
        job = self.found().get(dag_id)
        if job is not None:
            self._server.pause_from(job.job_id, now)


def _nearest(dag: Dag, jobs: list[Job]) -> list[Job]:
    """Keep the jobs whose application path ends as the definition's folder does, where their name alone says too little."""
    if len(jobs) < 2:
        return jobs
    folder = PurePosixPath(dag.origin.file).parent.parts

    def common(job: Job) -> int:
        path = PurePosixPath(job.path.removesuffix(".xml")).parts
        if job.path.endswith(".xml"):
            path = path[:-1]
        count = 0
        for one, two in zip(reversed(path), reversed(folder), strict=False):
            if one != two:
                break
            count += 1
        return count

    best = max(map(common, jobs))
    return [job for job in jobs if common(job) == best]
