"""The behaviour that every runtime shows; subclass it in a test module and give the two fixtures.

class TestMyRuntime(RuntimeConformance):
@pytest.fixture
def runtime(self): ...          # a runtime of its own, cleaned up afterwards
@pytest.fixture
def spec(self): ...             # a spec that can become healthy
"""
# ruff: noqa: S101, PT017

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aerodrome.kernel.errors import NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowEnvironment, Observation, Runtime, RuntimeSpec

START_S = 60.0


def wait_until(
    runtime: Runtime, deployment_id: str, is_done: Callable[[Observation], bool], timeout_s: float = START_S
) -> Observation:
    """Observe until it is done; AssertionError with the last observation otherwise."""
    deadline = time.monotonic() + timeout_s
    while not is_done(observation := runtime.observe(deployment_id)):
        assert time.monotonic() < deadline, f"not reached within {timeout_s} s: {observation}"
        time.sleep(0.1)
    return observation


def pids(observation: Observation) -> dict[str, int | None]:
    """Give component -> pid."""
    return {component.name: component.pid for component in observation.components}


class RuntimeConformance:
    """Idempotent apply, truthful observation, live deploys, hibernation, stop, delete, logs."""

    def test_nobody_knows_a_deployment_before_it_is_applied(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        observation = runtime.observe(spec.deployment_id)
        assert observation.health == "missing"
        assert observation.reasons

    def test_access_is_unavailable_before_the_first_start(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        try:
            runtime.access(spec)
        except Unavailable as error:
            assert error.hint
        else:
            raise AssertionError("access was given")

    def test_apply_makes_it_healthy(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        observation = self.healthy(runtime, spec)
        assert observation.reasons == ()
        assert observation.generation == spec.generation
        assert observation.airflow_version == spec.airflow_version
        assert all(component.state == "running" and component.pid for component in observation.components)
        assert runtime.access(spec).base_url == observation.base_url

    def test_the_same_wish_again_changes_nothing(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        before = pids(self.healthy(runtime, spec))
        runtime.apply(spec)
        time.sleep(1)
        assert pids(runtime.observe(spec.deployment_id)) == before

    def test_changed_dags_go_live_without_a_restart(self, runtime: Runtime, spec: RuntimeSpec, tmp_path: Path) -> None:
        runtime.apply(spec)
        before = pids(self.healthy(runtime, spec))
        (tmp_path / "next/dags").mkdir(parents=True)
        (tmp_path / "next/dags/new.py").write_text("# a DAG")
        changed = replace(spec, generation=spec.generation + 1, project=tmp_path / "next", bundle_digest="b" * 64)
        runtime.apply(changed)
        after = wait_until(runtime, spec.deployment_id, lambda seen: seen.generation == changed.generation)
        assert pids(after) == before

    def test_changed_connections_restart_nothing(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        before = pids(self.healthy(runtime, spec))
        environment = AirflowEnvironment({"db": Secret('{"conn_type": "http"}')}, {"colour": Secret("blue")})
        changed = replace(spec, generation=spec.generation + 1, environment=environment)
        runtime.apply(changed)
        after = wait_until(runtime, spec.deployment_id, lambda seen: seen.generation == changed.generation)
        assert pids(after) == before

    def test_a_program_runs_with_the_deployments_environment(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        coloured = replace(spec, env={**spec.env, "COLOUR": "blue"})
        runtime.apply(coloured)
        self.healthy(runtime, coloured)
        script = "import os, sys; print(os.environ['COLOUR'], sys.stdin.read())"
        ran = runtime.run(coloured, ["python", "-c", script], given="sky", timeout_s=30)
        assert (ran.exit_code, ran.output) == (0, "blue sky\n")

    def test_changed_settings_restart_the_processes(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        before = pids(self.healthy(runtime, spec))
        runtime.apply(replace(spec, generation=spec.generation + 1, env={**spec.env, "COLOUR": "blue"}))
        after = wait_until(
            runtime,
            spec.deployment_id,
            lambda seen: seen.health == "healthy" and seen.generation == spec.generation + 1,
        )
        assert not set(before.values()) & set(pids(after).values())

    def test_it_sleeps_and_wakes(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        self.healthy(runtime, spec)
        runtime.apply(replace(spec, is_running=False))
        asleep = wait_until(runtime, spec.deployment_id, lambda seen: seen.health == "stopped")
        assert all(component.pid is None for component in asleep.components)
        runtime.apply(spec)
        self.healthy(runtime, spec)

    def test_stop_is_safe_to_repeat_and_keeps_the_data(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.stop(spec.deployment_id, 1)
        runtime.apply(spec)
        self.healthy(runtime, spec)
        for _ in range(2):
            runtime.stop(spec.deployment_id, 5)
            assert runtime.observe(spec.deployment_id).health == "stopped"
        runtime.apply(spec)
        self.healthy(runtime, spec)

    def test_delete_leaves_nothing_and_is_safe_to_repeat(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        self.healthy(runtime, spec)
        for _ in range(2):
            runtime.delete(spec.deployment_id)
            assert runtime.observe(spec.deployment_id).health == "missing"

    def test_logs_give_the_last_lines_of_a_component(self, runtime: Runtime, spec: RuntimeSpec) -> None:
        runtime.apply(spec)
        name = self.healthy(runtime, spec).components[0].name
        lines = list(runtime.logs(spec.deployment_id, name, 1000))
        assert lines
        assert list(runtime.logs(spec.deployment_id, name, 1)) == lines[-1:]
        try:
            list(runtime.logs(spec.deployment_id, "flux-capacitor", 1))
        except NotFound as error:
            assert name in error.hint
        else:
            raise AssertionError("an unknown component has a log")

    def healthy(self, runtime: Runtime, spec: RuntimeSpec) -> Observation:
        """Wait until the spec runs and is healthy."""
        return wait_until(runtime, spec.deployment_id, lambda seen: seen.health == "healthy")
