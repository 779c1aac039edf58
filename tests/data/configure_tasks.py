"""Run by the Python of Airflow 1.10 to 2.11: give task instances of a metadata database an executor_config, as that Airflow pickles it."""

from fractions import Fraction

from airflow.models import TaskInstance

try:
    from airflow.utils.session import create_session
except ImportError:
    from airflow.utils.db import create_session

# How Airflow since 2.3.3 stores a pod: its serializer's form (here without Kubernetes' client, which would make it).
POD = {"__type": "k8s.V1Pod", "__var": {"spec": {"containers": [{"name": "base", "image": "etl:7"}]}}}
CONFIGS = {
    "extract": {"KubernetesExecutor": {"image": "etl:7", "limits": ("1", 2.5)}},
    "load": {"share": Fraction(1, 3)},
}
with create_session() as session:
    for instance in session.query(TaskInstance).filter(TaskInstance.dag_id == "daily_orders"):
        if instance.task_id in CONFIGS:
            instance.executor_config = CONFIGS[instance.task_id]
    for instance in session.query(TaskInstance).filter(TaskInstance.dag_id == "six_hourly"):
        instance.executor_config = {"pod_override": POD, "queue": "k8s"}
