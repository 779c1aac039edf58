"""Brings a requirements.txt to the target: Airflow itself is the platform's, provider pins of the old major go."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from aerodrome.migration.codemod.contract import Remaining
from aerodrome.migration.codemod.moves import companions, floors, package_of

_IMPORT = re.compile(rb"(?m)^\s*(?:from|import)\s+(airflow\.providers\.[\w.]+)")
_POD = re.compile(rb"[\"']pod_override[\"']")
_KUBERNETES = "apache-airflow-providers-cncf-kubernetes"
"""It brings the client whose pods tasks hand to their executor."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_OWN = {f"apache-airflow-providers-{name}" for name in ("standard", "common-compat", "common-io", "common-sql", "smtp")}
"""What apache-airflow 3.3.2 itself requires."""

_AIRFLOW = re.compile(r"(?i)^apache[-_.]airflow\s*(\[(?P<extras>[^\]]*)\])?\s*([=<>!~;@ ].*)?$")
_PROVIDER = re.compile(
    r"(?i)^(?P<name>apache[-_.]airflow[-_.]providers[-_.][\w.-]+)(?P<extras>\[[^\]]*\])?\s*==\s*(?P<version>[\w.]+)(?P<rest>.*)$"
)


_OWN_OF_2 = {
    f"apache-airflow-providers-{name}"
    for name in ("common-compat", "common-io", "common-sql", "fab", "ftp", "http", "imap", "smtp", "sqlite")
}
"""What apache-airflow 2.11.2 itself requires."""
_THREE = 3
_PINS_1 = re.compile(r"(?im)^apache[-_.]airflow\s*(\[[^\]]*\])?\s*[=~<]=?=?\s*1\.")


def pins_1(text: str) -> bool:
    """Tell whether requirements ask for Airflow 1.10."""
    return _PINS_1.search(text) is not None


def providers_of(source: bytes, major: int = _THREE) -> frozenset[str]:
    """Give the provider packages that a file imports from, and what those modules import of others; without what every Airflow brings."""
    modules = [match.decode() for match in _IMPORT.findall(source)]
    found = {package_of(module) for module in modules}
    found |= {package for module in modules for package in companions().get(module, ())}
    if _POD.search(source):
        found.add(_KUBERNETES)
    own = _OWN if major >= _THREE else _OWN_OF_2
    return frozenset(name for name in found if name and name not in own)


_SQL_CLASSES = re.compile(rb"\b(Jdbc|MsSql|MySql|Oracle|Postgres|Snowflake|Sqlite|Vertica|Trino)Operator\b")
_OF_SQL = {"MsSql": "microsoft-mssql", "MySql": "mysql"}


def connections_of(before: bytes, after: bytes) -> frozenset[str]:
    """Give the packages of the databases whose own operators became the SQLExecuteQueryOperator, which imports none of them.

    It finds the hook by the type of its connection, which the provider of that database brings.
    """
    if b"SQLExecuteQueryOperator" not in after:
        return frozenset()
    names = {match.decode() for match in _SQL_CLASSES.findall(before)}
    return frozenset(f"apache-airflow-providers-{_OF_SQL.get(name, name.lower())}" for name in names)


def needed_findings(needed: Collection[str], file: str) -> Iterator[Remaining]:
    for name in sorted(needed):
        hint = "Write it into the requirements of the deployment."
        yield Remaining("provider-needed", file, 1, f"The upgraded code imports from {name}.", hint)


def _is_taken(name: str, version: str) -> bool:
    """Tell whether a provider has at least the major version that the target was tried with."""
    least = floors().get(re.sub(r"[-_.]+", "-", name).lower())
    major = version.partition(".")[0]
    return least is None or (major.isdigit() and int(major) >= int(least))


def upgrade_requirements(
    text: str, file: str, needed: Collection[str] = (), *, is_of_3: bool = False
) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Give the new text, the rules applied, and what a person must look at; `needed` packages are added when absent.

    `is_of_3`: the project ran on Airflow 3, and so did its providers; those that the target takes stay pinned.
    """
    lines: list[str] = []
    rules: dict[str, int] = {}
    findings: list[Remaining] = []

    def note(rule: str, line: int, message: str, hint: str) -> None:
        rules[rule] = rules.get(rule, 0) + 1
        findings.append(Remaining(rule, file, line, message, hint))

    for number, line in enumerate(text.splitlines(keepends=True), 1):
        ending = line[len(line.rstrip("\r\n")) :]
        content, hash_, comment = line.rstrip("\r\n").partition(" #")
        bare = content.strip()
        airflow, provider = _AIRFLOW.match(bare), _PROVIDER.match(bare)
        if airflow:
            extras = airflow["extras"]
            wanted = f" It asked for the extras {extras}: name their providers if DAGs use them." if extras else ""
            note("airflow-pin", number, f"The pin of Airflow is dropped: the deployment decides it.{wanted}", "")
        elif bare.startswith(("-c", "--constraint")):
            note("constraint", number, "The constraints file is dropped: it belongs to the old Airflow.", "")
        elif provider and is_of_3 and _is_taken(provider["name"], provider["version"]):
            lines.append(line)
        elif provider:
            new = f"{provider['name']}{provider['extras'] or ''}>={provider['version']}{provider['rest']}"
            lines.append(new + hash_ + comment + ending)
            note(
                "provider-pin",
                number,
                f"{provider['name']} may be newer than {provider['version']}: old versions do not run on the target.",
                "Read the provider's changelog between both versions.",
            )
        else:
            lines.append(line)
    named = (_NAME.match(line.strip()) for line in lines)
    there = {match[0].lower().replace("_", "-").replace(".", "-") for match in named if match}
    missing = sorted(set(needed) - there)
    if missing and lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    ending = "\r\n" if "\r\n" in text else "\n"
    lines += [name + ending for name in missing]
    if missing:
        rules["provider-needed"] = len(missing)
    return "".join(lines), rules, tuple(findings)
