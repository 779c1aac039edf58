"""Numbers about this process and this platform, in the format of Prometheus. The one room that imports its library."""

from aerodrome.telemetry.exposition import Family, render
from aerodrome.telemetry.instruments import Instruments

__all__ = ["Family", "Instruments", "render"]
