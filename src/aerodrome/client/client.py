"""The typed client of the REST interface: `Client(base_url, token)`, one attribute per noun.

    with Client("http://127.0.0.1:8700", Secret(token)) as client:
        client.deployments.list()

Calls raise the errors of kernel/errors.py, the very ones that the server raised.
"""

from __future__ import annotations

from typing import Self

import httpx2

from aerodrome.client.alerts import Alerts
from aerodrome.client.deployments import Deployments
from aerodrome.client.deploys import Deploys
from aerodrome.client.environment import EnvironmentObjects
from aerodrome.client.incidents import Incidents
from aerodrome.client.keeping import Keeping
from aerodrome.client.migrations import Migrations
from aerodrome.client.people import Tokens, Users
from aerodrome.client.proofs import Proofs
from aerodrome.client.records import Records
from aerodrome.client.secrets_backends import SecretsBackends
from aerodrome.client.transport import Transport
from aerodrome.client.usage import UsageOfDags
from aerodrome.client.versions import Versions
from aerodrome.client.workspaces import Clusters, Workspaces
from aerodrome.kernel.secret import Secret


class Client:
    """A conversation with one server. Close it, or use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        token: Secret | None = None,
        *,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.http = Transport(base_url, token, timeout_s=timeout_s, transport=transport)
        self.workspaces = Workspaces(self.http)
        self.clusters = Clusters(self.http)
        self.deployments = Deployments(self.http)
        self.deploys = Deploys(self.http)
        self.keeping = Keeping(self.http)
        self.usage = UsageOfDags(self.http)
        self.environment = EnvironmentObjects(self.http)
        self.versions = Versions(self.http)
        self.incidents = Incidents(self.http)
        self.users = Users(self.http)
        self.tokens = Tokens(self.http)
        self.records = Records(self.http)
        self.migrations = Migrations(self.http)
        self.proofs = Proofs(self.http)
        self.alerts = Alerts(self.http)
        self.secrets_backends = SecretsBackends(self.http)

    @property
    def base_url(self) -> str:
        return self.http.base_url

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
