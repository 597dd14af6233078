"""Task `add-to-audience`: let advertising elsewhere reach a customer."""

from dataclasses import dataclass
from typing import Literal

from waggle.services.audiences import Audiences
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToAudience:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey, so that a repeated job adds nobody twice."""
    audience: str
    """As whoever keeps the audience calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceJoined:
    audience_outcome: Literal["added", "not_added"]
    audience_reason: str
    """`ok`, or why not: objects_to_sharing, no_address, holdout, no_keeper, or what the other side said."""


@task("add-to-audience", side_effect=True)
async def add_to_audience(job: AddToAudience, audiences: Audiences) -> AudienceJoined:
    """Add them if their data may be passed on; the transfer is noted in the register.

    Raises:
        TemporaryFailure: nothing is known to have happened; the engine tries again.
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    joined = await audiences.add(enrolment_id=job.enrolment_id, step=job.step, audience=job.audience)
    return AudienceJoined(audience_outcome="added" if joined.added else "not_added", audience_reason=joined.reason)
