"""DAG bundles of a deployment on Airflow 3: every deploy is a version, kept on disk while anything may still run it.

Loaded by Airflow (`[dag_processor] dag_bundle_config_list`). The runtime writes `current.json` atomically:
`{"version": <digest of the project>, "bundles": {<name>: <digest>}, "releases": <folder with one folder per digest>}`; the
bundle called `project` is the project, the others are the named ones. The DAG processor follows it; a task run is initialised
with the version its run was created with and so keeps its code during deploys, whichever bundle it comes from.
"""

from __future__ import annotations

import filecmp
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

try:  # Airflow >= 3.3
    from airflow.dag_processing.bundles.base import BundleVersion
except ImportError:
    BundleVersion = None

PROJECT = "project"  # airflowkit.config.BUNDLE_NAME
log = logging.getLogger(__name__)
_MOST_ASKED = 100
_DIGEST = re.compile(r"[0-9a-z]{1,64}")


class DeployBundle(BaseDagBundle):  # type: ignore[misc]  # its base is known in Airflow only
    """The deployed project, or a named bundle beside it: the current release, or the pinned one."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pointer = Path(os.environ["AERODROME_POINTER"])
        self._current = ""
        self._releases = Path()
        self._changed: list[str] = []
        self._changed_at = 0.0
        self._asks_left: list[float] = []  # seconds after the change
        self._read()

    def initialize(self) -> None:
        self._read()
        if self.version and not self.path.is_dir():
            raise RuntimeError(
                f"The deploy {self.version[:12]} is no longer kept here. "
                "Clear the run with its latest version, or deploy that project again."
            )
        super().initialize()

    def refresh(self) -> None:
        if self.version:
            raise RuntimeError("A pinned version cannot be refreshed.")
        before = self._current
        self._read()
        if before and before != self._current:
            self._changed = changed_files(self._releases / before / "dags", self.path)
            self._asks_left = [0.0, 3.0]
            self._changed_at = time.monotonic()
        while self._asks_left and time.monotonic() >= self._changed_at + self._asks_left[0]:
            self._asks_left.pop(0)
            self._ask_to_parse()

    def _ask_to_parse(self) -> None:
        """Have the changed files parsed before all others, from where they are now.

        The queue of Airflow's DAG processor keeps the folder that a file was in when it was queued, and writes what it read
        there under the new version (3.3.2, dag_processing/manager.py); only a request puts the new folder in its place. A
        request for a file that is being parsed at that moment is dropped, hence a second one.
        """
        try:
            from airflow.models.dagbag import DagPriorityParsingRequest
            from airflow.utils.session import create_session

            with create_session() as session:
                known = session.query(DagPriorityParsingRequest).filter_by(bundle_name=self.name)
                asked = {request.relative_fileloc for request in known}
                for name in self._changed:
                    if name not in asked:
                        session.add(DagPriorityParsingRequest(self.name, name))
        except Exception:  # a deploy is seen a little later without it
            log.warning("The files of a new deploy could not be put first.", exc_info=True)

    def get_current_version(self) -> Any:
        version = self.version or self._current
        return version if BundleVersion is None else BundleVersion(version=version)

    @property
    def path(self) -> Path:
        return self._releases / (self.version or self._current) / "dags"

    def _read(self) -> None:
        pointer = json.loads(self._pointer.read_text())
        named = pointer.get("bundles", {})
        if self.name != PROJECT and self.name not in named and not self.version:
            raise RuntimeError(f"The DAG bundle {self.name!r} was removed by a later deploy.")
        current = pointer["version"] if self.name == PROJECT else named.get(self.name, "")
        for version in (current, self.version):
            if version and not _DIGEST.fullmatch(version):
                raise RuntimeError(f"{version!r} is not the name of a deploy.")
        self._current = current
        self._releases = Path(pointer["releases"])


def changed_files(before: Path, after: Path) -> list[str]:
    """Name the Python files below `after` that are new or differ, the first 100; nothing when there was no `before`."""
    if not before.is_dir():
        return []
    changed = []
    for path in sorted(after.rglob("*")):
        if path.suffix not in {".py", ".zip"} or not path.is_file():
            continue
        name = path.relative_to(after)
        if not (before / name).is_file() or not filecmp.cmp(before / name, path, shallow=False):
            changed.append(name.as_posix())
    return changed[:_MOST_ASKED]
