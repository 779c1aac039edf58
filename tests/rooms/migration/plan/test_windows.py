"""When a wave is best cut over, and who owns it. If these break, a wave is proposed for the minute in which its runs are due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.rooms.migration.plan.conftest import MemoryEstate, Opinion, dag

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.assess.waves import owners_of, propose_waves
from aerodrome.migration.plan import PlanDefaults, from_yaml, propose, split_notes, to_yaml
from aerodrome.migration.plan.windows import Window, fire_minutes, quiet_of

DAY = datetime(2026, 7, 1, tzinfo=UTC)


def cron(dag_id: str, schedule: str, **changes: Any) -> Any:
    return dag(dag_id, schedule=schedule, schedule_kind="cron", **changes)


def test_the_window_is_the_longest_time_without_a_run_due_or_under_way() -> None:
    quiet = quiet_of([
        cron("night", "0 2 * * *", duration_p95_s=3600.0),  # until 03:00
        cron("noon", "30 12 * * 1-5"),
        cron("paused", "0 8 * * *", is_paused=True),
        dag("by_hand", schedule=None, schedule_kind="none"),
    ])  # fmt: skip
    assert quiet.window is not None
    assert (quiet.window.text, quiet.counted, quiet.frequent) == ("12:32-02:00", 2, ())
    assert quiet.describe(DAY) == "No run is due 12:32-02:00 UTC, 13 h 28 min."


def test_both_offsets_of_a_zone_are_kept_clear_and_the_zone_s_clock_is_told() -> None:
    berlin = cron("berlin", "15 4 * * *", timezone="Europe/Berlin")
    assert {minute // 60 for minute in fire_minutes(berlin)} == {2, 3}  # 04:15 is 03:15 UTC in winter, 02:15 in summer
    quiet = quiet_of([berlin])
    assert quiet.window is not None
    assert quiet.window.text == "03:17-02:15"
    assert "(05:17-04:15 Europe/Berlin)" in quiet.describe(DAY)


def test_who_runs_all_the_time_has_no_say_and_is_named() -> None:
    quiet = quiet_of([cron("minutely", "* * * * *"), cron("hourly", "@hourly"), cron("daily", "0 6 * * *")])
    assert quiet.window is not None
    assert (quiet.window.text, quiet.frequent) == ("06:02-06:00", ("minutely", "hourly"))
    assert quiet.describe(DAY).endswith("minutely and 1 more run at least every hour.")
    nothing = quiet_of([cron("minutely", "*/5 * * * *")])
    assert nothing.window is None
    assert nothing.describe(DAY) == "No DAG has a fire time to keep clear of. minutely runs at least every hour."
    full = quiet_of([cron("long", "0 */2 * * *", duration_p95_s=7200.0)])
    assert (full.window, full.describe(DAY)) == (None, "No time of the day is free of runs for 10 minutes.")


@pytest.mark.parametrize(
    ("schedule", "kind", "next_run", "minutes"),
    [
        ("timedelta:86400", "timedelta", "2026-07-01T05:30:00Z", {330}),
        ("timedelta:21600", "timedelta", "2026-07-01T05:30:00Z", {330, 690, 1050, 1410}),
        ("timedelta:25000", "timedelta", "2026-07-01T05:30:00Z", set()),  # moves through the day
        ("timedelta:86400", "timedelta", None, set()),
        ("5,10-12/2 3 * * *", "cron", None, {185, 190, 192}),
        ("0 3 * * MON", "cron", None, {180}),
        ("H 3 * * *", "cron", None, set()),
        ("dataset", "dataset", None, set()),
    ],
)
def test_fire_times_come_from_the_schedule(schedule: str, kind: str, next_run: str | None, minutes: set[int]) -> None:
    assert set(fire_minutes(dag("d", schedule=schedule, schedule_kind=kind, next_run_after=next_run))) == minutes


def test_a_window_opens_every_day_also_over_midnight() -> None:
    window = Window.parse("22:30-01:15")
    assert window is not None
    assert (window.minutes, window.text, Window.parse("")) == (165, "22:30-01:15", None)
    for now, opens in (
        (datetime(2026, 7, 1, 23, 0, tzinfo=UTC), datetime(2026, 7, 1, 23, 0, tzinfo=UTC)),
        (datetime(2026, 7, 1, 1, 14, tzinfo=UTC), datetime(2026, 7, 1, 1, 14, tzinfo=UTC)),
        (datetime(2026, 7, 1, 1, 15, tzinfo=UTC), datetime(2026, 7, 1, 22, 30, tzinfo=UTC)),
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), datetime(2026, 7, 1, 22, 30, tzinfo=UTC)),
    ):
        assert window.opens_at(now) == opens
    early = Window.parse("02:00-03:00")
    assert early is not None
    assert early.opens_at(datetime(2026, 7, 1, 5, tzinfo=UTC)) == datetime(2026, 7, 2, 2, tzinfo=UTC)


def test_a_plan_carries_the_window_and_a_person_may_change_it() -> None:
    estate = MemoryEstate((cron("night", "0 2 * * *", owners=("ann",)),))
    text = to_yaml(propose(estate, Opinion(), PlanDefaults()))
    assert from_yaml(text, estate)["waves"][0]["window"] == "02:02-02:00"
    assert from_yaml(text.replace('"02:02-02:00"', '""'), estate)["waves"][0]["window"] == ""
    for wrong in ("noon", "25:00-26:00", "02:00-02:00"):
        with pytest.raises(Invalid) as caught:
            from_yaml(text.replace("02:02-02:00", wrong), estate)
        assert caught.value.details["field"] == "waves[0].window"


def test_a_wave_does_not_mix_owners_when_each_fits_into_one() -> None:
    dags = [dag(f"{owner}_{number}", owners=(owner,)) for number in range(4) for owner in ("ann", "bob", "cem")]
    waves = propose_waves(dags, lambda _dag_id: "low", first_size=4, size=6)
    by_id = {one.dag_id: one for one in dags}
    assert [owners_of(by_id[dag_id] for dag_id in wave.dag_ids) for wave in waves] == [("ann",), ("bob",), ("cem",)]
    # two small owners share what one wave holds, and one that is too large is split
    few = [
        *(one for one in dags if one.dag_id.startswith("ann")),
        *(dag(f"zoe_{n:02}", owners=("zoe",)) for n in range(9)),
    ]
    found = propose_waves(few, lambda _dag_id: "low", first_size=4, size=6)
    assert [len(wave.dag_ids) for wave in found] == [4, 6, 3]
    assert owners_of(by_id[dag_id] for dag_id in found[0].dag_ids) == ("ann",)


def test_a_large_wave_gets_a_canary_that_shows_soon_whether_it_works() -> None:
    def canaries(first: str, count: int) -> list[int]:
        dags = [cron("a", first, runs_30d=700), *(cron(f"b{number}", "0 6 * * *") for number in range(count - 1))]
        plan = propose(MemoryEstate(tuple(dags)), Opinion(), PlanDefaults(first_wave_size=9))
        return [wave["canary"] for wave in plan["waves"]]

    assert canaries("*/5 * * * *", 4) == [1]
    assert canaries("*/5 * * * *", 3) == [0]  # all go at once
    assert canaries("0 5 * * *", 4) == [0]  # the others would wait a day


def test_a_pool_that_waves_share_is_remarked() -> None:
    estate = MemoryEstate(
        (dag("a", pools=("db", "default_pool")), dag("b", pools=("db", "default_pool")), dag("c", pools=("own",)))
    )
    waves = [{"name": "one", "dags": ["a"]}, {"name": "two", "dags": ["b", "c"]}]
    assert split_notes({"waves": waves}, estate) == (
        "The pool db is used in one, two: while its DAGs are on both sides, each side gives out its slots.",
    )
