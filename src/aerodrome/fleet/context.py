"""What every part of fleet is given; built once, in bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aerodrome.builds.contract import Bundle, Venv, VenvSpec
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Runtime
from aerodrome.store.engine import Store


class Bundles(Protocol):
    """Frozen project folders by digest."""

    def get(self, digest: str) -> Bundle: ...

    def put(self, folder: Path, only: AbstractSet[str] | None = None) -> Bundle: ...

    def compose(self, base: Bundle, upload: Bundle, parts: AbstractSet[str]) -> Bundle: ...


class Venvs(Protocol):
    """Virtualenvs by content. `ensure` is safe to repeat and to race."""

    def ensure(self, spec: VenvSpec, progress: Callable[[str], None]) -> Venv: ...


class Secrets(Protocol):
    """Where secret values live; a path names one value."""

    def put(self, path: str, value: Secret) -> None: ...

    def get(self, path: str) -> Secret: ...

    def delete(self, path: str) -> None: ...

    def list(self, prefix: str) -> list[str]: ...

    def put_many(self, values: Mapping[str, Secret]) -> None: ...

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]: ...

    def delete_many(self, paths: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class FleetContext:
    """The tools of fleet."""

    store: Store
    bundles: Bundles
    venvs: Venvs
    runtime: Runtime
    secrets: Secrets
    clock: Clock
    ring: Callable[[], None] = field(default=lambda: None)  # wakes the worker of this process after a commit
    gate_url: str | None = None  # "http://127.0.0.1:8701": where people reach Airflow UIs
    home: Path = Path("aerodrome-home")  # the platform's folder; snapshots and rehearsals lie below it
    git_protocols: tuple[str, ...] = ("https", "ssh")  # over which deploys may be fetched
    git_timeout_s: float = 120.0
    deploy_retention_days: int = 90  # files of older deploys go, unless something needs them; 0 keeps them for ever
