"""A profile to fill in: the types of jobs that nothing converts yet, how many jobs each has, and their details by name.

It goes into the project as `job_types.yaml`. As written it is a profile that changes nothing: entries are comments. Values of details, which may be
secret, are never in it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.plugins.details import profile_of

FILE: Final = "job_types.yaml"
_HEAD: Final = """\
# Jobs of these types raise in their DAGs until a profile says what they become.
# For each type: uncomment one of its two lines, complete it, and convert again with --profile (job_types may also stand in your own profile).
# {Detail} is a detail of the job; in a command it becomes one word. A job that lacks a detail that is named raises.
# Details are listed with the number of jobs that have them: an entry can only name those that all jobs of the type have.
job_types:
"""


def skeleton(jobs: Iterable[tuple[str, Job]]) -> str:
    """Give the file for the (folder, job) pairs that nothing converts; "" without any. Frequent types first, then by name."""
    by_type: dict[str, list[tuple[str, Job]]] = defaultdict(list)
    for folder, job in jobs:
        by_type[job.type_name].append((folder, job))
    if not by_type:
        return ""
    order = sorted(by_type.items(), key=lambda item: (-len(item[1]), item[0]))
    return _HEAD + "\n".join(_entry(name, found) for name, found in order)


def _entry(type_name: str, jobs: list[tuple[str, Job]]) -> str:
    names = Counter(key for _, job in jobs for key, value in job.details.items() if value.strip())
    always = [name for name in sorted(names) if names[name] == len(jobs) and _can_be_named(name)]
    folder, first = jobs[0]
    pattern = _quoted(_literal(type_name))
    arguments = "".join(f" {{{name}}}" for name in always)
    command = _quoted(f"COMMAND{arguments}")
    connection = ", connection: CONN_ID_ARGUMENT" if any(profile_of(job.details) for _, job in jobs) else ""
    shown = _quoted(f"{folder}/{first.name}")
    count = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs, the first"
    details = ", ".join(f"{_quoted(name)} ({names[name]})" for name in sorted(names)) or "none"
    return (
        f"  # {count}: {shown}\n"
        f"  # details: {details}\n"
        f"  # {pattern}: {{command: {command}}}\n"
        f"  # {pattern}: {{operator: PACKAGE.MODULE.OPERATOR, arguments: {{}}{connection}}}\n"
    )


def _quoted(text: str) -> str:
    """Quote a text for one line of YAML: what YAML takes for the end of a line is escaped too."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in shown)


def _literal(text: str) -> str:
    """Write a type as a pattern that stands for itself alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _can_be_named(name: str) -> bool:
    return name[:1].isascii() and name[:1].isalpha() and not set(name) & set("{}\n")
