"""`aerodrome dev`: looks at a project on this machine; no server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.airflowkit.versions import DEFAULT
from aerodrome.cli import upgrade
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline

app = App(name="dev", help="Work on a project on this machine, without a server.")


@app.command(name="upgrade-test")
def upgrade_test(
    path: Annotated[Path, Parameter(help="The project folder, or a folder of DAGs.")] = Path(),
    *,
    from_version: Annotated[str, Parameter(name="--from", help="The Airflow of the project; auto finds out.")] = "auto",
    to_version: Annotated[str, Parameter(name="--to", help="The Airflow to try: 3.3 or 3.3.2.")] = DEFAULT,
    html: Annotated[Path | None, Parameter(help="Write the page for review into this file.")] = None,
    report: Annotated[Path | None, Parameter(help="Write everything that was found as JSON into this file.")] = None,
    intervals: Annotated[
        Literal["pin", "keep"],
        Parameter(
            help="pin: schedules say their data intervals. keep: the target runs with create_cron_data_intervals."
        ),
    ] = "pin",
    gone: Annotated[
        Literal["raise", "keep"],
        Parameter(
            help="What nothing continues. raise: a stand-in, whose tasks fail and say why. keep: the file does not import."
        ),
    ] = "raise",
    catchup: Annotated[bool, Parameter(help="What the project's catchup_by_default is.")] = True,
    timezone: Annotated[
        str, Parameter(help="The project's [core] default_timezone, by default what its files say, else UTC.")
    ] = "",
    source_venv: Annotated[
        Path | None, Parameter(help="A virtualenv with the project's Airflow (else one is made).")
    ] = None,
    target_venv: Annotated[
        Path | None, Parameter(help="A virtualenv with the target's Airflow (else one is made).")
    ] = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Try a newer Airflow: upgrade a copy of the project, read it under both Airflows, and say what differs. Changes nothing.

    Exit code 1 when a DAG file is broken or different, or has tasks that raise because their class is gone. The same as `aerodrome upgrade --prove`, without its diff.
    """
    upgrade.run(
        path,
        from_version=from_version,
        to_version=to_version,
        diff=False,
        prove=True,
        html=html,
        report=report,
        intervals=intervals,
        gone=gone,
        catchup=catchup,
        timezone=timezone,
        source_venv=source_venv,
        target_venv=target_venv,
        offline=offline,
    )
