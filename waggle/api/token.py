"""The unguessable part of a link in a message."""

import re

_FORM = re.compile(r"[A-Za-z0-9._~-]{1,256}")


def is_token(text: str) -> bool:
    """Say whether *text* could be a token of ours; whatever else a link carries never reaches the database."""
    return _FORM.fullmatch(text) is not None
