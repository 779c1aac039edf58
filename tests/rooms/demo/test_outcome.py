"""demo-report.json: what it promises stands in it, and a demo that did not come out right says so."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from aerodrome.demo import outcome
from aerodrome.kernel.errors import Broken


@pytest.fixture
def report() -> dict[str, Any]:
    history = {
        "found": 30, "moved": 30, "failed": 0, "failed_by_code": {},
        "source_hashes": ["a", "b"], "target_hashes": ["a", "b"],
    }  # fmt: skip
    return {
        "source_version": "2.11.2",
        "target_version": "3.3.2",
        "kinds": {
            "connection": {
                "found": 4, "moved": 4, "failed": 0, "reasons": [], "source_hash": "c", "target_hash": "c",
            },
            "dag": {"found": 17, "moved": 17, "failed": 0, "reasons": []},
        },
        "history": {"kinds": {"run": history}, "rows": 30, "seconds": 0.1, "rows_per_s": 300},
        "cutover": [
            {
                "dag_id": "tills",
                "wave": "first",
                "last_source_interval": ["2026-03-01T11:58:00Z", "2026-03-01T11:59:00Z"],
                "first_target_interval": ["2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z"],
                "first_target_state": "success",
            }
        ],
        "findings": {"warning": 2},
        "code": {"files_changed": 12, "findings": 0},
        "validation": [{"is_ok": True}],
    }  # fmt: skip


def test_report_holds_what_the_demo_promises(report: dict[str, Any]) -> None:
    result = outcome.compose(report, {"source": 8.1})
    assert (result["source_version"], result["target_version"]) == ("2.11.2", "3.3.2")
    assert {"found", "moved", "failed"} <= result["kinds"]["dag"].keys()
    assert result["history"]["run"]["source_hash"] == result["history"]["run"]["target_hash"]
    assert result["cutover"] == [
        {
            "dag_id": "tills",
            "last_source_interval": ["2026-03-01T11:58:00Z", "2026-03-01T11:59:00Z"],
            "first_target_interval": ["2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z"],
            "first_target_state": "success",
        }
    ]
    assert result["history_rows_per_s"] == 300
    assert result["phases"] == {"source": 8.1}
    outcome.check(result, ["tills"])


def test_tables_show_counts_and_intervals(report: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=120)
    for table in outcome.tables(outcome.compose(report, {})):
        console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "history: run" in text
    assert "11:59:00 – 12:00:00" in text


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda r: r["kinds"]["connection"].update(failed=1), "connection: 1 failed"),
        (lambda r: r["history"]["kinds"]["run"].update(failed=2, failed_by_code={"x": 2}), "2 rows refused [(]x[)]"),
        (lambda r: r["history"]["kinds"]["run"].update(target_hashes=["a", "x"]), "history of run"),
        (lambda r: r["cutover"][0].update(first_target_state="failed"), "tills ended failed"),
        (lambda r: r["cutover"].clear(), "tills ended None"),
    ],
)
def test_what_went_wrong_is_said(report: dict[str, Any], break_it: Any, said: str) -> None:
    break_it(report)
    with pytest.raises(Broken, match=said):
        outcome.check(outcome.compose(report, {}), ["tills"])
