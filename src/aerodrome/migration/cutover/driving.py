"""Answers what the acts of many DAGs ask for, each kind of request together: a few round trips for hundreds of DAGs.

Used by the conductor (a wave) and by `run` (one act). An answer that is an AerodromeError is raised inside the act.

What a round costs: a look is a dozen queries for 500 DAGs, each answered by an index (the newest run of a DAG is one step down
the index of its dates, whatever its history); a pause, a start or a hand-off is one transaction for all DAGs that ask for it; a
sync is one question for what changed, and some thirty statements where anything did. Between the pause and the start a DAG takes
part in seven rounds (pause seen, empty, empty still, synced, looked at, proved, started). A DAG that waits costs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, cast

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.cutover import requests as ask
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.target import TargetDag
from aerodrome.migration.sources.contract import StopsRuns

SYNC_BATCH = 50
"""DAGs whose history one round moves: others, which wait to be started, are not kept waiting for long."""

AHEAD_BATCH = 50
"""DAGs whose history is moved beforehand at once, beside everything else."""

AHEAD_POLL_S = 0.1

Asked = Mapping[str, Any]
"""Requests by DAG; a DAG has one act at a time, so one request."""


class Driver:
    """Answers requests. Close it: what is moved beforehand moves in a thread of its own."""

    def __init__(self, context: CutoverContext) -> None:
        self.context = context
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="cutover-ahead")
        self._moving: tuple[frozenset[str], Future[None]] | None = None
        self._answering: Sequence[tuple[type, Callable[[Asked], Mapping[str, Any]]]] = (
            # In this order, so that what is nearest to its start in the target is served first.
            (ask.Start, self._start),
            (ask.Events, self._each(self._bridge)),
            (ask.Carry, self._carry),
            (ask.GiveBack, lambda asked: self.context.source.unpause_dags(list(asked), self.context.mark)),
            (ask.Pause, lambda asked: self.context.source.pause_dags(list(asked), self.context.mark)),
            (ask.HoldBack, self._each(lambda request: self.context.source.hold_back(request.dag_id, self.context.mark))),
            (ask.Stop, self._stop),
            (ask.StopRuns, self._each(lambda request: self._stopping.stop_runs(request.dag_id, self.context.mark))),
            (ask.Stopped, lambda asked: self._stopping.stopped_runs(list(asked), self.context.mark)),
            (ask.RunAgain, self._each(lambda request: self.context.target.run_again(request.dag_id, request.run_ids))),
            (ask.Resume, self._each(
                lambda request: self._stopping.resume_runs(request.dag_id, self.context.mark, request.outcomes)
            )),
            (ask.Look, self._look),
            (ask.Runs, lambda asked: self.context.target.runs_after({key: item.last for key, item in asked.items()})),
            (ask.OwnRuns, lambda asked: self.context.target.own_runs(list(asked))),
            (ask.RunStates, self._each(lambda request: self.context.target.run_states(request.dag_id, request.moments))),
            (ask.Backfill, self._each(
                lambda request: self.context.target.backfill(request.dag_id, request.first, request.last)
            )),
            (ask.AskToParse, self._each(lambda request: self.context.target.ask_to_parse(request.dag_id))),
            (ask.Ahead, self._ahead),
            (ask.Sync, self._sync),
        )  # fmt: skip

    def answer(self, requests: Mapping[str, ask.Request]) -> dict[str, Any]:
        """Give an answer per DAG; DAGs whose request must wait for the next round are missing.

        What fails as a whole (a database that does not answer) is the answer of every DAG that asked.
        """
        by_type: dict[type, dict[str, Any]] = defaultdict(dict)
        for dag_id, request in requests.items():
            by_type[type(request)][dag_id] = request
        answers: dict[str, Any] = {}
        for kind, act in self._answering:
            asked: Mapping[str, Any] = by_type.get(kind, {})
            if not asked:
                continue
            if kind is ask.Sync:
                asked = dict(list(asked.items())[:SYNC_BATCH])
            try:
                found = act(asked)
            except AerodromeError as error:
                answers |= dict.fromkeys(asked, error)
                continue
            wanted = found if kind is ask.Ahead else asked
            answers |= {dag_id: found.get(dag_id) for dag_id in wanted}
        return answers

    def close(self) -> None:
        """Wait for what moves beforehand, and begin no more of it."""
        self._beside.shutdown(cancel_futures=True)

    # --- one method per kind of request --------------------------------------------------------------------------

    def _look(self, asked: Asked) -> dict[str, Any]:
        source = self.context.source.dag_states(list(asked))
        wanted = [dag_id for dag_id, request in asked.items() if request.with_target]
        target = self.context.target.dags(wanted) if wanted else {}
        now = self.context.target.now() if wanted else None
        deep = [dag_id for dag_id, request in asked.items() if request.with_errors]
        errors: dict[str, list[tuple[str, str]]] = defaultdict(list)  # by the file's name without its folder
        for file, trace in self.context.target.import_errors() if deep else ():
            errors[file.rpartition("/")[2]].append((file, trace))
        hindrances = self.context.hindrances(deep) if deep else {}
        watched = [dag_id for dag_id, request in asked.items() if request.with_version]
        versions = self.context.versions(watched) if watched and self.context.versions is not None else {}
        return {
            dag_id: ask.View(
                source.get(dag_id),
                target.get(dag_id),
                now,
                self._errors_of(dag_id, errors) if request.with_errors else (),
                hindrances.get(dag_id, ask.Hindrances()),
                versions.get(dag_id),
            )
            for dag_id, request in asked.items()
        }

    def _errors_of(self, dag_id: str, errors: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[tuple[str, str], ...]:
        record = self.context.dags.get(dag_id)
        if record is None:
            return ()
        found = errors.get(record.file.rpartition("/")[2], ())
        return tuple(item for item in found if item[0] == record.file or item[0].endswith("/" + record.file))

    def _start(self, asked: Asked) -> dict[str, Any]:
        ids = list(asked)
        with self.context.source.locked(ids):
            states = self.context.source.dag_states(ids)
            now = self.context.target.now()

            def judge_of(dag_id: str) -> Callable[[TargetDag], AerodromeError | None]:
                return lambda dag: asked[dag_id].judge(ask.View(states.get(dag_id), dag, now))

            return dict(self.context.target.start({dag_id: judge_of(dag_id) for dag_id in ids}, self.context.mark))

    def _stop(self, asked: Asked) -> dict[str, Any]:
        self.context.target.stop(list(asked), self.context.mark)
        return {}

    def _sync(self, asked: Asked) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        by_since: dict[datetime | None, list[str]] = defaultdict(list)
        for dag_id, request in asked.items():
            by_since[request.since].append(dag_id)
        for since, dag_ids in by_since.items():
            found |= self.context.sync(dag_ids, since)
        return found

    def _ahead(self, asked: Asked) -> dict[str, Any]:
        """Answer those whose history was moved, and begin with the next ones; nobody who is held waits for it.

        What goes wrong is left to the sync, which moves the same and says what is the matter.
        """
        found: dict[str, Any] = {}
        if self._moving is not None and self._moving[1].done():
            error = self._moving[1].exception()
            if error is not None and not isinstance(error, AerodromeError):
                raise error
            found, self._moving = dict.fromkeys(self._moving[0]), None
        waiting = [dag_id for dag_id in asked if dag_id not in found][:AHEAD_BATCH]
        if waiting and self._moving is None and self.context.ahead is not None:
            self._moving = frozenset(waiting), self._beside.submit(self.context.ahead, waiting)
        return {dag_id: None for dag_id in found if dag_id in asked}

    @property
    def _stopping(self) -> StopsRuns:
        assert self.context.stopping is not None  # noqa: S101 - acts ask only where it is there
        return self.context.stopping

    def _bridge(self, request: ask.Events) -> None:
        assert self.context.events is not None  # noqa: S101 - acts ask only where it is there
        getattr(self.context.events, request.point)(request.dag_id)

    def _carry(self, asked: Asked) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for dag_id in asked:
            try:
                assert self.context.carried is not None  # noqa: S101 - whoever rolls back gives it
                found[dag_id] = self.context.source.carry_runs(self.context.carried(dag_id), self.context.mark)
            except AerodromeError as error:
                found[dag_id] = error
        return found

    @staticmethod
    def _each(act: Callable[[Any], Any]) -> Callable[[Asked], dict[str, Any]]:
        def answer(asked: Asked) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for dag_id, request in asked.items():
                try:
                    found[dag_id] = act(request)
                except AerodromeError as error:
                    found[dag_id] = error
            return found

        return answer


def advance(act: ask.Act, answer: Any) -> ask.Request:
    """Send an answer into an act and give its next request; StopIteration carries its result."""
    return act.throw(answer) if isinstance(answer, AerodromeError) else act.send(answer)


def run(context: CutoverContext, act: ask.Act) -> dict[str, Any]:
    """Drive one act to its end and give its result; what it raises is raised."""
    driver = Driver(context)
    try:
        return _run(driver, act)
    finally:
        driver.close()


def _run(driver: Driver, act: ask.Act) -> dict[str, Any]:
    context, answer = driver.context, cast("Any", None)
    while True:
        try:
            request = advance(act, answer)
        except StopIteration as end:
            return dict(end.value)
        if isinstance(request, ask.Sleep):
            context.sleep(request.seconds)
            answer = None
            continue
        while request.dag_id not in (answers := driver.answer({request.dag_id: request})):
            context.sleep(AHEAD_POLL_S)
        answer = answers[request.dag_id]
