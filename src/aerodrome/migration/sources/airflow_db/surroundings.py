"""What stands around the database: environment, airflow.cfg, requirements and the code folders."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aerodrome.kernel.digest import digest_of_file
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import ConfigRecord, EnvVarRecord, FileRecord, PackageRecord
from aerodrome.migration.sources.airflow_db.objects import is_sensitive
from aerodrome.migration.sources.code_reading import walk
from aerodrome.migration.sources.contract import ConnectionValue, SourceConfig, VariableValue

CONN_PREFIX = "AIRFLOW_CONN_"
VAR_PREFIX = "AIRFLOW_VAR_"
SECRET_OPTIONS = re.compile(r"(?i)(sql_alchemy_conn|result_backend|broker_url|_url$|_conn$|_cmd$|secret|sentry_dsn)")
_MASKED = Redactor()


def read_env(path: Path | None) -> dict[str, Secret]:
    """Read NAME=value lines (`export` and quotes allowed, `#` starts a comment line); the last of a name wins."""
    if path is None:
        return {}
    found: dict[str, Secret] = {}
    for number, line in enumerate(_text(path, "environment file").splitlines(), 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_]\w*", name.strip()):
            raise Invalid(
                f"Line {number} of {path} is not NAME=value.",
                code="env-file-malformed",
                hint="Write one NAME=value per line, as `env` prints it.",
                details={"file": str(path), "line": number},
            )
        found[name.strip()] = Secret(_unquoted(value.strip()))
    return dict(sorted(found.items()))


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        try:
            return shlex.split(value)[0] if value[1:-1] else ""
        except ValueError:
            return value[1:-1]
    return value


def env_records(env: dict[str, Secret], key: bytes) -> Iterator[EnvVarRecord]:
    """Give one record per variable."""
    for name, value in env.items():
        purpose = "user"
        if name.startswith(CONN_PREFIX):
            purpose = "airflow-connection"
        elif name.startswith(VAR_PREFIX):
            purpose = "airflow-variable"
        elif name.startswith("AIRFLOW__"):
            purpose = "airflow-config"
        is_secret = purpose == "airflow-connection" or is_sensitive(name) or bool(SECRET_OPTIONS.search(name))
        is_secret = is_secret or _MASKED.text(value.reveal()) != value.reveal()
        yield EnvVarRecord(name, is_secret, value.fingerprint(key), purpose)


def env_connections(env: dict[str, Secret]) -> Iterator[ConnectionValue]:
    """Give the connections that AIRFLOW_CONN_… variables define."""
    for name, value in env.items():
        if name.startswith(CONN_PREFIX) and len(name) > len(CONN_PREFIX):
            yield connection_from_text(name.removeprefix(CONN_PREFIX).lower(), value)


def env_variables(env: dict[str, Secret]) -> Iterator[VariableValue]:
    """Give the variables that AIRFLOW_VAR_… variables define."""
    for name, value in env.items():
        if name.startswith(VAR_PREFIX) and len(name) > len(VAR_PREFIX):
            yield VariableValue(name.removeprefix(VAR_PREFIX).lower(), value, None)


def connection_from_text(conn_id: str, value: Secret) -> ConnectionValue:
    """Read a connection's JSON or URI form as Airflow does (models/connection.py, 2.11.2)."""
    text = value.reveal().strip()
    try:
        return _from_json(conn_id, json.loads(text)) if text.startswith("{") else _from_uri(conn_id, text)
    except (ValueError, TypeError, AttributeError):
        raise Invalid(
            f"{CONN_PREFIX}{conn_id.upper()} is neither a connection URI nor its JSON form.",
            code="connection-malformed",
            hint="Check it with `airflow connections get` in the source.",
        ) from None


def _from_json(conn_id: str, data: dict[str, Any]) -> ConnectionValue:
    extra = data.get("extra")
    text = extra if isinstance(extra, str) else json.dumps(extra) if extra else ""
    port = data.get("port")
    return ConnectionValue(
        conn_id=conn_id,
        conn_type=_conn_type(str(data.get("conn_type") or "")) or None,
        host=data.get("host"),
        port=int(port) if port not in (None, "") else None,
        schema=data.get("schema"),
        login=data.get("login"),
        description=data.get("description"),
        password=Secret(str(data["password"])) if data.get("password") else None,
        extra=Secret(text) if text else None,
    )


def _from_uri(conn_id: str, uri: str) -> ConnectionValue:
    schemes = uri.count("://")
    if schemes > 2 or schemes == 0:
        raise ValueError
    scheme = urlsplit(uri).scheme
    rest = uri.replace(f"{scheme}://", "" if schemes == 2 else "//")
    parts = urlsplit(rest)
    host = unquote(parts.hostname or "")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra = query.get("__extra__") or (json.dumps(query) if query else "")
    return ConnectionValue(
        conn_id=conn_id,
        conn_type=_conn_type(scheme) or None,
        host=(f"{parts.scheme}://{host}" if schemes == 2 and host else host) or None,
        port=parts.port,
        schema=unquote(parts.path[1:]) or None,
        login=unquote(parts.username) if parts.username else None,
        description=None,
        password=Secret(unquote(parts.password)) if parts.password else None,
        extra=Secret(extra) if extra else None,
    )


def _conn_type(text: str) -> str:
    return "postgres" if text == "postgresql" else text.replace("-", "_")


def config_records(config_file: Path | None, env: dict[str, Secret]) -> Iterator[ConfigRecord]:
    """Give the options of airflow.cfg and of AIRFLOW__SECTION__OPTION variables, which win; secret ones lose the value."""
    for option, (value, origin) in sorted(_options(config_file, env).items()):
        is_secret = is_sensitive(option) or bool(SECRET_OPTIONS.search(option)) or _MASKED.text(value) != value
        yield ConfigRecord(option, None if is_secret else value, is_secret, origin)


def fernet_keys(config_file: Path | None, env: dict[str, Secret]) -> Secret:
    """Give `[core] fernet_key` as the files of the source have it; empty when they have none."""
    return Secret(_options(config_file, env).get("core.fernet_key", ("", ""))[0])


def _options(config_file: Path | None, env: dict[str, Secret]) -> dict[str, tuple[str, str]]:
    """Give (value, origin) of "section.option"."""
    found: dict[str, tuple[str, str]] = {}
    if config_file is not None:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(_text(config_file, "configuration file"))
        except configparser.Error:
            raise Invalid(
                f"{config_file} is not an airflow.cfg.", code="config-malformed", hint="Check the path."
            ) from None
        for section in parser.sections():
            for option, value in parser.items(section):
                if value != "":
                    found[f"{section}.{option}".lower()] = (value, "file")
    for name, secret in env.items():
        parts = name.split("__", 2)
        if len(parts) == 3 and parts[0] == "AIRFLOW":
            found[f"{parts[1]}.{parts[2]}".lower()] = (secret.reveal(), "environment")
    return found


def package_records(requirements: Path | None) -> Iterator[PackageRecord]:
    """Give the requirement lines, `-r` files followed; a name is given once."""
    seen: set[str] = set()
    for line in _requirement_lines(requirements, set()):
        match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)", line)
        if not match:
            continue
        name = re.sub(r"[-_.]+", "-", match[1]).lower()
        if name not in seen:
            seen.add(name)
            version = match[2].split(";")[0].split(" --")[0].strip()
            yield PackageRecord(name, _MASKED.text(version) or None, "requirements")


def _requirement_lines(path: Path | None, seen: set[Path]) -> Iterator[str]:
    if path is None or path.resolve() in seen:
        return
    seen.add(path.resolve())
    for raw in _text(path, "requirements file").splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        nested = re.match(r"(?:-r|--requirement)[ =]+(\S+)", line)
        if nested:
            inner = path.parent / nested[1]
            yield from _requirement_lines(inner if inner.is_file() else None, seen)
        elif line and not line.startswith(("-", "/", ".")):
            yield line


def file_records(config: SourceConfig) -> Iterator[FileRecord]:
    """Give every file of the code folders, in order of its path; links to elsewhere are followed, as Airflow does."""
    parts = (("dags", config.dags_folder), ("plugins", config.plugins_folder), ("include", config.include_folder))
    for part, folder in parts:
        if folder is None:
            continue
        if not folder.is_dir():
            raise Invalid(
                f"The {part} folder {folder} does not exist.",
                code="source-folder-missing",
                hint="Give the path of a copy of the source's folder on this machine.",
            )
        for path in walk(folder):
            yield FileRecord(path.relative_to(folder).as_posix(), part, path.stat().st_size, digest_of_file(path))
    if config.requirements_file is not None and config.requirements_file.is_file():
        path = config.requirements_file
        yield FileRecord(path.name, "requirements", path.stat().st_size, digest_of_file(path))


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Invalid(
            f"The {what} {path} cannot be read.", code="source-file-missing", hint="Check the path and its rights."
        ) from error
