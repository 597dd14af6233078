"""A sender of e-mail that remembers, and can go wrong at each place where a real one can."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.ports.email import Email

Step = Callable[[], Awaitable[None]]


class ProcessKilledError(BaseException):
    """Ends everything where it is raised, as a kill does: nobody catches it."""


class RecordingSender:
    """Implements waggle.ports.email.EmailSender.

    `when_connected` runs before the hand-over is asked for, `when_handed_over` after it and before the mail is taken,
    `when_taken` after that and before the answer is given.
    """

    def __init__(self, *, name: str = "recording", repeat_safe_for: timedelta = timedelta(0)) -> None:
        """With *repeat_safe_for* it remembers message ids, and takes a repeat for the mail it has."""
        self.name = name
        self.repeat_safe_for = repeat_safe_for
        self.delivered: list[Email] = []
        """What the other side has taken, in order."""
        self.repeats: list[Email] = []
        """What it knew already."""
        self.sessions = 0
        self.when_connected: Step | None = None
        self.when_handed_over: Step | None = None
        self.when_taken: Step | None = None

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Take *email*."""
        self.sessions += 1
        await _run(self.when_connected)
        await before_data()
        await _run(self.when_handed_over)
        known = self.repeat_safe_for and any(email.message_id == each.message_id for each in self.delivered)
        (self.repeats if known else self.delivered).append(email)
        await _run(self.when_taken)
        return f"250 accepted as {len(self.delivered)}"


async def _run(step: Step | None) -> None:
    if step is not None:
        await step()


async def refuse_for_now() -> None:
    """Answer like a mail server that is too busy."""
    raise TemporaryFailure("SMTP_BUSY", retry_after_s=1.0)


async def refuse_address() -> None:
    """Answer like a mail server that does not know the recipient."""
    raise PermanentFailure("ADDRESS_REFUSED")


async def lose_answer() -> None:
    """End the connection."""
    raise OutcomeUnknown("ANSWER_LOST")


async def kill() -> None:
    """End the process."""
    raise ProcessKilledError
