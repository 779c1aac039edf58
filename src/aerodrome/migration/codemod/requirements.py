"""Brings a requirements.txt to the target: Airflow itself is the platform's, provider pins of the old major go."""

from __future__ import annotations

import re

from aerodrome.migration.codemod.contract import Remaining

_AIRFLOW = re.compile(r"(?i)^apache[-_.]airflow\s*(\[(?P<extras>[^\]]*)\])?\s*([=<>!~;@ ].*)?$")
_PROVIDER = re.compile(
    r"(?i)^(?P<name>apache[-_.]airflow[-_.]providers[-_.][\w.-]+)(?P<extras>\[[^\]]*\])?\s*==\s*(?P<version>[\w.]+)(?P<rest>.*)$"
)


def upgrade_requirements(text: str, file: str) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Give the new text, the rules applied, and what a person must look at."""
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
    return "".join(lines), rules, tuple(findings)
