"""How often an address may show a key that nobody was given."""

import ipaddress
from collections import Counter
from datetime import UTC, datetime, timedelta

_WINDOW = timedelta(minutes=1)
_PER_WINDOW = 30
_MOST_NETWORKS = 10_000
_THE_REST = ""


class Tries:
    """Counts failures per address in windows of a minute; they are forgotten with the process.

    Our own: the store in memory of the library `limits` 5.8 starts a thread when it is made and at most counts, and
    knows the machine's time only.
    """

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()
        self._until = datetime.min.replace(tzinfo=UTC)

    def wait_s(self, address: str, now: datetime) -> float:
        """Return how long *address* has to wait before its next try; 0: it may try now."""
        if now >= self._until or self._failed[self._counted_as(address)] < _PER_WINDOW:
            return 0.0
        return (self._until - now).total_seconds()

    def failed(self, address: str, now: datetime) -> None:
        """Count a failure of *address*."""
        if now >= self._until:
            self._failed.clear()
            self._until = now + _WINDOW
        self._failed[self._counted_as(address)] += 1

    def _counted_as(self, address: str) -> str:
        """Return the network whose count is that of *address*; where there are too many, the rest share one."""
        network = _network(address)
        return network if network in self._failed or len(self._failed) < _MOST_NETWORKS else _THE_REST


def _network(address: str) -> str:
    """Return *address*, or of IPv6 its first 64 bits: whoever has one address has all of these."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return address
