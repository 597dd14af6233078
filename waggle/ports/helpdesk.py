"""What the product asks of any helpdesk."""

from dataclasses import dataclass
from typing import Literal, Protocol

Priority = Literal["low", "normal", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What an agent has to know; of the customer only how the shop calls them, to be looked up there."""

    ticket_id: str
    """Ours, and the same for every try: by it a helpdesk may know a repeat."""
    topic: str
    """One line, as the journey's diagram says it."""
    priority: Priority
    customer_ref: str | None
    order_ref: str | None
    score: int | None
    """What the customer answered, 0 to 10, if that is the reason."""
    journey: str


class Helpdesk(Protocol):
    """Opens tickets."""

    @property
    def knows_repeats(self) -> bool:
        """Whether the same `ticket_id` again is the same ticket."""
        ...

    async def open(self, ticket: Ticket) -> str | None:
        """Open *ticket* and return what the helpdesk calls it, free of personal data; None if it does not say.

        Raises:
            TemporaryFailure: surely not opened; may be tried again.
            PermanentFailure: refused for good.
            OutcomeUnknown: it may have been opened.
        """
        ...
