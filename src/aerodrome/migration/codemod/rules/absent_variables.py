"""`var.value.get("x")` without a default raises in Airflow 1.10 and 2; in 3 it gives the text NOTSET when the variable is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import rewrite_source

_GET = re.compile(r"\bvar\.(value|json)\.get\(([^(),=]+)\)")


def rewrite_inside(text: str, _quote: str) -> tuple[str, int]:
    """Let a block look variables up so that an absent one raises (VariableAccessor, task SDK of 3.0.6 and 3.3.2)."""
    return _GET.subn(r"var.\1[\2]", text)


def is_concerned(options: Options) -> bool:
    """Tell whether the source raises and the target does not."""
    return options.major >= 3 and not options.source_version.startswith("3")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_concerned(options):
        yield from rewrite_source(source, rewrite_inside)


RULE = Rule(
    code="absent-variable",
    title="A template that reads a variable fails when it is not there, as it did",
    words=(b".get(",),
    before="""
command = "load {{ var.value.get('shop.region') }} {{ var.json.get('shop', {}) }}"
""",
    after="""
command = "load {{ var.value['shop.region'] }} {{ var.json.get('shop', {}) }}"
""",
    find=_find,
)
