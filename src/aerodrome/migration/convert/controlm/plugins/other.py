"""Jobs of dbt, Airbyte, Jenkins, Tableau, Kubernetes and Spark: which operators they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.plugins.rows import Plugin, may, needs, provider

OTHER: Final[Mapping[str, tuple[Plugin, ...]]] = {
    "dbt": (
        Plugin(
            provider("DbtCloudRunJobOperator", "dbt.cloud.operators.dbt", "dbt-cloud"),
            (needs("job_id", "dbtjobid", "jobid"),),
            "dbt_cloud_conn_id",
            "dbt_cloud",
        ),
    ),
    "airbyte": (
        Plugin(
            provider("AirbyteTriggerSyncOperator", "airbyte.operators.airbyte", "airbyte"),
            (needs("connection_id", "connectionid"),),
            "airbyte_conn_id",
            "airbyte",
            (("timeout", 604_800),),
            ("sync",),
        ),
    ),
    "jenkins": (
        Plugin(
            provider("JenkinsJobTriggerOperator", "jenkins.operators.jenkins_job_trigger", "jenkins"),
            (
                needs("job_name", "pipelinename", "jobname", is_plain=True),
                may("parameters", "parameters", form="map"),
            ),
            "jenkins_connection_id",
            "jenkins",
        ),
    ),
    "tableau": (
        Plugin(
            provider("TableauOperator", "tableau.operators.tableau", "tableau"),
            (needs("find", "datasourcename"),),
            "tableau_conn_id",
            "tableau",
            (("resource", "datasources"), ("method", "refresh"), ("match_with", "name")),
            ("datasource",),
        ),
    ),
    "kubernetes": (
        Plugin(
            provider("KubernetesJobOperator", "cncf.kubernetes.operators.job", "cncf-kubernetes"),
            (needs("job_template_file", "jobspecyaml", "yamlfile"),),
            "kubernetes_conn_id",
            "kubernetes",
            (("wait_until_job_complete", True),),
            ("apply", "run", "local"),
            note=(
                "kubernetes-file",
                "The file with the specification lies on the agent in Control-M: give it to the workers. It must be of the kind Job.",
            ),
        ),
    ),
    "spark": (
        Plugin(
            provider("SparkSubmitOperator", "apache.spark.operators.spark_submit", "apache-spark"),
            (
                needs("application", "sparkscript", "programjar", "applicationjar", "script", "sparkapplicationpath"),
                may("java_class", "mainclass", is_plain=True),
                may("application_args", "arguments", form="list"),
            ),
            "conn_id",
            "spark",
        ),
    ),
}
