"""Methods of connections, where the file shows that it is one."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)


def body(text: str) -> str:
    return (
        "from airflow.hooks.base import BaseHook\nfrom airflow.providers.http.hooks.http import HttpHook\n"
        "from mine import shelf\nclass Till(BaseHook):\n    def load(self, other):\n"
        f"        {text}\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return BaseHook.get_connection('a').get_password()", "return BaseHook.get_connection('a').password"),
        ("return self.get_connection('a').get_extra()", "return self.get_connection('a').extra"),
        ("return HttpHook().get_connection('a').get_password( )", "return HttpHook().get_connection('a').password"),
        ("c = BaseHook.get_connection('a'); return c.get_password()", "c = BaseHook.get_connection('a'); return c.password"),
        ("return other.get_password()", "return other.get_password()"),
        ("return shelf.get_connection('a').get_password()", "return shelf.get_connection('a').get_password()"),
        ("c = BaseHook.get_connection('a'); c = shelf; c.get_extra()", "c = BaseHook.get_connection('a'); c = shelf; c.get_extra()"),
    ],
)  # fmt: skip
def test_fields_take_the_place_of_methods(before: str, after: str) -> None:
    done = rewrite(body(before).encode(), RULES, PINNING)
    assert done.text.decode().endswith(f"        {after}\n")


@pytest.mark.parametrize("call", ["debug_info()", "set_extra('{}')", "is_encrypted"])
def test_what_has_no_equal_is_told(call: str) -> None:
    done = rewrite(body(f"return BaseHook.get_connection('a').{call}").encode(), RULES, PINNING)
    assert ("connection-method", 6) in [(code, spot.line) for code, spot in done.spots]
