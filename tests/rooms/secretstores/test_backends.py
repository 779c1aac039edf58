"""Every backend keeps the contract, on the vendor's own library and protocol; nobody learns a value or a credential by accident."""

from __future__ import annotations

import pytest
from tests.rooms.secretstores.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer
from tests.rooms.secretstores.servers.azure import CLIENT, CLIENT_SECRET, TENANT, AzureServer
from tests.rooms.secretstores.servers.gcp import PROJECT, GcpServer
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer

from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.conformance import SecretStoreConformance
from aerodrome.secretstores.contract import SecretStore
from aerodrome.secretstores.kinds import open_mapped


def aws_settings(server: AwsServer) -> dict[str, str]:
    return {"region": "eu-west-1", "endpoint_url": server.url, "access_key_id": ACCESS_KEY}


class TestAwsSecretsManager(SecretStoreConformance):
    @pytest.fixture
    def secret_store(self, aws_server: AwsServer) -> SecretStore:
        keys = {"secret_access_key": Secret(SECRET_KEY)}
        return open_mapped("aws-secrets-manager", aws_settings(aws_server), keys)


class TestAwsParameterStore(SecretStoreConformance):
    large = "x" * 8_000

    @pytest.fixture
    def secret_store(self, aws_server: AwsServer) -> SecretStore:
        keys = {"secret_access_key": Secret(SECRET_KEY)}
        return open_mapped("aws-parameter-store", {**aws_settings(aws_server), "tier": "advanced"}, keys)


class TestVault(SecretStoreConformance):
    @pytest.fixture
    def secret_store(self, vault_server: VaultServer) -> SecretStore:
        return open_mapped("vault", {"url": vault_server.url}, {"token": Secret(ROOT)})


class TestVaultThatWantsCheckAndSet(SecretStoreConformance):
    @pytest.fixture
    def secret_store(self, vault_server: VaultServer) -> SecretStore:
        vault_server.needs_cas = True
        settings = {"url": vault_server.url, "auth": "approle", "role_id": "role-1", "mount": "team/kv"}
        return open_mapped("vault", settings, {"secret_id": Secret("canary-secret-id")})


class TestGcpSecretManager(SecretStoreConformance):
    @pytest.fixture
    def secret_store(self, gcp_server: GcpServer) -> SecretStore:
        settings = {"project": PROJECT, "endpoint": gcp_server.endpoint, "ca_file": str(gcp_server.ca_file)}
        return open_mapped("gcp-secret-manager", settings, {"service_account_key": Secret(gcp_server.key)})


class TestAzureKeyVault(SecretStoreConformance):
    large = "x" * 24_000

    @pytest.fixture
    def secret_store(self, azure_server: AzureServer) -> SecretStore:
        settings = {
            "vault_url": azure_server.url,
            "tenant_id": TENANT,
            "client_id": CLIENT,
            "authority": azure_server.url,
            "ca_file": str(azure_server.ca_file),
        }
        return open_mapped("azure-key-vault", settings, {"client_secret": Secret(CLIENT_SECRET)})
