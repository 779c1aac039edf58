"""`aerodrome migrate connect` before it asks the server. If this breaks, one of two sources that somebody names is left out silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aerodrome.cli.migrate_connect import connect
from aerodrome.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oozie": Path("apps"), "controlm": Path("exports")}, "--oozie and --controlm"),
        (
            {"rest_url": "https://a.example.org", "starship_url": "https://a.example.org"},
            "--rest-url and --starship-url",
        ),
        ({"mwaa": "etl", "composer": "projects/p/locations/l/environments/e"}, "--mwaa and --composer"),
        ({"archive": "a.aerodrome", "oozie": Path("apps")}, "--oozie and --archive"),
        ({}, "The folder of DAGs is missing"),
    ],
)
def test_a_migration_has_one_source(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        connect("legacy", workspace="data", **given)
    assert said in refused.value.message
    assert refused.value.hint


def test_without_any_source_all_kinds_are_named() -> None:
    with pytest.raises(Invalid) as refused:
        connect("legacy", workspace="data")
    for option in (
        "--dags",
        "--archive",
        "--rest-url",
        "--starship-url",
        "--mwaa",
        "--composer",
        "--oozie",
        "--controlm",
    ):
        assert option in str(refused.value.hint)
