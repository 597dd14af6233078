"""Task `read-order`: what has become of the order that the journey is about."""

from dataclasses import dataclass

from waggle.services.order_reading import KnownOrderState, OrderReader
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrder:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRead:
    order_state: KnownOrderState
    """How far the order has come; "unknown" if nobody has told yet that it was placed."""
    order_total_minor: int
    """What it costs, in minor units: 6000 is 60.00."""
    order_item_count: int
    """How many pieces were ordered."""
    is_first_order: bool
    """Whether it is the first order of its customer."""


@task("read-order", concurrency=16)
async def read_order(job: ReadOrder, orders: OrderReader) -> OrderRead:
    """Read the order anew each time the journey wakes.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN, or ENROLMENT_WITHOUT_ORDER.
    """
    found = await orders.read(job.enrolment_id)
    return OrderRead(
        order_state=found.state,
        order_total_minor=found.total_minor,
        order_item_count=found.item_count,
        is_first_order=found.is_first,
    )
