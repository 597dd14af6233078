"""Task `read-product`: stock and price of the product that the journey is about."""

from dataclasses import dataclass

from waggle.services.order_reading import ProductReader
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadProduct:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRead:
    in_stock: bool
    """Whether it can be bought now, as far as is known."""
    stock_quantity: int | None
    """How many can be bought now; null if nobody told."""
    price_minor: int | None
    """What one costs now, in minor units: 6000 is 60.00; null if nobody told."""
    watched_price_minor: int | None
    """What it cost when the customer began to wait for a lower price; null if they do not."""


@task("read-product", concurrency=16)
async def read_product(job: ReadProduct, products: ProductReader) -> ProductRead:
    """Read the product anew each time the journey wakes.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN, or ENROLMENT_WITHOUT_PRODUCT.
    """
    found = await products.read(job.enrolment_id)
    return ProductRead(
        in_stock=found.in_stock,
        stock_quantity=found.stock_quantity,
        price_minor=found.price_minor,
        watched_price_minor=found.watched_price_minor,
    )
