"""Runs in a network namespace of its own, where Google's and Azure's host names are this machine: see test_backends_airflow.py.

Arguments: gcp or azure, a folder for certificates, the virtualenv of a real Airflow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.rooms.environments.asking import check, written_and_read
from tests.rooms.secretstores.servers.azure import CLIENT, CLIENT_SECRET, TENANT, azure_server
from tests.rooms.secretstores.servers.gcp import PROJECT, gcp_server

from aerodrome.kernel.secret import Secret


def main(vendor: str, folder: Path, venv: Path) -> None:
    home = {"AIRFLOW_HOME": str(folder / "airflow")}
    if vendor == "gcp":
        with gcp_server(folder, host="secretmanager.googleapis.com", port=443) as gcp:
            trust = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(gcp.ca_file)}
            settings = {"project": PROJECT, "ca_file": str(gcp.ca_file)}
            key = {"service_account_key": Secret(gcp.key)}
            check(written_and_read("gcp-secret-manager", settings, key, venv, home | trust))
    else:
        names = ("kv1.vault.azure.net", "login.microsoftonline.com")
        with azure_server(folder, names=names, port=443) as azure:
            trust = {"SSL_CERT_FILE": str(azure.ca_file), "REQUESTS_CA_BUNDLE": str(azure.ca_file)}
            settings = {
                "vault_url": "https://kv1.vault.azure.net",
                "tenant_id": TENANT,
                "client_id": CLIENT,
                "ca_file": str(azure.ca_file),
            }
            secret = {"client_secret": Secret(CLIENT_SECRET)}
            check(written_and_read("azure-key-vault", settings, secret, venv, home | trust))
    print("ALL RIGHT")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
