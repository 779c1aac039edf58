"""Conducts the hand-over of a whole wave: every DAG goes at its own pace, in lanes, and the journal knows each step.

Groups of DAGs that belong together are let in one after another while there is room; what each DAG needs before a step
stands in `needs`. The acts of all DAGs that are under way are advanced together, so that a round costs a few round trips
however many they are. A step's intent is committed before its act begins and its outcome right after: a kill at any line
is safe, because a step that was begun is begun again and recognises its own earlier act.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Literal, Protocol

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.driving import Driver, advance
from aerodrome.migration.cutover.pace import Pace, Room
from aerodrome.migration.cutover.requests import Act, Request, Sleep
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.needs import Needs

ATTEMPTS = 4
INNER_ROUNDS = 6
"""Round trips between two commits of the journal."""
TELL_EVERY = timedelta(seconds=1)
GATE = ("cutover.check", "cutover.check_return")
"""Nothing is touched before every check of the wave has ended."""
MOVED_ON = ("source-not-held", "source-not-drained", "interval-mismatch", "source-keeps-moving", "last-run-not-moved")
"""Errors after which a repeated cutover of the DAG begins with its pause again."""


class Ledger(Protocol):
    """The journal of the track that is walked; each call is one transaction."""

    def begin(self, keys: Sequence[str]) -> None: ...

    def done(self, results: Mapping[str, Mapping[str, Any]]) -> None: ...

    def failed(self, errors: Mapping[str, AerodromeError]) -> None: ...

    def restart(self, keys: Sequence[str]) -> None:
        """Make done steps pending again: the source has moved on since."""
        ...

    def progress(self, texts: Mapping[str, str]) -> None: ...

    def is_halted(self) -> bool:
        """Tell whether somebody asked to let no more DAGs in."""
        ...


@dataclass(frozen=True)
class Limits:
    """How many DAGs move at once, how fast, and how many may fail before no more are let in."""

    held: int = 100  # DAGs between the pause in the source and the start in the target
    source_per_s: float = 50.0  # DAGs paused a second
    target_per_s: float = 50.0  # DAGs started a second
    error_budget: int = 0  # DAGs that may fail; one more, and the wave lets no more in
    gap_goal_s: float = 2.5  # fewer are let in while DAGs stand longer than this between pause (or drain) and start
    canary: int = 0  # so many DAGs go first; the others wait until their first cycle was watched


@dataclass(frozen=True)
class Ended:
    """How the walk ended. `halted`: somebody asked; `over-budget`: too many DAGs failed; nothing is under way then."""

    how: Literal["done", "failed", "halted", "over-budget"]
    errors: Mapping[str, AerodromeError] = field(default_factory=dict)  # by DAG


@dataclass
class _Running:
    step: Step
    act: Act | None  # None: waits to be tried again
    request: Request | None = None
    wake_at: datetime | None = None
    attempt: int = 1


class Conductor:
    """Walks one track. Not thread-safe; one instance per walk."""

    def __init__(
        self,
        context: CutoverContext,
        steps: Sequence[Step],
        needs: Needs,
        done: Mapping[str, Mapping[str, Any]],
        act_of: Callable[[Step, Mapping[str, Mapping[str, Any]]], Act],
        ledger: Ledger,
        limits: Limits,
    ) -> None:
        self._context = context
        self._driver = Driver(context)
        self._needs = needs
        self._results = {step.key: done[step.key] for step in steps if step.key in done}
        self._act_of = act_of
        self._ledger = ledger
        self._limits = limits
        self._open = {step.key: step for step in steps if step.key not in done}
        self._open_of = Counter(self._dag(step) for step in self._open.values())
        self._gate_open = sum(step.kind in GATE for step in self._open.values())
        self._waiting: dict[str, int] = {}  # key -> needs that are not met
        self._needed_by: dict[str, list[str]] = defaultdict(list)
        self._running: dict[str, _Running] = {}  # by DAG
        self._asking: dict[str, None] = {}  # DAGs whose act waits for an answer
        self._wakes: list[tuple[datetime, str]] = []  # a heap of when to look at DAGs again; some are out of date
        self._errors: dict[str, AerodromeError] = {}  # by DAG
        self._groups = needs.groups
        self._held = self._held_at_first(done)
        self._let_in: set[int] = {index for index, members in enumerate(self._groups) if self._held & set(members)}
        self._next_group = 0
        self._canaries = self._first_groups(limits.canary)
        self._room = Room(limits.held, limits.gap_goal_s)
        self._source_pace = Pace(limits.source_per_s)
        self._target_pace = Pace(limits.target_per_s)
        self._told_at = context.clock.now()
        self._told: dict[str, str] = {}
        self._texts: dict[str, str] = {}  # key -> what the step waits for
        self._ended_steps: dict[str, dict[str, Any] | AerodromeError] = {}  # by DAG, not written down yet
        self._ready: dict[str, None] = {}
        self._parked: dict[int, list[str]] = defaultdict(list)  # steps of groups that are not let in yet
        self._lay_out()

    def run(self) -> Ended:
        """Walk until every step is done, or nothing more can be."""
        try:
            return self._run()
        finally:
            self._driver.close()

    def _run(self) -> Ended:
        while True:
            self._context.sleep(0)  # the place where a stopping server gets through
            is_halted = self._ledger.is_halted() or self._is_over_budget
            self._let_groups_in(is_halted=is_halted)
            self._begin()
            if not self._running or (is_halted and not self._must_go_on()):
                return self._ended()
            if not self._rounds():
                self._wait()

    # --- what may begin ------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Count what each step still waits for."""
        barriers = {name: sum(key in self._open for key in keys) for name, keys in self._needs.barriers.items()}
        for name, keys in self._needs.barriers.items():
            for key in keys:
                if key in self._open:
                    self._needed_by[key].append(name)
        self._barriers = barriers
        for key in self._open:
            missing = 0
            for need in self._needs.of.get(key, ()):
                if need in barriers:
                    missing += barriers[need] > 0
                elif need in self._open:
                    missing += 1
                else:
                    continue
                self._needed_by[need].append(key)
            self._waiting[key] = missing
            if missing == 0:
                self._make_ready(key)

    def _make_ready(self, key: str) -> None:
        step = self._open[key]
        group = self._needs.group_of[self._dag(step)]
        if step.kind in GATE or group in self._let_in:
            self._ready[key] = None
        else:
            self._parked[group].append(key)

    def _let_groups_in(self, *, is_halted: bool) -> None:
        if is_halted or self._gate_open:
            return
        while self._next_group < len(self._groups):
            index = self._next_group
            members = [dag_id for dag_id in self._groups[index] if self._open_of[dag_id]]
            if members and not self._errors.keys().isdisjoint(self._groups[index]):
                members = []  # one of them cannot move, so none of them is touched
            if index not in self._let_in and members:
                if self._held and len(self._held) + len(members) > self._room.size:
                    return
                if (
                    self._canaries
                    and index >= self._canaries
                    and any(self._open_of[dag_id] for group in self._groups[: self._canaries] for dag_id in group)
                ):
                    return
                self._held |= set(members)
                self._let_in.add(index)
                self._ready |= dict.fromkeys(self._parked.pop(index, ()))
            self._next_group += 1

    def _begin(self) -> None:
        """Begin every step that is ready: its intent first, then its act."""
        now = self._context.clock.now()
        chosen: list[Step] = []
        for key in list(self._ready):
            step = self._open[key]
            dag_id = self._dag(step)
            if dag_id in self._running or not self._may_begin(step, now):
                continue
            chosen.append(step)
            self._running[dag_id] = _Running(step, None)
            del self._ready[key]
        if chosen:
            self._ledger.begin([step.key for step in chosen])
            for step in chosen:
                self._advance(self._dag(step), self._act_of(step, self._results), None)

    def _may_begin(self, step: Step, now: datetime) -> bool:
        if step.kind in GATE:
            return True
        if step.kind == "cutover.pause":
            return self._source_pace.take(now)
        if step.kind in ("cutover.unpause", "cutover.roll_back"):
            return self._target_pace.take(now)
        return True

    # --- rounds --------------------------------------------------------------------------------------------------

    def _rounds(self) -> bool:
        """Answer what was asked for, a few times over, then write down what ended; tell whether anything moved."""
        moved = False
        for _ in range(INNER_ROUNDS):
            asked = self._asked()
            if not asked:
                break
            answers = self._driver.answer(asked)
            moved = moved or bool(answers)
            for dag_id, answer in answers.items():
                running = self._running[dag_id]
                if running.act is not None:
                    self._advance(dag_id, running.act, answer)
            if self._ended_steps:
                break  # a step ended: the next one of that DAG shall not wait
        self._tell()
        ended = self._write_down()
        return moved or ended

    def _asked(self) -> dict[str, Request]:
        now = self._context.clock.now()
        asked: dict[str, Request] = {}
        again: list[str] = []
        while self._wakes and self._wakes[0][0] <= now:
            wake_at, dag_id = heappop(self._wakes)
            running = self._running.get(dag_id)
            if running is None or running.wake_at != wake_at:
                continue
            running.wake_at = None
            if running.act is None:
                running.attempt += 1
                again.append(running.step.key)
                running.act = self._act_of(running.step, self._results)
            self._advance(dag_id, running.act, None)
        for dag_id in self._asking:
            request = self._running[dag_id].request
            assert request is not None  # noqa: S101 - asking
            asked[dag_id] = request
        if again:
            self._ledger.begin(again)
        return asked

    def _advance(self, dag_id: str, act: Act, answer: Any) -> None:
        running = self._running[dag_id]
        running.act, running.request = act, None
        self._asking.pop(dag_id, None)
        try:
            request = advance(act, answer)
        except StopIteration as end:
            self._ended_steps[dag_id] = dict(end.value)
            return
        except AerodromeError as error:
            if error.retryable and running.attempt < ATTEMPTS:
                running.act = None
                wait_s = getattr(error, "retry_after_s", None) or 1.0
                self._wake_after(dag_id, running, wait_s)
                self._texts[running.step.key] = error.message
                return
            self._ended_steps[dag_id] = error
            return
        if isinstance(request, Sleep):
            self._wake_after(dag_id, running, request.seconds)
            if request.text:
                self._texts[running.step.key] = request.text
        else:
            running.request = request
            self._asking[dag_id] = None

    def _wake_after(self, dag_id: str, running: _Running, seconds: float) -> None:
        running.wake_at = self._context.clock.now() + timedelta(seconds=seconds)
        heappush(self._wakes, (running.wake_at, dag_id))

    def _write_down(self) -> bool:
        ended, self._ended_steps = self._ended_steps, {}
        if not ended:
            return False
        steps = {dag_id: self._running.pop(dag_id).step for dag_id in ended}
        done = {steps[dag_id].key: out for dag_id, out in ended.items() if not isinstance(out, AerodromeError)}
        failed = {dag_id: out for dag_id, out in ended.items() if isinstance(out, AerodromeError)}
        if done:
            self._ledger.done(done)
        if failed:
            self._ledger.failed({steps[dag_id].key: error for dag_id, error in failed.items()})
            self._ledger.restart([key for dag_id, error in failed.items() for key in self._outdated(dag_id, error)])
        for dag_id, step in steps.items():
            self._texts.pop(step.key, None)
            self._gate_open -= step.kind in GATE
            if dag_id in failed:
                self._errors[dag_id] = failed[dag_id]
                self._held -= set(self._groups[self._needs.group_of[dag_id]])  # it waits for a person: make room
            else:
                self._results[step.key] = done[step.key]
                self._met(step)
        return True

    def _outdated(self, dag_id: str, error: AerodromeError) -> list[str]:
        """Give the done steps that say nothing any more: somebody moved the DAG in the source before it was started."""
        if error.code not in MOVED_ON or f"cutover.unpause:{dag_id}" not in self._open:
            return []
        keys = (f"cutover.{kind}:{dag_id}" for kind in ("pause", "drain", "sync", "prove"))
        return [key for key in keys if key in self._results]

    def _met(self, step: Step) -> None:
        dag_id = self._dag(step)
        del self._open[step.key]
        self._open_of[dag_id] -= 1
        names = [step.key]
        while names:
            for other in self._needed_by.pop(names.pop(), ()):
                if other in self._barriers:
                    self._barriers[other] -= 1
                    if self._barriers[other] == 0:
                        names.append(other)
                    continue
                self._waiting[other] -= 1
                if self._waiting[other] == 0:
                    self._make_ready(other)
        self._room.note(dag_id, step.kind.removeprefix("cutover."), self._results[step.key], self._context.clock.now())
        if step.kind == "cutover.unpause" or self._open_of[dag_id] == 0:
            self._held.discard(dag_id)

    # --- waiting, telling, ending --------------------------------------------------------------------------------

    def _wait(self) -> None:
        now = self._context.clock.now()
        soonest = (self._wakes[0][0] - now).total_seconds() if self._wakes else self._context.poll_s
        self._context.sleep(min(max(soonest, 0.02), self._context.poll_s))

    def _tell(self) -> None:
        now = self._context.clock.now()
        if now - self._told_at < TELL_EVERY:
            return
        self._told_at = now
        fresh = {key: text for key, text in self._texts.items() if self._told.get(key) != text}
        if fresh:
            self._ledger.progress(fresh)
            self._told = dict(self._texts)

    @property
    def _is_over_budget(self) -> bool:
        if len(self._errors) > self._limits.error_budget:
            return True
        return any(self._needs.group_of[dag_id] < self._canaries for dag_id in self._errors)

    def _must_go_on(self) -> bool:
        """Tell whether something is held that can still be started: a wave never stops between the two sides.

        When somebody asked to stop, first cycles are not awaited; after too many failures they are, to know more.
        """
        if self._is_over_budget and not self._ledger.is_halted():
            return True
        return any(running.step.kind not in (*GATE, "cutover.watch") for running in self._running.values())

    def _ended(self) -> Ended:
        if not self._open:
            return Ended("done")
        if self._ledger.is_halted():
            return Ended("halted", self._errors)
        return Ended("over-budget" if self._is_over_budget and self._limits.error_budget else "failed", self._errors)

    def _held_at_first(self, done: Mapping[str, Any]) -> set[str]:
        """Give the DAGs that an earlier walk left between the sides."""
        begun = {self._dag(step) for step in self._needs.steps if step.kind == "cutover.pause" and step.key in done}
        return {dag_id for dag_id in begun if f"cutover.unpause:{dag_id}" in self._open}

    def _first_groups(self, size: int) -> int:
        """Give how many groups make up the first `size` DAGs."""
        total = 0
        for index, members in enumerate(self._groups):
            if total >= size:
                return index
            total += len(members)
        return len(self._groups) if size else 0

    @staticmethod
    def _dag(step: Step) -> str:
        return str(step.params["dag_id"])
