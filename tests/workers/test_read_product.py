import pytest

from waggle.services.order_reading import ProductReader
from waggle.testing import facts
from waggle.testing.facts import Shop, book
from waggle.testing.tasks import call
from workers.read_product import ProductRead, ReadProduct, read_product

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One whose customers may watch a price."""
    return facts.shop(shop.store, shop.clock, shop.relay._engine, book(enabled=("price-drop",)))


@pytest.fixture
async def job(shop: Shop) -> ReadProduct:
    """Of somebody who watches honey at 12.90."""
    await shop.tell(
        "price-watch-created", {"customer_id": "c-1", "sku": "honey", "price_minor": 1290, "currency": "EUR"}
    )
    found = await shop.store.read(lambda tx: tx.enrolments.newest("price-drop", "c-1:honey"))
    assert found is not None
    return ReadProduct(enrolment_id=found.enrolment_id)


async def test_stock_and_price_are_those_of_now(shop: Shop, job: ReadProduct) -> None:
    products = ProductReader(shop.store)
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 3})
    await shop.tell("price-changed", {"sku": "honey", "price_minor": 990, "currency": "EUR"})

    assert await read_product(job, products) == ProductRead(
        in_stock=True, stock_quantity=3, price_minor=990, watched_price_minor=1290
    )
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    assert not (await read_product(job, products)).in_stock


async def test_a_product_that_nobody_told_of_counts_as_available(shop: Shop, job: ReadProduct) -> None:
    found = await read_product(job, ProductReader(shop.store))

    assert (found.in_stock, found.stock_quantity, found.price_minor) == (True, None, None)


async def test_prices_in_two_currencies_are_not_compared(shop: Shop, job: ReadProduct) -> None:
    await shop.tell("price-changed", {"sku": "honey", "price_minor": 990, "currency": "USD"})

    found = await read_product(job, ProductReader(shop.store))

    assert (found.price_minor, found.watched_price_minor) == (990, None)


async def test_a_journey_without_a_product_that_reads_one_is_an_incident(shop: Shop, enrolment_id: str) -> None:
    services = {ProductReader: ProductReader(shop.store)}

    outcome = await call(read_product, {"enrolment_id": enrolment_id}, services=services)

    assert (outcome["failed"], outcome["retries"]) == ("ENROLMENT_WITHOUT_PRODUCT", 0)
