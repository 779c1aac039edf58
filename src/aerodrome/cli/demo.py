"""`aerodrome demo`: the whole story on this machine."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.console import Console

from aerodrome.cli import exits
from aerodrome.demo.story import Story

WIDTH: Final = 160  # where the story goes to a file
app = App(
    name="demo", help="The whole story on this machine: a self-managed Airflow 2, migrated to a hosted Airflow 3."
)


@app.default
def demo(
    *,
    exit: Annotated[  # noqa: A002 - the option is called --exit
        bool, Parameter(name="--exit", negative="", help="End by itself and stop everything, instead of keeping it up.")
    ] = False,
    home: Annotated[
        Path | None, Parameter(env_var="AERODROME_DEMO_HOME", help="Folder for everything the demo keeps (./.demo).")
    ] = None,
) -> int:
    """Start a self-managed Airflow 2, start the platform, migrate one to the other, and report.

    Writes demo-report.json and demo-report.html into the current folder. Ctrl-C stops everything that was started.
    """
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    story = Story(home or Path(".demo"), console)
    _end_on_signals()
    is_told = False
    try:
        story.tell(Path.cwd())
        is_told = True
        if not exit:
            for title, url in story.pages().items():
                console.print(f"[bold]{title}[/]\n  {url}", highlight=False, soft_wrap=True)
            console.print("\nEverything stays up until Ctrl-C.")
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("")
        return exits.OK if is_told else exits.INTERRUPTED
    finally:
        _ignore_signals()
        story.stop()
    return exits.OK


def _end_on_signals() -> None:
    """Let TERM and a closed terminal end the demo as Ctrl-C does, also where the shell started us with INT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def _ignore_signals() -> None:
    """Let nothing interrupt the stopping itself; it takes seconds and ends by force where it must."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
