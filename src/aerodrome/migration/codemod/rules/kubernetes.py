"""Airflow's own classes for parts of a pod, which became those of the Kubernetes client; arguments of KubernetesPodOperator that followed.

The mapping is that of the provider's backcompat converters (apache-airflow-providers-cncf-kubernetes 3.0, backcompat/).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_IMPORT = ("kubernetes.client", "models as k8s")
_PLACES = ("airflow.contrib.kubernetes", "airflow.kubernetes", "airflow.providers.cncf.kubernetes.backcompat")
_VOLUMES = frozenset(f"{place}.volume.Volume" for place in _PLACES)
_MOUNTS = frozenset(f"{place}.volume_mount.VolumeMount" for place in _PLACES)
_PORTS = frozenset(f"{place}.pod.Port" for place in _PLACES)
_RESOURCES = frozenset(f"{place}.pod.Resources" for place in _PLACES)
_VARIABLES = frozenset(f"{place}.pod_runtime_info_env.PodRuntimeInfoEnv" for place in _PLACES)
_CLASSES = (
    (_VOLUMES, "V1Volume"), (_MOUNTS, "V1VolumeMount"), (_PORTS, "V1ContainerPort"), (_RESOURCES, "V1ResourceRequirements"), (_VARIABLES, "V1EnvVar"),
)  # fmt: skip
_PODS = ("KubernetesPodOperator", "GKEStartPodOperator", "GKEPodOperator", "EksPodOperator", "EKSPodOperator")
_SOURCES = {
    "persistentVolumeClaim": ("persistent_volume_claim", "V1PersistentVolumeClaimVolumeSource", {"claimName": "claim_name", "readOnly": "read_only"}),
    "hostPath": ("host_path", "V1HostPathVolumeSource", {"path": "path", "type": "type"}),
    "emptyDir": ("empty_dir", "V1EmptyDirVolumeSource", {"medium": "medium", "sizeLimit": "size_limit"}),
    "configMap": ("config_map", "V1ConfigMapVolumeSource", {"name": "name", "defaultMode": "default_mode"}),
    "secret": ("secret", "V1SecretVolumeSource", {"secretName": "secret_name", "defaultMode": "default_mode"}),
    "nfs": ("nfs", "V1NFSVolumeSource", {"server": "server", "path": "path", "readOnly": "read_only"}),
}  # fmt: skip
_OF_ISINSTANCE = 2  # arguments
_RESOURCE_FIELDS = (
    "request_memory", "request_cpu", "request_ephemeral_storage", "limit_memory", "limit_cpu", "limit_gpu", "limit_ephemeral_storage",
)  # fmt: skip
"""In the order of the constructor (1.10.15, 2.6.3)."""
_MOUNT_FIELDS = ("name", "mount_path", "sub_path", "read_only")
RESOURCES = {
    "request_memory": ("requests", "memory"), "request_cpu": ("requests", "cpu"),
    "request_ephemeral_storage": ("requests", "ephemeral-storage"), "limit_memory": ("limits", "memory"),
    "limit_cpu": ("limits", "cpu"), "limit_ephemeral_storage": ("limits", "ephemeral-storage"), "limit_gpu": ("limits", "nvidia.com/gpu"),
}  # fmt: skip


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free("k8s", "kubernetes.client.models"):
        return
    for call in source.each(ast.Call):
        text: str | None = ""
        if source.means(call.func, _VOLUMES):
            text = _volume(source, call)
        elif source.means(call.func, _MOUNTS):
            text = _named(source, call, "V1VolumeMount", _MOUNT_FIELDS)
        elif source.means(call.func, _PORTS):
            text = _named(source, call, "V1ContainerPort", ("name", "container_port"))
        elif source.means(call.func, _RESOURCES):
            text = _resources(source, call)
        elif source.means(call.func, _VARIABLES):
            text = _variable(source, call)
        elif {meaning.rpartition(".")[2] for meaning in source.meanings(call.func)} & set(_PODS):
            yield from _arguments(source, call)
        if text:
            yield Change((replace(source, call, text),), (_IMPORT,))
        elif text is None:
            yield Spot(
                call.lineno,
                f"`{source.code(call.func)}` is gone: KubernetesPodOperator takes the Kubernetes client's own classes.",
                f"Write k8s.{_equal(source, call.func)}, from kubernetes.client.models.",
            )
    for node in _asked_for(source):
        if kind := _equal(source, node):
            yield Change((replace(source, node, f"k8s.{kind}"),), (_IMPORT,))


def _equal(source: Source, node: ast.expr) -> str:
    """Give the name of the Kubernetes client's class for what a node means; "" for anything else."""
    return next((kind for names, kind in _CLASSES if source.means(node, names)), "")


def _asked_for(source: Source) -> Iterator[ast.expr]:
    """Give what stands where only the kind of an object is asked: in `isinstance` and in annotations."""
    places: list[ast.expr | None] = [
        call.args[1]
        for call in source.each(ast.Call)
        if getattr(call.func, "id", "") == "isinstance" and len(call.args) == _OF_ISINSTANCE
    ]
    places += [node.annotation for node in source.each(ast.arg)]
    places += [node.annotation for node in source.each(ast.AnnAssign)]
    places += [node.returns for node in source.each(ast.FunctionDef)]
    for place in places:
        for node in ast.walk(place) if place is not None else ():
            if isinstance(node, ast.Name | ast.Attribute):
                yield node


def _given(call: ast.Call, names: tuple[str, ...]) -> dict[str, ast.expr] | None:
    if has_open_end(call) or len(call.args) > len(names):
        return None
    return dict(zip(names, call.args, strict=False)) | {str(item.arg): item.value for item in call.keywords}


def _named(source: Source, call: ast.Call, kind: str, names: tuple[str, ...]) -> str | None:
    given = _given(call, names)
    if given is None or not set(given) <= set(names):
        return None
    return f"k8s.{kind}({', '.join(f'{name}={source.code(value)}' for name, value in given.items())})"


def _volume(source: Source, call: ast.Call) -> str | None:
    given = _given(call, ("name", "configs"))
    if given is None or set(given) != {"name", "configs"}:
        return None
    configs = dags.constant(source, given["configs"])
    if not isinstance(configs, ast.Dict) or len(configs.keys) != 1 or not isinstance(configs.values[0], ast.Dict):
        return None
    key = getattr(configs.keys[0], "value", None)
    if key not in _SOURCES:
        return None
    field, kind, fields = _SOURCES[key]
    inner = configs.values[0]
    names = [getattr(item, "value", None) for item in inner.keys]
    if any(name not in fields for name in names):
        return None
    text = ", ".join(
        f"{fields[str(name)]}={source.code(value)}" for name, value in zip(names, inner.values, strict=True)
    )
    return f"k8s.V1Volume(name={source.code(given['name'])}, {field}=k8s.{kind}({text}))"


def _resources(source: Source, call: ast.Call) -> str | None:
    given = _given(call, _RESOURCE_FIELDS)
    return None if given is None else _written(source, given.items())


def _variable(source: Source, call: ast.Call) -> str | None:
    given = _given(call, ("name", "field_path"))
    if given is None or set(given) != {"name", "field_path"}:
        return None
    name, path = (source.code(given[one]) for one in ("name", "field_path"))
    field = f"k8s.V1ObjectFieldSelector(field_path={path})"
    return f"k8s.V1EnvVar(name={name}, value_from=k8s.V1EnvVarSource(field_ref={field}))"


_READY = frozenset(
    f"kubernetes.client.{path}V1ResourceRequirements" for path in ("", "models.", "models.v1_resource_requirements.")
)
"""What cncf.kubernetes took as `resources` up to 5.x, and takes as container_resources."""


def _arguments(source: Source, call: ast.Call) -> Iterator[Change | Spot]:
    if item := keyword(call, "resources"):
        value = dags.constant(source, item.value)
        text = _requirements(source, value) if isinstance(value, ast.Dict) else None
        is_ready = isinstance(value, ast.Call) and source.means(value.func, _READY)
        if is_ready and not keyword(call, "container_resources"):
            yield Change((rename_keyword(source, item, "container_resources"),))
        elif text and not keyword(call, "container_resources"):
            yield Change((Edit(source.start(item), source.end(item.value), f"container_resources={text}"),), (_IMPORT,))
        else:
            yield Spot(
                item.value.lineno,
                "KubernetesPodOperator takes container_resources instead of `resources`.",
                "Write container_resources=k8s.V1ResourceRequirements(requests={…}, limits={…}).",
            )
    item = keyword(call, "image_pull_secrets")
    if item and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str):
        names = [name.strip() for name in item.value.value.split(",")]
        text = ", ".join(f'k8s.V1LocalObjectReference("{name}")' for name in names)
        yield Change((replace(source, item.value, f"[{text}]"),), (_IMPORT,))


def _requirements(source: Source, value: ast.Dict) -> str | None:
    names = (getattr(key, "value", None) for key in value.keys)
    return _written(source, zip(names, value.values, strict=True))


def _written(source: Source, given: Iterable[tuple[str | None, ast.expr]]) -> str | None:
    parts: dict[str, list[str]] = {"requests": [], "limits": []}
    for name, item in given:
        if name not in RESOURCES:
            return None
        group, unit = RESOURCES[str(name)]
        if not (isinstance(item, ast.Constant) and item.value is None):
            parts[group].append(f'"{unit}": {source.code(item)}')
    text = ", ".join(f"{group}={{{', '.join(items)}}}" for group, items in parts.items() if items)
    return f"k8s.V1ResourceRequirements({text})"


RULE = Rule(
    code="pod-part",
    title="Volumes, ports and resources of pods become those of the Kubernetes client",
    words=(b"kubernetes",),
    before="""
from airflow.contrib.kubernetes.volume import Volume
from airflow.contrib.kubernetes.volume_mount import VolumeMount
from airflow.contrib.operators.kubernetes_pod_operator import KubernetesPodOperator

disk = Volume(name="disk", configs={"persistentVolumeClaim": {"claimName": "shop"}})
mount = VolumeMount("disk", mount_path="/data", sub_path=None, read_only=True)
run = KubernetesPodOperator(
    task_id="run", name="run", image="shop", volumes=[disk], volume_mounts=[mount], resources={"limit_memory": "1Gi"}
)
""",
    after="""
from airflow.contrib.kubernetes.volume import Volume
from airflow.contrib.kubernetes.volume_mount import VolumeMount
from airflow.contrib.operators.kubernetes_pod_operator import KubernetesPodOperator
from kubernetes.client import models as k8s

disk = k8s.V1Volume(name="disk", persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="shop"))
mount = k8s.V1VolumeMount(name="disk", mount_path="/data", sub_path=None, read_only=True)
run = KubernetesPodOperator(
    task_id="run", name="run", image="shop", volumes=[disk], volume_mounts=[mount], container_resources=k8s.V1ResourceRequirements(limits={"memory": "1Gi"})
)
""",
    find=_find,
    is_for_2=True,
)
