"""The shop's way to Waggle: events through the one door, links as a browser follows them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from waggle.demo.scenario import Answer

_ANSWERS: dict[int, Answer] = {202: "accepted", 200: "duplicate", 409: "refused"}
_PATIENCE_S = 120.0
_LONGEST_PAUSE_S = 5.0


class DoorClosedError(Exception):
    """Nobody answered for two minutes; the text says what came instead."""


class Door:
    """Delivers until it is answered: an API that is down, restarting or busy loses nothing of the shop's."""

    def __init__(self, client: httpx.AsyncClient, api: str, write_key: str) -> None:
        self._client = client
        self._events = f"{api.rstrip('/')}/v1/events"
        self._headers = {"Authorization": f"Bearer {write_key}", "Content-Type": "application/cloudevents+json"}

    async def deliver(self, event: Mapping[str, Any]) -> str:
        """Hand *event* in and return the answer: one of Answer, or a status code that has no such meaning.

        Raises:
            DoorClosedError: no answer in time.
        """
        response, repeated = await persist(lambda: self._client.post(self._events, json=event, headers=self._headers))
        answer = _ANSWERS.get(response.status_code, str(response.status_code))
        # The answer to an earlier try was lost: that one was taken in.
        return "accepted" if answer == "duplicate" and repeated else answer

    async def click(self, link: str) -> str:
        """Follow *link* as far as Waggle: where it leads to is the shop's own page."""
        response, _ = await persist(lambda: self._client.get(link, follow_redirects=False))
        return "accepted" if response.status_code == 302 else str(response.status_code)

    async def unsubscribe(self, link: str) -> str:
        """Do what the button of a mail program does (RFC 8058)."""
        form = {"List-Unsubscribe": "One-Click"}
        response, _ = await persist(lambda: self._client.post(link, data=form))
        return "accepted" if response.status_code == 200 else str(response.status_code)


async def persist(ask: Callable[[], Awaitable[httpx.Response]]) -> tuple[httpx.Response, bool]:
    """Return the first answer that is no fault of the server's, and whether it took more than one try.

    Raises:
        DoorClosedError: there was none in two minutes.
    """
    give_up_at = time.monotonic() + _PATIENCE_S
    pause_s = 0.1
    repeated = False
    said = ""
    while time.monotonic() < give_up_at:
        try:
            response = await ask()
        except httpx.TransportError as error:
            said = type(error).__name__
        else:
            if response.status_code < 500 and response.status_code != 429:
                return response, repeated
            said = f"{response.status_code} from {response.url.path}"
        repeated = True
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    raise DoorClosedError(f"no answer in {_PATIENCE_S:.0f} s, at last {said}: is everything up?")
