"""What the platform writes into a team's backend, Airflow's own unmodified class reads: same names, same values.

One virtualenv of one Airflow runs by default; AERODROME_MATRIX=1 (`make test-matrix`) adds the others, and Google and Azure,
whose classes know only the real host names: those run where such a name can be made to mean this machine (root, Linux).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.matrix import wide
from tests.rooms.environments.asking import check, written_and_read
from tests.rooms.secretstores.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer

from aerodrome.builds.contract import Venv
from aerodrome.kernel.secret import Secret

pytestmark = pytest.mark.airflow
VERSIONS = ["3.3.2", *wide("2.11.2")]
PACKAGES = ("apache-airflow-providers-amazon", "apache-airflow-providers-hashicorp")
HOSTED = {"gcp": "apache-airflow-providers-google", "azure": "apache-airflow-providers-microsoft-azure"}
HOSTS = "127.0.0.1 localhost secretmanager.googleapis.com kv1.vault.azure.net login.microsoftonline.com\n"


@pytest.fixture(params=VERSIONS)
def venv(request: pytest.FixtureRequest, airflow_venv: Callable[..., Venv]) -> Path:
    return airflow_venv(request.param, PACKAGES).path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(tmp_path / "airflow")}


@pytest.mark.parametrize("auth", ["approle", *wide("token", "kubernetes")])
def test_vault(vault_server: VaultServer, venv: Path, home: dict[str, str], tmp_path: Path, auth: str) -> None:
    jwt = tmp_path / "jwt"
    jwt.write_text("canary.jwt.token\n")
    settings = {"url": vault_server.url, "auth": auth, "mount": "team/kv"}
    credentials = {}
    if auth == "token":
        credentials["token"] = Secret(ROOT)
    elif auth == "approle":
        settings["role_id"] = "role-1"
        credentials["secret_id"] = Secret("canary-secret-id")
    else:
        settings |= {"kubernetes_role": "aerodrome", "kubernetes_jwt_path": str(jwt)}
    check(written_and_read("vault", settings, credentials, venv, home))


def test_our_class_asks_the_teams_class_first(
    aws_server: AwsServer, venv: Path, home: dict[str, str], tmp_path: Path
) -> None:
    settings = {"region": "eu-west-1", "endpoint_url": aws_server.url, "access_key_id": ACCESS_KEY}
    keys = {"secret_access_key": Secret(SECRET_KEY)}
    check(written_and_read("aws-secrets-manager", settings, keys, venv, home, sealed_in=tmp_path / "deployment"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET_KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize("kind", ["aws-secrets-manager", "aws-parameter-store"])
@pytest.mark.parametrize("prefix", ["/team/conns", *wide("")])
def test_aws(aws_server: AwsServer, venv: Path, home: dict[str, str], kind: str, prefix: str) -> None:
    settings = {"region": "eu-west-1", "endpoint_url": aws_server.url, "access_key_id": ACCESS_KEY}
    if prefix:
        settings |= {"connections_prefix": prefix, "variables_prefix": f"{prefix}-vars/"}
    keys = {"secret_access_key": Secret(SECRET_KEY)}
    check(written_and_read(kind, settings, keys, venv, home))


@pytest.mark.matrix
@pytest.mark.skipif(os.geteuid() != 0, reason="runs as root: a host name is made to mean this machine")
@pytest.mark.parametrize("version", ["3.3.2", "2.11.2"])
@pytest.mark.parametrize("vendor", ["gcp", "azure"])
def test_services_with_one_host_name(
    vendor: str, version: str, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    path = airflow_venv(version, (HOSTED[vendor],)).path
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    script = f"ip link set lo up && mount --bind {hosts} /etc/hosts && exec {sys.executable} -m tests.rooms.environments.hosted {vendor} {tmp_path} {path}"
    done = subprocess.run(
        ["unshare", "-n", "-m", "--propagation", "private", "bash", "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert "ALL RIGHT" in done.stdout, done.stderr[-3000:]
