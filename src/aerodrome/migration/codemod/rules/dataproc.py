"""Operators of Dataproc that are gone: each becomes the operator that submits a job, with the same job written out.

Sources: the operators and hooks of Airflow 1.10.15 (contrib) and of the Google provider 8.6 (2022-12), which build these jobs from their
arguments, and those of the provider for 3.3.2. What cannot be written with the same meaning is a finding.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, has_open_end, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.rules.operators import Made
from aerodrome.migration.codemod.source import Source

_DATAPROC = "airflow.providers.google.cloud.operators.dataproc"
_JOBS = {  # class -> (key of the job, prefix of its own properties and jars)
    **dict.fromkeys(("DataProcPySparkOperator", "DataprocSubmitPySparkJobOperator"), ("pyspark_job", "pyspark")),
    **dict.fromkeys(("DataProcSparkOperator", "DataprocSubmitSparkJobOperator"), ("spark_job", "spark")),
    **dict.fromkeys(("DataProcHadoopOperator", "DataprocSubmitHadoopJobOperator"), ("hadoop_job", "hadoop")),
    **dict.fromkeys(("DataProcHiveOperator", "DataprocSubmitHiveJobOperator"), ("hive_job", "hive")),
    **dict.fromkeys(("DataProcPigOperator", "DataprocSubmitPigJobOperator"), ("pig_job", "pig")),
    **dict.fromkeys(("DataProcSparkSqlOperator", "DataprocSubmitSparkSqlJobOperator"), ("spark_sql_job", "spark")),
}
_JOB_FIELDS = {
    "main": "main_python_file_uri", "main_jar": "main_jar_file_uri", "main_class": "main_class", "arguments": "args",
    "archives": "archive_uris", "pyfiles": "python_file_uris", "files": "file_uris", "query_uri": "query_file_uri",
    "variables": "script_variables", "dataproc_properties": "properties", "dataproc_jars": "jar_file_uris",
}  # fmt: skip
_CLUSTER_FIELDS = (
    "num_workers", "min_num_workers", "zone", "network_uri", "subnetwork_uri", "internal_ip_only", "tags", "storage_bucket",
    "init_actions_uris", "init_action_timeout", "metadata", "custom_image", "custom_image_project_id", "custom_image_family",
    "image_version", "autoscaling_policy", "properties", "optional_components", "num_masters", "master_machine_type",
    "master_disk_type", "master_disk_size", "worker_machine_type", "worker_disk_type", "worker_disk_size",
    "num_preemptible_workers", "service_account", "service_account_scopes", "idle_delete_ttl", "auto_delete_time",
    "auto_delete_ttl", "customer_managed_key", "enable_component_gateway",
)  # fmt: skip
_GENERATOR = "ClusterGenerator"
_UNIQUE = ' + "_{{ macros.uuid.uuid4().hex[:8] }}"'
"""Jobs of one name need ids of their own; the operators of before added as much."""
_SHORT = 100


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        if made.is_expanding:
            continue
        name = next(iter(sorted(item.rpartition(".")[2] for item in made.old)))
        if name in _JOBS:
            yield from _new(source, made, name, _job(source, made, name), f"{_DATAPROC}.DataprocSubmitJobOperator")
        elif made.classes & {"DataprocCreateClusterOperator", "DataprocDeleteClusterOperator"}:
            yield from _cluster(source, made)


def _new(source: Source, made: Made, name: str, edits: list[Edit] | str, new: str) -> Iterator[Change | Spot]:
    """`edits`: the new arguments, or why there are none."""
    module, _, cls = new.rpartition(".")
    if not isinstance(edits, str) and has_open_end(made.call):
        edits = "arguments come from where they cannot be seen"
    if not isinstance(edits, str) and not source.is_free(cls, new):
        edits = f"the name {cls} is taken"
    if not isinstance(edits, str) and made.node is not made.call.func:
        edits = "it is mapped"
    if isinstance(edits, str):
        yield Spot(
            made.call.lineno, f"{name} is gone from Google's provider.", f"Write {cls}; not done here, because {edits}."
        )
        return
    at = Edit(source.start(made.node), source.end(made.node), cls)
    yield Change((at, *edits), ((module, cls),))


_Entries: TypeAlias = "list[tuple[str, str | _Dict]]"


@dataclass(frozen=True)
class _Dict:
    """A dict to be written: code, or dicts, by key."""

    entries: _Entries

    def text(self, indent: str = "", newline: str = "") -> str:
        """Give the code; on several lines when it is long and `newline` is given."""
        short = "{" + ", ".join(f'"{key}": {_text(value)}' for key, value in self.entries) + "}"
        if not newline or not self.entries or len(indent) + len(short) <= _SHORT:
            return short
        inner = f"{indent}    "
        lines = (f'{inner}"{key}": {_text(value, inner, newline)},' for key, value in self.entries)
        return "{" + newline + newline.join(lines) + newline + indent + "}"


def _text(value: str | _Dict, indent: str = "", newline: str = "") -> str:
    return value if isinstance(value, str) else value.text(indent, newline)


class _Given:
    """The keyword arguments of a call, taken one after the other; what is not taken stays."""

    def __init__(self, source: Source, call: ast.Call) -> None:
        self.source, self.call = source, call
        self.taken: list[ast.keyword] = []

    def take(self, name: str) -> str | None:
        item = keyword(self.call, name)
        if item is None:
            return None
        self.taken.append(item)
        return self.source.code(item.value)

    def value(self, name: str) -> ast.expr | None:
        item = keyword(self.call, name)
        return item.value if item else None

    def edits(self, arguments: _Entries) -> list[Edit]:
        """Put the new arguments where the first old one stood, and drop the others."""
        first, *others = sorted(self.taken, key=self.source.start)
        text = self.text(arguments, self.source.start(first))
        edits = [Edit(self.source.start(first), self.source.end(first.value), text)]
        return edits + [drop_item(self.source, item) for item in others]

    def text(self, arguments: _Entries, at: int) -> str:
        """Write arguments in the layout of the place: one on each line when that is how the others stand."""
        text = self.source.text
        before = text[text.rfind(b"\n", 0, at) + 1 : at].decode()
        newline = self.source.newline.decode() if not before.strip() else ""
        parts = [f"{name}={_text(value, before, newline)}" for name, value in arguments]
        return f",{newline}{before}".join(parts) if newline else ", ".join(parts)


def _has_comment(source: Source, given: _Given) -> bool:
    return any(source.has_comment(source.start(item), source.end(item.value)) for item in given.taken)


def _job(source: Source, made: Made, name: str) -> list[Edit] | str:
    kind, own = _JOBS[name]
    given = _Given(source, made.call)
    if made.call.args:
        return "it has arguments without names"
    for unknown in ("delegate_to", "job_error_states"):
        if given.value(unknown) is not None:
            return f"{unknown} must be moved by hand"
    entries: _Entries = [
        (key, _listed(key, code)) for old, key in _JOB_FIELDS.items() if (code := given.take(old)) is not None
    ]
    for old, key in ((f"dataproc_{own}_properties", "properties"), (f"dataproc_{own}_jars", "jar_file_uris")):
        if (code := given.take(old)) is not None:
            entries.append((key, _listed(key, code)))
    if (code := given.take("query")) is not None:
        entries.append(("query_list", _Dict([("queries", f"[{code}]")])))
    job: _Entries = [("placement", _Dict([("cluster_name", given.take("cluster_name") or '"cluster-1"')]))]
    if (code := given.take("job_name")) is not None:
        job.append(("reference", _Dict([("job_id", code + _UNIQUE)])))
    if (code := given.take("labels")) is not None:
        job.append(("labels", code))
    if _has_comment(source, given):
        return "a comment stands among its arguments"
    if not given.taken:
        return "it has no arguments of a job"
    job.append((kind, _Dict(entries)))
    new: _Entries = [("job", _Dict(job))]
    if not keyword(made.call, "region") and not _is_default(source, "region"):
        new.append(("region", '"global"'))
    return given.edits(new)


def _listed(key: str, code: str) -> str:
    """A jar given as one string is a list of one."""
    is_text = key.endswith("_uris") and code[:1] in "\"'" and not code.startswith(('"""', "'''"))
    return f"[{code}]" if is_text else code


def _is_default(source: Source, name: str) -> bool:
    """Tell whether a dict of the file may give the argument: default_args."""
    return any(isinstance(node.value, str) and node.value == name for node in source.each(ast.Constant))


def _is_of_1(made: Made) -> bool:
    return any(".contrib." in name for name in made.old)


def _cluster(source: Source, made: Made) -> Iterator[Change | Spot]:
    call = made.call
    if not call.keywords or call.args or has_open_end(call) or made.node is not call.func:
        return
    start = source.start(call.keywords[0])
    region = (
        [Edit(start, start, 'region="global", ')]
        if _is_of_1(made) and not keyword(call, "region") and not _is_default(source, "region")
        else []
    )
    if "DataprocDeleteClusterOperator" in made.classes or any(
        keyword(call, name) for name in ("cluster_config", "virtual_cluster_config")
    ):
        if region:
            yield Change(tuple(region))
        return
    given = _Given(source, call)
    project = given.value("project_id")
    fields = [(name, code) for name in _CLUSTER_FIELDS if (code := given.take(name)) is not None]
    if not fields or _has_comment(source, given) or not source.is_free(_GENERATOR, f"{_DATAPROC}.{_GENERATOR}"):
        if region:
            yield Change(tuple(region))
        return
    fields.insert(0, ("project_id", source.code(project) if project is not None else "None"))
    text = f"{_GENERATOR}({', '.join(f'{name}={code}' for name, code in fields)}).make()"
    if project is None and keyword(call, "zone"):
        yield Spot(
            call.lineno,
            "Dataproc's cluster is described by cluster_config today, and its zone needs the project.",
            f"Write cluster_config={_GENERATOR}(project_id=…, zone=…).make().",
        )
        return
    edits = given.edits([("cluster_config", text)])
    if region and edits[0].start == start:
        edits[0] = Edit(start, edits[0].end, region[0].text + edits[0].text)
        region = []
    yield Change((*region, *edits), ((_DATAPROC, _GENERATOR),))


RULE = Rule(
    code="dataproc-job",
    title="Operators of Dataproc that are gone become the job that they made; a cluster is described by its configuration",
    words=(b"DataProc", b"Dataproc"),
    before="""
from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator

run = DataProcPySparkOperator(
    task_id="run",
    main="gs://shop/run.py",
    arguments=["--day", "{{ ds }}"],
    cluster_name="big",
    region="europe-west4",
)
""",
    after="""
from airflow.contrib.operators.dataproc_operator import DataProcPySparkOperator
from airflow.providers.google.cloud.operators.dataproc import DataprocSubmitJobOperator

run = DataprocSubmitJobOperator(
    task_id="run",
    job={
        "placement": {"cluster_name": "big"},
        "pyspark_job": {"main_python_file_uri": "gs://shop/run.py", "args": ["--day", "{{ ds }}"]},
    },
    region="europe-west4",
)
""",
    find=_find,
)
