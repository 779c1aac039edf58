"""A private PostgreSQL server on this machine, for deployments' metadata databases, the demo and the tests.

It listens on 127.0.0.1 only, has no unix socket, and lets nobody in without a SCRAM password. It outlives the process
that started it; `PostgresServer` on the same folder finds it again. PostgreSQL refuses to run as root: there it runs as
the user `postgres` (or `nobody`).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from aerodrome.kernel.errors import Broken, Conflict, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

_DEBIAN = Path("/usr/lib/postgresql")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WORLD_X = 0o001
_RIGHTS_TO_SETTINGS = 150000
"""The first version in which a role that is no superuser can be given the right to change such a setting."""
_SETTINGS = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n"
_FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_wal_size = 512MB\n"


def find_binaries(folder: Path | None = None) -> Path:
    """Give the folder that holds `initdb`, `pg_ctl` and `postgres`: the given one, PATH, or Debian's newest version."""
    candidates = [folder] if folder else []
    if not folder:
        if found := shutil.which("pg_ctl"):
            candidates.append(Path(found).resolve().parent)
        versions = [p for p in _DEBIAN.glob("*/bin") if p.parent.name.isdigit()]
        candidates += sorted(versions, key=lambda p: int(p.parent.name), reverse=True)
    for candidate in candidates:
        if all((candidate / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return candidate
    where = f"in {folder}" if folder else "on PATH or in /usr/lib/postgresql"
    raise Unavailable(
        f"No PostgreSQL server programs (initdb, pg_ctl, postgres) were found {where}.",
        code="postgres-missing",
        hint="Install them: apt-get install postgresql (Debian, Ubuntu) or dnf install postgresql-server (Fedora).",
    )


def new_password() -> Secret:
    """Make a random password (43 URL-safe characters)."""
    return Secret(secrets.token_urlsafe(32))


class PostgresServer:
    """One server in one folder. `folder` holds `data/` and `server.log`; `moved_because` says why it is not the wished one."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        password: Secret,
        user: str = "aerodrome",
        binaries: Path | None = None,
        is_fast: bool = False,
        settings: str = "",
    ) -> None:
        """Describe the server; nothing is started. `is_fast` gives up crash safety (tests only).

        `settings` are further lines of postgresql.conf, written when the data folder is made.
        """
        self.port = port
        self.user = user
        self._password = password
        self._binaries = find_binaries(binaries)
        self._is_fast = is_fast
        self._settings = settings
        self._runs_as = _runs_as()
        self.folder, self.moved_because = _reachable(data_dir.absolute(), self._runs_as)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self, timeout_s: float = 60) -> None:
        """Make the data folder when there is none, start the server unless it runs, and wait until it answers."""
        if not self.data.exists():
            self._init()
        if self.pid() is None:
            _check_free(self.port)
            options = f"-p {self.port}"
            self._run("pg_ctl", "start", "-w", "-t", str(int(timeout_s)), "-l", str(self.log), "-o", options)
        try:
            self._connect("postgres", timeout_s=int(timeout_s)).close()
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"The PostgreSQL server in {self.folder} does not let us in.",
                code="postgres-not-ready",
                hint=f"Read {self.log}.",
            ) from error

    def pid(self) -> int | None:
        """Give the server's pid, or None when it does not run. A recycled pid is not taken for the server."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid, folder = int(lines[0]), lines[1]
            process = psutil.Process(pid)
            command = process.cmdline()
            is_ours = Path(folder) == self.data and process.status() != psutil.STATUS_ZOMBIE
            is_ours = is_ours and "postgres" in Path(command[0]).name and str(self.data) in command
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            return None
        return pid if is_ours else None

    def is_running(self) -> bool:
        """Tell whether this very server (pid, program and data folder agree) is alive."""
        return self.pid() is not None

    def is_answering(self) -> bool:
        """Tell whether it lets us in now; a server that recovers after a crash does not yet."""
        try:
            self._connect("postgres", timeout_s=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, grace_s: float = 20) -> None:
        """Stop the server: fast, then immediate, then KILL. Stopping a stopped server does nothing."""
        for mode in ("fast", "immediate"):
            if self.pid() is None:
                return
            wait_s = str(max(1, int(grace_s)))
            self._run("pg_ctl", "stop", "-w", "-t", wait_s, "-m", mode, is_checked=False)
        if (pid := self.pid()) is not None:
            process = psutil.Process(pid)
            for one in [*process.children(), process]:
                one.kill()
            psutil.wait_procs([process], timeout=5)

    def delete(self) -> None:
        """Stop the server and remove its folder with all databases."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> Secret:
        """Give the SQLAlchemy URL of a database (`postgresql+psycopg://…`), password included."""
        return Secret(
            f"postgresql+psycopg://{self.user}:{self._password.reveal()}@127.0.0.1:{self.port}/{_checked(database)}"
        )

    def start_command(self) -> dict[str, object]:
        """Give how another process starts this server: command, environment, folder, and the user that it must run as."""
        command = [
            str(self._binaries / "pg_ctl"),
            "start",
            "-w",
            "-t",
            "60",
            "-l",
            str(self.log),
            "-o",
            f"-p {self.port}",
        ]
        return {
            "command": [*command, "-D", str(self.data)],
            "folder": str(self.folder),
            "data": str(self.data),
            "log": str(self.log),
            "uid": self._runs_as.pw_uid if self._runs_as else None,
            "gid": self._runs_as.pw_gid if self._runs_as else None,
        }

    def create_owned(self, name: str, password: Secret) -> Secret:
        """Make a role and a database of that name that only this role may enter; give its URL. Repeating sets the password.

        The role may make further databases (for copies beside its own), may write to its own tables without their
        triggers (with PostgreSQL 15 and newer; it could drop their foreign keys as well), and nothing else.
        """
        role = sql.Identifier(_checked(name))
        with self._connect("postgres") as connection:
            with contextlib.suppress(psycopg.errors.DuplicateObject):
                connection.execute(sql.SQL("CREATE ROLE {}").format(role))
            rights = sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER CREATEDB NOCREATEROLE CONNECTION LIMIT 60 PASSWORD {}")
            connection.execute(rights.format(role, sql.Literal(password.reveal())))
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
            if connection.info.server_version >= _RIGHTS_TO_SETTINGS:
                connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))
        return Secret(f"postgresql+psycopg://{name}:{password.reveal()}@127.0.0.1:{self.port}/{name}")

    def drop_owned(self, name: str) -> None:
        """Drop every database of that role, and the role; connections are ended. Repeating changes nothing."""
        with self._connect("postgres") as connection:
            query = "SELECT datname FROM pg_database JOIN pg_roles ON datdba = pg_roles.oid WHERE rolname = %s"
            for (database,) in connection.execute(query, (_checked(name),)).fetchall():
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
            is_there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None
            role = sql.Identifier(name)
            if is_there and connection.info.server_version >= _RIGHTS_TO_SETTINGS:
                connection.execute(sql.SQL("REVOKE SET ON PARAMETER session_replication_role FROM {}").format(role))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))

    def owned(self) -> list[str]:
        """Give the roles made by `create_owned`."""
        with self._connect("postgres") as connection:
            query = "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolcanlogin ORDER BY rolname"
            return [str(row[0]) for row in connection.execute(query).fetchall()]

    def is_empty(self, name: str) -> bool:
        """Tell whether a database of that name is there and has no table; a role alone is empty too."""
        with self._connect("postgres") as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, (_checked(name),)).fetchone() is None:
                return True
        with self._connect(name) as connection:
            query = (
                "SELECT 1 FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public' LIMIT 1"
            )
            return connection.execute(query).fetchone() is None

    def create_database(self, name: str, *, template: str | None = None) -> Secret:
        """Make a database unless it exists (a copy of `template` when given, which nobody may be using); give its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_checked(name)))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(_checked(template)))
        with self._connect("postgres") as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists; connections to it are ended."""
        with self._connect("postgres") as connection:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(_checked(name))))

    def _connect(self, database: str, timeout_s: int = 10) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self._password.reveal(),
            dbname=database,
            connect_timeout=timeout_s,
            autocommit=True,
        )

    def _init(self) -> None:
        """Run initdb into `data.new` and rename, so that a crash leaves no half-made data folder."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own(self.folder)
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        descriptor, password_file = tempfile.mkstemp(dir=self.folder, prefix="pw-")  # 0600
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(self._password.reveal() + "\n")
            self._own(Path(password_file))
            self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={self.user}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync" if self._is_fast else "--data-checksums",
            )
        finally:
            Path(password_file).unlink()
        with (fresh / "postgresql.conf").open("a") as stream:
            stream.write(_SETTINGS + self._settings + (_FAST if self._is_fast else ""))
        fresh.rename(self.data)

    def _own(self, path: Path) -> None:
        if path.is_symlink():
            raise Broken(f"{path} is a symbolic link.", code="postgres-folder-taken", hint="Remove it.")
        if self._runs_as:
            os.chown(path, self._runs_as.pw_uid, self._runs_as.pw_gid)
        elif path.stat().st_uid != os.getuid():
            raise Broken(f"{path} belongs to another user.", code="postgres-folder-taken", hint="Remove it.")
        path.chmod(0o700 if path.is_dir() else 0o600)

    def _run(self, program: str, *arguments: str, is_checked: bool = True) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_")) and k != "LANG"}
        command = [str(self._binaries / program), *arguments]
        if program == "pg_ctl":
            command += ["-D", str(self.data)]
        as_user = {"user": self._runs_as.pw_uid, "group": self._runs_as.pw_gid} if self._runs_as else {}
        result = subprocess.run(  # type: ignore[call-overload]
            command,
            cwd=self.folder,
            env={**env, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,
            extra_groups=[] if self._runs_as else None,
            **as_user,
        )
        if is_checked and result.returncode != 0:
            raise Broken(
                f"PostgreSQL's {program} failed: {_last_line(result.stdout)}",
                code=f"postgres-{program.replace('_', '-')}-failed",
                hint=f"Read {self.log} for the reason.",
            )


def _runs_as() -> pwd.struct_passwd | None:
    """Give the user that must run the server when we are root, else None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody.",
        code="postgres-no-user",
        hint="Make one: useradd --system postgres.",
    )


def _reachable(folder: Path, user: pwd.struct_passwd | None) -> tuple[Path, str | None]:
    """Give the folder, or one under /var/tmp when the server's user could not walk to it, with the reason."""
    if user is None:
        return folder, None
    for parent in folder.parents:
        if not parent.exists():
            continue
        status = parent.stat()
        if status.st_uid != user.pw_uid and not status.st_mode & _WORLD_X:
            name = f"aerodrome-postgres-{sha256(str(folder).encode()).hexdigest()[:12]}"
            return Path("/var/tmp") / name, f"{parent} is closed to the user {user.pw_name}."  # noqa: S108
    return folder, None


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Conflict(
                f"Port {port} on 127.0.0.1 is in use.",
                code="port-in-use",
                hint="Choose another port, or stop what listens there.",
                details={"port": port},
            ) from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is no name for a database.",
            code="database-name-invalid",
            hint="Use lower-case letters, digits and underscores, 63 at most, starting with a letter.",
        )
    return name


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."
