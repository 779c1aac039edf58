"""Version facts: would a deployment be refused or accepted rightly?"""

from __future__ import annotations

import pytest

from aerodrome.airflowkit.versions import DEFAULT, DEFAULT_PYTHON, SUPPORTED, AirflowVersion, require_supported
from aerodrome.kernel.errors import Invalid


def test_versions_compare_by_number() -> None:
    assert AirflowVersion.parse("2.9.3") < AirflowVersion.parse("2.10.0") < AirflowVersion.parse("3.0.0")
    assert str(AirflowVersion.parse("3.3.2")) == "3.3.2"


@pytest.mark.parametrize("text", ["3", "3.3", "3.3.2rc1", "latest", ""])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        AirflowVersion.parse(text)
    assert caught.value.code == "airflow-version-malformed"


@pytest.mark.parametrize("text", SUPPORTED)
def test_every_supported_version_has_its_facts(text: str) -> None:
    version = require_supported(text, DEFAULT_PYTHON)
    assert version.exclude_newer is not None
    assert version.web_component in version.components


def test_the_default_is_supported_and_others_are_explained() -> None:
    require_supported(DEFAULT, DEFAULT_PYTHON)
    with pytest.raises(Invalid, match=r"9\.9\.9 is not among"):
        require_supported("9.9.9", "3.11")
    with pytest.raises(Invalid) as caught:
        require_supported("2.11.2", "3.13")
    assert "3.12" in caught.value.hint
