"""Reads what people type on the command line: NAME=VALUE pairs, and values that must not stand there."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret


def pairs(words: Iterable[str], *, option: str) -> dict[str, str]:
    """Read `NAME=VALUE` words; the value may hold further `=`."""
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise Invalid(f"{option} wants NAME=VALUE.", code="pair-malformed", hint=f"For example: {option} REGION=eu")
        found[name] = value
    return found


def secret_from(*, env: str | None = None, file: Path | None = None, prompt: str) -> Secret:
    """Read a secret from an environment variable, a file, a prompt, or a pipe; never from the command line."""
    if env is not None:
        if env not in os.environ:
            raise Invalid(
                f"The environment variable {env} is not set.",
                code="secret-env-missing",
                hint=f"Set it: read -rs {env} && export {env}",
            )
        return Secret(os.environ[env])
    if file is not None:
        try:
            return Secret(file.read_text(encoding="utf-8").strip("\r\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(
                f"The file {file} cannot be read as text.", code="secret-file-unreadable", hint="Check the path."
            ) from error
    if sys.stdin.isatty():
        return Secret(getpass.getpass(f"{prompt}: "))
    text = sys.stdin.readline().strip("\r\n")
    if not text:
        raise Invalid(f"{prompt} is missing.", code="secret-missing", hint="Give it on standard input.")
    return Secret(text)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before an act that cannot be undone; Invalid when nobody can be asked and --yes is not given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid(f"{question} Nobody is there to answer.", code="not-confirmed", hint="Add --yes to go ahead.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Invalid("Nothing was changed.", code="not-confirmed", hint="Answer y, or add --yes.")
