"""The shoppers' side of the mailbox: what arrived, and what stands in it."""

import re
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import quote

import httpx

from waggle.demo.door import persist
from waggle.demo.scenario import Mail

_ADDRESS = re.compile(r"https?://[^\s<>]+")


class Postbox:
    """Reads mails from the mailbox's page; each mail is given out once."""

    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self._client = client
        self._address = address.rstrip("/")
        self._seen: set[str] = set()

    async def new_mails(self) -> list[Mail]:
        """Return what arrived since the last call, oldest first.

        Raises:
            DoorClosedError: the mailbox does not answer; asking again returns the same mails.
        """
        arrivals = [each for each in (await self._get("arrivals.json")).json() if each["file"] not in self._seen]
        mails = []
        for arrival in arrivals:
            raw = await self._get(f"raw/{quote(arrival['file'])}")
            mails.append(read_mail(raw.content, arrival["to"], datetime.fromisoformat(arrival["arrived_at"])))
        self._seen.update(arrival["file"] for arrival in arrivals)
        return mails

    async def _get(self, path: str) -> httpx.Response:
        response, _ = await persist(lambda: self._client.get(f"{self._address}/{path}"))
        return response.raise_for_status()


def read_mail(raw: bytes, to: str, arrived_at: datetime) -> Mail:
    """Return what a shopper sees of *raw*, an RFC 5322 message, and the links it offers."""
    message = message_from_bytes(raw, _class=EmailMessage, policy=default)
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    found = _ADDRESS.search(str(message.get("List-Unsubscribe", "")))
    unsubscribe_url = found.group() if found else None
    links = [link for link in _ADDRESS.findall(text) if link != unsubscribe_url]
    return Mail(
        to=to,
        arrived_at=arrived_at,
        message_id=str(message.get("Message-ID", "")),
        text=text,
        cart_url=links[0] if links else None,
        unsubscribe_url=unsubscribe_url,
    )
