"""The demo edits the proposed plan as a person would: text stays text, comments stay where they are."""

from __future__ import annotations

import pytest
import yaml

from aerodrome.demo.plan_edit import choose_first_wave, choose_python
from aerodrome.kernel.errors import Invalid

PLAN = """\
# Migration plan.
version: 1

target:
  airflow: 3.3.2   # Airflow version of the target
  python: "3.11"

# DAGs that move together, in this order.
waves:
  - name: wave-1
    criticality: low
    dags:
      - tills      # short runs
      - doors
  - name: wave-2
    criticality: medium
    dags:
      - stock

# DAGs that stay in the source.
excluded: []
"""


def test_chosen_dags_come_first_and_emptied_waves_go() -> None:
    edited = choose_first_wave(PLAN, ["stock", "tills"])
    assert yaml.safe_load(edited)["waves"] == [
        {"name": "first", "criticality": "medium", "dags": ["stock", "tills"]},
        {"name": "wave-1", "criticality": "low", "dags": ["doors"]},
    ]


def test_what_was_chosen_before_comes_next() -> None:
    edited = choose_first_wave(choose_first_wave(PLAN, ["stock"], "later"), ["doors"])
    assert [(wave["name"], wave["dags"]) for wave in yaml.safe_load(edited)["waves"]] == [
        ("first", ["doors"]),
        ("later", ["stock"]),
        ("wave-1", ["tills"]),
    ]


def test_everything_else_and_all_its_comments_stay() -> None:
    edited = choose_first_wave(PLAN, ["doors"])
    before, after = PLAN.split("waves:", maxsplit=1)[0], edited.split("waves:")[0]
    assert before == after
    assert "# DAGs that stay in the source.\nexcluded: []\n" in edited
    whole, was = yaml.safe_load(edited), yaml.safe_load(PLAN)
    assert {key: value for key, value in whole.items() if key != "waves"} == {
        key: value for key, value in was.items() if key != "waves"
    }


def test_unknown_dag_is_named() -> None:
    with pytest.raises(Invalid, match="nowhere"):
        choose_first_wave(PLAN, ["nowhere"])


@pytest.mark.parametrize("quote", ['"', ""])
def test_python_of_the_target_is_chosen(quote: str) -> None:
    text = PLAN.replace('"3.11"', f"{quote}3.11{quote}")
    assert yaml.safe_load(choose_python(text, "3.12"))["target"] == {"airflow": "3.3.2", "python": "3.12"}
