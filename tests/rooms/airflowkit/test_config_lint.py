"""Options that another Airflow version ignores in silence are told before the change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aerodrome.airflowkit.config_lint import lint_config
from aerodrome.builds.contract import Venv
from aerodrome.kernel.secret import Secret

pytestmark = pytest.mark.airflow
OPTIONS = {
    "webserver.rbac": "True",
    "webserver.web_server_port": "8080",
    "core.executor": "CeleryKubernetesExecutor",
    "core.max_active_runs_per_dag": "4",
    "scheduler.catchup_by_default": "True",
}


def test_an_upgrade_tells_what_is_gone_renamed_and_different(airflow_venv: Callable[..., Venv]) -> None:
    env: dict[str, str | Secret] = {
        "AIRFLOW__SMTP__SMTP_PASSWORD": Secret("canary-smtp-password"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat /run/url",
        "PATH": "/bin",
    }
    found = {item.option: item for item in lint_config(OPTIONS, env, "2.11.2", "3.3.2", airflow_venv("3.3.2").path)}
    assert "does not know" in found["webserver.rbac"].message  # airflow config lint says nothing about it
    assert "api" in found["webserver.web_server_port"].message
    assert found["core.executor"].severity == "blocker"
    assert found["smtp.smtp_password"].source == "airflow"
    assert found["core.dag_ignore_file_syntax"].severity == "info"
    assert found["scheduler.catchup_by_default"].severity == "info"  # set by hand: nothing changes
    assert not {"core.max_active_runs_per_dag", "database.sql_alchemy_conn_cmd"} & found.keys()
    assert "canary" not in repr(found)


def test_a_way_back_tells_what_the_older_version_does_not_know(airflow_venv: Callable[..., Venv]) -> None:
    options = {"api.base_url": "http://x", "dag_processor.refresh_interval": "5", "core.parallelism": "4"}
    found = {item.option for item in lint_config(options, {}, "3.3.2", "2.11.2", airflow_venv("2.11.2").path)}
    assert found == {"api.base_url", "dag_processor.refresh_interval"}
