"""Answers which versions of packages go together, without installing anything.

Called by migration.codemod. No source distribution is built: no code of a package is run.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from aerodrome.builds.locks import read_lock
from aerodrome.builds.uv import run_uv
from aerodrome.kernel.errors import Invalid

_PIN = re.compile(r"(?m)^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


def is_lock_usable(airflow_version: str, python_version: str, as_of: date) -> bool:
    """Tell whether all that a deployment of this Airflow is locked to was published by that day; Unavailable when the index does not answer."""
    if read_lock(airflow_version, python_version) is None:
        return False
    try:
        resolve(airflow_version, python_version, (), as_of, is_locked=True)
    except Invalid:
        return False
    return True


def resolve(
    airflow_version: str, python_version: str, requirements: Sequence[str], as_of: date, *, is_locked: bool = False
) -> Mapping[str, str]:
    """Give the version of every package that these requirements and Airflow need, by its normalized name.

    `is_locked`: what fits must also go with the packages that deployments of this Airflow are locked to.
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
        if is_locked and (lock := read_lock(airflow_version, python_version)) is not None:
            (locked := Path(folder) / "lock.txt").write_text(lock, encoding="utf-8")
            command += ["--constraint", str(locked)]
        found = run_uv([*command, "--exclude-newer", as_of.isoformat(), str(wanted)])
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _PIN.findall(found)}
