"""What Airflow 3 removed or changed for DAG code, and what the upgrade does about each. Data for the reference; a test checks the names.

Sources: the breaking changes of the release notes of Airflow 3.0 to 3.3 ("Significant changes"), as far as DAG code can meet them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Treatment = Literal["rule", "ruff", "finding", "proof only", "not applicable"]


class Removal(NamedTuple):
    """One change; `codes` are rules of ours, of ruff, or of findings. "proof only": nothing names it, but the proof does."""

    change: str
    treatment: Treatment
    codes: tuple[str, ...] = ()
    note: str = ""


COVERAGE: tuple[Removal, ...] = (
    Removal(
        "Imports of Airflow 1.10: contrib, *_operator, *_hook, *_sensor, flat imports",
        "rule",
        ("moved-name", "attribute-reference"),
    ),
    Removal("Core operators and sensors moved to the provider `standard` and others", "rule", ("moved-name",)),
    Removal(
        "Classes of providers that were renamed or moved", "rule", ("moved-name",), "as far as the table knows them"
    ),
    Removal("Names imported by a star from a module that moved", "rule", ("moved-name",)),
    Removal("Names of core that are gone without an equal", "finding", ("moved-name",)),
    Removal("Authoring classes are in airflow.sdk (DAG, task, Variable, …)", "ruff", ("AIR311", "AIR321")),
    Removal("Other names removed in 3.0", "ruff", ("AIR301", "AIR302")),
    Removal("Changed signatures of lineage collectors", "ruff", ("AIR303",)),
    Removal(
        "schedule_interval and timetable of a DAG",
        "rule",
        ("dag-argument",),
        "also in `DAG(**a_dict)`, here or in another file of the project",
    ),
    Removal("concurrency, fail_stop of a DAG", "rule", ("dag-argument",)),
    Removal("default_view, orientation, full_filepath of a DAG", "rule", ("dag-argument",)),
    Removal("Arrows between a DAG and a task", "rule", ("dag-arrow",)),
    Removal("task_concurrency, xcom_push of a task", "rule", ("task-argument",)),
    Removal("provide_context", "rule", ("provide-context",)),
    Removal(
        "Attributes and methods of task instances, DAG runs, DAGs and tasks, also in callbacks",
        "finding",
        ("runtime-api",),
        "a rule where the new name means the same",
    ),
    Removal("Google's client libraries, in the versions that providers need", "rule", ("google-client-name",)),
    Removal("Arguments of operators that come from default_args by an old name", "rule", ("default-argument",)),
    Removal(
        "Arguments of operators that come from a dictionary by `**`",
        "rule",
        ("shared-argument",),
        "a finding where the dictionary is used for more",
    ),
    Removal(
        "executor_config with a dictionary for KubernetesExecutor",
        "rule",
        ("pod-override",),
        "a finding where its parts are not written there",
    ),
    Removal("SparkKubernetesOperator that only submits, with a sensor behind it", "finding", ("spark-application",)),
    Removal("Arguments of BaseHook's constructor", "rule", ("base-hook",)),
    Removal(
        "What SFTPHook's get_conn() gives",
        "rule",
        ("sftp-connection",),
        "a finding for what paramiko's client has not",
    ),
    Removal(
        "EmailOperator and the mails about failed tasks go by a connection, not by the settings of [smtp]",
        "finding",
        ("email-connection",),
        "the connection is named in the call of EmailOperator",
    ),
    Removal(
        "default_args that only the operators of today read",
        "rule",
        ("unread-default",),
        "where the project ran on 1.10; a finding where the default cannot be written",
    ),
    Removal("Options that code reads from the configuration by an old name", "rule", ("config-option-read",)),
    Removal("airflow.configuration.get, getboolean and the others as functions", "rule", ("configuration-function",)),
    Removal(
        "Defaults of 1.10's operators that today's have not: the connections of BigQuery, EMR and ECS, pods that stay and their images, Spark's master, queue and names, headers of loads into BigQuery",
        "rule",
        ("old-default",),
        "where the project ran on 1.10",
    ),
    Removal(
        "The source's version, where only imports tell it",
        "finding",
        ("source-version",),
        "by file: one that only 1.10 reads has its defaults; one that merely looks so is said",
    ),
    Removal(
        "Defaults of the providers of 2.x that today's have not: connections of RDS, Batch and Kubernetes, names of SageMaker's jobs",
        "rule",
        ("old-provider-default",),
        "where the project ran on a 2.x whose providers had them",
    ),
    Removal("SqlSensor: allow_null, which was True", "rule", ("sql-sensor-null",), "where the project ran on 1.10"),
    Removal(
        "SQSSensor pushed a whole answer", "rule", ("sqs-messages",), "a finding where no pull of it is in the file"
    ),
    Removal("Data Factory's operators do not take the factory from their connection", "rule", ("azure-data-factory",)),
    Removal(
        "Operators, hooks and sensors of plugins below airflow.operators, airflow.hooks and airflow.sensors",
        "finding",
        ("moved-name", "plugin-import"),
        "a rule where the project's own files define the class",
    ),
    Removal("apply_defaults", "rule", ("apply-defaults",)),
    Removal("A DAG without a schedule was daily, and never runs now", "rule", ("implicit-schedule",)),
    Removal("catchup_by_default is False", "rule", ("catchup-default",), "a finding where arguments come from `**`"),
    Removal(
        "create_cron_data_intervals and create_delta_data_intervals are False",
        "rule",
        ("data-interval", "computed-schedule"),
        "or keep the options on",
    ),
    Removal("airflow.utils.dates: days_ago, and names it had by accident", "rule", ("days-ago", "moved-name")),
    Removal(
        "Context: execution_date, next_ds, next_execution_date, tomorrow_ds, yesterday_ds, prev_execution_date_success",
        "rule",
        ("context-key",),
    ),
    Removal("Context: prev_ds, prev_execution_date, conf", "finding", ("context-key",), "there is no exact equal"),
    Removal(
        "Context: conf, test_mode, expanded_ti_count, tables in Python, and all of it (`print(kwargs)`)",
        "finding",
        ("context-contents",),
    ),
    Removal("Context: triggering_dataset_events", "rule", ("context-key",)),
    Removal("Templates: var.value.get of a variable that is not there raised", "rule", ("absent-variable",)),
    Removal("Variable.get raised KeyError", "rule", ("variable-error",)),
    Removal("LatestOnlyOperator skipped all tasks after it", "finding", ("latest-only",)),
    Removal("pendulum 1 and 2: texts, formats and weekdays of moments", "rule", ("pendulum-moment",)),
    Removal("execution_date of a DAG run", "rule", ("context-key",)),
    Removal("Trigger rules dummy and none_failed_or_skipped", "rule", ("trigger-rule",)),
    Removal("Datasets are assets", "rule", ("moved-name",)),
    Removal(
        "SubDagOperator",
        "rule",
        ("subdag",),
        "a task group where nothing but the order of tasks depended on it; else a finding with the reason",
    ),
    Removal("SLAs without effect", "rule", ("sla",), "of DAGs without a schedule, or None"),
    Removal(
        "SLAs", "finding", ("sla",), "with the deadline alert that comes near: a deadline is of a run, not of a task"
    ),
    Removal(
        "Tasks may not reach the metadata database",
        "rule",
        ("orm-access",),
        "where the Task SDK has the same; else a finding with what takes its place",
    ),
    Removal(
        "The address of the metadata database, read from the configuration or its variables",
        "finding",
        ("metadata-address",),
    ),
    Removal("dag_run.external_trigger", "rule", ("external-trigger",)),
    Removal("Runs that assets trigger have no dates", "finding", ("no-logical-date",)),
    Removal("Addresses of datasets that a provider refuses", "rule", ("asset-address",), "x- before their scheme"),
    Removal("Connection.get_password, get_extra and their kin", "rule", ("connection-method",), "else a finding"),
    Removal(
        "SQLAlchemy 2 in tasks: postgres://, engine.execute", "rule", ("sqlalchemy-engine",), "statements: a finding"
    ),
    Removal(
        "SQLAlchemy 2 in tasks: connections commit nothing by themselves, and take no plain text",
        "rule",
        ("sqlalchemy-connection",),
        "where what they run can be seen; else a finding",
    ),
    Removal(
        "airflow.utils.timezone: make_aware, is_localized, is_naive, utc_epoch, parse_timezone, local_timezone, td_format",
        "rule",
        ("timezone-function",),
        "a finding for td_format, and where they are no calls",
    ),
    Removal("Days of the context in Python: next_ds, yesterday_ds, tomorrow_ds", "rule", ("context-date",)),
    Removal(
        "Days of the context as parameters of functions: next_ds, yesterday_ds, tomorrow_ds",
        "rule",
        ("context-parameter",),
        "by op_kwargs; a finding where calls cannot be seen",
    ),
    Removal("Events of datasets by a text", "finding", ("asset-event-key",)),
    Removal(
        "Events of datasets: dataset, uri, dataset_id; addresses as keys",
        "rule",
        ("asset-event",),
        "a finding for what events have no more",
    ),
    Removal("Runs of the kind dataset_triggered", "rule", ("run-type",), "in templates, too; else a finding"),
    Removal("Links of operators with a date", "finding", ("operator-link",)),
    Removal(
        "Functions that run in a virtualenv, under another interpreter or in a container",
        "finding",
        ("isolated-airflow",),
        "what they need is imported inside them, by every rule; what another Airflow runs there stays as it is",
    ),
    Removal(
        "Names and attributes in templates: conf, test_mode, tables, END_DATE, latest_date, ti.dag_run, macros.hive, …",
        "rule",
        ("template-name",),
        "else a finding; by a table of what the packages had",
    ),
    Removal(
        "Sensors that run out of time are not tried again",
        "finding",
        ("sensor-timeout",),
        "where the project ran on 1.10 and they have retries",
    ),
    Removal(
        "next_execution_date and next_ds under a timetable of one's own",
        "finding",
        ("next-date",),
        "they are data_interval_end, which need not be the next run's date",
    ),
    Removal(
        "Modules of Python's own library that newer Pythons have not: imp, distutils, cgi, …",
        "finding",
        ("stdlib-module",),
        "imports that nothing uses go",
    ),
    Removal(
        "prev_ds and prev_execution_date in templates",
        "rule",
        ("previous-date",),
        "where the schedule is a cron of one step in UTC or a timedelta; else a finding",
    ),
    Removal("try_number in callbacks, before 2.10", "rule", ("try-number",), "else a finding"),
    Removal("Kinds of runs and states as texts: `{{ dag_run.run_type }}`", "rule", ("state-text",)),
    Removal("xcom_pull without task_ids", "finding", ("xcom-pull-all", "xcom-any-key")),
    Removal(
        "xcom_pull without a key",
        "rule",
        ("xcom-any-key",),
        "where the file shows what the task pushes; else a finding",
    ),
    Removal(
        "xcom_pull with include_prior_dates or default",
        "rule",
        ("xcom-prior-date",),
        "a finding for other DAGs, and for tasks that may be mapped",
    ),
    Removal(
        "xcom_pull of several tasks",
        "rule",
        ("xcom-several",),
        "a finding where task_ids may be one or several, and for a tuple that a template writes",
    ),
    Removal("XCom.get_one, get_value and set in tasks", "rule", ("xcom-model",), "else a finding"),
    Removal("xcom_push and xcom_pull of operators", "rule", ("operator-xcom",)),
    Removal("xcom_push for a later date", "rule", ("xcom-later-date",), "for its own date; else a finding"),
    Removal("xcom_pull of the task instance of an earlier run", "rule", ("previous-task",), "else a finding"),
    Removal("Variable.set of something that is no text", "rule", ("variable-text",)),
    Removal("TriggerDagRunOperator(…).execute(context) in a function", "finding", ("trigger-execute",)),
    Removal("execute() of an operator without a context", "rule", ("operator-execute",), "else a finding"),
    Removal(
        "SlackWebhookHook(message=…).execute()",
        "rule",
        ("slack-message",),
        "where it is executed at once; else a finding",
    ),
    Removal("TriggerDagRunOperator and ExternalTaskMarker: execution_date", "rule", ("operator-argument",)),
    Removal(
        "TriggerDagRunOperator: python_callable",
        "rule",
        ("trigger-callable",),
        "conf= where it only fills the payload, else an operator that asks it",
    ),
    Removal("PostgresOperator, MySqlOperator and their kin", "rule", ("sql-operator",)),
    Removal(
        "PostgresOperator and its kin as a base, in a table, for isinstance, or taken by other files",
        "rule",
        ("sql-operator-class",),
        "a class of that name takes what the old one took",
    ),
    Removal(
        "Clients that hooks give: of azure-storage, discovery, requests, cx_Oracle and others",
        "finding",
        ("hook-client",),
        "cx_Oracle is oracledb, by a rule",
    ),
    Removal(
        "psycopg 3 behind PostgresHook: cursors, parameters, several statements, errors, types",
        "rule",
        ("postgres-driver",),
        "psycopg2 is kept, by the provider's own switch",
    ),
    Removal("lineage: inlets=AUTO, inlets and outlets as dicts or names of tasks", "finding", ("lineage",)),
    Removal("params that JSON cannot hold", "finding", ("param-not-json",)),
    Removal("use_dill of PythonVirtualenvOperator", "rule", ("operator-argument",)),
    Removal("DockerOperator: auto_remove takes words", "rule", ("operator-argument",)),
    Removal("KubernetesPodOperator: is_delete_operator_pod", "rule", ("operator-argument",)),
    Removal("DockerOperator: volumes; SSHOperator: timeout", "rule", ("operator-argument", "ssh-timeout")),
    Removal("arguments by position of hooks' constructors, in another order", "rule", ("hook-position",)),
    Removal(
        "methods of hooks: arguments renamed, in another order or gone; methods that are gone", "rule", ("hook-method",)
    ),
    Removal(
        "Arguments that a provider renamed",
        "rule",
        ("changed-argument",),
        "by a table of the providers' own deprecations",
    ),
    Removal(
        "Arguments of 1.10 and of hooks that got other names without a word of the old constructor",
        "rule",
        ("renamed-argument",),
        "connections of AWS and Slack, Pub/Sub, hooks of SFTP",
    ),
    Removal(
        "delegate_to of Google's operators and hooks", "rule", ("delegate-to",), "an account needs other rights then"
    ),
    Removal(
        "Tokens of Slack as arguments", "rule", ("slack-token",), "a connection takes their place, which a person makes"
    ),
    Removal(
        "delegate_to of Google's operators and hooks", "rule", ("delegate-to",), "impersonation_chain takes its place"
    ),
    Removal(
        "Types of the arguments of tasks are checked: email_on_failure, depends_on_past, retries, …",
        "rule",
        ("argument-type",),
    ),
    Removal(
        "pendulum 1 of Airflow 1.10 is pendulum 3",
        "rule",
        ("pendulum-name",),
        "Pendulum, create, from_format, parse, period, …; else a finding",
    ),
    Removal(
        "Arguments that no Airflow knew: 1.10 ignored them, with a warning",
        "rule",
        ("unknown-argument",),
        "for every operator of 1.10",
    ),
    Removal("Arguments that a provider gave up, or insists on now", "finding", ("changed-argument",)),
    Removal(
        "BigQueryOperator, BigQueryCreateEmptyTableOperator, BigQueryCreateExternalTableOperator",
        "rule",
        ("bigquery-query", "bigquery-table", "bigquery-external-table"),
    ),
    Removal(
        "DataFlowJavaOperator, DataFlowPythonOperator, DataflowCreate…JobOperator",
        "rule",
        ("dataflow-pipeline",),
        "operators of the Beam provider; of 1.10, where the options can be seen",
    ),
    Removal(
        "Operators, sensors and hooks that no package has any more: AutoML, Data Catalog, Life Sciences, AI Platform, Qubole, HDFS, …",
        "rule",
        ("gone-class",),
        "a class of the same name takes their place; its tasks raise, and each is a finding",
    ),
    Removal(
        "Pages of the old UI, in links that code makes by hand: /log?…, /graph?…, /dags/…/grid",
        "finding",
        ("page-link",),
        "the UI of 3 has other addresses",
    ),
    Removal(
        "triggering_dataset_events, asked of what may be a task's context",
        "rule",
        ("asset-event-name",),
        "triggering_asset_events; a parameter of that name is found",
    ),
    Removal(
        "Variable.get_variable_from_secrets",
        "rule",
        ("variable-read",),
        "Variable.get with None for what is not there",
    ),
    Removal(
        "Functions that are gone: airflow.api.common.experimental, round_time, date_range, …",
        "rule",
        ("gone-function",),
        "one of the same name raises when a task calls it; a finding where the file calls it as it is read",
    ),
    Removal(
        "Sqoop, Plexus: providers that are retired",
        "rule",
        ("retired-provider",),
        "their last releases work with 3.3.2; said at each import",
    ),
    Removal(
        "Sensors and operators that did nothing but defer: GCSObjectExistenceAsyncSensor, …",
        "rule",
        ("deferrable-class",),
    ),
    Removal("Dataproc operators for each kind of job; cluster arguments", "rule", ("dataproc-job",)),
    Removal(
        "TableauRefreshWorkbookOperator, SnowflakeToSlackOperator", "rule", ("tableau-refresh", "snowflake-to-slack")
    ),
    Removal(
        "hook_params of Rds operators and sensors",
        "rule",
        ("rds-hook-params",),
        "where all of it has its own argument; the connection that was the default is said",
    ),
    Removal("Volume, VolumeMount, Port, resources of KubernetesPodOperator", "rule", ("pod-part",)),
    Removal("Tasks compared by > or <, which 1.10 let pass", "rule", ("task-comparison",)),
    Removal("Arguments of a DAG by their position", "rule", ("dag-argument",)),
    Removal("Python 2", "rule", ("python2",), "where the platform runs on Python 3.11 or 3.12; else a finding"),
    Removal(
        "Operators, hooks and sensors that a plugin put below airflow.operators, …",
        "rule",
        ("plugin-import",),
        "where the project has the plugin; else a finding",
    ),
    Removal("Plugins: Flask views, menu links, operators and hooks lists", "finding", ("plugin",)),
    Removal("Commands of the old CLI in strings", "finding", ("old-cli",)),
    Removal("REST API v1 and the experimental one in strings", "finding", ("old-rest-api",)),
    Removal("Pins of Airflow and constraints in requirements.txt", "rule", ("airflow-pin", "constraint")),
    Removal("Pins of providers that are too old", "finding", ("provider-pin",)),
    Removal("Providers that the code needs now", "rule", ("provider-needed",), "added to requirements.txt"),
    Removal(
        "Options of airflow.cfg, in files and AIRFLOW__ variables",
        "rule",
        ("config-variable", "config-option"),
        "variables are renamed; airflow.cfg, and values that changed, are findings",
    ),
    Removal(
        "Old CLI and REST API in Dockerfiles, compose files and shell scripts", "finding", ("old-cli", "old-rest-api")
    ),
    Removal(
        "Versions that do not go with the target",
        "finding",
        ("dead-pin", "requirement-version", "requirements-unchecked", "requirements-unresolvable"),
        "with --as-of DAY: pins are lifted with the reason, versions are those of that day",
    ),
    Removal("Patterns of .airflowignore are globs", "finding", ("airflowignore",)),
    Removal("Images of the old Airflow", "finding", ("airflow-image",)),
    Removal("XCom pickling; executors", "not applicable", (), "not DAG code: `aerodrome assess`"),
    Removal("Views, roles and the web server", "not applicable", (), "not DAG code"),
)
