"""Reads where a folder comes from, and fetches one commit of a repository; with the git binary.

Called by the command line (`describe`) and by fleet (`fetch`). Credentials travel by environment and by a private file, never
by argv or URL; git asks nobody, runs no hooks, knows no configuration of this machine's people, and gets a limited time.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.kernel.secret import Secret

PROTOCOLS = ("https", "ssh", "file")
_DESCRIBE_S = 10
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/@+-]{0,199}")
_SCP = re.compile(r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9.-]+:(?!//)[^\s]+")
_CREDENTIALS = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://)[^\s/@]+@")
_BRANCH = re.compile(r"^([0-9a-f]{40,64})\t[^\t]*\t(?:(branch|tag) '([^']+)')?")
_KEEP = (
    "PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",  # a certificate authority of the house
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "LANG",
)
_NOT_FOUND = ("couldn't find remote ref", "not our ref", "unadvertised object")
_DENIED = (
    "Authentication failed",
    "could not read Username",
    "Permission denied",
    "Repository not found",
    "returned error: 40",
)


@dataclass(frozen=True)
class GitSource:
    """What to fetch: a repository, a branch, tag or commit (None: its default branch), and the project's folder in it."""

    url: str
    ref: str | None = None
    folder: str = ""
    credentials: str | None = None  # name of the secret that holds them, never the secret


@dataclass(frozen=True)
class GitLogin:
    """Credentials as they were found: a token or password for https, or a private key for ssh."""

    user: str
    secret: Secret


def describe(folder: Path) -> dict[str, Any] | None:
    """Give remote, branch, commit, author, message and is_dirty of the work tree around a folder.

    None when there is none, when git is missing or when it says anything unexpected: it never stands in a deploy's way.
    """
    try:
        head = _ask(folder, "log", "-1", "--format=%H%n%an <%ae>%n%s")
        commit, author, message = [*head.splitlines(), "", ""][:3]
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            return None
        branch = _ask(folder, "rev-parse", "--abbrev-ref", "HEAD").strip()
        changed = _ask(folder, "status", "--porcelain", "--", ".")
        with suppress(subprocess.CalledProcessError):
            remote = _ask(folder, "remote", "get-url", "origin").strip()
            return _facts(remote, branch, commit, author, message, is_dirty=bool(changed.strip()))
        return _facts(None, branch, commit, author, message, is_dirty=bool(changed.strip()))
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None


def clean_url(url: str) -> str:
    """Give the URL without user, password, query and fragment; `git@host:path` keeps its user, which is no secret."""
    if "://" not in url:
        user, at, rest = url.rpartition("@")
        return f"{user.partition(':')[0]}{at}{rest}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def check_source(source: GitSource, protocols: Sequence[str]) -> str:
    """Give the URL's protocol. Invalid for anything but a plain URL of an allowed one, an unsafe ref or folder."""
    try:
        scheme = _scheme(source.url)
    except ValueError:
        scheme = ""
    if not source.url.isprintable() or " " in source.url:
        scheme = ""
    if scheme not in PROTOCOLS or scheme not in protocols:
        raise Invalid(
            f"Repositories cannot be fetched with {scheme or 'an address of this kind'}.",
            code="git-protocol-refused",
            hint=f"This server allows {', '.join(protocols) or 'none'} (setting AERODROME_GIT_PROTOCOLS). "
            "A folder on your own machine is deployed with `aerodrome deploy PATH`.",
            details={"field": "url"},
        )
    if _holds_secret(scheme, source.url):
        raise Invalid(
            "The URL holds a user, a password or a query.",
            code="git-url-holds-secret",
            hint="Take it out, keep it as a secret in the environment manager, and name that with --credentials.",
            details={"field": "url"},
        )
    if source.ref is not None and (not _REF.fullmatch(source.ref) or ".." in source.ref):
        raise Invalid(
            f"{source.ref[:80]!r} is no branch, tag or commit.",
            code="git-ref-invalid",
            hint="Give a branch, a tag or a full commit id.",
            details={"field": "ref"},
        )
    parts = Path(source.folder).parts
    if Path(source.folder).is_absolute() or ".." in parts or ".git" in parts or not source.folder.isprintable():
        raise Invalid(
            f"{source.folder[:80]!r} is no folder inside of the repository.",
            code="git-folder-invalid",
            hint="Give it relative to the top of the repository, for example platform/airflow.",
            details={"field": "folder"},
        )
    return scheme


def _holds_secret(scheme: str, url: str) -> bool:
    if "://" not in url:
        return False  # git@host:path, whose form allows no password
    parts = urlsplit(url)
    has_user = "@" in parts.netloc and scheme != "ssh"
    return has_user or parts.password is not None or bool(parts.query or parts.fragment)


def fetch(
    source: GitSource,
    target: Path,
    *,
    protocols: Sequence[str],
    login: GitLogin | None,
    timeout_s: float,
    say: Callable[[str], None],
    known_hosts: Path | None = None,
) -> dict[str, Any]:
    """Check one commit out into the empty folder `target`, without history; give what `describe` gives.

    `known_hosts` remembers the keys of ssh hosts: the first one that is seen counts, another one later is refused.
    Unavailable (git-unreachable, git-timeout) may be tried again; Invalid (git-ref-unknown, git-denied, git-host-changed,
    git-folder-unknown).
    """
    scheme = check_source(source, protocols)
    with tempfile.TemporaryDirectory(prefix="aerodrome-git-") as home:
        git = _Git(target, _environment(Path(home), scheme, source.url, login, known_hosts), timeout_s)
        git.run("init", "--quiet", "--template=", ".")
        say(f"Fetching {source.ref or 'the default branch'} of {clean_url(source.url)}")
        ref = source.ref or git.default_branch(source.url)
        git.run("fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules", "--", source.url, ref)
        git.run("-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", "FETCH_HEAD")
        head = git.run("log", "-1", "--format=%H%n%an <%ae>%n%s")
    commit, author, message = [*head.splitlines(), "", ""][:3]
    found = _BRANCH.match((target / ".git/FETCH_HEAD").read_text())
    branch = (found and found.group(3)) or ref
    say(f"Commit {commit[:12]} of {author}: {message}")
    if (target / ".gitmodules").exists():
        say("The repository has submodules; they are not fetched.")
    if not (target / source.folder).resolve().is_relative_to(target.resolve()) or not (target / source.folder).is_dir():
        raise Invalid(
            f"The repository has no folder {source.folder!r} at {commit[:12]}.",
            code="git-folder-unknown",
            hint="Give --folder relative to the top of the repository.",
        )
    return _facts(source.url, branch, commit, author, message, is_dirty=False)


@dataclass(frozen=True)
class _Git:
    folder: Path
    environment: Mapping[str, str]
    timeout_s: float

    def default_branch(self, url: str) -> str:
        answer = self.run("ls-remote", "--symref", "--", url, "HEAD")
        found = re.match(r"ref: refs/heads/(\S+)\tHEAD", answer)
        return found.group(1) if found else "HEAD"

    def run(self, *words: str) -> str:
        process = subprocess.Popen(
            ["git", *words],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Unavailable(
                f"git did not finish within {self.timeout_s:.0f} seconds.",
                code="git-timeout",
                hint="Try again; a large repository may need a higher AERODROME_GIT_TIMEOUT_S.",
                retry_after_s=60,
            ) from None
        if process.returncode:
            raise _failure(errors)
        return output


def _failure(errors: str) -> Invalid | Unavailable:
    lines = [_CREDENTIALS.sub(r"\g<head>", line.strip()) for line in errors.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")[:300]
    if any(mark in errors for mark in _NOT_FOUND):
        return Invalid(
            f"The repository does not have this branch, tag or commit: {said}",
            code="git-ref-unknown",
            hint="Check --ref; a commit must be given with its full id.",
        )
    if "Host key verification failed" in errors:
        return Invalid(
            "The ssh host shows another key than the one that was seen before.",
            code="git-host-changed",
            hint="If that is right, remove its line from git_known_hosts in the platform's home folder.",
        )
    if any(mark in errors for mark in _DENIED):
        return Invalid(
            f"The repository did not let us in, or does not exist: {said}",
            code="git-denied",
            hint="Keep a token (https) or a private key (ssh) as a secret in the environment manager and name it with "
            "--credentials.",
        )
    return Unavailable(
        f"The repository could not be fetched: {said or 'git said nothing'}",
        code="git-unreachable",
        hint="Check the URL and that this machine reaches it.",
        retry_after_s=60,
    )


def _environment(home: Path, scheme: str, url: str, login: GitLogin | None, known_hosts: Path | None) -> dict[str, str]:
    values = {name: os.environ[name] for name in _KEEP if name in os.environ}
    known_hosts = known_hosts or home / "known_hosts"
    key = home / "key"
    if login is not None and scheme == "ssh":
        key.touch(0o600)
        key.write_text(login.secret.reveal().strip() + "\n")
    ssh = (
        f"ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o IdentityFile={key} "
        f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known_hosts} -o ConnectTimeout=15"
    )
    values |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": ssh,
        "LC_ALL": "C",
    }
    settings = {"safe.directory": "*"} if scheme == "file" else {}
    if login is not None and scheme == "https":
        parts = urlsplit(url)
        pair = base64.b64encode(f"{login.user}:{login.secret.reveal()}".encode()).decode()
        # only for this host, and a redirect elsewhere is not followed with it
        settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {pair}"
        settings["http.followRedirects"] = "false"
    values["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings.items()):
        values |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return values


def _scheme(url: str) -> str:
    if "://" in url:
        return urlsplit(url).scheme.lower()
    return "ssh" if _SCP.fullmatch(url) and not url.startswith(("-", "/", ".")) and "::" not in url else ""


def _ask(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=_DESCRIBE_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
    )
    return done.stdout


def _facts(
    remote: str | None, branch: str | None, commit: str, author: str, message: str, *, is_dirty: bool
) -> dict[str, Any]:
    return {
        "remote": clean_url(remote)[:500] if remote else None,
        "branch": None if branch in {None, "HEAD"} else branch,
        "commit": commit,
        "author": author[:200],
        "message": message[:500],
        "is_dirty": is_dirty,
    }
