"""What AWS Secrets Manager and SSM Parameter Store share: signing in, limits of time, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.secretstores.vendor import (
    ATTEMPTS,
    CONNECT_S,
    READ_S,
    Plain,
    denied,
    failing,
    missing_library,
    not_signed_in,
    quiet,
    refused,
    throttled,
    unreachable,
)

_CREDENTIALS: Final = (
    "Check the access key, or the role and profile of this machine: `aws sts get-caller-identity` tells."
)
_BAD_KEYS: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "AuthFailure",
    }
)
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException"}
)
_WRITES: Final = frozenset({"PutSecretValue", "CreateSecret", "PutParameter"})
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})


def make_client(service: str, plain: Plain) -> Any:
    """Give a boto3 client (thread-safe) with bounded time and retries."""
    try:
        import boto3
        import botocore.session
        from botocore.config import Config
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    except ImportError as error:
        raise missing_library("aws", "AWS (boto3)") from error
    quiet("botocore", "boto3", "urllib3")
    endpoint = plain.get("endpoint_url") or None
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra="aerodrome",
        inject_host_prefix=endpoint is None,  # an endpoint of one's own is the whole host, without `api.` or `env.`
    )
    verify = plain.get("ca_file") or None
    with translated("AWS", service, "sign in", plain):
        session = boto3.session.Session(
            aws_access_key_id=plain.get("access_key_id") or None,
            aws_secret_access_key=plain.reveal("secret_access_key"),
            aws_session_token=plain.reveal("session_token"),
            region_name=plain.get("region") or None,
            profile_name=plain.get("profile") or None,
        )
        if role := plain.get("role_arn"):
            source = session._session  # noqa: SLF001  (boto3 has no public way to refresh an assumed role)
            create = partial(source.create_client, endpoint_url=endpoint, config=config, verify=verify)
            fetcher = AssumeRoleCredentialFetcher(
                create, source.get_credentials(), role, extra_args={"RoleSessionName": "aerodrome"}
            )
            assumed = botocore.session.get_session()
            assumed._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
                method="assume-role", refresh_using=fetcher.fetch_credentials
            )
            session = boto3.session.Session(botocore_session=assumed, region_name=plain.get("region") or None)
        return session.client(service, endpoint_url=endpoint, config=config, verify=verify)


def code_of(error: Any) -> str:
    """Give AWS's code of a ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))


def words_of(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


@contextmanager
def translated(service: str, action: str, resource: str, plain: Plain) -> Iterator[None]:
    """Turn botocore's errors into ours; `action` is the IAM action ("secretsmanager:GetSecretValue")."""
    from botocore import exceptions as raised

    where = plain.get("endpoint_url") or plain.get("region") or "the default region"
    try:
        yield
    except raised.ClientError as error:
        raise _client_error(service, action, resource, plain, error) from None
    except (raised.NoCredentialsError, raised.PartialCredentialsError, raised.CredentialRetrievalError) as error:
        raise not_signed_in(service, type(error).__name__ + ".", _CREDENTIALS) from None
    except raised.ProfileNotFound:
        raise not_signed_in(service, f"there is no profile {plain.get('profile')}.", _CREDENTIALS) from None
    except raised.NoRegionError:
        raise Broken(f"{service} needs a region.", code="backend-region-missing", hint="Set region.") from None
    except (raised.HTTPClientError, raised.ConnectionError) as error:
        raise unreachable(service, where, type(error).__name__) from None
    except raised.ParamValidationError:
        # its text quotes what was sent
        raise refused(service, resource, "a parameter has a wrong length or character.") from None
    except (raised.BotoCoreError, ValueError) as error:
        raise Broken(f"{service} cannot be used ({type(error).__name__}).", code="backend-broken") from None


def _client_error(service: str, action: str, resource: str, plain: Plain, error: Any) -> AerodromeError:
    code, said = code_of(error), words_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _DENIED:
        if error.operation_name == "AssumeRole":
            action, resource = "sts:AssumeRole", plain.get("role_arn")
        if "kms" in said.lower():
            action = "kms:Decrypt and kms:GenerateDataKey"
        hint = f"Allow {action} on {resource} in the policy of the user or role that is used."
        return denied(service, action, resource, hint, said)
    if code in _BAD_KEYS:
        return not_signed_in(service, f"{code}.", _CREDENTIALS)
    if code in _THROTTLED or status == 429:
        return throttled(service)
    if status >= 500 or code in {"InternalServiceError", "InternalServerError", "ServiceUnavailable"}:
        return failing(service, code or str(status))
    if error.operation_name in _WRITES:  # their words may quote the value
        return refused(service, resource, f"{code}. A Parameter Store takes no value with {{{{ in it.")
    return refused(service, resource, f"{code}: {said}")
