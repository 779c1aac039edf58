"""Carries asset events between the sides while a part of the DAGs has moved. A migration uses `Bridge`; see docs/decisions/0010."""

from aerodrome.migration.bridge.bridge import Assets, Bridge, Crossing
from aerodrome.migration.bridge.ledger import AssetLedger
from aerodrome.migration.bridge.memory import BridgeMemory, MemoryFile
from aerodrome.migration.bridge.uncarried import Uncarried, uncarried

__all__ = ["AssetLedger", "Assets", "Bridge", "BridgeMemory", "Crossing", "MemoryFile", "Uncarried", "uncarried"]
