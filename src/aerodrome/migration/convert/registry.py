"""The formats that can be converted. A new one: a module with `read`, one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.migration.convert.contract import Conversion
from aerodrome.migration.convert.controlm.reading import read as read_controlm
from aerodrome.migration.convert.oozie.reading import read as read_oozie


@dataclass(frozen=True)
class Options:
    """What the team says about its estate. `profile` is the parsed profile file: each format knows its own keys."""

    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    name: str
    title: str
    read: Callable[[Path, Options], Conversion]


FORMATS: Final[Mapping[str, Format]] = {
    "oozie": Format(
        "oozie", "Oozie workflows, coordinators and bundles", lambda path, options: read_oozie(path, options.profile)
    ),
    "controlm": Format(
        "controlm", "Control-M exports and definitions", lambda path, options: read_controlm(path, options.profile)
    ),
}


def convert(name: str, path: Path, options: Options) -> Conversion:
    """Read definitions below a path. Invalid when the format or the path is unknown."""
    if name not in FORMATS:
        raise Invalid(
            f"{name} cannot be converted.", code="convert-format-unknown", hint=f"Formats: {', '.join(FORMATS)}."
        )
    if not path.exists():
        raise NotFound(
            f"There is no {path}.", code="convert-path-missing", hint="Give a folder with definitions, or one file."
        )
    return FORMATS[name].read(path, options)


def read_profile(path: Path | None) -> Options:
    """Read a profile file (YAML); Invalid names the file and the line."""
    if path is None:
        return Options()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read ({error.strerror}).",
            code="convert-profile-unreadable",
            hint="Give the profile file as --profile.",
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Invalid(
            f"{where} is not YAML.", code="convert-profile-invalid", hint="docs/guides/convert.md shows one."
        ) from error
    if not isinstance(content, dict | None):
        raise Invalid(
            f"{path} is not a mapping.", code="convert-profile-invalid", hint="docs/guides/convert.md shows one."
        )
    return Options(content or {})
