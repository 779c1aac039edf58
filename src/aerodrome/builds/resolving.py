"""Answers which versions of packages go together, without installing anything.

Called by migration.codemod. No source distribution is built: no code of a package is run.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from aerodrome.builds.uv import run_uv

_PIN = re.compile(r"(?m)^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


def resolve(airflow_version: str, python_version: str, requirements: Sequence[str], as_of: date) -> Mapping[str, str]:
    """Give the version of every package that these requirements and Airflow need, by its normalized name.

    Considered is what was published up to the end of `as_of`. Invalid (requirements-unresolvable) when nothing fits, its `output` detail says
    why; Unavailable (packages-unreachable) when the index does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="aerodrome-resolve-") as folder:
        wanted = Path(folder) / "requirements.in"
        wanted.write_text("\n".join((f"apache-airflow=={airflow_version}", *requirements)) + "\n", encoding="utf-8")
        command = [
            "pip",
            "compile",
            "--no-config",
            "--no-header",
            "--no-annotate",
            "--no-build",
            "--python-version",
            python_version,
        ]
        found = run_uv([*command, "--exclude-newer", as_of.isoformat(), str(wanted)])
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _PIN.findall(found)}
