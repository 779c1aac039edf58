"""An SLA is watched from the time that it is counted from; what is not watched is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Code, Dag
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.reading import read


def dag(folder: Path, inside: str) -> Dag:
    (folder / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" xmlns:sla="uri:oozie:sla:0.2" name="c" frequency="${coord:days(1)}" start="2026-01-01T00:00Z"'
        ' end="2027-01-01T00:00Z" timezone="UTC"><action><workflow><app-path>/elsewhere/w</app-path></workflow>'
        f"<sla:info>{inside}<sla:alert-contact>a@example.com</sla:alert-contact></sla:info></action></coordinator-app>"
    )
    return read(folder, {}).dags[0]


def alerts(made: Dag) -> list[str]:
    given = dict(made.arguments_by_target.get("3.3", ())).get("deadline")
    found = given if isinstance(given, list) else [given] if given else []
    return [item.text.partition(", callback")[0] for item in found if isinstance(item, Code)]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (
            "<sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-end>${2 * HOURS}</sla:should-end><sla:max-duration>30</sla:max-duration>",
            ["LOGICAL_DATE, interval=timedelta(minutes=120)", "QUEUED_AT, interval=timedelta(minutes=30)"],
        ),
        (
            "<sla:nominal-time>${coord:actualTime()}</sla:nominal-time><sla:should-end>${32 * DAYS}</sla:should-end>",
            ["QUEUED_AT, interval=timedelta(minutes=46080)"],
        ),
        ("<sla:nominal-time>${coord:dateOffset(coord:nominalTime(), 1, 'DAY')}</sla:nominal-time><sla:should-end>5</sla:should-end>", []),
    ],
    ids=["both", "actual", "other"],
)  # fmt: skip
def test_limits_are_counted_from_their_time(tmp_path: Path, inside: str, expected: list[str]) -> None:
    made = dag(tmp_path, inside)
    assert [text.removeprefix("DeadlineAlert(reference=DeadlineReference.DAGRUN_") for text in alerts(made)] == expected
    told = [item for item in made.accounts if item.element == "coordinator/sla"]
    assert [item.code for item in told] == ["sla-deadline" if expected else "sla-unknown"]
    conversion = read(tmp_path, {})
    assert ("DeadlineAlert(" in "".join(compose(conversion, "3.3").values())) == bool(expected)
    assert "DeadlineAlert(" not in "".join(compose(conversion, "2.11").values())
