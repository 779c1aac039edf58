"""Names of pendulum 1 and 2; what is written gives what pendulum 1.4.4 gave, under the pendulum of a real Airflow 3."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "pendulum-name"]


def done(text: str, version: str = "1.10.15") -> Rewritten:
    found = rewrite(text.encode(), OURS, Options(source_version=version))
    assert rewrite(found.text, OURS, Options(source_version=version)).text == found.text
    return found


_MODULE = "import pendulum\nx = "


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pendulum.Pendulum(2020, 1, 2, tzinfo=z)", "pendulum.datetime(2020, 1, 2, tz=z)"),
        ("pendulum.Pendulum.now('UTC')", "pendulum.DateTime.now('UTC')"),
        ("isinstance(y, pendulum.Pendulum)", "isinstance(y, pendulum.DateTime)"),
        ("pendulum.create(2020, 1, day=2)", "pendulum.datetime(2020, 1, day=2)"),
        ("pendulum.strptime(y, '%Y')", "pendulum.DateTime.strptime(y, '%Y')"),
        ("pendulum.from_format(y, '%Y')", "pendulum.DateTime.strptime(y, '%Y')"),
        ("pendulum.from_format(y, 'YYYY')", "pendulum.from_format(y, 'YYYY')"),
        ("pendulum.utcfromtimestamp(3)", "pendulum.from_timestamp(3)"),
        ("pendulum.interval(days=1)", "pendulum.duration(days=1)"),
        ("pendulum.interval(1)", "pendulum.duration(1)"),
        ("pendulum.period(a, b)", "pendulum.interval(a, b)"),
        ("pendulum.tz.timezone('UTC')", "pendulum.timezone('UTC')"),
        ("pendulum.parse(y)", "pendulum.parse(y, strict=False)"),
        ("pendulum.parse('2020-01-02T03:04:05Z')", "pendulum.parse('2020-01-02T03:04:05Z')"),
        ("pendulum.parse('Jan 2 2020')", "pendulum.parse('Jan 2 2020', strict=False)"),
        ("pendulum.now('UTC').is_friday()", "(pendulum.now('UTC').isoweekday() == 5)"),
        ("pendulum.Interval", "pendulum.Duration"),
    ],
)
def test_names_of_the_module(old: str, new: str) -> None:
    found = done(_MODULE + old + "\n")
    assert found.text.decode() == _MODULE + new + "\n"
    assert not found.spots


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from pendulum import Pendulum\nx = Pendulum(2020, 1, 2)\n", "from pendulum import DateTime as Pendulum\nx = Pendulum.create(2020, 1, 2)\n"),
        ("from pendulum import utcnow\nx = utcnow()\n", 'from pendulum import now as utcnow\nx = utcnow("UTC")\n'),
        ("from pendulum.pendulum import Pendulum as P\n", "from pendulum import DateTime as P\n"),
        ("from pendulum import period, interval, Period\n", "from pendulum import interval as period, duration as interval, Interval as Period\n"),
        ("from pendulum.tz import timezone\nx = timezone('UTC')\n", "from pendulum import timezone\nx = timezone('UTC')\n"),
    ],
)  # fmt: skip
def test_imported_names(old: str, new: str) -> None:
    assert done(old).text.decode() == new


@pytest.mark.parametrize(
    "code",
    [
        "pendulum.interval(a, b)",
        "pendulum.Interval",
        "pendulum.parse(y)",
        "pendulum.datetime(2020, 1, 1)",
        "pendulum.DateTime.combine(a, b)",
    ],
)
@pytest.mark.parametrize("version", ["2.9.3", "3.1.0"])
def test_names_of_pendulum_3_stay(code: str, version: str) -> None:
    found = done(f"import pendulum\nx = {code}\n", version)
    assert found.text.decode() == f"import pendulum\nx = {code}\n"
    assert not found.spots


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("pendulum.create(2020)", "today's month"),
        ("pendulum.create(**y)", "today's month"),
        ("pendulum.from_format(y, '%Y', 'Europe/Paris')", "format with %"),
        ("pendulum.Pendulum.combine(a, b)", "combine"),
        ("pendulum.fromtimestamp(3)", "fromtimestamp"),
        ("pendulum.now().between(a, b)", "between"),
        ("pendulum.now().year_(2020)", "year_"),
        ("pendulum.Period", "another class"),
    ],
)
def test_what_has_no_equal_is_told(code: str, told: str) -> None:
    assert told in str(done(f"import pendulum\nx = {code}\n").spots)


_SCRIPT = """
import pendulum
from pendulum import Pendulum

said = "2020/2/3"
moments = [Pendulum(2020, 1, 2), pendulum.Pendulum(2020, 1, 2, 3, tzinfo="Europe/Paris"), pendulum.create(2020, 1, 2, tz="Europe/Paris"),
           pendulum.from_format("2020 03:04", "%Y %H:%M"), pendulum.from_format("2020 +0300", "%Y %z"), pendulum.strptime("03:04", "%H:%M"),
           pendulum.utcfromtimestamp(3), pendulum.parse(said), pendulum.create(2020, 1, 2) + pendulum.interval(hours=2)]
print("RESULT", *(m.isoformat() for m in moments), pendulum.period(moments[0], moments[3]).in_minutes(), moments[0].is_weekday(),
      pendulum.create(2020, 1, 2).is_weekend(), pendulum.create(2020, 1, 2).is_thursday())
"""
_OF_1 = (
    "2020-01-02T00:00:00+00:00 2020-01-02T03:00:00+01:00 2020-01-02T00:00:00+01:00 2020-01-01T03:04:00+00:00 2020-01-01T00:00:00+03:00 "
    "1900-01-01T03:04:00+00:00 1970-01-01T00:00:03+00:00 2020-02-03T00:00:00+00:00 2020-01-02T02:00:00+00:00 -1256 True False True"
)
"""What the script says with pendulum 1.4.4 and Python 3.8."""


@pytest.mark.airflow
def test_pendulum_3_says_what_pendulum_1_did(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    text = done(_SCRIPT).text.decode().replace("moments[0].is_weekday()", "(moments[0].isoweekday() < 6)")
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-W", "ignore", "-c", text]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == f"RESULT {_OF_1}", ran.stderr[-900:]


@pytest.mark.airflow
def test_numbers_of_weekdays_go_on_counting_from_sunday(airflow_venv: Callable[..., Venv]) -> None:
    source = (
        "from pendulum import constants\nfrom pendulum.constants import FRIDAY, DAYS_PER_WEEK\nimport pendulum\n"
        "x = constants.SUNDAY, pendulum.constants.MONDAY, FRIDAY\ny = pendulum.SUNDAY\n"
    )
    text = done(source, "2.3.3").text.decode()
    assert "from pendulum.constants import TM_FRIDAY as FRIDAY, DAYS_PER_WEEK\n" in text
    assert text.endswith("y = pendulum.SUNDAY\n")
    python = airflow_venv("3.3.2").path / "bin" / "python"
    made = subprocess.run([python, "-c", f"{text}print(x)"], capture_output=True, text=True, check=True)
    assert made.stdout == "(0, 1, 5)\n"
