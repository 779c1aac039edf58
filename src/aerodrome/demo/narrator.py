"""Tells the story on the terminal: one line per chapter, what is going on meanwhile, seconds at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Chapter:
    """One chapter while it is told: `note` shows what is going on, `say` leaves a line, `outcome` stands at the end."""

    def __init__(self, console: Console, title: str, status: Status) -> None:
        self._console = console
        self._title = title
        self._status = status
        self.outcome = ""

    def note(self, text: str) -> None:
        self._status.update(f"[bold]{escape(self._title)}[/]  [dim]{escape(text)}[/]")

    def say(self, text: str) -> None:
        self._console.print(f"    [dim]{escape(text)}[/]", highlight=False)


class Narrator:
    """Keeps the seconds of each chapter in `phases`, by its key."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.phases: dict[str, float] = {}

    @contextmanager
    def chapter(self, key: str, title: str) -> Iterator[Chapter]:
        """Tell one chapter; a failure is marked and goes on to the caller."""
        began = time.monotonic()
        if not self.console.is_terminal:
            self.console.print(f"… {escape(title)}", highlight=False)
        with self.console.status(f"[bold]{escape(title)}[/]") as status:
            chapter = Chapter(self.console, title, status)
            try:
                yield chapter
            except BaseException:
                self.console.print(f"[red]✘[/] [bold]{escape(title)}[/]", highlight=False)
                raise
        self.phases[key] = round(self.phases.get(key, 0.0) + time.monotonic() - began, 1)
        outcome = f"  {escape(chapter.outcome)}" if chapter.outcome else ""
        seconds = f"{time.monotonic() - began:.1f} s"
        self.console.print(f"[green]✔[/] [bold]{escape(title)}[/]{outcome}  [dim]{seconds}[/]", highlight=False)
