"""The hours in which nobody is written to."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span of local time, which may cross midnight; equal ends mean that there is none."""

    start: time
    end: time

    def over_at(self, now: datetime, time_zone: str) -> datetime | None:
        """Return when the quiet hours that *now* falls into end, or None if it falls into none.

        Local clock time decides, so that a night with a change to or from summer time is as long as it is. An end that
        does not exist on that day (skipped by the change) is taken with the offset before the change; of an end that
        comes twice, the next one counts.
        """
        zone = ZoneInfo(time_zone)
        local = now.astimezone(zone)
        clock = local.time()
        if self.start <= self.end:
            quiet, day = self.start <= clock < self.end, local.date()
        elif clock >= self.start:
            quiet, day = True, local.date() + timedelta(days=1)
        else:
            quiet, day = clock < self.end, local.date()
        if not quiet:
            return None
        over = datetime.combine(day, self.end, tzinfo=zone)
        return next(at for at in (over.astimezone(UTC), over.replace(fold=1).astimezone(UTC)) if at > now)
