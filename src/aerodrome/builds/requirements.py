"""Reads requirements.txt of a project into normalised lines. Pure."""

from __future__ import annotations

import re

from aerodrome.kernel.errors import Invalid

_COMMENT = re.compile(r"(^|\s)#.*$")
_AIRFLOW_CONSTRAINTS = re.compile(r"(-c|--constraint)[ =]?\S*/constraints-[\d.]+\S*")


def normalise(text: str) -> tuple[str, ...]:
    """Give the requirement lines: no comments, no blanks, joined continuations, order kept, each once.

    A line that names Airflow's own constraints file is left out: the lock of the Airflow version takes its place.
    Invalid (requirements-option) for pip options such as -r or --index-url: a bundle must say by itself what it needs.
    """
    joined = re.sub(r"\\\r?\n", " ", text)
    lines: dict[str, None] = {}
    for number, raw in enumerate(joined.splitlines(), start=1):
        line = " ".join(_COMMENT.sub("", raw).split())
        if not line or _AIRFLOW_CONSTRAINTS.fullmatch(line):
            continue
        if line.startswith("-"):
            raise Invalid(
                f"requirements.txt, line {number}: the option {line.split()[0]} is not supported.",
                code="requirements-option",
                hint="List packages only; index addresses belong to the platform's settings.",
                details={"file": "requirements.txt", "line": number},
            )
        lines[line] = None
    return tuple(lines)
