"""What a deployment and a migration need of its team's secrets backend: Airflow's own class set up, and values written there.

The commands that people use are in backends_service.py. Values are never inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from aerodrome.secretstores.contract import SecretStore
from aerodrome.store.engine import Store


@dataclass(frozen=True)
class AirflowBackend:
    """Airflow's own secrets backend class, as a deployment's Airflow must make it: `class_path(**kwargs)`."""

    class_path: str  # "airflow.providers.hashicorp.secrets.vault.VaultBackend"
    kwargs: Mapping[str, Any]  # JSON values; credentials are Secret (top level only)
    requirements: tuple[str, ...]  # provider packages that the virtualenv needs, without versions


def airflow_backend(store: Store, secrets: SecretStore, deployment_id: str) -> AirflowBackend | None:
    """Give the backend attached to the deployment; None without one. Opens its own reading session, then the credentials.

    Never call it inside a transaction. For a virtualenv alone, `airflow_requirements` is enough.
    """
    raise NotImplementedError


def airflow_requirements(session: Session, deployment_id: str) -> tuple[str, ...]:
    """Give the provider packages that the deployment's virtualenv needs for its backend; () without one."""
    raise NotImplementedError
