"""What SFTPHook's get_conn() gives: pysftp's Connection in Airflow 1.10 and in providers before sftp 3, paramiko's SFTPClient since.

Compared: every public name of pysftp 0.2.9's Connection with paramiko's SFTPClient, by their constructors and methods; and what both do by default.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules.receivers import SFTP_CONNECTION, classes_of
from aerodrome.migration.codemod.source import Source

_HOOK = "SFTPHook itself has {}."
_GONE = {
    "active_ciphers": "Ask its channel: get_channel().get_transport().",
    "active_compression": "Ask its channel: get_channel().get_transport().",
    "cd": "Write chdir(…), and chdir(None) where the block ended.",
    "execute": "SSHHook runs commands: SSHHook(…).exec_ssh_client_command(…).",
    "exists": _HOOK.format("path_exists(…)"),
    "get_d": _HOOK.format("retrieve_directory(…)"),
    "get_r": _HOOK.format("retrieve_directory(…)"),
    "isdir": _HOOK.format("isdir(…)"),
    "isfile": _HOOK.format("isfile(…)"),
    "lexists": "Ask lstat(…), which raises FileNotFoundError.",
    "logfile": "paramiko logs as Python does.",
    "makedirs": _HOOK.format("create_directory(…)"),
    "put_d": _HOOK.format("store_directory(…)"),
    "put_r": _HOOK.format("store_directory(…)"),
    "remote_server_key": "Ask its channel: get_channel().get_transport().",
    "security_options": "Ask its channel: get_channel().get_transport().",
    "sftp_client": "It is the client itself.",
    "timeout": "Write get_channel().settimeout(…).",
    "walktree": _HOOK.format("walktree(…)"),
}
_PATH = {"remotepath": "path"}
_NAMES = {
    **dict.fromkeys(("chdir", "chmod", "chown", "listdir", "listdir_attr", "lstat", "mkdir", "normalize", "rmdir", "stat", "truncate"), _PATH),
    "getfo": {"flo": "fl"},
    "open": {"remote_file": "filename"},
    "putfo": {"flo": "fl"},
    "readlink": {"remotelink": "path"},
    "remove": {"remotefile": "path"},
    "rename": {"remote_src": "oldpath", "remote_dest": "newpath"},
    "symlink": {"remote_src": "source", "remote_dest": "dest"},
    "unlink": {"remotefile": "path"},
}  # fmt: skip
_LEAST = {"get": ("localpath", 2), "put": ("remotepath", 2), "putfo": ("remotepath", 2), "chmod": ("mode", 2)}
"""What pysftp thought of itself, and its place: the name of the file, in the working folder; a mode of 777."""
_SORTED = {"listdir": "", "listdir_attr": ", key=lambda attr: attr.filename"}
_MODES = ("chmod", "mkdir")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if classes_of(source, node.value) != SFTP_CONNECTION:
            continue
        call = source.parents[node]
        if node.attr == "pwd":
            yield Change((replace(source, node, f'{source.code(node.value)}.normalize(".")'),))
        elif node.attr in _GONE:
            yield Spot(
                node.end_lineno or node.lineno,
                f"`{node.attr}` is not of what SFTPHook's get_conn() gives: a client of paramiko, no connection of pysftp.",
                _GONE[node.attr],
            )
        elif isinstance(call, ast.Call) and call.func is node:
            yield from _of_call(source, call, node, is_old=options.source_version.partition(".")[0] == "1")


def _of_call(source: Source, call: ast.Call, node: ast.Attribute, *, is_old: bool) -> Iterator[Change | Spot]:
    edits = [
        rename_keyword(source, item, new)
        for item in call.keywords
        if (new := _NAMES.get(node.attr, {}).get(str(item.arg)))
    ]
    if node.attr == "cwd":
        end = source.end(node)
        edits.append(Edit(end - len("cwd"), end, "chdir"))
    mode = keyword(call, "mode") or (call.args[1] if node.attr in _MODES and len(call.args) > 1 else None)
    value = mode.value if isinstance(mode, ast.keyword) else mode
    if is_old and node.attr in _MODES and value is not None and _is_decimal(source, value):
        edits.append(replace(source, value, f"0o{source.code(value)}"))
    parent = source.parents[call]
    is_sorted = isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "sorted"
    if is_old and node.attr in _SORTED and not is_sorted and not edits:
        start, end = source.start(call), source.end(call)
        edits += [Edit(start, start, "sorted("), Edit(end, end, f"{_SORTED[node.attr]})")]
    if edits:
        yield Change(tuple(edits))
        return
    name, least = _LEAST.get(node.attr, ("", 0))
    if name and len(call.args) < least and not keyword(call, name) and not has_open_end(call):
        yield Spot(
            call.lineno,
            f"{node.attr}() of paramiko's client needs `{name}`; pysftp's took one of its own.",
            f"Say {name}=…",
        )
    if item := keyword(call, "preserve_mtime"):
        yield Spot(
            item.value.lineno,
            f"{node.attr}() of paramiko's client does not take `preserve_mtime`.",
            "Take it out; os.utime(…) or utime(…) of the client sets times.",
        )


def _is_decimal(source: Source, value: ast.expr) -> bool:
    """Tell whether a number was read digit by digit as one of base 8."""
    return isinstance(value, ast.Constant) and set(source.code(value)) <= set("01234567")


RULE = Rule(
    code="sftp-connection",
    title="What SFTPHook's get_conn() gives is a client of paramiko: names and arguments of pysftp's connection are rewritten or found",
    words=(b"SFTPHook",),
    before="""
from airflow.contrib.hooks.sftp_hook import SFTPHook


def fetch():
    with SFTPHook("files").get_conn() as sftp:
        sftp.cwd("/sales")
        if sftp.exists("/sales/a.csv"):
            sftp.rename(remote_src="a.csv", remote_dest="b.csv")
""",
    after="""
from airflow.contrib.hooks.sftp_hook import SFTPHook


def fetch():
    with SFTPHook("files").get_conn() as sftp:
        sftp.chdir("/sales")
        if sftp.exists("/sales/a.csv"):
            sftp.rename(oldpath="a.csv", newpath="b.csv")
""",
    find=_find,
    finding="is not of what SFTPHook's get_conn() gives",
    is_for_2=True,
)
