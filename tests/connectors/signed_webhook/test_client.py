"""Signed webhooks, as a receiver sees them."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from standardwebhooks import Webhook

from connectors.signed_webhook import SignedWebhookSettings
from connectors.signed_webhook.stream import SignedWebhookStream
from tests.connectors.receiver import Receiver, receiving
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.ports.sources import OutEvent

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes 123").decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


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
