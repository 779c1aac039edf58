"""The way back across versions: an older snapshot, and on top of it what was made since under the newer Airflow."""

from aerodrome.databases.back.service import discard_way_back, go_back, prepare_way_back

__all__ = ["discard_way_back", "go_back", "prepare_way_back"]
