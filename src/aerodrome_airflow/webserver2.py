"""Configuration of Airflow 2's web server: nobody has a password, the platform's signed token is the only way in.

Loaded by Airflow 2 as `[webserver] config_file`. The gate, or the platform itself, sends `Authorization: Bearer <token>`: an
Ed25519 JWT signed by a key of the deployment's key set, for pages and for the stable REST API alike (its session backend asks
the same login manager). A user row is made for each subject at its first visit; it holds no password that could be used.
"""

import json
import logging
import os
from typing import Any

import jwt  # comes with Airflow
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask_appbuilder.const import AUTH_REMOTE_USER

log = logging.getLogger(__name__)

_ROLES = {"viewer": "Viewer", "user": "User", "op": "Op", "admin": "Admin"}
_UNUSABLE_PASSWORD = "!"  # noqa: S105  no hash ever equals it


def read_token(header: str) -> "dict[str, Any] | None":
    """Give the claims of a valid bearer token, None for anything else."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        with open(os.environ["AERODROME_KEY_SET"]) as stream:  # noqa: PTH123  Airflow 2 runs on Python 3.8 too
            keys = {key["kid"]: key for key in json.load(stream)["keys"]}
        if key_id not in keys:
            return None
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK.from_dict(keys[key_id], algorithm="EdDSA").key,
            algorithms=["EdDSA"],
            audience=os.environ["AERODROME_AUDIENCE"],
            options={"require": ["exp", "iat", "nbf", "sub"]},
            leeway=10,
        )
    except jwt.PyJWTError:
        log.info("A token was refused")
        return None
    return claims if claims.get("role") in _ROLES else None


class GateSecurityManager(FabAirflowSecurityManagerOverride):  # type: ignore[misc]  # its base is known in Airflow only
    """Signs in the bearer of a token for the length of one request."""

    def create_login_manager(self, *args: Any) -> Any:
        manager = super().create_login_manager(*args)
        manager.request_loader(self.load_user_from_request)
        return manager

    def load_user_from_request(self, request: Any) -> Any:
        claims = read_token(request.headers.get("Authorization", ""))
        return None if claims is None else self._user_of(claims["sub"], _ROLES[claims["role"]])

    def _user_of(self, subject: str, role_name: str) -> Any:
        user = self.find_user(username=subject)
        role = self.find_role(role_name)
        if user is None:
            user = self.add_user(
                username=subject,
                first_name=subject,
                last_name="",
                email=f"{subject}@aerodrome.invalid",
                role=role,
                hashed_password=_UNUSABLE_PASSWORD,
            )
        elif [known.name for known in user.roles] != [role_name]:
            user.roles = [role]
            self.update_user(user)
        return user or self.find_user(username=subject)  # the other worker made it first


AUTH_TYPE = AUTH_REMOTE_USER
AUTH_ROLE_PUBLIC = None
AUTH_USER_REGISTRATION = False
SECURITY_MANAGER_CLASS = GateSecurityManager
WTF_CSRF_ENABLED = True
WTF_CSRF_TIME_LIMIT = None
