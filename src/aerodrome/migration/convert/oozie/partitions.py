"""The functions of Oozie that take the partitions of Hive tables apart: `coord:databaseIn()` and its kin.

What they give was read from `HCatURI` and `HCatELFunctions` of Oozie; the names of releases before 4.0 (`coord:database()`) are known, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function
from aerodrome.migration.convert.oozie.el import Literal, Node
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.writing import string

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.compiling import Compiler

_PARTITIONS: Final = Function(
    "partitions_of",
    '''
def partitions_of(uris):
    """Take partitions of Hive tables apart: hcat://HOST:PORT/DATABASE/TABLE/KEY=VALUE;KEY=VALUE."""
    found = []
    for uri in uris:
        _, database, table, keys = uri.partition("://")[2].split("/")
        found.append((database, table, dict(item.split("=") for item in re.split("[;&]", keys) if item)))
    return found
''',
    (symbols.RE,),
)
_FILTER: Final = Function(
    "partition_filter",
    '''
def partition_filter(uris, sign):
    """Give the filter that takes these partitions of a Hive table."""
    return " OR ".join(
        "(" + " AND ".join(f"{key}{sign}'{value}'" for key, value in keys.items()) + ")"
        for _, _, keys in partitions_of(uris)
    )
''',
)
_EXPORT: Final = Function(
    "partition_export",
    '''
def partition_export(uris):
    """Give the one partition of a Hive table as EXPORT TABLE takes it."""
    ((_, _, keys),) = partitions_of(uris)
    return ",".join(f"{key}='{value}'" for key, value in keys.items())
''',
)


def _use(compiler: Compiler, *functions: Function) -> None:
    for function in functions:
        compiler.needs.functions.setdefault(function.name, function)
        if compiler.language == "jinja":
            compiler.needs.macros[function.name] = Code(function.name)


def _fixed(node: Node) -> str:
    if not isinstance(node, Literal):
        raise Unsupported("el-partition", "which part of the partition is asked for is not fixed")
    return str(node.value)


def _part(at: int, side: str = "") -> Callable[..., str]:
    def compile_part(compiler: Compiler, name: Node, kind: Node | None = None) -> str:
        _use(compiler, _PARTITIONS)
        is_output = (side or (_fixed(kind) if kind is not None else "input")) == "output"
        return f"partitions_of({compiler.event(name, is_output=is_output)})[0][{at}]"

    return compile_part


def _value(compiler: Compiler, name: Node, key: Node) -> str:
    _use(compiler, _PARTITIONS)
    return f"partitions_of({compiler.event(name, is_output=True)})[0][2][{string(_fixed(key))}]"


def _extreme(which: str) -> Callable[..., str]:
    def compile_extreme(compiler: Compiler, name: Node, key: Node) -> str:
        _use(compiler, _PARTITIONS)
        found, wanted = f"partitions_of({compiler.event(name)})", string(_fixed(key))
        if compiler.language == "jinja":
            return f"({found} | map(attribute=2) | map(attribute={wanted}) | {which}(case_sensitive=true))"
        return f"{which}(keys[{wanted}] for _, _, keys in {found})"

    return compile_extreme


def _filter(compiler: Compiler, name: Node, kind: Node | None = None) -> str:
    sign = "==" if kind is None or _fixed(kind).lower() == "pig" else "="
    _use(compiler, _PARTITIONS, _FILTER)
    return f"partition_filter({compiler.event(name)}, {string(sign)})"


def _storer(compiler: Compiler, name: Node) -> str:
    _use(compiler, _PARTITIONS)
    found = f"partitions_of({compiler.event(name, is_output=True)})[0][2]"
    if compiler.language == "jinja":
        pairs = f"{found}.items() | map('join', '=') | join(',')"
        return f'("\'" ~ ({pairs}) ~ "\'")'
    return f'"\'" + ",".join(map("=".join, {found}.items())) + "\'"'


def _export(compiler: Compiler, name: Node, kind: Node) -> str:
    """Write the one partition of an input as `EXPORT TABLE … PARTITION (…)` takes it; Oozie refuses several."""
    if _fixed(kind) != "hive-export":
        raise Unsupported("el-partition", f"coord:dataInPartitions() knows no {_fixed(kind)!r}, only hive-export")
    _use(compiler, _PARTITIONS, _EXPORT)
    return f"partition_export({compiler.event(name)})"


CALLS: Final[Mapping[str, Callable[..., str]]] = {
    "coord:database": _part(0),
    "coord:databaseIn": _part(0, "input"),
    "coord:databaseOut": _part(0, "output"),
    "coord:table": _part(1),
    "coord:tableIn": _part(1, "input"),
    "coord:tableOut": _part(1, "output"),
    "coord:dataInPartitionFilter": _filter,
    "coord:dataInPartitionPigFilter": _filter,
    "coord:dataInPartitions": _export,
    "coord:dataInPartitionMin": _extreme("min"),
    "coord:dataInPartitionMax": _extreme("max"),
    "coord:dataOutPartition": _storer,
    "coord:dataOutPartitions": _storer,
    "coord:dataOutPartitionValue": _value,
}
