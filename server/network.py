"""What this machine is called on its network."""

from __future__ import annotations

import socket


def lan_address() -> str | None:
    """The IPv4 address phones on the LAN would use, or None without a network.

    A UDP socket that is "connected" sends nothing; the kernel only picks the interface it would use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: routed by the default route, belongs to nobody
            address: str = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") or address == "0.0.0.0" else address  # noqa: S104
