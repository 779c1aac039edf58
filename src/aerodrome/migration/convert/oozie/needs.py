"""What a DAG must declare for the expressions that it uses, what their names mean, and what has no equivalent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aerodrome.migration.convert.contract import Code, Expression, Function


class Unsupported(Exception):
    """What has no equivalent; `code` and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def output_key(name: str) -> str:
    """Give the key of a data-out among the events: it may have the name of a data-in."""
    return f"data-out:{name}"


@dataclass(frozen=True)
class Propagation:
    """What an action hands on to a workflow when all of the DAG is known: `conf` is filled with those names that are params then."""

    conf: dict[str, Expression]
    names: tuple[str, ...]
    write: Callable[[str], str]  # gives the template of a name


@dataclass
class Needs:
    """What a DAG must declare, in the order of first use."""

    parameters: dict[str, str | None] = field(default_factory=dict)  # name -> default; None: nobody knows it
    optional: set[str] = field(default_factory=set)  # only looked up by wf:conf: may be absent
    computed: dict[str, str] = field(default_factory=dict)  # name -> the default as written, put together in the run
    functions: dict[str, Function] = field(default_factory=dict)
    macros: dict[str, Code] = field(default_factory=dict)
    filters: dict[str, Code] = field(default_factory=dict)
    propagations: list[Propagation] = field(default_factory=list)
    is_quoting: bool = False
    caveats: dict[str, str] = field(default_factory=dict)  # code -> sentence


@dataclass(frozen=True)
class SiteFunction:
    """What stands for an EL function of the site: a callable of a module, one text, or an expression of Python over its arguments."""

    path: str = ""  # module.callable
    value: str | None = None
    python: str = ""
    arguments: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """What the functions of one application mean: constants and further names of this DAG."""

    app_name: str
    tasks: Mapping[str, str]  # node -> full task id
    routers: tuple[str, ...] = ()
    zone: str = "UTC"
    events: Mapping[str, str] = field(
        default_factory=dict
    )  # name of a data-in, `output_key` of a data-out -> what gives its URIs
    counters: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # that actions give
    probe: Function | None = None  # asks HDFS: hdfs_test(flag, path)
    partition_probe: Function | None = None  # asks Hive: partition_test(uri)
    size_probe: Function | None = None  # asks HDFS: hdfs_size(flag, path)
    coordinator_name: str = ""
    ending: str = "Z"  # what the times of the server end with: it is in UTC, or an offset
    functions: Mapping[str, SiteFunction] = field(default_factory=dict)
    calm: frozenset[str] = frozenset()  # nodes that a run may come to with no action that failed before
