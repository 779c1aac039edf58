"""Seals what the environment manager has for a deployment into one file that its Airflow reads at every look-up.

The key is the deployment's own, made once and kept in its folder only. The file is replaced in one step, and only when the
content differs: whoever reads it knows by its time that there is something new. See aerodrome_airflow/secrets.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from aerodrome.kernel.files import write_text
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowEnvironment
from aerodrome.runtimes.local.layout import Layout


def sealed_path(layout: Layout) -> Path:
    return layout.folder / "environment.sealed"


def key_path(layout: Layout) -> Path:
    return layout.keys / "environment.key"


def seal(layout: Layout, environment: AirflowEnvironment) -> bool:
    """Write the sealed file when its content differs; tell whether it was written. Needs the folder `keys`."""
    fernet = Fernet(_key(layout).reveal().encode())
    content = json.dumps(_content(environment), sort_keys=True).encode()
    if _opened(fernet, sealed_path(layout)) == content:
        return False
    write_text(sealed_path(layout), fernet.encrypt(content).decode())
    return True


def _content(environment: AirflowEnvironment) -> dict[str, Any]:
    backend = None
    if environment.backend_class is not None:
        backend = {"class": environment.backend_class, "kwargs": _clear(environment.backend_kwargs)}
    return {
        "connections": {name: value.reveal() for name, value in environment.connections.items()},
        "variables": {name: value.reveal() for name, value in environment.variables.items()},
        "backend": backend,
    }


def _clear(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _clear(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clear(item) for item in value]
    return value


def _opened(fernet: Fernet, path: Path) -> bytes | None:
    try:
        return fernet.decrypt(path.read_bytes())
    except (FileNotFoundError, InvalidToken):
        return None


def _key(layout: Layout) -> Secret:
    path = key_path(layout)
    if not path.exists():
        write_text(path, Fernet.generate_key().decode())
    return Secret(path.read_text())
