"""Parses a project under an exact Airflow, by a warm interpreter that forks a child for each file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Unavailable
from aerodrome.parsing import failures, memory, warm
from aerodrome.parsing.contract import (
    ImportFailure,
    NextRun,
    ParsedDag,
    ParseLimits,
    ParseResult,
    ParseSetting,
    StandIn,
    TaskUse,
)

_PARALLEL = max(1, min(4, os.cpu_count() or 1))
_SAY_EVERY_S = 5.0
_PATIENCE_S = 60.0  # beyond the time limit: starting to answer, listing files
DEFAULT_LIMITS = ParseLimits()
_UNSTORED = ("fileloc", "_processor_dags_folder", "last_loaded", "relative_fileloc")


@dataclass
class _Answers:
    """What the interpreter said."""

    airflow_version: str = ""
    files: tuple[str, ...] = ()
    read: dict[str, dict[str, Any]] = field(default_factory=dict)
    plugin_errors: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False
    broken: str = ""
    cpu_s: tuple[float, ...] = ()

    @property
    def is_cut_off(self) -> bool:
        """Tell whether the interpreter said which files there are, and then nothing more of some."""
        return bool(self.files) and not self.is_complete and not self.broken

    def with_more(self, other: _Answers | None) -> _Answers:
        """Add what another conversation said of the files that were left."""
        if other is None:
            return self
        plugin_errors = self.plugin_errors | other.plugin_errors
        return replace(other, read=self.read | other.read, plugin_errors=plugin_errors, cpu_s=self.cpu_s + other.cpu_s)


def parse(
    project: Path,
    setting: ParseSetting,
    timeout_s: float = 300.0,
    progress: Callable[[str], None] = lambda _line: None,
    limits: ParseLimits = DEFAULT_LIMITS,
    bundle: tuple[str, Path] | None = None,
) -> ParseResult:
    """Read every DAG file of the project; writes nothing to the metadata database and starts no scheduler.

    With `bundle` (name and folder of a named DAG bundle, Airflow 3) its dags/ is read instead, with the project's plugins/ and
    include/; its files are called `name:dags/…`. A file that hangs, ends its process or takes too much is a failure of that file alone. Broken when this Airflow cannot be
    imported at all (airflow-not-importable), Unavailable when no interpreter can be started.
    """
    started = time.monotonic()
    project = project.resolve()
    interpreter = warm.interpreter_of(setting)
    is_plain = not (limits.next_runs or limits.is_lenient or limits.is_structure_only)
    is_remembering = limits.is_remembering and is_plain and bundle is None
    known = memory.recall(interpreter, project) if is_remembering else {}
    request = _request(project, setting, interpreter, limits, timeout_s)
    request |= {"skip": sorted(known), "is_remembering": is_remembering}
    if bundle is not None:
        root = bundle[1].resolve()
        request |= {"project": str(root), "dags": str(root / "dags"), "bundle_name": bundle[0]}
    answers = _ask(interpreter, request, timeout_s, progress) or _ask(interpreter, request, timeout_s, progress)
    if answers is not None and answers.is_cut_off:  # perhaps by a library that ends the process which imports it
        left = request | {"skip": sorted({*known, *answers.read}), "is_importing_ahead": False}
        answers = answers.with_more(_ask(interpreter, left, timeout_s, progress))
    if answers is None:
        raise Unavailable(
            "The interpreter that reads DAG files ended without an answer.",
            code="parser-ended",
            hint="Perhaps the machine has no memory left; try again.",
        )
    if answers.broken:
        raise warm.not_importable(answers.broken)
    remembered = [file for file in answers.files if file in known and file not in answers.read]
    everything = {**{file: known[file] for file in remembered}, **answers.read}
    found = [
        _read_dag(file, entry, Path(request["project"]))
        for file, item in everything.items()
        for entry in item.get("dags", ())
    ]
    dags = sorted(found, key=lambda dag: (dag.dag_id, dag.file))
    failed = list(_failures(answers, everything, Path(request["project"]), limits))
    failed += _duplicates(dags)
    if is_remembering:
        memory.remember(interpreter, project, everything, dags)
    if bundle is not None:
        dags = [replace(dag, file=f"{bundle[0]}:{dag.file}") for dag in dags]
        failed = [replace(failure, file=f"{bundle[0]}:{failure.file}") for failure in failed]
    result = ParseResult(
        dags=tuple(dags),
        failures=tuple(sorted(failed, key=lambda item: (item.file, item.line or 0, item.kind, item.name))),
        seconds=round(time.monotonic() - started, 3),
        airflow_version=answers.airflow_version,
        file_count=len(answers.files),
        remembered=len(remembered),
        stand_ins={
            file: tuple(StandIn(*names) for names in item["stand_ins"])
            for file, item in answers.read.items()
            if item.get("stand_ins")
        },
        cpu_s=round(sum(answers.cpu_s), 3),
    )
    progress(
        f"{len(result.dags)} DAGs in {result.file_count} files under Airflow {result.airflow_version}, "
        f"{len(result.failures)} failures, {result.seconds:.2f} s"
    )
    return result


def merge(results: Sequence[ParseResult]) -> ParseResult:
    """Put the readings of a project and its named DAG bundles together: a dag_id may be defined by one of them only."""
    dags = sorted((dag for result in results for dag in result.dags), key=lambda dag: (dag.dag_id, dag.file))
    failed = {failure for result in results for failure in result.failures} | set(_duplicates(dags))
    return replace(
        results[0],
        dags=tuple(dags),
        failures=tuple(sorted(failed, key=lambda item: (item.file, item.line or 0, item.kind, item.name))),
        seconds=round(sum(result.seconds for result in results), 3),
        file_count=sum(result.file_count for result in results),
        remembered=sum(result.remembered for result in results),
    )


def _request(
    project: Path,
    setting: ParseSetting,
    interpreter: warm.Interpreter,
    limits: ParseLimits,
    timeout_s: float,
) -> dict[str, Any]:
    environment = interpreter.environment
    dags = environment.get("AIRFLOW__CORE__DAGS_FOLDER", "")
    old = str(Path(dags).parent) if dags.endswith("/dags") else ""
    moved = {name: value.replace(old, str(project)) for name, value in environment.items() if old and old in value}
    home = setting.environment.get("AIRFLOW_HOME")
    plugins = project / "plugins"
    start = limits.next_runs_from or datetime.now(UTC)
    return {
        "project": str(project),
        "importable": str(project),
        "dags": str(project / "dags"),
        "plugins": str(plugins),
        "has_plugins": plugins.is_dir() and any(path.suffix in (".py", ".zip") for path in plugins.rglob("*")),
        "moved": [old, str(project)],
        "environment": {
            **moved,
            **({"AIRFLOW_HOME": str(home)} if isinstance(home, str) else {}),
            "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        },
        "safe_roots": [f"{root}/" for root in _safe_roots(interpreter, old)],
        "bundle_name": limits.bundle_name,
        "parallel": _PARALLEL,
        "timeout_s": timeout_s,
        "file_s": limits.file_s,
        "memory_mb": limits.memory_mb,
        "output_bytes": limits.output_bytes,
        "next_runs": limits.next_runs,
        "is_lenient": limits.is_lenient,
        "is_structure_only": limits.is_structure_only,
        "is_importing_ahead": True,
        "is_staying": limits.is_staying,
        "next_runs_from": [start.isoformat(), *([limits.more_runs_from.isoformat()] if limits.more_runs_from else [])],
    }


def _safe_roots(interpreter: warm.Interpreter, old: str) -> list[str]:
    """Name the folders whose files never change while this interpreter lives."""
    paths = interpreter.environment.get("PYTHONPATH", "").split(":")
    own = [path for path in paths if path and (Path(path) / "aerodrome_airflow").is_dir() and path != old]
    return [str(interpreter.venv), str(interpreter.venv.resolve()), str(interpreter.folder), *own]


def _ask(
    interpreter: warm.Interpreter, request: dict[str, Any], timeout_s: float, progress: Callable[[str], None]
) -> _Answers | None:
    """Hold one conversation; None when it ended before it began."""
    answers = _Answers()
    said_at = time.monotonic()
    try:
        with warm.conversation(interpreter, timeout_s + _PATIENCE_S) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                for line in stream:
                    _take(answers, json.loads(line))
                    if time.monotonic() - said_at > _SAY_EVERY_S:
                        said_at = time.monotonic()
                        count, total = len(answers.read), len(answers.files) - len(request["skip"])
                        progress(f"{count} of {total} files read under Airflow {answers.airflow_version}")
    except (OSError, ValueError):
        pass  # it ended in the middle: what was not said is a failure of its file
    return answers if answers.airflow_version else None


def _take(answers: _Answers, message: dict[str, Any]) -> None:
    if "file" in message:
        answers.read[message["file"]] = message
    elif "files" in message:
        answers.files = tuple(message["files"])
    elif "plugin_errors" in message:
        answers.plugin_errors |= message["plugin_errors"]
    elif "airflow_version" in message:
        answers.airflow_version = message["airflow_version"]
    elif "broken" in message:
        answers.broken = message["broken"]
    elif "done" in message:
        answers.is_complete = True
        answers.cpu_s = tuple(message["cpu_s"])


def _read_dag(file: str, entry: dict[str, Any], project: Path) -> ParsedDag:
    runs = tuple(NextRun(*run) for run in entry.get("runs", ()))
    if "uses" not in entry:
        return ParsedDag(entry["dag_id"], file, {}, "", runs, entry["shape"])
    uses = tuple(TaskUse(*use) for use in entry["uses"])
    if "serialized" in entry:  # remembered
        return ParsedDag(entry["dag_id"], file, entry["serialized"], entry["digest"], shape=entry["shape"], uses=uses)
    data = entry["data"]
    dag = {key: value for key, value in data.get("dag", {}).items() if key not in _UNSTORED}
    data = {**data, "dag": {**dag, "fileloc": file}}
    data = json.loads(json.dumps(data).replace(json.dumps(f"{project}/")[1:-1], ""))
    return ParsedDag(entry["dag_id"], file, data, digest_of(data), runs, entry["shape"], uses)


def _failures(
    answers: _Answers, everything: dict[str, dict[str, Any]], project: Path, limits: ParseLimits
) -> Iterator[ImportFailure]:
    for file, text in answers.plugin_errors.items():
        failure = failures.from_traceback(file, text, project)
        hint = failure.hint or "Airflow goes on without a plugin that cannot be loaded; its parts are missing."
        yield replace(failure, kind="plugin-error", hint=hint)
    for file, item in everything.items():
        if crash := item.get("crash"):
            yield failures.from_crash(file, crash, limits.file_s)
        for path, text in item.get("errors", {}).items():
            failure = failures.from_traceback(file, text, project)
            if path.startswith("not-serializable:"):
                dag_id = path.partition(":")[2]
                failure = replace(
                    failure,
                    kind="not-serializable",
                    name=dag_id,
                    message=f"Airflow cannot store the DAG {dag_id}: {failure.message}",
                )
            yield failure
    for file in answers.files:
        if file not in everything:
            yield failures.from_crash(file, "timeout-all" if answers.is_complete else "signal 9", limits.file_s)


def _duplicates(dags: list[ParsedDag]) -> list[ImportFailure]:
    first: dict[str, ParsedDag] = {}
    found = []
    for dag in dags:
        other = first.setdefault(dag.dag_id, dag)
        if other is not dag:
            found.append(
                ImportFailure(
                    dag.file,
                    None,
                    "duplicate-dag",
                    f"The dag_id {dag.dag_id} is also defined in {other.file}: Airflow would show one or the other.",
                    dag.dag_id,
                    "Give one of them another dag_id.",
                )
            )
    return found
