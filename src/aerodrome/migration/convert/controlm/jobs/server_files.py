"""Functions of DAG files that reach files on FTP and SFTP servers through hooks, where Airflow's own storage has no address for them.

FTPHook and SFTPHook share `list_directory`, `retrieve_file`, `store_file`, `delete_file` and `create_directory` (ftp 3.16, sftp 7.0). An FTP hook changes
into the folder of the file that it moves: every operation takes a fresh one, so that paths below the home mean the same each time.
"""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert.contract import Function, Symbol
from aerodrome.migration.convert.controlm.snippets import OBJECT_PATH, TEMPORARY
from aerodrome.migration.convert.symbols import PATH

_FTP: Final = "apache-airflow-providers-ftp"
_SFTP: Final = "apache-airflow-providers-sftp"
_HOOKS: Final = (
    Symbol(
        "FTPHook",
        {"2.11": "airflow.providers.ftp.hooks.ftp", "3.3": "airflow.providers.ftp.hooks.ftp"},
        {"2.11": _FTP, "3.3": _FTP},
    ),
    Symbol(
        "FTPSHook",
        {"2.11": "airflow.providers.ftp.hooks.ftp", "3.3": "airflow.providers.ftp.hooks.ftp"},
        {"2.11": _FTP, "3.3": _FTP},
    ),
    Symbol(
        "SFTPHook",
        {"2.11": "airflow.providers.sftp.hooks.sftp", "3.3": "airflow.providers.sftp.hooks.sftp"},
        {"2.11": _SFTP, "3.3": _SFTP},
    ),
)
_FNMATCH: Final = Symbol("fnmatch", {"2.11": "fnmatch", "3.3": "fnmatch"})

SERVER_OF: Final = Function(
    "server_of",
    '''
def server_of(address, conn_id):
    """Give the hook of an FTP or SFTP server and the path on it; no hook where Airflow's own storage has the address."""
    scheme, _, path = address.partition("://")
    hooks = {"ftp": FTPHook, "ftps": FTPSHook, "sftp": SFTPHook}
    return (hooks[scheme](conn_id) if scheme in hooks else None), path
''',
    _HOOKS,
)

MATCHING: Final = Function(
    "matching",
    '''
def matching(address, conn_id):
    """Name the files that an address with * and ? is for, and give the address of their folder."""
    hook, path = server_of(address, conn_id)
    folder, slash, pattern = path.rpartition("/")
    base = address[: len(address) - len(pattern)]
    if hook is None:
        names = [found.name for found in ObjectStoragePath(base.rstrip("/"), conn_id=conn_id).glob(pattern)]
    else:
        names = [name.rpartition("/")[2] for name in hook.list_directory(folder or slash or ".")]
    return sorted(name for name in names if fnmatch(name, pattern)), base
''',
    (OBJECT_PATH, _FNMATCH),
)

IS_ON_SERVER: Final = Function(
    "is_on_server",
    '''
def is_on_server(path, conn_id):
    """Say whether a file is there; the last part of the path may have * and ?."""
    return bool(matching(path, conn_id)[0])
''',
)

SERVER_TRANSFER: Final = Function(
    "server_transfer",
    '''
def server_transfer(source, source_conn_id, destination, destination_conn_id, is_moving):
    """Copy or move every file that a path names, from or to a server, through a folder of the worker; fails when there is none."""
    found, base = matching(source, source_conn_id)
    if not found:
        raise FileNotFoundError(source)
    into = destination.endswith("/") or "*" in source or "?" in source
    with TemporaryDirectory() as place:
        for name in found:
            local = f"{place}/{name}"
            hook, path = server_of(base + name, source_conn_id)
            if hook is None:
                ObjectStoragePath(base + name, conn_id=source_conn_id).copy(ObjectStoragePath(f"file://{local}"))
            else:
                hook.retrieve_file(path, local)
            target = f"{destination.rstrip('/')}/{name}" if into else destination
            hook, path = server_of(target, destination_conn_id)
            if hook is None:
                ObjectStoragePath(f"file://{local}").copy(ObjectStoragePath(target, conn_id=destination_conn_id))
            else:
                hook.store_file(path, local)
            if is_moving:
                hook, path = server_of(base + name, source_conn_id)
                if hook is None:
                    ObjectStoragePath(base + name, conn_id=source_conn_id).unlink()
                else:
                    hook.delete_file(path)
''',
    (OBJECT_PATH, TEMPORARY),
)

SERVER_COMMAND: Final = Function(
    "server_command",
    '''
def server_command(action, path, conn_id, target=None, is_needed=True):
    """Remove or rename a file, change its mode, or make a folder, on a server; change the mode of a file of the worker."""
    try:
        hook, where = server_of(path, conn_id)
        if hook is None:
            Path(where).chmod(int(target, 8))
        elif action == "chmod":
            hook.get_conn().chmod(where, int(target, 8))
        elif action == "mkdir":
            hook.create_directory(where)
        elif action == "rename":
            hook.get_conn().rename(where, server_of(target, conn_id)[1])
        else:
            hook.delete_file(where)
    except Exception as error:
        if is_needed:
            raise
        print(f"{action} {path} failed, and the job goes on: {error}")
''',
    (PATH,),
)
