"""Where Airflow 2.11 and 3.3 keep what converted DAGs use. A name that is not here is a `Symbol` of the converter that needs it.

Read from Airflow 2.11.2 and 3.3.2 (standard 1.19, smtp 3.0); every entry is imported under both by a test.
"""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert.contract import Symbol


def _both(name: str, module: str, package: str = "") -> Symbol:
    return Symbol(name, {"2.11": module, "3.3": module}, {"2.11": package, "3.3": package} if package else {})


def _moved(name: str, old: str, new: str, package: str = "") -> Symbol:
    return Symbol(name, {"2.11": old, "3.3": new}, {"3.3": package} if package else {})


def _standard(name: str, old: str, new: str) -> Symbol:
    return _moved(name, old, f"airflow.providers.standard.{new}", "apache-airflow-providers-standard")


DAG: Final = _moved("DAG", "airflow", "airflow.sdk")
PARAM: Final = _moved("Param", "airflow.models.param", "airflow.sdk")
TASK_GROUP: Final = _moved("TaskGroup", "airflow.utils.task_group", "airflow.sdk")
VARIABLE: Final = _moved("Variable", "airflow.models", "airflow.sdk")
BASE_HOOK: Final = _moved("BaseHook", "airflow.hooks.base", "airflow.sdk")
ASSET: Final = Symbol("Asset", {"2.11": "airflow.datasets", "3.3": "airflow.sdk"}, {}, {"2.11": "Dataset"})
ASSET_ALL: Final = Symbol("AssetAll", {"2.11": "airflow.datasets", "3.3": "airflow.sdk"}, {}, {"2.11": "DatasetAll"})
ASSET_ANY: Final = Symbol("AssetAny", {"2.11": "airflow.datasets", "3.3": "airflow.sdk"}, {}, {"2.11": "DatasetAny"})
FAIL: Final = _moved("AirflowFailException", "airflow.exceptions", "airflow.sdk.exceptions")
SKIP: Final = _moved("AirflowSkipException", "airflow.exceptions", "airflow.sdk.exceptions")
CRON: Final = _moved("CronTriggerTimetable", "airflow.timetables.trigger", "airflow.sdk")
DELTA: Final = _moved("DeltaTriggerTimetable", "airflow.timetables.trigger", "airflow.sdk")
# not airflow.sdk: what 3.3.2 writes for its EventsTimetable it cannot read again (serialization/encoders.py leaves out `_summary`)
EVENTS: Final = _both("EventsTimetable", "airflow.timetables.events")
DEADLINE_ALERT: Final = _moved("DeadlineAlert", "", "airflow.sdk")  # 3.3 only
DEADLINE_REFERENCE: Final = _moved("DeadlineReference", "", "airflow.sdk")
BASH: Final = _standard("BashOperator", "airflow.operators.bash", "operators.bash")
PYTHON: Final = _standard("PythonOperator", "airflow.operators.python", "operators.python")
BRANCH: Final = _standard("BranchPythonOperator", "airflow.operators.python", "operators.python")
SHORT_CIRCUIT: Final = _standard("ShortCircuitOperator", "airflow.operators.python", "operators.python")
EMPTY: Final = _standard("EmptyOperator", "airflow.operators.empty", "operators.empty")
TRIGGER_DAG: Final = _standard("TriggerDagRunOperator", "airflow.operators.trigger_dagrun", "operators.trigger_dagrun")
PYTHON_SENSOR: Final = _standard("PythonSensor", "airflow.sensors.python", "sensors.python")
BASH_SENSOR: Final = _standard("BashSensor", "airflow.sensors.bash", "sensors.bash")
FILE_SENSOR: Final = _standard("FileSensor", "airflow.sensors.filesystem", "sensors.filesystem")
EXTERNAL_SENSOR: Final = _standard("ExternalTaskSensor", "airflow.sensors.external_task", "sensors.external_task")
TIME_SENSOR: Final = _standard("TimeSensor", "airflow.sensors.time_sensor", "sensors.time")
LATEST_ONLY: Final = _standard("LatestOnlyOperator", "airflow.operators.latest_only", "operators.latest_only")
EMAIL: Final = _both("EmailOperator", "airflow.providers.smtp.operators.smtp", "apache-airflow-providers-smtp")
SMTP_NOTIFIER: Final = _both(
    "SmtpNotifier", "airflow.providers.smtp.notifications.smtp", "apache-airflow-providers-smtp"
)
SSH: Final = _both("SSHOperator", "airflow.providers.ssh.operators.ssh", "apache-airflow-providers-ssh")
SSH_HOOK: Final = _both("SSHHook", "airflow.providers.ssh.hooks.ssh", "apache-airflow-providers-ssh")
SQL: Final = _both(
    "SQLExecuteQueryOperator", "airflow.providers.common.sql.operators.sql", "apache-airflow-providers-common-sql"
)
LIVY: Final = _both(
    "LivyOperator", "airflow.providers.apache.livy.operators.livy", "apache-airflow-providers-apache-livy"
)
POD: Final = _both(
    "KubernetesPodOperator",
    "airflow.providers.cncf.kubernetes.operators.pod",
    "apache-airflow-providers-cncf-kubernetes",
)
DATAPROC: Final = _both(
    "DataprocSubmitJobOperator", "airflow.providers.google.cloud.operators.dataproc", "apache-airflow-providers-google"
)
EMR_STEPS: Final = _both(
    "EmrAddStepsOperator", "airflow.providers.amazon.aws.operators.emr", "apache-airflow-providers-amazon"
)
PATH: Final = _both("Path", "pathlib")
SUBPROCESS: Final = _both("subprocess", "")  # a whole module: `import subprocess`
JSON: Final = _both("json", "")
OS: Final = _both("os", "")
RE: Final = _both("re", "")
SHLEX: Final = _both("shlex", "")
DATETIME: Final = _both("datetime", "datetime")
TIMEDELTA: Final = _both("timedelta", "datetime")
ZONE_INFO: Final = _both("ZoneInfo", "zoneinfo")
PENDULUM: Final = _both("pendulum", "")
