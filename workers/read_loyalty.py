"""Task `read-loyalty`: whether a new level of the loyalty programme is a better one."""

from dataclasses import dataclass

from waggle.services.loyalty import Loyalty
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLoyalty:
    enrolment_id: str
    tier: str
    """The level that was reached, as the event names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoyaltyRead:
    tier_rose: bool
    """True: the level before was lower, or there was none."""


@task("read-loyalty", concurrency=16)
async def read_loyalty(job: ReadLoyalty, loyalty: Loyalty) -> LoyaltyRead:
    """Compare the level with the one before it, by the order of config/loyalty.toml.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    return LoyaltyRead(tier_rose=await loyalty.rose(job.enrolment_id, job.tier))
