"""Runs inside a deployment's virtualenv: imports Airflow once, then forks for each request to read DAG files.

Started by `parsing/warm.py` as a script, never imported by the platform. Standard library and Airflow only, Python 3.8 and newer.
It reads its whole environment from its standard input, listens on a unix socket in a private folder, and ends by itself when
nobody asked for some minutes or the folder has gone. Three generations: the interpreter (never runs code of a project), one
process for each request (requests.py; loads the project's plugins), one process for each file (reading.py). The process of a
request that loaded nothing of a project may stay for the next one (handing.py).
"""

from __future__ import annotations

import sys

_HERE = sys.path.pop(0)  # the folder of this script: its modules must not stand in for anybody's

import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import time
import traceback
import warnings
from typing import Any, Dict

_WARMED = (
    "airflow.settings",
    "airflow.models",
    "airflow.dag_processing.dagbag",
    "airflow.models.dagbag",
    "airflow.serialization.serialized_objects",
    "airflow.timetables.base",
    "airflow.plugins_manager",
    "airflow.utils.file",
)
_WARMED_3 = (
    "airflow.sdk",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.empty",
)
_WARMED_2 = ("airflow.operators.python", "airflow.operators.bash", "airflow.operators.empty")


def sibling(name: str) -> Any:
    """Load another file of this folder under a name that no project uses."""
    full = "_aerodrome_inside_" + name
    if full not in sys.modules:
        spec: Any = importlib.util.spec_from_file_location(full, os.path.join(_HERE, name + ".py"))
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def main() -> None:
    """Read the setting, detach, import Airflow, answer until nobody asks."""
    setting = json.loads(sys.stdin.buffer.read())
    base = os.path.join(setting["folder"], setting["name"])
    child = os.fork()
    if child:
        _write(base + ".json", json.dumps(_identity(child)))
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(null, handle)
    os.environ.clear()
    os.environ.update(setting["environment"])
    time.tzset()
    for entry in reversed([path for path in os.environ.get("PYTHONPATH", "").split(":") if path]):
        sys.path.insert(0, entry)
    _keep_bytecode_of_packages()
    try:
        version = _import_airflow()
        requests = sibling("requests")
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        _write(base + ".failed", traceback.format_exc(limit=-4))
        os._exit(1)
    try:
        _serve(_listen(base + ".sock"), setting, version, requests)
    finally:
        for ending in (".sock", ".json"):
            _remove(base + ending)
        shutil.rmtree(base, ignore_errors=True)
        os._exit(0)


def _keep_bytecode_of_packages() -> None:
    """Have Python write bytecode into the virtualenv only: folders of projects are never written.

    Installers leave packages uncompiled; compiling those that a provider imports takes longer than all else together.
    """
    loader: Any = importlib.machinery.SourceFileLoader
    write = loader.set_data
    roots = (sys.prefix + os.sep, os.path.realpath(sys.prefix) + os.sep)

    def keep(self: Any, path: str, data: bytes, **named: Any) -> None:
        if str(path).startswith(roots):
            write(self, path, data, **named)

    loader.set_data = keep
    sys.dont_write_bytecode = False


def _listen(address: str) -> socket.socket:
    _remove(address)
    listener = socket.socket(socket.AF_UNIX)
    folder, name = os.path.split(address)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    listener.bind("/proc/self/fd/%d/%s" % (handle, name))  # short enough for the kernel (108 bytes)
    os.close(handle)
    listener.listen(16)
    return listener


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _identity(pid: int) -> Dict[str, Any]:
    """Name a process for ever: a pid alone may be used again."""
    with open("/proc/%d/stat" % pid) as stream:
        ticks = int(stream.read().rpartition(")")[2].split()[19])
    with open("/proc/sys/kernel/random/boot_id") as stream:
        return {"pid": pid, "start_ticks": ticks, "boot_id": stream.read().strip()}


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w") as stream:
        stream.write(text)
    os.replace(path + ".new", path)


def _import_airflow() -> str:
    gc.disable()  # what is imported stays
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        airflow = importlib.import_module("airflow")
        version = str(airflow.__version__)
        for name in (*_WARMED, *(_WARMED_2 if version.startswith("2.") else _WARMED_3)):
            try:
                importlib.import_module(name)
            except ImportError:
                continue
        try:  # what every serialization of an operator's links asks for
            manager = importlib.import_module("airflow.providers_manager").ProvidersManager()
            manager.initialize_providers_extra_links()
        except Exception:
            pass
        try:  # what the first connection or variable of a process does otherwise
            importlib.import_module("sqlalchemy.orm").configure_mappers()
        except Exception:
            pass
    _make_database_read_only()
    gc.collect()
    gc.freeze()
    gc.enable()
    sibling("pages").make_large()
    return version


def _make_database_read_only() -> None:
    """Have every connection to the metadata database refuse to write; a missing SQLite file is not made."""
    engine = getattr(importlib.import_module("airflow.settings"), "engine", None)
    if engine is None:
        return

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *arguments: Any) -> Any:
            if sql.strip().lower().startswith("pragma journal_mode"):
                return self  # Airflow 3 asks for it at every connection; it would write
            return super().execute(sql, *arguments)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    def connect(dialect: Any, _record: Any, arguments: Any, named: Dict[str, Any]) -> Any:
        sibling("reading").Reads.is_safe = False
        if dialect.name == "sqlite":
            named.pop("factory", None)
            named.pop("uri", None)
            path = str(arguments[0]).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            address = "file:" + path + "?mode=ro"
            return sqlite3.connect(address, *arguments[1:], uri=True, factory=Connection, **named)
        if dialect.name == "postgresql":
            named["options"] = (named.get("options", "") + " -c default_transaction_read_only=on").strip()
        return None

    importlib.import_module("sqlalchemy").event.listen(engine, "do_connect", connect)


def _serve(listener: socket.socket, setting: Dict[str, Any], version: str, requests: Any) -> None:
    handing = sibling("handing")
    controls: Dict[int, socket.socket] = {}  # of the processes of requests
    spare = 0  # the one that waits for another request
    last = time.monotonic()

    def begin(conversation: socket.socket, line: bytes) -> None:
        ours, its = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            conversation.close()
            its.close()
            controls[pid] = ours
            return
        try:
            for other in (listener, ours, *controls.values()):
                other.close()
            requests.go_with(parent, signal.SIGKILL)
            requests.answer(conversation, version, its, line)
        except BaseException:
            sys.stderr.write(traceback.format_exc())
        finally:
            os._exit(0)

    while os.path.isdir(setting["folder"]):
        is_busy = len(controls) > bool(spare)
        if not is_busy and time.monotonic() - last >= setting["idle_s"]:
            return
        wait_s = 0.5 if is_busy else min(setting["idle_s"], 5)
        ready, _, _ = select.select([listener, *controls.values()], [], [], wait_s)
        if listener in ready:  # what was said before somebody asked counts before
            ready, _, _ = select.select([listener, *controls.values()], [], [], 0)
        for pid, control in list(controls.items()):
            word, conversation = handing.receive(control) if control in ready else (b"", None)
            if word == handing.READY:
                if spare:
                    controls[spare].shutdown(socket.SHUT_RDWR)  # it goes
                spare = pid
            elif word == handing.BACK and conversation:
                begin(conversation, control.makefile("rb").read())
            if os.waitpid(pid, os.WNOHANG)[0]:
                controls.pop(pid).close()
                spare = 0 if spare == pid else spare
                last = time.monotonic()
        if listener in ready:
            conversation, _ = listener.accept()
            last = time.monotonic()
            if spare and handing.send(controls[spare], handing.GO, conversation):
                conversation.close()
            else:
                begin(conversation, b"")
            spare = 0


main()
