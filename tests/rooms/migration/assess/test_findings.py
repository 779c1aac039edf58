"""Every finding code opens on an estate that has its cause, and stays quiet on one that nearly has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aerodrome.migration.assess.assessment import assess_inventory
from aerodrome.migration.assess.checks import ALL
from aerodrome.migration.assess.contract import Finding
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import (
    AssetRecord,
    CodeFactRecord,
    ConfigRecord,
    ConnectionRecord,
    ConversionRecord,
    DagRecord,
    EndpointRecord,
    EnvVarRecord,
    FileRecord,
    ImportErrorRecord,
    MeasureRecord,
    PackageRecord,
    PoolRecord,
    RoleRecord,
    UserRecord,
    VariableRecord,
)

DAG = DagRecord(
    dag_id="d", file="d.py", is_paused=False, is_active=True, schedule=None, schedule_kind="none", timetable=None,
    timezone="UTC", catchup=False, start_date=None, end_date=None, max_active_runs=16, max_active_tasks=16, owners=("ann",),
    tags=(), description=None, task_count=1, tasks=(), depends_on_dags=(), datasets_in=(), datasets_out=(), pools=(),
    queues=(), connections=(), variables=(), next_logical_date=None, next_interval_start=None, next_interval_end=None,
    next_run_after=None, run_states={"success": 3},
)  # fmt: skip
CONNECTION = ConnectionRecord("c", "http", None, None, None, None, None, (), False, False, "f", "metadata-db")
VARIABLE = VariableRecord("v", None, 5, False, False, "f", "metadata-db")
CRON = {"schedule": "0 2 * * *", "schedule_kind": "cron"}


def inventory(source: str = "2.11.2", target: str = "3.3.2", **parts: Any) -> Inventory:
    return Inventory(source, target, taken_at="2026-06-01T00:00:00.000000Z", **parts)


def dag(source: str = "2.11.2", target: str = "3.3.2", **changes: Any) -> Inventory:
    return inventory(source, target, dags=(replace(DAG, **changes),))


def dags(*changes: dict[str, Any], **parts: Any) -> Inventory:
    return inventory(dags=tuple(replace(DAG, **change) for change in changes), **parts)


def many(number: int, **changes: Any) -> Inventory:
    return dags(*({"dag_id": f"d{n}", "file": f"d{n}.py", **changes} for n in range(number)))


def told(outcome: str, code: str) -> Inventory:
    return inventory(conversions=(ConversionRecord("d", outcome, code, "action/shell a", "so it is.", "a/w.xml", 3),))


def task(**facts: Any) -> Inventory:
    return dag(tasks=({"task_id": "t", **facts},))


def connection(**changes: Any) -> Inventory:
    return inventory(connections=(replace(CONNECTION, **changes),))


def variable(**changes: Any) -> Inventory:
    return inventory(variables=(replace(VARIABLE, **changes),))


def config(option: str, value: str | None, source: str = "2.11.2") -> Inventory:
    return inventory(source, config=(ConfigRecord(option, value, False, "file"),))


def measure(*pairs: tuple[str, int]) -> Inventory:
    return inventory(measures=tuple(MeasureRecord(name, amount) for name, amount in pairs))


def fact(rule: str, source: str = "2.11.2", message: str = "It is.", *, is_fixable: bool = False) -> Inventory:
    return inventory(source, code_facts=(CodeFactRecord("dags", "d.py", 3, rule, message, "Do.", is_fixable, 1),))


def package(name: str, version: str | None) -> Inventory:
    return inventory(packages=(PackageRecord(name, version, "requirements"),))


def endpoint(scheme: str, host: str) -> Inventory:
    return inventory(endpoints=(EndpointRecord("dags", "d.py", 3, scheme, host, None),))


def user(*, is_active: bool = True, role: str = "Admin") -> Inventory:
    return inventory(users=(UserRecord("ann", None, (role,), is_active),))


NOTHING = inventory()
RING = ({"dag_id": "a", "depends_on_dags": ("b",)}, {"dag_id": "b", "depends_on_dags": ("a",)})
CHAIN = ({"dag_id": "a", "depends_on_dags": ("b",)}, {"dag_id": "b"})
STAR = tuple({"dag_id": f"d{n:02}", "depends_on_dags": ("d00",)} for n in range(30))

CASES: dict[str, tuple[Inventory, Inventory]] = {
    # platform
    "import-error": (inventory(import_errors=(ImportErrorRecord("d.py", "No module named acme."),)), NOTHING),
    "xcom-pickling": (config("core.enable_xcom_pickling", "True"), config("core.enable_xcom_pickling", "False")),
    "executor": (config("core.executor", "CeleryExecutor"), config("core.executor", "LocalExecutor")),
    "queue": (dag(queues=("heavy",)), dag(queues=("default",))),
    "executor-config": (task(has_executor_config=True), task(has_executor_config=False)),
    "admin-user": (user(), user(is_active=False)),
    "source-version": (inventory("1.9.0"), inventory("1.10.15")),
    "source-legacy": (inventory("1.10.15"), inventory("2.0.2")),
    "config-removed": (config("webserver.analytics_id", "x"), config("webserver.analytics_id", "x", "3.0.6")),
    "config-default": (config("core.check_slas", "True"), config("core.check_slas", "False")),
    "config-renamed": (config("core.dag_concurrency", "5"), config("core.max_active_tasks_per_dag", "5")),
    "logs-remote": (config("logging.remote_logging", "True"), config("logging.remote_logging", "False")),
    "logs-local": (config("logging.remote_logging", "False"), config("logging.remote_logging", "True")),
    "xcom-backend": (config("core.xcom_backend", "acme.S3XCom"), config("core.xcom_backend", "airflow.models.xcom.BaseXCom")),
    "custom-auth": (
        config("api.auth_backends", "acme.auth"), config("api.auth_backends", "airflow.api.auth.backend.session"),
    ),
    "cluster-policy": (
        inventory(files=(FileRecord("airflow_local_settings.py", "plugins", 1, "0"),)),
        inventory(files=(FileRecord("settings.py", "plugins", 1, "0"),)),
    ),
    "metrics-export": (config("metrics.statsd_on", "True"), config("metrics.statsd_on", "False")),
    "mail-alerts": (config("smtp.smtp_host", "mail.acme.internal"), NOTHING),
    "parallelism": (config("core.parallelism", "64"), config("core.parallelism", None)),
    "role-custom": (
        inventory(roles=(RoleRecord("Analysts", 12, 3),)),
        inventory(roles=(RoleRecord("Analysts", 12, 0), RoleRecord("Viewer", 40, 7))),
    ),
    "users": (user(role="Viewer"), user(is_active=False)),
    # code
    "code-syntax": (fact("syntax"), fact("AIR301")),
    "code-left-out": (fact("left-out"), fact("AIR301")),
    "code-removed": (fact("AIR302"), fact("AIR302", is_fixable=True)),
    "code-upgrade": (fact("AIR301", is_fixable=True), fact("AIR301", "3.0.6", is_fixable=True)),
    "orm-access": (fact("orm-access"), fact("orm-access", "3.0.6")),
    "subdag": (fact("subdag"), fact("subdag", "3.0.6")),
    "sla": (fact("sla"), fact("sla", "3.0.6")),
    "context-key": (fact("context-key"), fact("context-renamed")),
    "plain-secret": (fact("plain-secret"), fact("plugin")),
    "xcom-pull-all": (fact("xcom-pull-all"), fact("xcom-pull-all", "3.0.6")),
    "old-interface": (fact("old-cli"), fact("old-cli", "3.0.6")),
    "plugin": (fact("plugin"), fact("custom-hook")),
    "custom-class": (fact("custom-hook"), fact("plugin")),
    "old-path": (fact("contrib"), fact("contrib", "3.0.6")),
    "variable-at-parse": (fact("variable-at-parse"), fact("plugin")),
    # schedules
    "cron-data-interval": (dag(**CRON), dag("3.0.6", **CRON)),
    "catchup-default": (dag(**CRON, catchup=None), dag(**CRON, catchup=False)),
    "implicit-schedule": (dag(schedule="timedelta:86400", schedule_kind="timedelta"), dag(**CRON)),
    "custom-timetable": (dag(schedule_kind="timetable", timetable="acme.Holidays"), dag(**CRON)),
    "timezone": (dag(**CRON, timezone="Asia/Tokyo"), dag(**CRON, timezone="UTC")),
    "in-flight": (dag(task_states={"running": 2}), dag(task_states={"success": 2})),
    "dag-never-ran": (dag(run_states={}), dag()),
    "dag-failing": (dag(runs_30d=10, failures_30d=6), dag(runs_30d=10, failures_30d=1)),
    "dag-inactive": (dag(is_active=False), dag()),
    "dag-dependency": (dags(*CHAIN), dags({"dag_id": "a"}, {"dag_id": "b"})),
    "dag-dependency-lost": (dag(depends_on_dags=("gone",)), dags(*CHAIN)),
    "dataset-dependency": (
        dags({"dag_id": "a", "datasets_out": ("s3://x",)}, {"dag_id": "b", "datasets_in": ("s3://x",)}),
        dags({"dag_id": "a", "datasets_out": ("s3://x",)}),
    ),
    "schedule-summer-time": (
        dag(schedule="30 2 * * *", schedule_kind="cron", timezone="Europe/Berlin"),
        dag(schedule="30 2 * * *", schedule_kind="cron", timezone="Asia/Tokyo"),
    ),
    "timezone-unknown": (dag(timezone="Mars/Olympus"), dag(timezone="+02:00")),
    "schedule-frequent": (
        dag(schedule="*/2 * * * *", schedule_kind="cron"), dag(schedule="*/15 * * * *", schedule_kind="cron"),
    ),
    "schedule-crowd": (many(25, **CRON), many(10, **CRON)),
    "schedule-once": (dag(schedule="@once", schedule_kind="preset"), dag(schedule="@daily", schedule_kind="preset")),
    "schedule-continuous": (dag(schedule="@continuous", schedule_kind="continuous"), dag(**CRON)),
    "dag-ended": (dag(end_date="2026-01-01T00:00:00Z"), dag(end_date="2027-01-01T00:00:00Z")),
    "dag-future": (dag(start_date="2027-01-01T00:00:00Z"), dag(start_date="2026-01-01T00:00:00Z")),
    "catchup-storm": (dag(**CRON, catchup=True), dag(**CRON, catchup=True, is_paused=True)),
    "dag-behind": (
        dag(**CRON, next_run_after="2026-05-20T00:00:00Z"), dag(**CRON, next_run_after="2026-06-01T00:00:00Z"),
    ),
    "dag-idle": (dag(last_run_at="2024-01-01T00:00:00Z"), dag(last_run_at="2026-05-01T00:00:00Z", runs_365d=1)),
    "outside-trigger": (dag(runs_30d=40), dag(**CRON, runs_30d=40)),
    # tasks
    "trigger-rule-gone": (task(trigger_rule="dummy"), task(trigger_rule="all_done")),
    "kubernetes-task": (task(**{"class": "KubernetesPodOperator"}), task(**{"class": "BashOperator"})),
    "docker-task": (task(**{"class": "DockerOperator"}), task(**{"class": "BashOperator"})),
    "spark-task": (task(**{"class": "SparkSubmitOperator"}), task(**{"class": "SparkSensor"})),
    "virtualenv-task": (task(**{"class": "PythonVirtualenvOperator"}), task(**{"class": "PythonOperator"})),
    "poke-sensor": (task(is_poking=True), task(is_poking=False)),
    "past-dependency": (task(depends_on_past=True), task()),
    "mapped-task": (task(is_mapped=True), task(is_mapped=False)),
    "callback": (dag(callbacks=("on_failure_callback",)), task(has_callbacks=False)),
    "dag-large": (dag(task_count=201), dag(task_count=200)),
    "dag-unread": (dag(task_count=0), dag(task_count=0, import_error="no")),
    # secrets
    "undecryptable": (connection(error="no", fingerprint=None), connection()),
    "secret-places": (connection(has_password=True), connection()),
    "secret-unencrypted": (measure(("unencrypted:connection", 2)), measure(("unencrypted:connection", 0))),
    "secrets-backend": (config("secrets.backend", "acme.Vault"), NOTHING),
    "env-secret": (
        inventory(env_vars=(EnvVarRecord("API_TOKEN", True, "f", "user"),)),
        inventory(env_vars=(EnvVarRecord("REGION", False, "f", "user"),)),
    ),
    "secret-variable": (variable(is_sensitive=True), variable()),
    "extra-secret": (connection(extra_keys=("api_key",)), connection(extra_keys=("timeout",))),
    "extra-prefixed": (connection(extra_keys=("extra__aws__region",)), connection(extra_keys=("region",))),
    "extra-not-object": (
        connection(has_odd_extra=True), replace(connection(has_odd_extra=True), target_version="2.11.2"),
    ),
    "connection-untyped": (connection(conn_type=None), connection()),
    "connection-duplicate": (
        inventory(connections=(replace(CONNECTION, host="h.x"), replace(CONNECTION, conn_id="e", host="h.x"))),
        inventory(connections=(replace(CONNECTION, host="h.x"), replace(CONNECTION, conn_id="e", fingerprint="g"))),
    ),
    "variable-large": (variable(size_bytes=40_000), variable(size_bytes=4_000)),
    "metadata-connection": (dag(connections=("airflow_db",)), dag("3.0.6", connections=("airflow_db",))),
    # network
    "network-paths": (connection(host="8.8.8.8"), connection()),
    "private-host": (connection(host="10.1.2.3"), connection(host="8.8.8.8")),
    "network-unknown": (connection(host="db.acme.com"), connection(host="10.1.2.3")),
    "network-public": (connection(host="8.8.8.8"), connection(host="10.1.2.3")),
    "local-host": (connection(host="localhost"), connection(host="10.1.2.3")),
    "code-host": (endpoint("https", "api.acme.com"), endpoint("s3", "lake")),
    "code-store": (endpoint("s3", "lake"), endpoint("https", "api.acme.com")),
    "plain-http": (endpoint("http", "api.acme.com"), endpoint("http", "10.0.0.1")),
    "cloud-service": (connection(conn_type="snowflake"), connection()),
    "cloud-identity": (connection(conn_type="aws"), connection(conn_type="aws", has_password=True)),
    # objects and packages
    "missing-pool": (dag(pools=("p",)), dags({"pools": ("p",)}, pools=(PoolRecord("p", 1, None, False),))),
    "missing-connection": (dag(connections=("c",)), dags({"connections": ("c",)}, connections=(CONNECTION,))),
    "missing-variable": (dag(variables=("v",)), dags({"variables": ("v",)}, variables=(VARIABLE,))),
    "unused-connection": (connection(), dags({"connections": ("c",)}, connections=(CONNECTION,))),
    "missing-provider": (
        inventory(connections=(CONNECTION,), packages=(PackageRecord("pandas", "==2", "requirements"),)),
        inventory(
            connections=(CONNECTION,), packages=(PackageRecord("apache-airflow-providers-http", None, "requirements"),)
        ),
    ),
    "pool-unlimited": (
        inventory(pools=(PoolRecord("p", -1, None, False),)), inventory(pools=(PoolRecord("p", 1, None, False),)),
    ),
    "pool-unused": (
        inventory(pools=(PoolRecord("p", 1, None, False),)), inventory(pools=(PoolRecord("default_pool", 1, None, False),)),
    ),
    "pool-default": (
        inventory(pools=(PoolRecord("default_pool", 500, None, False),)),
        inventory(pools=(PoolRecord("default_pool", 128, None, False),)),
    ),
    "requirement-url": (package("acme", "@ git+https://git.acme.com/x"), package("acme", "==1.0")),
    "requirement-unpinned": (package("pandas", ">=2"), package("pandas", "==2.1.0")),
    "requirement-airflow": (package("apache-airflow", "==2.11.2"), package("apache-airflow", "==3.3.2")),
    # dependencies
    "dependency-group": (dags(*CHAIN), dags({"dag_id": "a"}, {"dag_id": "b"})),
    "dependency-group-large": (dags(*STAR), dags(*STAR[:10])),
    "dependency-cycle": (dags(*RING), dags(*CHAIN)),
    "file-crowded": (many(30, file="factory.py"), many(30)),
    "owner-missing": (dag(owners=("airflow",)), dag()),
    "activity": (dag(runs_30d=3, runs_365d=9), dag()),
    # history
    "history-size": (dag(), dag(run_states={})),
    "transfer-time": (dag(), dag(run_states={})),
    "history-calls": (measure(("calls:xcom", 3)), measure(("rows:xcom", 3))),
    "transfer-long": (dag(task_states={"success": 90_000_000}), dag(task_states={"success": 90_000})),
    "history-stays": (measure(("rows:log", 20_000_000)), measure(("rows:log", 20))),
    "source-unread": (dag(unread=("timezone",)), dag()),
    "convert-rejected": (told("rejected", "xml-broken"), told("caveat", "xml-broken")),
    "convert-raises": (told("raises", "el-unknown"), told("raises", "calendar-missing")),
    "convert-caveat": (told("caveat", "kill-message"), told("caveat", "condition-unknown-producer")),
    "convert-question": (told("question", "unknown-values"), told("question", "calendar-missing")),
    "convert-calendar": (told("question", "calendar-missing"), told("rejected", "calendar-missing")),
    "convert-producer": (told("caveat", "condition-unknown-producer"), told("caveat", "kill-message")),
    "xcom-pickled": (measure(("xcom:pickled", 3), ("xcom:sampled", 9)), measure(("xcom:pickled", 0), ("xcom:sampled", 9))),
    "in-flight-total": (measure(("state:running", 3)), measure(("state:running", 0))),
    "dataset-events-pending": (measure(("pending:dataset-events", 3)), measure(("pending:dataset-events", 0))),
    "backfill-running": (measure(("running:backfill", 3)), measure(("running:backfill", 0))),
}  # fmt: skip


def found(estate: Inventory, code: str) -> list[Finding]:
    return [finding for finding in assess_inventory(estate).findings if finding.code == code]


@pytest.mark.parametrize("code", [check.code for check in ALL])
def test_a_finding_opens_and_stays_quiet(code: str) -> None:
    opens, quiet = CASES[code]
    findings = found(opens, code)
    assert findings, f"{code} does not open"
    assert not found(quiet, code), f"{code} does not stay quiet"
    for finding in findings:
        assert finding.message.endswith((".", "…")), finding.message
        assert finding.hint.endswith((".", "?")), finding.hint


def test_what_a_secrets_backend_is_asked_for_is_told_apart() -> None:
    """It is named, is not taken for something that moves, and still has no value in the estate."""
    options = (ConfigRecord("secrets.backend", "airflow.providers.x.SecretsManagerBackend", False, "file"),)
    asked = replace(CONNECTION, conn_id="dwh", conn_type=None, fingerprint=None, origin="secrets-backend")
    token = replace(VARIABLE, name="api_token", is_sensitive=True, fingerprint=None, origin="secrets-backend")
    estate = inventory(
        dags=(replace(DAG, connections=("dwh",), variables=("api_token",)),),
        connections=(asked,), variables=(token,), config=options,
    )  # fmt: skip
    said = {each.code: each.message for each in assess_inventory(estate).findings}
    assert said["secrets-backend"] == (
        "Secrets also come from SecretsManagerBackend, which is not read; DAGs look up connection dwh, variable api_token there."
    )
    assert said["missing-connection"] == "Names the connection dwh; the secrets backend is asked for it."
    assert said["missing-variable"] == "Names the variable api_token; the secrets backend is asked for it."
    assert "2 in a secrets backend" in said["secret-places"]
    assert not {"connection-untyped", "secret-variable", "undecryptable"} & said.keys()


def test_what_waits_for_an_asset_is_named() -> None:
    waiting = AssetRecord("s3://a", "s3://a", ("d",), (), ("d", "e"), 3, None)
    untold = AssetRecord("s3://b", "s3://b", (), (), (), None, None, ("events",))
    found = inventory(measures=(MeasureRecord("pending:dataset-events", 2),), assets=(waiting, untold))
    said = {each.code: each.message for each in assess_inventory(found).findings}
    assert "start: d, e." in said["dataset-events-pending"]
    assert said["source-unread"] == "events: not told of datasets and assets."


def test_every_code_has_its_case() -> None:
    assert set(CASES) == {check.code for check in ALL}
    assert len(CASES) >= 100


def test_dns_is_believed_only_where_it_was_asked() -> None:
    estate = connection(host="db.acme.com")
    assert found(estate, "network-unknown")
    asked = replace(estate, addresses={"db.acme.com": ("10.0.0.7",)})
    assert [item.subject for item in found(asked, "private-host")] == ["connection:c"]
    assert not found(asked, "network-unknown")
    assert found(replace(estate, addresses={"db.acme.com": ("8.8.8.8",)}), "network-public")
    mixed = replace(estate, addresses={"db.acme.com": ("8.8.8.8", "10.0.0.7")})
    assert found(mixed, "network-unknown")


def test_waves_keep_together_what_hangs_together() -> None:
    assessment = assess_inventory(dags(*STAR, {"dag_id": "alone"}, {"dag_id": "lost", "is_active": False}))
    risks = assessment.dag_risks
    assert {risks[f"d{n:02}"].wave for n in range(30)} == {risks["d00"].wave} != {""}
    assert risks["alone"].wave
    assert (risks["lost"].wave, risks["lost"].stays_because) == ("", "the source no longer has its file")
    assert {dag_id for wave in assessment.waves for dag_id in wave.dag_ids} == set(risks) - {"lost"}
    assert risks["d07"].group == "d00"
