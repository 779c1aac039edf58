"""Writes an Airflow's metadata, code and surroundings into one sealed archive. Made by `aerodrome export`.

Run it where that Airflow runs, with its Python and its environment; it only reads:

    python exporter.py --out estate.aerodrome
    docker exec -i CONTAINER python - --out - < exporter.py > estate.aerodrome
    kubectl exec -i POD -- python - --out - < exporter.py > estate.aerodrome

or put it into the DAGs folder of an Airflow 1.10 or 2.x and run the DAG `aerodrome_export` with the configuration
{"out": "/a/folder/estate.aerodrome"}. A run that was killed goes on where it stopped: start it again with the same --out.
Instead of a file, --out takes s3://bucket/key (needs boto3 here and the right s3:PutObject) or gs://bucket/key (needs
google-cloud-storage here and storage.objects.create); an object appears when it is whole, and a killed run starts anew.
Everything but names and counts is encrypted to the public key below; only the holder of its private half can read it.

Python 3.6 or newer, the standard library, and what every Airflow has (SQLAlchemy, cryptography). Airflow 1.10 to 3.x.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import time
import zlib
from datetime import date, datetime, timezone
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Sequence, Set, Tuple

PUBLIC_KEY = """@PUBLIC_KEY@"""
MAGIC = b"AERODROME-ARCHIVE 1\n"
DAG_ID = "aerodrome_export"
PART_BYTES = 8 << 20
FIRST_ROWS, MOST_ROWS = 500, 20000
FILE_LIMIT_BYTES = 64 << 20
NEEDED = ("alembic_version", "slot_pool", "connection", "variable", "dag", "dag_run", "task_instance")
TABLES = (
    "alembic_version", "slot_pool", "connection", "variable", "import_error", "ab_role", "ab_user", "ab_user_role",
    "dag", "dag_tag", "dag_owner_attributes", "dag_version", "dag_bundle", "serialized_dag",
    "dataset", "dataset_alias", "dag_schedule_dataset_reference", "task_outlet_dataset_reference", "dataset_event",
    "dataset_dag_run_queue", "asset", "asset_alias", "asset_active", "dag_schedule_asset_reference",
    "task_outlet_asset_reference", "task_inlet_asset_reference", "asset_event", "asset_dag_run_queue",
    # A run before what belongs to it: a run that is final here has all of it there.
    "dag_run", "dag_run_note", "dagrun_dataset_event", "dagrun_asset_event", "task_instance", "task_instance_note", "task_instance_history", "task_fail",
    "task_reschedule", "task_map", "rendered_task_instance_fields", "xcom",
)  # fmt: skip
ONLY_SHAPE = ("log",)  # its rows stay; readers expect the table
LEFT_OUT = {"ab_user": ("password",)}
OWN_ENVIRONMENT = (
    "PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME", "TERM", "LANG", "LANGUAGE", "USER", "LOGNAME", "SHELL",
    "TMPDIR", "GPG_KEY", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV",
)  # fmt: skip
IGNORED_FOLDERS = {"__pycache__", ".git", ".venv", "node_modules", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"}


class Problem(Exception):
    """Something that the person who runs this can mend."""


def tell(text: str) -> None:
    sys.stderr.write("aerodrome export: {}\n".format(text))
    sys.stderr.flush()


# --- the archive: frames, each a line of JSON and a payload; each names the digest of all before it ----------------------


class Archive:
    """Appends frames. What it writes is final after each frame, so that a later run can go on."""

    def __init__(self, stream: BinaryIO, public_key: str) -> None:
        self.stream = stream
        self.public_key = public_key
        self.number = 0
        self.chain = hashlib.sha256(MAGIC).hexdigest()
        self.cipher: Any = None

    def start(self, source: Dict[str, Any]) -> None:
        """Begin a sitting: a fresh key, wrapped so that only the private key opens it."""
        from cryptography.hazmat.backends import default_backend
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        content_key = os.urandom(32)
        public: Any = serialization.load_pem_public_key(self.public_key.encode(), default_backend())
        oaep = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        wrapped = public.encrypt(content_key, oaep)
        self.cipher = AESGCM(content_key)
        data = dict(source, key=base64.b64encode(wrapped).decode(), started_at=now(), key_id=key_id(self.public_key))
        self.plain("sitting", "sitting", data)

    def plain(self, kind: str, name: str, data: Dict[str, Any]) -> None:
        self._frame({"kind": kind, "name": name}, json.dumps(data, sort_keys=True).encode())

    def sealed(self, kind: str, name: str, content: bytes, **more: Any) -> None:
        nonce = self.number.to_bytes(12, "big")
        bound = "{}/{}/{}".format(kind, name, self.number).encode()
        self._frame(dict(more, kind=kind, name=name), self.cipher.encrypt(nonce, zlib.compress(content, 6), bound))

    def _frame(self, header: Dict[str, Any], payload: bytes) -> None:
        header = dict(
            header, n=self.number, bytes=len(payload), sha256=hashlib.sha256(payload).hexdigest(), before=self.chain
        )
        line = json.dumps(header, sort_keys=True).encode() + b"\n"
        self.stream.write(line + payload + b"\n")
        self.stream.flush()
        self.chain = hashlib.sha256(line).hexdigest()
        self.number += 1


class Done:
    """What an unfinished archive holds already."""

    def __init__(self) -> None:
        self.sitting: Dict[str, Any] = {}
        self.finished: Set[str] = set()
        self.has_environment = False
        self.after: Dict[str, Any] = {}
        self.parts: Dict[str, int] = {}
        self.rows: Dict[str, int] = {}


def look_back(stream: BinaryIO, archive: Archive) -> Done:
    """Read the whole frames of an unfinished archive, and cut off what a killed run left behind them."""
    done = Done()
    good = stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise Problem("the file that is there is no archive; name another --out")
    while True:
        good = stream.tell()
        line = stream.readline(1 << 20)
        try:
            header = json.loads(line.decode())
            payload = stream.read(header["bytes"])
            is_whole = hashlib.sha256(payload).hexdigest() == header["sha256"] and stream.read(1) == b"\n"
        except (ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole or header["before"] != archive.chain:
            break
        archive.chain = hashlib.sha256(line).hexdigest()
        archive.number += 1
        name = header["name"]
        if header["kind"] == "sitting" and not done.sitting:
            done.sitting = json.loads(payload.decode())
        elif header["kind"] == "environment":
            done.has_environment = True
        elif header["kind"] == "rows":
            done.after[name] = header["after"]
            done.parts[name] = header["part"]
            done.rows[name] = done.rows.get(name, 0) + header["rows"]
            if header["is_last"]:
                done.finished.add(name)
        elif header["kind"] == "shape":
            done.parts.setdefault(name, 0)
    stream.seek(good)
    stream.truncate()
    return done


def key_id(public_key: str) -> str:
    return hashlib.sha256(public_key.strip().encode()).hexdigest()[:16]


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the database ------------------------------------------------------------------------------------------------------


class Database:
    """The metadata database, read only: one snapshot of it on PostgreSQL and MySQL, short transactions on SQLite."""

    def __init__(self, url: str) -> None:
        from sqlalchemy import create_engine, inspect, text
        from sqlalchemy.engine.url import make_url
        from sqlalchemy.pool import NullPool

        self.text = text
        parsed = make_url(url)
        self.dialect = parsed.get_backend_name()
        place = "{}:{}:{}:{}".format(self.dialect, parsed.host, parsed.port, parsed.database)
        self.place = hashlib.sha256(place.encode()).hexdigest()[:16]
        if self.dialect == "sqlite":
            self.engine = create_engine("sqlite://", creator=lambda: _sqlite(parsed.database or ""), poolclass=NullPool)
        else:
            self.engine = create_engine(url, poolclass=NullPool)
        try:
            connection = self.engine.connect()
        except Exception as error:
            raise Problem("the metadata database does not answer ({})".format(type(error).__name__))
        if self.dialect != "sqlite":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        self.connection = connection
        if self.dialect == "postgresql":
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        elif self.dialect == "mysql":
            connection.execute(text("SET time_zone = '+00:00'"))
        self.inspector: Any = inspect(self.engine)
        self.tables = set(self.inspector.get_table_names())
        missing = [name for name in NEEDED if name not in self.tables]
        if missing:
            raise Problem("this is not an Airflow metadata database: it has no table {}".format(missing[0]))

    def quote(self, name: str) -> str:
        return str(self.engine.dialect.identifier_preparer.quote(name))

    def all(self, query: str, values: Optional[Dict[str, Any]] = None) -> List[Any]:
        """Give the rows; on SQLite the read lock is let go at once."""
        try:
            rows = self.connection.execute(self.text(query), values or {}).fetchall()
        except Exception as error:  # its text would hold the statement and its values
            cause = getattr(error, "orig", None) or error
            place = query.partition(" FROM ")[2].split(" ")[0]
            raise Problem("the table {} cannot be read ({})".format(place or "?", type(cause).__name__))
        if self.dialect == "sqlite" and hasattr(self.connection, "rollback"):
            self.connection.rollback()
        return list(rows)

    def scalar(self, query: str) -> Any:
        rows = self.all(query)
        return rows[0][0] if rows else None

    def product(self) -> str:
        if self.dialect == "sqlite":
            return "sqlite {}".format(self.scalar("select sqlite_version()"))
        if self.dialect == "postgresql":
            return "postgresql {}".format(str(self.scalar("show server_version")).split()[0])
        return "{} {}".format(self.dialect, self.scalar("select version()"))

    def shape(self, table: str) -> Dict[str, Any]:
        """Give the columns with their sort of value, and the primary key."""
        left_out = LEFT_OUT.get(table, ())
        columns = [
            [column["name"], sort_of(column["type"])]
            for column in self.inspector.get_columns(table)
            if column["name"] not in left_out
        ]
        constraint = self.inspector.get_pk_constraint(table) or {}
        return {"columns": columns, "key": list(constraint.get("constrained_columns") or [])}

    def page(self, table: str, shape: Dict[str, Any], after: Optional[Sequence[Any]], limit: int) -> List[Any]:
        """Give the next rows in the order of the primary key."""
        names = []
        for name, sort in shape["columns"]:
            quoted = self.quote(name)
            names.append("CAST({0} AS TEXT) AS {0}".format(quoted) if self._is_pg_json(sort) else quoted)
        keys = [self.quote(name) for name in shape["key"]]
        conditions, values = [], {}  # type: List[str], Dict[str, Any]
        if any(name == "dag_id" for name, _sort in shape["columns"]):
            conditions.append("(dag_id IS NULL OR dag_id <> :own_dag)")
            values["own_dag"] = DAG_ID
        if after is not None:
            values.update(("k{}".format(position), value) for position, value in enumerate(after))
            conditions.append("({})".format(self._beyond(keys)))
        where = " WHERE " + " AND ".join(conditions) if conditions else ""
        order = " ORDER BY {} LIMIT {}".format(", ".join(keys), limit) if keys else ""
        return self.all("SELECT {} FROM {}{}{}".format(", ".join(names), self.quote(table), where, order), values)

    def _is_pg_json(self, sort: str) -> bool:
        return sort == "json" and self.dialect == "postgresql"  # the driver would parse it; the text is exact

    def _beyond(self, keys: List[str]) -> str:
        marks = [":k{}".format(position) for position in range(len(keys))]
        if self.dialect != "mysql":
            return "({}) > ({})".format(", ".join(keys), ", ".join(marks))
        options = []  # MySQL finds ranges of its index in this form only
        for last in range(len(keys)):
            equal = ["{} = {}".format(keys[position], marks[position]) for position in range(last)]
            options.append("({})".format(" AND ".join(equal + ["{} > {}".format(keys[last], marks[last])])))
        return " OR ".join(options)


def _sqlite(path: str) -> Any:
    import sqlite3

    if not os.path.isfile(path):
        raise Problem("there is no SQLite file {}".format(path))
    return sqlite3.connect("file:{}?mode=ro".format(os.path.abspath(path)), uri=True, timeout=30)


def sort_of(kind: Any) -> str:
    """Give what a column holds: text, int, float, bool, time, binary or json."""
    names = {cls.__name__.lower() for cls in type(kind).__mro__}
    for sort, words in (
        ("json", {"json", "jsonb"}),
        ("bool", {"boolean", "tinyint"}),
        ("time", {"datetime", "timestamp", "date"}),
        ("binary", {"_binary", "largebinary", "blob", "bytea", "binary"}),
        ("float", {"float", "numeric", "real", "double"}),
        ("int", {"integer", "biginteger", "smallinteger"}),
    ):
        if names & words:
            return sort
    return "text"


def plain(value: Any) -> Any:
    """Give a value as JSON can hold it: bytes in base 64, moments as UTC text, like Airflow's own on SQLite."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc) if value.tzinfo else value
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$b": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def write_table(archive: Archive, database: Database, table: str, done: Done, *, is_empty: bool = False) -> int:
    """Write a table part by part; each part says where the next one begins. Gives the rows of this sitting."""
    shape = database.shape(table)
    if table not in done.parts:
        archive.sealed("shape", table, json.dumps(shape).encode())
    if is_empty:
        archive.sealed("rows", table, b"", part=1, rows=0, after=None, is_last=True)
        return 0
    positions = [[name for name, _sort in shape["columns"]].index(name) for name in shape["key"]]
    after, part, total, limit = done.after.get(table), done.parts.get(table, 0), 0, FIRST_ROWS
    while True:
        rows = [[plain(value) for value in row] for row in database.page(table, shape, after, limit)]
        content = "\n".join(json.dumps(row) for row in rows).encode()
        is_last = not shape["key"] or len(rows) < limit
        if rows:
            after = [rows[-1][position] for position in positions]
        part += 1
        archive.sealed("rows", table, content, part=part, rows=len(rows), after=after, is_last=is_last)
        total += len(rows)
        if is_last:
            return total
        if part % 20 == 0:
            tell("{}: {} rows".format(table, done.rows.get(table, 0) + total))
        if len(content) < PART_BYTES // 2:
            limit = min(limit * 2, MOST_ROWS)
        elif len(content) > PART_BYTES * 2:
            limit = max(limit // 2, 1)


# --- what stands around the database -------------------------------------------------------------------------------------


def option(conf: Any, *places: Tuple[str, str]) -> str:
    """Give the first of the options that is set."""
    import logging
    import warnings

    for section, name in places:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.disable(logging.CRITICAL)
                value = conf.get(section, name)
        except Exception:
            value = None
        finally:
            logging.disable(logging.NOTSET)
        if value:
            return str(value)
    return ""


def configuration(conf: Any) -> Dict[str, List[str]]:
    """Give the options that do not have their default: "section.option" -> [value, where it comes from]."""
    found = {}
    for section, options in conf.as_dict(display_source=True, display_sensitive=True, raw=True).items():
        for name, pair in options.items():
            value, origin = pair if isinstance(pair, tuple) else (pair, "airflow.cfg")
            if origin != "default" and value not in (None, ""):
                found["{}.{}".format(section, name)] = [str(value), str(origin)]
    return found


def packages() -> List[List[str]]:
    """Give the installed distributions: name, version."""
    found = {}
    try:
        from importlib.metadata import distributions

        for item in distributions():
            if item.metadata["Name"]:
                found[item.metadata["Name"]] = item.version
    except ImportError:  # Python before 3.8
        import pkg_resources

        for each in pkg_resources.working_set:
            found[each.project_name] = each.version
    return [[name, found[name]] for name in sorted(found)]


def fernet_check(database: Database, keys: str) -> Dict[str, Any]:
    """Tell how many encrypted values the source's own key opens, and which it does not."""
    from cryptography.fernet import Fernet, MultiFernet

    try:
        parts = [Fernet(part.strip().encode()) for part in keys.split(",") if part.strip()]
    except ValueError:
        parts = []
    fernet = MultiFernet(parts) if parts else None
    opened, failed = 0, []
    for label, table, name, value, flag in (
        ("connection", "connection", "conn_id", "password", "is_encrypted"),
        ("connection", "connection", "conn_id", "extra", "is_extra_encrypted"),
        ("variable", "variable", "key", "val", "is_encrypted"),
    ):
        quoted = [database.quote(word) for word in (name, value, flag)]
        query = "SELECT {0}, {1} FROM {3} WHERE {2} AND {1} IS NOT NULL AND {1} <> ''"
        for key, text in database.all(query.format(*quoted + [database.quote(table)])):
            try:
                if fernet is None:
                    raise ValueError
                fernet.decrypt(text.encode())
                opened += 1
            except Exception:
                failed.append("{} {}".format(label, key))
    return {"opened": opened, "failed": sorted(set(failed))}


def environment(database: Database, conf: Any, version: str, folders: Dict[str, str]) -> Dict[str, Any]:
    keys = option(conf, ("core", "fernet_key"))
    notes = []
    if option(conf, ("secrets", "backend")):
        notes.append("A secrets backend is configured: what it holds is not in the archive.")
    bundles = option(conf, ("dag_processor", "dag_bundle_config_list"))
    if bundles and "LocalDagBundle" not in bundles:
        notes.append("DAGs come from bundles other than a local folder: only the DAGs folder is in the archive.")
    return {
        "airflow_version": version,
        "python_version": sys.version.split()[0],
        "database": database.product(),
        "revision": str(database.scalar("SELECT version_num FROM alembic_version") or ""),
        "fernet_keys": keys,
        "fernet": fernet_check(database, keys),
        "env": {
            name: value
            for name, value in os.environ.items()
            if name not in OWN_ENVIRONMENT and not name.startswith(("LC_", "AERODROME_EXPORT_"))
        },
        "config": configuration(conf),
        "packages": packages(),
        "folders": folders,
        "notes": notes,
    }


def files_of(folders: Dict[str, str], skipped: List[str]) -> Iterator[Tuple[str, str, str]]:
    """Give (part, path within it, path) of the code files in a stable order, through links as Airflow does."""
    for part in sorted(folders):
        root = os.path.realpath(folders[part])
        if os.path.isfile(root):
            yield part, os.path.basename(folders[part]), root
            continue
        found: List[Tuple[str, str]] = []
        folders_left = [(root, "", [root])]  # path, path within the part, the real folders on the way to it
        while folders_left:
            folder, prefix, above = folders_left.pop()
            try:
                names = os.listdir(folder)
            except OSError:
                names = []
                skipped.append("{}/{}".format(part, prefix))
            for name in names:
                path, relative = os.path.join(folder, name), prefix + name
                real = os.path.realpath(path)
                if not os.path.isdir(path):
                    found.append((relative, path))
                elif real in above or (root + os.sep).startswith(real.rstrip(os.sep) + os.sep):
                    skipped.append("{}/{}".format(part, relative))  # a link to a folder above itself
                elif name not in IGNORED_FOLDERS:
                    folders_left.append((path, relative + "/", above + [real]))
        for relative, path in sorted(found):
            real = os.path.realpath(path)
            if relative.endswith(".pyc") or is_own(real):
                continue
            if not os.path.isfile(real) or not os.access(real, os.R_OK) or os.path.getsize(real) > FILE_LIMIT_BYTES:
                skipped.append("{}/{}".format(part, relative))
                continue
            yield part, relative, path


def is_own(path: str) -> bool:
    own = globals().get("__file__")
    return bool(own) and os.path.realpath(str(own)) == path


def write_files(archive: Archive, folders: Dict[str, str], done: Done, skipped: List[str]) -> int:
    after, part, total = done.after.get("files"), done.parts.get("files", 0), 0
    lines: List[str] = []
    size = 0
    for place, relative, path in files_of(folders, skipped):
        if after is not None and [place, relative] <= list(after):
            continue
        with open(path, "rb") as stream:
            data = stream.read()
        lines.append(json.dumps([place, relative, base64.b64encode(data).decode()]))
        size, total = size + len(lines[-1]), total + 1
        if size > PART_BYTES:
            part += 1
            content = "\n".join(lines).encode()
            archive.sealed("rows", "files", content, part=part, rows=len(lines), after=[place, relative], is_last=False)
            lines, size = [], 0
    content = "\n".join(lines).encode()
    archive.sealed("rows", "files", content, part=part + 1, rows=len(lines), after=None, is_last=True)
    return total


# --- where it may go besides a file ----------------------------------------------------------------------------------------


class S3Object:
    """One object of S3, sent part by part while it is made. It appears when it is finished."""

    def __init__(self, bucket: str, key: str) -> None:
        try:
            import boto3
        except ImportError:
            raise Problem(
                "--out s3://… needs boto3 in this Python (it comes with apache-airflow-providers-amazon); "
                "name a file instead and copy it"
            )
        self.place = {"Bucket": bucket, "Key": key}
        self.client: Any = boto3.client("s3", endpoint_url=os.environ.get("AERODROME_EXPORT_ENDPOINT_URL") or None)
        if self._does("look for", "list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount"):
            raise Problem("s3://{}/{} is there already".format(bucket, key))
        self.upload = dict(
            self.place, UploadId=self._does("begin", "create_multipart_upload", **self.place)["UploadId"]
        )
        self.parts: List[Dict[str, Any]] = []
        self.waiting: List[bytes] = []
        self.size = 0

    def _does(self, what: str, method: str, **wish: Any) -> Any:
        try:
            return getattr(self.client, method)(**wish)
        except Exception as error:
            answer = getattr(error, "response", None) or {}
            code = answer.get("Error", {}).get("Code") or type(error).__name__
            raise Problem("S3 does not let this {} the object ({} in {})".format(what, code, method))

    def write(self, data: bytes) -> int:
        self.waiting.append(data)
        self.size += len(data)
        # 10,000 parts at most: later ones are larger
        if self.size >= PART_BYTES * (1 + len(self.parts) // 1000):
            self._send()
        return len(data)

    def flush(self) -> None:
        pass

    def _send(self) -> None:
        number = len(self.parts) + 1
        answer = self._does("write", "upload_part", PartNumber=number, Body=b"".join(self.waiting), **self.upload)
        self.parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self.waiting, self.size = [], 0

    def finish(self) -> None:
        if self.waiting:
            self._send()
        self._does("finish", "complete_multipart_upload", MultipartUpload={"Parts": self.parts}, **self.upload)

    def abort(self) -> None:
        self._does("give up", "abort_multipart_upload", **self.upload)


class GcsObject:
    """One object of Google Cloud Storage, sent while it is made. It appears when it is finished."""

    def __init__(self, bucket: str, key: str) -> None:
        try:
            from google.cloud import storage
        except ImportError:
            raise Problem(
                "--out gs://… needs google-cloud-storage in this Python (it comes with apache-airflow-providers-google); "
                "name a file instead and copy it"
            )
        self.name = "gs://{}/{}".format(bucket, key)
        try:
            self.blob: Any = storage.Client().bucket(bucket).blob(key)
            is_there = self.blob.exists()
        except Exception as error:
            raise self._problem("look for", error)
        if is_there:
            raise Problem("{} is there already".format(self.name))
        if not hasattr(self.blob, "open"):
            raise Problem("google-cloud-storage is older than 1.38 here; name a file instead and copy it")
        self.stream: Any = self.blob.open("wb", chunk_size=PART_BYTES)

    def _problem(self, what: str, error: Exception) -> Problem:
        code = getattr(error, "code", "") or ""
        return Problem(
            "Google Cloud Storage does not let this {} the object ({} {})".format(what, type(error).__name__, code)
        )

    def write(self, data: bytes) -> int:
        try:
            self.stream.write(data)
        except Exception as error:
            raise self._problem("write", error)
        return len(data)

    def flush(self) -> None:
        pass

    def finish(self) -> None:
        try:
            self.stream.close()
        except Exception as error:
            raise self._problem("finish", error)

    def abort(self) -> None:
        """Leave nothing whole: where the library cannot stop an upload, what it finishes is taken away."""
        try:
            if hasattr(self.stream, "terminate"):
                self.stream.terminate()
                return
            self.stream.close()
            self.blob.delete()
        except Exception as error:
            tell("what was begun may be left: {}".format(self._problem("give up", error)))


def into_bucket(out: str, include: str, requirements: str, public_key: str) -> None:
    scheme, _, rest = out.partition("://")
    bucket, _, key = rest.partition("/")
    kinds: Dict[str, Any] = {"s3": S3Object, "gs": GcsObject}
    if scheme not in kinds or not bucket or not key:
        raise Problem("--out takes a file, s3://bucket/key or gs://bucket/key, not {}".format(out))
    found = kinds[scheme](bucket, key)
    try:
        export(out, found, include, requirements, public_key, False)
    except BaseException:
        found.abort()
        raise
    found.finish()


# --- the whole ----------------------------------------------------------------------------------------------------------


def export(out: str, stream: BinaryIO, include: str, requirements: str, public_key: str, done_before: bool) -> None:
    """Write the archive to the stream, or go on with it."""
    from airflow.configuration import conf
    from airflow.version import version

    url = os.environ.get("AERODROME_EXPORT_DATABASE_URL") or option(
        conf, ("database", "sql_alchemy_conn"), ("core", "sql_alchemy_conn")
    )
    if url.startswith("airflow-db-not-allowed"):
        raise Problem(
            "tasks of Airflow 3 may not reach the metadata database: run the script with `exec` beside the scheduler, "
            "or give AERODROME_EXPORT_DATABASE_URL"
        )
    database = Database(url)
    home = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
    folders = {
        "dags": option(conf, ("core", "dags_folder")),
        "plugins": option(conf, ("core", "plugins_folder")),
        "include": include,
        "requirements": requirements or os.path.join(home, "requirements.txt"),
    }
    folders = {part: path for part, path in folders.items() if path and os.path.exists(path)}
    archive = Archive(stream, public_key)
    done = Done()
    source = {"airflow_version": version, "place": database.place}
    if done_before:
        done = look_back(stream, archive)
        if any(done.sitting.get(name) != value for name, value in source.items()):
            raise Problem("{} was begun from another source; remove it, or name another --out".format(out))
        if done.sitting.get("key_id") != key_id(public_key):
            raise Problem("{} was begun for another key; remove it, or name another --out".format(out))
        tell("going on with {}, {} frames are there".format(out, archive.number))
    else:
        stream.write(MAGIC)
    archive.start(source)
    skipped: List[str] = []
    counts: Dict[str, int] = {}
    if not done.has_environment:
        content = json.dumps(environment(database, conf, version, folders)).encode()
        archive.sealed("environment", "environment", content)
    if "files" not in done.finished:
        counts["files"] = write_files(archive, folders, done, skipped)
        tell("files: {}".format(counts["files"]))
    for table in TABLES + ONLY_SHAPE:
        if table in done.finished or table not in database.tables:
            continue
        started = time.time()
        counts[table] = write_table(archive, database, table, done, is_empty=table in ONLY_SHAPE)
        tell("{}: {} rows in {:.1f} s".format(table, counts[table], time.time() - started))
    rows = {name: done.rows.get(name, 0) + counts.get(name, 0) for name in set(done.rows) | set(counts)}
    archive.plain("end", "end", dict(source, rows=rows, skipped_files=skipped, ended_at=now()))
    tell("done: {} frames, digest {}".format(archive.number, archive.chain))


def run(out: str, include: str = "", requirements: str = "", public_key: str = PUBLIC_KEY) -> None:
    """Export into a file, through `out`.part; the name appears when the archive is whole. Or into a bucket."""
    if "://" in out:
        into_bucket(out, include, requirements, public_key)
        return
    if os.path.exists(out):
        raise Problem("{} is there already".format(out))
    part = out + ".part"
    is_begun = os.path.exists(part) and os.path.getsize(part) > len(MAGIC)
    handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as stream:
        if not is_begun:
            stream.truncate(0)
        export(out, stream, include, requirements, public_key, is_begun)
        os.fsync(stream.fileno())
    os.rename(part, out)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Write this Airflow into one sealed archive. Only reads.")
    parser.add_argument("--out", required=True, help="the archive: a file, s3://…, gs://…, or - for standard output")
    parser.add_argument("--include", default="", help="a further folder of code")
    parser.add_argument("--requirements", default="", help="the requirements.txt; default: the one in AIRFLOW_HOME")
    wish = parser.parse_args(arguments)
    result = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Airflow prints must not end up in the archive
    try:
        if wish.out == "-":
            export("-", result, wish.include, wish.requirements, PUBLIC_KEY, False)
            result.close()
        else:
            run(wish.out, wish.include, wish.requirements)
    except Problem as problem:
        tell(str(problem))
        return 1
    return 0


def as_dag() -> Any:
    """Give the DAG that does the same, for an Airflow to which nobody has a shell.

    In Airflow 3 its task needs AERODROME_EXPORT_DATABASE_URL, since tasks may not use Airflow's own.
    """
    from airflow import DAG

    def task(**context: Any) -> None:
        conf = (context["dag_run"].conf if context.get("dag_run") else None) or {}
        run(
            conf.get("out") or os.environ["AERODROME_EXPORT_OUT"], conf.get("include", ""), conf.get("requirements", "")
        )

    more: Dict[str, Any] = {}
    try:
        from airflow.providers.standard.operators.python import PythonOperator
    except ImportError:
        try:
            from airflow.operators.python import PythonOperator
        except ImportError:
            from airflow.operators.python_operator import PythonOperator

            more = {"provide_context": True}
    wish: Dict[str, Any] = {"start_date": datetime(2020, 1, 1), "catchup": False}
    try:
        found = DAG(DAG_ID, schedule=None, **wish)
    except Exception:  # before Airflow 2.4
        found = DAG(DAG_ID, schedule_interval=None, **wish)
    PythonOperator(task_id="export", python_callable=task, dag=found, **more)
    return found


if __name__ == "__main__":
    sys.exit(main())
elif not PUBLIC_KEY.startswith("@"):
    dag = as_dag()
