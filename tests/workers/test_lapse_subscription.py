import pytest

from waggle.errors import PermanentFailure
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.testing.facts import Shop
from workers.lapse_subscription import LapseSubscription, lapse_subscription

pytestmark = pytest.mark.anyio


async def test_what_was_asked_for_is_forgotten_and_what_was_agreed_to_stands(shop: Shop) -> None:
    await shop.customer()
    await shop.tell("consent-requested", {"customer_id": "c-1"})
    enrolment = await shop.store.read(lambda tx: tx.enrolments.newest("double-opt-in", "c-1:marketing:email"))
    assert enrolment is not None

    answers = PrivacyAnswers(shop.store, shop.clock)
    for _ in range(2):
        await lapse_subscription(LapseSubscription(enrolment_id=enrolment.enrolment_id), answers)
        await shop.relay.apply_events()

    facts = await shop.store.read(lambda tx: tx.consents.of_customer("c-1"))
    assert sorted(each.state for each in facts) == ["granted", "lapsed"]


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await lapse_subscription(LapseSubscription(enrolment_id="by-hand"), PrivacyAnswers(shop.store, shop.clock))
