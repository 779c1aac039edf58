"""The behaviour that every secret store shows. Subclass it in a test and give the fixture `secret_store`.

class TestMine(SecretStoreConformance):
@pytest.fixture
def secret_store(self) -> SecretStore: ...
"""
# ruff: noqa: S101  (asserts are what a conformance suite is made of)

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from aerodrome.kernel.errors import AerodromeError, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import MAX_PATH, SecretStore

_CANARY = "canary-2f7c9e41"
E = TypeVar("E", bound=AerodromeError)


def _raised(kind: type[E], act: Callable[[], Any]) -> E:
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


class SecretStoreConformance:
    """Each method is a test. `large` is a value near the most that the service holds."""

    large = "x" * 60_000

    def test_what_was_put_is_given(self, secret_store: SecretStore) -> None:
        texts = ("simple", "", "two\nlines", "ünïcode ☃", '{"json": "x"}', self.large, " spaces ", "aerodrome:x")
        for value in texts:
            secret_store.put("a/b", Secret(value))
            assert secret_store.get("a/b").reveal() == value

    def test_put_replaces(self, secret_store: SecretStore) -> None:
        secret_store.put("a", Secret("one"))
        secret_store.put("a", Secret("two"))
        assert secret_store.get("a").reveal() == "two"
        assert secret_store.list("") == ["a"]

    def test_missing_is_not_found(self, secret_store: SecretStore) -> None:
        secret_store.put("a/b", Secret("x"))
        for path in ("a", "a/b/c", "A/b"):
            assert _raised(NotFound, lambda path=path: secret_store.get(path)).code == "secret-unknown"  # type: ignore[misc]

    def test_delete_forgets_and_repeats(self, secret_store: SecretStore) -> None:
        secret_store.put("a/b", Secret("x"))
        secret_store.put("a/b2", Secret("y"))
        secret_store.delete("a/b")
        secret_store.delete("a/b")
        _raised(NotFound, lambda: secret_store.get("a/b"))
        assert secret_store.get("a/b2").reveal() == "y"

    def test_many_at_once(self, secret_store: SecretStore) -> None:
        values = {f"many/{number:02}": Secret(f"value {number}") for number in range(23)}
        secret_store.put_many(values)
        assert secret_store.get_many(list(values)) == values
        secret_store.put_many({"many/00": Secret("other"), "many/99": Secret("new")})
        assert secret_store.get_many(["many/99", "many/00"]) == {"many/00": Secret("other"), "many/99": Secret("new")}
        assert _raised(NotFound, lambda: secret_store.get_many(["many/01", "many/none"])).code == "secret-unknown"
        secret_store.delete_many([*values, "many/none"])
        assert secret_store.list("many") == ["many/99"]
        secret_store.put_many({})
        assert secret_store.get_many([]) == {}

    def test_put_after_delete(self, secret_store: SecretStore) -> None:
        for value in ("one", "two"):
            secret_store.put("a/b", Secret(value))
            assert secret_store.get("a/b").reveal() == value
            secret_store.delete("a/b")
            _raised(NotFound, lambda: secret_store.get("a/b"))
            assert secret_store.list("") == []

    def test_capitals_are_other_letters(self, secret_store: SecretStore) -> None:
        secret_store.put("env/DB_URL", Secret("upper"))
        secret_store.put("env/db_url", Secret("lower"))
        secret_store.put("env/Db-Url.x@y:z+1", Secret("mixed"))
        assert secret_store.get("env/DB_URL").reveal() == "upper"
        assert secret_store.get("env/db_url").reveal() == "lower"
        assert secret_store.list("env") == ["env/DB_URL", "env/Db-Url.x@y:z+1", "env/db_url"]

    def test_list_knows_whole_segments(self, secret_store: SecretStore) -> None:
        for path in ("dep/1/key", "dep/1/env/A_B", "dep/1/env/AxB", "dep/10/key", "other"):
            secret_store.put(path, Secret("x"))
        assert secret_store.list("dep/1") == ["dep/1/env/A_B", "dep/1/env/AxB", "dep/1/key"]
        assert secret_store.list("dep/1/env/A_B") == ["dep/1/env/A_B"]
        assert secret_store.list("dep/1/") == secret_store.list("dep/1")
        assert secret_store.list("") == sorted(["dep/1/key", "dep/1/env/A_B", "dep/1/env/AxB", "dep/10/key", "other"])
        assert secret_store.list("nothing") == []

    def test_bad_paths_are_invalid(self, secret_store: SecretStore) -> None:
        for path in ("", "/a", "a/", "a//b", "a/../b", ".", "a b", "a\nb", "a%", "é", "x" * (MAX_PATH + 1)):
            for act in (secret_store.get, secret_store.delete, lambda p: secret_store.put(p, Secret("x"))):
                error = _raised(Invalid, lambda act=act, path=path: act(path))  # type: ignore[misc]
                assert error.code == "secret-path-invalid"

    def test_no_value_is_ever_shown(self, secret_store: SecretStore) -> None:
        shown: list[str] = []

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                shown.append(record.getMessage() + repr(record.args))

        listener = Listener(level=logging.DEBUG)
        root = logging.getLogger()
        level = root.level
        root.addHandler(listener)
        root.setLevel(logging.DEBUG)
        try:
            secret_store.put("a/b", Secret(_CANARY))
            got = secret_store.get("a/b")
            shown += [repr(got), str(got), repr(secret_store), str(secret_store.list(""))]
            shown.append(str(_raised(Invalid, lambda: secret_store.put("a b", Secret(_CANARY))).as_data()))
            secret_store.delete("a/b")
        finally:
            root.removeHandler(listener)
            root.setLevel(level)
        assert not [text for text in shown if _CANARY in text]

    def test_probe_is_quiet_when_all_is_well(self, secret_store: SecretStore) -> None:
        secret_store.probe()
        secret_store.put("a", Secret("x"))
        secret_store.probe()
        assert secret_store.list("") == ["a"]
