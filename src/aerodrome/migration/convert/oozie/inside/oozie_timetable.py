"""A timetable for the frequencies of Oozie that neither cron nor a time delta can say."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from oozie_instances import Instances


class OozieTimetable(Timetable):
    """Run at `start` and then every `amount` units, in the wall clock of `zone`; the logical date is the nominal time."""

    def __init__(self, start: str, unit: str, amount: int, zone: str = "UTC", end_of: str = "") -> None:
        self.arguments = {"start": start, "unit": unit, "amount": amount, "zone": zone, "end_of": end_of}
        self.instances = Instances(start, unit, amount, zone, end_of)

    @property
    def summary(self) -> str:
        return f"every {self.arguments['amount']} {self.arguments['unit']}"

    def serialize(self) -> dict[str, Any]:
        return dict(self.arguments)

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        return cls(**data)

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        number = 0
        if last_automated_data_interval is not None:
            number = self.instances.number_at(last_automated_data_interval.end) + 1
        elif restriction.earliest is not None:
            number = self.instances.number_at(restriction.earliest)
            if number < 0 or self.instances.at(number) < restriction.earliest:
                number += 1
        if not restriction.catchup:
            number = max(number, self.instances.number_at(datetime.now(timezone.utc)))
        moment = pendulum.instance(self.instances.at(number), tz="UTC")
        if restriction.latest is not None and moment > restriction.latest:
            return None
        return DagRunInfo.exact(moment)


class OoziePlugin(AirflowPlugin):
    """Makes the timetable known to Airflow."""

    name = "oozie"
    timetables = [OozieTimetable]
