"""The port's promises, kept with an HTTP server on the other side that does what the vendor's documentation says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from connectors.resend import ResendSettings
from connectors.resend.client import ResendSender
from waggle.app import App
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.ports.email import Email, EmailSender
from waggle.settings import load_settings
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

EMAIL = Email(
    to="anna@example.com",
    sender="Hive & Honey <shop@example.com>",
    subject="Your cart is waiting",
    text="Hello",
    html="<p>Hello</p>",
    message_id="<m-1@news.shop.example>",
    unsubscribe_url="https://shop.example/u/token",
    list_id="news.shop.example",
)


@dataclass
class Vendor:
    """Keeps each mail under its key, answers a repeat as it answered the first, and says what it was told to say."""

    status: int | None = None
    body: bytes = b"{}"
    headers: str = ""
    silent: bool = False
    taken: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *fields = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
                content = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((line, headers, content))
                status, body = self._answer(headers["idempotency-key"], content)
                if self.silent:
                    break
                writer.write(
                    f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{self.headers}"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def _answer(self, key: str, content: bytes) -> tuple[int, bytes]:
        if self.status is not None:
            return self.status, self.body
        if self.taken.setdefault(key, content) != content:
            return 409, b'{"statusCode":409,"name":"invalid_idempotent_request","message":"another payload"}'
        return 200, json.dumps({"id": f"id-of-{key}"}).encode()


@asynccontextmanager
async def sending(vendor: Vendor) -> AsyncIterator[ResendSender]:
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = ResendSender(ResendSettings(api_key=Secret("re_key"), url=f"http://127.0.0.1:{port}", timeout_s=30))
    try:
        yield sender
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()


async def yes() -> None:
    """Say that the content may leave."""


async def test_a_mail_is_asked_for_as_the_vendor_wants_it() -> None:
    vendor = Vendor()
    async with sending(vendor) as sender:
        assert await sender.send(EMAIL, before_data=yes) == "200 id-of-m-1@news.shop.example"

    [(line, headers, content)] = vendor.requests
    assert line == "POST /emails HTTP/1.1"
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer re_key", "m-1@news.shop.example")
    assert json.loads(content) == {
        "from": "Hive & Honey <shop@example.com>",
        "to": ["anna@example.com"],
        "subject": "Your cart is waiting",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "headers": {
            "List-Id": "<news.shop.example>",
            "List-Unsubscribe": "<https://shop.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }


async def test_a_mail_that_is_no_marketing_has_no_way_to_unsubscribe() -> None:
    vendor = Vendor()
    async with sending(vendor) as sender:
        await sender.send(replace(EMAIL, unsubscribe_url=None), before_data=yes)

    assert json.loads(vendor.requests[0][2])["headers"] == {"List-Id": "<news.shop.example>"}


async def test_a_mail_to_ourselves_belongs_to_no_list() -> None:
    vendor = Vendor()
    async with sending(vendor) as sender:
        await sender.send(replace(EMAIL, unsubscribe_url=None, list_id=None), before_data=yes)

    assert json.loads(vendor.requests[0][2])["headers"] == {}


async def test_a_repeat_after_a_lost_answer_is_the_same_mail_even_if_its_prices_have_changed() -> None:
    vendor = Vendor(silent=True)
    async with sending(vendor) as sender:
        with pytest.raises(OutcomeUnknown, match="RESEND_ANSWER_LOST"):
            await sender.send(EMAIL, before_data=yes)
        vendor.silent = False
        first = await sender.send(EMAIL, before_data=yes)
        changed = await sender.send(replace(EMAIL, text="Hello again"), before_data=yes)

    assert (first, changed) == ("200 id-of-m-1@news.shop.example", "409 accepted before")
    assert len(vendor.taken) == 1


async def test_nothing_leaves_when_it_may_not() -> None:
    async def no() -> None:
        raise ZeroDivisionError

    vendor = Vendor()
    async with sending(vendor) as sender:
        with pytest.raises(ZeroDivisionError):
            await sender.send(EMAIL, before_data=no)

    assert vendor.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, TemporaryFailure, "RESEND_LOGIN_REFUSED"),
        (403, TemporaryFailure, "RESEND_LOGIN_REFUSED"),
        (429, TemporaryFailure, "RESEND_BUSY"),
        (422, PermanentFailure, "MESSAGE_REFUSED"),
        (409, OutcomeUnknown, "RESEND_ANSWER_LOST"),
        (500, OutcomeUnknown, "RESEND_ANSWER_LOST"),
        (503, OutcomeUnknown, "RESEND_ANSWER_LOST"),
    ],
)
async def test_each_answer_has_its_meaning_and_nothing_of_its_text_is_kept(
    status: int, kind: type[TemporaryFailure | PermanentFailure | OutcomeUnknown], code: str
) -> None:
    said = b'{"name":"some_error","message":"Invalid `to` field: anna@example.com"}'
    async with sending(Vendor(status=status, body=said)) as sender:
        with pytest.raises(kind) as failure:
            await sender.send(EMAIL, before_data=yes)

    assert failure.value.code == code
    assert "anna" not in str(failure.value)


async def test_the_pause_that_is_asked_for_is_passed_on() -> None:
    async with sending(Vendor(status=429, headers="Retry-After: 7\r\n")) as sender:
        with pytest.raises(TemporaryFailure) as busy:
            await sender.send(EMAIL, before_data=yes)

    assert busy.value.retry_after_s == 7


async def test_an_answer_that_is_no_json_is_understood_by_its_status() -> None:
    async with sending(Vendor(status=200, body=b"fine")) as sender:
        assert await sender.send(EMAIL, before_data=yes) == "200"


async def test_nobody_there_is_surely_not_sent() -> None:
    with kept_ports(1) as [port]:
        gone = ResendSender(ResendSettings(api_key=Secret("re_key"), url=f"http://127.0.0.1:{port}"))

        with pytest.raises(TemporaryFailure, match="RESEND_UNAVAILABLE"):
            await gone.send(EMAIL, before_data=yes)
        await gone.close()


def test_the_key_does_not_travel_readable() -> None:
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        ResendSettings(api_key=Secret("re_key"), url="http://api.example")


def test_it_knows_repeats_for_a_day() -> None:
    assert ResendSender.repeat_safe_for.total_seconds() == 86_400


def test_it_is_chosen_by_writing_its_section(tmp_path: Path) -> None:
    """The section [smtp] of the shipped settings gives way."""
    app = App(load_settings({"WAGGLE_HOME": str(tmp_path), "WAGGLE_RESEND__API_KEY": "re_key"}))

    assert isinstance(app.systems.provider(EmailSender), ResendSender)
