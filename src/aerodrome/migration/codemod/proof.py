"""Proves an upgrade: both projects are really read, each under its Airflow, and what their DAGs are is compared.

Away from a deployment things are missing: both readings get the same stand-ins (parsing, `is_lenient`), and every one is named. No
code leaves the machine, no metadata database exists. The interpreters are the caller's virtualenvs.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK
from aerodrome.kernel.trees import copy_tree
from aerodrome.migration.codemod.origin import default_timezone
from aerodrome.migration.codemod.raising import Raising
from aerodrome.migration.codemod.rules.asset_addresses import are_prefixed
from aerodrome.parsing import (
    DagDifference,
    ImportFailure,
    ParsedDag,
    ParseLimits,
    ParseResult,
    ParseSetting,
    compare,
    parse,
)
from aerodrome.parsing.warm import end, interpreter_of

Verdict = Literal["equal", "equal-but-for", "different", "broken", "not-comparable"]
RUNS = 50
FIRST_RUN_AT = datetime(2026, 3, 27, tzinfo=UTC)
"""The next fire times are computed from here and from half a year later, so that both changes of the clock are among them."""
SECOND_RUN_AT = datetime(2026, 10, 23, tzinfo=UTC)
_TIMEOUT_S = 3600.0
_PREFIXED = (
    "Airflow 3 refuses the address, so the upgrade put x- before it, in all of the project: tell whoever else names it."
)


@dataclass(frozen=True)
class Interpreter:
    """One exact Airflow: its version, and its virtualenv with the packages that the DAGs need."""

    version: str
    venv: Path

    @property
    def python(self) -> str:
        """Give the version of its Python, "3.11"; "" where the virtualenv does not tell."""
        folders = sorted(self.venv.glob("lib/python3.*"))
        return folders[0].name.removeprefix("python") if folders else ""


@dataclass(frozen=True)
class FileProof:
    """One DAG file. `reason` says why there is nothing to compare, or what fails under the target; where both fail, the source's error and then the target's.

    equal: no difference. equal-but-for: every difference has its explanation, and changes no run unless a task is `raising`. different: look at it.
    broken: the target cannot read it. not-comparable: the source cannot, or it holds no DAG.
    """

    file: str
    verdict: Verdict
    reason: str
    dag_ids: tuple[str, ...]
    differences: tuple[DagDifference, ...]
    stand_ins: tuple[str, ...]  # "module pandas"; what neither reading could have
    raising: tuple[
        str, ...
    ] = ()  # "dag_id.task_id", "dag_id.SomeHook": of a class that is gone; they fail when they run


@dataclass(frozen=True)
class Proof:
    """All DAG files, by path."""

    source_version: str
    target_version: str
    files: tuple[FileProof, ...]
    seconds: float
    source_python: str = ""
    target_python: str = ""  # what only another Python lacks, the proof did not see
    cpu_s: float = 0.0  # processor time of both readings, on all cores

    @property
    def verdicts(self) -> dict[str, int]:
        return dict(sorted(Counter(file.verdict for file in self.files).items()))

    def as_data(self) -> dict[str, Any]:
        """Give plain JSON data."""
        return {
            "source_version": self.source_version,
            "target_version": self.target_version,
            "source_python": self.source_python,
            "target_python": self.target_python,
            "seconds": self.seconds,
            "verdicts": self.verdicts,
            "files": [asdict(file) for file in self.files],
        }


def prove(
    before: Path,
    after: Path,
    source: Interpreter,
    target: Interpreter,
    *,
    is_pinned: bool,
    timezone: str = "",
    home: Path | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> Proof:
    """Read `before` under the source and `after` under the target and compare file by file; both are project or DAG folders.

    `is_pinned`: the code itself says its data intervals; else the target runs with create_cron_data_intervals on, as every
    deployment that a migration makes does. `timezone`: the default_timezone of both, by default what the project's files say.
    `home`: a private folder in which the interpreters stay warm for the next proof, for some minutes; one proof at a time.
    Broken (airflow-not-importable) when a virtualenv does not work.
    """
    started = time.monotonic()
    zone = timezone or default_timezone(before)
    common = {"AIRFLOW__CORE__DEFAULT_TIMEZONE": zone} if zone else {}
    intervals = {f"AIRFLOW__SCHEDULER__CREATE_{name}_DATA_INTERVALS": "True" for name in ("CRON", "DELTA")}
    with tempfile.TemporaryDirectory(prefix="aerodrome-proof-") as folder:
        place = home or Path(folder)
        read = partial(_read, progress=progress, is_kept=home is not None)
        with ThreadPoolExecutor(2) as both:  # one imports what its files need while the other reads
            readings = (
                both.submit(read, before, source, place / "source", common),
                both.submit(read, after, target, place / "target", common if is_pinned else common | intervals),
            )
            old, new = (reading.result() for reading in readings)
    olds, news = _by_file(old), _by_file(new)
    nothing = (replace(old, dags=(), failures=()), replace(new, dags=(), failures=()))
    raising = Raising(after)
    files = tuple(
        _prove_file(file, olds.get(file, nothing[0]), news.get(file, nothing[1]), raising)
        for file in sorted(olds.keys() | news)
    )
    seconds = round(time.monotonic() - started, 2)
    cpu_s = round(old.cpu_s + new.cpu_s, 2)
    return Proof(source.version, target.version, files, seconds, source.python, target.python, cpu_s)


def _read(
    project: Path,
    airflow: Interpreter,
    home: Path,
    options: Mapping[str, str],
    *,
    progress: Callable[[str], None],
    is_kept: bool,
) -> ParseResult:
    """Read a copy: the project's own folder is not written, and its path does not matter."""
    stage = home / "project"
    shutil.rmtree(stage, ignore_errors=True)
    is_project = (project / "dags").is_dir()
    copy_tree(project, stage if is_project else stage / "dags", lambda name: name in {".git", ".venv", "__pycache__"})
    place = home / "home"
    environment = {
        "PATH": f"{airflow.venv / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "AIRFLOW_HOME": str(place),
        "AIRFLOW__CORE__DAGS_FOLDER": str(stage / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(stage / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": f"sqlite:///{place}/none.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place}/none.db",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",  # nobody reads what is logged, and every file logs something
        "AIRFLOW__CORE__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": f"{stage}:{stage / 'dags'}:{stage / 'plugins'}",
        "TZ": "UTC",
        **options,
    }
    setting = ParseSetting(airflow.venv, airflow.version, environment, home / "warm")
    limits = ParseLimits(
        is_lenient=True,
        is_remembering=False,
        is_structure_only=True,
        is_staying=is_kept,
        next_runs=RUNS,
        next_runs_from=FIRST_RUN_AT,
        more_runs_from=SECOND_RUN_AT,
    )
    try:
        return parse(stage, setting, timeout_s=_TIMEOUT_S, progress=progress, limits=limits)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not is_kept:
            end(interpreter_of(setting))


def _by_file(result: ParseResult) -> dict[str, ParseResult]:
    """Give the reading of each file that has a DAG or failed; that another file has the same dag_id is no failure here."""
    dags: dict[str, list[ParsedDag]] = {}
    failures: dict[str, list[ImportFailure]] = {}
    for dag in result.dags:
        dags.setdefault(dag.file, []).append(dag)
    for failure in result.failures:
        if failure.kind != "duplicate-dag":
            failures.setdefault(failure.file, []).append(failure)
    return {
        file: replace(result, dags=tuple(dags.get(file, ())), failures=tuple(failures.get(file, ())))
        for file in dags.keys() | failures
    }


def _prove_file(file: str, old: ParseResult, new: ParseResult, raising: Raising) -> FileProof:
    names = {f"{item.kind} {item.name}" for result in (old, new) for item in result.stand_ins.get(file, ())}
    dag_ids = tuple(sorted({dag.dag_id for dag in (*old.dags, *new.dags)}))
    found = tuple(raising.differences(file, new))
    failing = tuple(f"{item.dag_id}.{item.path.partition('.')[2].removesuffix('.outcome')}" for item in found)

    def proof(verdict: Verdict, reason: str = "", differences: tuple[DagDifference, ...] = ()) -> FileProof:
        return FileProof(file, verdict, Redactor().text(reason), dag_ids, differences, tuple(sorted(names)), failing)

    if new.failures:
        if old.failures and not old.dags:  # the source's error is why; the target's is what the upgrade left
            return proof("not-comparable", f"{_failure(old)} | {_failure(new)}")
        return proof("broken", _failure(new))
    if old.failures or not old.dags:
        return proof("not-comparable", _failure(old))
    compared = (_of_addresses(item) for item in raising.explained(compare(old, new), found))
    differences = tuple(_masked(item) for item in (*found, *compared))
    absent = {name.removeprefix("module ") for name in names if name.startswith("module airflow.providers.")}
    of_target = {item.name for item in new.stand_ins.get(file, ()) if item.kind == "module"} & absent
    if of_target or (absent and any(_is_hard(item) for item in differences)):
        why = f"A virtualenv lacks {', '.join(sorted(absent))}: its operators could not be made."
        return proof("not-comparable", why, differences)
    if any(_is_hard(item) for item in differences):
        return proof("different", "", differences)
    return proof("equal-but-for" if differences else "equal", "", differences)


def _failure(read: ParseResult) -> str:
    reason = read.failures[0].message if read.failures else "It holds no DAG."
    return f"Airflow {read.airflow_version}: {reason}"


def _of_addresses(item: DagDifference) -> DagDifference:
    """Give the reason where the upgrade itself gave datasets another address."""
    is_ours = item.path.endswith((".outlets", ".inlets")) and are_prefixed(item.before or (), item.after or ())
    return replace(item, reason=_PREFIXED) if is_ours and not item.reason else item


def _masked(item: DagDifference) -> DagDifference:
    """Hide values that are called like secrets, and secrets within values: a proof is shown and written."""
    name = item.path.rpartition(".")[2]
    shown = Redactor().data({name: [item.before, item.after]})[name]
    before, after = shown if isinstance(shown, list) else (MASK, MASK)
    return replace(item, before=before, after=after)


def _is_hard(item: DagDifference) -> bool:
    """Tell whether a difference changes what runs, or has no explanation."""
    if item.severity == "info":
        return False
    changes_runs = item.path == "catchup" or item.path.endswith(".trigger_rule")
    return item.severity == "blocker" or changes_runs or not item.reason
