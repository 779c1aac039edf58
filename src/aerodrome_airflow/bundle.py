"""DAG bundles of a deployment on Airflow 3: every deploy is a version, kept on disk while anything may still run it.

Loaded by Airflow (`[dag_processor] dag_bundle_config_list`). The runtime writes `current.json` atomically:
`{"version": <digest of the project>, "bundles": {<name>: <digest>}, "releases": <folder with one folder per digest>}`; the
bundle called `project` is the project, the others are the named ones. The DAG processor follows it; a task run is initialised
with the version its run was created with and so keeps its code during deploys, whichever bundle it comes from.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

try:  # Airflow >= 3.3
    from airflow.dag_processing.bundles.base import BundleVersion
except ImportError:
    BundleVersion = None

PROJECT = "project"  # airflowkit.config.BUNDLE_NAME
_DIGEST = re.compile(r"[0-9a-z]{1,64}")


class DeployBundle(BaseDagBundle):  # type: ignore[misc]  # its base is known in Airflow only
    """The deployed project, or a named bundle beside it: the current release, or the pinned one."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pointer = Path(os.environ["AERODROME_POINTER"])
        self._current = ""
        self._releases = Path()
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
        self._read()

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
