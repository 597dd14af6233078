"""Task `score-customer`: how good a customer somebody is."""

from dataclasses import dataclass

from waggle.domain.score import ScoreBand
from waggle.services.scoring import Scoring
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCustomer:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerScored:
    score_band: ScoreBand
    order_count: int
    recency_band: int
    """Bands run from 1 (low) to 3 (high)."""
    frequency_band: int
    value_band: int


@task("score-customer", concurrency=16)
async def score_customer(job: ScoreCustomer, scoring: Scoring) -> CustomerScored:
    """Rate the customer by recency, frequency and value of their orders.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    found = await scoring.score(job.enrolment_id)
    return CustomerScored(
        score_band=found.band,
        order_count=found.order_count,
        recency_band=found.recency_band,
        frequency_band=found.frequency_band,
        value_band=found.value_band,
    )
