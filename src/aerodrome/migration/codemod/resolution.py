"""Finds versions for a requirements.txt that go with the target's Airflow, as they were published up to a day.

Without a constraints file of anybody's: what is found goes with the packages that a deployment of the target is locked to; pins that go with the target stay, those that do not are lifted, each with the reason that the resolver gives. The
package index is asked, and only when somebody says so; what could not be asked is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aerodrome.builds import is_lock_usable, resolve
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.migration.codemod.contract import Remaining
from aerodrome.migration.codemod.moves import floors

Resolve = Callable[[Sequence[str]], Mapping[str, str]]
_REQUIREMENT = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<spec>[=<>!~][^;#@]*?)?\s*(?P<marker>;[^#]*)?$"
)
_COMMENT = re.compile(r"\s+#.*$")
_REASON_CHARS = 400
_NO_WHEEL = "Read its changelog; or keep the pin when your image builds packages from source, which was not tried here."


@dataclass(frozen=True)
class _Line:
    """One line that names a package. `spec` is "" without a pin."""

    number: int
    name: str
    extras: str
    spec: str
    marker: str
    comment: str

    floor: str  # what stands for a pin that is not there

    @property
    def as_it_is(self) -> str:
        least = f",{self.floor}" if self.floor and self.spec.startswith(">=") else ""
        return f"{self.name}{self.extras}{self.spec or self.floor}{least}{self.marker}"

    @property
    def unpinned(self) -> str:
        return f"{self.name}{self.extras}{self.marker}"

    @property
    def lifted(self) -> str:
        return f"{self.name}{self.extras}{self.floor}{self.marker}"


def resolve_requirements(
    text: str, file: str, airflow_version: str, python_version: str, as_of: date
) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Give the text with every package at a version that goes with the target, the rules applied, and what a person must know."""
    lines = text.splitlines(keepends=True)
    least = floors() if airflow_version.startswith("3.") else {}
    named: list[_Line] = []
    findings: list[Remaining] = []
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        comment = _COMMENT.search(bare)
        match = _REQUIREMENT.match(bare[: comment.start()] if comment else bare)
        if match:
            spec, marker = (match[part] or "" for part in ("spec", "marker"))
            named.append(
                _Line(
                    number,
                    match["name"],
                    match["extras"] or "",
                    spec.strip(),
                    marker.strip(),
                    comment[0] if comment else "",
                    f">={least[known]}" if (known := _normal(match["name"])) in least else "",
                )
            )
        elif bare and not bare.startswith("#"):
            message = f"`{bare[:60]}` is not a package of the index: whether it goes with Airflow {airflow_version} was not checked."
            findings.append(Remaining("requirements-unchecked", file, number, message, "Try it in a deployment."))

    is_locked = False  # a day before the lock's own knows not all that a deployment has

    def ask(wanted: Sequence[str]) -> Mapping[str, str]:
        return resolve(airflow_version, python_version, wanted, as_of, is_locked=is_locked)

    try:
        is_locked = is_lock_usable(airflow_version, python_version, as_of)
        lost = _lost([line.unpinned if line.spec else line.as_it_is for line in named], ask)
        found = [line for at, line in enumerate(named) if at not in lost]
        dead = _dead(found, ask)
        versions = ask([line.lifted if line in dead else line.as_it_is for line in found])
    except Unavailable as error:
        message = f"Whether these versions go with Airflow {airflow_version} was not checked: {error.message}"
        return (
            text,
            {},
            (
                *findings,
                Remaining("requirements-unchecked", file, 1, message, "Run it again with the package index at hand."),
            ),
        )
    except Invalid as error:
        message = f"No versions published up to {as_of} go with Airflow {airflow_version}: {_reason(error)}"
        return (
            text,
            {},
            (
                *findings,
                Remaining("requirements-unresolvable", file, 1, message, "Drop or replace the package that is named."),
            ),
        )
    rules: dict[str, int] = {}
    for at, reason in sorted(lost.items()):
        message = f"No version published up to {as_of} goes with Airflow {airflow_version} and the rest: {reason}"
        hint = "Drop or replace it; or install it in an image that builds packages from source."
        findings.append(Remaining("requirements-unresolvable", file, named[at].number, message, hint))
    for item in found:
        version = versions.get(_normal(item.name))
        is_kept = item.spec.startswith("==") and item not in dead
        if version is None or is_kept:  # None: its marker leaves it out for this Python
            continue
        old = lines[item.number - 1]
        ending = old[len(old.rstrip("\r\n")) :]
        marker = f" {item.marker}" if item.marker else ""
        lines[item.number - 1] = f"{item.name}{item.extras}=={version}{marker}{item.comment}{ending}"
        rule = "dead-pin" if item in dead else "requirement-version"
        rules[rule] = rules.get(rule, 0) + 1
        if item in dead:
            message = f"{item.name}{item.spec} does not go with Airflow {airflow_version}, {version} does: {dead[item]}"
            hint = _NO_WHEEL if "no usable wheels" in dead[item] else "Read its changelog between both versions."
            findings.append(Remaining("dead-pin", file, item.number, message, hint))
    return "".join(lines), rules, tuple(findings)


def _dead(named: Sequence[_Line], ask: Resolve) -> dict[_Line, str]:
    """Give the pins that cannot stay, with the reason; as few as halving finds, from the first line on."""
    dead: dict[_Line, str] = {}
    kept: set[_Line] = {line for line in named if not line.spec}

    def stays(group: Sequence[_Line]) -> str:
        wanted = [line.as_it_is if line in kept or line in group else line.lifted for line in named]
        try:
            ask(wanted)
        except Invalid as error:
            return _reason(error)
        return ""

    waiting = [[line for line in named if line.spec]]
    while waiting:
        group = waiting.pop()
        reason = stays(group) if group else ""
        if not reason:
            kept |= set(group)
        elif len(group) == 1:
            dead[group[0]] = reason
        else:
            half = len(group) // 2
            waiting += [group[half:], group[:half]]
    return dead


def _lost(wanted: Sequence[str], ask: Resolve) -> dict[int, str]:
    """Give the places of requirements that nothing fits, with the reason: a later one that does not go with an earlier one."""
    lost: dict[int, str] = {}
    kept: list[int] = []
    waiting = [list(range(len(wanted)))]
    while waiting:
        group = waiting.pop()
        try:
            ask([wanted[at] for at in sorted(kept + group)])
        except Invalid as error:
            half = len(group) // 2
            if len(group) == 1:
                lost[group[0]] = _reason(error)
            elif group:
                waiting += [group[half:], group[:half]]
        else:
            kept += group
    return lost


def _reason(error: Invalid) -> str:
    """Give the resolver's own sentence."""
    text = " ".join(str(error.details.get("output", error.message)).replace("╰─▶", "").replace("×", "").split())
    text = re.sub(r"^.*?when resolving dependencies:?\s*(cause:\s*)?", "", text).partition(" hint: ")[0]
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
