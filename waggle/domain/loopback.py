"""Which hosts are this machine, so that what is said to them needs no encryption."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Say whether *host*, a name or an address without brackets, is this machine and cannot be anything else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        # RFC 6761: names of this kind are never asked of anybody.
        return host.lower().rstrip(".") == "localhost"
