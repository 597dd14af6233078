"""Task `remove-from-audience`: undo `add-to-audience`."""

from dataclasses import dataclass

from waggle.services.audiences import Audiences
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFromAudience:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceLeft:
    audience_removed: bool
    """False: they were never added, or are out already."""


@task("remove-from-audience", side_effect=True)
async def remove_from_audience(job: RemoveFromAudience, audiences: Audiences) -> AudienceLeft:
    """Take the customer out; who is out already stays out.

    Raises:
        TemporaryFailure: not known to be done; the engine tries again.
        PermanentFailure: ENROLMENT_UNKNOWN, or the other side refuses: an incident, since somebody must look after it.
    """
    return AudienceLeft(audience_removed=await audiences.remove(job.enrolment_id))
