"""The host names that the server answers to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aerodrome.web.guards import host_of
from aerodrome.web.platform import Platform


def hosts_of(platform: Platform) -> set[str]:
    """Give the host names that the server answers to: its own, loopback's, and the configured ones."""
    settings = platform.settings
    hosts = {"localhost", "127.0.0.1", "[::1]", *settings.allowed_hosts}
    try:
        address = ipaddress.ip_address(settings.host)
        if not address.is_unspecified:
            hosts.add(f"[{address}]" if address.version == 6 else str(address))
    except ValueError:
        hosts.add(settings.host)
    for url in (settings.public_url, settings.gate_public_url):
        if url:
            hosts.add(host_of(urlsplit(url).netloc))
    return hosts
