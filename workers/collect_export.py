"""Task `collect-export`: the copy of everything that is held about a customer."""

from dataclasses import dataclass

from waggle.services.exporting import Exporting
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectExport:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCollected:
    export_bytes: int


@task("collect-export", timeout_s=120, concurrency=2)
async def collect_export(job: CollectExport, exporting: Exporting) -> ExportCollected:
    """Make it and keep it encrypted for a day; one that is kept already is left.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    return ExportCollected(export_bytes=await exporting.collect(job.request_id))
