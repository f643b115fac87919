"""Addresses of this machine itself."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def is_loopback(host: str) -> bool:
    """Whether the text is an IP address of this machine itself; no name is one. RFC 4291, 2.5.5.2 (mapped addresses);
    RFC 6890."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
