"""Everything Waggle raises on purpose, named by what must happen next.

* WaggleError
  x Rejected            the business says no: a BPMN error, caught in the diagram by its code
  x TemporaryFailure    surely not done, may pass: the job is tried again after `retry_after_s`
  x PermanentFailure    no retry can help: an incident, a person must look
  x OutcomeUnknown      it may have been done: the effect is in doubt and is not repeated
  x BadSettings         found at start-up, before any job is taken

`code` (UPPER_SNAKE) is all that ever reaches the engine. `message` is for logs and terminals: it names keys, files and
settings, never a person and never the text of a foreign exception, which might quote one.
"""


class WaggleError(Exception):
    """Base of every error raised on purpose."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class Rejected(WaggleError):
    """The business says no; `code` is what the boundary event in the diagram waits for."""


class TemporaryFailure(WaggleError):
    """Surely not done, and the cause may pass; *expected* if nothing is wrong, as where a person is waited for."""

    def __init__(self, code: str, message: str = "", *, retry_after_s: float = 30.0, expected: bool = False) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s
        self.expected = expected


class PermanentFailure(WaggleError):
    """No retry can help."""


class OutcomeUnknown(WaggleError):
    """The other side may have done it: its answer was lost."""


class BadSettings(WaggleError):
    """A setting is missing or wrong; the message says which, where, and how to mend it."""
