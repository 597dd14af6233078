import pytest

from waggle.errors import PermanentFailure
from waggle.services.suppressing import UNENGAGED, Suppressing
from waggle.testing.facts import Shop
from workers.unsuppress_customer import UnsuppressCustomer, unsuppress_customer

pytestmark = pytest.mark.anyio


async def unsuppress(shop: Shop, enrolment_id: str) -> bool:
    job = UnsuppressCustomer(enrolment_id=enrolment_id)
    return (await unsuppress_customer(job, Suppressing(shop.store, shop.clock))).unsuppressed


async def kept_out(shop: Shop) -> str | None:
    return await shop.store.read(lambda tx: tx.suppressions.reason("c-1", "email"))


async def test_it_undoes_what_suppress_customer_did_and_a_repeat_finds_nothing(shop: Shop, enrolment_id: str) -> None:
    await Suppressing(shop.store, shop.clock).suppress(enrolment_id)

    assert [await unsuppress(shop, enrolment_id) for _ in range(2)] == [True, False]
    assert await kept_out(shop) is None


async def test_it_undoes_it_for_whoever_the_customer_is_by_now(shop: Shop, enrolment_id: str) -> None:
    await shop.store.run(lambda tx: tx.suppressions.add("c-2", "email", UNENGAGED, shop.clock.now()))
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})

    assert await unsuppress(shop, enrolment_id)
    assert await kept_out(shop) is None


async def test_a_complaint_stays(shop: Shop, enrolment_id: str) -> None:
    await shop.store.run(lambda tx: tx.suppressions.add("c-1", "email", "complained", shop.clock.now()))

    assert not await unsuppress(shop, enrolment_id)
    assert await kept_out(shop) == "complained"


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await unsuppress(shop, "nobody")
