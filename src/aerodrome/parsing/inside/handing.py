"""Hands conversations from the interpreter to the process of an earlier request, which has libraries imported, and back.

Such a process stays when it never ran anything of a project: no plugins, no module of the project's; its files were read by processes of their
own. It takes a request of the same project folder and settings, in which no file hides a library that it has imported. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import array
import os
import socket
import sys
from typing import Any, Dict, Optional, Set, Tuple

READY, GO, BACK = b"R", b"G", b"B"
_KEYS = ("project", "importable", "dags", "plugins", "moved", "environment", "is_lenient", "safe_roots")
_LARGEST_BYTES = 1 << 30  # a process that takes more does not stay
_at_first: Set[str] = set(sys.modules)


def send(control: socket.socket, word: bytes, conversation: Optional[socket.socket] = None) -> bool:
    """Say a word of one byte, with an open conversation; False when nobody is there."""
    handles = (
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [conversation.fileno()]))] if conversation else []
    )
    try:
        return control.sendmsg([word], handles) == 1
    except OSError:
        return False


def receive(control: socket.socket) -> Tuple[bytes, Optional[socket.socket]]:
    """Give the next word, with the conversation that came with it; b"" when the other side has gone."""
    handles = array.array("i")
    try:
        word, ancillary, _flags, _address = control.recvmsg(1, socket.CMSG_LEN(handles.itemsize))
    except OSError:
        return b"", None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            handles.frombytes(data[: handles.itemsize])
    return word, socket.socket(fileno=handles[0]) if handles else None


def may_stay(request: Dict[str, Any], size_bytes: int) -> bool:
    """Tell whether this process, which answered the request, may answer another one."""
    root = request["importable"] + "/"
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    is_clean = not request["has_plugins"] and not any(str(file).startswith(root) for file in files)
    return bool(request["is_staying"]) and is_clean and size_bytes < _LARGEST_BYTES


def fits(request: Dict[str, Any], earlier: Dict[str, Any]) -> bool:
    """Tell whether the process that answered the earlier request gives the same answers as a new one would."""
    if request["has_plugins"] or any(request[key] != earlier[key] for key in _KEYS):
        return False
    imported = {name.partition(".")[0] for name in set(sys.modules) - _at_first}
    for root in {request["importable"], request["dags"], request["plugins"]}:
        if os.path.isdir(root) and not imported.isdisjoint(name.partition(".")[0] for name in os.listdir(root)):
            return False
    return True
