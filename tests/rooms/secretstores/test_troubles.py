"""What goes wrong out there: throttling, server errors, refusals with the exact permission, wrong credentials, no server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from traceback import format_exception
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rooms.secretstores.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer
from tests.rooms.secretstores.servers.azure import CLIENT, CLIENT_SECRET, TENANT, AzureServer
from tests.rooms.secretstores.servers.gcp import PROJECT, GcpServer
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer

from aerodrome.kernel.errors import Broken, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.checks import run_checks
from aerodrome.secretstores.kinds import KINDS, checked, kind_of, open_mapped, open_vendor
from aerodrome.secretstores.names import SPELLINGS
from aerodrome.secretstores.vendor import Vendor


@dataclass
class Case:
    """One vendor with its server, and how to make that server misbehave."""

    kind: str
    settings: dict[str, str]
    credentials: dict[str, Secret]
    name: str
    throttle: Callable[[], None]
    fail: Callable[[], None]
    deny: Callable[[str], None]  # list | read | write | delete
    permissions: dict[str, str] = field(default_factory=dict)  # verb -> what the error must name

    def open(self, **credentials: Secret) -> Vendor:
        return open_vendor(self.kind, self.settings, self.credentials | credentials)


def aws_case(server: AwsServer, kind: str) -> Case:
    actions = {
        "aws-secrets-manager": ("ListSecrets", "GetSecretValue", "PutSecretValue", "DeleteSecret"),
        "aws-parameter-store": ("GetParametersByPath", "GetParameter", "PutParameter", "DeleteParameter"),
    }[kind]
    verbs = dict(zip(("list", "read", "write", "delete"), actions, strict=True))
    service = "secretsmanager" if kind == "aws-secrets-manager" else "ssm"
    return Case(
        kind,
        {"region": "eu-west-1", "endpoint_url": server.url, "access_key_id": ACCESS_KEY},
        {"secret_access_key": Secret(SECRET_KEY)},
        "/team/x",
        lambda: server.statuses.append((400, "ThrottlingException")),
        lambda: server.statuses.append((503, "InternalServiceError")),
        lambda verb: server.denied.add(verbs[verb]),
        {verb: f"{service}:{action}" for verb, action in verbs.items()},
    )


def vault_case(server: VaultServer) -> Case:
    rules = {"list": ("secret/metadata/*", "list"), "delete": ("secret/metadata/*", "delete")}

    def deny(verb: str) -> None:
        pattern, capability = rules.get(verb, ("secret/data/*", {"read": "read", "write": "create"}.get(verb, "")))
        allowed = tuple(c for c in ("create", "read", "update", "delete", "list") if c != capability)
        server.policies[ROOT] = {pattern: allowed, **server.policies[ROOT]}

    words = {"list": '"list"', "read": '"read"', "write": '"create, update"', "delete": '"delete"'}
    return Case(
        "vault",
        {"url": server.url},
        {"token": Secret(ROOT)},
        "team/x",
        lambda: server.faults.statuses.append(429),
        lambda: server.faults.statuses.append(502),
        deny,
        {verb: f"the capability {word}" for verb, word in words.items()},
    )


def gcp_case(server: GcpServer) -> Case:
    permissions = {
        "list": "secretmanager.secrets.list",
        "read": "secretmanager.versions.access",
        "write": "secretmanager.versions.add",
        "delete": "secretmanager.secrets.delete",
    }
    return Case(
        "gcp-secret-manager",
        {"project": PROJECT, "endpoint": server.endpoint, "ca_file": str(server.ca_file)},
        {"service_account_key": Secret(server.key)},
        "team-x",
        lambda: server.failures.append(grpc.StatusCode.RESOURCE_EXHAUSTED),
        lambda: server.failures.append(grpc.StatusCode.INTERNAL),
        lambda verb: server.denied.add(permissions[verb]),
        permissions,
    )


def azure_case(server: AzureServer) -> Case:
    words = {"list": "list", "read": "get", "write": "set", "delete": "delete"}
    settings = {
        "vault_url": server.url,
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "authority": server.url,
        "ca_file": str(server.ca_file),
    }
    return Case(
        "azure-key-vault",
        settings,
        {"client_secret": Secret(CLIENT_SECRET)},
        "team-x",
        lambda: server.faults.statuses.append(429),
        lambda: server.faults.statuses.append(500),
        lambda verb: server.denied.add(words[verb]),
        {verb: f'the secret permission "{word}"' for verb, word in words.items()},
    )


@pytest.fixture(params=list(KINDS))
def case(request: pytest.FixtureRequest) -> Case:
    kind = request.param
    if kind.startswith("aws-"):
        return aws_case(request.getfixturevalue("aws_server"), kind)
    makers: dict[str, Callable[[Any], Case]] = {
        "vault": vault_case,
        "gcp-secret-manager": gcp_case,
        "azure-key-vault": azure_case,
    }
    server = {"vault": "vault_server", "gcp-secret-manager": "gcp_server", "azure-key-vault": "azure_server"}[kind]
    return makers[kind](request.getfixturevalue(server))


def test_one_throttled_and_one_failed_request_are_repeated(case: Case) -> None:
    vendor = case.open()
    vendor.put(case.name, Secret("before"))
    case.throttle()
    vendor.put(case.name, Secret("value"))
    case.fail()
    assert vendor.get(case.name) == Secret("value")
    case.throttle()
    assert vendor.names(case.name) == [case.name]


@pytest.mark.parametrize("verb", ["list", "write"])
def test_a_probe_names_the_missing_permission_and_a_next_step(case: Case, verb: str) -> None:
    vendor = case.open()
    assert [check.name for check in run_checks(vendor, {"": case.name})] == ["list", "read", "write", "delete"]
    case.deny(verb)
    checks = run_checks(vendor, {"": case.name})
    failed = next(check for check in checks if not check.is_ok)
    # a write is proved by reading back, so a refused read may show there first where nothing can be read yet
    assert failed.permission == case.permissions[verb]
    assert failed.code == "backend-permission-missing"
    assert failed.resource
    assert failed.hint
    assert case.permissions[verb].split('"')[0].strip() in failed.message


def test_wrong_credentials_are_told_once_and_not_shown(case: Case) -> None:
    if case.kind.startswith("aws-"):
        pytest.skip("moto checks no signature")
    shown: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    listener = Listener(level=logging.DEBUG)
    logging.getLogger().addHandler(listener)
    try:
        if case.kind == "gcp-secret-manager":
            with pytest.raises(Invalid) as invalid:
                case.open(service_account_key=Secret('{"private_key": "canary-wrong"}'))
            assert invalid.value.code == "backend-key-invalid"
            shown.append(repr(invalid.value.as_data()))
            return
        wrong = {"vault": "token", "azure-key-vault": "client_secret"}[case.kind]
        vendor = case.open(**{wrong: Secret("canary-wrong")})
        checks = run_checks(vendor, {"a": case.name, "b": case.name})
        assert [check.code for check in checks] == ["backend-sign-in-failed"]
        assert checks[0].hint
        shown.append(repr(checks) + repr(vendor))
    finally:
        logging.getLogger().removeHandler(listener)
    assert not [text for text in shown if "canary" in text]


def test_a_server_that_is_not_there_is_unavailable(case: Case) -> None:
    for name in ("endpoint_url", "url", "vault_url"):
        if name in case.settings:
            case.settings[name] = f"{case.settings[name].partition(':')[0]}://127.0.0.1:1"
    if case.kind == "gcp-secret-manager":
        case.settings["endpoint"] = "127.0.0.1:1"
    with pytest.raises(Unavailable) as caught:
        case.open().get(case.name)
    assert caught.value.code == "backend-unreachable"
    assert "127.0.0.1:1" in caught.value.message


def test_a_file_without_certificates_is_told(case: Case, tmp_path: Path) -> None:
    case.settings["ca_file"] = str(tmp_path / "none.pem")
    with pytest.raises(Invalid) as caught:
        case.open()
    assert caught.value.details["field"] == "ca_file"


def test_too_large_a_value_names_the_limit(case: Case) -> None:
    vendor = case.open()
    with pytest.raises(Invalid) as caught:
        vendor.put(case.name, Secret("canary" + "x" * vendor.max_value_bytes))
    assert caught.value.code == "secret-too-large"
    assert f"{vendor.max_value_bytes:,}" in caught.value.message
    assert "canary" not in str(caught.value.as_data())
    with pytest.raises(NotFound):
        vendor.get(case.name)


def test_many_names_come_in_pages(case: Case) -> None:
    vendor = case.open()
    names = sorted(f"{case.name}-{number:02}" for number in range(17))
    for name in names:
        vendor.put(name, Secret("x"))
    assert vendor.names(f"{case.name}-") == names
    assert len(vendor.get_many(names)) == 17


def test_a_refused_value_is_not_quoted(aws_server: AwsServer) -> None:
    vendor = aws_case(aws_server, "aws-parameter-store").open()
    value = Secret("canary {{ ds }}")
    with pytest.raises(Invalid) as caught:
        vendor.put("/team/x", value)
    assert caught.value.code == "secret-value-refused"
    assert "{{" in caught.value.message
    assert "canary" not in str(caught.value.as_data()) + "".join(format_exception(caught.value))


def test_a_vault_token_that_ran_out_is_renewed_by_signing_in_again(vault_server: VaultServer) -> None:
    settings = {"url": vault_server.url, "auth": "approle", "role_id": "role-1"}
    vendor = open_vendor("vault", settings, {"secret_id": Secret("canary-secret-id")})
    vendor.put("a", Secret("x"))
    vault_server.forget_logins()
    assert vendor.get("a") == Secret("x")
    assert vault_server.logins == 2


def test_only_a_token_is_read_from_a_file_and_sent(vault_server: VaultServer, tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    settings = {
        "url": vault_server.url,
        "auth": "kubernetes",
        "kubernetes_role": "aerodrome",
        "kubernetes_jwt_path": str(file),
    }
    file.write_text("canary.jwt.token\n")
    open_vendor("vault", settings, {}).put("a", Secret("x"))
    sent = len(vault_server.faults.seen)
    for text in ("canary-keyring-line=\nanother=", "x" * 20_000):
        file.write_text(text)
        with pytest.raises(Denied) as caught:
            open_vendor("vault", settings, {}).get("a")
        assert caught.value.code == "backend-sign-in-failed"
        assert "canary" not in str(caught.value.as_data())
    file.unlink()
    with pytest.raises(Denied, match="cannot be read"):
        open_vendor("vault", settings, {}).get("a")
    assert len(vault_server.faults.seen) == sent


def test_a_soft_deleted_version_of_vault_reads_as_missing_and_can_be_written(vault_server: VaultServer) -> None:
    vendor = open_vendor("vault", {"url": vault_server.url}, {"token": Secret(ROOT)})
    vendor.put("a", Secret("x"))
    vault_server.versions["secret", "a"].append(None)
    with pytest.raises(NotFound):
        vendor.get("a")
    vendor.put("a", Secret("y"))
    assert vendor.get("a") == Secret("y")


def test_a_mount_that_is_not_there_is_told(vault_server: VaultServer) -> None:
    vendor = open_vendor("vault", {"url": vault_server.url, "mount": "nowhere"}, {"token": Secret(ROOT)})
    with pytest.raises(Invalid, match="nowhere") as caught:
        vendor.get("a")
    assert caught.value.code == "backend-mount-unknown"


def test_a_disabled_version_of_gcp_reads_as_missing(gcp_server: GcpServer) -> None:
    case = gcp_case(gcp_server)
    vendor = case.open()
    vendor.put("a", Secret("x"))
    gcp_server.disabled.add("a")
    with pytest.raises(NotFound):
        vendor.get("a")


def test_a_store_that_may_not_write_says_so_at_the_start(vault_server: VaultServer) -> None:
    vault_server.policies["hvs.reader"] = {"secret/*": ("read", "list")}
    store = open_mapped("vault", {"url": vault_server.url}, {"token": Secret("hvs.reader")})
    with pytest.raises(Denied) as caught:
        store.probe()
    assert caught.value.details["resource"] == "secret/data/aerodrome/aerodrome-probe"
    assert "hvs.reader" not in str(caught.value.as_data())


@pytest.mark.parametrize("kind", list(SPELLINGS))
@given(data=st.data())
def test_every_path_is_spelled_in_allowed_letters_and_read_back(kind: str, data: st.DataObject) -> None:
    segment = st.text("abzABZ019_.@:+-", min_size=1, max_size=8)
    one, two = (data.draw(st.lists(segment, min_size=1, max_size=4).map("/".join)) for _ in range(2))
    spelling = SPELLINGS[kind]
    assert spelling.decode(spelling.encode(one)) == one
    assert spelling.encode(f"{one}/{two}").startswith(spelling.encode(one))
    folded = [spelling.encode(path) if spelling.has_capitals else spelling.encode(path).lower() for path in (one, two)]
    assert (folded[0] == folded[1]) == (one == two)


@pytest.mark.parametrize(
    ("settings", "credentials", "field"),
    [
        ({}, {}, "url"),
        ({"url": "https://v"}, {}, "token"),
        ({"url": "https://v", "auth": "approle", "role_id": "r"}, {}, "secret_id"),
        ({"url": "https://v", "auth": "password"}, {}, "auth"),
        ({"url": "https://v", "token": "canary"}, {}, "token"),
        ({"url": "https://user:canary@v"}, {"token": Secret("canary")}, "url"),
        ({"url": "https://v", "colour": "red"}, {"token": Secret("canary")}, "colour"),
    ],
)
def test_a_wrong_field_is_named_and_no_value_is_shown(
    settings: dict[str, str], credentials: dict[str, Secret], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        checked(kind_of("vault"), settings, credentials)
    assert caught.value.details["field"] == field
    assert "canary" not in str(caught.value.as_data())


def test_a_missing_library_names_the_extra() -> None:
    from aerodrome.secretstores.vendor import missing_library

    error = missing_library("gcp", "GCP Secret Manager")
    assert isinstance(error, Broken)
    assert "aerodrome[gcp]" in error.hint
