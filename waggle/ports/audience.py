"""What the product asks of whoever keeps an advertising audience."""

from typing import Protocol


class AudienceKeeper(Protocol):
    """Adds people to named audiences outside, and takes them out again."""

    @property
    def name(self) -> str:
        """Where the data goes, as it shall stand in the register of transfers."""
        ...

    async def add(self, audience: str, email: str, *, key: str) -> str:
        """Add whoever has this address and return under what the other side knows them, never the address itself.

        *key* is the same for each try. Added twice is added once.

        Raises:
            TemporaryFailure: surely not added; may be tried again.
            PermanentFailure: refused for good.
            OutcomeUnknown: it may have been done.
        """
        ...

    async def remove(self, audience: str, member: str, *, key: str) -> None:
        """Take out *member*, as `add` named them; who is not in the audience is out of it.

        Raises:
            TemporaryFailure: not known to be done; try again.
            PermanentFailure: refused for good.
        """
        ...
