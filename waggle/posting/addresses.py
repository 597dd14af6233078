"""Where a name really leads, so that nobody is sent to what only this machine can reach."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_HIDING = tuple(ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""IPv6 that stands for an IPv4 address somebody translates to (RFC 6052, 8215, 3056, 4380)."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Say whether *address* is one that the whole internet means by it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _HIDING):
            return False
    return address.is_global and not address.is_multicast


async def resolved(host: str, port: int, *, allow_private: bool) -> str | None:
    """Return an address of *host* to connect to, the very one that was looked at; None: there is none that may be.

    Of several, one that may not be used is enough to use none: the next answer might be in another order.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    if not addresses or not (allow_private or all(is_public(address) for address in addresses)):
        return None
    return str(addresses[0])
