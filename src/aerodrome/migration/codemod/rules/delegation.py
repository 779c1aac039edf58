"""`delegate_to` of Google's operators and hooks became `impersonation_chain`, as their deprecation said.

Source: apache-airflow-providers-google 10.17 ("The `delegate_to` parameter has been deprecated. You should pass the `impersonation_chain`
parameter."); gone in 11.0. An account needs other rights for it, so every place is told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from aerodrome.migration.codemod.arguments import changed_arguments
from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword, rename_keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

OLD, NEW = "delegate_to", "impersonation_chain"


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        item = keyword(made.call, OLD)
        if item is None or not any(_is_gone(name) for name in made.names):
            continue
        if is_off(item.value):
            yield Change((drop_item(source, item),))
        elif keyword(made.call, NEW):
            yield Spot(item.value.lineno, f"{OLD} is gone, and {NEW} says something already.", f"Take {OLD} out.")
        else:
            yield noted(made.call, Change((rename_keyword(source, item, NEW),)))


def is_off(value: ast.expr) -> bool:
    """Tell whether nobody is acted for: None, and False and an empty text, which 1.10 and 2 took for the same."""
    return isinstance(value, ast.Constant) and not value.value


def _is_gone(name: str) -> bool:
    known = changed_arguments().get(name)
    return name.startswith("airflow.providers.google.") and known is not None and OLD in known.removed


def noted(call: ast.Call, change: Change) -> Change:
    """Give the change with what a person must do, where the call delegates."""
    item = keyword(call, OLD)
    if item is None or is_off(item.value):
        return change
    note = Spot(
        call.lineno,
        f"{OLD} became {NEW}: the account is impersonated, and not acted for by delegation over the domain.",
        "Give the connection's account the role Service Account Token Creator on it; a person's address does not work any more.",
    )
    return replace(change, note=note)


RULE = Rule(
    code="delegate-to",
    title="delegate_to of Google's operators and hooks becomes impersonation_chain, for a person to grant",
    words=(b"delegate_to",),
    before="""
from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook

hook = GoogleCloudStorageHook(delegate_to="etl@shop.iam.gserviceaccount.com")
""",
    after="""
from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook

hook = GoogleCloudStorageHook(impersonation_chain="etl@shop.iam.gserviceaccount.com")
""",
    find=_find,
    is_for_2=True,
    finding="delegate_to became impersonation_chain",
)
