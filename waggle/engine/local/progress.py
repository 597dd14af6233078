"""Who is told how far fetching and starting have come."""

from typing import Protocol


class Progress(Protocol):
    """Shows long work to a person."""

    def began(self, what: str, total_bytes: int | None = None) -> None:
        """Tell that *what* begins; *total_bytes* is known for downloads only."""
        ...

    def advanced(self, size_bytes: int) -> None:
        """Tell that *size_bytes* more have arrived, or that so much was in vain; called from several threads."""
        ...


class Silent:
    """Shows nothing."""

    def began(self, what: str, total_bytes: int | None = None) -> None:
        """Ignore it."""

    def advanced(self, size_bytes: int) -> None:
        """Ignore it."""
