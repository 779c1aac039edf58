"""Addresses of datasets that Airflow 3 refuses where 2.x only warned: they get the scheme `x-…`, which nobody looks into.

Read: the sanitizers of 17 providers that Airflow 3.3.2 takes, and `_sanitize_uri` of its SDK. A provider that is not installed refuses nothing, yet may be tomorrow.
The same address becomes the same everywhere, so producers and consumers of the project still meet.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import rewrite_source

_PAIR = frozenset({2})
_PARTS: dict[str, frozenset[int]] = {
    **dict.fromkeys(("s3", "gs", "ftp", "sftp"), frozenset()),
    **dict.fromkeys(("mysql", "mariadb", "bigquery", "hive", "mongodb"), _PAIR),
    **dict.fromkeys(
        ("postgres", "postgresql", "redshift", "snowflake", "databricks", "oracle", "presto", "trino", "vertica"),
        frozenset({3}),
    ),
    "mssql": frozenset({3, 4}),
}
"""By scheme: of how many parts the path must be; none where any will do. All insist on a host."""
_WITH_PORT = frozenset(
    ("ftp", "sftp", "mysql", "mariadb", "mongodb", "postgres", "postgresql", "redshift", "oracle", "presto", "trino", "vertica", "mssql")
)  # fmt: skip
_CLASSES = frozenset(
    {
        "airflow.Dataset", "airflow.datasets.Dataset", "airflow.models.dataset.Dataset", "airflow.sdk.Asset", "airflow.Asset",
        "airflow.sdk.definitions.asset.Asset", "airflow.sdk.definitions.asset.Dataset",
    }
)  # fmt: skip
_HINT = "Tell other projects and whoever reports or asks for it through the REST API; or write the address in full, in every project."


def is_refused(address: str) -> bool:
    """Tell whether Airflow 3, with the provider of the scheme, refuses an address. One that is none at all is no matter of its scheme."""
    if _is_unreadable(address):
        return False
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    if scheme not in _PARTS:
        return False
    try:
        _ = parts.port if scheme in _WITH_PORT else None  # refused when it is no number
    except ValueError:
        return True
    path = parts.path.rstrip("/") or "/"
    wanted = _PARTS[scheme]
    return not parts.netloc or bool(wanted and path.count("/") not in wanted)


def are_prefixed(before: Collection[str], after: Collection[str]) -> bool:
    """Tell whether addresses are the same ones but for the x- that this rule writes, and for what 2.x made of those that it warned of."""
    old = sorted(f"x-{_plain(address)}" if is_refused(address) else address for address in before)
    new = sorted(_plain(address) if address.startswith("x-") else address for address in after)
    return old == new and any(address.startswith("x-") for address in set(after).difference(before))


def _plain(address: str) -> str:
    """Leave out what 2.x left out or added: who signs in (_sanitize_uri of 2.11.2), and the `/` behind a host."""
    return re.sub(r"(?<=//)[^/@]*@", "", address).rstrip("/")


def _is_unreadable(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return True
    return False


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if (value := _address(source, call)) is not None:
            yield from _of_call(source, value)
    known = _known(source, options)
    if not known:
        return
    for node in source.each(ast.Constant):
        if node.value in known and _is_key(source, node):
            yield Change((_prefixed(source, node),))

    def inside(text: str, _quote: str) -> tuple[str, int]:
        count = 0
        for address in known:
            for quote in "'\"":
                count += text.count(f"{quote}{address}{quote}")
                text = text.replace(f"{quote}{address}{quote}", f"{quote}x-{address}{quote}")
        return text, count

    yield from rewrite_source(source, inside)


def _of_call(source: Source, value: ast.expr) -> Iterator[Change | Spot]:
    address = _text(source, value)
    if address is not None:
        if _is_unreadable(address):
            message = f"Airflow 3 cannot read the address {_shown(address)}."
            yield Spot(value.lineno, message, "Give it another name, in all projects.")
        elif is_refused(address):
            edit = (
                _prefixed(source, value)
                if isinstance(value, ast.Constant)
                else replace(source, value, f'"x-" + {source.code(value)}')
            )
            message = f"Airflow 3 refuses the address {_shown(address)}, which 2.x took: it begins with x- now, in all of this project."
            yield Change((edit,), note=Spot(value.lineno, message, _HINT))
    elif isinstance(value, ast.JoinedStr) and value.values and isinstance(value.values[0], ast.Constant):
        scheme, found, _ = str(value.values[0].value).partition("://")
        if found and _PARTS.get(scheme.lower()):
            message = f"An address of {scheme}:// is made here: Airflow 3 refuses those that are not {_form(scheme)}."
            yield Spot(value.lineno, message, "Write it in full, or begin it with x-, in all projects.")


def _form(scheme: str) -> str:
    return f"{scheme}://HOST/{'DATABASE/TABLE' if _PARTS[scheme.lower()] == _PAIR else 'DATABASE/SCHEMA/TABLE'}"


def _shown(address: str) -> str:
    return f"{address.partition('://')[0]}://…" if "@" in address else f"`{address}`"


def _address(source: Source, call: ast.Call) -> ast.expr | None:
    if not source.means(call.func, _CLASSES):
        return None
    if item := keyword(call, "uri"):
        return item.value
    return call.args[0] if call.args else None


def _text(source: Source, value: ast.expr) -> str | None:
    """Give the text that an expression is: a constant, or a name of the file that is only ever given one."""
    if isinstance(value, ast.Name):
        stores = source.writes.get(value.id, ())
        parent = source.parents[stores[0]] if len(stores) == 1 else None
        is_plain = isinstance(parent, ast.Assign) and isinstance(source.parents[parent], ast.Module)
        return _text(source, parent.value) if is_plain and isinstance(parent.value, ast.Constant) else None  # type: ignore[union-attr]
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _prefixed(source: Source, node: ast.Constant) -> Edit:
    """Put `x-` behind the opening quote; the text may be a raw one."""
    code = source.code(node)
    at = min(code.find(quote) for quote in "'\"" if quote in code)
    at += 3 if code[at : at + 3] in ("'''", '"""') else 1
    start = source.start(node) + len(code[:at].encode())
    return Edit(start, start, "x-")


def _known(source: Source, options: Options) -> frozenset[str]:
    """Give the addresses of the file and of the project that are refused."""
    own = _refused(source)
    project = options.project
    return own | project.once("refused-addresses", lambda: _of_project(project)) if project else own


def _of_project(project: Project) -> frozenset[str]:
    files = {*project.mentioning(b"Dataset"), *project.mentioning(b"Asset")}
    return frozenset().union(*(_refused(found) for file in files if (found := project.source(file)) is not None))


def _refused(source: Source) -> frozenset[str]:
    values = (_address(source, call) for call in source.each(ast.Call))
    texts = (_text(source, value) for value in values if value is not None)
    return frozenset(text for text in texts if text is not None and is_refused(text))


def _is_key(source: Source, node: ast.Constant) -> bool:
    """Tell whether a text looks something up in events: `triggering_dataset_events["…"]`, `outlet_events["…"]`."""
    parent = source.parents[node]
    owner: ast.expr | None = None
    if isinstance(parent, ast.Subscript) and parent.slice is node:
        owner = parent.value
    elif isinstance(parent, ast.Call) and parent.args[:1] == [node] and isinstance(parent.func, ast.Attribute):
        owner = parent.func.value if parent.func.attr == "get" else None
    return owner is not None and "_events" in source.code(owner)


RULE = Rule(
    code="asset-address",
    title="Addresses of datasets that Airflow 3 refuses begin with x-",
    words=(b"Dataset", b"Asset", b"_events"),
    before="""
from airflow import Dataset

ORDERS = Dataset("postgres://orders")
STOCK = Dataset("postgres://shop.example/till/public/stock")
command = "load {{ triggering_dataset_events['postgres://orders'] }}"
""",
    after="""
from airflow import Dataset

ORDERS = Dataset("x-postgres://orders")
STOCK = Dataset("postgres://shop.example/till/public/stock")
command = "load {{ triggering_dataset_events['x-postgres://orders'] }}"
""",
    find=_find,
    finding="it begins with x- now",
)
