"""Reads what a project says about its deployment: `aerodrome.yaml`, the settings files that it lists, packages.txt.

Called by bundles at upload. Every error names file, line and field. Nothing here may be a secret: values that look like one
are refused, because a bundle is kept for long and shown in diffs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

import yaml

from aerodrome.airflowkit.versions import SUPPORTED, AirflowVersion, require_supported
from aerodrome.builds.contract import ProjectSettings
from aerodrome.kernel.errors import Invalid

FILE = "aerodrome.yaml"
SYSTEM_PACKAGES = "packages.txt"
KEYS = ("airflow", "python", "description", "env", "env_files", "config")
NOT_INSTALLED = "The packages of packages.txt are noted, but not installed: the local runtime takes the machine's own."
_MAX_BYTES = 256 * 1024
_PYTHON = re.compile(r"3\.\d+")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_OPTION = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_ENV_FILE = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SECRET_NAME = re.compile(r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)$")
_SECRET_VALUE = re.compile(r"\w://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY")
Reader = Callable[[str], str | None]  # name of a file at the top of the project -> its text, None when it is not there


def read_settings(read: Reader) -> ProjectSettings:
    """Give what the project says; nothing at all when it has no such files. Invalid (project-file-…) otherwise."""
    packages = _lines(read(SYSTEM_PACKAGES))
    remarks = (NOT_INSTALLED,) if packages else ()
    text = read(FILE)
    if text is None:
        return ProjectSettings(system_packages=packages, remarks=remarks)
    top = _top(text)
    env: dict[str, str] = {}
    for name, line in _names_of(top.get("env_files")):
        env |= _env_file(name, read(name), line)
    env |= _pairs(top.get("env"), "env", _ENV, "NAME: value")
    airflow, python = _versions(top)
    return ProjectSettings(
        airflow=airflow,
        python=python,
        env=env,
        config=_pairs(top.get("config"), "config", _OPTION, "section.option: value"),
        description=_scalar(top["description"], "description")[:500] if "description" in top else "",
        system_packages=packages,
        remarks=remarks,
    )


def env_files(text: str | None) -> frozenset[str]:
    """Give the names of the settings files that a project file lists; none when it cannot be read."""
    try:
        return frozenset(name for name, _ in _names_of(_top(text).get("env_files"))) if text else frozenset()
    except Invalid:
        return frozenset()  # reading the settings says what is wrong


def _top(text: str) -> dict[str, yaml.Node]:
    if len(text) > _MAX_BYTES:
        raise _wrong(FILE, 1, "", f"is larger than {_MAX_BYTES >> 10} kB", "Keep settings only in it.")
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + 1
        raise _wrong(FILE, line, "", f"is no YAML: {error.problem}", "Mend that line.") from None
    except RecursionError:
        raise _wrong(FILE, 1, "", "is nested too deeply", "It holds names and values, nothing deeper.") from None
    except yaml.YAMLError:
        raise _wrong(FILE, 1, "", "is no YAML text", "Save it as UTF-8 without control characters.") from None
    fields = {} if node is None else dict(_entries(node, "", "fields, one per line, for example `airflow: 3.3.2`"))
    for name, (_, line) in fields.items():
        if name not in KEYS:
            close = get_close_matches(name, KEYS, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"It knows {', '.join(KEYS)}."
            raise _wrong(FILE, line, name, "there is no such field", hint)
    return {name: value for name, (value, _) in fields.items()}


def _entries(node: yaml.Node, field: str, shape: str) -> Mapping[str, tuple[yaml.Node, int]]:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(FILE, node.start_mark.line + 1, field, "must hold names and values", f"Write {shape}.")
    found: dict[str, tuple[yaml.Node, int]] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _wrong(FILE, line, field, "has a name that is no text", f"Write {shape}.")
        if key.value in found:
            raise _wrong(FILE, line, _below(field, key.value), "stands there twice", "Keep one of the two.")
        found[key.value] = (value, line)
    return found


def _pairs(node: yaml.Node | None, field: str, name_form: re.Pattern[str], shape: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, (value, line) in ({} if node is None else _entries(node, field, shape)).items():
        if not name_form.fullmatch(name):
            raise _wrong(FILE, line, _below(field, name), "cannot be a name here", f"Write {shape}.")
        pairs[name] = _scalar(value, _below(field, name))
        _refuse_secret(FILE, line, _below(field, name), name.replace(".", "_"), pairs[name])
    return pairs


def _names_of(node: yaml.Node | None) -> list[tuple[str, int]]:
    if node is None:
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(FILE, node.start_mark.line + 1, "env_files", "must be a list", "Write `env_files: [.env]`.")
    names: list[tuple[str, int]] = []
    for item in node.value:
        line, name = item.start_mark.line + 1, _scalar(item, "env_files")
        if not _ENV_FILE.fullmatch(name) or not is_env_file(name):
            raise _wrong(
                FILE,
                line,
                "env_files",
                f"{name[:80]!r} cannot be a settings file",
                "Name a file beside aerodrome.yaml that is called .env, .env.NAME or NAME.env.",
            )
        names.append((name, line))
    return names


def is_env_file(name: str) -> bool:
    """Tell whether a file of this name at the top of a project is a settings file."""
    return name == ".env" or name.startswith(".env.") or name.endswith(".env")


def _versions(top: Mapping[str, yaml.Node]) -> tuple[str | None, str | None]:
    airflow = _scalar(top["airflow"], "airflow").strip() if "airflow" in top else None
    python = _scalar(top["python"], "python").strip() if "python" in top else None
    if python is not None and not _PYTHON.fullmatch(python):
        line = top["python"].start_mark.line + 1
        raise _wrong(FILE, line, "python", f"{python!r} is no Python version", "Write it as 3.11.")
    if airflow is None:
        return None, python
    line = top["airflow"].start_mark.line + 1
    try:
        version = AirflowVersion.parse(airflow)
        if str(version) not in SUPPORTED or python is not None:
            require_supported(airflow, python or version.pythons[-1] if version.pythons else python or "3.11")
    except Invalid as error:
        raise _wrong(FILE, line, "airflow", error.message.rstrip("."), error.hint) from None
    return str(version), python


def _scalar(node: yaml.Node, field: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(FILE, node.start_mark.line + 1, field, "must be one value", "Write it as text on one line.")
    value = str(node.value)
    return "" if node.tag.endswith(":null") and value in {"~", "null", "Null", "NULL"} else value


def _env_file(name: str, text: str | None, listed_at: int) -> dict[str, str]:
    if text is None:
        raise _wrong(FILE, listed_at, "env_files", f"there is no file {name}", "Add it beside aerodrome.yaml.")
    found: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        key, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not _ENV.fullmatch(key):
            raise _wrong(name, number, "", "is no NAME=value", "Write one NAME=value per line.")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
        _refuse_secret(name, number, key, key, value)
        found[key] = value
    return found


def _refuse_secret(file: str, line: int, field: str, name: str, value: str) -> None:
    if value and (_SECRET_NAME.search(name.upper()) or _SECRET_VALUE.search(value)):
        raise _wrong(
            file,
            line,
            field,
            "looks like a secret, and a project holds none",
            f"Take it out and give it to the environment manager: `aerodrome env set --secret {name}`.",
            code="project-holds-secret",
        )


def _lines(text: str | None) -> tuple[str, ...]:
    lines = (line.partition("#")[0].strip() for line in (text or "").splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def _below(field: str, name: str) -> str:
    return f"{field}.{name[:80]}" if field else name[:80]


def _wrong(file: str, line: int, field: str, what: str, hint: str, code: str = "project-file-invalid") -> Invalid:
    where = f"{file}, line {line}" + (f", {field}" if field else "")
    return Invalid(f"{where}: {what}.", code=code, hint=hint, details={"file": file, "line": line, "field": field})
