"""A timetable for the frequencies of Oozie that neither cron nor a time delta can say."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from oozie_cron import CronTimes
from oozie_instances import Instances, next_time


class OozieTimetable(Timetable):
    """Run at `start` and then every `amount` units, in the wall clock of `zone`, or by a `cron` as Quartz reads it.

    The logical date is the nominal time. Without catchup only the last of the missed times is run; with `execution` NONE none of them.
    """

    def __init__(
        self,
        start: str,
        unit: str = "",
        amount: int = 0,
        zone: str = "UTC",
        end_of: str = "",
        cron: str = "",
        execution: str = "",
    ) -> None:
        self.arguments = {
            "start": start,
            "unit": unit,
            "amount": amount,
            "zone": zone,
            "end_of": end_of,
            "cron": cron,
            "execution": execution,
        }
        self.times = CronTimes(cron, start) if cron else Instances(start, unit, amount, zone, end_of)

    @property
    def summary(self) -> str:
        return str(self.arguments["cron"] or f"every {self.arguments['amount']} {self.arguments['unit']}")

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
        last = None if last_automated_data_interval is None else last_automated_data_interval.end
        missed = "all" if restriction.catchup else "none" if self.arguments["execution"] == "NONE" else "last"
        found = next_time(self.times, last, restriction.earliest, missed, datetime.now(timezone.utc))
        if found is None:
            return None
        moment = pendulum.instance(found, tz="UTC")
        if restriction.latest is not None and moment > restriction.latest:
            return None
        return DagRunInfo.exact(moment)


class OoziePlugin(AirflowPlugin):
    """Makes the timetable known to Airflow."""

    name = "oozie"
    timetables = [OozieTimetable]
