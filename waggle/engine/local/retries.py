"""Mend a defect of the engine by which a job that fails twice may never be handed out again.

8.6.0 remembers which commands its scheduler has written, so as not to write one twice before it is processed. It notes
a command only after the write, and if the command was processed by then the note stays for good: that job's next
back-off, or its next lease that runs out, ends unnoticed until the broker is started again (camunda/camunda#29735,
mended in 8.6.13). Of that version no distribution is to be had by coordinate, but the library with the scheduler is.
Four of its classes, unchanged, lie before the distribution's jars on the class path. The rest of that library counts
its metrics in another way than 8.6.0 and stays out.
"""

import zipfile
from pathlib import Path

JAR = "waggle-retries.jar"

_LATER = "zeebe-stream-platform-8.6.13.jar"
_PACKAGE = "io/camunda/zeebe/stream"
_CLASSES = (
    f"{_PACKAGE}/api/scheduling/ScheduledCommandCache$NoopScheduledCommandCache.class",
    f"{_PACKAGE}/api/scheduling/ScheduledCommandCache$ScheduledCommandCacheChanges.class",
    f"{_PACKAGE}/impl/ProcessingScheduleServiceImpl$ScheduledTaskImpl.class",
    f"{_PACKAGE}/impl/ProcessingScheduleServiceImpl.class",
)


def lay_out(distribution: Path) -> None:
    """Write JAR into *distribution*'s root from the later library there; without that the engine is left as it is."""
    later = distribution / _LATER
    if not later.is_file():
        return
    with zipfile.ZipFile(later) as jar, zipfile.ZipFile(distribution / JAR, "w") as out:
        for name in _CLASSES:
            out.writestr(zipfile.ZipInfo(name, date_time=(2025, 4, 1, 0, 0, 0)), jar.read(name))
