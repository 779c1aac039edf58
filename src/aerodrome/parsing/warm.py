"""Warm interpreters: finds or starts the process that has an exact Airflow imported, and opens a conversation with it.

Called by `parser` only. All state is in files below the setting's home (mode 0700), so several processes of the platform share an
interpreter, and it outlives a killed one by a few idle minutes at most. A process is recognised by (pid, start time).
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aerodrome.kernel.digest import canonical_json
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ParseSetting

IDLE_S = 180.0
START_S = 120.0
KEPT = 3
SCRIPT = Path(__file__).parent / "inside" / "interpreter.py"
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Interpreter:
    """One exact Airflow: where its files are, and the environment that it was given."""

    name: str  # the same for the same virtualenv and environment; tells nothing about secrets
    home: Path
    venv: Path
    environment: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Its own AIRFLOW_HOME, removed when it ends."""
        return self.home / self.name

    @property
    def identity(self) -> Path:
        return self.home / f"{self.name}.json"


def interpreter_of(setting: ParseSetting) -> Interpreter:
    """Name the interpreter of a setting; starts nothing."""
    home = setting.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {
        key: value.reveal() if isinstance(value, Secret) else value for key, value in setting.environment.items()
    }
    own = setting.venv / "pyvenv.cfg"
    for site in setting.venv.glob("lib/python*/site-packages"):
        with contextlib.suppress(OSError):
            (site / "__pycache__").mkdir(exist_ok=True)  # made later, it would change the folder's time
    packages = [folder.stat().st_mtime_ns for folder in setting.venv.glob("lib/python*/site-packages")]
    content = {
        "venv": [str(setting.venv), own.stat().st_mtime_ns if own.exists() else 0, packages],
        "scripts": [sha256(path.read_bytes()).hexdigest() for path in sorted(SCRIPT.parent.glob("*.py"))],
        "environment": environment,
    }
    name = hmac.new(_key(home), canonical_json(content).encode(), sha256).hexdigest()[:20]
    folder = str(home / name)
    environment |= {
        "AIRFLOW_HOME": folder,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{folder}/logs",
        "AIRFLOW__SCHEDULER__CHILD_PROCESS_LOG_DIRECTORY": f"{folder}/logs/scheduler",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return Interpreter(name, home, setting.venv, environment)


@contextmanager
def conversation(interpreter: Interpreter, timeout_s: float) -> Iterator[socket.socket]:
    """Open a conversation with the interpreter, started when it is not there."""
    with contextlib.closing(_connect(interpreter) or _start(interpreter)) as connection:
        connection.settimeout(timeout_s)
        with contextlib.suppress(FileNotFoundError):
            os.utime(interpreter.identity)
        yield connection


def end(interpreter: Interpreter) -> None:
    """End the interpreter and forget its files; nothing when there is none."""
    _end(interpreter.home, interpreter.name)


def end_all(home: Path) -> None:
    """End every interpreter of a home."""
    for path in list(home.glob("*.json")):
        _end(home, path.stem)


def _key(home: Path) -> bytes:
    path = home / "key"
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(32))
    for _ in range(100):  # somebody else may be writing it now
        if len(key := path.read_bytes()) == 32:
            return key
        time.sleep(0.01)
    raise Unavailable(
        "The folder of warm interpreters holds a broken key.",
        code="parser-folder-broken",
        hint=f"Remove {path}.",
    )


def _connect(interpreter: Interpreter) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    handle = -1
    try:
        handle = os.open(interpreter.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        connection.settimeout(10)
        connection.connect(f"/proc/self/fd/{handle}/{interpreter.name}.sock")  # a path of any length
    except (FileNotFoundError, ConnectionRefusedError, TimeoutError):
        connection.close()
        return None
    finally:
        if handle >= 0:
            os.close(handle)
    return connection


def _start(interpreter: Interpreter) -> socket.socket:
    with (interpreter.home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if connection := _connect(interpreter):
            return connection
        _make_room(interpreter)
        _launch(interpreter)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if connection := _connect(interpreter):
                return connection
            failed = interpreter.home / f"{interpreter.name}.failed"
            if failed.exists():
                text = failed.read_text()
                _end(interpreter.home, interpreter.name)
                raise not_importable(text)
            if _pid_of(interpreter.identity) is None:
                break
            time.sleep(0.02)
        _end(interpreter.home, interpreter.name)
    raise Unavailable(
        "The interpreter that reads DAG files did not start.",
        code="parser-not-started",
        hint="Try again; `aerodrome deployment logs` and free memory tell more.",
    )


def _launch(interpreter: Interpreter) -> None:
    interpreter.folder.mkdir(exist_ok=True, mode=0o700)
    setting = {
        "folder": str(interpreter.home),
        "name": interpreter.name,
        "environment": dict(interpreter.environment),
        "idle_s": IDLE_S,
    }
    try:
        with (interpreter.folder / "interpreter.log").open("wb") as output:
            subprocess.run(
                [str(interpreter.venv / "bin/python"), str(SCRIPT)],
                input=json.dumps(setting).encode(),  # a pipe: nobody else reads it
                stdout=subprocess.DEVNULL,
                stderr=output,
                env={name: os.environ[name] for name in _PASSED if name in os.environ},
                cwd="/",
                check=True,
                timeout=START_S,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            "The interpreter that reads DAG files could not be started.",
            code="parser-not-started",
            hint="Build the deployment's virtualenv again, or free some memory.",
        ) from error


def not_importable(text: str) -> Broken:
    """Give the error (airflow-not-importable) that a traceback from inside a virtualenv means."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return Broken(
        f"Airflow cannot be imported with these packages and settings: {lines[-1] if lines else 'no reason was given'}",
        code="airflow-not-importable",
        hint="Look at requirements.txt and at the Airflow options of the deployment.",
        details={"traceback": "\n".join(lines[-12:])},
    )


def _make_room(interpreter: Interpreter) -> None:
    """End the interpreters that were not used for longest, and sweep up after dead ones."""
    living: list[tuple[float, str]] = []
    for path in interpreter.home.glob("*.json"):
        if path.stem == interpreter.name or _pid_of(path) is None:
            _end(interpreter.home, path.stem)
        else:
            living.append((path.stat().st_mtime, path.stem))
    for _, name in sorted(living, reverse=True)[KEPT - 1 :]:
        _end(interpreter.home, name)


def _end(home: Path, name: str) -> None:
    if pid := _pid_of(home / f"{name}.json"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its children ask the kernel to go with it
    shutil.rmtree(home / name, ignore_errors=True)
    for ending in ("sock", "failed", "json"):
        (home / f"{name}.{ending}").unlink(missing_ok=True)


def _pid_of(identity: Path) -> int | None:
    """Give the process that wrote this file, if it still lives: its pid alone may be somebody else's by now."""
    try:
        written = json.loads(identity.read_text())
        fields = Path(f"/proc/{written['pid']}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    is_same = int(fields[19]) == written["start_ticks"] and boot == written["boot_id"] and fields[0] not in "ZX"
    return int(written["pid"]) if is_same else None
