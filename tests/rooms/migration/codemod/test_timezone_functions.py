"""Functions of airflow.utils.timezone that are gone; what replaces them gives the same in real Airflows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("from airflow.utils import timezone\n\nx = timezone.td_format(1)\n", "td_format"),
        ("from airflow.sdk import timezone\n\nx = timezone.make_aware\n", "make_aware"),
        ("import airflow.utils.timezone as tz\n\nx = map(tz.is_naive, y)\n", "is_naive"),
        ("from airflow.utils.timezone import is_localized\n\nx = is_localized(*y)\n", "is_localized"),
        ("from airflow.utils import timezone\n\nx = timezone.TIMEZONE\n", "airflow.settings.TIMEZONE"),
        ("from airflow.utils import helpers\n\nx = helpers.alchemy_to_dict(1)\n", "alchemy_to_dict"),
    ],
)
def test_what_has_no_equal_is_told(code: str, told: str) -> None:
    assert told in str(rewrite(code.encode(), RULES, Options(source_version="2.9.3")).spots)


_SCRIPT = """
import datetime as dt

import pendulum
from airflow.utils import timezone
from airflow.utils.timezone import is_localized, local_timezone, make_aware, utc_epoch

zone = timezone.parse_timezone("Europe/Zurich")
plain = dt.datetime(2024, 10, 27, 2, 30)
moments = [plain, timezone.make_aware(plain), make_aware(plain, timezone=zone), make_aware(pendulum.naive(2024, 1, 2), zone), utc_epoch()]
print("RESULT", [str(m) for m in moments], [is_localized(m) for m in moments], [timezone.is_naive(m + dt.timedelta(1)) for m in moments],
      timezone.make_aware(None), zone == make_aware(plain, zone).tzinfo, str(local_timezone()), moments[0].isoformat())
"""


@pytest.mark.airflow
def test_both_airflows_give_the_same(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/moments.py").write_text(_SCRIPT)
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.11.2"))
    assert not done.findings
    results = []
    for version, folder in (("2.11.2", "in"), ("3.3.2", "out")):
        command = [
            str(airflow_venv(version).path / "bin/python"),
            "-W",
            "ignore",
            str(tmp_path / folder / "moments.py"),
        ]
        env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path / version)}
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        results.append(ran.stdout.rpartition("RESULT ")[2].strip() or ran.stderr[-900:])
    assert results[0] == results[1]
    assert "2024-10-27 02:30:00+01:00" in results[0]
