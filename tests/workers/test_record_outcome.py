import pytest

from waggle.errors import PermanentFailure
from waggle.services.enrolments import Enrolments
from waggle.testing.facts import Shop, book
from workers.record_outcome import OutcomeRecorded, RecordOutcome, record_outcome

pytestmark = pytest.mark.anyio


async def test_the_first_outcome_stands_with_its_reason(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(), shop.clock)
    first = RecordOutcome(enrolment_id=enrolment_id, outcome="not_eligible", outcome_reason="no_consent")
    later = RecordOutcome(enrolment_id=enrolment_id, outcome="ordered")

    told = [await record_outcome(job, enrolments) for job in (first, later)]

    assert told == [OutcomeRecorded(outcome_recorded=True)] * 2
    known = await shop.enrolment()
    assert (known.state, known.outcome, known.outcome_reason) == ("ended", "not_eligible", "no_consent")
    assert known.ended_at == shop.clock.now()


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    job = RecordOutcome(enrolment_id="by-hand", outcome="ordered")

    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await record_outcome(job, Enrolments(shop.store, book(), shop.clock))
