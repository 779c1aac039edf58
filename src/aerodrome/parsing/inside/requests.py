"""One request: lets Airflow see a project, loads its plugins, and has every file read by a process of its own.

Runs in a fork of the interpreter. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import inspect
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from typing import Any, Callable, Dict, List, Tuple

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None)
_PLUGINS_S = 60.0
_FEW, _MANY, _VERY_MANY = 4, 50, 150
_GROWN_BYTES = 128 << 20
_reading = sys.modules["__main__"].sibling("reading")
_ahead = sys.modules["__main__"].sibling("ahead")
_runs = sys.modules["__main__"].sibling("runs")
_handing = sys.modules["__main__"].sibling("handing")
_held: List[socket.socket] = []  # open here, closed in the processes of files
_done: Dict[str, int] = {"warm_up": 0, "large_at": 0}  # once in this process
Request = Dict[str, Any]
Answer = Dict[str, Any]


def go_with(parent: int, number: int) -> None:
    """Have the kernel end this process when its parent ends."""
    _prctl(_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    _libc.prctl(option, value, 0, 0, 0)


class _Writer:
    """Sends lines of JSON to somebody who may be gone: then everything ends."""

    def __init__(self, conversation: socket.socket) -> None:
        self._conversation = conversation

    def send(self, message: Answer) -> None:
        self.send_line(json.dumps(message, default=str).encode())

    def send_line(self, line: bytes) -> None:
        try:
            self._conversation.sendall(line + b"\n")
        except OSError:
            _end_everything()


def answer(conversation: socket.socket, version: str, control: socket.socket, line: bytes) -> None:
    """Read the files of one request (`line`, or what the conversation says), and of others while this process fits them.

    Every answer is one line of JSON.
    """
    _prctl(_SET_CHILD_SUBREAPER, 1)
    earlier: Request = {}
    while True:
        line = line or conversation.makefile("rb").readline()
        request = json.loads(line)
        if earlier and not _handing.fits(request, earlier):
            _handing.send(control, _handing.BACK, conversation)
            control.sendall(line)
            return
        writer = _Writer(conversation)
        writer.send({"airflow_version": version})
        _held[:] = [conversation, control]
        try:
            done = _answer(request, conversation, writer)
        except Exception:
            writer.send({"broken": traceback.format_exc()})
            raise
        is_staying = _handing.may_stay(request, _in_use()) and _handing.send(control, _handing.READY)
        writer.send(done)
        conversation.close()
        if not is_staying:
            return
        earlier, line = request, b""
        word, given = _handing.receive(control)
        if word != _handing.GO or given is None:
            return
        conversation = given


def _answer(request: Request, conversation: socket.socket, writer: _Writer) -> Answer:
    """Answer; give the last line, which says what it took."""
    before = _cpu_s()
    _move_to(request)
    _load_plugins(request, writer)
    files = sorted(_list_files(request["dags"]))
    writer.send({"files": [_name(file, request) for file in files]})
    skipped = set(request["skip"])
    wanted = [file for file in files if _name(file, request) not in skipped]
    gc.disable()  # nothing of what is imported here goes away again
    roots = [request["dags"], request["plugins"], request["importable"]]
    imports: Any = _ahead.Imports(wanted if request["is_importing_ahead"] else [], roots)
    if len(wanted) > _FEW and not _done["warm_up"]:
        _done["warm_up"] = 1
        _warm_up()
    if request["next_runs"]:
        _runs.note_timetables()
    if request["is_lenient"]:
        sys.modules["__main__"].sibling("lenient").prepare()
    _reading.bag_factory()
    gc.freeze()
    _run_all(imports.in_order(wanted), imports, request, conversation, writer)
    for pid in _descendants():
        _kill(pid)
    return {"done": True, "cpu_s": [round(now - then, 3) for now, then in zip(_cpu_s(), before)]}  # noqa: B905 - Python 3.8


def _cpu_s() -> List[float]:
    """Give the processor time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [item.ru_utime + item.ru_stime for item in used]


def _name(file: str, request: Request) -> str:
    return os.path.relpath(file, request["project"])


def _end_everything() -> None:
    for pid in _descendants():
        _kill(pid)
    os._exit(0)


def _move_to(request: Request) -> None:
    """Let Airflow see the project of the request where its environment names the deployment's own."""
    os.chdir("/")
    os.environ.update(request["environment"])
    settings: Any = importlib.import_module("airflow.settings")
    settings.DAGS_FOLDER = request["dags"]
    settings.PLUGINS_FOLDER = request["plugins"]
    old, new = request["moved"]
    if old:
        sys.path[:] = [
            new + path[len(old) :] if path == old or path.startswith(old + "/") else path for path in sys.path
        ]
    for path in (request["plugins"], request["dags"]):
        if path not in sys.path:
            sys.path.append(path)
    importlib.invalidate_caches()


def _load_plugins(request: Request, writer: _Writer) -> None:
    """Load the project's plugins: in a child first, because a plugin may end its process."""
    if not request["has_plugins"]:
        return
    found = _in_child(_plugin_errors, request, _PLUGINS_S)
    errors = found.get("errors")
    if errors is None:
        writer.send({"plugin_errors": {"plugins": found["crash"]}})
        settings: Any = importlib.import_module("airflow.settings")
        settings.PLUGINS_FOLDER = os.path.join(os.path.dirname(request["dags"]), ".no-plugins")  # there is none
        return
    if errors:
        writer.send({"plugin_errors": errors})
    _plugin_errors(request)


def _plugin_errors(request: Request) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager: Any = importlib.import_module("airflow.plugins_manager")
        manager.ensure_plugins_loaded()
        found = manager.get_import_errors() if hasattr(manager, "get_import_errors") else manager.import_errors
    root = request["importable"] + "/"
    return {"errors": {str(path).replace(root, ""): str(text) for path, text in found.items()}}


def _in_child(act: Callable[[Request], Answer], request: Request, timeout_s: float) -> Answer:
    reader, pid = _start(act, request)
    text, why = b"", ""
    deadline = time.monotonic() + timeout_s
    while True:
        ready, _, _ = select.select([reader], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            why = "It took longer than %d s." % timeout_s
            break
        block = os.read(reader, 1 << 16)
        if not block:
            break
        text += block
    os.close(reader)
    _kill_group(pid)
    status = os.waitpid(pid, 0)[1]
    try:
        found: Answer = json.loads(text)
    except ValueError:
        return {"crash": why or _ending(status)}
    return found


def _list_files(folder: str) -> List[str]:
    lister = importlib.import_module("airflow.utils.file").list_py_file_paths
    conf = importlib.import_module("airflow.configuration").conf
    named = {"safe_mode": conf.getboolean("core", "dag_discovery_safe_mode", fallback=True)}
    known = inspect.signature(lister).parameters
    named.update({name: False for name in ("include_examples", "include_smart_sensor") if name in known})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [str(path) for path in lister(folder, **named)]


def _warm_up() -> None:
    """Pay once, not for every file, what the first DAG costs; plugins are loaded by now."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _reading.warm_up()
            _ahead.fill_caches()
    except Exception:
        sys.stderr.write(traceback.format_exc())  # every file pays, then


def _make_large_for(files: int) -> None:
    """Put memory into large pages when so many forks follow that it saves more than it costs."""
    size = _done["large_at"]
    if files >= (_VERY_MANY if size else _MANY) and _in_use() > size + (_GROWN_BYTES if size else 0):
        sys.modules["__main__"].sibling("pages").make_large()
        _done["large_at"] = _in_use()


class _Running:
    """One file whose process is under way."""

    def __init__(self, file: str, pid: int, deadline: float) -> None:
        self.file, self.pid, self.deadline = file, pid, deadline
        self.blocks: List[bytes] = []
        self.size = 0


def _run_all(files: List[str], imports: Any, request: Request, conversation: socket.socket, writer: _Writer) -> None:
    waiting = list(reversed(files))
    running: Dict[int, _Running] = {}
    end = time.monotonic() + request["timeout_s"]
    while waiting or running:
        if time.monotonic() > end:
            for file in waiting:
                writer.send({"file": _name(file, request), "crash": "timeout-all"})
            waiting = []
        while waiting and len(running) < request["parallel"]:
            file = waiting.pop()
            if imports.prepare(file):
                gc.freeze()
            _make_large_for(len(waiting))
            pipe, pid = _start(functools.partial(_reading.read, file), request)
            running[pipe] = _Running(file, pid, min(time.monotonic() + request["file_s"], end))
        if not running:
            return
        wait_s = max(min(entry.deadline for entry in running.values()) - time.monotonic(), 0)
        ready, _, _ = select.select([*running, conversation.fileno()], [], [], wait_s)
        if conversation.fileno() in ready:  # nothing more is ever said to us: the other side has gone
            _end_everything()
        for pipe in list(running):
            entry = running[pipe]
            is_over, crash = _look(pipe, entry, request, is_ready=pipe in ready)
            if is_over:
                del running[pipe]
                os.close(pipe)
                _kill_group(entry.pid)
                writer.send_line(_outcome(entry, request, crash, os.waitpid(entry.pid, 0)[1]))


def _look(pipe: int, entry: _Running, request: Request, is_ready: bool) -> Tuple[bool, str]:
    """Take what a file's process says; tell whether it is over, and why when it was ended."""
    if not is_ready:
        return (time.monotonic() >= entry.deadline, "timeout")
    block = os.read(pipe, 1 << 20)
    if not block:
        return True, ""
    entry.blocks.append(block)
    entry.size += len(block)
    return entry.size > request["output_bytes"], "too-big"


def _outcome(entry: _Running, request: Request, crash: str, status: int) -> bytes:
    """Give the line that says what became of a file: its process's own words when they are whole."""
    name = _name(entry.file, request)
    if not crash:
        said = b"".join(entry.blocks)
        try:
            found: Answer = json.loads(said)
            computed: Answer = found.pop("computed_runs", {})
            _runs.COMPUTED.update(computed)
            if not computed and found["file"] == name and b"\n" not in said:
                return said
            return json.dumps({**found, "file": name}).encode()
        except (ValueError, TypeError, KeyError, AttributeError):
            crash = _ending(status)
    return json.dumps({"file": name, "crash": crash}).encode()


def _ending(status: int) -> str:
    return "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "exit %d" % os.WEXITSTATUS(status)


def _start(act: Callable[[Request], Answer], request: Request) -> Tuple[int, int]:
    """Fork a process that acts, alone in its session, and says its answer to the pipe that is given back."""
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    try:
        os.close(reader)
        for other in _held:
            other.close()
        os.register_at_fork(
            after_in_child=functools.partial(os.close, writer)
        )  # a process of the file's own says nothing
        _isolate(request, parent)
        gc.enable()
        try:
            found = act(request)
        except BaseException:
            found = {"crash": traceback.format_exc(limit=-3)}
        data = json.dumps(found, default=str).encode()
        while data:
            data = data[os.write(writer, data) :]
    finally:
        os._exit(0)


def _isolate(request: Request, parent: int) -> None:
    go_with(parent, signal.SIGKILL)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(null, handle)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _in_use() + (request["memory_mb"] << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # what it writes to: big libraries alone do not count


def _in_use() -> int:
    """Give how many bytes of memory this process may write to."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[5]) * resource.getpagesize()


def _descendants() -> List[int]:
    """Give the processes below this one, the youngest generation first."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as stream:
                    parents[int(entry)] = int(stream.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found: List[int] = []
    layer = [os.getpid()]
    while layer:
        layer = [pid for pid, parent in parents.items() if parent in layer]
        found = layer + found
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _kill_group(pid: int) -> None:
    """Kill a file's process and what it started; who left its group is found at the end of the request."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _kill(pid)
