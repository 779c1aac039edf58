"""Classes that did nothing but defer: the class that they derived from does it when it is told to.

Source: the old classes themselves. `super().__init__(deferrable=True, **kwargs)` in apache-airflow-providers-google 10.1.1, -dbt-cloud and -microsoft-azure
(June 2023); those of -databricks 4.2.0 have an execute that is what today's does with deferrable=True.
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword, replace
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_PLACES = {
    "airflow.providers.google.cloud.sensors.gcs": {"GCSObjectExistenceAsyncSensor": "GCSObjectExistenceSensor"},
    "airflow.providers.google.cloud.sensors.bigquery": {
        "BigQueryTableExistenceAsyncSensor": "BigQueryTableExistenceSensor",
        "BigQueryTableExistencePartitionAsyncSensor": "BigQueryTablePartitionExistenceSensor",
    },
    "airflow.providers.dbt.cloud.sensors.dbt": {"DbtCloudJobRunAsyncSensor": "DbtCloudJobRunSensor"},
    "airflow.providers.microsoft.azure.sensors.data_factory": {
        "AzureDataFactoryPipelineRunStatusAsyncSensor": "AzureDataFactoryPipelineRunStatusSensor",
    },
    "airflow.providers.microsoft.azure.sensors.wasb": {"WasbBlobAsyncSensor": "WasbBlobSensor"},
    "airflow.providers.databricks.operators.databricks": {
        "DatabricksSubmitRunDeferrableOperator": "DatabricksSubmitRunOperator",
        "DatabricksRunNowDeferrableOperator": "DatabricksRunNowOperator",
    },
}
_NEW = {f"{module}.{old}": (module, new) for module, names in _PLACES.items() for old, new in names.items()}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        place = next((_NEW[name] for name in made.old if name in _NEW), None)
        if place is None or made.is_expanding or keyword(made.call, "deferrable"):
            continue
        module, name = place
        if source.is_free(name, f"{module}.{name}"):
            edits = (replace(source, made.node, name), add_keyword(source, made.call, "deferrable", "True"))
            yield Change(edits, (place,))


RULE = Rule(
    code="deferrable-class",
    title="Sensors and operators whose name said that they defer become the plain ones with deferrable=True",
    words=tuple(sorted(name.rpartition(".")[2].encode() for name in _NEW)),
    before="""
from airflow.providers.google.cloud.sensors.gcs import GCSObjectExistenceAsyncSensor

wait = GCSObjectExistenceAsyncSensor(task_id="wait", bucket="sales", object="{{ ds }}.csv")
""",
    after="""
from airflow.providers.google.cloud.sensors.gcs import GCSObjectExistenceAsyncSensor
from airflow.providers.google.cloud.sensors.gcs import GCSObjectExistenceSensor

wait = GCSObjectExistenceSensor(task_id="wait", bucket="sales", object="{{ ds }}.csv", deferrable=True)
""",
    find=_find,
)
