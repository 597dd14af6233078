"""Calls about audiences, as a receiver sees them."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook

from connectors.audience_webhook import AudienceWebhookSettings
from connectors.audience_webhook.client import AudienceWebhook, hashed
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes 123").decode()


class Receiver:
    """A small HTTP server that remembers calls and answers as it is told."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.status: int | None = 204

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
                if self.status is None:
                    break
                writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


@pytest.fixture
async def audience(receiver: Receiver) -> AsyncIterator[AudienceWebhook]:
    webhook = AudienceWebhook(
        AudienceWebhookSettings(url=f"http://127.0.0.1:{receiver.port}/members", secret=Secret(SECRET), keeper="ads")
    )
    yield webhook
    await webhook.close()


async def test_only_a_hash_of_the_address_leaves_and_the_call_is_signed(
    audience: AudienceWebhook, receiver: Receiver
) -> None:
    member = await audience.add("looked-at-honey", " Ada@Example.com ", key="effect-1")
    await audience.remove("looked-at-honey", member, key="effect-2")

    added, removed = [json.loads(body) for _, body in receiver.calls]
    assert added == {"action": "add", "audience": "looked-at-honey", "sha256_email": member}
    assert removed == {**added, "action": "remove"}
    for headers, body in receiver.calls:
        Webhook(SECRET).verify(body, headers)
        assert b"example.com" not in body.lower()


async def test_the_hash_is_of_the_address_as_platforms_write_it() -> None:
    assert hashed(" Ada@Example.com\n") == hashlib.sha256(b"ada@example.com").hexdigest()


async def test_a_repeat_carries_the_same_id(audience: AudienceWebhook, receiver: Receiver) -> None:
    for _ in range(2):
        await audience.add("a", "ada@example.com", key="effect-1")

    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, PermanentFailure, "AUDIENCE_REFUSED"),
        (301, PermanentFailure, "AUDIENCE_REFUSED"),
        (429, TemporaryFailure, "AUDIENCE_BUSY"),
        (503, TemporaryFailure, "AUDIENCE_BUSY"),
        (None, OutcomeUnknown, "AUDIENCE_ANSWER_LOST"),
    ],
)
async def test_answers_become_our_words_for_them(
    audience: AudienceWebhook, receiver: Receiver, status: int | None, error: type[Exception], code: str
) -> None:
    receiver.status = status

    with pytest.raises(error, match=code):
        await audience.add("a", "ada@example.com", key="effect-1")


async def test_a_removal_whose_answer_is_lost_is_tried_again(audience: AudienceWebhook, receiver: Receiver) -> None:
    receiver.status = None

    with pytest.raises(TemporaryFailure, match="AUDIENCE_ANSWER_LOST"):
        await audience.remove("a", "member", key="effect-1")


async def test_who_cannot_be_reached_is_tried_again_later(receiver: Receiver) -> None:
    webhook = AudienceWebhook(AudienceWebhookSettings(url="http://127.0.0.1:9/members", secret=Secret(SECRET)))

    with pytest.raises(TemporaryFailure, match="AUDIENCE_UNREACHABLE"):
        await webhook.add("a", "ada@example.com", key="effect-1")
    await webhook.close()


@pytest.mark.parametrize(
    ("url", "secret", "code"),
    [
        ("http://ads.example/members", SECRET, "PLAINTEXT_REFUSED"),
        ("ads.example", SECRET, "SETTING_WRONG"),
        ("https://ads.example/members", "whsec_%", "SETTING_WRONG"),
    ],
)
def test_wrong_settings_are_found_at_start(url: str, secret: str, code: str) -> None:
    with pytest.raises(BadSettings, match=code):
        AudienceWebhook(AudienceWebhookSettings(url=url, secret=Secret(secret)))
