"""Airflow's own forms of connections and variables are read as Airflow reads them. Breaks for who brings an estate along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerodrome.environments import files, formats, rules
from aerodrome.environments.contract import Wish
from aerodrome.environments.files import Format, Line
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
HOST = st.from_regex(r"(https?://)?[a-z][a-z0-9-]{0,10}(\.[a-z]{2,5})?", fullmatch=True)
JSON = st.recursive(st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
CONNECTIONS = st.fixed_dictionaries(
    {"conn_type": st.sampled_from(["postgres", "http", "google_cloud_platform", "a1"])},
    optional={
        "host": HOST, "port": st.integers(1, 65535), "schema": TEXT, "login": TEXT, "password": TEXT,
        "extra": st.dictionaries(TEXT, JSON, min_size=1, max_size=3),
    },
)  # fmt: skip


def read(data: dict[str, Any]) -> dict[str, Any]:
    return dict(rules.check(Wish("connection", "c", formats.fields_of_data(data))).fields)


@given(CONNECTIONS)
def test_a_uri_says_the_same_as_the_dictionary(data: dict[str, Any]) -> None:
    fields = rules.check(Wish("connection", "c", formats.fields_of_uri(formats.uri_of(data)))).fields
    assert formats.connection_data({name: value for name, value in fields.items() if value is not None}) == data


@given(CONNECTIONS, st.sampled_from(["json", "yaml", "env"]))
def test_a_file_that_we_write_is_read_back_unchanged(data: dict[str, Any], format_: Format) -> None:
    text = files.write("connection", format_, [Line("c", formats.fields_of_data(data))])
    (line,) = files.read("connection", format_, text)
    assert line.problem is None
    found = rules.check(Wish("connection", "c", line.fields)).fields
    assert formats.connection_data({name: value for name, value in found.items() if value is not None}) == data


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from(["json", "yaml"]))
def test_the_text_of_a_variable_survives_exactly(text: str, format_: Format) -> None:
    if format_ == "yaml":
        text = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    (line,) = files.read("variable", format_, files.write("variable", format_, [Line("v", {"value": text})]))
    assert line.fields == {"value": text}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40))
def test_the_text_of_an_environment_variable_survives(text: str) -> None:
    text = text.replace("\x85", "").strip()
    (line,) = files.read("env", "env", files.write("env", "env", [Line("V", {"value": text})]))
    assert line.fields == {"value": text}


@pytest.mark.parametrize(
    ("uri", "fields"),
    [
        ("postgresql://u:p%40ss@h:5432/db?sslmode=require", {
            "conn_type": "postgresql", "host": "h", "port": 5432, "schema": "db", "login": "u", "password": "p@ss",
            "extra.sslmode": "require",
        }),
        ("http://https://api.example/v1?timeout=5", {
            "conn_type": "http", "host": "https://api.example", "schema": "v1", "extra.timeout": 5,
        }),
        ("aws://?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D", {"conn_type": "aws", "extra.a": {"b": 1}}),
        ("aws:///?region_name=eu", {"conn_type": "aws", "extra.region_name": "eu"}),
    ],
)  # fmt: skip
def test_uris_of_airflow_are_read(uri: str, fields: dict[str, Any]) -> None:
    assert formats.fields_of_uri(uri) == fields


def test_what_cannot_be_read_is_said_without_values() -> None:
    text = json.dumps({
        "a": "canary-no-uri", "b": {"conn_type": "http", "user": "canary"}, "c": {"extra": "canary-no-json"},
        "d": ["x://a", "x://b"], "e": {"conn_type": "http", "extra": "[1]"},
    })  # fmt: skip
    lines = files.read("connection", "json", text)
    assert all(line.problem for line in lines)
    assert "canary" not in str([line.problem for line in lines])
    for format_ in ("json", "yaml"):
        with pytest.raises(Invalid):
            files.read("variable", format_, "[canary")
    with pytest.raises(Invalid, match="twice"):
        files.read("variable", "json", '{"a": 1, "a": 2}')


def test_secrets_stay_secret_until_a_file_is_written() -> None:
    fields = {"conn_type": "http", "password": Secret("canary-1"), "extra.token": Secret('"canary-2"')}
    assert "canary" not in str(fields)
    assert formats.connection_data(fields) == {
        "conn_type": "http", "password": "canary-1", "extra": {"token": "canary-2"},
    }  # fmt: skip
    assert read({"conn_type": "x-y", "port": "5"}) == {"conn_type": "x_y", "port": 5}


def test_a_small_file_that_stands_for_a_huge_one_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    for format_, text in (("yaml", "\n".join(lines)), ("yaml", "a: " + "[" * 5000), ("json", '{"a": ' + "[" * 100_000)):
        with pytest.raises(Invalid) as caught:
            files.read("variable", format_, text)  # type: ignore[arg-type]
        assert caught.value.code == "environment-file-unreadable"
