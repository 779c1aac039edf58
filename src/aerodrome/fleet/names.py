"""Rules for what people type: names, environment variables, configuration keys. Every refusal names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aerodrome.kernel.errors import Invalid

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_CONFIG = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_ID = re.compile(r"(ws|clu|dep|dpl)_[0-9a-hjkmnp-tv-z]{26}")
PARALLELISM = range(1, 65)
# Set by the platform; a different value would cut the deployment off from its own data or keys.
_OWNED = frozenset(
    {
        "core.fernet_key",
        "core.auth_manager",
        "core.simple_auth_manager_users",
        "core.simple_auth_manager_all_admins",
        "database.sql_alchemy_conn",
        "core.sql_alchemy_conn",
        "api_auth.jwt_secret",
        "api_auth.jwt_private_key_path",
        "api_auth.trusted_jwks_url",
        "api_auth.jwt_algorithm",
        "api.host",
        "api.port",
        "api.base_url",
        "api.secret_key",
        "webserver.web_server_host",
        "webserver.web_server_port",
        "webserver.base_url",
        "webserver.secret_key",
    }
)
_OWNED_ENV = frozenset({"AIRFLOW_HOME", "AIRFLOW_CONFIG", "PATH", "PYTHONHOME", "VIRTUAL_ENV"})


def is_id(text: str) -> bool:
    """Tell whether the text looks like one of fleet's ids, rather than a name."""
    return _ID.fullmatch(text) is not None


def check_name(name: str, *, noun: str) -> str:
    """Give the name back, or raise Invalid: 1 to 63 of a-z, 0-9 and "-", not at the ends, not like an id."""
    if _NAME.fullmatch(name):
        return name
    raise Invalid(
        f"{name[:80]!r} cannot be the name of a {noun}.",
        code="name-invalid",
        hint='Use 1 to 63 characters of a-z, 0-9 and "-", starting and ending with a letter or digit.',
        details={"field": "name"},
    )


def check_parallelism(value: int) -> int:
    if value in PARALLELISM:
        return value
    raise Invalid(
        f"Parallelism {value} is out of range.",
        code="parallelism-invalid",
        hint=f"Choose {PARALLELISM.start} to {PARALLELISM.stop - 1} tasks at a time.",
        details={"field": "parallelism"},
    )


def check_env(env: Mapping[str, Any]) -> None:
    """Raise Invalid for a name that is no environment variable or that the platform sets itself."""
    for name in env:
        if not _ENV.fullmatch(name):
            raise Invalid(
                f"{name[:80]!r} cannot be the name of an environment variable.",
                code="env-name-invalid",
                hint="Use letters, digits and _, not starting with a digit.",
                details={"field": f"env.{name[:80]}"},
            )
        if name.upper() in _OWNED_ENV or _option_of(name) in _OWNED:
            raise _owned(name, f"env.{name}")


def check_config(config: Mapping[str, str]) -> None:
    """Raise Invalid for a key that is not `section.option` or that the platform sets itself."""
    for key in config:
        if not _CONFIG.fullmatch(key):
            raise Invalid(
                f"{key[:80]!r} is not an Airflow option.",
                code="config-key-invalid",
                hint="Write section.option, for example scheduler.catchup_by_default.",
                details={"field": f"config.{key[:80]}"},
            )
        if key in _OWNED:
            raise _owned(key, f"config.{key}")
        if key == "core.parallelism":
            raise Invalid(
                "core.parallelism is a setting of the deployment by its own name.",
                code="setting-owned",
                hint="Use --parallelism, or the field Parallelism of the page Settings.",
                details={"field": f"config.{key}"},
            )


def _option_of(env_name: str) -> str | None:
    """AIRFLOW__CORE__FERNET_KEY, also with _CMD or _SECRET behind it -> core.fernet_key."""
    head, _, rest = env_name.upper().partition("__")
    section, separator, option = rest.lower().partition("__")
    if head != "AIRFLOW" or not separator:
        return None
    for suffix in ("_cmd", "_secret"):
        if f"{section}.{option}" not in _OWNED:
            option = option.removesuffix(suffix)
    return f"{section}.{option}"


def _owned(name: str, field: str) -> Invalid:
    return Invalid(
        f"{name} is set by the platform.",
        code="setting-owned",
        hint="Leave it out: a different value would cut the deployment off from its own data or keys.",
        details={"field": field},
    )


def check_bundle_name(name: str) -> str:
    """Give the name of a DAG bundle back, or raise Invalid; `project` is the project's own."""
    if _NAME.fullmatch(name) and name != "project":
        return name
    raise Invalid(
        f"{name[:80]!r} cannot be the name of a DAG bundle.",
        code="bundle-name-invalid",
        hint='Use 1 to 63 characters of a-z, 0-9 and "-"; "project" is the project\'s own dags/.',
        details={"field": "bundle"},
    )
