"""An estate is evidence: complete or absent, the same for the same content, and tampering shows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from aerodrome.kernel.errors import Broken, Conflict, NotFound
from aerodrome.migration.estate.archive import Estate, EstateHeader, EstateWriter
from aerodrome.migration.estate.records import PoolRecord, UserRecord, VariableRecord

POOLS = [PoolRecord("default_pool", 128, None, False), PoolRecord("größe \udc80", 1, "x", True)]


def header(taken_at: str = "2026-01-01T00:00:00.000000Z") -> EstateHeader:
    return EstateHeader("airflow-db", "legacy", "2.11.2", "sqlite 3", "abc", taken_at, {"history": {"run": 1}})


def freeze(folder: Path, taken_at: str = "2026-01-01T00:00:00.000000Z") -> Estate:
    writer = EstateWriter(folder, header(taken_at))
    for pool in POOLS:
        writer.add(pool)
    writer.add(UserRecord("ann", None, ("Admin", "Op"), True))
    return writer.freeze()


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    estate = freeze(tmp_path / "e")
    assert list(estate.all(PoolRecord)) == POOLS
    assert list(estate.records("user")) == [UserRecord("ann", None, ("Admin", "Op"), True)]
    assert list(estate.all(VariableRecord)) == []
    assert estate.counts["pool"] == 2
    assert Estate.open(tmp_path / "e") == estate


def test_digest_tells_what_was_found_not_when(tmp_path: Path) -> None:
    first, second = freeze(tmp_path / "a"), freeze(tmp_path / "b", "2027-02-02T00:00:00.000000Z")
    assert first.digest == second.digest
    writer = EstateWriter(tmp_path / "c", header())
    writer.add(POOLS[0])
    assert writer.freeze().digest != first.digest


def test_half_written_estate_does_not_exist(tmp_path: Path) -> None:
    writer = EstateWriter(tmp_path / "e", header())
    writer.add(POOLS[0])
    with pytest.raises(NotFound):
        Estate.open(tmp_path / "e")
    assert freeze(tmp_path / "e").counts["pool"] == 2  # a crash's leftovers give way
    with pytest.raises(Conflict):
        EstateWriter(tmp_path / "e", header())


def test_discarding_leaves_nothing(tmp_path: Path) -> None:
    EstateWriter(tmp_path / "e", header()).discard()
    assert list((tmp_path / "e").iterdir()) == []


@pytest.mark.parametrize("how", ["rewritten", "truncated", "removed", "header", "digest"])
def test_tampering_shows(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "e"
    freeze(folder)
    file, manifest = folder / "pool.ndjson.gz", folder / "manifest.json"
    if how == "rewritten":
        text = gzip.decompress(file.read_bytes()).decode().replace("128", "129")
        with gzip.open(file, "wt") as stream:
            stream.write(text)
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[:-5])
    elif how == "removed":
        file.unlink()
    else:
        data = json.loads(manifest.read_text())
        if how == "header":
            data["header"]["source_version"] = "2.0.0"
        else:
            data["kinds"]["pool"]["count"] = 1
        manifest.write_text(json.dumps(data))
    with pytest.raises(Broken) as error:
        Estate.open(folder)
    assert error.value.code == "estate-changed"


def test_a_key_may_come_once(tmp_path: Path) -> None:
    writer = EstateWriter(tmp_path / "e", header())
    writer.add(POOLS[0])
    with pytest.raises(Broken, match="default_pool"):
        writer.add(POOLS[0])
