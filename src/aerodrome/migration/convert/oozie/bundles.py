"""Makes the DAGs of a bundle: one for each of its coordinators, with the values that the bundle gives."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Account, Dag, Origin, Outcome, Question, Task
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, raising_arguments
from aerodrome.migration.convert.oozie.coordinators import coordinator_dag
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration, incomplete
from aerodrome.migration.convert.oozie.subworkflows import Children, names_in


def bundle_dags(
    estate: Estate, children: Children, item: Application, taken: set[str]
) -> tuple[list[Dag], list[Question], set[str]]:
    """Give the DAGs, the questions, and the files of the coordinators that the bundle runs."""
    formal = estate.submitted_defaults(item)
    job = (*estate.job(item), Layer("bundle parameters", formal))
    scope = Scope(job)
    bundle = scope.text(item.root.get("name")) or children.dag_ids[item.file]
    dags: list[Dag] = []
    questions: list[Question] = []
    used: set[str] = set()
    places = _places(estate, item, job)
    assumed_job = estate.properties_assumed(item)
    for number, entry in enumerate(item.root.every("coordinator")):
        name = scope.text(entry.get("name")) or entry.get("name") or "coordinator"
        path = entry.value("app-path")
        origin = Origin(item.file, f"bundle-app/coordinator[@name='{entry.get('name')}']", entry.line)
        own = Layer("bundle configuration", configuration(entry.first("configuration")), is_outward=True)
        found, is_assumed = places[number]
        wanted = name if found is None else _name(estate, children, found, Scope((own, *job)))
        dag_id = _free(wanted if found is None or found.file not in used else f"{wanted}.{name}", bundle, taken)
        if lacking := incomplete(item.root):
            refused = Account("bundle/configuration", "raises", origin, "configuration-refused", lacking, dag_id)
            dags.append(_raising(dag_id, f"Oozie refuses the bundle: {lacking}", refused))
            used |= {found.file} if found is not None else set()
        elif found is None:
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
        dags[-1] = _finish(dags[-1], item, scope, entry.get("enabled"), bundle, origin)
        if assumed_job:
            account = Account("bundle/properties", "caveat", origin, "properties-assumed", assumed_job, name)
            dags[-1] = replace(dags[-1], accounts=(account, *dags[-1].accounts))
        if is_assumed and found is not None and not lacking:
            known = Scope((own, *job)).partly(path)
            what = f"{path} is not known" if "${" in known else f"{known} leads to no file"
            reason = f"{what}: {found.file} is taken, which is the one that is called so"
            assumed = Account("bundle/app-path", "caveat", origin, "app-path-assumed", reason, name)
            dags[-1] = replace(dags[-1], accounts=(assumed, *dags[-1].accounts))
    return dags, questions, used


def _places(estate: Estate, item: Application, job: tuple[Layer, ...]) -> list[tuple[Application | None, bool]]:
    """Give the coordinator of each entry, and whether it is taken for granted."""
    found: list[Application | None] = []
    assumed: list[Application | None] = []
    is_open: list[bool] = []
    for entry in item.root.every("coordinator"):
        own = Layer("bundle configuration", configuration(entry.first("configuration")), is_outward=True)
        path = Scope((own, *job)).partly(entry.value("app-path"))
        name = Scope(job).text(entry.get("name")) or ""
        place, is_assumed = estate.search("coordinator", path, item.folder)
        found.append(None if is_assumed else place)
        assumed.append(place or _alike(estate, item, name, path, (own, *job)) if found[-1] is None else None)
        is_open.append(found[-1] is None and assumed[-1] is None and "$" in path.rpartition("/")[2])
    known = [one or two for one, two in zip(found, assumed, strict=True)]
    if known.count(None) == 1 and any(is_open):
        assumed[known.index(None)] = _left(estate, item, known)
    return [(one or two, one is None and two is not None) for one, two in zip(found, assumed, strict=True)]


def _alike(estate: Estate, item: Application, name: str, path: str, layers: tuple[Layer, ...]) -> Application | None:
    """Find the coordinator of an entry whose path leads to no file.

    It is the only one below the bundle in a file or a folder of the name that the path ends with, or that is called as the entry is, or
    whose name holds that of the entry. None when none is that, or several are.
    """
    scope = Scope(layers)
    below = _below(estate, item)
    last = path.rstrip("/").removesuffix("/coordinator.xml").rpartition("/")[2]
    wanted = {_plain(name), _plain(last.removesuffix(".xml"))} - {""}
    for names in (
        lambda other: (PurePosixPath(other.file).name,) if last.endswith(".xml") else (),
        lambda other: (scope.text(other.root.get("name")) or "", PurePosixPath(other.file).stem),
        lambda other: (PurePosixPath(other.folder).name,),
    ):
        found = [other for other in below if wanted & {_plain(text.removesuffix(".xml")) for text in names(other)}]
        if len(found) == 1:
            return found[0]
    titles = {other.file: _plain(scope.text(other.root.get("name")) or "") for other in below}
    found = [
        other
        for other in below
        if any(_holds(titles[other.file], word) or _holds(word, titles[other.file]) for word in wanted)
    ]
    return found[0] if len(found) == 1 else None


def _holds(text: str, part: str) -> bool:
    return len(part) > 4 and part in text


def _plain(text: str) -> str:
    return "" if "$" in text else re.sub(r"\W|_", "", text).lower()


def _left(estate: Estate, item: Application, taken: list[Application | None]) -> Application | None:
    """Give the one coordinator below a bundle that no entry has."""
    known = {other.file for other in taken if other is not None}
    left = [other for other in _below(estate, item) if other.file not in known]
    return left[0] if len(left) == 1 else None


def _below(estate: Estate, item: Application) -> list[Application]:
    """Give the coordinators of a bundle's folder and of those in it."""
    inside = f"{item.folder}/".removeprefix("./")
    return [
        other for other in estate.of_kind("coordinator") if f"{other.folder}/".removeprefix("./").startswith(inside)
    ]


def _name(estate: Estate, children: Children, found: Application, scope: Scope) -> str:
    """Give the id of a coordinator's DAG: its name, which may be known of the bundle alone."""
    written = found.root.get("name")
    alone = Scope().with_layers(*estate.job(found), *estate.defaults(found))
    if alone.text(written) is None and (called := scope.text(written)):
        return estate.profile.dag_id_prefix + called
    return children.dag_ids[found.file]


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
    return _raising(
        dag_id, reason, Account("bundle/coordinator", "raises", origin, "coordinator-missing", reason, dag_id)
    )


def _raising(dag_id: str, reason: str, account: Account) -> Dag:
    origin = account.origin
    task = Task("coordinator", symbols.PYTHON, raising_arguments(reason), role="raises", origin=origin)
    return Dag(
        dag_id,
        (task,),
        functions=(NOT_CONVERTED,),
        tags=("oozie",),
        doc=f"Coordinator {dag_id}.",
        origin=origin,
        accounts=(account,),
    )


def _finish(dag: Dag, item: Application, scope: Scope, enabled: str, bundle: str, origin: Origin) -> Dag:
    outcome: Outcome = "converted"
    accounts = [Account("bundle/coordinator", outcome, origin, name=dag.dag_id)] if not _is_missing(dag) else []
    controls = item.root.first("controls")
    if controls is not None and controls.value("kick-off-time"):
        where = Origin(item.file, "bundle-app/controls", controls.line)
        reason = f"the bundle starts at {scope.partly(controls.value('kick-off-time'))}: unpause the DAG then"
        accounts.append(Account("bundle/kick-off-time", "caveat", where, "kick-off-time", reason, dag.dag_id))
    is_paused = True if enabled.lower() == "false" else dag.is_paused
    return replace(
        dag, tags=(*dag.tags, f"bundle:{bundle}"[:100]), is_paused=is_paused, accounts=(*accounts, *dag.accounts)
    )


def _is_missing(dag: Dag) -> bool:
    return any(account.code in ("coordinator-missing", "configuration-refused") for account in dag.accounts)
