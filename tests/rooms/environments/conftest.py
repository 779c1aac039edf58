from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.rooms.secretstores.servers import aws, vault


@pytest.fixture(scope="session")
def _aws() -> Iterator[aws.AwsServer]:
    with aws.aws_server() as server:
        yield server


@pytest.fixture
def aws_server(_aws: aws.AwsServer) -> aws.AwsServer:
    aws.reset(_aws)
    return _aws


@pytest.fixture
def vault_server() -> Iterator[vault.VaultServer]:
    with vault.vault_server() as server:
        yield server
