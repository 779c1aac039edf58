"""Reads the DAGs of a spec under the very environment that its Airflow has, beside whatever runs; used by the runtime.

The environment file of a spec that is not applied yet is sealed aside, so that nothing of the running Airflow changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from aerodrome import parsing
from aerodrome.airflowkit import config
from aerodrome.parsing import warm
from aerodrome.parsing.contract import ParseLimits, ParseResult, ParseSetting
from aerodrome.runtimes.contract import Progress, RuntimeSpec
from aerodrome.runtimes.local import environment
from aerodrome.runtimes.local.layout import Layout

_TIMEOUT_S = 600.0  # for all files of a project together
_HOME = ".parsing"  # below the runtime's folder: warm interpreters of all deployments


def setup_aside(setup: config.AirflowSetup, layout: Layout, spec: RuntimeSpec) -> config.AirflowSetup:
    """Give the setup with the spec's connections and variables in a sealed file of their own."""
    aside = Layout(layout.folder / "reading")
    for folder in (aside.folder, aside.keys):
        folder.mkdir(exist_ok=True, mode=0o700)
    environment.seal(aside, spec.environment)
    return replace(
        setup,
        environment_path=environment.sealed_path(aside),
        environment_key_path=environment.key_path(aside),
    )


def read(
    root: Path,
    spec: RuntimeSpec,
    setup: config.AirflowSetup,
    base: Mapping[str, str],
    limits: ParseLimits,
    progress: Progress,
) -> ParseResult:
    """Read the project and its named DAG bundles."""
    home = root / _HOME
    setting = ParseSetting(spec.venv, spec.airflow_version, config.environment(setup, base), home)
    project = spec.project
    if project is None:
        project = home / "empty-project"
        (project / "dags").mkdir(parents=True, exist_ok=True, mode=0o700)
    results = [parsing.parse(project, setting, _TIMEOUT_S, progress, limits=limits)]
    for name, folder in sorted(spec.extra_projects.items()):
        results.append(parsing.parse(project, setting, _TIMEOUT_S, progress, limits=limits, bundle=(name, folder)))
    return parsing.merge(results)


def end_interpreters(root: Path) -> None:
    """End the warm interpreters of all deployments."""
    warm.end_all(root / _HOME)
