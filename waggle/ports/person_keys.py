"""Keys of persons: what is sealed with one is forgotten when it is destroyed."""

from datetime import datetime
from typing import Protocol


class PersonKeys(Protocol):
    """Repositories seal and open by themselves; what is left to decide is whom to forget."""

    def destroy(self, person: str, at: datetime) -> None:
        """Destroy the person's key, as of *at*; done already for that time or a later one, nothing happens.

        What is sealed afterwards gets a new key: who has to keep something told after *at* reads it before and saves it
        after.
        """
        ...

    def destroyed_at(self, person: str) -> datetime | None:
        """Return when the person's key was destroyed last, whether or not they came back since."""
        ...
