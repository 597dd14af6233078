"""A source that can be asked, and remembers what it was asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from waggle.errors import WaggleError
from waggle.ports.sources import Item, Page


@dataclass
class PagedFeed:
    """Implements waggle.ports.sources.EventFeed: tells its items in order, `size` at a time; more may be added."""

    items: list[Item] = field(default_factory=list)
    size: int = 2
    trouble: list[WaggleError | Exception] = field(default_factory=list)
    """Raised one after another before it answers again."""
    asked: list[tuple[str | None, datetime | None]] = field(default_factory=list)

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        """Return what lies behind *cursor*, which is the number of items told."""
        self.asked.append((cursor, since))
        if self.trouble:
            raise self.trouble.pop(0)
        told = int(cursor or 0)
        page: Sequence[Item] = self.items[told : told + self.size]
        return Page(items=page, cursor=str(told + len(page)), more=told + len(page) < len(self.items))

    async def close(self) -> None:
        """Let go of nothing."""
