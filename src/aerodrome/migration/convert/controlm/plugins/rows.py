"""What one action of a kind of job becomes: an operator, its arguments, and the details of the job that give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aerodrome.migration.convert.contract import Expression, Symbol

Form = Literal["text", "map", "list", "json"]


def provider(name: str, module: str, package: str) -> Symbol:
    """Name an operator of a provider package, which stands in the same module for both targets."""
    path, distribution = f"airflow.providers.{module}", f"apache-airflow-providers-{package}"
    return Symbol(name, {"2.11": path, "3.3": path}, {"2.11": distribution, "3.3": distribution})


@dataclass(frozen=True)
class Argument:
    """One argument of an operator and the details that can give it, best first.

    A *map* is a JSON object (or a list of small ones), a *list* one of texts, *json* either. `is_plain`: Airflow does not render it.
    """

    name: str
    details: tuple[str, ...]
    is_needed: bool = True
    form: Form = "text"
    is_plain: bool = False


@dataclass(frozen=True)
class Plugin:
    """How one action of a kind of job becomes an operator. `connection` is the argument that takes the connection profile.

    `actions`: words of the action, without blanks and marks, for which the row is; empty: the kind has one action. `waits`: the sensor that
    ends the job where the operator only starts it; `@first@` in its arguments is the task that started it.
    """

    operator: Symbol
    arguments: tuple[Argument, ...]
    connection: str
    conn_type: str
    fixed: tuple[tuple[str, Expression], ...] = ()
    actions: tuple[str, ...] = ()
    waits: Symbol | None = None
    waits_for: tuple[tuple[str, Expression], ...] = ()
    note: tuple[str, str] | None = None  # a caveat that always holds: code, sentence


def needs(name: str, *details: str, form: Form = "text", is_plain: bool = False) -> Argument:
    """Make an argument without which the job raises."""
    return Argument(name, details, True, form, is_plain)


def may(name: str, *details: str, form: Form = "text", is_plain: bool = False) -> Argument:
    """Make an argument that is left out when no detail gives it."""
    return Argument(name, details, False, form, is_plain)
