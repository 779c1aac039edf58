"""Which findings the page of a migration shows. If this breaks, people look for a finding that they filtered away."""

from __future__ import annotations

from typing import Any

from aerodrome.web.ui.pages.migration_findings import ROWS, Filter, shown


def finding(number: int, severity: str = "warning", code: str = "sla", **more: Any) -> dict[str, Any]:
    return {
        "severity": severity,
        "code": code,
        "subject": f"dag_{number}",
        "file": None,
        "message": "Airflow 3 has none.",
        **more,
    }


ALL = [finding(number) for number in range(ROWS + 5)] + [
    finding(900, "blocker", "subdag", file="dags/Sales.py", message="No SubDAGs any more.")
]


def test_everything_is_there_page_by_page_and_none_twice() -> None:
    pages = [shown(ALL, Filter(page=number))["findings"] for number in (1, 2)]
    assert pages[0] + pages[1] == ALL
    assert shown(ALL, Filter(page=99))["page"] == 2
    assert shown(ALL, Filter(page=-1))["page"] == 1


def test_filters_hold_together_and_look_at_subject_file_and_message() -> None:
    for wanted in (Filter(severity="blocker"), Filter(code="subdag"), Filter(text="sales.PY"), Filter(text="subdags")):
        assert shown(ALL, wanted)["findings"] == ALL[-1:]
    nothing = shown(ALL, Filter(severity="blocker", code="sla"))
    assert (nothing["findings"], nothing["found"], nothing["pages"]) == ([], 0, 1)


def test_the_summary_counts_all_codes_whatever_is_filtered() -> None:
    assert shown(ALL, Filter(code="subdag"))["codes"] == [("sla", "warning", ROWS + 5), ("subdag", "blocker", 1)]


def test_addresses_carry_what_is_chosen_and_nothing_else() -> None:
    assert Filter().query() == "?"
    assert Filter(text="a&b", page=3).query(page=1) == "?text=a%26b"
    assert Filter(severity="info").query(page=2) == "?severity=info&page=2"
