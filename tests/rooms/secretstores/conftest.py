"""The services, one of each for the session, empty for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rooms.secretstores.servers import aws, azure, gcp, vault


@pytest.fixture(scope="session")
def _aws() -> Iterator[aws.AwsServer]:
    with aws.aws_server() as server:
        yield server


@pytest.fixture
def aws_server(_aws: aws.AwsServer) -> aws.AwsServer:
    _aws.statuses.clear()
    _aws.denied.clear()
    _aws.seen.clear()
    aws.reset(_aws)
    return _aws


@pytest.fixture
def vault_server() -> Iterator[vault.VaultServer]:
    with vault.vault_server() as server:
        yield server


@pytest.fixture
def azure_server(tmp_path: Path) -> Iterator[azure.AzureServer]:
    with azure.azure_server(tmp_path) as server:
        yield server


@pytest.fixture
def gcp_server(tmp_path: Path) -> Iterator[gcp.GcpServer]:
    with gcp.gcp_server(tmp_path) as server:
        yield server
