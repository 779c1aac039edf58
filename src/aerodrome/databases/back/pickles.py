"""Values that Airflow 2 keeps as pickles. Pickles of others are never loaded here, only looked at opcode by opcode."""

from __future__ import annotations

import json
import pickle
import pickletools
from collections.abc import Iterable, Iterator, Sequence

from aerodrome.databases.back.sides import Row

_NAMES_CLASSES = frozenset(
    {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}
)


def pickle_conf(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Row]:
    """Airflow 2 keeps a run's conf as a pickle, Airflow 3 as JSON."""
    at = columns.index("conf")
    for row in rows:
        conf = row[at]
        value = pickle.dumps({} if conf is None else json.loads(conf), protocol=5)
        yield (*row[:at], value, *row[at + 1 :])


def plain_executor_config(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Row]:
    """Empty an executor_config whose pickle names classes: the older Airflow may not have them, and would not start."""
    at, empty = columns.index("executor_config"), pickle.dumps({}, protocol=5)
    known: dict[bytes, bytes] = {}
    for row in rows:
        config = None if row[at] is None else bytes(row[at])
        if config is None:
            yield row
            continue
        if config not in known:
            if len(known) > 1000:
                known.clear()
            known[config] = config if _is_plain(config) else empty
        yield (*row[:at], known[config], *row[at + 1 :])


def _is_plain(pickled: bytes) -> bool:
    """Tell whether a pickle holds only plain data; it is never loaded."""
    try:
        return not any(code.name in _NAMES_CLASSES for code, _argument, _position in pickletools.genops(pickled))
    except (ValueError, IndexError):
        return False
