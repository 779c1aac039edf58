"""Does a step of the upgrade for many files: in this process, or in some more of them. Results come in the order of the files.

Called by upgrade. What a step gives depends on its file, the project as it was before, and the options alone, so the number of processes changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, TypeVar

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.project import Project

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
FEWEST = 200
"""Files from which on more processes are worth their start: each reads the tables of names anew."""
_PORTIONS = 8
_SAY_EVERY_S = 5.0


@dataclass(frozen=True)
class Held:
    """What every step knows."""

    out_dir: Path
    project: Project
    options: Options


class Each(Protocol):
    """Calls a step, a function of a module, for each item; `what` says in a few words what it does."""

    def __call__(self, step: Callable[[Held, _Item], _Result], items: Sequence[_Item], what: str) -> list[_Result]: ...


_mine: list[Held] = []  # of a worker's process, which is started with it


@contextmanager
def workers(held: Held, jobs: int, files: int, progress: Callable[[str], None]) -> Iterator[Each]:
    """Give what runs steps in up to `jobs` processes; in this one alone for few files. Long steps tell `progress` how far they are."""
    if jobs <= 1 or files < FEWEST:

        def here(step: Callable[[Held, _Item], _Result], items: Sequence[_Item], what: str) -> list[_Result]:
            return _told(([step(held, item)] for item in items), len(items), what, progress)

        yield here
        return
    # "spawn": a server's threads and locks are not copied
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=(held,)) as pool:

        def there(step: Callable[[Held, _Item], _Result], items: Sequence[_Item], what: str) -> list[_Result]:
            portion = max(1, len(items) // (jobs * _PORTIONS))
            parts = [items[at : at + portion] for at in range(0, len(items), portion)]
            return _told(pool.map(_do, [step] * len(parts), parts), len(items), what, progress)

        yield there


def _told(parts: Iterable[list[_Result]], total: int, what: str, progress: Callable[[str], None]) -> list[_Result]:
    said_at = time.monotonic()
    results: list[_Result] = []
    for part in parts:
        results += part
        if time.monotonic() - said_at > _SAY_EVERY_S:
            said_at = time.monotonic()
            progress(f"{len(results)} of {total} files {what}")
    return results


def _begin(held: Held) -> None:
    _mine.append(held)


def _do(step: Callable[[Held, _Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    return [step(_mine[0], item) for item in items]
