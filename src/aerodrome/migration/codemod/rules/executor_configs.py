"""What tasks asked of KubernetesExecutor by a dictionary of its own is asked by a pod of the Kubernetes client: it refuses the dictionary today.

The mapping is that of PodGenerator.from_obj and its constructor in apache-airflow 1.10.15, and of from_legacy_obj and PodGeneratorDeprecated in 2.x;
apache-airflow-providers-cncf-kubernetes 10 raises a TypeError for anything but a V1Pod under `pod_override`, and the executor fails the task.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.kubernetes import RESOURCES
from aerodrome.migration.codemod.source import Source

_KEY, _NEW = "KubernetesExecutor", "pod_override"
_MODELS = "kubernetes.client.models"
_ALIASES = ("k8s", "k8s_models")
_META = {name: name for name in ("namespace", "labels", "annotations")}
_CONTAINER = {
    "image": "image",
    "cmds": "command",
    "args": "args",
    "image_pull_policy": "image_pull_policy",
    "ports": "ports",
    "resources": "resources",
    "volume_mounts": "volume_mounts",
}
_SPEC = {
    "security_context": "security_context",
    "tolerations": "tolerations",
    "dnspolicy": "dns_policy",
    "schedulername": "scheduler_name",
    "hostnetwork": "host_network",
    "affinity": "affinity",
    "service_account_name": "service_account_name",
    "init_containers": "init_containers",
    "volumes": "volumes",
    "node_selectors": "node_selector",
    "restart_policy": "restart_policy",
    "priority_class_name": "priority_class_name",
}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for mapping in source.each(ast.Dict):
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if getattr(key, "value", None) != _KEY or key is None:
                continue
            settings = dags.constant(source, value)
            alias = next((name for name in _ALIASES if source.is_free(name, _MODELS)), None)
            if isinstance(settings, ast.Constant):  # the name of an executor, and what somebody says of it
                continue
            text = _pod(source, settings, alias) if isinstance(settings, ast.Dict) and alias else None
            if text is None or len(mapping.keys) > 1:
                yield _refused(key.lineno)
            else:
                edit = Edit(source.start(key), source.end(value), f'"{_NEW}": {text}')
                yield Change((edit,), ((_MODELS.rpartition(".")[0], f"models as {alias}"),))
    for item in source.each(ast.Subscript):
        if getattr(item.slice, "value", None) == _KEY and isinstance(item.ctx, ast.Store):
            yield _refused(item.lineno)


def _refused(line: int) -> Spot:
    return Spot(
        line,
        "KubernetesExecutor fails tasks whose executor_config has a dictionary under its name.",
        'Write executor_config={"pod_override": k8s.V1Pod(…)}; its first container is `base`. Tasks that other executors run need none.',
    )


def _pod(source: Source, settings: ast.Dict, alias: str) -> str | None:
    """Write a pod; None when there is something that Airflow did not take, or that is not for text to say."""
    meta: list[str] = []
    container = ['name="base"']
    spec: list[str] = []
    amounts: dict[str, list[str]] = {"requests": [], "limits": []}
    for key, value in zip(settings.keys, settings.values, strict=True):
        name, code = getattr(key, "value", None), source.code(value)
        if isinstance(value, ast.Constant) and value.value is None:
            continue
        if name in RESOURCES:
            group, unit = RESOURCES[name]
            amounts[group].append(f'"{unit}": {code}')
        elif name in _META:
            meta.append(f"{name}={code}")
        elif name in _CONTAINER:
            container.append(f"{_CONTAINER[name]}={code}")
        elif name in _SPEC:
            spec.append(f"{_SPEC[name]}={code}")
        elif name == "envs" and (variables := _environment(source, value, alias)):
            container.append(f"env={variables}")
        elif name == "image_pull_secrets" and isinstance(getattr(value, "value", None), str):
            names = str(value.value).split(",")  # type: ignore[attr-defined]
            secrets = ", ".join(f'{alias}.V1LocalObjectReference(name="{each}")' for each in names)
            spec.append(f"image_pull_secrets=[{secrets}]")
        else:
            return None
    if any(amounts.values()):
        if any(word.startswith("resources=") for word in container):
            return None
        words = ", ".join(f"{group}={{{', '.join(items)}}}" for group, items in amounts.items() if items)
        container.append(f"resources={alias}.V1ResourceRequirements({words})")
    spec.insert(0, f"containers=[{alias}.V1Container({', '.join(container)})]")
    head = f"metadata={alias}.V1ObjectMeta({', '.join(meta)}), " if meta else ""
    return f"{alias}.V1Pod({head}spec={alias}.V1PodSpec({', '.join(spec)}))"


def _environment(source: Source, value: ast.expr, alias: str) -> str | None:
    """Write variables: a dictionary has their values, a list is that of Kubernetes already."""
    if isinstance(value, ast.List):
        return source.code(value)
    if not isinstance(value, ast.Dict) or None in value.keys:
        return None
    words = (
        f"{alias}.V1EnvVar(name={source.code(key)}, value={source.code(item)})"
        for key, item in zip(value.keys, value.values, strict=True)
        if key is not None
    )
    return f"[{', '.join(words)}]"


RULE = Rule(
    code="pod-override",
    title="What tasks ask of KubernetesExecutor by its own dictionary is asked by a pod of the Kubernetes client",
    words=(_KEY.encode(),),
    before="""
from airflow.operators.python_operator import PythonOperator

fit = PythonOperator(
    task_id="fit",
    python_callable=print,
    executor_config={"KubernetesExecutor": {"image": "shop:1", "request_memory": "2Gi", "annotations": {"team": "shop"}}},
)
send = PythonOperator(task_id="send", python_callable=print, executor_config={"KubernetesExecutor": settings()})
""",
    after="""
from airflow.operators.python_operator import PythonOperator
from kubernetes.client import models as k8s

fit = PythonOperator(
    task_id="fit",
    python_callable=print,
    executor_config={"pod_override": k8s.V1Pod(metadata=k8s.V1ObjectMeta(annotations={"team": "shop"}), spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", image="shop:1", resources=k8s.V1ResourceRequirements(requests={"memory": "2Gi"}))]))},
)
send = PythonOperator(task_id="send", python_callable=print, executor_config={"KubernetesExecutor": settings()})
""",
    find=_find,
    finding="KubernetesExecutor fails tasks whose executor_config has a dictionary under its name.",
    is_for_2=True,
)
