"""The revisions make exactly the tables of the models, on both databases, also when several servers start at once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from aerodrome.kernel.errors import Conflict
from aerodrome.store import open_store, schema
from aerodrome.store.tables.registry import all_tables


def _indexes(url: str) -> dict[str, object]:
    store = open_store(url)
    try:
        look = inspect(store.engine)
        return {
            table: (
                sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)),
                sorted((i["name"] or "", tuple(i["column_names"]), bool(i["unique"])) for i in look.get_indexes(table)),
                sorted((u["name"] or "", tuple(u["column_names"])) for u in look.get_unique_constraints(table)),
                sorted((f["name"] or "", f["referred_table"], str(f["options"])) for f in look.get_foreign_keys(table)),
            )
            for table in look.get_table_names()
            if table != "alembic_version"
        }
    finally:
        store.close()


def test_models_and_revisions_agree(empty_database_url: str, store_url: str) -> None:
    """Alembic sees no difference, and what the database itself tells is the same (partial indexes, foreign keys)."""
    store = open_store(empty_database_url)
    assert schema.current(store) is None
    schema.upgrade(store)
    schema.upgrade(store)
    assert schema.current(store) == schema.newest()
    assert schema.differences(store) == []
    store.close()
    assert _indexes(empty_database_url) == _indexes(store_url)


def test_several_servers_may_upgrade_at_once(empty_database_url: str) -> None:
    stores = [open_store(empty_database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.upgrade, stores))
    assert schema.differences(stores[0]) == []
    for store in stores:
        store.close()


def test_a_newer_database_is_refused_and_left_alone(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    schema.upgrade(store)
    with store.writing() as session:
        session.execute(text("update alembic_version set version_num = 'from-the-future'"))
    with pytest.raises(Conflict) as caught:
        schema.upgrade(store)
    assert caught.value.code == "schema-newer"
    assert schema.current(store) == "from-the-future"
    store.close()


def test_the_unreleased_revision_is_up_to_date(tmp_path: Path) -> None:
    """What a regeneration would write is what is committed: `python -m aerodrome.store.schema` was not forgotten."""
    committed = Path(schema.__file__).parent / "alembic" / "versions"
    shutil.copytree(committed, tmp_path / "versions", ignore=shutil.ignore_patterns("__pycache__"))
    fresh = schema.regenerate(tmp_path / "versions")
    assert fresh.read_text() == (committed / fresh.name).read_text()


def test_every_moment_has_a_zone_and_every_table_a_key() -> None:
    for table in all_tables().sorted_tables:
        assert table.primary_key.columns, table.name
        assert not [c.name for c in table.columns if c.name.endswith("_at") and str(c.type) != "DATETIME"]
