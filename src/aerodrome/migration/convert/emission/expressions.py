"""Writes expressions as Python for one target, and remembers what they need imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Code, Expression, Symbol, Target


class Writer:
    """Writes expressions; `symbols` is what has to be imported for them so far."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.symbols: dict[tuple[str, str], Symbol] = {}

    def use(self, symbol: Symbol) -> str:
        """Give the name of a symbol, to be imported."""
        self.symbols[symbol.modules[self.target], symbol.name_in(self.target)] = symbol
        return symbol.name_in(self.target)

    def write(self, value: Expression) -> str:
        """Give the Python text of an expression."""
        match value:
            case Symbol():
                return self.use(value)
            case Call():
                return self._call(value)
            case Code():
                for symbol in value.imports:
                    self.use(symbol)
                return value.text
            case datetime():
                return self._datetime(value)
            case timedelta():
                return self._timedelta(value)
            case str():
                return text_literal(value)
            case None | bool() | int() | float():
                return repr(value)
            case Mapping():
                return "{" + ", ".join(f"{text_literal(key)}: {self.write(item)}" for key, item in value.items()) + "}"
            case Sequence():
                return "[" + ", ".join(self.write(item) for item in value) + "]"
        raise TypeError(f"no Python for {type(value).__name__}")

    def _call(self, call: Call) -> str:
        name = self.use(call.symbol)
        parts = [self.write(item) for item in call.arguments]
        parts += [f"{key}={self.write(item)}" for key, item in call.keywords]
        return f"{name}({', '.join(parts)})"

    def _datetime(self, value: datetime) -> str:
        self.use(symbols.PENDULUM)
        zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else "UTC"
        local = value if isinstance(value.tzinfo, ZoneInfo) else value.astimezone(UTC)
        parts = [local.year, local.month, local.day, local.hour, local.minute, local.second]
        while len(parts) > 3 and parts[-1] == 0:
            parts.pop()
        return f"pendulum.datetime({', '.join(map(str, parts))}, tz={text_literal(zone)})"

    def _timedelta(self, value: timedelta) -> str:
        self.use(symbols.TIMEDELTA)
        seconds = int(value.total_seconds())
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds and seconds % size == 0:
                return f"timedelta({unit}={seconds // size})"
        return f"timedelta(seconds={seconds})"


def text_literal(text: str) -> str:
    """Write a string: in one line, or in triple quotes when it has several."""
    if (
        "\n" in text.strip("\n")
        and "\r" not in text
        and not any(line.endswith((" ", "\t")) for line in text.split("\n"))
    ):
        return docstring(text)
    plain = repr(text)
    if plain.startswith("'") and '"' not in plain:
        return f'"{plain[1:-1]}"'
    return plain


def docstring(text: str) -> str:
    """Write a text in triple double quotes; what it gives back is exactly the text."""
    inside = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    inside = "".join(mark if mark in "\n\t" or mark.isprintable() else repr(mark)[1:-1] for mark in inside)
    if inside.endswith('"'):
        inside = inside[:-1] + '\\"'
    return f'"""{inside}"""'
