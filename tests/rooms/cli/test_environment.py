"""Connections and variables as a person types them. Secret values come by a pipe or a file, and leave only when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.cli.conftest import Person, Server

CANARY = "canary-typed-password"


@pytest.fixture
def admin(serve: Callable[..., Server], tmp_path: Path) -> Person:
    person = Person(tmp_path / "config")
    server = serve(tmp_path / "home", "--role", "web")
    assert server.link is not None
    assert person.run("login", server.link).code == 0
    assert person.run("workspace", "create", "data").code == 0
    assert person.run("deployment", "create", "sales", "--workspace", "data").code == 0
    return person


def test_a_connection_from_its_first_word_to_its_last_file(admin: Person, tmp_path: Path) -> None:
    heard: list[str] = []

    def env(*words: str, typed: str = "", code: int = 0) -> str:
        done = admin.run("env", *words, typed=typed)
        assert done.code == code, done.err
        heard.append(done.out + done.err)
        return done.out

    warehouse = ("--kind", "connection", "--workspace", "data")
    fields = ("conn_type=postgres", "host=db.internal", "port=5432", "extra.sslmode=require")
    env("set", "warehouse", *fields, *warehouse, "--secret", "password", "--description", "Sales", typed=f"{CANARY}\n")
    env("set", "warehouse", "host=db2.internal", "login=", *warehouse)
    shown = json.loads(env("show", "warehouse", *warehouse, "-o", "json"))
    assert (shown["version"], shown["fields"]["host"], shown["secret_fields"]) == (2, "db2.internal", ["password"])
    env(
        "link",
        "warehouse",
        "host=dev",
        *warehouse,
        "--deployment",
        "sales",
        "--secret",
        "password",
        typed=f"{CANARY}2\n",
    )
    assert "password" in env("show", "warehouse", *warehouse)
    assert "dev" in env("list", "--deployment", "sales", "--effective")
    assert "host" in env("history", "warehouse", *warehouse)
    env("restore", "warehouse", "--version", "1", *warehouse)
    refused = env("set", "two words", "conn_type=http", *warehouse, code=2)
    assert refused == ""
    env("test", "warehouse", "--deployment", "sales", code=6)

    env("set", "region=eu", "--kind", "variable", "--workspace", "data")
    env("set", "region", "--kind", "variable", "--workspace", "data", "--mark-secret")
    env("set", "LEVEL=info", "--workspace", "data")
    env("set", "--secret", "API_KEY", "--deployment", "sales", typed=f"{CANARY}3\n")
    assert set(json.loads(env("list", "--deployment", "sales", "-o", "json"))) == {"LEVEL", "API_KEY"}

    masked, whole = tmp_path / "masked.yaml", tmp_path / "whole.json"
    env("export", *warehouse, "--to", str(masked))
    env("import", str(masked), *warehouse, "--policy", "overwrite", code=2)
    env("export", *warehouse, "--with-secrets", "--to", str(whole), code=2)
    env("export", *warehouse, "--with-secrets", "--yes", "--to", str(whole))
    assert whole.stat().st_mode & 0o777 == 0o600
    assert CANARY in whole.read_text()
    assert CANARY not in "".join(heard) + masked.read_text()
    assert "same" in env("import", str(whole), *warehouse, "--dry-run")
    (tmp_path / "some.env").write_text("# words\nexport COLOUR='blue sky'\nBAD\n")
    assert "invalid" in env("import", str(tmp_path / "some.env"), "--kind", "env", "--deployment", "sales", "--dry-run")
