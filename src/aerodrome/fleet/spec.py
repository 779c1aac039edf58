"""Turns rows into what a runtime needs: the spec of one deployment with one deploy."""

from __future__ import annotations

from collections.abc import Callable

from aerodrome.builds.contract import VenvSpec
from aerodrome.environments import resolution
from aerodrome.environments.backends import AirflowBackend, airflow_backend
from aerodrome.environments.contract import Values
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.queries import gate_path
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.runtimes.contract import AirflowEnvironment, RuntimeSpec
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow


def venv_spec(row: DeploymentRow, deploy: DeployRow | None, more: tuple[str, ...] = ()) -> VenvSpec:
    """Give the virtualenv that the deployment needs with that deploy; `more`: packages of its secrets backend."""
    requirements = tuple(deploy.requirements) if deploy is not None else ()
    requirements += tuple(item for item in more if item not in requirements)
    airflow_version, python_version = versions_of(row, deploy)
    return VenvSpec(airflow_version, python_version, requirements)


def _values(context: FleetContext, row: DeploymentRow) -> Values:
    with context.store.reading() as session:
        resolved = resolution.resolve(session, row)
    return resolution.values(context.secrets, resolved)


def _environment(values: Values, backend: AirflowBackend | None) -> AirflowEnvironment:
    if backend is None:
        return AirflowEnvironment(values.connections, values.variables)
    return AirflowEnvironment(values.connections, values.variables, backend.class_path, backend.kwargs)


def versions_of(row: DeploymentRow, deploy: DeployRow | None) -> tuple[str, str]:
    """Give the Airflow and Python version of the deployment with that deploy; a deploy without versions takes the deployment's."""
    if deploy is None:
        return row.airflow_version, row.python_version
    return deploy.airflow_version or row.airflow_version, deploy.python_version or row.python_version


def runtime_spec(
    context: FleetContext, row: DeploymentRow, deploy: DeployRow | None, progress: Callable[[str], None]
) -> RuntimeSpec:
    """Give the spec; makes the virtualenv ready when it is not. Raises what builds and the secret store raise."""
    backend = airflow_backend(context.store, context.secrets, row.id)
    venv = context.venvs.ensure(venv_spec(row, deploy, backend.requirements if backend else ()), progress)
    bundle = context.bundles.get(deploy.bundle_digest) if deploy is not None else None
    extra = {name: context.bundles.get(digest) for name, digest in (deploy.extra_bundles if deploy else {}).items()}
    project = (deploy.project if deploy is not None else None) or {}
    vault = DeploymentVault(context.secrets, row.id)
    environment = _values(context, row)
    airflow_version, python_version = versions_of(row, deploy)
    return RuntimeSpec(
        deployment_id=row.id,
        generation=row.generation,
        airflow_version=airflow_version,
        python_version=python_version,
        venv=venv.path,
        project=bundle.path if bundle is not None else None,
        bundle_digest=bundle.digest if bundle is not None else None,
        fernet_key=vault.fernet_key(),
        signing_key=vault.signing_key(),
        database_url=vault.database_url(),
        env={**project.get("env", {}), **environment.env},
        config={**project.get("config", {}), **row.config},
        parallelism=row.parallelism,
        public_url=f"{context.gate_url.rstrip('/')}{gate_path(row.id)}" if context.gate_url else None,
        is_running=row.desired == "running",
        drain_s=float(row.drain_s),
        environment=_environment(environment, backend),
        extra_projects={name: bundle.path for name, bundle in extra.items()},
        extra_digests={name: bundle.digest for name, bundle in extra.items()},
    )
