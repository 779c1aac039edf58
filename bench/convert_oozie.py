"""Converts every Oozie definition of a folder and proves the result, for bench.convert.

`definitions` are the files that hold one (workflow, coordinator, bundle). `converted_share`: those that gave a DAG; files that are no XML at all, which Oozie cannot read either, are counted apart as `malformed`. `import_share_*`: the DAGs that a real
Airflow reads and serializes. `real_action_share`: actions that did not become a task that raises, of workflows that Oozie accepts (what it
refuses becomes a DAG that raises, and counts as converted). `exact_share`: the coordinators and bundles whose run
times (the first 50, as both real Airflows compute them) are Oozie's and whose every wait was kept; values that no file gives (start, end, zone) are
answered with samples, as a team would answer the questions of the report; coordinators that Oozie itself refuses (a start that is no time) are counted apart. `silent_changes`: workflows for which a run on paper differs from
Oozie's, run times that differ, and arguments, or values that a
coordinator hands to a workflow which is not there, that render to something else than `bench.oozie_values` gives, an empty text for what Oozie does not go on
without, and waits that hold up other runs, where no caveat says so. `seconds`: reading, converting and writing all of it for one target.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
from bench.oozie_values import Given, Moment, given_to

from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import TARGETS, Conversion, Dag, Target
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.oozie import evaluation, frequency, oracle
from aerodrome.migration.convert.oozie.el import parse as parse_el
from aerodrome.migration.convert.oozie.estate import Estate, read_estate
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.profiles import Profile
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.properties import Scope
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.oozie.subworkflows import names_in
from aerodrome.migration.convert.xmlreading import Element, read_file
from aerodrome.parsing.contract import ParsedDag, ParseLimits, ParseSetting
from aerodrome.parsing.parser import parse
from aerodrome.parsing.warm import end_all

RUNS = 50
VERSIONS: Mapping[Target, str] = {"2.11": "2.11.2", "3.3": "3.3.2"}
SAMPLES = {
    "start": "2015-03-01T00:00Z",
    "end": "2030-01-01T00:00Z",
    "timezone": "UTC",
    "frequency": "1440",
    "initial-instance": "2015-01-01T00:00Z",
    "instance": "0",
}
TIMES = ("start", "end", "initial-instance")
WAITS = ("coordinator/data-in", "coordinator/input-logic")


def note(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def samples(root: Path) -> dict[str, str]:
    """Give sample values for what coordinators leave open: each variable by the attribute that uses it."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.xml")):
        try:
            document = read_file(path)
        except Invalid:
            continue
        if document.name not in ("coordinator-app", "datasets"):
            continue
        ending = ending_in(document)
        for element in document.walk():
            for key, value in element.attributes.items():
                for name, sample in samples_for(key, value, ending).items():
                    found.setdefault(name, sample)
            if element.name in ("instance", "start-instance", "end-instance"):
                is_whole = re.fullmatch(r"\s*\$\{\s*[\w.]+\s*\}\s*", element.text)
                for name in names_in(element.text):
                    found.setdefault(name, "${coord:current(0)}" if is_whole else SAMPLES["instance"])
    return found


def ending_in(document: Element, job: Scope | None = None) -> str:
    """Give what the times of a definition end with: an offset that one of them says, with the values of its job, or Z."""
    texts = [element.get(key) for element in document.walk() for key in TIMES]
    texts = texts if job is None else [job.partly(text) for text in texts]
    return next((match[0] for text in texts if (match := re.search(r"[+-]\d{4}$", text.strip()))), "Z")


def samples_for(key: str, text: str, ending: str) -> dict[str, str]:
    """Give values for the variables of an attribute with which the whole is a sample: of `${day}T00:00+0900` the day alone."""
    names = list(dict.fromkeys(names_in(text))) if key in SAMPLES else []
    if key not in TIMES or not names:
        return dict.fromkeys(names, SAMPLES.get(key, ""))
    moment = SAMPLES[key][:16]
    parts = [
        moment + ending,
        moment,
        *(moment[:size] for size in (10, 13, 7, 4)),
        moment[5:7],
        moment[8:10],
        moment[11:13],
    ]
    for values in product(parts, repeat=len(names)) if len(names) < 4 else ():
        given = dict(zip(names, values, strict=True))
        whole = re.sub(r"\$\{\s*([\w.]+)\s*\}", lambda match: given.get(match[1], ""), text)  # noqa: B023
        if frequency.read_time(whole, ending):
            return given
    return dict.fromkeys(names, moment + ending)


def answers(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Answer what the report asks for besides: values that lie behind those of the attributes."""
    found = dict(given)
    for _ in range(3):
        asked = read(root, {"defaults": found}).questions
        more = {
            name: SAMPLES[kind]
            for question in asked
            if (kind := question.code.removeprefix("unknown-")) in SAMPLES
            for name in names_in(question.text)
            if name not in found
        }
        if not more:
            break
        found |= more
    return found


def requirements_of(files: Mapping[str, str]) -> tuple[str, ...]:
    """Give what a converted project needs besides Airflow."""
    lines = files["requirements.txt"].split("\n")
    return tuple(line for line in lines if line and re.split(r"[\[<>=]", line)[0] != "apache-airflow")


def venv(target: Target, files: Mapping[str, str]) -> Path:
    """Give a virtualenv with Airflow and what the requirements of a converted project name besides."""
    store = VenvStore(Path(os.environ.get("AERODROME_BENCH_CACHE", ".cache/bench")).absolute() / "venvs")
    return store.ensure(VenvSpec(VERSIONS[target], "3.11", requirements_of(files)), note).path


def read_under(project: Path, target: Target, place: Path, home: Path) -> tuple[dict[str, ParsedDag], list[str]]:
    """Read the project under a real Airflow, with the first run times of every DAG."""
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "PYTHONPATH": f"{project}:{project / 'plugins'}",
        "TZ": "UTC",
    }
    limits = ParseLimits(is_remembering=False, next_runs=RUNS, next_runs_from=datetime(1980, 1, 1, tzinfo=UTC))
    done = parse(project, ParseSetting(place, VERSIONS[target], environment, home / "warm"), 1800.0, limits=limits)
    for failure in done.failures[:20]:
        note(f"{target} {failure.file}: {failure.message}")
    end_all(home / "warm")
    return {dag.dag_id: dag for dag in done.dags}, [failure.file for failure in done.failures]


def workflows_of(root: Path) -> dict[str, Workflow]:
    found = {}
    for path in sorted(root.rglob("*.xml")):
        try:
            document = read_file(path)
        except Invalid:
            continue
        if document.name == "workflow-app":
            name = path.relative_to(root).as_posix()
            found[name] = read_workflow(document, name)
    return found


def ending_of(dag: Dag, estate: Estate) -> str:
    """Give what the times of a DAG's definition end with."""
    item = estate.applications.get(dag.origin.file)
    given = given_to(estate, dag, "Z")
    return ending_in(item.root, given.job) if item is not None and given is not None else "Z"


def workflow_file(dag: Dag) -> str:
    return next((account.origin.file for account in dag.accounts if account.element == "start"), "")


def is_other_workflow(dag: Dag, root: Path, flows: Mapping[str, Workflow]) -> bool:
    """Tell whether a coordinator's DAG holds another workflow than its app-path can only mean: the one below whose path ends so.

    Found without the converter's search, by the part of the path that no value changes; what a caveat says is assumed is no difference.
    """
    said = workflow_file(dag)
    files = [account.origin.file for account in dag.accounts if account.element.startswith("coordinator/")]
    if not files or said not in flows or any("app-path-assumed" in account.code for account in dag.accounts):
        return False
    path = next((item.text.strip() for item in read_file(root / files[0]).walk() if item.name == "app-path"), "")
    tail = path.rpartition("}")[2].strip("/").removesuffix("/workflow.xml")
    wanted = [name for name in flows if tail and f"/{name.removesuffix('/workflow.xml')}".endswith(f"/{tail}")]
    return len(wanted) == 1 and wanted[0] != said


def wrong_arguments(workflow: Workflow, dag: Dag, given: Given) -> list[str]:
    """Name the actions whose arguments render to something else than Oozie gives them, with a sample value for each param."""
    wrong = []
    for node in workflow.order():
        if node.kind != "action" or node.body is None or node.body.name in ("sub-workflow", "email"):
            continue
        task = dag.task(node.name)
        command = dict(task.arguments).get("bash_command")
        if task.role != "real" or not isinstance(command, str):
            continue
        try:
            arguments = _arguments(node.body)
            functions = given.functions(given.looked_up) | _FUNCTIONS
            wanted = [evaluation.evaluate(text, given.of_workflow, functions) for text in arguments]
            rendered = _rendered(command, given)
        except _NO_VALUE:
            continue  # a value that only a run has
        words = iter(shlex.split(re.sub(r"<<'END_OF_XML'.*?\nEND_OF_XML", "", rendered, flags=re.DOTALL), posix=True))
        is_right = all(any(want in (word, word.partition("=")[2], word[2:]) for word in words) for want in wanted)
        if not is_right or re.search(r"workflow\.xml'?/", rendered) or any(map(given.is_missing, arguments)):
            wrong.append(node.name)
    return wrong


def wrong_conf(dag: Dag, given: Given) -> list[str]:
    """Name the properties that a coordinator hands to a workflow which is not there, and that are not those of Oozie."""
    task = next((task for task in dag.tasks if task.task_id == "workflow"), None)
    conf = dict(task.arguments).get("conf") if task is not None else None
    wrong: list[str] = []
    if not isinstance(conf, dict):
        return wrong
    for name in given.own:
        try:
            if _rendered(str(conf[name]), given) != given.of_workflow(name):
                wrong.append(name)
        except _NO_VALUE:
            continue
    return wrong


def _rendered(text: str, given: Given) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {"quote": shlex.quote, "app_folder": _app_folder, "in_app": _in_app, "remote_word": str}
    environment.filters["with_principal"] = lambda url, _: url
    params = {**dict.fromkeys(given.computed), **{name: given.param(name) for name in given.params}}
    return environment.from_string(text).render(
        params=params, run_id="run 1", number=float, logical_date=Moment(given.moment)
    )


def is_left_behind(body: Element, dag: Dag, name: str) -> bool:
    """Tell whether a <file> or <archive> of an action does not reach its job: a Spark job on YARN, or one of map-reduce."""
    places = [item.text.strip() for item in body.every("file", "archive")]
    if not places:  # nor are there tasks of this name for a sub-workflow, which has none
        return False
    task = dag.task(name)
    command = dict(task.arguments).get("bash_command")
    if task.role != "real" or not isinstance(command, str):
        return False
    if body.name in ("map-reduce", "pig", "hive", "sqoop"):
        return "mapreduce.job.cache." not in command
    master, mode = body.value("master"), body.value("mode")
    is_handed = master in ("yarn-cluster", "yarn-client") or (master == "yarn" and mode in ("cluster", "client"))
    if body.name not in ("spark", "spark3") or not is_handed or "${" in "".join(places):
        return False
    own, main = body.value("jar").rpartition("/")[2], command.rpartition("-submit")[2]
    links = [place.partition("#")[2] or place.rpartition("/")[2] for place in places if not own or own not in place]
    return any(link not in main for link in links)


def _in_app(path: str, application: str) -> str:
    """Give a path as Hadoop's Path makes it absolute: with a scheme, which begins with a letter, or a root it is that already."""
    first, colon, _ = path.partition("/")[0].partition(":")
    if path[:1] == "/" or (colon and first[:1].isalpha() and re.fullmatch(r"[\w+.-]+", first, re.ASCII)):
        return path
    if not application:
        raise ValueError(path)
    return f"{_app_folder(application)}/{path}"


def _app_folder(path: str) -> str:
    return path.rpartition("/")[0] if path.endswith(".xml") else path


def is_held_up(dag: Dag) -> bool:
    """Tell whether runs that wait count among those that go at a time, and no caveat says so."""
    codes = {code for account in dag.accounts for code in account.code.split(",")}
    return any(task.is_waiting for task in dag.tasks) and "waiting-runs-count" not in codes


def triggered_by(dag: Dag) -> set[str]:
    """Give the DAGs that a DAG triggers by name and waits for."""
    found = (dict(task.arguments) for task in dag.tasks if task.operator.name == "TriggerDagRunOperator")
    return {str(item.get("trigger_dag_id")) for item in found if item.get("wait_for_completion")}


def is_in_a_circle(dag: Dag, dags: Mapping[str, Dag]) -> bool:
    """Tell whether a DAG triggers one that has its own times, or waits for a run of itself."""
    reached: set[str] = set()
    waiting = [dag.dag_id]
    while waiting:
        for target in triggered_by(dags[waiting.pop()]):
            if target in dags and target not in reached:
                reached.add(target)
                waiting.append(target)
    return dag.dag_id in reached or any(dags[target].schedule.oracle for target in triggered_by(dag) if target in dags)


_NO_VALUE = (evaluation.Unknown, KeyError, jinja2.UndefinedError, TypeError, AttributeError, ValueError)
_FUNCTIONS: dict[str, Any] = {
    "wf:id": lambda: "run 1",
    "concat": lambda one, two: f"{one}{two}",
    "trim": lambda text: str(text).strip(),
    "wf:run": lambda: 0,
}


def _arguments(body: Element) -> list[str]:
    """Give the texts that are one argument each, in order."""
    names = {
        "java": ("arg",),
        "spark": ("arg",),
        "shell": ("argument",),
        "distcp": ("arg",),
        "sqoop": ("arg",),
        "hive": ("param", "argument"),
        "hive2": ("param", "argument"),
        "pig": ("param", "argument"),
    }
    if body.name == "sqoop" and body.value("command"):
        return []  # Oozie takes the command
    found = [item.text.strip() for name in names.get(body.name, ()) for item in body.every(name)]
    return [text for text in found if all(isinstance(piece, str) or piece for piece in parse_el(text))]


def silent(
    conversion: Conversion, root: Path, read_dags: Mapping[Target, Mapping[str, ParsedDag]], *, is_verbose: bool
) -> tuple[int, set[str]]:
    """Count what differs without a word, and name the DAGs whose run times are not Oozie's."""
    flows, estate = workflows_of(root), read_estate(root, Profile())
    count, off = 0, set()
    for dag in conversion.dags:
        workflow = flows.get(workflow_file(dag))
        if is_other_workflow(dag, root, flows):
            count += 1
            if is_verbose:
                note(f"{dag.dag_id}: {workflow_file(dag)} is not the workflow of its app-path")
        if workflow is not None and not workflow.defects:
            differences = prove_flow(workflow, dag, flows=flows)
            given = given_to(estate, dag, ending_of(dag, estate))
            wrong = wrong_arguments(workflow, dag, given) if given is not None else []
            left = [
                node.name
                for node in workflow.order()
                if node.kind == "action" and node.body is not None and is_left_behind(node.body, dag, node.name)
            ]
            count += bool(differences) + bool(wrong) + bool(left)
            if is_verbose and (differences or wrong or left):
                note(f"{dag.dag_id}: {differences[:1]} {wrong[:3]} {left[:3]}")
        elif (given := given_to(estate, dag, ending_of(dag, estate))) is not None and (wrong := wrong_conf(dag, given)):
            count += 1
            if is_verbose:
                note(f"{dag.dag_id}: hands on other values of {wrong[:3]}")
        if is_in_a_circle(dag, {item.dag_id: item for item in conversion.dags}):
            count += 1
            if is_verbose:
                note(f"{dag.dag_id}: waits for a run of its own, or of a coordinator")
        if is_held_up(dag):
            count += 1
            if is_verbose:
                note(f"{dag.dag_id}: nothing says that runs which wait count")
        if dag.schedule.oracle:
            wanted = [moment.astimezone(UTC).isoformat() for moment in oracle.nominal_times(dag.schedule.oracle, RUNS)]
            for target, dags in read_dags.items():
                found = [run.run_after for run in dags[dag.dag_id].next_runs] if dag.dag_id in dags else []
                if found != wanted:
                    off.add(dag.dag_id)
                    if is_verbose:
                        note(f"{target} {dag.dag_id}: {found[:3]} for {wanted[:3]} of {dict(dag.schedule.oracle)}")
    return count + len(off), off


def is_exact(dag: Dag, off: set[str]) -> bool:
    """Tell whether a coordinator's times are Oozie's and every wait was kept."""
    lost = [
        account
        for account in dag.accounts
        if account.outcome == "raises" and account.element.startswith(("coordinator/", "bundle/"))
    ]
    waits = sum(account.element in WAITS for account in dag.accounts)
    kept = sum(task.is_waiting for task in dag.tasks)
    if any(account.element == "coordinator/input-logic" for account in dag.accounts):
        waits = 1  # all inputs are waited for by one task
    return not lost and waits == kept and dag.dag_id not in off


def real_actions(conversion: Conversion) -> tuple[int, int]:
    accounts = [account for dag in conversion.dags for account in dag.accounts if account.element.startswith("action/")]
    unique = {(account.origin.file, account.name): account for account in accounts}
    return sum(account.outcome != "raises" for account in unique.values()), len(unique)


def measure(root: Path, places: Mapping[Target, Path], scratch: Path, *, is_verbose: bool) -> dict[str, object]:
    """Give the figures of a folder. `places`: virtualenvs that are there; others are made, with what the project needs."""
    started = time.perf_counter()
    conversion = read(root, {})
    emit(compose(conversion, "3.3"), scratch / "timed")
    seconds = time.perf_counter() - started
    conversion = read(root, {"defaults": answers(root, samples(root))})
    read_dags: dict[Target, dict[str, ParsedDag]] = {}
    shares = {}
    for target in TARGETS:
        project, files = scratch / f"project-{target}", compose(conversion, target)
        emit(files, project)
        place = places.get(target) or venv(target, files)
        read_dags[target], failed = read_under(project, target, place, scratch / f"home-{target}")
        shares[target] = round(
            1 - len({dag.dag_id for dag in conversion.dags} - set(read_dags[target])) / max(1, len(conversion.dags)), 4
        )
        note(f"{target}: {len(read_dags[target])} of {len(conversion.dags)} DAGs, {len(failed)} failures")
    changes, off = silent(conversion, root, read_dags, is_verbose=is_verbose)
    timed = [
        dag
        for dag in conversion.dags
        if any(
            account.element.startswith("coordinator/") or account.element.startswith("bundle/")
            for account in dag.accounts
        )
    ]
    refused = [dag for dag in timed if any(account.code.endswith("-refused") for account in dag.accounts)]
    timed = [dag for dag in timed if dag not in refused]
    if is_verbose:
        for dag in timed:
            if not is_exact(dag, off):
                note(
                    f"not exact: {dag.origin.file} {[(a.element, a.name, a.reason) for a in dag.accounts if a.outcome == 'raises' and a.element.startswith(('coordinator', 'bundle'))]}"
                )
    real, actions = real_actions(conversion)
    malformed = sum(item.code == "xml-malformed" for item in conversion.rejected)
    rejected = len(conversion.rejected) - malformed
    return {
        "definitions": conversion.definitions,
        "malformed": malformed,
        "converted_share": round(1 - rejected / max(1, conversion.definitions - malformed), 4),
        "import_share_2_11": shares.get("2.11"),
        "import_share_3_3": shares.get("3.3"),
        "real_action_share": round(real / max(1, actions), 4),
        "exact_share": round(sum(is_exact(dag, off) for dag in timed) / max(1, len(timed)), 4),
        "silent_changes": changes,
        "seconds": round(seconds, 2),
        "dags": len(conversion.dags),
        "actions": actions,
        "coordinator_dags": len(timed),
        "coordinators_refused_by_oozie": len(refused),
    }
