"""Settings: right by default, closed by default, and wrong ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("AERODROME_")]:
        monkeypatch.delenv(name)


def test_defaults_open_nothing_to_the_network() -> None:
    settings = load_settings()
    assert settings.host == "127.0.0.1"
    assert settings.url == "http://127.0.0.1:8700"
    assert settings.gate_url == "http://127.0.0.1:8701"
    assert settings.home.is_absolute()
    assert settings.store_url.reveal() == f"sqlite:///{settings.home}/aerodrome.db"


def test_environment_and_overrides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AERODROME_HOME", str(tmp_path))
    monkeypatch.setenv("AERODROME_PORT", "9000")
    monkeypatch.setenv("AERODROME_ALLOWED_HOSTS", "a.example, b.example")
    settings = load_settings(port=9100, host=None)
    assert (settings.home, settings.port, settings.host) == (tmp_path, 9100, "127.0.0.1")
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.bundles_dir == tmp_path / "bundles"


def test_a_wrong_setting_is_named_but_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AERODROME_PORT", "canary-77")
    with pytest.raises(Invalid) as caught:
        load_settings()
    assert caught.value.code == "setting-invalid"
    assert "AERODROME_PORT" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_the_database_password_is_not_shown() -> None:
    settings = load_settings(database_url="postgresql+psycopg://u:canary-88@127.0.0.1/x")
    assert "canary-88" not in repr(settings) + str(settings) + repr(settings.store_url)


def test_every_setting_explains_itself() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert len(field.description.split()) > 5, name
    units = [
        name for name in Settings.model_fields if "seconds" in (Settings.model_fields[name].description or "").lower()
    ]
    assert all(name.endswith("_s") for name in units)


def test_bound_to_everything_still_gives_a_url_that_works() -> None:
    assert load_settings(host="0.0.0.0").url == "http://127.0.0.1:8700"
    assert load_settings(host="::1").url == "http://[::1]:8700"
    assert load_settings(public_url="https://x.example/").url == "https://x.example"
