"""Makes the DAGs of a bundle: one for each of its coordinators, with the values that the bundle gives."""

from __future__ import annotations

import re
from dataclasses import replace

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Account, Dag, Origin, Outcome, Question, Task
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, raising_arguments
from aerodrome.migration.convert.oozie.coordinators import coordinator_dag
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration
from aerodrome.migration.convert.oozie.subworkflows import Children, names_in


def bundle_dags(
    estate: Estate, children: Children, item: Application, taken: set[str]
) -> tuple[list[Dag], list[Question], set[str]]:
    """Give the DAGs, the questions, and the files of the coordinators that the bundle runs."""
    formal = configuration(item.root.first("parameters"))
    job = (*estate.job(item), Layer("bundle parameters", formal))
    scope = Scope(job)
    bundle = scope.text(item.root.get("name")) or children.dag_ids[item.file]
    dags: list[Dag] = []
    questions: list[Question] = []
    used: set[str] = set()
    for entry in item.root.every("coordinator"):
        name = scope.text(entry.get("name")) or entry.get("name") or "coordinator"
        path = entry.value("app-path")
        origin = Origin(item.file, f"bundle-app/coordinator[@name='{entry.get('name')}']", entry.line)
        own = Layer("bundle configuration", configuration(entry.first("configuration")), is_outward=True)
        found = estate.locate("coordinator", Scope((own, *job)).partly(path), item.folder)
        is_assumed = found is None and (found := _alike(estate, item, name, path, (own, *job))) is not None
        dag_id = _free(name if found is None else _name(children, found, name, used), bundle, taken)
        if found is None:
            dags.append(_missing(dag_id, path, origin))
            if open_names := names_in(Scope((own, *job)).partly(path)):
                given = ", ".join(f"${{{item}}}" for item in open_names)
                question = (
                    f"{item.file}: where is the coordinator {name}? Give {given} under `defaults` in the profile."
                )
                questions.append(Question("unknown-app-path", question, origin, dag_id))
        else:
            used.add(found.file)
            dag, asked = coordinator_dag(estate, children, found, dag_id, (own,), job)
            dags.append(dag)
            questions += asked
        dags[-1] = _finish(dags[-1], item, entry.get("enabled"), bundle, origin)
        if is_assumed and found is not None:
            reason = f"{path} is not known: {found.file} is taken, which is the one that is called so"
            assumed = Account("bundle/app-path", "caveat", origin, "app-path-assumed", reason, name)
            dags[-1] = replace(dags[-1], accounts=(assumed, *dags[-1].accounts))
    return dags, questions, used


def _alike(estate: Estate, item: Application, name: str, path: str, layers: tuple[Layer, ...]) -> Application | None:
    """Find the coordinator of an entry whose path is not known: the only one beside the bundle, or the only one below it with that name.

    The only one beside it is not taken for several entries.
    """
    scope = Scope(layers)
    if "$" not in scope.partly(path).rpartition("/")[2]:
        return None
    there = estate.of_kind("coordinator")
    beside = [other for other in there if other.folder == item.folder]
    unknown = {
        text
        for entry in item.root.every("coordinator")
        if "$" in (text := scope.partly(entry.value("app-path"))).rpartition("/")[2]
    }
    if len(beside) == 1 and len(unknown) == 1:
        return beside[0]
    below = [
        other
        for other in there
        if other.folder == item.folder or other.folder.startswith(f"{item.folder}/".lstrip("./"))
    ]
    wanted = re.sub(r"\W|_", "", name).lower()
    for part in (_titles, _folders):
        found = [other for other in below if wanted in {re.sub(r"\W|_", "", text).lower() for text in part(other)}]
        if len(found) == 1:
            return found[0]
    return None


def _titles(item: Application) -> tuple[str, ...]:
    return item.root.get("name"), item.file.rpartition("/")[2].removesuffix(".xml")


def _folders(item: Application) -> tuple[str, ...]:
    return (item.folder.rpartition("/")[2],)


def _name(children: Children, found: Application, name: str, used: set[str]) -> str:
    own = children.dag_ids[found.file]
    return own if found.file not in used else f"{own}.{name}"


def _free(name: str, bundle: str, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-") or "coordinator"
    free, number = plain, 1
    while free.lower() in taken:
        number += 1
        free = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', bundle).strip('_')}.{plain}" if number == 2 else f"{plain}_{number}"
    taken.add(free.lower())
    return free


def _missing(dag_id: str, path: str, origin: Origin) -> Dag:
    reason = f"the coordinator {path} is not among the definitions"
    task = Task("coordinator", symbols.PYTHON, raising_arguments(reason), role="raises", origin=origin)
    account = Account("bundle/coordinator", "raises", origin, "coordinator-missing", reason, dag_id)
    return Dag(
        dag_id,
        (task,),
        functions=(NOT_CONVERTED,),
        tags=("oozie",),
        doc=f"Coordinator {dag_id}.",
        origin=origin,
        accounts=(account,),
    )


def _finish(dag: Dag, item: Application, enabled: str, bundle: str, origin: Origin) -> Dag:
    outcome: Outcome = "converted"
    accounts = [Account("bundle/coordinator", outcome, origin, name=dag.dag_id)] if not _is_missing(dag) else []
    controls = item.root.first("controls")
    if controls is not None and controls.value("kick-off-time"):
        where = Origin(item.file, "bundle-app/controls", controls.line)
        reason = f"the bundle starts at {controls.value('kick-off-time')}: unpause the DAG then"
        accounts.append(Account("bundle/kick-off-time", "caveat", where, "kick-off-time", reason, dag.dag_id))
    is_paused = True if enabled.lower() == "false" else dag.is_paused
    return replace(
        dag, tags=(*dag.tags, f"bundle:{bundle}"[:100]), is_paused=is_paused, accounts=(*accounts, *dag.accounts)
    )


def _is_missing(dag: Dag) -> bool:
    return any(account.code == "coordinator-missing" for account in dag.accounts)
