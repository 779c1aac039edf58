"""How values read on pages: tones of statuses, times ago, durations, titles. Pure functions, used as Jinja filters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup, escape

Tone = Literal["good", "warn", "bad", "info", "info busy", ""]

_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d+Z", re.MULTILINE)
_TONES: dict[str, Tone] = {
    **dict.fromkeys(("healthy", "live", "running", "done", "applied", "success", "ok", "kept", "passed"), "good"),
    **dict.fromkeys(("degraded", "warning", "backing-off", "stopped"), "warn"),
    **dict.fromkeys(("unhealthy", "failed", "blocker", "missing", "critical", "refused"), "bad"),
    **dict.fromkeys(
        (
            "creating",
            "deploying",
            "starting",
            "building",
            "switching",
            "returning",
            "queued",
            "deleting",
            "assessing",
            "applying",
        ),
        "info busy",
    ),
    **dict.fromkeys(("connected", "assessed", "planned", "info"), "info"),
    **dict.fromkeys(("match", "equal", "sent"), "good"),
    **dict.fromkeys(("attention", "not-compared", "not compared"), "warn"),
    **dict.fromkeys(("mismatch", "different", "open"), "bad"),
    **dict.fromkeys(("explained",), "info"),
    **dict.fromkeys(("cutting-over", "rolling-back", "taking", "returning"), "info busy"),
}
_NOUNS = {
    "dag": "DAG",
    "env_var": "environment variable",
    "config": "config option",
    "run": "DAG run",
    "task_instance": "task instance",
    "task_try": "earlier try",
    "xcom": "XCom",
    "rendered": "set of rendered fields",
}


def tone(word: str) -> Tone:
    """Give the colour family of a status word."""
    return _TONES.get(word, "")


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago a moment is, in one unit."""
    seconds = (now - at).total_seconds()
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def took(span: timedelta) -> str:
    """Say a duration in the unit that fits."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def plural(kind: str, count: int) -> str:
    """Name a record kind for people: 1 DAG, 2 DAGs."""
    noun = _NOUNS.get(kind, kind.replace("_", " "))
    if count == 1:
        return noun
    if noun.startswith("set of"):
        return f"sets{noun.removeprefix('set')}"
    return f"{noun[:-1]}ies" if noun.endswith("try") else f"{noun}s"


def track_title(name: str) -> str:
    """Name a track for people."""
    if name == "apply":
        return "Apply the plan"
    kind, _, wave = name.partition(":")
    return f"{'Roll back' if kind == 'rollback' else 'Cut over'} {wave}"


def log_lines(text: str) -> str:
    """Shorten the moments at the begin of log lines to the second."""
    return _MOMENT.sub(r"\1", text)


def with_code(text: str) -> Markup:
    """Show what stands between backticks as code; all else is escaped."""
    parts = (
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def diff_line(line: str) -> str:
    """Give the class of a line of a unified diff."""
    if line.startswith(("+++", "---", "@@")):
        return "at"
    return {"+": "add", "-": "del"}.get(line[:1], "same")


def interval(moments: Sequence[str] | None) -> str:
    """Write a data interval given as ISO texts, to the second."""
    if not moments:
        return "–"
    return " → ".join(str(moment)[:19].replace("T", " ") for moment in moments)
