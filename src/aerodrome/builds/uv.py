"""Runs uv and turns its failures into sentences for people.

Called by this room only. Texts of uv are shortened and freed of URL credentials before they leave.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import uv

from aerodrome.kernel.errors import AerodromeError, Broken, Invalid, Unavailable

_CREDENTIALS = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://)[^\s/@]+@")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NO_SPACE = ("No space left on device", "os error 28", "Disk quota exceeded")
_NO_NETWORK = (
    "dns error",
    "error sending request",
    "Could not connect",
    "client error (Connect)",
    "tcp connect error",
    "Network is unreachable",
    "Network connectivity is disabled",
    "network was disabled",
    "operation timed out",
    "Request failed after",
)
_UNSOLVABLE = ("No solution found", "unsatisfiable", "Because ", "Couldn't parse requirement", "Failed to parse")
_UNBUILT = re.compile(r"Failed to build `(?P<name>[\w.-]+)(?P<version>==[\w.+!-]+)?")
_TOOLS = "build-essential"
_NEEDED = {
    "confluent-kafka": "librdkafka-dev", "gssapi": "libkrb5-dev", "kerberos": "libkrb5-dev",
    "mysqlclient": "default-libmysqlclient-dev pkg-config", "psycopg2": "libpq-dev", "psycopg2-binary": "libpq-dev",
    "pycurl": "libcurl4-openssl-dev libssl-dev", "pykerberos": "libkrb5-dev", "pymssql": "freetds-dev", "pyodbc": "unixodbc-dev",
    "python-ldap": "libldap2-dev libsasl2-dev", "sasl": "libsasl2-dev", "xmlsec": "libxmlsec1-dev pkg-config",
}  # fmt: skip
"""What packages that the index has no wheel of need to be built: packages of Debian 12, as their own documentation names them."""
_MAX_LINES = 12
_MAX_CHARS = 1600


def run_uv(arguments: Sequence[str], *, timeout_s: float = 1800, cwd: Path | None = None) -> str:
    """Run uv and give what it printed to stdout.

    Invalid (requirements-unresolvable, package-build-failed), Unavailable (disk-full, packages-unreachable) or Broken (uv-failed).
    """
    environment = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    environment |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"Installing packages took longer than {timeout_s:.0f} seconds and was given up.",
            code="packages-unreachable",
            hint="Check the connection to your package index and try again.",
            retry_after_s=60,
        ) from error
    except OSError as error:
        raise Broken(
            f"uv could not be started: {error.strerror}.",
            code="uv-missing",
            hint="Reinstall Aerodrome; uv comes with it.",
        ) from error
    if done.returncode:
        raise _explain(done.stderr or done.stdout)
    return done.stdout


def _explain(text: str) -> AerodromeError:
    shown = shorten(text)
    details = {"output": shown}
    if any(sign in text for sign in _NO_SPACE):
        return Unavailable(
            "There is no disk space left to install packages.",
            code="disk-full",
            hint="Free some space (a deployment's packages need about 500 MB) and try again.",
            details=details,
            retry_after_s=60,
        )
    if any(sign in text for sign in _NO_NETWORK):
        return Unavailable(
            "The package index does not answer.",
            code="packages-unreachable",
            hint="Check the network, proxy and package index settings (UV_INDEX_URL) and try again.",
            details=details,
            retry_after_s=60,
        )
    if any(sign in text for sign in _UNSOLVABLE):
        return Invalid(
            f"These requirements cannot be installed together: {shown}",
            code="requirements-unresolvable",
            hint="Change requirements.txt so that it agrees with the packages of the chosen Airflow version.",
            details=details,
        )
    if unbuilt := _UNBUILT.search(text):
        name, version = unbuilt["name"].lower(), unbuilt["version"] or ""
        return Invalid(
            f"{name}{version} has no ready-made package for this machine, and building it failed:\n{shown}",
            code="package-build-failed",
            hint=f"Install what it is built with where deployments run (on Debian: {_TOOLS} {_NEEDED[name]}), or take a release with a ready-made package."
            if name in _NEEDED
            else "Take a release with a ready-made package for this version of Python, or install a compiler and the libraries that it names.",
            details=details | {"package": name},
        )
    return Broken(
        f"uv failed: {shown}",
        code="uv-failed",
        hint="Read the text above; the same command with the same input will fail again.",
        details=details,
    )


def shorten(text: str) -> str:
    """Give the telling part of uv's output: no colours, no credentials, at most 12 lines."""
    lines = [line.rstrip() for line in _ANSI.sub("", text).splitlines() if line.strip()]
    shown = "\n".join(_CREDENTIALS.sub(r"\g<head>", line) for line in lines[-_MAX_LINES:])
    return shown if len(shown) <= _MAX_CHARS else f"{shown[:_MAX_CHARS]}…"
