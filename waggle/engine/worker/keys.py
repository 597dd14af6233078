"""Which jobs this process has at hand."""

import time


class JobKeys:
    """Keeps one job from being done twice here.

    A pushed job whose lease ran out in the buffer of the connection is pushed again, so copies lie there side by side:
    a key that is done is remembered for as long as a copy of it may look fresh. It is not remembered longer, since an
    engine that lost its data gives the same keys out anew.
    """

    def __init__(self, remember_s: float) -> None:
        """Remember what is done for *remember_s*, the length of a lease."""
        self._remember_s = remember_s
        self._at_hand: set[int] = set()
        self._done_s: dict[int, float] = {}

    def take(self, key: int) -> bool:
        """Take *key*, unless it is at hand or was just done."""
        self._forget()
        if key in self._at_hand or key in self._done_s:
            return False
        self._at_hand.add(key)
        return True

    def drop(self, key: int, *, is_done: bool) -> None:
        """Let *key* go; if it is done, its copies are refused."""
        self._at_hand.discard(key)
        if is_done:
            self._done_s[key] = time.monotonic()

    def _forget(self) -> None:
        # In the order of their ends, so the first that is young ends the search.
        limit_s = time.monotonic() - self._remember_s
        while self._done_s:
            key = next(iter(self._done_s))
            if self._done_s[key] > limit_s:
                return
            del self._done_s[key]
