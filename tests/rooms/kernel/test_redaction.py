"""What the last net catches: a secret that got into a text all the same."""

from __future__ import annotations

import pytest

from aerodrome.airflowkit.metadata import label_of
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK, Secret

CANARY = "canary-7f3a"
URLS = (
    f"postgresql://airflow:{CANARY}@db:5432/airflow",
    f"postgresql://airflow:{CANARY}/x@db:5432/airflow",
    f"postgresql+psycopg://airflow:{CANARY}@{CANARY}@db/airflow",
    f"postgresql://airflow@db/airflow?password={CANARY}&sslmode=require",
    f"postgresql://airflow@db/airflow?sslmode=require&sslpassword={CANARY}",
)


@pytest.mark.parametrize("url", URLS)
def test_passwords_in_urls_are_masked_in_texts(url: str) -> None:
    masked = Redactor().text(f"cannot reach {url}: refused, see http://docs:80/page")
    assert CANARY not in masked
    assert MASK in masked
    assert masked.endswith(" refused, see http://docs:80/page")


@pytest.mark.parametrize("url", [*URLS[:2], *URLS[3:]])
def test_the_label_of_a_database_says_where_it_is_and_no_more(url: str) -> None:
    label = label_of(Secret(url))
    assert CANARY not in label
    assert label.startswith("postgresql+psycopg://airflow")
    assert "@db" in label
    assert label.endswith("/airflow")


def test_the_tail_of_a_password_is_not_shown_as_a_host() -> None:
    with pytest.raises(Invalid) as told:
        label_of(Secret(URLS[2]))
    assert CANARY not in str(told.value)
    assert "%40" in told.value.hint


def test_registered_values_and_telling_keys_are_masked() -> None:
    redactor = Redactor()
    redactor.register(CANARY)
    assert redactor.data({"password": "x1", "note": f"it is {CANARY}", "deep": [{"api_key": "y2"}]}) == {
        "password": MASK,
        "note": f"it is {MASK}",
        "deep": [{"api_key": MASK}],
    }
