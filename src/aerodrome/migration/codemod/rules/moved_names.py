"""Names that moved: imports are rewritten by the table, references follow where the name changed."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import import_text, replace
from aerodrome.migration.codemod.gone import gone_classes
from aerodrome.migration.codemod.imports import indent_of, is_alone, written
from aerodrome.migration.codemod.moves import Moves, successors, table
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.providers import REPLACED
from aerodrome.migration.codemod.rules.subdag_factories import OPERATORS, is_only_called
from aerodrome.migration.codemod.source import Source

_OLDER = 2  # understands classes that are reached through their modules
_BUILTINS = frozenset(dir(builtins))
_OWNERS = re.compile(
    r"airflow(\.(models|operators|sensors|hooks|contrib|datasets|executors|kubernetes|providers|triggers|utils)(\.\w+)*)?"
)


def _moved(source: Source, options: Options) -> Iterator[Change | Spot]:
    known = table(options.major)
    for node in source.each(ast.ImportFrom):
        if node.level or not node.module or node.module.split(".")[0] != "airflow":
            continue
        if node.names[0].name == "*":
            yield from _star(source, node, options)
            continue
        moved = {alias: new for alias in node.names if (new := _place_of(known, f"{node.module}.{alias.name}"))}
        moved |= {alias: new for alias in node.names if (new := _module(source, known, node, alias, options))}
        if moved:
            yield _change(source, node, moved, _taken(options))
        for alias in node.names:
            origin = f"{node.module}.{alias.name}"
            is_left = origin in OPERATORS and is_only_called(source, origin)  # to the rule about SubDags
            if not is_left and alias not in moved and _is_lost(known, node.module, alias.name):
                yield lost(alias.lineno, node.module, alias.name, options.major)
            elif alias not in moved and node.module in _FLAT and _is_of_plugin(known, node.module, alias.name):
                yield _of_plugin(alias.lineno, node.module, alias.name)


_LEAKS = {
    **{f"airflow.models.{name}": f"datetime.{name}" for name in ("datetime", "timedelta")},
    **{f"airflow.models.{name}": f"collections.{name}" for name in ("OrderedDict", "defaultdict", "namedtuple")},
    **{
        f"airflow.models.{name}": name
        for name in (
            "copy", "functools", "getpass", "hashlib", "importlib", "json", "logging", "os", "pendulum", "pickle", "re", "signal", "sys",
            "textwrap", "time", "traceback", "warnings", "zipfile",
        )
    },
}  # fmt: skip
"""Python's own names that airflow.models had by its imports, up to 1.10.3; later ones do not."""


def _place_of(known: Moves, origin: str) -> str | None:
    return known.moves.get(origin) or _LEAKS.get(origin)


def _module(source: Source, known: Moves, node: ast.ImportFrom, alias: ast.alias, options: Options) -> str | None:
    """Give the new place of a module that is imported as such, where all that it held went to one, and its name is still asked for."""
    origin = f"{node.module}.{alias.name}"
    if not known.is_missing(origin) or origin in known.moves:
        return None
    name = alias.asname or alias.name
    is_asked_for = name in _taken(options) or any(
        item.id == name and isinstance(item.ctx, ast.Load) for item in source.each(ast.Name)
    )
    places = known.places.get(origin, frozenset())
    return next(iter(places)) if len(places) == 1 and is_asked_for else None


_BEAM = 'Use {}(runner="DataflowRunner", dataflow_config=…) of apache-airflow-providers-apache-beam.'
_INSTEAD = {
    "DataFlowPythonOperator": _BEAM.format("BeamRunPythonPipelineOperator"),
    "DataFlowJavaOperator": _BEAM.format("BeamRunJavaPipelineOperator"),
}
"""What takes a name's place where the arguments are other ones."""


_SERVICES = (
    ("qubole", "Qubole's provider is retired, as the service is: run the query where the data went. Its last release imports under Airflow 3.3.2, but its tasks do not reach the DAG."),
    (".hdfs", "The library that it used, snakebite-py3, is not maintained, and the apache-hdfs provider left it with 4.0: use WebHdfsSensor or WebHDFSHook (airflow.providers.apache.hdfs)."),
    (".HdfsSensor", "The library that it used, snakebite-py3, is not maintained, and the apache-hdfs provider left it with 4.0: use WebHdfsSensor or WebHDFSHook (airflow.providers.apache.hdfs)."),
    ("hipchat", "HipChat is shut down since February 2019: use the chat that came after it, for example SlackAPIPostOperator (airflow.providers.slack.operators.slack)."),
    ("mlengine", "AI Platform is shut down, and its operators left the provider with 15.0: use Vertex AI (airflow.providers.google.cloud.operators.vertex_ai)."),
    ("automl", "AutoML's own service is shut down since March 2024: use Vertex AI (airflow.providers.google.cloud.operators.vertex_ai.auto_ml)."),
    (".life_sciences", "Cloud Life Sciences is shut down since July 2025: use Batch (airflow.providers.google.cloud.operators.cloud_batch)."),
    (".datacatalog", "Data Catalog was discontinued in January 2026 and became a part of Dataplex: use airflow.providers.google.cloud.operators.dataplex."),
    (".operators.analytics.", "Universal Analytics is shut down since July 2024: use airflow.providers.google.marketing_platform.operators.analytics_admin."),
    (".vertex_ai.auto_ml.CreateAutoMLVideo", "Vertex AI trains no video models with AutoML any more: train your own (airflow.providers.google.cloud.operators.vertex_ai.custom_job)."),
    (".vertex_ai.auto_ml.CreateAutoMLText", "Vertex AI trains no text models with AutoML any more: tune a Gemini model (airflow.providers.google.cloud.operators.gen_ai)."),
    (".vertex_ai.generative_model.", "Vertex AI's own library for generative models is retired: use the GenAI operators (airflow.providers.google.cloud.operators.gen_ai)."),
    (".dataflow.DataflowStartSqlJobOperator", "Dataflow SQL is shut down since January 2025: use DataflowStartYamlJobOperator (airflow.providers.google.cloud.operators.dataflow) or Beam SQL."),
    (".search_ads.GoogleSearchAds", "The API of Search Ads 360 that it asked is shut down since June 2024: use GoogleSearchAdsSearchOperator of airflow.providers.google.marketing_platform.operators.search_ads."),
    (".display_video.GoogleDisplayVideo360", "Display & Video 360 has neither reports by query nor line item files any more, but SDF: GoogleDisplayVideo360CreateSDFDownloadTaskOperator and GoogleDisplayVideo360SDFtoGCSOperator of airflow.providers.google.marketing_platform.operators.display_video."),
)  # fmt: skip
"""Where not only the class is gone but what it talked to; providers of 3.3.2 (2026-09) have nothing for it.

The days are those of Google's pages on deprecations and migration (AutoML Tables, Batch), of apache/airflow #51647 (Data Catalog) and of the google provider's changelog.
"""


_WAYS = (
    (".SubDagOperator", "Write a TaskGroup: its tasks are tasks of the DAG, and their ids begin with the group's."),
    (".volume.Volume", "Write k8s.V1Volume, from kubernetes.client.models: each kind of volume is an argument of its own."),
    (".volume_mount.VolumeMount", "Write k8s.V1VolumeMount, from kubernetes.client.models, with named arguments."),
    (".pod.Port", "Write k8s.V1ContainerPort, from kubernetes.client.models, with named arguments."),
    (".pod.Resources", "Write k8s.V1ResourceRequirements(requests={…}, limits={…}), from kubernetes.client.models."),
    (".pod_runtime_info_env.PodRuntimeInfoEnv", "Write k8s.V1EnvVar with value_from=k8s.V1EnvVarSource(field_ref=…), from kubernetes.client.models."),
)  # fmt: skip
"""What is written in the place of classes whose calls rules of their own write otherwise."""


SAID = " Its provider named instead:"


def _is_lost(known: Moves, module: str, name: str) -> bool:
    origin = f"{module}.{name}"
    if origin in known.gone:
        return True
    return known.is_missing(module) and not any(old.startswith(f"{origin}.") for old in known.moves)


def lost(line: int, module: str, name: str, major: int) -> Spot:
    origin = f"{module}.{name}"
    for word, hint in _SERVICES if major > _OLDER else ():
        if word in origin:
            return Spot(line, f"`{origin}` is gone, and so is the service behind it.", f"{hint}{_said(origin)}")
    is_known = origin in gone_classes() or any(
        old.startswith(f"{module}.") for known in (table().moves, table().gone) for old in known
    )
    if major > _OLDER and not is_known:
        return Spot(
            line,
            f"`{module}` is no module of Airflow: a plugin put it there, which Airflow 3 does not do any more.",
            f"Import {name} from the module that defines it, for example `from {module.rpartition('.')[2]} import {name}`.",
        )
    if way := next((way for end, way in _WAYS if origin.endswith(end)), ""):
        return Spot(line, f"`{origin}` is gone in Airflow {major}.", way)
    if major > _OLDER and origin in successors():
        return Spot(line, f"`{origin}` is gone in Airflow {major}.", f"Its arguments are other ones.{_said(origin)}")
    if origin.startswith("airflow.contrib"):
        return Spot(
            line,
            f"`{origin}` is an Airflow 1.10 path that no provider continues.",
            _INSTEAD.get(name, "Use another operator, or copy the code."),
        )
    return Spot(
        line,
        f"`{origin}` is gone in Airflow {major}, and there is no equal.",
        "See Airflow's release notes; the code needs another way.",
    )


def _is_of_plugin(known: Moves, module: str, name: str) -> bool:
    origin = f"{module}.{name}"
    is_airflows = origin in REPLACED or origin in known.gone or not known.is_missing(origin)
    is_module = any(old.startswith(f"{origin}.") for old in (*known.moves, *known.gone))
    return name != "SubDagOperator" and not is_airflows and not is_module


def _of_plugin(line: int, module: str, name: str) -> Spot:
    return Spot(
        line,
        f"`{module}.{name}` is no name of Airflow's own: a plugin put it there, which Airflow does not do any more since 2.0.",
        f"Import {name} from the module that defines it, in the plugins folder: `from … import {name}`.",
    )


def _said(origin: str) -> str:
    """Give what the provider itself said about a name before it went."""
    known = successors().get(origin, [])
    return f"{SAID} {', '.join(f'`{name}`' for name in known)}." if known else ""


def _taken(options: Options) -> Collection[str]:
    """Give the names that other files of the project take from this one: they stay."""
    return options.project.passed_on.takers(options.file) if options.project else ()


def _change(source: Source, node: ast.ImportFrom, moved: dict[ast.alias, str], taken: Collection[str]) -> Change:
    edits: list[Edit] = []
    groups: dict[str, list[str]] = {}
    lines: list[str] = []
    for alias in node.names:
        if alias not in moved:
            groups.setdefault(str(node.module), []).append(written(alias))
            continue
        module, _, name = moved[alias].rpartition(".")
        text = name
        if not module:  # one of Python's modules
            lines.append(f"import {name} as {alias.asname}" if alias.asname else f"import {name}")
            continue
        if alias.asname and alias.asname != name:
            text = f"{name} as {alias.asname}"
        elif name != alias.name and f"{node.module}.{alias.name}" not in table().moves:  # a module keeps its name here
            text = f"{name} as {alias.name}"
        elif not alias.asname and name != alias.name:
            references = _references(source, f"{node.module}.{alias.name}", alias.name)
            if references is not None and alias.name not in taken and source.is_free(name, moved[alias]):
                edits += [replace(source, item, name) for item in references]
            else:
                text = f"{name} as {alias.name}"
        names = groups.setdefault(module, [])
        if text not in names:
            names.append(text)
    indent, newline = indent_of(source, node), source.newline.decode()
    start, end = source.start(node), source.end(node)
    lines += [import_text(module, names, indent, newline) for module, names in groups.items()]
    if is_alone(source, node):
        comments = (
            [source.text[a:b].decode() for a, b in source.comments if start <= a < end]
            if b"#" in source.text[start:end]
            else []
        )
        text = f"{newline}{indent}".join([*comments, *lines])
    else:
        text = "; ".join(line.replace(newline, " ") for line in lines)
    return Change((Edit(start, end, text), *edits))


def _references(source: Source, origin: str, name: str) -> list[ast.Name] | None:
    """Give all uses of an imported name; None when the name means something else, too."""
    uses = [item for item in source.each(ast.Name) if item.id == name]
    return uses if all(source.meanings(item) == {origin} for item in uses) else None


_MODELS = (
    "DAG", "BaseOperator", "Connection", "DagBag", "DagModel", "DagRun", "Param", "Pool", "TaskInstance", "Variable", "XCom",
)  # fmt: skip
"""What people take from airflow.models by a star; Airflow 3 cannot import it so."""
_ROOT = ("AirflowException", "DAG", "Dataset", "XComArg", "conf", "configuration", "models", "settings")
"""What a star takes from airflow itself: rules must see it to know what it means (1.10.15, 2.11.2)."""
_STARS = {"airflow": _ROOT, "airflow.models": _MODELS}
_FLAT = ("airflow.operators", "airflow.sensors", "airflow.hooks")
"""Packages that hold nothing of their own in Airflow 3: what comes from them moved, or a plugin put it there."""


def _star(source: Source, node: ast.ImportFrom, options: Options) -> Iterator[Change | Spot]:
    """Write out what a star brings of what moved or is gone; the star itself stays where Airflow still has the module."""
    module = str(node.module)
    prefix = f"{module}."
    names = table(options.major)
    known = {old.removeprefix(prefix) for old in (*names.moves, *names.gone, *REPLACED) if old.startswith(prefix)}
    known = {name for name in known if "." not in name} | set(_STARS.get(module, ()))
    if not known:
        return
    unbound = {item.id for item in source.each(ast.Name) if item.id not in source.top.bound} - _BUILTINS
    used = sorted(unbound & known)
    is_kept = not names.is_missing(module) and module not in ("airflow.models", "airflow.utils.dates", *_FLAT)
    if used:
        text = import_text(module, used, indent_of(source, node), source.newline.decode())
        rest = unbound - known
        if is_kept and (module != "airflow" or rest) and is_alone(source, node):
            text = f"{source.code(node)}{source.newline.decode()}{indent_of(source, node)}{text}"
        yield Change((replace(source, node, text),))
        return
    if is_kept:
        return
    if not unbound and is_alone(source, node) and isinstance(source.parents[node], ast.Module):
        yield Change((Edit(source.line_start(node.lineno), source.line_end(node.end_lineno or node.lineno), ""),))
        return
    yield Spot(
        node.lineno,
        f"Names come from `{module}` by a star, and Airflow {options.major} has no such module or does not allow it.",
        f"Import the names that you use{': perhaps ' + ', '.join(sorted(unbound)[:5]) if unbound else ''}.",
    )


def _references_by_module(source: Source, options: Options) -> Iterator[Change | Spot]:
    known = table(options.major)
    for node in source.each(ast.Attribute):
        for meaning in source.meanings(node):
            owner, _, name = meaning.rpartition(".")
            is_class = options.major > _OLDER and ((name[:1].isupper() and name[1:2].islower()) or name == "DAG")
            is_class = is_class and not owner.rpartition(".")[2][:1].isupper()  # else a class within a class
            is_gone = meaning in known.gone and meaning not in known.moves and isinstance(node.ctx, ast.Load)
            if is_gone and not owner.endswith(".timezone"):  # a rule of its own
                yield lost(node.lineno, owner, name, options.major)
            if meaning not in known.moves and not (is_class and _OWNERS.fullmatch(owner) and owner not in known.moves):
                continue
            if not isinstance(node.ctx, ast.Load):
                continue
            if source.is_free(name, meaning):
                yield Change((replace(source, node, name),), ((owner, name),))
            elif _is_bound_to(source, name, meaning):
                yield Change((replace(source, node, name),))
            elif change := _under_another_name(source, node, name, meaning, options):
                yield change
            elif meaning in known.moves:
                yield Spot(
                    node.lineno,
                    f"`{meaning}` moved to `{known.moves[meaning]}`.",
                    f"The name {name} is taken in this file: import it under another.",
                )


def _under_another_name(
    source: Source, node: ast.Attribute, name: str, meaning: str, options: Options
) -> Change | None:
    """Import a class from its new place under a name that the file has not taken: ruff would import it again and again."""
    new, other = _place(meaning), f"Airflow{name}"
    if options.major <= _OLDER or new == meaning or not source.is_free(other, new):
        return None
    module, _, there = new.rpartition(".")
    return Change((replace(source, node, other),), ((module, f"{there} as {other}"),))


def _is_bound_to(source: Source, name: str, meaning: str) -> bool:
    """Tell whether the file imports this very thing from another of its places: DAG from airflow and from airflow.models."""
    bound = source.top.bound.get(name, set())
    return bool(bound) and {_place(origin) for origin in bound} == {_place(meaning)} and source.is_free_below(name)


def _place(origin: str) -> str:
    return "airflow.sdk.DAG" if origin in dags.ANY and origin.endswith(".DAG") else table().moves.get(origin, origin)


MOVED = Rule(
    code="moved-name",
    title="What moved is imported from its new place, by a table of Airflow's own moves",
    words=(b"airflow",),
    before="""
from airflow.contrib.operators.ssh_operator import SSHOperator
from airflow.operators import BashOperator
from airflow.operators.dummy_operator import DummyOperator  # start

try:
    from airflow.contrib.operators import gcs_to_bq
except ImportError:
    gcs_to_bq = None

has_google = gcs_to_bq is not None
start = DummyOperator(task_id="start")
run = SSHOperator(task_id="run", ssh_conn_id="box", command="date")
""",
    after="""
from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator  # start

try:
    from airflow.providers.google.cloud.transfers import gcs_to_bigquery as gcs_to_bq
except ImportError:
    gcs_to_bq = None

has_google = gcs_to_bq is not None
start = EmptyOperator(task_id="start")
run = SSHOperator(task_id="run", ssh_conn_id="box", command="date")
""",
    find=_moved,
    is_for_2=True,
    is_last=True,
)

BY_MODULE = Rule(
    code="attribute-reference",
    title="Classes that are reached through their module are imported by name",
    words=(b"airflow",),
    before="""
from airflow import models

with models.DAG("sales", catchup=False, schedule="@daily"):
    pass
""",
    after="""
from airflow import models
from airflow.models import DAG

with DAG("sales", catchup=False, schedule="@daily"):
    pass
""",
    find=_references_by_module,
    is_for_2=True,
)
