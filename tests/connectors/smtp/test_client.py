"""The port's promises, kept with a real SMTP server on the other side."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.smtp import SmtpSettings
from connectors.smtp.client import SmtpSender
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.ports.email import Email

pytestmark = pytest.mark.anyio

EMAIL = Email(
    to="anna@example.com",
    sender="Hive & Honey <shop@example.com>",
    subject="Your cart is waiting",
    text="Hello,\n.\nyour cart costs 12,50 €.\n",
    html="<p>Hello, your cart costs 12,50&nbsp;€.</p>",
    message_id="<m-1@shop.example>",
    unsubscribe_url="https://shop.example/u/" + "t0ken-" * 30,
    list_id="abandoned-cart.shop.example",
)


class Postmaster:
    """Remembers what arrives and says what it was told to say."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.said_once: dict[str, str] = {}
        self.servers: list[SMTP] = []
        self.received: list[Envelope] = []
        self.connections: list[str] = []
        self.resets = 0
        self.log: list[str] = []
        self.before_answer: Callable[[SMTP], Awaitable[None]] | None = None

    @property
    def raw(self) -> list[bytes]:
        """What arrived, byte for byte."""
        return [envelope.original_content or b"" for envelope in self.received]

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if str(session.peer) not in self.connections:
            self.connections.append(str(session.peer))
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.said_once.pop("MAIL", None) or self.answers.get("MAIL", "250 2.1.0 Sender ok")
        if answer.startswith("2"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get("RCPT", "250 2.1.5 Recipient ok")
        if answer.startswith("2"):
            self.log.append("recipient taken")
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.resets += 1
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.log.append("content arrived")
        if self.before_answer is not None:
            await self.before_answer(server)
        answer = self.answers.get("DATA", "250 2.0.0 Ok: queued as 4F1A2B")
        if answer.startswith("2"):
            self.received.append(envelope)
        return answer


def hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()


@asynccontextmanager
async def listening(postmaster: Postmaster, **options: object) -> AsyncIterator[SmtpSettings]:
    def factory() -> SMTP:
        postmaster.servers.append(SMTP(postmaster, hostname="mx.example", **options))  # type: ignore[arg-type]
        return postmaster.servers[-1]

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(factory, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield SmtpSettings(host="127.0.0.1", port=port, security="none", timeout_s=30, hello_name="shop.example")
    finally:
        listener.close()
        for server in postmaster.servers:
            hang_up(server)
        await listener.wait_closed()


@asynccontextmanager
async def sending(settings: SmtpSettings) -> AsyncIterator[SmtpSender]:
    sender = SmtpSender(settings)
    try:
        yield sender
    finally:
        await sender.close()


async def yes() -> None:
    """Say that the content may leave."""


async def test_a_mail_arrives_as_it_was_meant() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        answer = await sender.send(EMAIL, before_data=yes)

    (envelope,), (mail,) = postmaster.received, postmaster.mails
    assert answer == "250 2.0.0 4F1A2B"
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@example.com", ["anna@example.com"])
    assert mail["From"] == "Hive & Honey <shop@example.com>"
    assert mail["To"] == "anna@example.com"
    assert mail["Subject"] == "Your cart is waiting"
    assert mail["Message-ID"] == "<m-1@shop.example>"
    assert mail["Date"].datetime.tzinfo is not None
    text, html = mail.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == EMAIL.text
    assert html.get_content().replace("\r\n", "\n").rstrip("\n") == EMAIL.html


async def test_the_mail_can_be_unsubscribed_from_with_one_click() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(EMAIL, before_data=yes)
        await sender.send(replace(EMAIL, unsubscribe_url=None, list_id=None), before_data=yes)

    raw = postmaster.raw[0]
    # Whole and on one line: encoded words here would be a link that no mail service can follow.
    assert f"\r\nList-Unsubscribe: <{EMAIL.unsubscribe_url}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert b"\r\nList-ID: <abandoned-cart.shop.example>\r\n" in raw
    assert "List-Unsubscribe" not in postmaster.mails[1]
    assert "List-ID" not in postmaster.mails[1]


async def test_everything_travels_in_seven_bits_and_short_lines() -> None:
    postmaster = Postmaster()
    email = replace(EMAIL, subject="Żółty koszyk 🐝 " * 8, html="<p>" + "ł" * 5_000 + "</p>")
    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(email, before_data=yes)

    raw = postmaster.raw[0]
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert postmaster.mails[0]["Subject"].split() == email.subject.split()


async def test_the_content_leaves_only_after_it_was_allowed_to() -> None:
    postmaster = Postmaster()

    async def allow() -> None:
        postmaster.log.append("allowed")

    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(EMAIL, before_data=allow)

    assert postmaster.log == ["recipient taken", "allowed", "content arrived"]


async def test_what_is_not_allowed_does_not_leave_and_the_next_mail_does() -> None:
    postmaster = Postmaster()

    async def forbid() -> None:
        raise LookupError("the row was taken by somebody else")

    async with listening(postmaster) as settings, sending(settings) as sender:
        with pytest.raises(LookupError):
            await sender.send(EMAIL, before_data=forbid)
        assert (postmaster.received, postmaster.resets) == ([], 1)
        await sender.send(EMAIL, before_data=yes)

    assert len(postmaster.received) == 1
    assert len(postmaster.connections) == 1


async def test_connections_are_kept_and_no_more_than_allowed() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(replace(settings, connections=2)) as sender:
        await asyncio.gather(*(sender.send(EMAIL, before_data=yes) for _ in range(10)))

    assert len(postmaster.received) == 10
    assert len(postmaster.connections) == 2


async def test_a_kept_connection_that_the_server_ended_is_replaced() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(EMAIL, before_data=yes)
        hang_up(postmaster.servers[0])
        await sender.send(EMAIL, before_data=yes)
        postmaster.said_once["MAIL"] = "421 4.4.2 idle too long"
        await sender.send(EMAIL, before_data=yes)

    assert len(postmaster.received) == 3
    assert len(postmaster.connections) == 3


async def test_mails_go_again_once_the_server_is_back() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings:
        sender = SmtpSender(settings)
        await sender.send(EMAIL, before_data=yes)
    with pytest.raises(TemporaryFailure) as caught:
        await sender.send(EMAIL, before_data=yes)
    assert caught.value.code == "SMTP_UNAVAILABLE"

    async with listening(postmaster) as moved, sending(moved) as again:
        await again.send(EMAIL, before_data=yes)
    await sender.close()
    assert len(postmaster.received) == 2


@pytest.mark.parametrize(
    ("verb", "answer", "failure", "code"),
    [
        ("MAIL", "451 4.3.0 try later", TemporaryFailure, "SMTP_BUSY"),
        ("MAIL", "421 4.3.2 closing", TemporaryFailure, "SMTP_BUSY"),
        ("MAIL", "530 5.7.0 authentication required", TemporaryFailure, "SMTP_LOGIN_REFUSED"),
        ("MAIL", "550 5.7.1 sender not allowed", PermanentFailure, "MESSAGE_REFUSED"),
        ("RCPT", "450 4.2.0 greylisted", TemporaryFailure, "SMTP_BUSY"),
        ("RCPT", "550 5.1.1 <anna@example.com> unknown", PermanentFailure, "ADDRESS_REFUSED"),
        ("RCPT", "553 no such mailbox", PermanentFailure, "ADDRESS_REFUSED"),
        ("RCPT", "554 5.7.1 relay access denied", PermanentFailure, "MESSAGE_REFUSED"),
        ("DATA", "452 4.3.1 disk full", TemporaryFailure, "SMTP_BUSY"),
        ("DATA", "554 5.6.0 <anna@example.com> content refused", PermanentFailure, "MESSAGE_REFUSED"),
    ],
)
async def test_a_refusal_is_known_and_names_nobody(
    verb: str, answer: str, failure: type[TemporaryFailure | PermanentFailure], code: str
) -> None:
    postmaster = Postmaster(**{verb: answer})
    async with listening(postmaster) as settings, sending(settings) as sender:
        with pytest.raises(failure) as caught:
            await sender.send(EMAIL, before_data=yes)
        assert caught.value.code == code
        assert "anna" not in str(caught.value)
        assert caught.value.__cause__ is None

        postmaster.answers.clear()
        await sender.send(EMAIL, before_data=yes)
    assert len(postmaster.received) == 1


async def test_an_acceptance_that_quotes_the_shopper_is_not_passed_on() -> None:
    postmaster = Postmaster(DATA="250 2.0.0 queued as anna@example.com for Anna")
    async with listening(postmaster) as settings, sending(settings) as sender:
        assert await sender.send(EMAIL, before_data=yes) == "250 2.0.0"


async def test_a_connection_lost_after_the_content_leaves_the_outcome_unknown() -> None:
    postmaster = Postmaster()

    async def lose_connection(server: SMTP) -> None:
        hang_up(server)

    postmaster.before_answer = lose_connection
    async with listening(postmaster) as settings, sending(settings) as sender:
        with pytest.raises(OutcomeUnknown) as caught:
            await sender.send(EMAIL, before_data=yes)
        assert caught.value.code == "SMTP_ANSWER_LOST"

        postmaster.before_answer = None
        await sender.send(EMAIL, before_data=yes)


async def test_an_answer_that_does_not_come_leaves_the_outcome_unknown() -> None:
    postmaster = Postmaster()

    async def fall_asleep(_server: SMTP) -> None:
        await asyncio.Event().wait()

    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(EMAIL, before_data=yes)
        [connection] = sender._idle

        async def lose_patience() -> None:
            connection.timeout = 0.2

        postmaster.before_answer = fall_asleep
        with pytest.raises(OutcomeUnknown):
            await sender.send(EMAIL, before_data=lose_patience)


async def test_a_server_that_says_nothing_is_tried_again_later() -> None:
    hung_up = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    mute = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    async with mute:
        sender = SmtpSender(SmtpSettings(host="127.0.0.1", port=port, security="none", timeout_s=0.2))
        with pytest.raises(TemporaryFailure) as caught:
            await sender.send(EMAIL, before_data=yes)
        await hung_up.wait()

    assert caught.value.code == "SMTP_UNAVAILABLE"


async def test_a_cancelled_hand_over_does_not_spoil_the_next() -> None:
    postmaster = Postmaster()
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await asyncio.Event().wait()

    async with listening(postmaster) as settings, sending(replace(settings, connections=1)) as sender:
        waiting = asyncio.create_task(sender.send(EMAIL, before_data=never))
        await reached.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await sender.send(EMAIL, before_data=yes)

    assert len(postmaster.received) == 1


@pytest.mark.parametrize(
    "to",
    [
        '"a" <a@b.example>, evil@x.example',
        "a@b.example, evil@x.example",
        "a@b.example\r\nBcc: evil@x.example",
        "a@b.example> RCPT TO:<evil@x.example",
        '"a b"@c.example',
        "Anna <a@b.example>",
        "a@b@c.example",
        "żółw@b.example",
        "a\x00@b.example",
        "a@",
        "@b.example",
        "",
    ],
)
async def test_what_is_not_one_plain_address_reaches_nobody(to: str) -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        with pytest.raises(PermanentFailure) as caught:
            await sender.send(replace(EMAIL, to=to), before_data=yes)

    assert caught.value.code == "ADDRESS_REFUSED"
    assert postmaster.connections == []


async def test_an_international_domain_is_written_to_by_its_ascii_name() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        await sender.send(replace(EMAIL, to="anna@bücher.example"), before_data=yes)

    assert postmaster.received[0].rcpt_tos == ["anna@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "broken",
    [
        replace(EMAIL, subject="Hello\r\nBcc: evil@x.example"),
        replace(EMAIL, message_id="<a@b>\r\nBcc: evil@x.example"),
        replace(EMAIL, subject="Hello \ud800"),
        replace(EMAIL, text="Hello \ud800"),
        replace(EMAIL, message_id="a@b"),
        replace(EMAIL, list_id="a>\r\nBcc: evil@x.example"),
        replace(EMAIL, unsubscribe_url="https://a.example/>, <mailto:evil@x.example"),
    ],
)
async def test_no_field_breaks_out_of_its_header(broken: Email) -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings, sending(settings) as sender:
        with pytest.raises(PermanentFailure) as caught:
            await sender.send(broken, before_data=yes)

    assert caught.value.code == "MESSAGE_REFUSED"
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["a@b.example, c@d.example", "shop", "Shop <shop@", "żółw@b.example", "a@b.example\r\nBcc: c@d.example"]
)
async def test_a_mail_has_one_sender(wrong: str) -> None:
    sender = SmtpSender(SmtpSettings(host="127.0.0.1", port=1, security="none"))

    with pytest.raises(PermanentFailure) as caught:
        await sender.send(replace(EMAIL, sender=wrong), before_data=yes)

    assert caught.value.code == "SENDER_REFUSED"


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_the_password_is_told_only_to_a_server_whose_certificate_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[bytes] = []
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))

    def check(
        _server: object, _session: object, _envelope: object, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        told.append(login.password)
        return AuthResult(success=login.password == b"right", handled=False)

    postmaster = Postmaster()
    options = {
        "tls_context": server_tls(authority),
        "require_starttls": True,
        "authenticator": check,
        "auth_required": True,
    }
    async with listening(postmaster, **options) as plain:
        settings = replace(plain, security="starttls", username="shop", password=Secret("right"))
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with pytest.raises(TemporaryFailure) as untrusted:
            await SmtpSender(settings).send(EMAIL, before_data=yes)
        assert (untrusted.value.code, told) == ("SMTP_UNAVAILABLE", [])

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with pytest.raises(TemporaryFailure) as refused:
            await SmtpSender(replace(settings, password=Secret("wrong"))).send(EMAIL, before_data=yes)
        assert refused.value.code == "SMTP_LOGIN_REFUSED"

        async with sending(settings) as sender:
            await sender.send(EMAIL, before_data=yes)

    assert len(postmaster.received) == 1


async def test_a_server_without_starttls_gets_nothing_if_it_was_asked_for() -> None:
    postmaster = Postmaster()
    async with listening(postmaster) as settings:
        with pytest.raises(TemporaryFailure) as caught:
            await SmtpSender(replace(settings, security="starttls")).send(EMAIL, before_data=yes)

    assert caught.value.code == "SMTP_UNAVAILABLE"
    assert postmaster.received == []


def test_a_password_without_encryption_is_refused_at_start_up() -> None:
    with pytest.raises(BadSettings) as caught:
        SmtpSettings(host="mx.example", port=25, security="none", username="shop", password=Secret("s3cret"))

    assert caught.value.code == "SMTP_LOGIN_UNENCRYPTED"
    assert "s3cret" not in str(caught.value)
