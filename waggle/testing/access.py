"""An access that knows a few tokens and remembers what was refused."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from waggle.services.access import Principal


def program(name: str = "shop", *scopes: str) -> Principal:
    """Return a program that may send events of the source *name*, or do what *scopes* say instead."""
    may = frozenset(scopes or ("events:write",))
    return Principal(f"k-{name}", name, "program", name if may & {"events:write", "events:track"} else None, may, None)


@dataclass
class GivenTokens:
    """Fulfils what `waggle.api.access` asks for."""

    principals: dict[str, Principal] = field(
        default_factory=lambda: {"key-of-shop": program("shop"), "key-of-tracker": program("tracker")}
    )
    missing: list[tuple[str, str]] = field(default_factory=list)
    """(name, scope) of those who asked for what they may not do."""
    counted: list[tuple[str, str]] = field(default_factory=list)
    """(action, subject) of what would be put into the audit log in bulk."""

    def give(self, token: str, scopes: Iterable[str], name: str = "backoffice") -> dict[str, str]:
        """Make *token* good for *scopes* and return the header that shows it."""
        self.principals[token] = program(name, *scopes)
        return {"Authorization": f"Bearer {token}"}

    async def admit(self, token: str, address: str) -> Principal | None:
        return self.principals.get(token)

    def scope_missing(self, principal: Principal, scope: str) -> None:
        self.missing.append((principal.name, scope))

    def count(self, action: str, subject: str, why: str, every: timedelta, *, actor: str) -> None:
        self.counted.append((action, subject))

    async def close(self) -> None:
        """Nothing is left to write."""
