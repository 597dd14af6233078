"""Engines that are known to break a promise of Waggle's."""

import re

_NUMBERS = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)")
_MENDED_IN = {(8, 5): 25, (8, 6): 13}
"""Minor version -> patch in which it is mended, as read in the classes published; 8.5.15 still has it."""
_FIRST_WITHOUT = (8, 7)


def known_defect(version: str) -> str | None:
    """Say what an engine of *version* (such as `8.6.0`) gets wrong, and which one does not; None: nothing known.

    One thing so far: a job that fails twice, or whose lease runs out twice, may never be handed out again until the
    broker is restarted (camunda/camunda#29735; `waggle.engine.local.retries` mends it in the embedded engine).
    """
    found = _NUMBERS.match(version)
    if found is None:
        return None
    major, minor, patch = (int(each) for each in found.groups())
    if (major, minor) >= _FIRST_WITHOUT or patch >= _MENDED_IN.get((major, minor), patch + 1):
        return None
    return "may forget a job that fails twice until its broker is restarted: run 8.6.13, 8.7 or later"
