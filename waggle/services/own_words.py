"""What people write in their own words, which the audit log keeps for ever."""

import re

from waggle.errors import Rejected

# An @ anywhere, and eight digits whatever stands between them: what is refused for nothing can be reworded.
_PERSONAL = re.compile(r"@|(?:\d[\s().+/-]*){8}")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_MOST_CHARS = 500


def refuse_personal(name: str, words: str) -> None:
    """Return if *words*, given as the option *name*, may stand in the audit log.

    Raises:
        Rejected: WORDS_REFUSED, they are empty, too long, or hold what looks like an address or a phone number.
    """
    if not words.strip() or len(words) > _MOST_CHARS or not words.isprintable():
        raise Rejected("WORDS_REFUSED", f"--{name}: give 1 to {_MOST_CHARS} characters on one line")
    if _PERSONAL.search(_DATE.sub("date", words)):
        raise Rejected(
            "WORDS_REFUSED",
            f"--{name} looks like an address or a phone number: what stands in the audit log stays there",
        )
