"""Airflow's own classes for parts of a pod, which became those of the Kubernetes client; arguments of KubernetesPodOperator that followed.

The mapping is that of the provider's backcompat converters (apache-airflow-providers-cncf-kubernetes 3.0, backcompat/).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_IMPORT = ("kubernetes.client", "models as k8s")
_PLACES = ("airflow.contrib.kubernetes", "airflow.kubernetes", "airflow.providers.cncf.kubernetes.backcompat")
_VOLUMES = frozenset(f"{place}.volume.Volume" for place in _PLACES)
_MOUNTS = frozenset(f"{place}.volume_mount.VolumeMount" for place in _PLACES)
_PORTS = frozenset(f"{place}.pod.Port" for place in _PLACES)
_PODS = ("KubernetesPodOperator", "GKEStartPodOperator", "GKEPodOperator", "EksPodOperator", "EKSPodOperator")
_SOURCES = {
    "persistentVolumeClaim": ("persistent_volume_claim", "V1PersistentVolumeClaimVolumeSource", {"claimName": "claim_name", "readOnly": "read_only"}),
    "hostPath": ("host_path", "V1HostPathVolumeSource", {"path": "path", "type": "type"}),
    "emptyDir": ("empty_dir", "V1EmptyDirVolumeSource", {"medium": "medium", "sizeLimit": "size_limit"}),
    "configMap": ("config_map", "V1ConfigMapVolumeSource", {"name": "name", "defaultMode": "default_mode"}),
    "secret": ("secret", "V1SecretVolumeSource", {"secretName": "secret_name", "defaultMode": "default_mode"}),
    "nfs": ("nfs", "V1NFSVolumeSource", {"server": "server", "path": "path", "readOnly": "read_only"}),
}  # fmt: skip
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
        elif {meaning.rpartition(".")[2] for meaning in source.meanings(call.func)} & set(_PODS):
            yield from _arguments(source, call)
        if text:
            yield Change((replace(source, call, text),), (_IMPORT,))
        elif text is None:
            yield Spot(
                call.lineno,
                f"`{source.code(call.func)}` is gone: KubernetesPodOperator takes the Kubernetes client's own classes.",
                "Write k8s.V1Volume, k8s.V1VolumeMount or k8s.V1ContainerPort, from kubernetes.client.models.",
            )


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
    parts: dict[str, list[str]] = {"requests": [], "limits": []}
    for key, item in zip(value.keys, value.values, strict=True):
        name = getattr(key, "value", None)
        if name not in RESOURCES:
            return None
        group, unit = RESOURCES[str(name)]
        if not (isinstance(item, ast.Constant) and item.value is None):
            parts[group].append(f'"{unit}": {source.code(item)}')
    given = ", ".join(f"{group}={{{', '.join(items)}}}" for group, items in parts.items() if items)
    return f"k8s.V1ResourceRequirements({given})"


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
