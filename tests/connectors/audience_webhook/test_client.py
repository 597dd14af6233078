"""Calls about audiences, as a receiver sees them."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook

from connectors.audience_webhook import AudienceWebhookSettings
from connectors.audience_webhook.client import AudienceWebhook, hashed
from tests.connectors.receiver import Receiver, receiving
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes 123").decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def audience(receiver: Receiver) -> AsyncIterator[AudienceWebhook]:
    webhook = AudienceWebhook(
        AudienceWebhookSettings(url=receiver.url, secret=Secret(SECRET), keeper="ads", allow_private=True)
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
    receiver.answer = None
    if status is not None:
        receiver.answers(status)

    with pytest.raises(error, match=code):
        await audience.add("a", "ada@example.com", key="effect-1")


async def test_a_removal_whose_answer_is_lost_is_tried_again(audience: AudienceWebhook, receiver: Receiver) -> None:
    receiver.answer = None

    with pytest.raises(TemporaryFailure, match="AUDIENCE_ANSWER_LOST"):
        await audience.remove("a", "member", key="effect-1")


async def test_who_cannot_be_reached_is_tried_again_later() -> None:
    settings = AudienceWebhookSettings(url="http://127.0.0.1:9/members", secret=Secret(SECRET), allow_private=True)
    webhook = AudienceWebhook(settings)

    with pytest.raises(TemporaryFailure, match="AUDIENCE_UNREACHABLE"):
        await webhook.add("a", "ada@example.com", key="effect-1")
    await webhook.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_an_address_that_only_this_machine_reaches_is_not_called(receiver: Receiver, host: str) -> None:
    webhook = AudienceWebhook(AudienceWebhookSettings(url=f"https://{host}:{receiver.port}/", secret=Secret(SECRET)))

    with pytest.raises(TemporaryFailure, match="AUDIENCE_UNREACHABLE"):
        await webhook.add("a", "ada@example.com", key="effect-1")

    assert receiver.calls == []
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
