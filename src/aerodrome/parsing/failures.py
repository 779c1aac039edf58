"""Reads Airflow's tracebacks: what kind of failure, at which line, and what to do about it. Pure."""

from __future__ import annotations

import re
from pathlib import Path

from aerodrome.parsing.contract import FailureKind, ImportFailure

_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_VARIABLES = (
    re.compile(r"Variable ([^\s'\"]+) does not exist"),
    re.compile(r"VARIABLE_NOT_FOUND:.*?Variable(?: with key)? '?([^\s'\"]+)'? (?:is )?not found", re.DOTALL),
    re.compile(r"Variable '?([^\s'\"]+)'? (?:is )?not found"),
)
_CONNECTIONS = (
    re.compile(r"[Tt]he conn_id [`'\"]([^`'\"]+)[`'\"] isn'?t defined"),
    re.compile(r"Connection(?: with conn_id| with ID)? [`'\"]?([\w.:-]+)[`'\"]? (?:is )?not found"),
)
_DUPLICATE = re.compile(r"Ignoring DAG (\S+) from|DAG(?:s)? with (?:the )?(?:same )?dag_id '?([^\s']+)")
_ENVIRON = re.compile(r'File "(?:[^"]*\bos\.py|<frozen os>)", line \d+, in __getitem__')
_DETAIL_LINES = 40
# top-level module -> what to add to requirements.txt, where the names differ
_PACKAGES = {
    "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "git": "GitPython", "jwt": "PyJWT", "kafka": "kafka-python", "ldap": "python-ldap", "magic": "python-magic",
    "mysql": "mysql-connector-python", "MySQLdb": "mysqlclient", "OpenSSL": "pyOpenSSL", "PIL": "pillow",
    "psycopg2": "psycopg2-binary", "serial": "pyserial", "skimage": "scikit-image", "sklearn": "scikit-learn",
    "slack": "slackclient", "snowflake": "snowflake-connector-python", "telegram": "python-telegram-bot",
    "usb": "pyusb", "yaml": "PyYAML", "zmq": "pyzmq", "Crypto": "pycryptodome", "pymssql": "pymssql",
    "confluent_kafka": "confluent-kafka", "databricks": "databricks-sql-connector", "pkg_resources": "setuptools<81",
}  # fmt: skip
_TWO_WORD_PROVIDERS = {"apache", "microsoft", "dbt", "common"}
CRASHES: dict[str, tuple[FailureKind, str]] = {
    "timeout": ("timeout", "The file takes too long to read."),
    "timeout-all": ("timeout", "There was no time left to read the file: others took too long."),
    "too-big": ("crashed", "The DAGs of the file are too big to be stored."),
}


def from_traceback(file: str, text: str, project: Path) -> ImportFailure:
    """Tell what a traceback of a file means."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    last = _last_words(lines)
    line = _line(file, text, project)
    kind, name, message, hint = _kind(last, text)
    detail = "\n".join(lines[-_DETAIL_LINES:]).replace(f"{project}/", "")
    return ImportFailure(file, line, kind, message, name, hint, detail)


def from_crash(file: str, crash: str, file_s: float) -> ImportFailure:
    """Tell how a file ended its process, or why it was ended."""
    if crash == "timeout":
        hint = f"Every file is read within {file_s:g} s. Move work from the top of the file into tasks."
        return ImportFailure(file, None, "timeout", "The file takes too long to read.", hint=hint)
    if crash in CRASHES:
        kind, message = CRASHES[crash]
        return ImportFailure(file, None, kind, message, hint="Split the file, or move work from its top into tasks.")
    kind_of_end, _, number = crash.partition(" ")
    message = f"The file ended its process while it was read ({crash})."
    if kind_of_end == "signal" and number == "9":
        message = "The process was killed while it read the file; perhaps the machine has no memory left."
    hint = "Look for os._exit, for crashes of native libraries, and for work at the top of the file."
    return ImportFailure(
        file, None, "crashed", message, hint=hint, detail="" if kind_of_end in ("exit", "signal") else crash
    )


def package_of(module: str) -> str:
    """Give the package that brings a module, as far as it is known; else the module's own name."""
    parts = module.split(".")
    if parts[:2] == ["airflow", "providers"] and len(parts) > 2:
        count = 2 if parts[2] in _TWO_WORD_PROVIDERS and len(parts) > 3 else 1
        return "-".join(["apache-airflow-providers", *parts[2 : 2 + count]]).replace("_", "-")
    return _PACKAGES.get(parts[0], parts[0].replace("_", "-"))


def _last_words(lines: list[str]) -> str:
    """Give the exception's own line: the last one that is not indented, with what follows it."""
    for index in range(len(lines) - 1, -1, -1):
        if re.match(r"[\w.]+(Error|Exception|Exit|Interrupt|Timeout|NotFound|Warning|Group)?(:|$)", lines[index]):
            return " ".join(part.strip() for part in lines[index:])[:1000]
    return lines[-1].strip() if lines else "No reason was given."


def _line(file: str, text: str, project: Path) -> int | None:
    frames = [(path, int(number)) for path, number in _FRAME.findall(text)]
    own = [number for path, number in frames if path in (str(project / file), file)]
    return own[-1] if own else None


def _kind(last: str, text: str) -> tuple[FailureKind, str, str, str]:
    error = last.partition(":")[0].rpartition(".")[2]
    if error in ("SyntaxError", "IndentationError", "TabError"):
        return "syntax-error", "", f"The file is not valid Python: {last.partition(':')[2].strip()}", "Mend the line."
    if error in ("AirflowTaskTimeout", "DagBagTimeout"):
        return "timeout", "", "The file takes too long to read.", "Move work from the top of the file into tasks."
    if error == "MemoryError":
        return "crashed", "", "The file takes more memory than a file may.", "Load data within tasks."
    if match := _MODULE.search(last if error in ("ModuleNotFoundError", "ImportError") else ""):
        return "missing-module", match[1], f"There is no module {match[1]}.", _module_hint(match[1])
    for pattern in _VARIABLES:
        if match := pattern.search(last):
            hint = "Make it (`aerodrome env set … --kind variable`), give Variable.get a default, or read it within a task."
            return "missing-variable", match[1], f"The file reads the variable {match[1]}, which does not exist.", hint
    for pattern in _CONNECTIONS:
        if match := pattern.search(last):
            hint = "Make the connection, or open it within a task instead of at the top of the file."
            return (
                "missing-connection",
                match[1],
                f"The file opens the connection {match[1]}, which does not exist.",
                hint,
            )
    if error == "AirflowDagDuplicatedIdException" or "Ignoring DAG" in last:
        match = _DUPLICATE.search(text)
        name = (match[1] or match[2]) if match else ""
        return "duplicate-dag", name, f"The dag_id {name} is defined twice.", "Give one of them another dag_id."
    if error == "KeyError" and _ENVIRON.search(text):
        name = last.partition(":")[2].strip(" '\"")
        hint = f"Set it (`aerodrome env set {name}=… --deployment …`), or read it with os.environ.get and a default."
        return "missing-env", name, f"The file reads the environment variable {name}, which is not set.", hint
    return "import-error", "", last, ""


def _module_hint(module: str) -> str:
    parts = module.split(".")
    if parts[0] == "airflow" and (len(parts) < 2 or parts[1] != "providers"):
        return "This Airflow version has no such module: `aerodrome upgrade` mends imports."
    return f"Add {package_of(module)} to requirements.txt, or put the module into include/ or plugins/."
