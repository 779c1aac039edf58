"""Every significant change of Airflow 3's release notes, by its heading there, and what the upgrade does about it.

Headings of 3.0.0 and 3.1.0 that name nothing new to use but take away or alter; "Summary of Removed Features" of 3.0.0 row by row; of 3.2 and
3.3 what takes something away from DAG code. A test holds the codes against the rules; the reference shows the table.
"""

from __future__ import annotations

from typing import NamedTuple

from aerodrome.migration.codemod.coverage import Treatment


class Change(NamedTuple):
    """One heading. "proof only": nothing names it, but the proof shows a DAG that it breaks."""

    version: str
    heading: str
    treatment: Treatment
    codes: tuple[str, ...] = ()
    note: str = ""


_ASSESS = "`aerodrome assess` names it"
_PLATFORM = "the deployment's own matter, not the code's"

CHANGES: tuple[Change, ...] = (
    Change("3.0", "Asset-Based Scheduling & Terminology Alignment", "rule", ("moved-name", "context-key", "AIR301")),
    Change("3.0", "Unified Scheduling Field", "rule", ("dag-argument",)),
    Change("3.0", "Updated Scheduling Defaults", "rule", ("catchup-default", "implicit-schedule")),
    Change(
        "3.0",
        "Restricted Metadata Database Access",
        "rule",
        ("orm-access",),
        "where the Task SDK has the same; else a finding",
    ),
    Change(
        "3.0",
        "Future Logical Dates No Longer Supported",
        "not applicable",
        (),
        "no code says the date of a trigger; at run time it is an error",
    ),
    Change(
        "3.0",
        "Context Behavior for Asset and Manually Triggered DAGs",
        "finding",
        ("no-logical-date",),
        "for DAGs that assets trigger, and those that nothing schedules",
    ),
    Change(
        "3.0",
        "Improved Callback Behavior",
        "not applicable",
        (),
        "on_success_callback is not called for skipped tasks any more: read yours",
    ),
    Change("3.0", "Updated Default Configuration", "rule", ("catchup-default", "data-interval")),
    Change("3.0", "Standalone DAG Processor Required", "not applicable", (), _PLATFORM),
    Change("3.0", "Priority Weight Capped by Pool Slots", "not applicable", (), "no code is wrong by it"),
    Change("3.0", "Teardown Task Handling During DAG Termination", "not applicable", (), "no code is wrong by it"),
    Change("3.0", "SequentialExecutor has been removed", "not applicable", (), _ASSESS),
    Change("3.0", "New Stable DAG Authoring Interface: airflow.sdk", "ruff", ("AIR311", "AIR321")),
    Change("3.0", "Renamed Parameter: fail_stop → fail_fast", "rule", ("dag-argument",)),
    Change(
        "3.0",
        "Context Cleanup and Parameter Removal",
        "rule",
        ("context-key", "external-trigger"),
        "conf and prev_ds are findings",
    ),
    Change("3.0", "Task Context Utilities Moved", "rule", ("moved-name",)),
    Change("3.0", "Trigger Rule Restrictions", "proof only", (), "Airflow refuses such a DAG when it reads it"),
    Change("3.0", "Operator Links interface changed", "finding", ("operator-link", "plugin")),
    Change("3.0", "Plugins no longer support adding executors, operators & hooks", "finding", ("plugin", "moved-name")),
    Change("3.0", "Default Value Handling", "not applicable", (), _ASSESS),
    Change("3.0", "Refactored Config Defaults", "rule", ("catchup-default", "data-interval")),
    Change("3.0", "Refactored Internal Utilities", "rule", ("moved-name", "AIR311")),
    Change(
        "3.0",
        "Improved inlet_events, outlet_events, and triggering_asset_events",
        "finding",
        ("asset-event-key", "asset-event"),
    ),
    Change(
        "3.0",
        "Behaviour change in xcom_pull",
        "finding",
        ("xcom-pull-all", "xcom-any-key", "xcom-prior-date", "xcom-several"),
    ),
    Change("3.0", "Removed Configuration Keys", "rule", ("config-variable", "config-option")),
    Change("3.0", "Split CLI Architecture", "finding", ("old-cli",)),
    Change("3.0", "REST API v2 replaces v1", "finding", ("old-rest-api",)),
    Change("3.0", "REST API: DAG Trigger Behavior Updated", "finding", ("old-rest-api",)),
    Change("3.0", "Removed CLI Flags and Commands", "finding", ("old-cli",)),
    Change("3.0", "Provider Refactor & Standardization", "rule", ("moved-name", "provider-needed")),
    Change(
        "3.0",
        "SubDagOperator / SubDAGs",
        "rule",
        ("subdag",),
        "where the group means the same; else a finding with the reason",
    ),
    Change(
        "3.0",
        "SLA callbacks / metrics",
        "finding",
        ("sla",),
        "with the deadline alert that comes near; a deadline is of a run, not of a task",
    ),
    Change("3.0", "DAG Pickling", "finding", ("config-option",)),
    Change("3.0", "Xcom Pickling", "finding", ("config-option",), "values in the database: the migration's checks"),
    Change("3.0", "execution_date context var", "rule", ("context-key", "operator-argument")),
    Change("3.0", "conf and dag_run.external_trigger", "rule", ("external-trigger", "context-key")),
    Change("3.0", "Core EmailOperator", "rule", ("moved-name",)),
    Change("3.0", "none_failed_or_skipped rule", "rule", ("trigger-rule",)),
    Change("3.0", "dummy trigger rule", "rule", ("trigger-rule",)),
    Change("3.0", "fail_stop argument", "rule", ("dag-argument",)),
    Change("3.0", "store_serialized_dags=False", "finding", ("config-option",)),
    Change("3.0", "Deprecated core imports", "rule", ("moved-name", "attribute-reference")),
    Change("3.0", "SequentialExecutor & DebugExecutor", "not applicable", (), _ASSESS),
    Change("3.0", ".airflowignore regex", "finding", ("airflowignore",)),
    Change("3.0", "Deprecated utility methods", "rule", ("moved-name", "days-ago", "apply-defaults")),
    Change(
        "3.0",
        "Minimum Supported Versions",
        "rule",
        ("python2",),
        "Python 2; virtualenvs of deployments have a Python that the target knows",
    ),
    Change("3.1", "Python 3.13 support added & 3.9 support removed", "not applicable", (), _PLATFORM),
    Change("3.1", "Configuration Changes and Cleanup", "rule", ("config-variable", "config-option")),
    Change("3.1", "API Changes", "finding", ("old-rest-api",)),
    Change("3.1", "Task SDK Interface Changes", "ruff", ("AIR321",)),
    Change("3.1", "Reduce default API server workers to 1", "not applicable", (), _PLATFORM),
    Change(
        "3.1", "Airflow now uses structlog everywhere", "not applicable", (), "self.log goes on taking what it took"
    ),
    Change(
        "3.1", "Serialization Interface Changes", "not applicable", (), "of serializers that a project brings: try them"
    ),
    Change(
        "3.2",
        "SQLAlchemy 2.0",
        "finding",
        ("orm-access", "dead-pin"),
        "in DAG code by the access to the database, in requirements.txt by the resolver",
    ),
    Change(
        "3.2",
        "Methods removed from PriorityWeightStrategy, TaskInstance and DagBag",
        "proof only",
        (),
        "internal to Airflow",
    ),
    Change("3.2", "--conn-id of airflow connections list", "finding", ("old-cli",)),
    Change("3.2", "MySQL client removed from container images", "finding", ("airflow-image",)),
    Change(
        "3.3",
        "Names of airflow.sdk",
        "not applicable",
        (),
        "airflow.sdk of 3.3.2 has every name that 3.0, 3.1 and 3.2 had",
    ),
)
