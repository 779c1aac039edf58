"""One day of Control-M on paper: which jobs of a folder run on an order date, in which order, and how they end.

It knows folders, conditions and ends; it knows nothing of DAGs, and shares no code with what builds them: it is the other side of the
comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Wait

Path = tuple[str, ...]
Awaited = tuple[Path, str, str]  # who waits, for which condition, of which date


@dataclass
class Day:
    """What happened: jobs that ran in their order, and those that ended OK."""

    executed: list[Path] = field(default_factory=list)
    ended_ok: set[Path] = field(default_factory=set)
    folders_ok: set[Path] = field(default_factory=set)
    met_by: dict[Path, dict[str, frozenset[Path]]] = field(
        default_factory=dict
    )  # job -> condition -> jobs that had added it


def run_day(
    folder: Folder,
    ordered: Iterable[Path],
    is_ok: Callable[[Path], bool],
    present: AbstractSet[Awaited],
    refused: AbstractSet[Awaited] = frozenset(),
    given_up: Iterable[AbstractSet[Awaited]] = (),
    raising: AbstractSet[Awaited] = frozenset(),
) -> Day:
    """Run a folder. `ordered` are the jobs of this date, `present` what nodes wait for and somebody outside has added.

    `refused` is what nobody can meet, whoever adds it: the conversion has tasks that raise for it. What waits for `given_up`
    until its wait ends is removed from the table of jobs then, set by set: its folder ends without it. What has a wait in `raising`
    is not: the task that stands for the wait has failed.
    """
    day = Day()
    added: dict[tuple[str, str], set[Path]] = {}
    todo = set(ordered)
    table = _adjusted(folder, todo) if folder.is_adjusting else set()
    waiting = [job for job in folder.jobs() if job.path in todo]
    open_folders = [folder, *folder.folders()]
    started: set[Path] = set()
    removed: set[Path] = set()
    while True:
        for box in open_folders:
            parent_open = box.path == folder.path or box.path[:-1] in started
            if box.path not in started and parent_open and _is_met(box, table, present, refused):
                started.add(box.path)
        wave = [job for job in waiting if job.path[:-1] in started and _is_met(job, table, present, refused)]
        coming = _coming(folder, waiting, day)
        free = [job for job in waiting if not _waits_for(folder, job, raising)]
        if not wave and not any(_give_up(folder, free, keys, waiting, removed, coming) for keys in given_up):
            break
        for job in wave:
            waiting.remove(job)
            day.executed.append(job.path)
            keys = {wait.name: (wait.name, _date(wait.odate)) for wait in job.waits}
            day.met_by[job.path] = {name: frozenset(added[key]) for name, key in keys.items() if key in added}
            had = set(table)
            if is_ok(job.path):
                day.ended_ok.add(job.path)
                _apply(job, "ok", table)
            else:
                _apply(job, "notok", table)
            for key in table - had:
                added[key] = {job.path}
            for key, jobs in added.items():
                if key in had and _adds(job, key, is_ok=job.path in day.ended_ok):
                    jobs.add(job.path)
        for box in reversed(open_folders):
            inside = [job.path for job in box.jobs() if job.path in todo - removed]
            if inside and box.path not in day.folders_ok and all(path in day.ended_ok for path in inside):
                day.folders_ok.add(box.path)
                _apply(box, "ok", table)
    return day


def _adjusted(folder: Folder, todo: AbstractSet[Path]) -> set[tuple[str, str]]:
    """Give the conditions that ADJUST_COND takes as met: those that only jobs add that are not ordered."""
    missing: set[tuple[str, str]] = set()
    coming: set[tuple[str, str]] = set()
    for job in folder.jobs():
        for event in ("ok", "notok"):
            _apply(job, event, coming if job.path in todo else missing)
    return missing - coming


def _coming(folder: Folder, waiting: list[Job], day: Day) -> set[tuple[str, str]]:
    """Give the conditions that jobs and folders which have not ended may still add."""
    found: set[tuple[str, str]] = set()
    for job in waiting:
        _apply(job, "ok", found)
        _apply(job, "notok", found)
    for box in folder.folders():
        if box.path not in day.folders_ok:
            _apply(box, "ok", found)
    return found


def _give_up(
    folder: Folder,
    free: list[Job],
    given_up: AbstractSet[Awaited],
    waiting: list[Job],
    removed: set[Path],
    coming: AbstractSet[tuple[str, str]],
) -> bool:
    """Remove the jobs whose wait has ended without their conditions; False when there is none.

    First those for which nothing can come any more: their end may let others go on.
    """
    for keys in ({key for key in given_up if key[1:] not in coming}, given_up):
        gone = [
            job
            for job in free
            if not all(
                _holds(node.waits, [awaited(node, wait) not in keys for wait in node.waits])
                for node in (*_above(folder, job), job)
            )
        ]
        if gone:
            break
    for job in gone:
        waiting.remove(job)
        removed.add(job.path)
    return bool(gone)


def _waits_for(folder: Folder, job: Job, keys: AbstractSet[Awaited]) -> bool:
    return any(awaited(node, wait) in keys for node in (*_above(folder, job), job) for wait in node.waits)


def _above(folder: Folder, job: Job) -> list[Node]:
    return [folder, *(box for box in folder.folders() if job.path[: len(box.path)] == box.path)]


def awaited(node: Node, wait: Wait) -> Awaited:
    """Give the key of one in-condition of a node."""
    return (node.path, wait.name, _date(wait.odate))


def _is_met(
    node: Node, table: set[tuple[str, str]], present: AbstractSet[Awaited], refused: AbstractSet[Awaited]
) -> bool:
    keys = [awaited(node, wait) for wait in node.waits]
    return _holds(node.waits, [key not in refused and (key in present or key[1:] in table) for key in keys])


def _holds(waits: tuple[Wait, ...], are_there: list[bool]) -> bool:
    """Evaluate the list as Python does: `and` binds closer than `or`, parentheses first."""
    words: list[str] = []
    for place, (wait, is_there) in enumerate(zip(waits, are_there, strict=True)):
        if place:
            words.append("or" if wait.joins == "O" else "and")
        words.append("(" * wait.opens + str(is_there) + ")" * wait.closes)
    text = " ".join(words) or "True"
    missing = text.count("(") - text.count(")")
    return bool(eval(text + ")" * missing if missing > 0 else "(" * -missing + text, {"__builtins__": {}}))  # noqa: S307  (only True, False, and, or)


def _apply(node: Node, event: str, table: set[tuple[str, str]]) -> None:
    if event == "ok":
        for out in node.outs:
            if out.sign == "+":
                table.add((out.name, _date(out.odate)))
    for reaction in node.reactions:
        code = reaction.code.upper().replace(" ", "")
        if not isinstance(node, Job) or code not in ({"OK"} if event == "ok" else {"NOTOK"}):
            continue
        for action in reaction.actions:
            if action.kind == "cond" and action.values.get("SIGN", "+") in ("+", "ADD", ""):
                table.add((action.values.get("NAME", ""), _date(action.values.get("ODATE", "ODAT"))))


def _adds(job: Job, key: tuple[str, str], *, is_ok: bool) -> bool:
    table: set[tuple[str, str]] = set()
    _apply(job, "ok" if is_ok else "notok", table)
    return key in table


def _date(word: str) -> str:
    """Give one word for dates that mean the same within one day."""
    return {"": "ODAT", "$$$$": "STAT", "****": "STAT"}.get(word.strip().upper(), word.strip().upper())
