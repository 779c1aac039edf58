"""Operators that are gone become those that do the same; where nothing does, the finding says what the provider named instead."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.moves import successors, table
from aerodrome.migration.codemod.rules import RULES

_RDS = "from airflow.providers.amazon.aws.sensors.rds import RdsSnapshotExistenceSensor as Wait\n"
_SLACK = "from airflow.providers.snowflake.transfers.snowflake_to_slack import SnowflakeToSlackOperator as Tell\n"
_TABLEAU = "from airflow.providers.tableau.operators.tableau_refresh_workbook import TableauRefreshWorkbookOperator as Refresh\n"


def upgraded(source: str) -> Rewritten:
    done = rewrite(source.encode(), RULES, Options())
    assert rewrite(done.text, RULES, Options()).text == done.text
    return done


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f'{_RDS}a = Wait(task_id="a", hook_params={{"config": C, "verify": False}}, db_type="instance")\n',
            'a = Wait(task_id="a", botocore_config=C, verify=False, db_type="instance")\n',
        ),
        (f'{_RDS}a = Wait(task_id="a", hook_params=None)\n', 'a = Wait(task_id="a")\n'),
        (
            f'{_SLACK}a = Tell(task_id="a", sql="s", slack_message="m", slack_token=TOKEN)\n',
            'a = SqlToSlackWebhookOperator(task_id="a", sql="s", slack_message="m", sql_conn_id="snowflake_default", slack_webhook_conn_id="slack_default")\n',
        ),
        (
            f'{_SLACK}a = Tell(task_id="a", sql="s", slack_message="m", slack_conn_id="b", snowflake_conn_id="c", slack_token=TOKEN)\n',
            'a = SqlToSlackWebhookOperator(task_id="a", sql="s", slack_message="m", slack_webhook_conn_id="b", sql_conn_id="c")\n',
        ),
        (
            f'{_TABLEAU}a = Refresh(task_id="a", workbook_name=BOOK, site_id="s", check_interval=5)\n',
            'a = TableauOperator(task_id="a", resource="workbooks", method="refresh", match_with="name", find=BOOK, site_id="s", check_interval=5)\n',
        ),
    ],
)
def test_what_another_operator_does_exactly(before: str, after: str) -> None:
    assert upgraded(before).text.decode().endswith(f"\n{after}")


@pytest.mark.parametrize(
    "source",
    [
        f'{_RDS}a = Wait(task_id="a", hook_params=PARAMS)\n',
        f'{_RDS}a = Wait(task_id="a", hook_params={{"client_type": "rds"}})\n',
        f'{_RDS}a = Wait(task_id="a", hook_params={{"region_name": "a"}}, region_name="b")\n',
        f'{_SLACK}a = Tell(task_id="a", **more)\n',
        f'{_TABLEAU}a = Refresh(task_id="a", **more)\n',
        f'{_TABLEAU}a = Refresh.partial(task_id="a").expand(workbook_name=BOOKS)\n',
    ],
)
def test_what_may_mean_something_else_stays(source: str) -> None:
    assert upgraded(source).text.decode() == source


def test_hook_params_that_a_sensor_would_ignore_are_found() -> None:
    done = upgraded(f'{_RDS}a = Wait(task_id="a", hook_params=PARAMS)\n')
    assert [(code, spot.line) for code, spot in done.spots] == [("rds-hook-params", 2)]


def test_a_module_that_moved_as_a_whole_is_that_module() -> None:
    source = "from airflow.utils import timezone\n\nstart = timezone.datetime(2024, 1, 1)\n"
    assert upgraded(source).text.decode() == source.replace("airflow.utils", "airflow.sdk")


def test_a_name_that_is_gone_is_told_with_what_its_provider_named() -> None:
    assert successors().keys() <= table().gone
    module = "airflow.providers.google.cloud.operators"
    done = upgraded(f"from {module}.automl import AutoMLPredictOperator\n")
    ((_, spot),) = done.spots
    assert "so is the service behind it" in spot.message
    assert f"`{module}.translate.TranslateTextOperator`" in spot.hint
    done = upgraded(f"from {module}.datapipeline import CreateDataPipelineOperator, RunDataPipelineOperator\n")
    assert all("Its provider named instead" in spot.hint for _, spot in done.spots)
