"""The bridge's job goes on looking whatever stands in its way, and says what does. If this breaks, nothing is carried, silently."""

from __future__ import annotations

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk

from aerodrome.migration.service import bridging, queries
from aerodrome.migration.service.jobs import MigrationJobs
from aerodrome.store import jobs

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("has_plan", [True, False])
def test_a_look_that_fails_is_repeated_and_told(desk: Desk, has_plan: bool) -> None:
    view = desk.assessed()
    store, clock = desk.platform.store, desk.platform.clock
    with store.writing() as session:
        row = queries.find(session, view.id)
        row.target_deployment_id = "dep_gone"
        row.plan_text = row.plan_text if has_plan else None  # as after a new estate: the plan does not fit any more
        jobs.enqueue(session, bridging.JOB, view.id)
    job = jobs.lease(store, clock, "test", 60, [bridging.JOB])
    assert job is not None
    assert MigrationJobs(desk.migrations, "3.3.2").bridge(job) == clock.now() + bridging.AGAIN_AFTER
    problem = desk.migrations.bridge(desk.actor(), NAME)["problem"]
    assert ("dep_gone" if has_plan else "has no plan yet") in problem
