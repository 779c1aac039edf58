"""Jobs of Microsoft's services and Databricks: which operators they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.plugins.rows import Plugin, may, needs, provider

MICROSOFT: Final[Mapping[str, tuple[Plugin, ...]]] = {
    "adf": (
        Plugin(
            provider(
                "AzureDataFactoryRunPipelineOperator", "microsoft.azure.operators.data_factory", "microsoft-azure"
            ),
            (
                needs("pipeline_name", "pipelinename", "pipeline", "azdfpipeline"),
                needs(
                    "resource_group_name", "resourcegroupname", "resourcegroup", "azresourcegroup", "azrecourcegroup"
                ),
                needs(
                    "factory_name", "datafactoryname", "factoryname", "datafactory", "azuredatafactory", "azdatafactory"
                ),
                may("parameters", "parameters", form="map"),
            ),
            "azure_data_factory_conn_id",
            "azure_data_factory",
        ),
    ),
    "synapse": (
        Plugin(
            provider("AzureSynapseRunPipelineOperator", "microsoft.azure.operators.synapse", "microsoft-azure"),
            (
                needs("pipeline_name", "pipelinename", "pipeline", is_plain=True),
                needs(
                    "azure_synapse_workspace_dev_endpoint",
                    "workspacedevendpoint",
                    "synapseurl",
                    "workspaceurl",
                    is_plain=True,
                ),
                may("parameters", "parameters", form="map", is_plain=True),
            ),
            "azure_synapse_conn_id",
            "azure_synapse",
        ),
    ),
    "power-bi": (
        Plugin(
            provider("PowerBIDatasetRefreshOperator", "microsoft.azure.operators.powerbi", "microsoft-azure"),
            (
                needs("dataset_id", "datasetid", "datasetidsp"),
                needs("group_id", "workspaceid", "workspaceidsp"),
            ),
            "conn_id",
            "powerbi",
            actions=("datasetrefresh", "refreshdataset", "refresh"),
        ),
    ),
    "service-bus": (
        Plugin(
            provider("AzureServiceBusSendMessageOperator", "microsoft.azure.operators.asb", "microsoft-azure"),
            (
                needs("queue_name", "queuetopicname", "queuename"),
                needs("message", "messagebody", "messagepayload", is_plain=True),
            ),
            "azure_service_bus_conn_id",
            "azure_service_bus",
        ),
    ),
    "databricks": (
        Plugin(
            provider("DatabricksRunNowOperator", "databricks.operators.databricks", "databricks"),
            (
                needs("job_id", "databricksjobid", "jobid", "databricksjobidoauthoidc"),
                may("json", "parameters", form="map"),
                may("idempotency_token", "idempotencytoken"),
            ),
            "databricks_conn_id",
            "databricks",
        ),
    ),
}
