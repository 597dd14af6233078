"""Signed webhooks, as a receiver sees them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from standardwebhooks import Webhook

from connectors.signed_webhook import SignedWebhookSettings
from connectors.signed_webhook.addresses import is_public
from connectors.signed_webhook.stream import SignedWebhookStream
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.ports.sources import OutEvent

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes 123").decode()


class Receiver:
    """A small HTTP server that remembers calls and answers as it is told."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/facts?tenant=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                headers[":request"] = lines[0]
                self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(self.answer)
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


@asynccontextmanager
async def streaming(url: str, **keys: object) -> AsyncIterator[SignedWebhookStream]:
    keys = {"allow_private": True, **keys}
    stream = SignedWebhookStream(SignedWebhookSettings(url=url, secret=Secret(SECRET), **keys))  # type: ignore[arg-type]
    try:
        yield stream
    finally:
        await stream.close()


def event(number: int = 1) -> OutEvent:
    return OutEvent(
        position=number, item={"id": f"e-{number}", "source": "shöp", "type": "order-placed", "data": {"name": "Łódź"}}
    )


async def test_a_receiver_can_check_the_signature_with_the_library(receiver: Receiver) -> None:
    async with streaming(receiver.url) as stream:
        await stream.publish([event()])

    [(headers, body)] = receiver.calls
    assert Webhook(SECRET).verify(body, headers) == event().item
    assert headers[":request"] == "POST /facts?tenant=1 HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/cloudevents+json"


async def test_a_repeat_bears_the_same_id_and_another_event_another(receiver: Receiver) -> None:
    async with streaming(receiver.url) as stream:
        for number in (1, 1, 2):
            await stream.publish([event(number)])

    ids = [headers["webhook-id"] for headers, _ in receiver.calls]
    assert ids[0] == ids[1] != ids[2]


async def test_several_go_in_one_call_if_asked_for(receiver: Receiver) -> None:
    async with streaming(receiver.url, batch=10) as stream:
        assert stream.most_at_once == 10
        await stream.publish([event(1), event(2)])

    [(headers, body)] = receiver.calls
    assert [each["id"] for each in json.loads(body)] == ["e-1", "e-2"]
    assert headers["content-type"] == "application/cloudevents-batch+json"


@pytest.mark.parametrize(
    ("answer", "failure", "pause_s"),
    [
        ("HTTP/1.1 500 Oh", TemporaryFailure("WEBHOOK_BUSY"), 60),
        ("HTTP/1.1 429 Slow\r\nRetry-After: 7", TemporaryFailure("WEBHOOK_BUSY"), 7),
        ("HTTP/1.1 400 No", PermanentFailure("WEBHOOK_REFUSED"), None),
        ("HTTP/1.1 410 Gone", PermanentFailure("WEBHOOK_REFUSED"), None),
        ("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/", PermanentFailure("WEBHOOK_REFUSED"), None),
        ("no HTTP at all", TemporaryFailure("WEBHOOK_UNREACHABLE"), 5),
    ],
)
async def test_a_call_that_was_not_taken_comes_again(
    receiver: Receiver, answer: str, failure: TemporaryFailure | PermanentFailure, pause_s: float | None
) -> None:
    receiver.answer = f"{answer}\r\nContent-Length: 0\r\n\r\n".encode()
    async with streaming(receiver.url) as stream:
        with pytest.raises(type(failure), match=failure.code) as raised:
            await stream.publish([event()])
        receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        await stream.publish([event()])

    assert getattr(raised.value, "retry_after_s", None) == pause_s
    assert len(receiver.calls) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "no-such-host.invalid"])
async def test_an_address_that_only_this_machine_reaches_is_as_unreachable_as_any_other(
    receiver: Receiver, host: str
) -> None:
    async with streaming(f"https://{host}:{receiver.port}/", allow_private=False) as stream:
        with pytest.raises(TemporaryFailure) as raised:
            await stream.publish([event()])

    assert (raised.value.code, raised.value.message) == ("WEBHOOK_UNREACHABLE", "the receiver cannot be reached")
    assert receiver.calls == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 -- nobody binds to it
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_what_the_whole_internet_means_is_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"url": "http://example.com/"}, "PLAINTEXT_REFUSED"),
        ({"url": "ftp://example.com/"}, "SETTING_WRONG"),
        ({"url": "https://u:p@example.com/"}, "SETTING_WRONG"),
        ({"url": "https:///x"}, "SETTING_WRONG"),
        ({"url": "https://example.com/", "batch": 0}, "SETTING_WRONG"),
        ({"url": "https://example.com/", "secret": Secret("")}, "SETTING_WRONG"),
        ({"url": "https://example.com/", "secret": Secret("whsec_ä")}, "SETTING_WRONG"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, object], code: str) -> None:
    with pytest.raises(BadSettings, match=code):
        SignedWebhookStream(SignedWebhookSettings(**{"secret": Secret(SECRET), **keys}))  # type: ignore[arg-type]
